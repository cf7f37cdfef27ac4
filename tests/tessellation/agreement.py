"""Comparison of a complex of the engine with the rational twin, cell by cell."""

from __future__ import annotations

import functools

import numpy as np

import splinescope
from tests.fixtures.cases import Case
from tests.fixtures.freeze import exact
from tests.reference.grids import owners
from tests.reference.rational import ExactTessellation

cached_exact = functools.cache(exact)


def slice_of(case: Case) -> splinescope.Slice:
    """The case's polygon as the engine's domain."""
    if case.origin is None:
        return splinescope.Slice(np.zeros(2), np.eye(2), np.asarray(case.polygon))
    return splinescope.Slice(case.origin, case.basis, np.asarray(case.polygon))


def assert_agrees(cells: splinescope.PolyhedralComplex, answer: ExactTessellation, maps: bool = True) -> None:
    """Same counts; each cell of the engine is one exact cell with its area, pattern and affine map."""
    assert len(cells) == len(answer)
    assert len(cells.vertices) == len(answer.vertices)
    assert len(cells.edges) == len(answer.segments)
    owner = owners(answer, cells.interior_points)
    assert len(set(owner.tolist())) == len(answer), "two cells of the engine lie in one exact cell"
    areas = np.array([float(cell.area) for cell in answer.cells])[owner]
    np.testing.assert_allclose(cells.measures, areas, rtol=1e-6, atol=1e-11 * areas.sum())
    assert_patterns(cells, answer, owner)
    if maps:
        assert_maps(cells, answer, owner)


def assert_patterns(cells: splinescope.PolyhedralComplex, answer: ExactTessellation, owner: np.ndarray) -> None:
    """Each unit is in an admissible piece."""
    patterns = cells.patterns
    assert patterns.shape == (len(answer), len(answer.cells[0].pattern))
    wrong = [
        (cell, unit, int(patterns[cell, unit]), sorted(choices))
        for cell, index in enumerate(owner)
        for unit, choices in enumerate(answer.cells[index].pattern)
        if int(patterns[cell, unit]) not in choices
    ]
    assert not wrong, f"(cell, unit, piece, admissible pieces): {wrong[:5]}"


def assert_maps(cells: splinescope.PolyhedralComplex, answer: ExactTessellation, owner: np.ndarray) -> None:
    """Each affine map takes the exact map's values on its cell."""
    rows = np.array([[[float(x) for x in row] for row in cell.affine_map] for cell in answer.cells])[owner]
    found = cells.affine_maps(space="domain")
    points = cells.interior_points
    predicted = np.einsum("fij,fj->fi", found.A, points) + found.c
    expected = np.einsum("fij,fj->fi", rows[..., :2], points) + rows[..., 2]
    size = np.abs(rows[..., :2]).max() * np.abs(points).max() + np.abs(rows[..., 2]).max()
    np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-9 * size + 1e-13)
    broad = cells.measures > 1e-6 * cells.measures.sum()
    steepest = np.abs(rows[..., :2]).max()
    np.testing.assert_allclose(found.A[broad], rows[broad][..., :2], rtol=1e-7, atol=1e-7 * steepest + 1e-13)
