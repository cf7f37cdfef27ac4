"""A dense layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from splinescope.geometry.bits import pack_signs
from splinescope.network.ops import AffineOp
from splinescope.network.ops.devices import home
from splinescope.numerics import in_blocks
from splinescope.tessellation.planar.followers import Grown, RowTarget, anchors_of, write_between
from splinescope.tessellation.planar.rows import GrowingRows, Signed
from splinescope.tessellation.thresholds import LayerFolds
from splinescope.tessellation.zeros import mark_unproved

_CACHED = 1 << 17
"""Numbers that fit in a processor's second-level cache together with what else is in use."""

_MOVED = 1 << 22
"""Numbers that go to another device at once."""


def streamed(
    op: AffineOp,
    size: int,
    before: GrowingRows,
    uncertainty: np.ndarray,
    folds: LayerFolds | None,
    spare: bool,
    follow: bool = False,
) -> GrowingRows:
    """Rows of a dense layer, with their signs where another activation follows.

    Args:
        op: The layer.
        size: Number of its outputs.
        before: Rows of the activation before it.
        uncertainty: [V] how well the positions of the vertices are known.
        folds: Folds of the activation that follows, or None.
        spare: Whether there is to be room for more rows.
        follow: Whether rows at the newest vertices are to follow from the others.

    Returns:
        The rows.
    """
    before.load()
    vertices = before.length
    rows = GrowingRows.empty(vertices, size, spare=spare)
    signed = None
    if folds is not None:
        signed = Signed(folds, *(np.empty((vertices, folds.words), np.uint64) for _ in range(2)))
    step = max(256, (_CACHED if home() is None else _MOVED) // max(1, before.columns))
    grown = before.grown() if follow else None
    work = partial(_stream_block, op, before, rows.values, signed, uncertainty, step)
    in_blocks(work, vertices if grown is None else grown.old, grain=step)
    if grown is not None:
        _follow(op, before, grown, rows.values, signed, uncertainty)
    rows.signed = signed
    return rows


def _follow(
    op: AffineOp, before: GrowingRows, grown: Grown, out: np.ndarray, signed: Signed | None, uncertainty: np.ndarray
) -> None:
    """Rows at the newest vertices and their signs, when those at all others are there."""
    anchors = grown.old + anchors_of(grown)
    if len(anchors):
        chosen, found = before.taken(anchors), np.empty((len(anchors), out.shape[1]))
        bits = None
        if signed is not None:
            bits = Signed(signed.folds, *(np.empty((len(anchors), signed.folds.words), np.uint64) for _ in range(2)))
        step = max(256, _CACHED // before.columns)
        chosen.load()
        in_blocks(partial(_stream_block, op, chosen, found, bits, uncertainty[anchors], step), len(anchors), grain=step)
        out[anchors] = found
        if signed is not None and bits is not None:
            signed.positive[anchors], signed.negative[anchors] = bits.positive, bits.negative
    write_between(grown, _target(op, out, signed, uncertainty))


def _target(op: AffineOp, out: np.ndarray, signed: Signed | None, uncertainty: np.ndarray) -> RowTarget:
    """Where the rows go."""
    if signed is None:
        none, bits = np.empty((0, out.shape[1])), np.empty((0, 0), np.uint64)
        return RowTarget(op.columns, out, none, none, np.empty(0), uncertainty, bits, bits)
    tables = (signed.folds.shifts, signed.folds.thresholds, signed.folds.slopes)
    return RowTarget(op.columns, out, *tables, uncertainty, signed.positive, signed.negative)


def _stream_block(
    op: AffineOp,
    before: GrowingRows,
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
