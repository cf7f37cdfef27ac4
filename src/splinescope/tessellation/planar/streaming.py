"""A layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from splinescope.geometry.bits import pack_signs
from splinescope.network.ops import AffineOp
from splinescope.network.ops.devices import home
from splinescope.numerics import in_blocks
from splinescope.tessellation.planar.followers import Grown, RowTarget, anchors_of, kinking, write_between
from splinescope.tessellation.planar.rows import GrowingRows, Signed
from splinescope.tessellation.planar.stencils import Stencils, no_stencils, stencils_of
from splinescope.tessellation.thresholds import LayerFolds
from splinescope.tessellation.zeros import mark_unproved

_CACHED = 1 << 17
"""Numbers that fit in a processor's second-level cache together with what else is in use."""

_FEWEST_ROWS, _FEWEST_IMAGES = 256, 16
"""Rows, and images, that are taken at once at least."""
_MOVED = 1 << 22
"""Numbers that go to another device at once."""


def streamed(
    op: AffineOp,
    size: int,
    before: GrowingRows,
    shape: tuple[int, ...],
    uncertainty: np.ndarray,
    folds: LayerFolds | None,
    spare: bool,
    follow: bool = False,
) -> GrowingRows:
    """Rows of a dense layer or a convolution, with their signs where another activation follows.

    Args:
        op: The layer.
        size: Number of its outputs.
        before: Rows of the activation before it.
        shape: Shape of that.
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
    step = _step(op, before)
    grown = before.grown() if follow else None
    work = partial(_stream_block, op, before, shape, rows.values, signed, uncertainty, step)
    in_blocks(work, vertices if grown is None else grown.old, grain=step)
    if grown is not None:
        _follow(op, before, shape, grown, rows.values, signed, uncertainty)
    rows.signed = signed
    return rows


def _step(op: AffineOp, before: GrowingRows) -> int:
    """Vertices that are taken at once: a product wants many rows, a convolution images in the cache."""
    least = _FEWEST_IMAGES if op.is_local else _FEWEST_ROWS
    return max(least, (_CACHED if home() is None else _MOVED) // max(1, before.columns))


def _follow(
    op: AffineOp,
    before: GrowingRows,
    shape: tuple[int, ...],
    grown: Grown,
    out: np.ndarray,
    signed: Signed | None,
    uncertainty: np.ndarray,
) -> None:
    """Rows at the newest vertices and their signs, when those at all others are there."""
    anchors = grown.old + anchors_of(grown)
    if len(anchors):
        chosen, found = before.taken(anchors), np.empty((len(anchors), out.shape[1]))
        bits = None
        if signed is not None:
            bits = Signed(signed.folds, *(np.empty((len(anchors), signed.folds.words), np.uint64) for _ in range(2)))
        step = _step(op, before)
        chosen.load()
        work = partial(_stream_block, op, chosen, shape, found, bits, uncertainty[anchors], step)
        in_blocks(work, len(anchors), grain=step)
        out[anchors] = found
        if signed is not None and bits is not None:
            signed.positive[anchors], signed.negative[anchors] = bits.positive, bits.negative
    columns, stencils = np.empty((0, out.shape[1])), no_stencils()
    if op.is_local:
        stencils = stencils_of(op, shape, kinking(grown))
    else:
        columns = op.columns
    write_between(grown, _target(columns, stencils, out, signed, uncertainty))


def _target(
    columns: np.ndarray, stencils: Stencils, out: np.ndarray, signed: Signed | None, uncertainty: np.ndarray
) -> RowTarget:
    """Where the rows go."""
    if signed is None:
        none, bits = np.empty((0, out.shape[1])), np.empty((0, 0), np.uint64)
        return RowTarget(columns, stencils, out, none, none, np.empty(0), uncertainty, bits, bits)
    tables = (signed.folds.shifts, signed.folds.thresholds, signed.folds.slopes)
    return RowTarget(columns, stencils, out, *tables, uncertainty, signed.positive, signed.negative)


def _stream_block(
    op: AffineOp,
    before: GrowingRows,
    shape: tuple[int, ...],
    out: np.ndarray,
    signed: Signed | None,
    uncertainty: np.ndarray,
    step: int,
    start: int,
    stop: int,
) -> None:
    """Rows `start:stop` of a layer and their signs, a cache's worth at a time."""
    scratch = np.empty((min(step, stop - start), before.columns))
    for low in range(start, stop, step):
        high = min(low + step, stop)
        part = scratch[: high - low]
        before.block(low, high, part)
        images = torch.from_numpy(part).reshape(-1, *shape)
        with torch.no_grad():
            op.write(torch.from_numpy(out[low:high]), images)
        doubts = 1
        if signed is not None:
            folds = signed.folds
            tables = (folds.shifts, folds.thresholds, folds.slopes, uncertainty[low:high])
            signs = (signed.positive[low:high], signed.negative[low:high])
            doubts = pack_signs(0, high - low, out[low:high], *tables, *signs)
        if doubts:
            mark_unproved(op, [images], out[low:high])
