"""Projections to polyhedra and nearest segments, against other solvers and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from splinescope.complexity.distances.nearest_segments import nearest_segments
from splinescope.complexity.distances.projection import project


def polyhedron(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random half-spaces, sometimes with an equality, empty in a third of the cases."""
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 6)), int(rng.integers(1, 40))
    normals = rng.normal(size=(m, d))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    offsets = 0.7 * rng.normal(size=m) + 0.3
    if seed % 2:
        normals, offsets = np.vstack([normals, -normals[:1]]), np.append(offsets, -offsets[0])
    return normals, offsets


@given(st.integers(0, 10_000))
def test_against_linear_and_quadratic_programs(seed: int) -> None:
    normals, offsets = polyhedron(seed)
    found = project(normals, offsets)
    program = linprog(np.zeros(normals.shape[1]), A_ub=-normals, b_ub=offsets, bounds=(None, None))
    assert math.isfinite(found.distance) == (program.status == 0)
    if program.status == 0:
        assert (normals @ found.point + offsets).min() > -1e-7
        other = minimize(
            lambda s: s @ s,
            program.x,
            jac=lambda s: 2 * s,
            constraints={"type": "ineq", "fun": lambda s: normals @ s + offsets, "jac": lambda s: normals},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found.distance == pytest.approx(math.sqrt(other.fun), abs=1e-6)


@given(st.integers(0, 10_000))
def test_optimality(seed: int) -> None:
    """The point is a non-negative combination of the normals that hold it: no solver is needed to see this."""
    normals, offsets = polyhedron(seed)
    found = project(normals, offsets)
    if math.isfinite(found.distance) and found.distance > 0:
        held = normals[found.active]
        np.testing.assert_allclose(held @ found.point + offsets[found.active], 0, atol=1e-9)
        weights = np.linalg.lstsq(held.T, found.point, rcond=None)[0]
        np.testing.assert_allclose(held.T @ weights, found.point, atol=1e-9)


def test_limits_and_closed_forms() -> None:
    normals, offsets = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([-3.0, -4.0])
    assert project(normals, offsets).distance == pytest.approx(5)
    assert project(normals, offsets, limit=4.9).distance == math.inf
    assert project(normals, offsets, limit=5.1).distance == pytest.approx(5)
    assert project(normals, -offsets).distance == 0
    assert project(np.zeros((0, 2)), np.zeros(0)).distance == 0
    assert project(np.zeros((1, 2)), np.array([-1.0])).distance == math.inf, "a constant that is negative"
    wedge = np.array([[math.sin(1e-3), math.cos(1e-3)], [math.sin(1e-3), -math.cos(1e-3)]])
    sharp = project(wedge, np.array([-1.0, -1.0]))
    assert sharp.distance == pytest.approx(1 / math.sin(1e-3), rel=1e-9), "far away, and sharp"


@given(st.integers(0, 1000), st.integers(0, 60))
def test_nearest_segments_by_brute_force(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 2))
    starts = rng.normal(size=(count, 2))
    segments = np.stack(
        [starts, starts + rng.choice([0.0, 0.01, 1.0], count)[:, None] * rng.normal(size=(count, 2))], 1
    )
    found = nearest_segments(points, segments)
    if not count:
        assert np.isinf(found.distances).all()
        assert (found.segments == -1).all()
        return
    lines = shapely.linestrings(segments)
    expected = shapely.distance(shapely.points(points)[:, None], lines)
    np.testing.assert_allclose(found.distances, expected.min(axis=1), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(expected[np.arange(40), found.segments], found.distances, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.hypot(*(found.points - points).T), found.distances, rtol=1e-12)
