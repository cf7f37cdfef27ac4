"""Hessians of whole modules, against automatic differentiation and known numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.landscape import SpectralDensity, curvature, hessian
from splinescope.landscape.functional import mean_loss, private
from tests.landscape.nets import conv_net, direct_loss, formula_net, mnist, seeded


def smooth_net() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 5), nn.Tanh(), nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3))


def data(*shape: int, seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (shape[0],), generator=generator)


def autograd_hessian(module: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: str, names: list[str]) -> np.ndarray:
    own = {name: value.detach() for name, value in module.named_parameters()}
    sizes = [own[name].numel() for name in names]

    def value(flat: torch.Tensor) -> torch.Tensor:
        parts = zip(names, flat.split(sizes), strict=True)
        return direct_loss(module, {name: part.reshape(own[name].shape) for name, part in parts}, x, y, loss)

    start = torch.cat([own[name].reshape(-1) for name in names])
    return torch.autograd.functional.hessian(value, start).numpy()


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize(
    ("build", "shape", "reduced"),
    [(smooth_net, (9, 5, 8), 9 * 5 + 5 + 24 + 15), (smooth_net, (30, 5, 8), None), (conv_net, (6, 2, 12, 12), None)],
)
def test_hessian_is_that_of_autograd(build: object, shape: tuple[int, ...], reduced: int | None, loss: str) -> None:
    module = seeded(build)
    x, y = data(*shape)
    operator = hessian(module, loss, (x, y))
    names = [name for name, _ in module.named_parameters()]
    expected = autograd_hessian(module, x, y, loss, names)
    scale = np.abs(expected).max()
    assert operator.reduced == (reduced or operator.shape[0])
    np.testing.assert_allclose(operator.dense(), expected, atol=1e-11 * scale)
    vectors = np.random.default_rng(0).standard_normal((operator.shape[0], 2))
    np.testing.assert_allclose(operator @ vectors, expected @ vectors, atol=1e-10 * scale)
    values = np.linalg.eigvalsh(expected)
    np.testing.assert_allclose(operator.eigenvalues(4), values[::-1][:4], atol=1e-11 * scale)
    np.testing.assert_allclose(operator.eigenvalues(3, "smallest"), values[:3], atol=1e-11 * scale)
    largest = values[np.argsort(-np.abs(values))][:5]
    np.testing.assert_allclose(np.abs(operator.eigenvalues(5, "magnitude")), np.abs(largest), atol=1e-11 * scale)
    vectors = operator.eigenvectors(3)
    np.testing.assert_allclose(expected @ vectors, vectors * values[::-1][:3], atol=1e-10 * scale)
    assert operator.trace(operator.shape[0]) == pytest.approx(np.trace(expected), rel=1e-10)


def test_lanczos_agrees_with_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeded(smooth_net)
    x, y = data(30, 5, 8)
    expected = hessian(module, "squared", (x, y)).eigenvalues(6)
    monkeypatch.setattr(curvature, "SMALL", 10)
    np.testing.assert_allclose(hessian(module, "squared", (x, y)).eigenvalues(6), expected, rtol=1e-11)


def test_batches_and_loaders_count_by_their_size() -> None:
    module = seeded(smooth_net)
    x, y = data(11, 5, 8)
    v = np.random.default_rng(0).standard_normal(sum(p.numel() for p in module.parameters()))
    expected = hessian(module, "cross-entropy", (x, y)) @ v
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=4)
    for given, chunk in (((x, y), 3), (loader, None), (((x[:2], y[:2]), (x[2:], y[2:])), None)):
        np.testing.assert_allclose(hessian(module, "cross-entropy", given, chunk=chunk) @ v, expected, atol=1e-13)
    own = hessian(module, lambda out, wanted: nn.functional.cross_entropy(out, wanted), (x.numpy(), y.numpy()))
    np.testing.assert_allclose(own @ v, expected, atol=1e-13)


def test_some_parameters_and_train_mode() -> None:
    module = seeded(conv_net)
    x, y = data(6, 2, 12, 12)
    names = ["1.bias", "10.weight"]
    expected = autograd_hessian(module, x, y, "squared", names)
    np.testing.assert_allclose(hessian(module, "squared", (x, y), parameters=names).dense(), expected, atol=1e-12)
    found = hessian(module, "squared", (x, y), parameters=names, train=True).dense()
    expected = autograd_hessian(private(module, None, train=True), x, y, "squared", names)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_trace_in_closed_form() -> None:
    """It is that of automatic differentiation; where it is not known, it is estimated."""
    module = formula_net([6, 8, 7, 3], 0)
    x, y = data(20, 6)
    names = [name for name, _ in module.named_parameters()]
    for loss in ("squared", "cross-entropy"):
        operator = hessian(module, loss, (x, y))
        assert operator.trace() == pytest.approx(np.trace(autograd_hessian(module, x, y, loss, names)), rel=1e-12)
        assert operator.products == 0
    for other in (seeded(smooth_net), seeded(conv_net)):
        shape = (9, 5, 8) if isinstance(other[0], nn.Flatten) else (6, 2, 12, 12)
        operator = hessian(other, "squared", data(*shape))
        assert operator.trace() == pytest.approx(np.trace(operator.dense()), rel=0.3)
        assert operator.products > 90


def test_estimates_of_trace_and_density() -> None:
    module = seeded(smooth_net)
    operator = hessian(module, "squared", data(9, 5, 8))
    values = np.linalg.eigvalsh(operator.dense())
    traces = [operator.trace(60, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean(traces) == pytest.approx(values.sum(), rel=0.02)
    density = operator.density(40, 30, np.random.default_rng(1))
    assert density.weights.sum() == pytest.approx(1.0)
    assert density.size == len(values)
    assert density.moment(1) == pytest.approx(values.mean(), rel=0.2)
    assert density.moment(2) == pytest.approx((values**2).mean(), rel=0.3)
    assert density.nodes.max() == pytest.approx(values.max(), rel=1e-8)
    grid = np.linspace(values.min() - 1, values.max() + 1, 4001)
    assert np.trapezoid(density.at(grid, 0.05), grid) == pytest.approx(1.0, rel=1e-6)
    exact = SpectralDensity(values, np.full(len(values), 1 / len(values)), len(values))
    cumulated = [np.cumsum(one.at(grid, 0.05)) * (grid[1] - grid[0]) for one in (density, exact)]
    assert np.abs(cumulated[0] - cumulated[1]).max() < 0.05


def test_gold_numbers() -> None:
    operator = hessian(formula_net([784, 32, 10], 0), "cross-entropy", mnist(200))
    values = operator.eigenvalues(10)
    np.testing.assert_allclose(values[:3], [10.875646020570137, 7.60462944716164, 5.217753142354715], rtol=1e-10)
    assert values[9] == pytest.approx(1.7045953545009074, rel=1e-10)
    assert operator.eigenvalues(1, "smallest")[0] == pytest.approx(-1.5958833556980068, rel=1e-10)
    assert operator.trace() == pytest.approx(74.84408186034526, rel=1e-10)


def test_the_module_stays_as_it_is() -> None:
    module = seeded(conv_net).float().train()
    x, y = data(2, 2, 12, 12)
    module(x.float()).sum().backward()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    gradients = [p.grad.clone() for p in module.parameters()]
    state = torch.random.get_rng_state()
    for train in (False, True):
        hessian(module, "squared", (x.float(), y), train=train).eigenvalues(2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(torch.equal(p.grad, g) and p.requires_grad for p, g in zip(module.parameters(), gradients, strict=True))


def test_what_is_refused() -> None:
    module = seeded(smooth_net)
    x, y = data(9, 5, 8)
    with pytest.raises(InvalidInputError, match="`loss`"):
        hessian(module, "absolute", (x, y))
    with pytest.raises(InvalidInputError, match="`parameters`"):
        hessian(module, "squared", (x, y), parameters=["9.weight"])
    with pytest.raises(InvalidInputError, match="`data`"):
        hessian(module, "squared", (x, y[:3]))
    with pytest.raises(InvalidInputError, match="`data`"):
        hessian(module, "squared", 3)
    with pytest.raises(InvalidInputError, match="`which`"):
        hessian(module, "squared", (x, y)).eigenvalues(2, "best")
    with pytest.raises(InvalidInputError, match="mean of a batch"):
        mean_loss(module, {}, x, y, lambda out, wanted: out)
