"""Polyhedra with equalities: closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.preimage import polytope


def cube_rows(d: int) -> np.ndarray:
    identity, ones = np.eye(d), np.ones((d, 1))
    return np.vstack([np.hstack([identity, -ones]), np.hstack([-identity, 0 * ones])])


def simplex_rows(d: int) -> np.ndarray:
    return np.vstack([np.hstack([-np.eye(d), np.zeros((d, 1))]), np.append(np.ones(d), -1.0)])


@pytest.mark.parametrize("d", range(1, 7))
def test_volumes(d: int) -> None:
    box, simplex = polytope(cube_rows(d)), polytope(simplex_rows(d))
    assert box is not None
    assert simplex is not None
    assert box.measure == pytest.approx(1.0, abs=1e-12)
    assert simplex.measure == pytest.approx(1 / math.factorial(d), abs=1e-12)
    assert box.radius == pytest.approx(0.5)
    assert len(box.vertices) == 2**d


def test_flat_ones_have_their_own_dimension() -> None:
    diagonal = polytope(cube_rows(3), [[1.0, -1.0, 0.0, 0.0]])
    assert diagonal is not None
    assert (diagonal.dimension, diagonal.measure) == (2, pytest.approx(math.sqrt(2)))
    corner = polytope(np.vstack([cube_rows(3), [1.0, 1.0, 1.0, 0.0]]))
    assert corner is not None
    assert (corner.dimension, corner.radius, corner.measure) == (0, math.inf, 1.0)
    assert np.allclose(corner.witness, 0.0, atol=1e-8)
    edge = polytope(np.vstack([cube_rows(3), [1.0, 1.0, 0.0, 0.0]]))
    assert edge is not None
    assert (edge.dimension, edge.measure) == (1, pytest.approx(1.0))


def test_empty_ones() -> None:
    assert polytope([[1.0, 0.0], [-1.0, 1.0]]) is None
    assert polytope(cube_rows(2), [[1.0, 0.0, -2.0]]) is None
    assert polytope(cube_rows(2), [[0.0, 0.0, 1.0]]) is None
    assert polytope(cube_rows(2), [[0.0, 0.0, -1.0]]) is None
    assert polytope(cube_rows(2), [[1.0, 1.0, -1.0], [1.0, 1.0, -1.5]]) is None
    assert polytope(np.vstack([cube_rows(2), [0.0, 0.0, 1.0]])) is None
    assert polytope(cube_rows(2), [[0.0, 0.0, 0.0]]) is not None


def test_unbounded_ones() -> None:
    wedge = polytope(-np.eye(2, 3))
    assert wedge is not None
    assert math.isinf(wedge.radius)
    with pytest.raises(InvalidInputError, match="unbounded"):
        _ = wedge.vertices
    slab = polytope([[1.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.1, -1.0, -0.5]])
    assert slab is not None
    with pytest.raises(InvalidInputError, match="unbounded"):
        slab.sample(3, np.random.default_rng(0))
    assert wedge.bounds().tolist() == [[0.0, 0.0], [math.inf, math.inf]]


@pytest.mark.parametrize("d", [1, 2, 4, 8])
def test_samples_are_uniform(d: int) -> None:
    shape = polytope(simplex_rows(d))
    assert shape is not None
    points = shape.sample(4000, np.random.default_rng(0))
    assert shape.contains(points).all()
    # coordinates of uniform points of the simplex are Dirichlet with mean 1 / (d + 1)
    deviation = math.sqrt(d / ((d + 1) ** 2 * (d + 2)) / 4000)
    assert np.abs(points.mean(axis=0) - 1 / (d + 1)).max() < 5 * deviation


def test_spare_half_spaces_go() -> None:
    rows = np.vstack([cube_rows(2), [1.0, 1.0, -3.0], [1.0, 0.0, -1.5]])
    shape = polytope(rows)
    assert shape is not None
    assert len(shape.irredundant().halfspaces) == 4


def test_cuts() -> None:
    shape = polytope(cube_rows(3))
    assert shape is not None
    half = shape.cut([[1.0, 1.0, 1.0, -1.0]])
    assert half is not None
    assert half.measure == pytest.approx(1 / 6)
    assert shape.cut([[1.0, 0.0, 0.0, 0.5]]) is None
