"""Three dimensions of latents: bounds from both sides that never cross, published ones, and flat images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.riemannian import geodesic
from splinescope.riemannian.quadratic import PAIRS, corner_gradients
from splinescope.riemannian.solids import Solid
from splinescope.riemannian.steiner import _faces
from tests.generative.nets import cells_of, formula_net
from tests.seeds import seeds


@pytest.mark.slow
def test_gold() -> None:
    """The bounds are between the published ones, 3.5237 and 3.5499."""
    path = geodesic(cells_of(formula_net([3, 8, 8, 5], 0), 3), [-0.9, -0.8, -0.7], [0.8, 0.9, 0.7])
    assert path.length <= 3.5499
    assert path.network_length == pytest.approx(path.length, rel=1e-12)
    assert 3.5237 <= path.lower_bound <= path.length
    assert path.gap < 0.0045
    middles = (path.points[1:] + path.points[:-1]) / 2
    owners = path.cells_of_space.locate(middles)
    assert (owners == path.cells).mean() > 0.8  # others lie on facets, and have the same length there


@pytest.mark.parametrize("seed", seeds([0], range(1, 6)))
def test_bounds_do_not_cross(seed: int) -> None:
    cells = cells_of(formula_net([3, 4, 3, 4], seed), 3)
    a, b = np.random.default_rng(seed).uniform(-0.9, 0.9, (2, 3))
    path = geodesic(cells, a, b)
    low = Solid.of(cells, [a, b]).proved(rounds=3).bound
    assert low <= path.length * (1 + 1e-9)
    assert path.length <= path.straight_length * (1 + 1e-6)
    assert path.network_length == pytest.approx(path.length, rel=1e-9)
    np.testing.assert_allclose(path.points[[0, -1]], [a, b])


def test_flat_images() -> None:
    """A bent sheet of space is flat: both bounds are the straight length of the image."""

    class Bent(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.cat([z, z[:, :1].abs()], dim=1)

    a, b = np.array([-0.5, 0.2, 0.1]), np.array([0.6, -0.4, 0.5])
    path = geodesic(cells_of(Bent(), 3), a, b)
    expected = np.linalg.norm(np.array([np.sqrt(2), 1.0, 1.0]) * (b - a))
    assert path.length == pytest.approx(expected, rel=1e-6)
    assert path.lower_bound == pytest.approx(expected, rel=1e-2)


def test_gradients_of_quadratic_functions() -> None:
    """At the corners, by automatic differentiation of a polynomial; in between they are no steeper."""
    rng = np.random.default_rng(0)
    points, corners = rng.normal(size=(5, 3)), np.array([[0, 1, 2, 3], [1, 2, 3, 4]])
    polynomial = torch.from_numpy(rng.normal(size=(3, 3)))

    def f(x: Tensor) -> Tensor:
        return x @ polynomial @ x

    steps = points[corners[:, 1:]] - points[corners[:, :1]]
    inverse = np.linalg.inv(steps)
    slopes = np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2)
    plain, bent = corner_gradients(corners, slopes, np.array([True, True]), 5)
    values = np.array([float(f(torch.from_numpy(point))) for point in points])
    ends = np.unique(np.sort(corners[:, PAIRS].reshape(-1, 2), axis=1), axis=0)
    middles = [float(f(torch.from_numpy(points[pair].mean(axis=0)))) for pair in ends]
    edges = np.array(middles) - values[ends].mean(axis=1)
    found = np.stack([one @ values + other @ edges for one, other in zip(plain, bent, strict=True)], axis=1)
    expected = [torch.func.grad(f)(torch.from_numpy(points[v])).numpy() for v in corners.ravel()]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    straight = corner_gradients(corners, slopes, np.array([True, False]), 5)[1]
    assert straight[0].shape[1] == 3  # edges that the second tetrahedron does not have


def test_flattened_cells_cost_nothing_and_bind() -> None:
    """A ReLU of space: seven of eight octants are flattened, and the distance is known."""
    cells = cells_of(nn.ReLU(), 3)
    path = geodesic(cells, [-0.5, 0.5, 0.2], [0.5, -0.5, 0.2])
    assert path.length == pytest.approx(np.sqrt(0.5), rel=1e-4)
    assert 0.0 <= path.lower_bound <= path.length
    assert path.lower_bound >= 0.9 * path.length
    nothing = geodesic(cells, [-0.5, -0.5, -0.5], [-0.2, -0.6, -0.1])
    assert nothing.length == pytest.approx(0.0, abs=1e-12)
    assert nothing.lower_bound == pytest.approx(0.0, abs=1e-12)


def test_no_path_is_longer_than_the_straight_line() -> None:
    """Two outputs flatten all cells: points of a lattice do not lie on the lines along which nothing changes."""
    cells = splinescope.tessellate(formula_net([3, 3, 3, 2], 73784), splinescope.Box([-1.0] * 3, [1.0, 0.5, 2.0]))
    a, b = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 3))
    path = geodesic(cells, a, b)
    assert path.chord <= path.length <= path.straight_length * (1 + 1e-9)
    assert path.network_length == pytest.approx(path.length, rel=1e-9)


def test_refusals() -> None:
    cells = cells_of(formula_net([3, 3, 2], 0), 3)
    with pytest.raises(InvalidInputError, match=r"`a`: got shape \(2,\); expected 3 coordinates"):
        geodesic(cells, [0, 0], [0, 0, 0])
    with pytest.raises(InvalidInputError, match="is not in the domain"):
        geodesic(cells, [0, 0, 0], [0, 0, 3])


def test_cells_without_volume_keep_their_place() -> None:
    """A cell so thin that its volume is rounded to zero is still between its neighbours: no face is left alone."""
    cells = splinescope.tessellate(formula_net([3, 3, 3, 2], 73784), splinescope.Box([-1.0] * 3, [1.0, 0.5, 2.0]))
    solid = Solid.of(cells, [np.zeros(3), np.full(3, 0.1)])
    faces, sides = _faces(solid)
    alone = solid.points[faces[np.bincount(sides.ravel()) == 1]]
    low, high = np.array([-1.0, -1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    on_border = (np.abs(alone - low) < 1e-9).all(axis=1) | (np.abs(alone - high) < 1e-9).all(axis=1)
    assert on_border.any(axis=1).all()
