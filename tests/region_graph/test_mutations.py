"""Graphs that are wrong in one way each, and the first level of the certificate that must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from splinescope.errors import CertificateError
from splinescope.tessellation.region_graph import RegionGraph, certify, region_graph
from tests.region_graph.nets import box, random_net

PER_FACET = ("op", "unit", "neighbours", "halfspaces", "points", "uncertainties")
PER_CELL = ("keys", "interior_points", "chebyshev_radii")


@pytest.fixture(scope="module")
def graph() -> RegionGraph:
    whole = region_graph(random_net((3, 7, 6, 2), seed=3), box(3), verify="proof")
    assert whole.certificate is not None
    assert whole.certificate.level == "proof"
    assert len(whole.further_facets) == 0
    return whole


def with_facets(graph: RegionGraph, kept: np.ndarray, **changes: Any) -> RegionGraph:
    """The graph with some of its facets."""
    counts = np.bincount(graph.facet_cells[kept], minlength=len(graph))
    arrays = {f"facet_{name}": changes.get(name, getattr(graph, f"facet_{name}"))[kept] for name in PER_FACET}
    return replace(graph, facet_offsets=np.concatenate([[0], np.cumsum(counts)]), **arrays)


def without_cell(graph: RegionGraph, cell: int, left: int) -> RegionGraph:
    """The graph without one cell; its neighbours say that there is nothing, or an end of the search."""
    beyond = np.where(graph.facet_neighbours == cell, left, graph.facet_neighbours)
    beyond = np.where(beyond > cell, beyond - 1, beyond)
    lost = graph.facet_neighbours == cell
    ends = lost & (left == -1)
    op, unit = np.where(ends, -1, graph.facet_op), np.where(ends, -1, graph.facet_unit)
    part = with_facets(graph, graph.facet_cells != cell, neighbours=beyond, op=op, unit=unit)
    offsets = np.delete(part.facet_offsets, cell)
    arrays = {name: np.delete(getattr(graph, name), cell, axis=0) for name in PER_CELL}
    return replace(part, facet_offsets=offsets, lower_bound=len(graph) - 1, upper_bound=len(graph) - 1, **arrays)


def inner(graph: RegionGraph, at: int = 5) -> int:
    return int(np.flatnonzero(graph.facet_neighbours >= 0)[at])


def twin(graph: RegionGraph, facet: int) -> int:
    cell, other = int(graph.facet_cells[facet]), int(graph.facet_neighbours[facet])
    return int(np.flatnonzero((graph.facet_cells == other) & (graph.facet_neighbours == cell))[0])


def put(array: np.ndarray, at: Any, value: Any) -> np.ndarray:
    out = array.copy()
    out[at] = value
    return out


def dropped(graph: RegionGraph, *facets: int) -> RegionGraph:
    return with_facets(graph, ~np.isin(np.arange(len(graph.facet_op)), facets))


def smallest_cell_gone(graph: RegionGraph) -> RegionGraph:
    """What the issue found: the smallest cell is gone, and its neighbours say "boundary"."""
    return without_cell(graph, int(graph.chebyshev_radii.argmin()), -1)


def smallest_cell_an_end(graph: RegionGraph) -> RegionGraph:
    return without_cell(graph, int(graph.chebyshev_radii.argmin()), -2)


def facet_dropped_on_one_side(graph: RegionGraph) -> RegionGraph:
    return dropped(graph, inner(graph))


def facet_dropped_on_both_sides(graph: RegionGraph) -> RegionGraph:
    facet = inner(graph)
    return dropped(graph, facet, twin(graph, facet))


def side_dropped(graph: RegionGraph) -> RegionGraph:
    return dropped(graph, int(np.flatnonzero(graph.facet_neighbours == -1)[0]))


def facet_doubled(graph: RegionGraph) -> RegionGraph:
    facet = inner(graph)
    return with_facets(graph, np.sort(np.append(np.arange(len(graph.facet_op)), facet)))


def cell_doubled(graph: RegionGraph) -> RegionGraph:
    kept = np.append(np.arange(len(graph.facet_op)), np.flatnonzero(graph.facet_cells == len(graph) - 1))
    arrays = {name: np.concatenate([getattr(graph, name), getattr(graph, name)[-1:]]) for name in PER_CELL}
    arrays |= {f"facet_{name}": getattr(graph, f"facet_{name}")[kept] for name in PER_FACET}
    return replace(graph, facet_offsets=np.append(graph.facet_offsets, len(kept)), **arrays)


def neighbour_swapped(graph: RegionGraph) -> RegionGraph:
    first, second = inner(graph), inner(graph, 6)
    beyond = graph.facet_neighbours
    return replace(graph, facet_neighbours=put(beyond, [first, second], beyond[[second, first]]))


def neighbours_swapped_on_both_sides(graph: RegionGraph) -> RegionGraph:
    """Facets of two pairs of cells lead crosswise, from all four sides."""
    first = inner(graph)
    cells = {int(graph.facet_cells[first]), int(graph.facet_neighbours[first])}
    second = next(
        int(f)
        for f in np.flatnonzero((graph.facet_neighbours >= 0) & (graph.facet_op == graph.facet_op[first]))
        if graph.facet_unit[f] == graph.facet_unit[first]
        and not cells & {int(graph.facet_cells[f]), int(graph.facet_neighbours[f])}
    )
    a, b = graph.facet_cells[[first, second]]
    c, d = graph.facet_neighbours[[first, second]]
    where = [first, second, twin(graph, first), twin(graph, second)]
    return replace(graph, facet_neighbours=put(graph.facet_neighbours, where, [d, c, b, a]))


def pattern_bit_flipped(graph: RegionGraph) -> RegionGraph:
    return replace(graph, keys=put(graph.keys, (4, 0), graph.keys[4, 0] ^ 2))


def pattern_bit_flipped_everywhere(graph: RegionGraph) -> RegionGraph:
    return replace(graph, keys=graph.keys ^ np.array([4, *[0] * (graph.keys.shape[1] - 1)], np.uint8))


def patterns_swapped(graph: RegionGraph) -> RegionGraph:
    return replace(graph, keys=put(graph.keys, [2, 9], graph.keys[[9, 2]]))


def unit_dropped(graph: RegionGraph) -> RegionGraph:
    """One unit of the last layer was overlooked: the cells on both sides of it are one cell each."""
    node = int(graph.facet_op.max())
    unit = int(np.bincount(graph.facet_unit[graph.facet_op == node]).argmax())
    mine = (graph.facet_op == node) & (graph.facet_unit == unit)
    assert mine.any()
    return with_facets(graph, ~mine)


def half_space_shifted(by: float) -> Callable[[RegionGraph], RegionGraph]:
    def shifted(graph: RegionGraph) -> RegionGraph:
        """On both sides, with the points on it, so that it is consistent."""
        facet = inner(graph)
        other, planes, points = twin(graph, facet), graph.facet_halfspaces.copy(), graph.facet_points.copy()
        planes[facet, -1] += by
        planes[other, -1] -= by
        points[facet] -= by * planes[facet, :-1]
        points[other] -= by * planes[facet, :-1]
        return replace(graph, facet_halfspaces=planes, facet_points=points)

    return shifted


def half_space_turned(graph: RegionGraph) -> RegionGraph:
    facet = inner(graph)
    other, planes = twin(graph, facet), graph.facet_halfspaces.copy()
    turned = planes[facet, :-1] + 1e-9 * np.roll(planes[facet, :-1], 1)
    planes[facet, :-1] = turned / np.linalg.norm(turned)
    planes[facet, -1] = -planes[facet, :-1] @ graph.facet_points[facet]
    planes[other] = -planes[facet]
    return replace(graph, facet_halfspaces=planes)


def interior_point_in_the_neighbour(graph: RegionGraph) -> RegionGraph:
    cell = int(graph.facet_cells[inner(graph)])
    other = int(graph.facet_neighbours[inner(graph)])
    return replace(graph, interior_points=put(graph.interior_points, cell, graph.interior_points[other]))


def excused_by_uncertainty(graph: RegionGraph) -> RegionGraph:
    """A half-space is elsewhere, and the graph says that it doesn't know where it is."""
    wrong = half_space_shifted(1e-4)(graph)
    return replace(wrong, facet_uncertainties=np.full(len(graph.facet_op), 1.0))


def told_complete(graph: RegionGraph) -> RegionGraph:
    return replace(region_graph(graph.network, graph.domain, max_cells=20), complete=True)


MUTATIONS: dict[Callable[[RegionGraph], RegionGraph], str] = {
    smallest_cell_gone: "topology",
    smallest_cell_an_end: "topology",
    facet_dropped_on_one_side: "topology",
    facet_dropped_on_both_sides: "values",
    side_dropped: "values",
    facet_doubled: "topology",
    cell_doubled: "topology",
    neighbour_swapped: "topology",
    neighbours_swapped_on_both_sides: "topology",
    pattern_bit_flipped: "topology",
    pattern_bit_flipped_everywhere: "values",
    patterns_swapped: "topology",
    unit_dropped: "values",
    half_space_shifted(1e-6): "values",
    half_space_shifted(1e-9): "values",
    half_space_shifted(1e-12): "values",
    half_space_turned: "values",
    interior_point_in_the_neighbour: "topology",
    excused_by_uncertainty: "values",
    told_complete: "topology",
}
LEVELS = ("topology", "values", "proof")


@pytest.mark.parametrize(("mutation", "level"), MUTATIONS.items())
def test_caught(graph: RegionGraph, mutation: Callable[[RegionGraph], RegionGraph], level: str) -> None:
    wrong = mutation(graph)
    for high in LEVELS[LEVELS.index(level) :]:
        with pytest.raises(CertificateError):
            certify(wrong, high)


def test_a_cell_gone_is_an_end_only_if_it_is_said(graph: RegionGraph) -> None:
    """An end of the search is no error in a graph that says it is not complete; the certificate counts it."""
    part = replace(smallest_cell_an_end(graph), complete=False)
    certificate = certify(part, "proof")
    assert not certificate.complete
    assert certificate.ends == int((graph.facet_neighbours == int(graph.chebyshev_radii.argmin())).sum()) > 0


def test_cells_in_doubt_are_caught_too() -> None:
    """Folds through one point: cells are settled in rational arithmetic, and so are mutations of them."""
    whole = region_graph(random_net((2, 6, 1), seed=1, bias=0.0), box(2), verify="proof")
    assert whole.certificate is not None
    assert whole.certificate.settled_cells > 0
    for mutation in (facet_dropped_on_both_sides, unit_dropped, half_space_shifted(1e-9), side_dropped):
        with pytest.raises(CertificateError):
            certify(mutation(whole), "values")
