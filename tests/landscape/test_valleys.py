"""Minima of cross-entropy on planes of parameters where they are lines: constructions whose valleys are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from splinescope.landscape import LossPlane, loss_plane
from tests.landscape.nets import direct_loss, formula_net

WINDOW = ((-1.0, 0.5), (-0.7, 0.9))


def head(seed: int) -> tuple[nn.Module, np.ndarray, np.ndarray, list[np.ndarray]]:
    """A network, inputs, labels, and directions of its last layer: an equal shift of all outputs, and a step."""
    rng = np.random.default_rng(seed)
    module = formula_net([3, 5, 3], seed)
    x, labels = rng.normal(size=(6, 3)), np.array([0, 1, 2, 2, 1, 0])
    return module, x, labels, [np.ones((3, 1)) * rng.normal(size=(1, 5)), rng.normal(size=(3, 5))]


def loss_at(
    module: nn.Module, layer: str, steps: list[np.ndarray], u: np.ndarray, x: np.ndarray, y: np.ndarray
) -> float:
    weight = module.get_submodule(layer).weight.detach()
    moved = weight + sum(float(c) * torch.tensor(step) for c, step in zip(u, steps, strict=True))
    return direct_loss(module, {f"{layer}.weight": moved}, torch.tensor(x), torch.tensor(y), "cross-entropy").item()


def least(function, low: float, high: float) -> float:
    """Where a convex function of one variable is least inside, by its slope."""
    h = 1e-6
    return brentq(lambda t: function(t + h) - function(t - h), low, high, xtol=1e-13)


def test_a_shift_of_all_outputs_is_a_valley() -> None:
    """The loss does not depend on the first coordinate: its minima are one line through the window."""
    module, x, labels, steps = head(2)
    plane = loss_plane(module, "2", steps, x, labels, "cross-entropy", extent=WINDOW)
    best = least(lambda v: loss_at(module, "2", steps, np.array([0.0, v]), x, labels), *WINDOW[1])
    (found,) = plane.minima
    assert found.kind == "cell"
    assert found.point == pytest.approx((-0.25, best), abs=1e-6)
    assert plane.global_minimum == found
    assert found.value == pytest.approx(loss_at(module, "2", steps, np.array([0.3, best]), x, labels), rel=1e-12)


def test_a_valley_in_any_direction() -> None:
    """With the second step half of the first one and a shift, the loss is a function of u + v / 2."""
    module, x, labels, (shift, step) = head(1)
    steps = [step, 0.5 * step + shift]
    plane = loss_plane(module, "2", steps, x, labels, "cross-entropy", extent=WINDOW)
    at = least(lambda u: loss_at(module, "2", steps, np.array([u, 0.0]), x, labels), -0.8, 0.8)
    (found,) = plane.minima
    low, high = (np.clip((at - u) * 2, -0.7, 0.9) for u in (0.5, -1.0))  # where the line enters and leaves the window
    middle = (low + high) / 2
    assert found.kind == "cell"
    assert found.point == pytest.approx((at - middle / 2, middle), abs=1e-6)


def crossing() -> tuple[nn.Module, list[np.ndarray], np.ndarray]:
    """Two units, the first of which moves all outputs by the same, and planes whose folds are a grid."""
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 3, bias=False)).double()
    net.load_state_dict(
        {
            "0.weight": torch.zeros(2, 2),
            "0.bias": torch.tensor([0.1, 0.2]),
            "2.weight": torch.tensor([[1.0, 2.0], [1.0, 0.5], [1.0, -1.0]]),
        }
    )
    steps = [np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])]
    return net, steps, np.array([[1.0, 1.0], [-0.5, -2.0], [0.5, 0.75]])


def columns(plane: LossPlane) -> np.ndarray:
    """Where folds of the first unit cut the window, its ends included."""
    return np.array([WINDOW[0][0], *sorted(u for u in (-0.1, 0.2, -0.2) if WINDOW[0][0] < u < WINDOW[0][1]), 0.5])


@pytest.mark.parametrize("kink", [False, True])
def test_a_valley_through_many_cells_is_a_minimum_of_each(kink: bool) -> None:
    net, steps, x = crossing()
    labels = np.array([0, 2, 2] if kink else [1, 1, 0])
    plane = loss_plane(net, "0", steps, x, labels, "cross-entropy", extent=WINDOW)
    folds = np.array([-0.2, 0.1, -0.2 / 0.75])
    v = np.append(np.linspace(*WINDOW[1], 401), folds)
    values = [loss_at(net, "0", steps, np.array([0.0, w]), x, labels) for w in v]
    best = float(v[np.argmin(values)])
    lowest = [m for m in plane.minima if m.value < min(values) + 1e-6]
    cuts = columns(plane)
    assert sorted(m.point[0] for m in lowest) == pytest.approx(((cuts[1:] + cuts[:-1]) / 2).tolist())
    assert [m.point[1] for m in lowest] == pytest.approx([best] * 4, abs=4e-3)
    on_fold = min(abs(folds - best)) < 1e-12
    assert {m.kind for m in lowest} == {"side" if on_fold else "cell"}
    assert on_fold == kink


def test_a_narrow_minimum_is_no_valley() -> None:
    """Steps of lengths that are ten million apart: one point, not the middle of a line."""
    net = nn.Sequential(nn.Linear(2, 2, bias=False)).double()
    net[0].weight.data.zero_()
    steps = [np.array([[300.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 3e-5], [0.0, 0.0]])]
    p = 1 / (1 + np.exp(-np.array([300.0 * 0.01, 3e-5 * 0.3])))
    plane = loss_plane(net, "0", steps, np.eye(2), np.stack([p, 1 - p], axis=1), "cross-entropy", extent=WINDOW)
    (found,) = plane.minima
    assert found.kind == "cell"
    assert found.point[0] == pytest.approx(0.01, abs=1e-6)
    assert found.point[1] == pytest.approx(0.3, abs=0.05)


def test_a_step_that_only_shifts_leaves_a_constant_loss() -> None:
    """Both directions shift all outputs by the same; the slopes of the outputs are equal but for rounding."""
    module, x, labels, (shift, _) = head(2)
    other = np.ones((3, 1)) * np.random.default_rng(9).normal(size=(1, 5))
    plane = loss_plane(module, "2", [shift, other], x, labels, "cross-entropy", extent=WINDOW)
    (found,) = plane.minima
    assert (found.kind, found.value) == ("cell", pytest.approx(loss_at(module, "2", [shift], np.zeros(1), x, labels)))


def test_minima_of_integer_planes_are_minima() -> None:
    """Flat cells, valleys and cells of no size among them; each is the least around, and the least inside is listed."""
    around = 1e-5 * np.random.default_rng(0).uniform(-1, 1, (100, 2))
    grid = np.stack(np.meshgrid(*[np.linspace(-0.99, 0.99, 67)] * 2), axis=-1).reshape(-1, 2)
    valleys = 0
    for seed in (0, 3, 9, 20):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).double()
        inputs, targets = torch.randint(-2, 3, (3, 2)).double(), torch.softmax(torch.randn(3, 2).double(), dim=1)
        ways = [torch.randint(-2, 3, (4, 2)).double() for _ in range(2)]
        plane = loss_plane(module, "0", ways, inputs, targets, "cross-entropy")
        for found in plane.minima:
            near = np.clip(np.array(found.point) + around, -1, 1)
            assert plane(near).min() >= found.value * (1 - 1e-11)
        valleys += sum(m.kind == "cell" for m in plane.minima)
        if plane.minima:
            assert plane(grid).min() >= plane.global_minimum.value * (1 - 1e-12)
    assert valleys > 0
