"""What one node of a network does to a piece: evaluate it at the vertices, and cut the cells where it folds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from scipy.sparse import csr_array

from splinescope.geometry.bits import WORD, pack_signs, words_for
from splinescope.geometry.halfedges import OUTSIDE
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Dense, Maximum, Op, Reshape
from splinescope.numerics import Tolerance, in_blocks
from splinescope.tessellation.breakpoints import activation_folds, padded
from splinescope.tessellation.maxima import Round, filled, position_codes, visible, winning_positions
from splinescope.tessellation.planar.dissolve import without_edges
from splinescope.tessellation.planar.piece import Piece, fold, record_codes, record_pending
from splinescope.tessellation.planar.rows import Rows, Signed
from splinescope.tessellation.rounding import Bounds, largest, propagate

_CACHED = 1 << 17
"""Numbers that fit in a processor's second-level cache together with what else is in use."""


def advance(piece: Piece, network: Network, last_use: tuple[int, ...], size: float, tolerance: Tolerance) -> None:
    """Take a piece through its next node, in place.

    Args:
        piece: The piece.
        network: The network.
        last_use: For each node the last node that reads it.
        size: Extent of the domain, to turn magnitudes into slopes.
        tolerance: What counts as zero.
    """
    index = piece.position
    node = network.nodes[index]
    if isinstance(node.op, Dense) and _streams(piece, network, index, last_use):
        _stream(piece, network, index, node.op, size, tolerance)
    else:
        record_pending(piece)
        if isinstance(node.op, Activation):
            _activate(piece, network, index, node.op, last_use, size, tolerance)
        elif isinstance(node.op, Maximum):
            _maximise(piece, network, index, node.op, size, tolerance)
        else:
            _evaluate(piece, network, index, last_use)
    for source in node.inputs:
        if last_use[source] == index and source in piece.rows:
            del piece.rows[source], piece.bounds[source]
    piece.position += 1
    if piece.position == len(network.nodes):
        record_pending(piece)


def _set(piece: Piece, network: Network, index: int, rows: Rows) -> None:
    """Store the rows of a node with their bounds."""
    node = network.nodes[index]
    bounds = [piece.bounds[source] for source in node.inputs]
    shapes = [network.nodes[source].shape for source in node.inputs]
    piece.rows[index] = rows
    piece.bounds[index] = propagate(node.op, bounds, shapes, largest(rows.sample()))


def _streams(piece: Piece, network: Network, index: int, last_use: tuple[int, ...]) -> bool:
    """Whether a dense node is the only reader of an activation just before it."""
    source = network.nodes[index].inputs[0]
    readers = sum(source in node.inputs for node in network.nodes)
    return piece.unrecorded is not None and piece.unrecorded[0] == source and readers == 1 and last_use[source] == index


def _stream(piece: Piece, network: Network, index: int, op: Dense, size: float, tolerance: Tolerance) -> None:
    """A dense layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""
    node = network.nodes[index]
    source = node.inputs[0]
    before, vertices = piece.rows[source], piece.subdivision.num_vertices
    before.load()
    rows = Rows.empty(vertices, len(op.weight), spare=index != network.output)
    bounds = propagate(op, [piece.bounds[source]], [network.nodes[source].shape], np.zeros(rows.columns))
    signed = None
    if index + 1 < len(network.nodes) and network.nodes[index + 1].inputs == (index,):
        following = network.nodes[index + 1].op
        if isinstance(following, Activation):
            folds = activation_folds(following, bounds, index + 1, size, tolerance)
            signed = Signed(folds, *(np.empty((vertices, folds.words), np.uint64) for _ in range(2)))
    step = max(256, _CACHED // max(1, before.columns))
    work = partial(_stream_block, op, before, rows.values, signed, piece.subdivision.amplification, step)
    in_blocks(work, vertices, grain=step)
    piece.rows[index] = rows
    magnitude = largest(rows.sample())
    piece.bounds[index] = Bounds(magnitude, bounds.error)
    if signed is not None:
        rows.signed = replace(signed, folds=replace(signed.folds, slopes=padded(magnitude / size)))
    assert piece.unrecorded is not None
    unrecorded, piece.unrecorded = piece.unrecorded, None
    record_codes(piece, *unrecorded)


def _stream_block(
    op: Dense,
    before: Rows,
    out: np.ndarray,
    signed: Signed | None,
    amplification: np.ndarray,
    step: int,
    start: int,
    stop: int,
) -> None:
    """Rows `start:stop` of a dense layer and their decided signs, a cache's worth at a time."""
    scratch = np.empty((min(step, stop - start), before.columns))
    for low in range(start, stop, step):
        high = min(low + step, stop)
        part = scratch[: high - low]
        before.block(low, high, part)
        with torch.no_grad():
            op.evaluate(torch.from_numpy(part), out=torch.from_numpy(out[low:high]))
        if signed is not None:
            tables = (signed.folds.shifts, signed.folds.thresholds, amplification[low:high])
            pack_signs(0, high - low, out[low:high], *tables, signed.positive[low:high], signed.negative[low:high])


def _evaluate(piece: Piece, network: Network, index: int, last_use: tuple[int, ...]) -> None:
    """An op without folds."""
    node = network.nodes[index]
    vertices = piece.subdivision.num_vertices
    if isinstance(node.op, Reshape):
        source = piece.rows[node.inputs[0]]
        _set(piece, network, index, source if last_use[node.inputs[0]] == index else Rows(source.values.copy()))
        return
    inputs = [piece.rows[source].tensor(network.nodes[source].shape) for source in node.inputs]
    rows = Rows.empty(vertices, int(np.prod(node.shape, dtype=np.int64)))
    in_blocks(partial(_evaluate_block, node.op, inputs, rows.values), vertices, grain=256)
    _set(piece, network, index, rows)


def _evaluate_block(op: Op, inputs: list[torch.Tensor], out: np.ndarray, start: int, stop: int) -> None:
    """Evaluate an op at the vertices `start:stop`."""
    target = torch.from_numpy(out[start:stop])
    with torch.no_grad():
        if isinstance(op, Dense):
            op.evaluate(inputs[0][start:stop].reshape(stop - start, -1), out=target)
        else:
            target.copy_(op.evaluate(*(x[start:stop] for x in inputs)).reshape(target.shape))


def _activate(
    piece: Piece,
    network: Network,
    index: int,
    op: Activation,
    last_use: tuple[int, ...],
    size: float,
    tolerance: Tolerance,
) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    node = network.nodes[index]
    source = node.inputs[0]
    rows = piece.rows[source]
    units = rows.columns
    if rows.signed is not None:
        folds = rows.signed.folds
    else:
        folds = activation_folds(op, piece.bounds[source], index, size, tolerance)
    positive = fold(piece, rows, folds, tolerance)
    columns = (np.arange(len(folds.shifts))[:, None] * words_for(units) * WORD + np.arange(units)).ravel()
    if last_use[source] == index:
        del piece.rows[source]
    else:
        rows = Rows(rows.values.copy())
    rows.activate(op)
    piece.rows[index] = rows
    piece.bounds[index] = propagate(op, [piece.bounds[source]], [node.shape], largest(rows.sample()))
    piece.unrecorded = (index, positive, columns)
    if last_use[source] == index:
        del piece.bounds[source]


_CANDIDATES = -1
"""Key of the rows of a running tournament among a piece's live rows."""


def _maximise(piece: Piece, network: Network, index: int, op: Maximum, size: float, tolerance: Tolerance) -> None:
    """Maxima over groups, by a tournament of pairs; folds that another element hides are dissolved at the end."""
    node = network.nodes[index]
    source = node.inputs[0]
    groups = np.asarray(op.index)
    bounds = piece.bounds[source]
    order = filled(groups).T.reshape(-1)
    piece.rows[_CANDIDATES] = Rows(np.ascontiguousarray(piece.rows[source].values[:, order]))
    tournament = Round(len(groups), groups.shape[1], bounds.error[order], bounds.magnitude[order])
    while tournament.pairs:
        left, right = tournament.sides(piece.rows[_CANDIDATES].values)
        fold(piece, Rows(np.ascontiguousarray(right - left)), tournament.folds(index, size, tolerance), tolerance)
        piece.rows[_CANDIDATES] = Rows(tournament.larger(piece.rows[_CANDIDATES].values))
        tournament = tournament.following()
    means = _vertex_means(piece, piece.rows[source].values)
    positions = winning_positions(means, bounds.error, groups, tolerance)
    keep = _dissolve_hidden(piece, index, positions)
    best = piece.rows.pop(_CANDIDATES)
    shapes = [network.nodes[source].shape]
    piece.rows[index] = best
    piece.bounds[index] = propagate(op, [bounds], shapes, largest(best.sample()))
    piece.codes.append(position_codes(index, positions[keep], groups.shape[1]))


def _vertex_means(piece: Piece, values: np.ndarray) -> np.ndarray:
    """[F, n] mean over each face's vertices: the values at a point inside it."""
    subdivision = piece.subdivision
    inside = subdivision.face != OUTSIDE
    shape = (subdivision.num_faces, subdivision.num_vertices)
    incidence = csr_array(
        (np.ones(int(inside.sum())), (subdivision.face[inside], subdivision.origin[inside])), shape=shape
    )
    return (incidence @ values) / incidence.sum(axis=1)[:, None]


def _dissolve_hidden(piece: Piece, label: int, positions: np.ndarray) -> np.ndarray:
    """Remove the edges of a max node between cells with the same winners; the cells that are kept as numbers."""
    subdivision = piece.subdivision
    left, right = subdivision.face[0::2], subdivision.face[1::2]
    edges = np.flatnonzero((subdivision.edge_op == label) & (left != OUTSIDE) & (right != OUTSIDE))
    seen = visible(np.stack([left[edges], right[edges]], axis=1), subdivision.edge_unit[edges], positions)
    hidden, units = np.zeros(subdivision.num_edges, bool), subdivision.edge_unit.copy()
    hidden[edges], units[edges] = seen.hidden, seen.units
    piece.subdivision = subdivision = replace(subdivision, edge_unit=units)
    if not hidden.any():
        return np.arange(subdivision.num_faces)
    piece.subdivision, cells, vertices = without_edges(subdivision, hidden)
    piece.rows = {node: Rows(rows.values[vertices]) for node, rows in piece.rows.items()}
    piece.vertex_tags = piece.vertex_tags[vertices]
    piece.codes = [codes.taken(cells) for codes in piece.codes]
    return cells
