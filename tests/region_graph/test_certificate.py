"""A certificate refuses a graph that is wrong in any way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splinescope.errors import CertificateError
from splinescope.tessellation.region_graph import RegionGraph, certify, region_graph
from tests.region_graph.nets import box, random_net


@pytest.fixture(scope="module")
def graph() -> RegionGraph:
    return region_graph(random_net((3, 8, 8, 2), seed=3), box(3), verify="topology")


def without_cell(graph: RegionGraph, cell: int) -> RegionGraph:
    """The graph without one cell, as if it had been overlooked from all sides."""
    cells = np.delete(np.arange(len(graph)), cell)
    kept = (graph.facet_cells != cell) & (graph.facet_neighbours != cell)
    number = np.append(np.cumsum(np.arange(len(graph)) != cell) - 1, [-2, -1])
    counts = np.bincount(graph.facet_cells[kept], minlength=len(graph))[cells]
    facets = {
        name: getattr(graph, name)[kept]
        for name in ("facet_op", "facet_unit", "facet_halfspaces", "facet_points", "facet_uncertainties")
    }
    return replace(
        graph,
        keys=graph.keys[cells],
        interior_points=graph.interior_points[cells],
        chebyshev_radii=graph.chebyshev_radii[cells],
        facet_offsets=np.concatenate([[0], np.cumsum(counts)]),
        facet_neighbours=number[graph.facet_neighbours[kept]],
        lower_bound=len(cells),
        upper_bound=len(cells),
        **facets,
    )


def merged_across(graph: RegionGraph, facet: int) -> RegionGraph:
    """The graph with one facet forgotten by both of its cells: each seems to reach farther than it does."""
    cell, other = int(graph.facet_cells[facet]), int(graph.facet_neighbours[facet])
    twin = np.flatnonzero((graph.facet_cells == other) & (graph.facet_neighbours == cell))[0]
    kept = np.ones(len(graph.facet_op), bool)
    kept[[facet, twin]] = False
    counts = np.bincount(graph.facet_cells[kept], minlength=len(graph))
    names = ("op", "unit", "neighbours", "halfspaces", "points", "uncertainties")
    return replace(
        graph,
        facet_offsets=np.concatenate([[0], np.cumsum(counts)]),
        **{f"facet_{name}": getattr(graph, f"facet_{name}")[kept] for name in names},
    )


def changed(array: np.ndarray, at: int, value: object) -> np.ndarray:
    out = array.copy()
    out[at] = value
    return out


def test_a_sound_graph_passes(graph: RegionGraph) -> None:
    certificate = certify(graph, "proof")
    assert certificate.level == "proof"
    assert certificate.complete
    assert certificate.components == 1
    assert certificate.facet_checks == len(graph.facet_op)
    assert certificate.row_checks > 16 * len(graph)
    assert certificate.settled_cells == certificate.unsettled_cells == certificate.ends == 0
    assert 0 < certificate.resolution < 1e-12
    assert certificate.interior_points == len(graph)
    assert certificate.sampled_points == 4096
    assert certificate.sign_error <= 1
    assert 0 < certificate.output_error < certificate.tolerances["output"] < 1e-9
    assert certificate.to_dict()["cells"] == len(graph)


def test_levels(graph: RegionGraph) -> None:
    assert certify(graph, "topology").interior_points == 0
    assert certify(graph, "topology").to_dict()["output_error"] is None
    assert certify(graph, "values").facet_checks == 0


@pytest.mark.parametrize(
    ("name", "at", "value", "what"),
    [
        ("facet_unit", 0, 77, "names no unit"),
        ("facet_neighbours", 0, 5, "two cells have two facets in common"),
        ("facet_neighbours", 0, 40, "seen from one side only"),
        ("interior_points", 2, [0.9, 0.9, 0.9], "not inside of its cell's facets"),
        ("chebyshev_radii", 1, 0.9, "by the radius"),
        ("facet_points", 0, [0.5, 0.5, 0.5], "different planes"),
    ],
)
def test_topology(graph: RegionGraph, name: str, at: int, value: object, what: str) -> None:
    inner = int(np.flatnonzero(graph.facet_neighbours >= 0)[at]) if name.startswith("facet") else at
    with pytest.raises(CertificateError, match=f"topology.*{what}") as error:
        certify(replace(graph, **{name: changed(getattr(graph, name), inner, value)}), "topology")
    assert error.value.cells


def test_a_wrong_pattern(graph: RegionGraph) -> None:
    keys = graph.keys.copy()
    keys[3, 0] ^= 1
    with pytest.raises(CertificateError, match=r"differ in other units|two cells have one pattern"):
        certify(replace(graph, keys=keys), "topology")


def test_a_pattern_that_is_wrong_everywhere(graph: RegionGraph) -> None:
    """A unit with the wrong piece in all cells is consistent; the forward pass knows better."""
    keys = graph.keys.copy()
    keys[:, 0] ^= 1
    with pytest.raises(CertificateError, match=r"`values`.*the network's pattern"):
        certify(replace(graph, keys=keys), "values")


def test_an_overlooked_cell(graph: RegionGraph) -> None:
    """Its neighbours have no facet where it was."""
    largest = int(np.argmax(graph.chebyshev_radii))
    smaller = without_cell(graph, largest)
    certify(smaller, "topology")
    with pytest.raises(CertificateError, match="one is missing, or is none"):
        certify(smaller, "values")


def test_an_overlooked_facet(graph: RegionGraph) -> None:
    """A fold that was missed is found by default."""
    facet = int(np.flatnonzero(graph.facet_neighbours >= 0)[5])
    wrong = merged_across(graph, facet)
    certify(wrong, "topology")
    with pytest.raises(CertificateError, match="one is missing, or is none") as error:
        certify(wrong, "values")
    assert set(error.value.cells) <= {int(graph.facet_cells[facet]), int(graph.facet_neighbours[facet])}


def test_a_graph_that_is_not_complete(graph: RegionGraph) -> None:
    part = region_graph(graph.network, graph.domain, max_cells=20)
    with pytest.raises(CertificateError, match="says it is complete"):
        certify(replace(part, complete=True), "topology")


def test_proof_by_programs() -> None:
    """In six dimensions."""
    graph = region_graph(random_net((6, 6, 1), seed=1), box(6, 0.5), verify="proof")
    assert graph.certificate is not None
    assert graph.certificate.row_checks >= 12 * len(graph)
