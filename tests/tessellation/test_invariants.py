"""Closed forms and universal invariants of tessellations of the plane by piecewise affine networks."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import splinescope
from tests.fixtures.cases import HEXAGON, SQUARE, Case
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import RELU, Recipe, mlp
from tests.tessellation.agreement import slice_of

SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.lists(st.integers(2, 14), min_size=1, max_size=4)


def gaussian(seed: int, widths: list[int], n_outputs: int = 1) -> Recipe:
    """Weights N(0, 2 / fan-in) and biases N(0, 1): in general position, almost surely."""
    rng = np.random.default_rng(seed)
    sizes = [2, *widths, n_outputs]
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [rng.normal(size=shape) * np.sqrt(2 / shape[1]) for shape in shapes]
    return mlp(weights, [rng.normal(size=shape[0]) for shape in shapes], RELU)


def complex_of(recipe: Recipe, half: float = 3.0) -> splinescope.PolyhedralComplex:
    """The tessellation of a square."""
    polygon = tuple((half * x, half * y) for x, y in SQUARE)
    return splinescope.tessellate(to_network(recipe), slice_of(Case("random", recipe, polygon)), verify="proof")


def interior_edges(cells: splinescope.PolyhedralComplex) -> np.ndarray:
    """Which edges have a cell on both sides."""
    return (cells.edge_cells >= 0).all(axis=1)


@given(SEEDS, WIDTHS)
def test_euler_characteristic_and_area(seed: int, widths: list[int]) -> None:
    cells = complex_of(gaussian(seed, widths))
    assert len(cells.vertices) - len(cells.edges) + len(cells) == 1
    assert cells.measures.sum() == pytest.approx(36.0, rel=1e-12)
    assert (cells.measures > 0).all()


@given(SEEDS, WIDTHS)
def test_one_unit_changes_across_an_edge(seed: int, widths: list[int]) -> None:
    cells = complex_of(gaussian(seed, widths))
    inner = interior_edges(cells)
    left, right = (cells.patterns[cells.edge_cells[inner, side]] for side in (0, 1))
    assert ((left != right).sum(axis=1) == 1).all()
    starts = {node: start for node, start, _ in cells.pattern_nodes}
    columns = [starts[op] + unit for op, unit in zip(cells.edge_op[inner], cells.edge_unit[inner], strict=True)]
    np.testing.assert_array_equal((left != right).argmax(axis=1), columns)
    assert (cells.edge_op[~inner] == -1).all()
    assert (cells.edge_unit[~inner] == -1).all()


@given(SEEDS, WIDTHS)
def test_dual_graph_is_bipartite(seed: int, widths: list[int]) -> None:
    cells = complex_of(gaussian(seed, widths))
    inner = interior_edges(cells)
    parity = cells.patterns.sum(axis=1) % 2
    assert (parity[cells.edge_cells[inner, 0]] != parity[cells.edge_cells[inner, 1]]).all()
    degrees = np.bincount(cells.edges.ravel(), minlength=len(cells.vertices))
    on_boundary = np.zeros(len(cells.vertices), dtype=bool)
    on_boundary[cells.edges[~inner].ravel()] = True
    assert (degrees[~on_boundary] == 4).all()


@given(SEEDS, WIDTHS)
def test_average_degree_of_the_dual_graph(seed: int, widths: list[int]) -> None:
    cells = complex_of(gaussian(seed, widths))
    degrees = np.asarray(cells.adjacency.sum(axis=1)).ravel()
    assert degrees.mean() <= 4.0
    assert degrees.sum() == 2 * interior_edges(cells).sum()
    assert (cells.adjacency != cells.adjacency.T).nnz == 0


@given(SEEDS, st.integers(1, 14))
def test_lines_in_general_position(seed: int, n: int) -> None:
    cells = complex_of(gaussian(seed, [n]), half=1e6)
    assert len(cells) == 1 + n + comb(n, 2)
    assert np.asarray(cells.adjacency.sum()).item() / len(cells) == pytest.approx(2 * n * n / len(cells))


@given(SEEDS, st.integers(1, 30))
def test_lines_in_a_window(seed: int, n: int) -> None:
    recipe = gaussian(seed, [n])
    cells = splinescope.tessellate(to_network(recipe), slice_of(Case("window", recipe, HEXAGON)))
    weight, bias = recipe.steps[0].weight, recipe.steps[0].bias  # type: ignore[union-attr]
    values = np.asarray(HEXAGON) @ weight.T + bias
    crossing = (values.min(axis=0) < 0) & (values.max(axis=0) > 0)
    points = [
        np.linalg.solve(weight[[i, j]], -bias[[i, j]])
        for i in range(n)
        for j in range(i)
        if crossing[i] and crossing[j]
    ]
    corners = np.asarray(HEXAGON)
    sides = np.roll(corners, -1, axis=0) - corners
    inside = sum(
        bool((sides[:, 0] * (p - corners)[:, 1] - sides[:, 1] * (p - corners)[:, 0] > 0).all()) for p in points
    )
    assert len(cells) == 1 + crossing.sum() + inside


@given(SEEDS, st.integers(1, 12))
def test_lines_through_one_point(seed: int, n: int) -> None:
    recipe = gaussian(seed, [n])
    first = recipe.steps[0]
    central = mlp([first.weight, np.ones((1, n))], [np.zeros(n), [0.0]])  # type: ignore[union-attr]
    assert len(complex_of(central)) == 2 * n


@given(SEEDS, WIDTHS)
def test_jump_of_the_affine_map_has_rank_one(seed: int, widths: list[int]) -> None:
    cells = complex_of(gaussian(seed, widths, n_outputs=3))
    inner = interior_edges(cells)
    maps = cells.affine_maps(space="input").A
    jump = maps[cells.edge_cells[inner, 0]] - maps[cells.edge_cells[inner, 1]]
    along = cells.vertices[cells.edges[inner, 1]] - cells.vertices[cells.edges[inner, 0]]
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-300
    long = np.linalg.norm(cells.vertices[cells.edges[inner, 1]] - cells.vertices[cells.edges[inner, 0]], axis=1) > 1e-5
    size = np.abs(maps).max() + 1e-300
    assert (np.linalg.svd(jump, compute_uv=False)[:, 1:] <= 1e-10 * size).all()
    assert (np.abs(np.einsum("eij,ej->ei", jump, along))[long] <= 1e-7 * size).all()


@given(SEEDS, st.lists(st.integers(2, 10), min_size=2, max_size=3))
def test_deletion_and_restriction(seed: int, widths: list[int]) -> None:
    recipe = gaussian(seed, widths)
    weights = [step.weight for step in recipe.steps if hasattr(step, "weight")]
    biases = [step.bias for step in recipe.steps if hasattr(step, "weight")]
    without = mlp([*weights[:-2], weights[-2][:-1], weights[-1][:, :-1]], [*biases[:-2], biases[-2][:-1], biases[-1]])
    unit = mlp([*weights[:-2], weights[-2][-1:]], [*biases[:-2], biases[-2][-1:]])
    rest = complex_of(without)
    heights = to_network(unit)(rest.vertices).ravel()
    corners = np.split(heights[rest.cell_vertices], rest.cell_offsets[1:-1])
    restricted = sum(bool(values.min() < -1e-12 and values.max() > 1e-12) for values in corners)
    assert len(complex_of(recipe)) == len(rest) + restricted


@pytest.mark.parametrize(("depth", "width"), [(1, 60), (2, 30), (3, 20), (4, 15)])
def test_count_depends_on_units_not_on_depth(depth: int, width: int) -> None:
    counts = [len(complex_of(gaussian(seed, [width] * depth), half=30.0)) for seed in range(6)]
    assert np.mean(counts) / (60**2 / 2) == pytest.approx(1.0, abs=0.25)
