"""What a region graph answers."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.tessellation.region_graph import RegionGraph, region_graph
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.region_graph.nets import assert_same, box, random_net


@pytest.fixture(scope="module")
def graph() -> RegionGraph:
    return region_graph(random_net((5, 9, 6, 2), seed=2), box(5), verify="proof")


def test_cells_are_where_their_half_spaces_say(graph: RegionGraph) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 5))
    found = graph.locate(points)
    assert (found >= 0).all()
    inside = np.array(
        [
            (graph.halfspaces(cell)[:, :-1] @ x + graph.halfspaces(cell)[:, -1] <= 1e-12).all()
            for cell, x in zip(found, points, strict=True)
        ]
    )
    assert inside.all()
    for cell in range(0, len(graph), 10):
        rows = graph.halfspaces(cell)
        holds = (points @ rows[:, :-1].T + rows[:, -1] < -1e-12).all(axis=1)
        assert (found[holds] == cell).all()


def test_locates_its_own_points(graph: RegionGraph) -> None:
    np.testing.assert_array_equal(graph.locate(graph.interior_points), np.arange(len(graph)))
    on_facets = graph.locate(graph.facet_points)
    assert ((on_facets == graph.facet_cells) | (on_facets == graph.facet_neighbours)).all()


def test_points_outside_are_in_no_cell(graph: RegionGraph) -> None:
    assert graph.locate(np.array([[0.0, 0, 0, 0, 1.1], [5.0, 5, 5, 5, 5]])).tolist() == [-1, -1]
    assert graph.locate(np.empty((0, 5))).shape == (0,)
    assert (graph.locate(box(5).corners) >= 0).all()


def test_affine_maps(graph: RegionGraph) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (200, 5))
    cells = graph.locate(points)
    by_domain, by_input = graph.affine_maps(), graph.affine_maps("input")
    np.testing.assert_allclose(by_domain.A, by_input.A, atol=1e-13)
    np.testing.assert_allclose(by_domain.c, by_input.c, atol=1e-13)
    outputs = np.einsum("nij,nj->ni", by_domain.A[cells], points) + by_domain.c[cells]
    np.testing.assert_allclose(outputs, graph.network(points), atol=1e-12)


def test_affine_maps_of_a_slice() -> None:
    """In a slice the maps by its coordinates are those of the input, taken along its directions."""
    network = random_net((6, 8, 8, 3), seed=4)
    rng = np.random.default_rng(5)
    domain = splinescope.Slice.through(rng.normal(size=6), rng.normal(size=6), dimension=3)
    graph = region_graph(network, domain, verify="proof")
    by_domain, by_input = graph.affine_maps(), graph.affine_maps("input")
    np.testing.assert_allclose(by_domain.A, by_input.A @ domain.basis.T, atol=1e-12)
    np.testing.assert_allclose(by_domain.c, by_input.A @ domain.origin + by_input.c, atol=1e-12)


def test_adjacency_and_degrees(graph: RegionGraph) -> None:
    adjacency = graph.adjacency
    assert (adjacency != adjacency.T).nnz == 0
    np.testing.assert_array_equal(np.diff(adjacency.indptr), graph.degrees)
    assert graph.mean_degree == pytest.approx(adjacency.nnz / len(graph))
    patterns = graph.patterns
    here, there = adjacency.nonzero()
    assert ((patterns[here] != patterns[there]).sum(axis=1) == 1).all()
    parity = patterns.sum(axis=1) % 2  # the dual graph is bipartite
    assert (parity[here] != parity[there]).all()


def test_radii_are_those_of_balls_in_the_cells(graph: RegionGraph) -> None:
    planes, cells = graph.facet_halfspaces, graph.facet_cells
    distance = -np.einsum("kj,kj->k", planes[:, :-1], graph.interior_points[cells]) - planes[:, -1]
    nearest = np.minimum.reduceat(distance, graph.facet_offsets[:-1])
    np.testing.assert_allclose(nearest, graph.chebyshev_radii, atol=1e-13)
    tight = np.add.reduceat(distance < nearest[cells] + 1e-9, graph.facet_offsets[:-1])
    assert (tight >= 2).all()


def test_facets_name_the_unit_that_changes(graph: RegionGraph) -> None:
    starts = {node: start for node, start, _ in graph.pattern_nodes}
    patterns = graph.patterns
    for facet in np.flatnonzero(graph.facet_neighbours >= 0)[::7]:
        here, there = patterns[graph.facet_cells[facet]], patterns[graph.facet_neighbours[facet]]
        column = starts[int(graph.facet_op[facet])] + graph.facet_unit[facet]
        assert np.flatnonzero(here != there).tolist() == [column]
    boundary = graph.facet_neighbours == -1
    assert (graph.facet_op[boundary] == -1).all()
    assert (graph.facet_unit[boundary] == -1).all()


def test_coincident_folds_keep_all_their_units() -> None:
    """Units 0 and 1 are the same, 2 is the opposite of them: one facet with three units."""
    import torch

    layer = torch.nn.Linear(3, 4).double()
    layer.weight.data = torch.tensor([[1.0, 2, 3], [2, 4, 6], [-1, -2, -3], [0, 0, 1]]).double()
    layer.bias.data = torch.tensor([0.5, 1, -0.5, 0]).double()
    network = splinescope.load(torch.nn.Sequential(layer, torch.nn.ReLU()), input_shape=(3,))
    graph = region_graph(network, box(3), verify="proof")
    assert len(graph) == 4
    assert graph.certificate is not None
    assert graph.certificate.multiple_folds == 2
    several = np.unique(graph.further_facets)
    units = {
        tuple(sorted([graph.facet_unit[f], *graph.further_unit[graph.further_facets == f]])) for f in several.tolist()
    }
    assert units == {(0, 1, 2)}


def test_networkx(graph: RegionGraph) -> None:
    dual = graph.to_networkx()
    assert dual.number_of_nodes() == len(graph)
    assert dual.number_of_edges() == graph.adjacency.nnz // 2
    assert networkx.is_connected(dual)
    assert networkx.is_bipartite(dual)
    assert dual.nodes[0]["radius"] == graph.chebyshev_radii[0]
    cell, other = next(iter(dual.edges))
    assert {"op", "unit"} == set(dual.edges[cell, other])


def test_saved_and_loaded(graph: RegionGraph, tmp_path: Path) -> None:
    again = splinescope.open(graph.save(tmp_path / "graph.npz"))
    assert_same(again, graph)
    assert again.certificate == graph.certificate
    assert again.tolerance == graph.tolerance
    points = np.random.default_rng(1).uniform(-1, 1, (50, 5))
    np.testing.assert_array_equal(again.locate(points), graph.locate(points))
    np.testing.assert_array_equal(again.patterns, graph.patterns)
    with np.load(tmp_path / "graph.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["facet_neighbours"], graph.facet_neighbours)


def test_saved_and_loaded_in_a_slice(tmp_path: Path) -> None:
    """With clips, maxima and sums in the network."""
    network = to_network(random_case(14, n_inputs=4).recipe)
    graph = region_graph(network, box(4), max_cells=50)
    again = splinescope.open(graph.save(tmp_path / "graph.npz"))
    assert_same(again, graph)


def test_bad_questions(graph: RegionGraph) -> None:
    with pytest.raises(InvalidInputError, match="`cell`: got 100000"):
        graph.halfspaces(100_000)
    with pytest.raises(InvalidInputError, match="`points`: got the shape"):
        graph.locate(np.zeros((3, 4)))
    with pytest.raises(InvalidInputError, match="`space`"):
        graph.affine_maps("output")


def test_a_network_without_folds() -> None:
    import torch

    network = splinescope.load(torch.nn.Linear(5, 2), input_shape=(5,))
    graph = region_graph(network, box(5), verify="proof")
    assert len(graph) == 1
    assert graph.complete
    assert graph.degrees.tolist() == [0]
    assert len(graph.halfspaces(0)) == 10
    assert graph.upper_bound == 1
    assert graph.locate(np.zeros((1, 5))).tolist() == [0]
