"""Dense grids of activation patterns: every pattern seen at a point is that of the cell which contains the point."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from tests.fixtures.cases import HEXAGON, SQUARE, TRIANGLE, Case
from tests.fixtures.degenerate_images import small_conv, unfold
from tests.fixtures.recipes import ABS, RELU, Fold, Kind, Recipe, clip, evaluate, leaky, mlp
from tests.reference.grids import depth, grid
from tests.seeds import every
from tests.tessellation.agreement import slice_of


def gaussian(seed: int, widths: tuple[int, ...], kind: Kind = RELU) -> Recipe:
    """A random network of float weights."""
    rng = np.random.default_rng(seed)
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    weights = [rng.normal(size=shape) * np.sqrt(2 / shape[1]) for shape in shapes]
    return mlp(weights, [0.5 * rng.normal(size=shape[0]) for shape in shapes], kind)


def patterns_at(case: Case, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of all units at points, and which points are safely away from every change."""
    values = evaluate(case.recipe, case.embed(points))
    pieces, clear = [], np.ones(len(points), dtype=bool)
    for step in case.recipe.steps:
        if isinstance(step, Fold):
            x, breakpoints = values[step.source], np.asarray(step.kind.breakpoints)
            pieces.append(np.searchsorted(breakpoints, x))
            clear &= (np.abs(x[..., None] - breakpoints).min(axis=(1, 2))) > 1e-9
    return np.concatenate(pieces, axis=1), clear


CASES = [
    Case("relu", gaussian(1, (2, 24, 24, 24, 3))),
    Case("leaky", gaussian(2, (2, 16, 16, 16, 1), leaky(0.1)), HEXAGON),
    Case("abs", gaussian(3, (2, 12, 12, 1), ABS), TRIANGLE),
    Case("clip", gaussian(4, (2, 16, 16, 16, 2), clip(-0.5, 0.5))),
    Case("wide", gaussian(5, (2, 200, 1)), tuple((4 * x, 4 * y) for x, y in SQUARE)),
    Case("slice", gaussian(6, (7, 20, 20, 2)), origin=np.linspace(-1, 1, 7), basis=np.eye(7)[2:4] + 0.25),
    Case(
        "convolution",
        unfold(small_conv(), (1, 4, 4)),
        origin=np.sin(np.arange(16.0)).reshape(1, 4, 4),
        basis=np.cos(np.arange(32.0)).reshape(2, 1, 4, 4),
        make=small_conv,
    ),
]


@pytest.mark.parametrize("case", every(3, CASES), ids=lambda case: case.name)
def test_patterns_of_a_grid(case: Case) -> None:
    network = splinescope.load(case.module(), input_shape=case.input_shape)
    cells = splinescope.tessellate(network, slice_of(case))
    points = grid(case.polygon, 151)
    patterns, clear = patterns_at(case, points)
    found = cells.locate(points)
    assert (found >= 0).all()
    np.testing.assert_array_equal(cells.patterns[found][clear], patterns[clear])
    maps = cells.affine_maps(space="domain")
    predicted = np.einsum("nij,nj->ni", maps.A[found], points) + maps.c[found]
    outputs = evaluate(case.recipe, case.embed(points))[-1]
    np.testing.assert_allclose(predicted, outputs, rtol=1e-9, atol=1e-9 * np.abs(outputs).max())


@pytest.mark.parametrize("case", every(3, CASES), ids=lambda case: case.name)
def test_cells_are_convex_and_contain_their_interior_points(case: Case) -> None:
    network = splinescope.load(case.module(), input_shape=case.input_shape)
    cells = splinescope.tessellate(network, slice_of(case))
    for index in range(len(cells)):
        start, stop = cells.cell_offsets[index : index + 2]
        corners = cells.vertices[cells.cell_vertices[start:stop]]
        sides = np.roll(corners, -1, axis=0) - corners
        turns = sides[:, 0] * np.roll(sides, -1, axis=0)[:, 1] - sides[:, 1] * np.roll(sides, -1, axis=0)[:, 0]
        assert turns.min() > -1e-12
        assert depth(corners, cells.interior_points[index : index + 1])[0] > 0
    pieces, clear = patterns_at(case, cells.interior_points)
    np.testing.assert_array_equal(cells.patterns[clear], pieces[clear])
