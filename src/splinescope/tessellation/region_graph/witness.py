"""Forward passes of the network at points of the cells, compared with what the graph recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from splinescope.network.evaluate import last_uses, walk
from splinescope.network.ops.base import flat
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branches.errors import Carried, Errors
from splinescope.tessellation.branches.layout import Layout
from splinescope.tessellation.branches.walk import FAR
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.domains.samples import inside
from splinescope.tessellation.region_graph.graph import RegionGraph
from splinescope.tessellation.region_graph.search.keys import as_bytes

SAMPLES = 4096
"""Random points of the domain whose cells are looked up."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What a comparison of some cells measured.

    Attributes:
        undecided: [n] recorded pieces that are not those of the forward pass, though within its rounding error.
        sign_error: Largest such contradiction, as a share of what is tolerated.
    """

    undecided: np.ndarray
    sign_error: float


@dataclass(frozen=True)
class OutputErrors:
    """What a comparison of outputs measured, relative to the largest output.

    Attributes:
        error: Largest error.
        tolerance: What it was held to.
        elsewhere: [n] cells of which float64 does not tell whether the point looked at is on their branch.
    """

    error: float
    tolerance: float
    elsewhere: np.ndarray


def check_samples(graph: RegionGraph) -> int:
    """Look random points of the domain up; in a complete graph none may be missing. Returns their number."""
    # In networks so deep that errors can't be bounded, points may have to be looked up in rational arithmetic.
    count = SAMPLES if graph.explorer.errors.proved else SAMPLES // 64
    points = inside(graph.domain, count, np.random.default_rng(2))
    keys = set(as_bytes(graph.keys))
    unknown = [key not in keys for key in as_bytes(graph.explorer.keys.pack(_patterns_at(graph, points)))]
    # A forward pass knows most patterns; near folds it may be wrong.
    points = points[np.array(unknown)]
    missing = np.flatnonzero(graph.locate(points) < 0)
    if graph.complete and len(missing):
        fail("values", np.arange(0), f"{len(missing)} of {count} random points lie in cells that are not in the graph")
    return count


@torch.no_grad()
def _patterns_at(graph: RegionGraph, points: np.ndarray) -> np.ndarray:
    """[n, columns] the pieces that a forward pass finds at points, those of the values as they are rounded."""
    layout = graph.explorer.layout
    out = np.zeros((len(points), layout.columns), np.uint8)
    for index, value in walk(graph.network, torch.from_numpy(np.ascontiguousarray(graph.domain.embed(points)))):
        for number in layout.readers.get(index, ()):
            zeros = torch.zeros(1, 1, dtype=torch.float64).expand(1, graph.network.nodes[index].size)
            found = layout.foldings[number].walls.pieces_beyond(flat(value), zeros, zeros, 0.0)
            out[:, layout.columns_of(number)] = found.numpy()
    return out


def points_in_facets(graph: RegionGraph, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Facets of the cells `start:stop`, and for each a point of the cell just inside of the facet's own point."""
    facets = np.arange(graph.facet_offsets[start], graph.facet_offsets[stop])
    step = 0.5 * _room(graph, start, stop)
    return facets, graph.facet_points[facets] - step[:, None] * graph.facet_halfspaces[facets, :-1]


def _room(graph: RegionGraph, start: int, stop: int) -> np.ndarray:
    """Distance from the point of each facet of the cells `start:stop` to the nearest other facet of its cell."""
    offsets = graph.facet_offsets
    sizes = np.diff(offsets[start : stop + 1])
    low = int(offsets[start])
    facet = np.repeat(np.arange(low, int(offsets[stop])), np.repeat(sizes, sizes))
    firsts = np.repeat(np.repeat(offsets[start:stop], sizes), np.repeat(sizes, sizes))
    ends = np.cumsum(np.repeat(sizes, sizes))
    other = firsts + np.arange(len(facet)) - np.repeat(ends - np.repeat(sizes, sizes), np.repeat(sizes, sizes))
    planes = graph.facet_halfspaces[other]
    distance = -(np.einsum("kj,kj->k", planes[:, :-1], graph.facet_points[facet]) + planes[:, -1])
    distance[facet == other] = np.inf
    room = np.minimum.reduceat(distance, ends - np.repeat(sizes, sizes))
    return np.minimum(np.maximum(room, 0.0), 2 * np.repeat(graph.chebyshev_radii[start:stop], sizes))


def column_errors(layout: Layout, values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """[cells, columns] how well the value of each unit is known, from values and errors of all rows."""
    known = np.where(np.isfinite(values), errors, 0.0)
    parts = [np.zeros((len(errors), 0))]
    for folding, start, stop in zip(layout.foldings, layout.row_starts[:-1], layout.row_starts[1:], strict=True):
        parts.append(known[:, start:stop].reshape(len(errors), -1, folding.units).max(axis=1))
    return np.concatenate(parts, axis=1)


def hidden(graph: RegionGraph, which: np.ndarray) -> np.ndarray:
    """[n] whether cells are thinner than their coordinates are rounded: points of theirs may lie in other cells."""
    return np.asarray(graph.chebyshev_radii[which] <= 2 * _moved(graph))


def _moved(graph: RegionGraph) -> float:
    """How far roundings may have moved a point."""
    return float(32 * UNIT_ROUNDOFF * (graph.explorer.extent + graph.explorer.farthest))


@torch.no_grad()
def compare(
    graph: RegionGraph, check: str, which: np.ndarray, points: np.ndarray, allowed: np.ndarray, closely: bool = False
) -> Compared:
    """Compare the recorded pieces of cells with a forward pass at points, one point for each cell given.

    A pass that contradicts a piece within rounding follows another branch from there on, and says no more.

    Args:
        graph: The graph.
        check: Name of the check, for the error.
        which: [n] cells.
        points: [n, d] points.
        allowed: [n, columns] what the forward pass may be off there.
        closely: Whether pieces that a pass with sums in another order may contradict are undecided, too.

    Returns:
        What was seen.

    Raises:
        CertificateError: If a recorded piece is another one than that of the forward pass, by more than rounding, in a
            cell that coordinates resolve.
    """
    network = graph.network
    patterns = graph.explorer.keys.unpack(graph.keys[which])
    columns = {node: slice(start, stop) for node, start, stop in graph.pattern_nodes}
    walls = {folding.node: folding.walls for folding in graph.explorer.layout.foldings}
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    undecided, worst, astray = np.zeros(len(which), np.int64), 0.0, hidden(graph, which)
    for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(graph.domain.embed(points)))):
        node = network.nodes[index]
        values[index] = value
        if index in columns:
            recorded = torch.from_numpy(patterns[:, columns[index]])
            beyond = walls[index].excess(recorded, flat(values[node.inputs[0]])).numpy()
            excess = np.maximum(beyond, 0.0)
            if closely:
                undecided += ((beyond <= 0) & (beyond > -allowed[:, columns[index]])).sum(axis=1)
            if excess.any():
                known = allowed[:, columns[index]] + 2 * UNIT_ROUNDOFF * excess
                bad = ~astray & (excess > known).any(axis=1)
                if bad.any():
                    fail(check, which[bad], f"the network's pattern at node {node.name!r} is another one")
                undecided += (excess > 0).sum(axis=1)
                share = np.divide(excess, known, out=np.zeros_like(excess), where=(known > 0) & np.isfinite(known))
                worst = max(worst, float(share[~astray].max(initial=0.0)))
                astray |= (excess > 0).any(axis=1)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                values.pop(source, None)
    return Compared(undecided, worst)


def output_errors(
    graph: RegionGraph, which: np.ndarray, reached: Carried, errors: Errors, allowed: np.ndarray
) -> OutputErrors:
    """The cells' affine maps, made at their interior points, against forward passes at other points of the cells.

    Args:
        graph: The graph.
        which: [n] cells.
        reached: The output on their branches.
        errors: How rounding errors come through the network.
        allowed: [n, columns] what units may be off in a forward pass.

    Raises:
        CertificateError: If they differ by more than both may be off.
    """
    inside = graph.interior_points[which]
    # Halfway to a facet, so that rounding of coordinates does not lead to another branch.
    points = 0.5 * (graph.facet_points[graph.facet_offsets[which]] + inside)
    outputs = graph.network(graph.domain.embed(points)).reshape(len(points), -1)
    slopes = np.broadcast_to(reached.slopes.numpy() / FAR, (len(points), *reached.slopes.shape[1:]))
    expected = reached.value.numpy() + np.einsum("fjo,fj->fo", slopes, points - inside)
    size, steepest = reached.size.numpy(), np.abs(slopes).max(axis=1)
    moved = _moved(graph)
    known = 2 * errors.plain(reached.error).numpy()
    known = known + 4 * (graph.dimension + 2) * UNIT_ROUNDOFF * size + moved * graph.dimension * steepest
    # Cells that are thinner than coordinates are rounded are counted, and settled in rational arithmetic.
    known[hidden(graph, which)] = np.inf
    error = np.abs(outputs - expected)
    scale = max(float(np.abs(outputs).max(initial=0.0)), np.finfo(np.float64).tiny)
    elsewhere = (error > known).any(axis=1)
    if elsewhere.any():
        bad = np.flatnonzero(elsewhere)
        seen = compare(graph, "values", which[bad], points[bad], allowed[bad], closely=True)
        wrong = bad[seen.undecided == 0]
        if len(wrong):
            worst = error[wrong].max()
            fail("values", which[wrong], f"outputs differ from the cells' affine maps by up to {worst:.1e}")
        known[elsewhere] = np.inf
    error = error[np.isfinite(known)]
    known = known[np.isfinite(known)]
    return OutputErrors(float(error.max(initial=0.0)) / scale, float(known.max(initial=0.0)) / scale, elsewhere)
