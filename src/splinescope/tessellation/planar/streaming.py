"""A dense layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from splinescope.geometry.bits import pack_signs
from splinescope.network.graph import Network
from splinescope.network.ops import AffineOp
from splinescope.network.ops.devices import home
from splinescope.numerics import in_blocks
from splinescope.tessellation.planar.rows import GrowingRows, Signed
from splinescope.tessellation.thresholds import LayerFolds
from splinescope.tessellation.zeros import mark_unproved

_CACHED = 1 << 17
"""Numbers that fit in a processor's second-level cache together with what else is in use."""

_MOVED = 1 << 22
"""Numbers that go to another device at once."""


def streams(network: Network, index: int) -> bool:
    """Whether a node is a dense layer that is the only reader of an activation."""
    node = network.nodes[index]
    if node.affine is None or node.affine.matrix is None:
        return False
    (source,) = node.inputs
    readers = sum(source in other.inputs for other in network.nodes)
    before = network.nodes[source].fold
    return readers == 1 and before is not None and before.elementwise


def streamed(
    op: AffineOp, size: int, before: GrowingRows, uncertainty: np.ndarray, folds: LayerFolds | None, spare: bool
) -> GrowingRows:
    """Rows of a dense layer, with their signs where another activation follows.

    Args:
        op: The layer.
        size: Number of its outputs.
        before: Rows of the activation before it.
        uncertainty: [V] how well the positions of the vertices are known.
        folds: Folds of the activation that follows, or None.
        spare: Whether there is to be room for more rows.

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
    work = partial(_stream_block, op, before, rows.values, signed, uncertainty, step)
    in_blocks(work, vertices, grain=step)
    rows.signed = signed
    return rows


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
