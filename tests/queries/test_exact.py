"""Queries on degenerate and quantised networks against exact rational arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.affine import affine_maps, extrema, lipschitz
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.export import to_table
from splinescope.tessellation.files import load_complex, save_complex
from splinescope.tessellation.folds import dihedral_angles, folds, graph_angles
from splinescope.tessellation.regions import linear_regions
from splinescope.tessellation.statistics import cell_statistics
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.queries.scenes import outputs_at, scene
from tests.seeds import every
from tests.tessellation.agreement import cached_exact, slice_of

RANDOM = [random_case(seed) for seed in range(2000, 2024)]
FLAT = [case for case in CASES if case.input_shape is None or len(case.input_shape) == 1]


def complex_of(case: Case) -> splinescope.PolyhedralComplex:
    """The engine's answer."""
    return splinescope.tessellate(to_network(case.recipe), slice_of(case))


@pytest.mark.parametrize("case", every(3, [*FLAT, *RANDOM]), ids=lambda case: case.name)
def test_regions_and_classes_are_the_exact_ones(case: Case) -> None:
    cells, answer = complex_of(case), cached_exact(case)
    assert linear_regions(cells).count == answer.linear_regions
    exact = np.array([float(area) for area in answer.class_areas()])
    np.testing.assert_allclose(class_areas(cells), exact, rtol=1e-9, atol=1e-11 * exact.sum())
    low, high = np.array(answer.extremes(), dtype=np.float64).T
    np.testing.assert_allclose(extrema(cells).minimum, low, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(extrema(cells).maximum, high, rtol=1e-9, atol=1e-12)
    largest = max(float(row[k]) for cell in answer.cells for row in cell.affine_map for k in (0, 1))
    assert np.abs(affine_maps(cells).A).max() >= largest * (1 - 1e-9)


def test_a_truncated_complex_answers_for_the_cells_that_it_has(tmp_path: Path) -> None:
    recipe, whole = scene("ten classes")
    part = splinescope.tessellate(whole.network, whole.domain, max_cells=60)
    assert part.truncated
    assert class_areas(part).sum() == pytest.approx(part.measures.sum(), rel=1e-12)
    made = folds(part)
    assert (part.edge_cells[made.edges] >= 0).all()
    assert len(made.edges) < (part.edge_op >= 0).sum(), "some folds have one side only"
    assert len(dihedral_angles(part, "input").angles) == len(dihedral_angles(part).angles) > 0
    np.testing.assert_array_equal(part.locate(part.interior_points), np.arange(len(part)))
    points = part.interior_points
    values = np.einsum("fki,fi->fk", affine_maps(part).A, points) + affine_maps(part).c
    np.testing.assert_allclose(values, outputs_at(recipe, whole, points), atol=1e-9)
    assert load_complex(save_complex(part, tmp_path / "part.npz")).truncated


@pytest.mark.parametrize("case", every(3, FLAT), ids=lambda case: case.name)
def test_every_query_answers(case: Case, tmp_path: Path) -> None:
    cells = complex_of(case)
    statistics = cell_statistics(cells)
    assert (statistics.corners >= 3).all()
    assert np.isfinite(statistics.eccentricities).all()
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
    bounds = extrema(cells)
    assert (bounds.minimum <= bounds.maximum).all()
    assert np.isfinite(lipschitz(cells))
    assert len(folds(cells).labels()) == (cells.edge_op >= 0).sum()
    for space in ("domain", "input"):
        angles = dihedral_angles(cells, space).angles
        assert ((angles >= 0) & (angles <= np.pi)).all()
    angles = graph_angles(cells)
    assert np.isfinite(angles[cells.edge_op >= 0]).all()
    lengths = sum(np.hypot(*np.diff(line.points, axis=0).T).sum() for line in decision_boundary(cells).polylines())
    assert lengths == pytest.approx(decision_boundary(cells).lengths.sum())
    assert len(to_table(cells)["cell"]) == len(cells)
    np.testing.assert_array_equal(load_complex(save_complex(cells, tmp_path / "cells.npz")).patterns, cells.patterns)
