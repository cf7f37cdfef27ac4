"""What one node of a network does to a piece: evaluate it at the vertices, and cut the cells where it folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from splinescope.geometry.bits import WORD, pack_signs, unpack, words_for
from splinescope.geometry.planar.doubts import around_vertices
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.network.ops import Activation, AffineOp, Maximum, Op
from splinescope.numerics import in_blocks
from splinescope.tessellation.codes import compress, pack, select_columns
from splinescope.tessellation.maxima import (
    Round,
    agreed,
    filled,
    first_positions,
    maximum_column,
    position_codes,
    visible,
)
from splinescope.tessellation.planar.dissolve import without_edges, without_straight_vertices
from splinescope.tessellation.planar.judge import ExactJudge
from splinescope.tessellation.planar.piece import Folded, Piece, fold
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.rows import Rows, Signed
from splinescope.tessellation.thresholds import activation_folds
from splinescope.tessellation.zeros import mark_unproved

_CACHED = 1 << 17
"""Numbers that fit in a processor's second-level cache together with what else is in use."""


def advance(piece: Piece, plan: Plan) -> None:
    """Take a piece through its next node, in place.

    Args:
        piece: The piece.
        plan: The network.
    """
    index = piece.position
    node = plan.network.nodes[index]
    if node.affine is not None and node.affine.matrix is not None and _streams(piece, plan, index):
        _stream(piece, plan, index, node.affine)
    else:
        _write_down(piece)
        if isinstance(node.op, Activation):
            _activate(piece, plan, index, node.op)
        elif isinstance(node.op, Maximum):
            _maximise(piece, plan, index, node.op)
        else:
            _evaluate(piece, plan, index)
    for source in node.inputs:
        if plan.last_use[source] == index:
            piece.rows.pop(source, None)
    piece.position += 1
    if piece.position == len(plan.network.nodes):
        _write_down(piece)


def _judge(piece: Piece, plan: Plan, label: int, named: Callable[[int, int], int]) -> ExactJudge:
    """Who decides the signs in doubt of a fold of a piece."""
    return ExactJudge(plan, piece.subdivision, piece.codes, label, named)


def _write_down(piece: Piece) -> None:
    """Settle the rows of the last activation, if no dense layer has streamed them."""
    if piece.activated is not None:
        piece.rows[piece.activated].settle()
        piece.activated = None


def _streams(piece: Piece, plan: Plan, index: int) -> bool:
    """Whether a dense node is the only reader of an activation just before it."""
    source = plan.network.nodes[index].inputs[0]
    readers = sum(source in node.inputs for node in plan.network.nodes)
    return piece.activated == source and readers == 1 and plan.last_use[source] == index


def _stream(piece: Piece, plan: Plan, index: int, op: AffineOp) -> None:
    """A dense layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""
    network = plan.network
    source = network.nodes[index].inputs[0]
    before, vertices = piece.rows[source], piece.subdivision.num_vertices
    before.load()
    rows = Rows.empty(vertices, network.nodes[index].size, spare=index != network.output)
    signed = None
    if index + 1 < len(network.nodes) and network.nodes[index + 1].inputs == (index,):
        following = network.nodes[index + 1].op
        if isinstance(following, Activation):
            bounds = plan.bounds(index, piece.subdivision.points)
            folds = activation_folds(following, bounds, index + 1)
            signed = Signed(folds, *(np.empty((vertices, folds.words), np.uint64) for _ in range(2)))
    step = max(256, _CACHED // max(1, before.columns))
    work = partial(_stream_block, op, before, rows.values, signed, piece.subdivision.uncertainty, step)
    in_blocks(work, vertices, grain=step)
    piece.rows[index] = rows
    rows.signed = signed
    piece.activated = None


def _stream_block(
    op: AffineOp,
    before: Rows,
    out: np.ndarray,
    signed: Signed | None,
    uncertainty: np.ndarray,
    step: int,
    start: int,
    stop: int,
) -> None:
    """Rows `start:stop` of a dense layer and their signs, a cache's worth at a time."""
    scratch = np.empty((min(step, stop - start), before.columns))
    for low in range(start, stop, step):
        high = min(low + step, stop)
        part = scratch[: high - low]
        before.block(low, high, part)
        with torch.no_grad():
            op.write(torch.from_numpy(out[low:high]), torch.from_numpy(part))
        doubts = 1
        if signed is not None:
            folds = signed.folds
            tables = (folds.shifts, folds.thresholds, folds.slopes, uncertainty[low:high])
            signs = (signed.positive[low:high], signed.negative[low:high])
            doubts = pack_signs(0, high - low, out[low:high], *tables, *signs)
        if doubts:
            mark_unproved(op, [torch.from_numpy(part)], out[low:high])


def _evaluate(piece: Piece, plan: Plan, index: int) -> None:
    """An op without folds."""
    node = plan.network.nodes[index]
    vertices = piece.subdivision.num_vertices
    if node.affine is not None and node.affine.keeps_order:
        source = node.inputs[0]
        rows = piece.rows[source]
        piece.rows[index] = rows if plan.last_use[source] == index else Rows(rows.values.copy())
        return
    inputs = [piece.rows[source].tensor(plan.network.nodes[source].shape) for source in node.inputs]
    rows = Rows.empty(vertices, node.size)
    in_blocks(partial(_evaluate_block, node.op, inputs, rows.values), vertices, grain=256)
    piece.rows[index] = rows


def _evaluate_block(op: Op, inputs: list[torch.Tensor], out: np.ndarray, start: int, stop: int) -> None:
    """Evaluate an op at the vertices `start:stop`."""
    target = torch.from_numpy(out[start:stop])
    with torch.no_grad():
        op.write(target, *(x[start:stop] for x in inputs))
        mark_unproved(op, [x[start:stop] for x in inputs], out[start:stop])


def _activate(piece: Piece, plan: Plan, index: int, op: Activation) -> None:
    """An elementwise activation: cut at its breakpoints, then apply it to the rows."""
    source = plan.network.nodes[index].inputs[0]
    rows = piece.rows[source]
    units = rows.columns
    if rows.signed is not None:
        folds = rows.signed.folds
    else:
        folds = activation_folds(op, plan.bounds(source, piece.subdivision.points), index)
    names = folds.units
    found = fold(piece, rows, folds, _judge(piece, plan, index, lambda _, column: int(names[column])))
    columns = (np.arange(len(folds.shifts))[:, None] * words_for(units) * WORD + np.arange(units)).ravel()
    bits = found.bits
    if not np.array_equal(columns, np.arange(len(columns))):
        bits = select_columns(bits, columns.astype(np.int32))
    piece.codes.append(compress(index, bits, len(columns)))
    if plan.last_use[source] == index:
        del piece.rows[source]
    else:
        rows = Rows(rows.values.copy())
    rows.activate(op)
    piece.rows[index] = rows
    piece.activated = index


_CANDIDATES = -1
"""Key of the rows of a running tournament among a piece's live rows."""


def _maximise(piece: Piece, plan: Plan, index: int, op: Maximum) -> None:
    """Maxima over groups, by a tournament of pairs; folds that another element hides are dissolved at the end."""
    source = plan.network.nodes[index].inputs[0]
    groups = np.asarray(op.index)
    number, width = groups.shape
    bounds = plan.bounds(source, piece.subdivision.points)
    order = filled(groups).T.reshape(-1)
    before = plan.network.folds.get(plan.network.origin(source))
    clamped = before is not None and before.clamps  # a zero is then one to the last bit
    piece.rows[_CANDIDATES] = Rows(np.ascontiguousarray(piece.rows[source].values[:, order]))
    leads = np.tile(first_positions(groups).T.reshape(-1), (piece.subdivision.num_faces, 1))
    tournament = Round(number, width, bounds.error[order], bounds.magnitude[order])
    while tournament.pairs:
        left, right = tournament.sides(piece.rows[_CANDIDATES].values)
        pairs = tournament.sides(leads)

        def named(face: int, column: int, pairs: tuple[np.ndarray, np.ndarray] = pairs) -> int:
            left, right = (int(side[face, column]) for side in pairs)
            return maximum_column(right, left, column % number, number, width)

        settled = _alike(piece, pairs)
        if clamped:
            settled |= pack((left == 0.0) & (right == 0.0))
        judge = _judge(piece, plan, index, named)
        folds = tournament.folds(index)
        differences = Rows(tournament.differences(left, right))
        found = fold(piece, differences, folds, judge, settled)
        _name_edges(piece, found, pairs, number, width)
        if tournament.width == width:
            columns = tournament.sides(np.arange(len(order)))
            agreed(piece.rows[_CANDIDATES].values, differences.values, *columns, order, bounds.error[order])
        larger = unpack(found.bits, pairs[0].shape[1]).astype(bool)
        leads = tournament.winners(leads[found.parent], larger)
        piece.rows[_CANDIDATES] = Rows(tournament.larger_at(piece.rows[_CANDIDATES].values, differences.values))
        tournament = tournament.following()
    positions = leads[:, :number]
    keep = _dissolve_hidden(piece, index, positions, width)
    piece.rows[index] = piece.rows.pop(_CANDIDATES)
    piece.codes.append(position_codes(index, positions[keep], width))


def _alike(piece: Piece, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """[V, words] pairs that are one and the same member in some cell around each vertex."""
    subdivision = piece.subdivision
    return around_vertices(subdivision.halves, pack(pairs[0] == pairs[1]), subdivision.num_vertices)[0]


def _name_edges(piece: Piece, found: Folded, pairs: tuple[np.ndarray, np.ndarray], groups: int, width: int) -> None:
    """Label the edges of a round by the two members that are equal on them."""
    subdivision = piece.subdivision
    made = np.arange(found.inner, subdivision.num_edges)
    column = subdivision.edge_column[made]
    cell = found.parent[subdivision.face[2 * made]]
    first, second = (side[cell, column].astype(np.int64) for side in pairs)
    subdivision.edge_column[made] = (first * width + second) * groups + column % groups


def _dissolve_hidden(piece: Piece, label: int, positions: np.ndarray, width: int) -> np.ndarray:
    """Remove the edges of a max node between cells with the same winners; the cells that are kept as numbers."""
    subdivision = piece.subdivision
    groups = positions.shape[1]
    left, right = subdivision.face[0::2], subdivision.face[1::2]
    edges = np.flatnonzero((subdivision.edge_op == label) & (left != OUTSIDE) & (right != OUTSIDE))
    sides = np.stack([left[edges], right[edges]], axis=1)
    seen = visible(sides, subdivision.edge_column[edges] % groups, positions)
    first, second = (positions[sides[:, k], seen.units].astype(np.int64) for k in range(2))
    columns, hidden = subdivision.edge_column.copy(), np.zeros(subdivision.num_edges, bool)
    columns[edges] = np.where(seen.hidden, columns[edges], (first * width + second) * groups + seen.units)
    hidden[edges] = seen.hidden
    piece.subdivision = subdivision = replace(subdivision, edge_column=columns)
    if not hidden.any():
        return np.arange(subdivision.num_faces)
    piece.subdivision, cells, vertices = without_edges(subdivision, hidden)
    piece.subdivision, kept = without_straight_vertices(piece.subdivision, piece.vertex_tags[vertices])
    vertices = vertices[kept]
    piece.rows = {node: Rows(rows.values[vertices]) for node, rows in piece.rows.items()}
    piece.vertex_tags = piece.vertex_tags[vertices]
    piece.codes = [codes.taken(cells) for codes in piece.codes]
    return cells
