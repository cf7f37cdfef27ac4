"""Forward passes of the network at points of the cells, compared with what the graph recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from splinescope.network.evaluate import CHUNK_NUMBERS, last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.branches import FAR, error_bounds, follow_branches
from splinescope.tessellation.region_graph.certificate import fail
from splinescope.tessellation.region_graph.graph import RegionGraph
from splinescope.tessellation.region_graph.samples import inside, sample
from splinescope.tessellation.rounding import Bounds

SAMPLES = 4096
"""Random points of the domain whose cells are looked up."""


@dataclass(frozen=True)
class Seen:
    """What a comparison measured.

    Attributes:
        points: Number of points.
        undecided: Recorded pieces that are not those of the forward pass, though within its rounding error.
        sign_error: Largest such contradiction, as a share of what is tolerated.
        output_error: Largest error of an output, relative to the largest output.
        output_tolerance: What it was held to.
    """

    points: int
    undecided: int = 0
    sign_error: float = 0.0
    output_error: float = 0.0
    output_tolerance: float = 0.0


def together(parts: list[Seen]) -> Seen:
    """The worst of several comparisons."""
    return Seen(
        sum(part.points for part in parts),
        sum(part.undecided for part in parts),
        max((part.sign_error for part in parts), default=0.0),
        max((part.output_error for part in parts), default=0.0),
        max((part.output_tolerance for part in parts), default=0.0),
    )


def bounds_of(graph: RegionGraph) -> list[Bounds]:
    """Running-error bounds of every node, with the magnitudes at points other than those of the search."""
    points = sample(graph.domain, np.random.default_rng(1))
    some = graph.interior_points[:: max(1, len(graph) // 256)]
    return error_bounds(graph.network, graph.domain.embed(np.concatenate([points, some])))


def check_interiors(graph: RegionGraph) -> Seen:
    """Pattern and output of every cell against a forward pass at its interior point."""
    bounds = bounds_of(graph)
    step = _step(graph.network)
    parts = []
    for start in range(0, len(graph), step):
        which = np.arange(start, min(start + step, len(graph)))
        points = graph.interior_points[which]
        signs, outputs = compare(graph, "values", which, points, bounds)
        parts += [signs, _output_errors(graph, which, points, outputs, bounds)]
    return together(parts)


def check_samples(graph: RegionGraph) -> int:
    """Look random points of the domain up; in a complete graph none may be missing. Returns their number."""
    points = inside(graph.domain, SAMPLES, np.random.default_rng(2))
    missing = np.flatnonzero(graph.locate(points) < 0)
    if graph.complete and len(missing):
        fail(
            "values", np.arange(0), f"{len(missing)} of {SAMPLES} random points lie in cells that are not in the graph"
        )
    return SAMPLES


def check_facets(graph: RegionGraph) -> Seen:
    """Just inside of each facet, next to its point, the network has the pattern of the cell."""
    bounds = bounds_of(graph)
    most = int(np.diff(graph.facet_offsets).max())
    cells_at_once = max(1, min(_step(graph.network), CHUNK_NUMBERS // (most * most * (graph.dimension + 1))) // most)
    parts = []
    for start in range(0, len(graph), cells_at_once):
        stop = min(start + cells_at_once, len(graph))
        facets = np.arange(graph.facet_offsets[start], graph.facet_offsets[stop])
        points = graph.facet_points[facets]
        step = 0.5 * _room(graph, start, stop)
        points = points - step[:, None] * graph.facet_halfspaces[facets, :-1]
        signs, _ = compare(graph, "proof", graph.facet_cells[facets], points, bounds)
        parts.append(signs)
    return together(parts)


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


@torch.no_grad()
def compare(
    graph: RegionGraph, check: str, which: np.ndarray, points: np.ndarray, bounds: list[Bounds]
) -> tuple[Seen, np.ndarray]:
    """Compare the recorded pieces of cells with a forward pass at points, one point for each cell given.

    Args:
        graph: The graph.
        check: Name of the check, for the error.
        which: [n] cells.
        points: [n, d] points.
        bounds: Running-error bounds of every node.

    Returns:
        What was seen, and the outputs [n, n_out].

    Raises:
        CertificateError: If a recorded piece is another one than that of the forward pass, by more than rounding.
    """
    network = graph.network
    patterns = graph.explorer.keys.unpack(graph.keys[which])
    columns = {node: slice(start, stop) for node, start, stop in graph.pattern_nodes}
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    undecided, worst = 0, 0.0
    for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(graph.domain.embed(points)))):
        node = network.nodes[index]
        values[index] = value
        if index in columns:
            source = node.inputs[0]
            before = values[source].reshape(len(which), -1).numpy()
            excess, allowed = _excess(node.op, patterns[:, columns[index]], before, bounds[source])
            share = excess / (graph.tolerance.certificate * allowed)
            bad = (share > 1).any(axis=1)
            if bad.any():
                fail(check, which[bad], f"the network's pattern at node {node.name!r} is another one")
            undecided += int(np.count_nonzero(excess))
            worst = max(worst, float(share.max(initial=0.0)))
        for source in {index, *node.inputs}:
            if last[source] <= index:
                values.pop(source, None)
    return Seen(len(which), undecided, worst), values[network.output].reshape(len(which), -1).numpy()


def _excess(op: object, pieces: np.ndarray, before: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """[n, units] by how far a value is beyond the recorded piece (0 if on it), and the values' rounding errors."""
    tiny = np.finfo(np.float64).tiny
    if isinstance(op, Maximum):
        groups = np.asarray(op.index)
        members = np.where(groups >= 0, before[:, np.maximum(groups, 0)], -np.inf)
        chosen = np.take_along_axis(members, pieces[:, :, None].astype(np.int64), axis=2)[:, :, 0]
        error = bounds.error[np.maximum(groups, 0)].max(axis=1) + tiny
        return members.max(axis=2) - chosen, np.broadcast_to(2 * error, chosen.shape)
    assert isinstance(op, Activation)
    count, units = len(op.breakpoints), before.shape[1]
    places = np.broadcast_to(np.asarray(op.breakpoints, np.float64).reshape(count, -1), (count, units))
    slopes = np.asarray(op.slopes, np.float64).reshape(count + 1, -1)
    bends = np.broadcast_to(np.diff(slopes, axis=0) != 0, (count, units))
    excess, known = np.zeros(before.shape), np.zeros(before.shape)
    for k in range(count):
        outside = np.where(pieces > k, places[k] - before, before - places[k])
        excess = np.maximum(excess, np.where(bends[k], outside, 0.0))
        known = np.maximum(known, np.where(np.abs(places[k]) < np.sqrt(np.abs(before)) + 1e30, np.abs(places[k]), 0.0))
    return excess, bounds.error + UNIT_ROUNDOFF * known + tiny


@torch.no_grad()
def _output_errors(
    graph: RegionGraph, which: np.ndarray, points: np.ndarray, outputs: np.ndarray, bounds: list[Bounds]
) -> Seen:
    """Outputs of the forward pass against the cells' affine maps, which are made at other points, of their facets."""
    network, explorer = graph.network, graph.explorer
    patterns = explorer.keys.unpack(graph.keys[which])
    origins = graph.facet_points[graph.facet_offsets[which]]
    expected = outputs
    for reached in follow_branches(network, explorer.layout, graph.domain, patterns, origins, network.output):
        slopes = reached.slopes.numpy() / FAR
        expected = reached.value.numpy() + np.einsum(
            "fjo,fj->fo", np.broadcast_to(slopes, (len(points), *slopes.shape[1:])), points - origins
        )
    error = np.abs(outputs - expected)
    scale = max(float(np.abs(outputs).max(initial=0.0)), np.finfo(np.float64).tiny)
    allowed = graph.tolerance.certificate * (bounds[network.output].error + UNIT_ROUNDOFF * scale)
    bad = (error > allowed).any(axis=1)
    if bad.any():
        fail("values", which[bad], f"outputs differ from the cells' affine maps by up to {error.max():.1e}")
    return Seen(0, 0, 0.0, float(error.max(initial=0.0)) / scale, float(allowed.max(initial=0.0)) / scale)


def _step(network: Network) -> int:
    """Points that are passed at once."""
    widest = max(node.size for node in network.nodes)
    return max(1, min(1 << 16, CHUNK_NUMBERS // (8 * widest)))
