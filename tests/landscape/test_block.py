"""Blocks of the Hessian in closed form, against automatic differentiation and known numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.landscape import LayerHessian, downstream, layer_hessian
from splinescope.landscape import block as block_module
from tests.landscape.nets import Residual, Shared, conv_net, direct_loss, formula_net, mnist, seeded, up_net
from tests.seeds import large

CASES = {
    "dense": (lambda: formula_net([5, 7, 6, 3], 1), (5,), ["0", "2", "4"]),
    "convolutions": (conv_net, (2, 12, 12), ["0", "4", "6", "10"]),
    "residual": (Residual, (5,), ["first", "inner", "last"]),
    "shared": (Shared, (3, 4), ["rows", "last"]),
    "transposed": (up_net, (3,), ["0", "3", "6"]),
}
BLOCKS = [pytest.param(name, layer, id=f"{name}-{layer}") for name, (_, _, layers) in CASES.items() for layer in layers]


def asked(name: str, loss: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    build, shape, _ = CASES[name]
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(9, *shape, generator=generator, dtype=torch.float64)
    module = seeded(build)
    outputs = module(x[:1]).numel()
    if loss == "squared":
        return module, x, torch.randn(9, outputs, generator=generator, dtype=torch.float64)
    return module, x, torch.randint(outputs, (9,), generator=generator)


def autograd_block(
    module: nn.Module, layer: str, x: torch.Tensor, y: torch.Tensor, loss: str, bias: bool
) -> np.ndarray:
    own = dict(module.get_submodule(layer).named_parameters())
    names = ["weight", "bias"] if bias else ["weight"]
    start = torch.cat([own[name].detach().reshape(-1) for name in names])

    def value(flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([own[name].numel() for name in names])
        moved = {f"{layer}.{name}": part.reshape(own[name].shape) for name, part in zip(names, parts, strict=True)}
        return direct_loss(module, moved, x, y, loss)

    return torch.autograd.functional.hessian(value, start).numpy()


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("name", "layer"), BLOCKS)
def test_block_is_that_of_autograd(name: str, layer: str, bias: bool, loss: str) -> None:
    module, x, y = asked(name, loss)
    block = layer_hessian(module, layer, x, y, loss, bias=bias)
    expected = autograd_block(module, layer, x, y, loss, bias)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(block.dense(), expected, atol=1e-10 * scale)
    np.testing.assert_allclose(block @ np.eye(block.shape[0]), expected, atol=1e-10 * scale)
    np.testing.assert_allclose(block.diagonal(), expected.diagonal(), atol=1e-10 * scale)
    assert block.trace() == pytest.approx(np.trace(expected), rel=1e-10)
    values = np.linalg.eigvalsh(expected)[::-1]
    np.testing.assert_allclose(block.eigenvalues(5), values[:5], atol=1e-10 * values[0])
    assert block.rank() == (values > 1e-11 * values[0]).sum()


@pytest.mark.parametrize(("name", "layer"), BLOCKS)
def test_both_gram_matrices_have_one_spectrum(name: str, layer: str) -> None:
    module, x, y = asked(name, "squared")
    values = layer_hessian(module, layer, x, y).eigenvalues()
    for part in (x[:2], x.repeat(40, 1, *(1,) * (x.ndim - 2))):
        wanted = y[: len(part)] if len(part) == 2 else y.repeat(40, 1)
        block = layer_hessian(module, layer, part, wanted)
        dense = np.linalg.eigvalsh(block.dense())[::-1]
        found = block.eigenvalues()
        assert len(found) == min(len(part) * block.outputs, block.shape[0])
        np.testing.assert_allclose(found, dense[: len(found)], atol=1e-12 * dense[0])
    np.testing.assert_allclose(found[: len(values)], values[: len(found)], atol=1e-12 * values[0])


def test_one_sample_has_singular_values_in_closed_form() -> None:
    module, x, y = asked("dense", "squared")
    block = layer_hessian(module, "2", x[:1], y[:1])
    z = torch.relu(module[0](x[0])).detach()
    slopes = downstream(splinescope.load(module), "2", x[:1])[0]
    expected = torch.linalg.svdvals(slopes) * z.norm()
    np.testing.assert_allclose(block.singular_values()[:3], expected.numpy(), rtol=1e-12)
    crossed = layer_hessian(module, "2", x[:1], torch.tensor([1]), "cross-entropy")
    np.testing.assert_allclose(crossed.singular_values()[:3], expected.numpy(), rtol=1e-12)


def test_third_difference_vanishes_within_a_cell() -> None:
    """The loss is a quadratic on a short line, and its second difference is that of the block."""
    module, x, y = asked("convolutions", "squared")
    block = layer_hessian(module, "4", x, y)
    direction = np.random.default_rng(0).standard_normal(block.shape[0])
    weight = module[4].weight.detach()
    step = 1e-4 * torch.from_numpy(direction).reshape(weight.shape)
    values = [direct_loss(module, {"4.weight": weight + t * step}, x, y, "squared").item() for t in range(4)]
    assert np.diff(values, 3)[0] == pytest.approx(0.0, abs=1e-14)
    assert np.diff(values, 2)[0] == pytest.approx(1e-8 * direction @ (block @ direction), rel=1e-5)


def test_condition_numbers() -> None:
    module, x, y = asked("dense", "squared")
    many = x.repeat(30, 1) + 0.3 * torch.randn(270, 5, generator=torch.Generator().manual_seed(1)).double()
    block = layer_hessian(module, "4", many, y.repeat(30, 1))
    values = np.linalg.eigvalsh(block.dense())
    assert block.condition_number() == pytest.approx(values[-1] / values[0], rel=1e-8)
    with torch.no_grad():
        module[2].bias[2] = -1e3  # a dead unit: its weights and those that read it are dead, too
    assert layer_hessian(module, "4", many, y.repeat(30, 1)).condition_number() == np.inf
    dead = layer_hessian(module, "4", many, y.repeat(30, 1))
    kept = np.flatnonzero(dead.diagonal() > 0)
    values = np.linalg.eigvalsh(dead.dense()[np.ix_(kept, kept)])
    assert dead.condition_number("active") == pytest.approx(values[-1] / values[0], rel=1e-8)
    assert dead.condition_number("range") == pytest.approx(dead.condition_number("active"))
    with pytest.raises(InvalidInputError, match="`of`"):
        dead.condition_number("some")


def test_eigenvectors_are_those_of_the_operator() -> None:
    module, x, y = asked("convolutions", "cross-entropy")
    for layer in ("0", "6"):
        block = layer_hessian(module, layer, x, y, "cross-entropy")
        vectors = block.eigenvectors(3)
        np.testing.assert_allclose(
            block @ vectors, vectors * block.eigenvalues(3), atol=1e-12 * block.eigenvalues(1)[0]
        )


def test_short_of_memory_and_beyond_gram_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors that are computed again for each product, and Lanczos' iteration, give the same."""
    module, x, y = asked("dense", "squared")
    expected = layer_hessian(module, "0", x, y)
    monkeypatch.setattr(block_module, "available_memory", lambda: 0)
    monkeypatch.setattr(block_module, "GRAM_ROWS", 8)
    block = layer_hessian(module, "0", x, y)
    np.testing.assert_allclose(block.eigenvalues(3), expected.eigenvalues(3), rtol=1e-10)
    assert block._kept is None
    assert block.trace() == pytest.approx(expected.trace(), rel=1e-14)


@pytest.mark.parametrize(
    ("layer", "loss", "largest", "trace", "rank"),
    [
        large("0", "squared", 95.82843488002257, 1655.4829520757262, 2000),
        ("2", "squared", 127.10031103673631, 1180.1595792473977, 2000),
        ("0", "cross-entropy", 6.514860683045551, 66.01041229529135, 1800),
    ],
)
def test_gold_numbers(layer: str, loss: str, largest: float, trace: float, rank: int) -> None:
    images, labels = mnist(200)
    block = layer_hessian(formula_net([784, 200, 200, 10], 0), layer, images, labels, loss)
    assert block.eigenvalues(1)[0] == pytest.approx(largest, rel=1e-10)
    assert block.trace() == pytest.approx(trace, rel=1e-10)
    assert block.rank() == rank


def test_the_module_stays_as_it_is() -> None:
    module = seeded(conv_net).float().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    layer_hessian(module, "4", torch.randn(3, 2, 12, 12), [0, 1, 2], "cross-entropy").trace()
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())


def test_what_is_refused() -> None:
    module, x, y = asked("dense", "squared")
    for layer, match in (("1", "without weights"), ("9", "no layer '9'")):
        with pytest.raises(InvalidInputError, match=match):
            layer_hessian(module, layer, x, y)
    with pytest.raises(InvalidInputError, match="`loss`"):
        layer_hessian(module, "0", x, y, "absolute")
    with pytest.raises(InvalidInputError, match=r"`targets`.*shape"):
        layer_hessian(module, "0", x, y[:3])
    with pytest.raises(InvalidInputError, match="no probabilities"):
        layer_hessian(module, "0", x, y, "cross-entropy")
    with pytest.raises(InvalidInputError, match="labels from"):
        layer_hessian(module, "0", x, [7] * 9)
    with pytest.raises(InvalidInputError, match="ends in a softmax"):
        layer_hessian(nn.Sequential(module, nn.Softmax(1)), "0.0", x, y)
    with pytest.raises(UnsupportedOpError):
        layer_hessian(nn.Sequential(nn.Linear(5, 4).double(), nn.GELU(), nn.Linear(4, 3).double()), "0", x, y)
    layer = nn.Linear(5, 5).double()
    with pytest.raises(InvalidInputError, match="shares its weight"):
        layer_hessian(nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(5, 3).double()), "0", x, y)


def test_a_smooth_head_of_cross_entropy_is_seen_through() -> None:
    module, x, y = asked("dense", "cross-entropy")
    plain = layer_hessian(module, "0", x, y, "cross-entropy")
    headed = layer_hessian(nn.Sequential(module, nn.LogSoftmax(1)), "0.0", x, y, "cross-entropy")
    assert isinstance(plain, LayerHessian)
    np.testing.assert_array_equal(plain.dense(), headed.dense())


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_the_largest_eigenvalue_alone_is_the_first_of_all(loss: str) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, 6)), rng.integers(0, 3, 20)
    module = formula_net([6, 9, 9, 3], 1)
    alone = layer_hessian(module, "2", x, y, loss=loss).eigenvalues(1)
    np.testing.assert_allclose(alone, layer_hessian(module, "2", x, y, loss=loss).eigenvalues()[:1], rtol=1e-13)


def test_a_layer_that_sleeps_has_no_curvature() -> None:
    module = formula_net([6, 9, 9, 3], 1)
    with torch.no_grad():
        module[2].bias.fill_(-1e6)
    x, y = np.random.default_rng(3).normal(size=(20, 6)), np.zeros(20, np.int64)
    assert layer_hessian(module, "0", x, y).eigenvalues(1).tolist() == [0.0]
