"""Comparison of a complex in space with the rational twin, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.rational_space import SpaceTessellation


def assert_agrees(cells: Any, answer: SpaceTessellation, maps: bool = True) -> None:
    """Same counts; each cell of the engine is one exact cell with its volume, vertices, pattern and affine map."""
    assert len(cells) == len(answer)
    assert len(cells.vertices) == len(answer.vertices)
    assert len(cells.edges) == answer.f_vector[1]
    for dimension in range(2, answer.dimension + 1):
        assert len(cells.faces[dimension].offsets) - 1 == answer.f_vector[dimension]
    owner = answer.owners(cells.interior_points)
    assert len(set(owner.tolist())) == len(answer), "two cells of the engine lie in one exact cell"
    volumes = np.array([float(cell.volume) for cell in answer.cells])[owner]
    np.testing.assert_allclose(cells.measures, volumes, rtol=1e-6, atol=1e-12 * volumes.sum())
    corners = [len(cell.polytope.vertices) for cell in answer.cells]
    np.testing.assert_array_equal(np.diff(cells.cell_offsets), np.array(corners)[owner])
    assert_facets(cells, answer, owner)
    assert_patterns(cells, answer, owner)
    if maps:
        assert_maps(cells, answer, owner)


def assert_facets(cells: Any, answer: SpaceTessellation, owner: np.ndarray) -> None:
    """The same pairs of cells have a facet in common, and the same cells have facets on the box's boundary."""
    expected = sorted(tuple(sorted((-1, *beside)[-2:])) for beside in answer.faces[-2].values())
    exact = np.append(owner, -1)
    found = sorted(tuple(sorted(pair)) for pair in exact[np.asarray(cells.facet_cells)].tolist())
    assert found == expected


def assert_patterns(cells: Any, answer: SpaceTessellation, owner: np.ndarray) -> None:
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


def assert_maps(cells: Any, answer: SpaceTessellation, owner: np.ndarray) -> None:
    """Each affine map takes the exact map's values on its cell."""
    rows = np.array([[[float(x) for x in row] for row in cell.affine_map] for cell in answer.cells])[owner]
    found = cells.affine_maps(space="domain")
    points = cells.interior_points
    predicted = np.einsum("fij,fj->fi", found.A, points) + found.c
    expected = np.einsum("fij,fj->fi", rows[..., :-1], points) + rows[..., -1]
    size = np.abs(rows[..., :-1]).max() * np.abs(points).max() + np.abs(rows[..., -1]).max()
    np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-9 * size + 1e-13)
    broad = cells.measures > 1e-6 * cells.measures.sum()
    steepest = np.abs(rows[..., :-1]).max()
    np.testing.assert_allclose(found.A[broad], rows[broad][..., :-1], rtol=1e-7, atol=1e-7 * steepest + 1e-13)
