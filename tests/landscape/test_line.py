"""The exact loss on lines of parameters, against direct evaluation, patterns and known numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.landscape import LossLine, loss_line
from splinescope.landscape.arbiter import LineArbiter
from splinescope.landscape.coefficient_errors import layer_norms
from splinescope.landscape.parameters import motion
from splinescope.landscape.polynomials import first_sign, shifted, sign_changes, to_bernstein
from splinescope.landscape.propagation import FlipCounts, propagated
from splinescope.network import Network, from_torch
from splinescope.network.evaluate import walk
from splinescope.network.ops import Fold
from tests.landscape.nets import Residual, Shared, conv_net, direct_loss, formula_net, mnist, seeded, up_net


def leaky_net() -> nn.Sequential:
    """Activations with slopes on both sides, and with two breakpoints."""
    return nn.Sequential(nn.Linear(5, 6), nn.LeakyReLU(0.2), nn.Linear(6, 6), nn.Hardtanh(), nn.Linear(6, 2))


CASES = {
    "dense": (lambda: formula_net([5, 7, 6, 3], 1), (5,)),
    "leaky": (leaky_net, (5,)),
    "convolutions": (conv_net, (2, 12, 12)),
    "residual": (Residual, (5,)),
    "shared": (Shared, (3, 4)),
    "transposed": (up_net, (3,)),
}  # fmt: skip


def asked(name: str, samples: int = 5) -> tuple[nn.Module, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """A module, a direction of all parameters, inputs and targets."""
    build, shape = CASES[name]
    module = seeded(build, 2)
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(samples, *shape, generator=generator, dtype=torch.float64)
    y = torch.randn(samples, module(x[:1]).numel(), generator=generator, dtype=torch.float64)
    direction = {
        key: torch.randn(value.shape, generator=generator).double() * value.detach().norm() / value.numel() ** 0.5
        for key, value in module.named_parameters()
    }  # fmt: skip
    return module, direction, x, y


def moved(module: nn.Module, direction: dict[str, torch.Tensor], t: float) -> dict[str, torch.Tensor]:
    own = dict(module.named_parameters())
    return {key: own[key].detach() + t * torch.as_tensor(step) for key, step in direction.items()}


def patterns(network: Network, x: torch.Tensor) -> np.ndarray:
    """[N, units] pieces, by a forward pass."""
    values = {index: value.clone() for index, value in walk(network, x)}
    folds = [(node.op, values[node.inputs[0]]) for node in network.nodes if isinstance(node.op, Fold)]
    return np.concatenate([op.pieces(value).reshape(len(x), -1).numpy() for op, value in folds], axis=1)


def check_against_direct(line: LossLine, module: nn.Module, direction: dict, x: torch.Tensor, y: torch.Tensor) -> None:
    low, high = line.interval
    t = np.random.default_rng(1).uniform(low, high, 60)
    direct = [direct_loss(module, moved(module, direction, v), x, y, line.loss).item() for v in t]
    np.testing.assert_allclose(line(t), direct, rtol=1e-11)
    assert line.deviation < 1e-11


def check_extrema(line: LossLine) -> None:
    """What a fine scan of every piece sees is what was found."""
    low, high = line.interval
    ends = np.array([low, *line.breakpoints, high])
    t = np.unique(np.concatenate([np.linspace(a, b, 9) for a, b in itertools.pairwise(ends)]))
    values = line(t)
    steepest = max(1.0, np.abs(line.slopes(t)).max())
    for sign, found in ((1, line.minima), (-1, line.maxima)):
        seen = sign * values
        rounding = 1e-13 * np.abs(values).max()
        inner = np.flatnonzero((seen[1:-1] < seen[:-2] - rounding) & (seen[1:-1] < seen[2:] - rounding)) + 1
        for place in inner:
            assert any(t[place - 1] <= one.t <= t[place + 1] for one in found)
        for one in found:
            assert low < one.t < high
            gaps = np.abs(ends - one.t)
            step = 1e-2 * gaps[gaps > 0].min()
            near = [one.t - step, one.t + step]
            assert (sign * line(near) >= sign * one.value - 10 * rounding).all()
            left, right = line.slopes(one.t)
            assert sign * left <= 1e-7 * steepest
            assert sign * right >= -1e-7 * steepest
    kinds = sorted([(m.t, 1) for m in line.minima] + [(m.t, -1) for m in line.maxima])
    assert all(a[1] != b[1] for a, b in itertools.pairwise(kinds))


@pytest.mark.parametrize("name", CASES)
def test_all_layers_move(name: str) -> None:
    module, direction, x, y = asked(name)
    line = loss_line(module, direction, x, y, interval=(-0.7, 1.3))
    assert line.degree == (3 if name == "dense" else line.degree) > 1
    check_against_direct(line, module, direction, x, y)
    check_extrema(line)
    assert line.global_minimum.value <= line(np.linspace(-0.7, 1.3, 2000)).min() + 1e-12


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize(("name", "layer"), [("dense", "0"), ("dense", "2"), ("leaky", "0"), ("convolutions", "0"),
                                             ("convolutions", "1"), ("convolutions", "4"), ("residual", "first"),
                                             ("residual", "inner"), ("shared", "rows")])  # fmt: skip
def test_one_layer_moves(name: str, layer: str, loss: str) -> None:
    module, direction, x, y = asked(name)
    wanted = y if loss == "squared" else y.argmax(dim=1)
    own = {key: 3 * step for key, step in direction.items() if key.startswith(f"{layer}.")}
    line = loss_line(module, own, x, wanted, loss)
    assert line.degree == 1
    check_against_direct(line, module, own, x, wanted)
    check_extrema(line)


@pytest.mark.parametrize("name", ["dense", "leaky", "convolutions", "residual"])
def test_breakpoints_are_where_patterns_change(name: str) -> None:
    """On every piece the pattern of every sample is one, and at every breakpoint one of them changes."""
    module, direction, x, y = asked(name, 2 if name == "convolutions" else 4)
    short = (-0.02, 0.03) if name == "convolutions" else (-0.5, 0.6)
    line = loss_line(module, direction, x, y, interval=short)
    ends = np.array([short[0], *line.breakpoints, short[1]])
    moving = motion(module, from_torch(module, tuple(x.shape[1:]), fused=False), direction)
    assert (np.diff(ends) > 0).all()
    seen = []
    for a, b in itertools.pairwise(ends):
        first, last = (patterns(moving.at(a + share * (b - a)), x) for share in (0.1, 0.9))
        np.testing.assert_array_equal(first, last)
        seen.append(first)
    assert all((one != other).any() for one, other in itertools.pairwise(seen))
    changes = sum(int((one != other).sum()) for one, other in itertools.pairwise(seen))
    if name in ("dense", "leaky"):  # where members of a maximum tie, as zeros do, a forward pass names the first one
        assert changes == sum(line.flips.values())


def test_one_layer_agrees_with_exact_segments() -> None:
    """The engine of segments, with exact decisions, finds the same breakpoints."""
    module, direction, x, y = asked("dense", 6)
    step = direction["2.weight"]
    line = loss_line(module, {"2.weight": step}, x, y)
    z = torch.relu(module[0](x)).detach()
    middle = module[2](z).detach()
    batch = splinescope.tessellate_segments(module[3:], (middle - z @ step.T).numpy(), (middle + z @ step.T).numpy())
    inner = np.sort(np.concatenate([2 * one.breakpoints - 1 for one in batch]))
    np.testing.assert_allclose(line.breakpoints, inner, atol=1e-13)


def test_memory_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    module, direction, x, y = asked("convolutions", 3)
    expected = loss_line(module, direction, x, y, interval=(-0.1, 0.1))
    monkeypatch.setattr("splinescope.landscape.line.available_memory", lambda: 1 << 20)
    found = loss_line(module, direction, x, y, interval=(-0.1, 0.1))
    np.testing.assert_allclose(found.breakpoints, expected.breakpoints, atol=1e-14)
    assert found.minima == expected.minima


def squaring(shift: float) -> tuple[nn.Module, dict[str, list]]:
    """A ReLU of $(t - 1/4)^2 - shift$, and its line."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1), nn.ReLU()).double()
    net.load_state_dict(
        {"0.weight": torch.tensor([[-0.25]]), "1.weight": torch.tensor([[-0.25]]), "1.bias": torch.tensor([-shift])}
    )
    return net, {"0.weight": [[1.0]], "1.weight": [[1.0]]}


def test_roots_that_touch_and_roots_that_are_near() -> None:
    net, direction = squaring(0.0)
    line = loss_line(net, direction, [[1.0]], [[0.0]])
    assert len(line.breakpoints) == 0
    assert [m.t for m in line.minima] == pytest.approx([0.25], abs=1e-5)
    for width in (1e-3, 1e-6, 1e-7):
        net, direction = squaring(width**2)
        line = loss_line(net, direction, [[1.0]], [[0.0]])
        np.testing.assert_allclose(line.breakpoints, [0.25 - width, 0.25 + width], atol=1e-8)
        (minimum,) = line.minima
        assert minimum.value == pytest.approx(0.0, abs=1e-15)
        assert minimum.t == pytest.approx(0.25, abs=1e-8)  # the middle of where it is constant
        assert line.maxima == ()


def test_a_loss_that_is_constant_has_no_extrema() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU()).double()
    net.load_state_dict({"0.weight": torch.tensor([[0.0]]), "0.bias": torch.tensor([-9.0])})
    line = loss_line(net, {"0.weight": [[1.0]]}, [[1.0], [2.0]], [[1.0], [3.0]])
    assert len(line) == 1
    assert line.minima == line.maxima == ()
    assert line.global_minimum.value == 5.0


def test_gold_numbers_with_all_layers_moving() -> None:
    images, labels = mnist(100)
    module = formula_net([784, 200, 200, 10], 0, biases=False)
    rng, direction = np.random.default_rng(1), {}
    for layer in (0, 2, 4):
        weight = module[layer].weight.detach().numpy()
        step = rng.standard_normal(weight.shape)
        step *= np.linalg.norm(weight, axis=1, keepdims=True) / np.linalg.norm(step, axis=1, keepdims=True)
        direction[f"{layer}.weight"] = step
    line = loss_line(module, direction, images, labels)
    assert line.flips == {"1": 9554, "3": 13486}
    assert len(line) == 23041
    (minimum,) = line.minima
    assert minimum.t == pytest.approx(0.0429554447663286, rel=1e-12)
    assert minimum.value == pytest.approx(4.163364292273554, rel=1e-13)
    np.testing.assert_allclose(line.slopes(minimum.t), [-0.002812, 0.020517], atol=5e-7)
    assert float(line(0.0)) == pytest.approx(4.179695454758741, rel=1e-13)


def test_weights_in_float32_and_networks() -> None:
    module, direction, x, y = asked("dense")
    single = seeded(lambda: module).float()
    own = {key: step.float() for key, step in direction.items()}
    line = loss_line(single, own, x, y)
    double = {key: step.double() for key, step in own.items()}
    check_against_direct(line, single.double(), double, x, y)
    assert loss_line(splinescope.load(single), double, x, y).minima == line.minima


def test_tied_weights_move_together() -> None:
    layer = nn.Linear(3, 3).double()
    net = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(3, 1).double())
    step = {"0.weight": torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()}
    x, y = torch.randn(4, 3).double(), torch.zeros(4, 1).double()
    line = loss_line(net, step, x, y)
    assert line.degree == 2
    direct = functional_call(net, moved(net, step, 0.3), (x,)).square().sum(dim=1).mean().item()
    assert float(line(0.3)) == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("name", ["dense", "leaky", "convolutions", "residual"])
def test_cross_entropy_as_all_layers_move(name: str) -> None:
    """The loss is no polynomial and need not be convex between breakpoints; all of its extrema are found."""
    module, direction, x, y = asked(name)
    labels, step = y.argmax(dim=1), {key: 2 * value for key, value in direction.items()}
    line = loss_line(module, step, x, labels, "cross-entropy", (-0.7, 1.3))
    assert line.degree > 1
    check_against_direct(line, module, step, x, labels)
    check_extrema(line)
    assert line.doubts == 0
    t = np.linspace(-0.6, 1.2, 11)
    h = 1e-7
    direct = [
        (
            direct_loss(module, moved(module, step, v + h), x, labels, "cross-entropy")
            - direct_loss(module, moved(module, step, v - h), x, labels, "cross-entropy")
        ).item()
        / (2 * h)
        for v in t
    ]
    np.testing.assert_allclose(line.slopes(t).mean(axis=1), direct, rtol=1e-4, atol=1e-6)


def test_cross_entropy_where_it_vanishes() -> None:
    """Where all samples are right by far the slope is next to nothing, and still has its sign."""
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Identity(), nn.Linear(2, 2, bias=False)).double()
    net.load_state_dict({"0.weight": torch.tensor([[20.0], [-20.0]]), "2.weight": torch.eye(2)})
    step = {"0.weight": [[1.0], [-1.0]], "2.weight": [[0.5, 0.0], [0.0, 0.5]]}
    line = loss_line(net, step, [[1.0], [1.5]], [0, 0], "cross-entropy", (-1.0, 1.0))
    assert (line.minima, line.maxima, line.doubts) == ((), (), 0)  # (20 + t) (1 + t / 2) grows, and so the loss falls
    assert (line.slopes(np.linspace(-0.9, 0.9, 5)) < 0).all()
    assert 0 < float(line(0.5)) == pytest.approx(float(np.mean(np.exp([-2 * 20.5 * 1.25, -2 * 20.5 * 1.25 * 1.5]))))
    back = loss_line(net, step, [[1.0], [1.5]], [0, 0], "cross-entropy", (-30.0, 3.0))
    assert [round(one.t, 9) for one in back.maxima] == [-11.0]  # the product's least value


def test_signs_are_certified_or_counted() -> None:
    module, direction, x, y = asked("dense")
    assert loss_line(module, direction, x, y).certified
    net = nn.Sequential(nn.Linear(3, 1, bias=False), nn.ReLU()).double()
    net.load_state_dict(
        {"0.weight": torch.tensor([[0.1, 0.2, -0.3]], dtype=torch.float64)}
    )  # its sum is zero up to rounding
    line = loss_line(net, {"0.weight": [[0.0, 0.0, 1.0]]}, [[1.0, 1.0, 1.0]], [[1.0]], interval=(0.0, 1.0))
    assert (line.decided, line.undecided, line.certified) == (1, 0, True)
    assert len(line) == 1  # 0.1 + 0.2 - 0.3 is 2.8e-17 in the numbers that float64 has for them, and grows
    line = loss_line(net, {"0.weight": [[0.0, 0.0, 1.0]]}, [[1.0, 1.0, 1.0]], [[1.0]], interval=(-1.0, 1.0))
    assert line.certified  # a root inside is none of the ends
    assert line.breakpoints == pytest.approx([0.0], abs=1e-16)
    dead = loss_line(net, {"0.weight": [[0.0, 0.0, 1.0]]}, [[0.0, 0.0, 0.0]], [[1.0]])
    assert dead.certified  # zero in every number is no doubt


def test_bounds_hold_the_exact_coefficients() -> None:
    """Polynomials of a network, in rational numbers, are within the errors of those in float64."""
    module = formula_net([3, 5, 4, 2], 3)
    generator = torch.Generator().manual_seed(4)
    direction = {name: torch.randn(p.shape, generator=generator).double() for name, p in module.named_parameters()}
    x = torch.randn(3, 3, generator=generator).double()
    network = from_torch(module, (3,), fused=False)
    line = motion(module, network, direction)
    norms, seen = layer_norms(line), 0
    assert norms[1].linear == pytest.approx(float(module[0].weight.detach().abs().sum(dim=1).max()))
    exact = {name: fractions(p) for name, p in module.named_parameters()}
    steps = {name: fractions(step) for name, step in direction.items()}
    for part in propagated(line, x, (-1.0, 1.0), 1 << 20, FlipCounts(), LineArbiter(line, x, 4)):
        for row in range(len(part)):
            middle = (part.starts[row] + part.ends[row]) / 2
            sample = x[part.samples[row]]
            on = [value[0].numpy() > 0 for _, value in itertools.islice(_activations(line.at(middle), sample), 2)]
            z = [[Fraction(float(value)) for value in sample]]
            for layer in (0, 2, 4):
                weight, bias = exact[f"{layer}.weight"], exact[f"{layer}.bias"]
                moved_weight, moved_bias = steps[f"{layer}.weight"], steps[f"{layer}.bias"]
                out = [[Fraction(0)] * len(weight) for _ in range(len(z) + 1)]
                for u in range(len(weight)):
                    for k, power in enumerate(z):
                        out[k][u] += sum(w * v for w, v in zip(weight[u], power, strict=True))
                        out[k + 1][u] += sum(w * v for w, v in zip(moved_weight[u], power, strict=True))
                    out[0][u] += bias[u]
                    out[1][u] += moved_bias[u]
                if layer < 4:
                    out = [[v if on[layer // 2][u] else Fraction(0) for u, v in enumerate(power)] for power in out]
                z = out
            found, errors = part.values[network.output][row].numpy(), part.errors[network.output][row]
            for k, power in enumerate(z):
                for u, value in enumerate(power):
                    off = abs(Fraction(float(found[k, u])) - value)
                    assert off <= Fraction(float(errors[k]))
                    seen += off > 0
            assert errors.max() < 1e-12
    assert seen > 50  # float64 is not exact here


def fractions(values: torch.Tensor) -> list:
    """Numbers as rational ones, nested as a tensor is."""
    return [fractions(row) if row.ndim else Fraction(float(row)) for row in values.detach()]


def _activations(network: Network, sample: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Arguments of the folds, in order."""
    values = {index: value.clone() for index, value in walk(network, sample[None])}
    for index, node in enumerate(network.nodes):
        if node.fold is not None:
            yield index, values[node.inputs[0]]


def test_what_is_refused() -> None:
    module, direction, x, y = asked("dense")
    for step, match in (
        ({}, "got an empty one"), ({"9.weight": [1.0]}, "no parameter '9.weight'"),
        ({"0.weight": [[1.0]]}, "has the shape"), ({"0.bias": [0.0] * 7}, "all of its numbers are zero"),
        ({"0.bias": [np.nan] * 7}, "NaN"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=match):
            loss_line(module, step, x, y)
    with pytest.raises(InvalidInputError, match="`interval`"):
        loss_line(module, direction, x, y, interval=(1.0, 0.0))
    slope = nn.Sequential(nn.Linear(5, 4), nn.PReLU(), nn.Linear(4, 3)).double()
    with pytest.raises(InvalidInputError, match="is no weight or bias"):
        loss_line(slope, {"1.weight": [0.1]}, x, y)
    with pytest.raises(InvalidInputError, match="outside of the interval"):
        loss_line(module, direction, x, y)(2.0)


@given(st.lists(st.integers(-16, 16), min_size=2, max_size=6, unique=True))
def test_sign_changes_of_products(roots: list[int]) -> None:
    """Polynomials with given roots, simple ones and a double one, change their signs there and nowhere else."""
    places = np.sort(np.array(roots) / 16.0)
    coefficients = np.polynomial.polynomial.polyfromroots([*places, places[0], places[0]])
    powers, bernstein = np.empty(len(coefficients)), np.empty(len(coefficients))
    shifted(coefficients, -1.25, 2.5, powers)
    to_bernstein(powers, bernstein)
    found = np.empty(len(coefficients) + 1)
    start = first_sign(bernstein, 0.0, 1)
    count, after, _ = sign_changes(powers, start, 0.0, 0.0, found, np.empty((60, len(powers))), np.empty((60, 3)))
    assert after == 1
    np.testing.assert_allclose(-1.25 + 2.5 * found[:count], places, atol=1e-3)  # a triple root is known so well


@pytest.mark.parametrize("interval", [(0.0, 5.0), (-3.0, -1.0), (-0.7, 1.3)])
def test_nothing_cancels_at_the_parameters_given(interval: tuple[float, float]) -> None:
    """The loss is as exact near t = 0 as far away, where it is many powers of ten larger."""
    module, direction, x, y = asked("convolutions")
    line = loss_line(module, direction, x, y, interval=interval)
    check_against_direct(line, module, direction, x, y)
    check_extrema(line)


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_what_is_beyond_quadratics_is_bounded(loss: str) -> None:
    """Taylor polynomials in the middles of pieces, by values and slopes nearby, against the loss at the ends."""
    module, direction, x, y = asked("dense")
    wanted = y if loss == "squared" else y.argmax(dim=1)
    line = loss_line(module, direction, x, wanted, loss, (-0.3, 0.3))
    one = loss_line(module, {"2.weight": direction["2.weight"]}, x, wanted, loss)
    assert (one.remainder == 0) == (loss == "squared")
    ends = np.array([-0.3, *line.breakpoints, 0.3])
    middles, halves = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    bends = (line.slopes(middles + halves / 8) - line.slopes(middles - halves / 8))[:, 0] * 4 / halves
    worst = 0.0
    for side in (-0.999, 0.999):
        steps = side * halves
        taylor = line(middles) + line.slopes(middles)[:, 0] * steps + bends * steps**2 / 2
        worst = max(worst, np.abs(line(middles + steps) - taylor).max())
    assert 0.3 * worst < line.remainder
    assert line.remainder < (3.0 if loss == "squared" else 300.0) * worst
