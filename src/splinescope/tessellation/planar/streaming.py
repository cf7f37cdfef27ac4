"""A layer over rows that were never written down: interpolate, activate, multiply, pack, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from splinescope.geometry.bits import pack_signs
from splinescope.network.ops import AffineOp
from splinescope.network.ops.devices import home
from splinescope.numerics import in_blocks
from splinescope.tessellation.planar.followers import Grown, RowTarget, anchors_of, kinking, write_between
from splinescope.tessellation.planar.rows import GrowingRows, Signed
from splinescope.tessellation.planar.stencils import no_stencils, stencils_of
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
    layer = _Layer(op, before, shape, rows.values, signed, uncertainty)
    grown = before.grown() if follow else None
    if grown is None:
        in_blocks(layer.write, vertices, grain=layer.step)
    else:
        in_blocks(layer.write, grown.old, grain=layer.step)
        anchors = grown.old + anchors_of(grown)
        in_blocks(partial(layer.write_some, anchors), len(anchors), grain=layer.step)
        write_between(grown, layer.target(grown))
    rows.signed = signed
    return rows


@dataclass(frozen=True)
class _Layer:
    """A layer, what it reads, and where its rows and their signs go.

    Attributes:
        op: The layer.
        before: Rows of the activation before it.
        shape: Shape of that.
        out: [V, n] its rows.
        signed: Their signs, or None.
        uncertainty: [V] how well the positions of the vertices are known.
    """

    op: AffineOp
    before: GrowingRows
    shape: tuple[int, ...]
    out: np.ndarray
    signed: Signed | None
    uncertainty: np.ndarray

    @property
    def step(self) -> int:
        """Number of vertices taken at once; a product wants many rows, and a convolution images in the cache."""
        least = _FEWEST_IMAGES if self.op.is_local else _FEWEST_ROWS
        return max(least, (_CACHED if home() is None else _MOVED) // max(1, self.before.columns))

    def write(self, start: int, stop: int) -> None:
        """Rows `start:stop`, a cache's worth at a time."""
        scratch = np.empty((min(self.step, stop - start), self.before.columns))
        for low in range(start, stop, self.step):
            high = min(low + self.step, stop)
            self.before.block(low, high, scratch[: high - low])
            bits = None if self.signed is None else (self.signed.positive[low:high], self.signed.negative[low:high])
            self._multiply(scratch[: high - low], self.out[low:high], self.uncertainty[low:high], bits)

    def write_some(self, vertices: np.ndarray, start: int, stop: int) -> None:
        """The rows of `vertices[start:stop]`."""
        count = min(self.step, stop - start)
        scratch, found = np.empty((count, self.before.columns)), np.empty((count, self.out.shape[1]))
        for low in range(start, stop, self.step):
            chosen = vertices[low : min(low + self.step, stop)]
            part, rows = scratch[: len(chosen)], found[: len(chosen)]
            self.before.chosen(chosen, part)
            bits = None
            if self.signed is not None:
                bits = self.signed.positive[chosen], self.signed.negative[chosen]
            self._multiply(part, rows, self.uncertainty[chosen], bits)
            self.out[chosen] = rows
            if self.signed is not None and bits is not None:
                self.signed.positive[chosen], self.signed.negative[chosen] = bits

    def _multiply(
        self, part: np.ndarray, out: np.ndarray, uncertainty: np.ndarray, bits: tuple[np.ndarray, np.ndarray] | None
    ) -> None:
        """Apply the layer to some rows, and take the signs."""
        images = torch.from_numpy(part).reshape(-1, *self.shape)
        with torch.no_grad():
            self.op.write(torch.from_numpy(out), images)
        doubts = 1
        if self.signed is not None and bits is not None:
            folds = self.signed.folds
            tables = (folds.shifts, folds.thresholds, folds.slopes, uncertainty)
            doubts = pack_signs(0, len(out), out, *tables, *bits)
        if doubts:
            mark_unproved(self.op, [images], out)

    def target(self, grown: Grown) -> RowTarget:
        """Where rows between others go, with the weights of the units that fold."""
        columns, stencils = np.empty((0, self.out.shape[1])), no_stencils()
        if self.op.is_local:
            stencils = stencils_of(self.op, self.shape, kinking(grown))
        else:
            columns = self.op.columns
        shifts, bits = np.empty((0, self.out.shape[1])), np.empty((0, 0), np.uint64)
        tables = (columns, stencils, self.out)
        if self.signed is None:
            return RowTarget(*tables, shifts, shifts, np.empty(0), self.uncertainty, bits, bits)
        folds = self.signed.folds
        signs = (self.uncertainty, self.signed.positive, self.signed.negative)
        return RowTarget(*tables, folds.shifts, folds.thresholds, folds.slopes, *signs)
