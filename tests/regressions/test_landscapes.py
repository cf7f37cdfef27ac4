"""Lines and planes of the loss, found by an attack with exact rationals: bumps over a chord, and valleys of minima."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from splinescope.errors import InvalidInputError
from splinescope.landscape import LossLine, hessian, loss_line, loss_plane, random_plane


def square() -> nn.Module:
    """Its output is t squared where both of its weights are t."""
    module = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU(), nn.Linear(1, 1, bias=False)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module


def test_a_barrier_is_where_the_loss_is_farthest_above_the_chord() -> None:
    """The loss is (t² - 2)², and its chord on [0, 1] is 4 - 3t: there is no maximum between."""
    one = torch.ones(1, 1, dtype=torch.float64)
    line = loss_line(square(), {"0.weight": one, "2.weight": one}, one, 2 * one, interval=(0.0, 1.0))
    roots = np.roots([4.0, 0.0, -8.0, 3.0])
    t = float(roots[(roots > 0) & (roots < 1)][0].real)
    assert line.maxima == ()
    assert line.barrier == pytest.approx((t * t - 2) ** 2 - 4 + 3 * t, rel=1e-14)


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_barriers_beside_many_places(loss: str) -> None:
    for seed in range(12):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
        direction = {name: 2 * torch.randn_like(p) for name, p in module.named_parameters() if "weight" in name}
        inputs, labels = torch.randn(4, 2).double(), torch.randint(0, 3, (4,))
        line = loss_line(module, direction, inputs, labels, loss=loss, interval=(-1.0, 0.7))
        t = np.linspace(-1.0, 0.7, 4001)
        seen = line(t)
        excess = (seen - seen[0] - (seen[-1] - seen[0]) * (t + 1) / 1.7).max()
        assert excess - 1e-12 <= line.barrier <= excess + 1e-4 * max(1.0, float(np.abs(seen).max()))


def test_a_valley_through_the_window_is_a_minimum() -> None:
    """The loss is (u + 2v - 1/4)², on one cell."""
    module = nn.Sequential(nn.Linear(2, 1, bias=False)).double()
    module[0].weight.data.zero_()
    plane = loss_plane(module, "0", ([[1.0, 0.0]], [[0.0, 1.0]]), [[1.0, 2.0]], [[0.25]])
    (found,) = plane.minima
    assert found.kind == "cell"
    assert found.value == pytest.approx(0, abs=1e-30)
    assert found.point[0] + 2 * found.point[1] == pytest.approx(0.25)


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_a_constant_loss_has_a_minimum_inside(loss: str) -> None:
    """All units sleep in the window."""
    module = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    values = ([[1.0], [-2.0]], [0.0, -1.0], [[0.0, -1.0], [0.0, 1.0]], [-2.0, 1.0])
    for parameter, given in zip(module.parameters(), values, strict=True):
        parameter.data = torch.tensor(given, dtype=torch.float64)
    plane = loss_plane(module, "0", ([[-1.0], [1.0]], [[0.0], [-1.0]]), [[1.0]], torch.tensor([1]), loss=loss)
    (found,) = plane.minima
    assert found.kind == "cell"
    assert found.value == pytest.approx(4.0 if loss == "squared" else np.log1p(np.exp(-3.0)))


def test_minima_of_integer_planes_are_minima() -> None:
    """Flat cells, valleys and cells of no size among them; each is the least around, and the least inside is listed."""
    around = 1e-5 * np.random.default_rng(0).uniform(-1, 1, (100, 2))
    grid = np.stack(np.meshgrid(*[np.linspace(-0.99, 0.99, 67)] * 2), axis=-1).reshape(-1, 2)
    for seed in (0, 3, 9, 20, 31, 44):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).double()
        inputs, targets = torch.randint(-2, 3, (3, 2)).double(), torch.randn(3, 2).double()
        ways = [torch.randint(-2, 3, (4, 2)).double() for _ in range(2)]
        plane = loss_plane(module, "0", ways, inputs, targets)
        for found in plane.minima:
            near = np.clip(np.array(found.point) + around, -1, 1)
            assert plane(near).min() >= found.value * (1 - 1e-11)
        if plane.minima:
            assert plane(grid).min() >= plane.global_minimum.value * (1 - 1e-12)


def random_plane_of_samples(seed: int, number: int) -> tuple[nn.Module, str, list[np.ndarray], list[np.ndarray], float]:
    """A small network, a layer, two directions of it, inputs and targets, and half the width of the window."""
    rng = np.random.default_rng([seed, number])
    torch.manual_seed(int(rng.integers(1e9)))
    first, second, last = nn.Linear(2, 4), nn.Linear(4, 3), nn.Linear(3, 3)
    module = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last).double()
    layer = str(rng.choice(["0", "2", "4"]))
    samples = int(rng.integers(1, 8))
    x, y = rng.normal(size=(samples, 2)), rng.integers(0, 3, samples)
    if rng.random() < 0.3:
        y = torch.softmax(torch.randn(samples, 3).double(), 1).numpy()
    shape = tuple(module.get_submodule(layer).weight.shape)
    directions = [rng.normal(size=shape) for _ in range(2)]
    if rng.random() < 0.3 and layer == "4":
        directions[1] = np.tile(rng.normal(size=(1, 3)), (3, 1))
    return module, layer, directions, [x, y], float(rng.choice([0.5, 1, 3]))


@pytest.mark.parametrize(
    ("seed", "number", "value"),
    [(2, 530, 1.165914728185693), (2, 696, 1.0972288545329485), (3, 655, 0.9659638925888319)],
    ids=["a valley beside a sleeping sample", "steps that a side stopped", "steps that a side stopped again"],
)
def test_minima_of_cross_entropy_that_were_missed(seed: int, number: int, value: float) -> None:
    """The values are those of Nelder and Mead's method in forward passes."""
    module, layer, directions, (x, y), extent = random_plane_of_samples(seed, number)
    found = loss_plane(module, layer, directions, x, y, "cross-entropy", extent=extent).minima
    assert min(abs(minimum.value - value) for minimum in found) < 1e-9
    wanted = torch.from_numpy(y)
    angles = np.linspace(0, 2 * np.pi, 1000)
    around = 1e-6 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for minimum in found:
        losses = []
        for u in np.array(minimum.point) + np.concatenate([[[0.0, 0.0]], around]):
            moved = sum(t * torch.from_numpy(d) for t, d in zip(u, directions, strict=True))
            weight = module.get_submodule(layer).weight + moved
            outputs = functional_call(module, {f"{layer}.weight": weight}, (torch.from_numpy(x),))
            losses.append(float(nn.functional.cross_entropy(outputs, wanted).detach()))
        assert min(losses) >= losses[0] - 1e-14


def test_where_many_folds_meet_is_one_place() -> None:
    """Rounding leaves several vertices there, some roundings apart; each cell beside any of them has a say."""
    module = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    numbers = (
        [[2.0, 2.0], [0.0, -1.0], [-2.0, -2.0]],
        [[-1.0, -1.0, 0.0], [2.0, 0.0, -2.0], [-2.0, 1.0, 1.0]],
        [2.0, 1.0, 1.0],
        [[2.0, -1.0, 1.0], [-2.0, 0.0, 0.0]],
        [-1.0, 2.0],
    )
    for parameter, value in zip(module.parameters(), numbers, strict=True):
        parameter.data = torch.tensor(value, dtype=torch.float64)
    steps = (
        [[-2.00090924, -0.70753958], [1.82692609, 0.47390174], [-0.64201622, -0.59180012]],
        [[-0.99401981, 0.35488129], [0.30347574, 1.77088254], [-0.22292404, 1.12392361]],
    )
    inputs, targets = [[0, 2], [2, 2], [-1, 1], [-1, -2]], [[1, 0], [-2, -1], [0, -2], [1, -1]]
    plane = loss_plane(module, "0", steps, np.array(inputs, float), np.array(targets, float), extent=1.0)
    angles = np.linspace(0, 2 * np.pi, 181)
    around = 1e-5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for minimum in plane.minima:
        assert plane(np.array(minimum.point) + around).min() >= minimum.value * (1 - 1e-13)


def scaled(first: list[float], wanted: float, interval: tuple[float, float]) -> LossLine:
    """The loss where the weights of two layers are (1 + t) times those given."""
    module = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    module[0].weight.data = torch.tensor(first, dtype=torch.float64)[:, None]
    module[2].weight.data = torch.ones(1, 2, dtype=torch.float64)
    direction = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    return loss_line(module, direction, [[1.0]], [[wanted]], interval=interval)


@pytest.mark.parametrize("half", [1.5, 2.0, 3.0, 5.0, 10.0])
def test_no_bump_at_a_breakpoint_that_is_rounded(half: float) -> None:
    """(1 + t)² - 2 and -(1 + t)² - 2 squared meet at -1 with slope 0, and -1/3 is no float64 number."""
    line = scaled([1.0, -1.0], 2.0, (-half, half))
    assert line.maxima == ()
    assert [minimum.t for minimum in line.minima] == pytest.approx([np.sqrt(2) - 1])


@pytest.mark.parametrize("half", [1e2, 1e4, 1e6, 1e8])
def test_places_on_long_intervals(half: float) -> None:
    """The second unit is a b t² + (c - 2 a) t - 1 for t < 0, its output wanted to be 1."""
    a, b, c = 0.1365661096247878, 0.8960934813215755, 0.049482884197139164
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    for parameter, value in zip(module.parameters(), (0.0, 0.0, 2.0, -1.0, 1.0, 0.0), strict=True):
        parameter.data.fill_(value)
    direction = {"0.bias": [-a], "2.weight": [[-b]], "2.bias": [c]}
    line = loss_line(module, direction, [[1.0]], [[1.0]], interval=(-half, half))
    fold, least = (np.roots([a * b, c - 2 * a, rest]).min() for rest in (-1.0, -2.0))
    assert line.breakpoints[0] == pytest.approx(fold, abs=1e-15 * half)
    assert line.minima[0].t == pytest.approx(least, abs=1e-15 * half)
    assert line.minima[0].value == pytest.approx(0.0, abs=1e-12)


def test_a_valley_of_zeros_beside_large_values() -> None:
    """The loss is (a + b u)² with one zero line, of which float64 finds 2e-17 at one end and 1e-18 at the other."""
    rng = np.random.default_rng(818)
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    for parameter in module.parameters():
        parameter.data = torch.tensor(rng.normal(size=tuple(parameter.shape)))
    x, target = rng.normal(size=(1, 2)), np.array([[rng.normal()]])
    (found,) = loss_plane(module, "2", [rng.normal(size=(1, 3)) for _ in range(2)], x, target).minima
    assert found.value == pytest.approx(0.0, abs=1e-15)


def test_directions_of_all_parameters_may_be_zero_for_some() -> None:
    """A slope that is learned can't move on a line; it is in the directions that are drawn, with zeros."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.PReLU(), nn.Linear(3, 2)).double()
    direction = random_plane(module, dimension=1).directions[0]
    assert not direction["1.weight"].any()
    line = loss_line(module, direction, torch.randn(3, 2).double(), torch.tensor([0, 1, 0]))
    assert line.deviation < 1e-12
    with pytest.raises(InvalidInputError, match=r"'1\.weight' is no weight or bias"):
        loss_line(module, {"1.weight": [1.0]}, torch.randn(3, 2).double(), torch.tensor([0, 1, 0]))


@pytest.mark.parametrize("targets", [torch.tensor([0, 1, 5]), torch.zeros(2, 3), torch.tensor([0, 1])])
def test_targets_that_do_not_fit_are_named(targets: torch.Tensor) -> None:
    module = nn.Linear(4, 3)
    with pytest.raises(InvalidInputError, match="`data`"):
        hessian(module, "cross-entropy", (torch.randn(3, 4), targets)).trace()
