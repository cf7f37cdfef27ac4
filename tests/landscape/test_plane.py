"""The exact loss on planes of one layer's parameters, against direct evaluation and a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.landscape import layer_hessian, loss_line, loss_plane
from tests.landscape.nets import Residual, Shared, conv_net, direct_loss, formula_net, seeded, up_net

CASES = {
    "first": (lambda: formula_net([5, 7, 6, 3], 1), (5,), "0"),
    "second": (lambda: formula_net([5, 7, 6, 3], 1), (5,), "2"),
    "skip": (Residual, (5,), "inner"),
    "before-skip": (Residual, (5,), "first"),
    "convolution": (conv_net, (2, 12, 12), "4"),
    "shared": (Shared, (3, 4), "rows"),
    "transposed": (up_net, (3,), "0"),
}


def asked(name: str, samples: int = 4) -> tuple[nn.Module, str, list[torch.Tensor], torch.Tensor, torch.Tensor]:
    build, shape, layer = CASES[name]
    module = seeded(build, 1)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(samples, *shape, generator=generator, dtype=torch.float64)
    weight = module.get_submodule(layer).weight
    directions = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for _ in range(2)]
    y = module(x).detach() + 0.3 * torch.randn(module(x).shape, generator=generator, dtype=torch.float64)
    return module, layer, directions, x, y


def direct(name: str, points: np.ndarray) -> np.ndarray:
    module, layer, (one, other), x, y = asked(name)
    weight = module.get_submodule(layer).weight.detach()
    moved = [{f"{layer}.weight": weight + u * one + v * other} for u, v in points.tolist()]
    return np.array([direct_loss(module, parameters, x, y, "squared").item() for parameters in moved])


@pytest.mark.parametrize("name", CASES)
def test_plane_is_the_loss(name: str) -> None:
    module, layer, directions, x, y = asked(name)
    window = ((-0.4, 0.6), (-0.5, 0.5))
    plane = loss_plane(module, layer, directions, x, y, extent=window, verify="proof")
    assert len(plane) > 5
    points = np.random.default_rng(0).uniform([-0.4, -0.5], [0.6, 0.5], (200, 2))
    np.testing.assert_allclose(plane(points), direct(name, points), rtol=1e-11)
    assert plane.deviation < 1e-12
    assert (plane.eigenvalues > -1e-12).all()
    assert np.isnan(plane([[3.0, 0.0]])).all()

    least = plane.global_minimum
    assert direct(name, np.array([least.point]))[0] == pytest.approx(least.value, rel=1e-11)
    assert least.value <= plane(points).min() + 1e-12
    axes = np.linspace(-0.399, 0.599, 120), np.linspace(-0.499, 0.499, 120)
    grid = plane(np.stack(np.meshgrid(*axes, indexing="ij"), axis=2)).reshape(120, 120)
    inner = grid[1:-1, 1:-1]
    around = [np.roll(grid, (i, j), (0, 1))[1:-1, 1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    seen = np.argwhere((inner < np.min(around, axis=0)) & (inner < grid.min() + 0.2 * np.ptp(grid)))
    found = np.array([minimum.point for minimum in plane.minima]).reshape(-1, 2)
    if name != "before-skip":  # its valleys are narrower than the grid, so that the grid has minima of its own
        for i, j in seen:
            place = np.array([axes[0][i + 1], axes[1][j + 1]])
            assert np.abs(found - place).max(axis=1).min() < 0.05
    for minimum in plane.minima:
        near = np.array(minimum.point) + 1e-5 * np.random.default_rng(1).standard_normal((50, 2))
        assert (direct(name, near) >= minimum.value * (1 - 1e-11)).all()


def test_plane_agrees_with_line_and_block() -> None:
    module, layer, directions, x, y = asked("second")
    plane = loss_plane(module, layer, directions, x, y, extent=0.5)
    line = loss_line(module, {f"{layer}.weight": directions[0]}, x, y, interval=(-0.5, 0.5))
    t = np.linspace(-0.49, 0.49, 33)
    np.testing.assert_allclose(plane(np.column_stack([t, 0 * t])), line(t), rtol=1e-11)
    block = layer_hessian(module, layer, x, y)
    own = np.stack([step.reshape(-1).numpy() for step in directions])
    here = plane.hessians[plane.cells.locate([[0.0, 0.0]])[0]]
    np.testing.assert_allclose(here, own @ (block @ own.T), rtol=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_minima_on_folds_and_in_corners(shift: float) -> None:
    r"""$|u - s| + |v - s|$ has its minimum where two folds meet, and with one unit fixed on a fold."""
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    net.load_state_dict(
        {"0.weight": torch.zeros(2, 2), "0.bias": torch.full((2,), -shift), "2.weight": torch.ones(1, 2)}
    )
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double()
    corner = loss_plane(net, "0", ([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]), x, [[-1.0], [-1.0]])
    points = [minimum for minimum in corner.minima if minimum.kind == "corner"]
    assert corner.global_minimum.value == pytest.approx(1.0)
    if shift == 0.0:
        assert [minimum.point for minimum in points] == [(0.0, 0.0)]
        assert len(corner.minima) == 1


def test_truncated_and_refused() -> None:
    module, layer, directions, x, y = asked("second")
    small = loss_plane(module, layer, directions, x, y, max_cells=10)
    assert small.cells.truncated
    assert np.isfinite(small([[0.0, 0.0]])).all()
    with pytest.raises(InvalidInputError, match="`directions`: got 1"):
        loss_plane(module, layer, directions[:1], x, y)
    with pytest.raises(InvalidInputError, match=r"`directions`.*shape"):
        loss_plane(module, layer, [directions[0], [1.0]], x, y)
    with pytest.raises(InvalidInputError, match="`extent`"):
        loss_plane(module, layer, directions, x, y, extent=-1.0)


@pytest.mark.parametrize("name", ["second", "skip", "convolution"])
def test_plane_of_cross_entropy(name: str) -> None:
    """Values by direct evaluation; minima by their neighbourhoods, by a grid, and by a line through the plane."""
    module, layer, directions, x, _ = asked(name, samples=5)
    y = torch.tensor([0, 1, 2, 1, 0])
    plane = loss_plane(module, layer, directions, x, y, "cross-entropy", extent=0.8)
    weight = module.get_submodule(layer).weight.detach()

    def at(points: np.ndarray) -> np.ndarray:
        moved = [{f"{layer}.weight": weight + u * directions[0] + v * directions[1]} for u, v in points.tolist()]
        return np.array([direct_loss(module, parameters, x, y, "cross-entropy").item() for parameters in moved])

    points = np.random.default_rng(0).uniform(-0.8, 0.8, (150, 2))
    np.testing.assert_allclose(plane(points), at(points), rtol=1e-11)
    assert plane.deviation < 1e-11
    some = np.arange(0, len(plane), max(1, len(plane) // 40))
    np.testing.assert_allclose(plane.values[some], at(plane.cells.interior_points[some]), rtol=1e-11)
    for cell in some:  # derivatives at interior points, by differences within the cell
        centre, h = plane.cells.interior_points[cell], 1e-5
        near = centre + h * np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]])
        if (plane.cells.locate(near) != cell).any():
            continue
        a, b, c, d, e, f = at(near)
        assert plane.gradients[cell] == pytest.approx([(a - b) / (2 * h), (c - d) / (2 * h)], rel=1e-5, abs=1e-7)
        middle = at(centre[None])[0]
        mixed = (e + f - a - b - c - d + 2 * middle) / (2 * h * h)
        assert plane.hessians[cell, 0, 1] == pytest.approx(mixed, rel=1e-2, abs=1e-4)
    least = plane.global_minimum
    assert at(np.array([least.point]))[0] == pytest.approx(least.value, rel=1e-11)
    axes = np.linspace(-0.799, 0.799, 60)
    grid = plane(np.stack(np.meshgrid(axes, axes, indexing="ij"), axis=2).reshape(-1, 2))
    assert least.value <= grid.min() + 1e-12
    for minimum in plane.minima:
        near = np.array(minimum.point) + 1e-5 * np.random.default_rng(1).standard_normal((50, 2))
        assert (at(near) >= minimum.value * (1 - 1e-10)).all()
    line = loss_line(module, {f"{layer}.weight": directions[0]}, x, y, "cross-entropy", (-0.79, 0.79))
    t = np.linspace(-0.78, 0.78, 33)
    np.testing.assert_allclose(plane(np.column_stack([t, 0 * t])), line(t), rtol=1e-11)
    assert least.value <= line.global_minimum.value + 1e-12
