"""Values of a node at the points of some segments, written down as late as possible.

Behind a fold the values at the new points are not needed one by one. An affine op that reads the activation is affine
between the old points but for the kinks that the new ones make, one column of its matrix each (`kinks`). Only ops of
another kind ask for all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numba import njit

from splinescope.network.ops import Activation
from splinescope.numerics import in_blocks, in_ranges
from splinescope.tessellation.segments.kernels.anchors import anchored
from splinescope.tessellation.segments.kernels.crossings import Cuts
from splinescope.tessellation.thresholds import LayerFolds


@dataclass(frozen=True)
class SettledValues:
    """Values at all points.

    Attributes:
        rows: [P, n].
    """

    rows: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return self.rows.nbytes

    def part(self, keep: np.ndarray | slice) -> SettledValues:
        """The values at some of the points."""
        return SettledValues(np.array(self.rows[keep]))


@dataclass(frozen=True)
class CutActivation:
    """An activation of values that are known at the old points, and where it was cut.

    Attributes:
        before: [P0, n] values before the activation, at the old points.
        op: The activation.
        folds: Its breakpoints.
        cuts: The new points.
    """

    before: np.ndarray
    op: Activation
    folds: LayerFolds
    cuts: Cuts

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, once settled."""
        return (len(self.before) + len(self.cuts)) * self.before.shape[1] * 8

    @cached_property
    def rows(self) -> np.ndarray:
        """[P, n] values at all points."""
        out = expanded(self.before, self.cuts)
        in_ranges(
            _vanish,
            len(self.before),
            self.cuts.group_offsets,
            self.cuts.cut_offsets,
            self.cuts.columns,
            self.folds.shifts,
            out,
            grain=512,
        )
        in_blocks(lambda start, stop: activate(self.op, out[start:stop]), len(out), grain=256)
        return out

    def part(self, keep: np.ndarray | slice) -> SettledValues | CutActivation:
        """The values at some of the points; of points in a row those inside stay new."""
        if not isinstance(keep, slice):
            return SettledValues(self.rows[keep])
        part = anchored(self.before, self.folds, self.cuts, keep.start, keep.stop)
        return CutActivation(part.before, self.op, self.folds, part.cuts)


Value = SettledValues | CutActivation


def activate(op: Activation, rows: np.ndarray) -> None:
    """Apply an activation in place."""
    tensor = torch.from_numpy(rows)
    with torch.no_grad():
        if op.is_relu:
            tensor.clamp_(min=0.0)
        else:
            tensor.copy_(op.evaluate(tensor))


def expanded(rows: np.ndarray, cuts: Cuts) -> np.ndarray:
    """Rows of values that are affine on every interval, with those at new points in between.

    Args:
        rows: [P0, n] values at the old points.
        cuts: The new points.

    Returns:
        [P, n] values at all points in order.
    """
    out = np.empty((len(rows) + len(cuts), rows.shape[1]))
    in_ranges(_expand, len(rows), rows, cuts.group_offsets, cuts.fractions, out, grain=256)
    return out


@njit(cache=True, nogil=True)
def _expand(
    start: int, stop: int, rows: np.ndarray, group_offsets: np.ndarray, fractions: np.ndarray, out: np.ndarray
) -> None:
    for here in range(start, stop):
        target = here + group_offsets[here]
        out[target] = rows[here]
        for group in range(group_offsets[here], group_offsets[here + 1]):
            target += 1
            fraction = fractions[group]
            for unit in range(rows.shape[1]):
                value = rows[here, unit]
                out[target, unit] = value + fraction * (rows[here + 1, unit] - value)


@njit(cache=True, nogil=True)
def _vanish(
    start: int,
    stop: int,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    columns: np.ndarray,
    shifts: np.ndarray,
    out: np.ndarray,
) -> None:
    """Put the units that are cut exactly on their breakpoints at the new points, and beside them at the other ones.

    The order of cuts was decided, if need be in exact arithmetic: an interpolation may have the value of a unit on the
    other side of its breakpoint.
    """
    padded = (out.shape[1] + 63) // 64 * 64
    for here in range(start, stop):
        first, last = group_offsets[here], group_offsets[here + 1]
        for group in range(first, last):
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                level = columns[at] // padded
                unit = columns[at] - level * padded
                shift = shifts[level, unit]
                rises = out[here + first, unit] < shift  # where the interval starts
                out[here + 1 + group, unit] = shift
                # Interpolations are monotonic: those that are wrong are next to the cut.
                for step in (-1, 1):
                    above = (step > 0) == rises
                    other = group + step
                    while first <= other < last:
                        value = out[here + 1 + other, unit]
                        if value > shift if above else value < shift:
                            break
                        out[here + 1 + other, unit] = np.nextafter(shift, np.inf if above else -np.inf)
                        other += step
