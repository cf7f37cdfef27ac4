"""The engine broken on purpose: each level of the certificate catches what it promises, and names the cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import splinescope
from splinescope.errors import CertificateError
from splinescope.tessellation.certificate import certify
from tests.fixtures.cases import HEXAGON, Case
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Dense, Recipe, mlp
from tests.tessellation.agreement import slice_of
from tests.tessellation.test_grids import gaussian

CASE = Case("certificate", gaussian(21, (2, 12, 12, 3)), HEXAGON)
LEVELS = ("topology", "values", "proof")
Complex = splinescope.PolyhedralComplex


@pytest.fixture(scope="module")
def cells() -> Complex:
    """A correct complex."""
    return splinescope.tessellate(to_network(CASE.recipe), slice_of(CASE), verify="proof")


def without_unit(recipe: Recipe, step: int, unit: int) -> Recipe:
    """The recipe with one unit of a dense step switched off for good."""
    dense = recipe.steps[step]
    assert isinstance(dense, Dense)
    weight, bias = dense.weight.copy(), dense.bias.copy()
    weight[unit], bias[unit] = 0.0, -1.0
    return replace(recipe, steps=(*recipe.steps[:step], Dense(dense.source, weight, bias), *recipe.steps[step + 1 :]))


def busiest_edge(cells: Complex) -> int:
    """The longest interior edge."""
    lengths = np.linalg.norm(np.diff(cells.vertices[cells.edges], axis=1)[:, 0], axis=1)
    return int(np.argmax(lengths * (cells.edge_cells >= 0).all(axis=1)))


def merged(cells: Complex, edge: int) -> tuple[Complex, int]:
    """The complex without one interior edge; its right cell is part of its left cell. And that cell's index."""
    keep_cell, drop_cell = (int(i) for i in cells.edge_cells[edge])
    start, end = cells.edges[edge]
    loops = [loop.tolist() for loop in np.split(cells.cell_vertices, cells.cell_offsets[1:-1])]
    left, right = loops[keep_cell], loops[drop_cell]
    left = left[left.index(end) :] + left[: left.index(end)]
    right = right[right.index(start) :] + right[: right.index(start)]
    loops[keep_cell] = left[:-1] + right[:-1]
    kept = np.delete(np.arange(len(cells)), drop_cell)
    number = np.zeros(len(cells) + 1, dtype=cells.edge_cells.dtype)
    number[kept] = np.arange(len(kept))
    number[drop_cell], number[-1] = number[keep_cell], -1
    loops = [loops[i] for i in kept]
    measures, centres = cells.measures.copy(), cells.interior_points.copy()
    parts = measures[[keep_cell, drop_cell]]
    centres[keep_cell] = parts @ centres[[keep_cell, drop_cell]] / parts.sum()
    measures[keep_cell] = parts.sum()
    answer = replace(
        cells,
        cell_vertices=np.concatenate(loops).astype(cells.cell_vertices.dtype),
        cell_offsets=np.cumsum([0, *map(len, loops)], dtype=np.int64),
        edges=np.delete(cells.edges, edge, axis=0),
        edge_cells=number[np.delete(cells.edge_cells, edge, axis=0)],
        edge_op=np.delete(cells.edge_op, edge),
        edge_unit=np.delete(cells.edge_unit, edge),
        interior_points=centres[kept],
        measures=measures[kept],
        codes=tuple(code.taken(kept) for code in cells.codes),
        certificate=None,
    )
    return answer, int(number[keep_cell])


@pytest.mark.parametrize("level", LEVELS)
def test_a_correct_complex_passes(cells: Complex, level: str) -> None:
    certificate = certify(cells, level)
    assert certificate.level == level
    assert certify(replace(cells, certificate=None), level).level == level


def test_the_default_level_is_values() -> None:
    answer = splinescope.tessellate(to_network(CASE.recipe), slice_of(CASE))
    assert answer.certificate.level == "values"


@pytest.mark.parametrize("level", ["values", "proof"])
@pytest.mark.parametrize(("step", "unit"), [(0, 3), (2, 5)])
def test_a_dropped_unit_is_caught(level: str, step: int, unit: int) -> None:
    full = splinescope.tessellate(to_network(CASE.recipe), slice_of(CASE))
    node, column = (0, unit) if step == 0 else (1, unit)
    start = full.pattern_nodes[node][1]
    assert len(set(full.patterns[:, start + column].tolist())) == 2, "the unit folds in this domain"
    broken = splinescope.tessellate(to_network(without_unit(CASE.recipe, step, unit)), slice_of(CASE))
    with pytest.raises(CertificateError) as caught:
        certify(replace(broken, network=full.network, certificate=None), level)
    assert caught.value.cells
    active = np.flatnonzero(full.patterns[:, start + column])
    touched = set(broken.locate(full.interior_points[active]).tolist())
    assert set(caught.value.cells) & touched


def test_only_the_proof_sees_a_fold_that_misses_all_interior_points() -> None:
    lines = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    recipe = mlp([lines, np.ones((1, 3))], [[0.0, 0.0, -1.9], [0.0]])
    blind = mlp([lines, np.ones((1, 3))], [[0.0, 0.0, -2.5], [0.0]])
    broken = splinescope.tessellate(to_network(blind), splinescope.Slice.box([-1, -1], [1, 1]))
    broken = replace(broken, network=to_network(recipe), certificate=None)
    assert certify(broken, "topology").level == "topology"
    with pytest.raises(CertificateError) as caught:
        certify(broken, "proof")
    assert caught.value.cells == tuple(broken.locate(np.array([[0.99, 0.99]])).tolist())


@pytest.mark.parametrize("level", LEVELS)
def test_forgotten_bits_of_a_unit_are_caught(cells: Complex, level: str) -> None:
    code = cells.codes[0]
    edges = np.flatnonzero((cells.edge_op == code.node) & (cells.edge_cells >= 0).all(axis=1))
    unit = int(cells.edge_unit[edges[0]])
    beside = set(cells.edge_cells[edges[cells.edge_unit[edges] == unit]].ravel().tolist())
    place = int(np.flatnonzero(code.columns == unit)[0])
    words = code.words.copy()
    words[:, place >> 6] &= ~np.uint64(1 << (place & 63))
    with pytest.raises(CertificateError) as caught:
        certify(replace(cells, codes=(replace(code, words=words), *cells.codes[1:]), certificate=None), level)
    assert caught.value.cells
    assert set(caught.value.cells) <= beside | set(np.flatnonzero(cells.patterns[:, unit]).tolist())


@pytest.mark.parametrize("level", LEVELS)
def test_a_wrong_label_of_an_edge_is_caught(cells: Complex, level: str) -> None:
    edge = busiest_edge(cells)
    units = cells.edge_unit.copy()
    units[edge] = (units[edge] + 1) % 12
    with pytest.raises(CertificateError) as caught:
        certify(replace(cells, edge_unit=units, certificate=None), level)
    assert set(caught.value.cells) == set(cells.edge_cells[edge].tolist())


@pytest.mark.parametrize("level", LEVELS)
def test_merged_cells_are_caught(cells: Complex, level: str) -> None:
    """Without forward passes, two cells can be told from one only where their union is not convex."""
    merges = [merged(cells, int(edge)) for edge in np.flatnonzero((cells.edge_cells >= 0).all(axis=1))]
    if level == "topology":
        merges = [(broken, cell) for broken, cell in merges if not is_convex(broken.cell(cell))]
    assert len(merges) > 50
    for broken, cell in merges:
        assert len(broken) == len(cells) - 1
        with pytest.raises(CertificateError) as caught:
            certify(broken, level)
        assert cell in caught.value.cells


@pytest.mark.parametrize("level", LEVELS)
def test_a_vertex_shifted_far_is_caught(cells: Complex, level: str) -> None:
    edge = busiest_edge(cells)
    vertices = cells.vertices.copy()
    vertex = cells.edges[edge, 0]
    vertices[vertex] += 1.25 * (vertices[cells.edges[edge, 1]] - vertices[vertex])
    with pytest.raises(CertificateError) as caught:
        certify(replace(cells, vertices=vertices, certificate=None), level)
    assert set(caught.value.cells) & cells_at(cells, vertex)


@pytest.mark.parametrize("distance", [1e-3, 1e-6])
def test_a_vertex_shifted_a_little_is_caught_by_the_proof(cells: Complex, distance: float) -> None:
    edge = busiest_edge(cells)
    vertices = cells.vertices.copy()
    vertex = cells.edges[edge, 0]
    vertices[vertex] += distance * np.array([0.6, -0.8])
    with pytest.raises(CertificateError) as caught:
        certify(replace(cells, vertices=vertices, certificate=None), "proof")
    assert set(caught.value.cells) & cells_at(cells, vertex)


@pytest.mark.parametrize("level", ["values", "proof"])
def test_a_wrong_output_at_a_vertex_is_caught(cells: Complex, level: str) -> None:
    outputs = cells.vertex_outputs.copy()
    vertex = cells.edges[busiest_edge(cells), 0]
    outputs[vertex, 1] += 1e-3
    with pytest.raises(CertificateError) as caught:
        certify(replace(cells, vertex_outputs=outputs, certificate=None), level)
    assert set(caught.value.cells) & cells_at(cells, vertex)


@pytest.mark.parametrize("level", LEVELS)
def test_a_lost_cell_is_caught(cells: Complex, level: str) -> None:
    kept = np.arange(len(cells) - 1)
    stop = cells.cell_offsets[-2]
    edge_cells = np.where(cells.edge_cells == len(kept), -1, cells.edge_cells)
    keep_edge = (edge_cells >= 0).any(axis=1)
    broken = replace(
        cells,
        cell_vertices=cells.cell_vertices[:stop],
        cell_offsets=cells.cell_offsets[:-1],
        edges=cells.edges[keep_edge],
        edge_cells=edge_cells[keep_edge],
        edge_op=cells.edge_op[keep_edge],
        edge_unit=cells.edge_unit[keep_edge],
        interior_points=cells.interior_points[kept],
        measures=cells.measures[kept],
        codes=tuple(code.taken(kept) for code in cells.codes),
        certificate=None,
    )
    with pytest.raises(CertificateError):
        certify(broken, level)


def cells_at(cells: Complex, vertex: int) -> set[int]:
    """The cells with a given corner."""
    owner = np.repeat(np.arange(len(cells)), np.diff(cells.cell_offsets))
    return set(owner[cells.cell_vertices == vertex].tolist())


def is_convex(corners: np.ndarray) -> bool:
    """Whether a counter-clockwise polygon has no corner that turns right."""
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    return bool((sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] >= -1e-9).all())
