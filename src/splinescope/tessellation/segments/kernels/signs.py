r"""Signs of all units at all points of segments, where float64 decides them.

A value decides a sign if it is further from zero than its rounding error, and than what it changes over the uncertainty
of the point's own position: a breakpoint at which a unit with slope $s$ crosses zero is known to $\delta t =
\epsilon / s$, and a unit that passes through zero at the same place is seen there with a value of up to
$s' \delta t$. The slopes are those of the intervals beside the point; where an interval is not longer than the point is
uncertain, they are not known, and no sign there is decided. What is left is for exact arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.bits import WORD, unpack, words_for
from splinescope.numerics import in_ranges
from splinescope.tessellation.codes import pack
from splinescope.tessellation.thresholds import LayerFolds


@dataclass(frozen=True)
class Signs:
    """Signs of a layer's units at all points; a unit that is neither positive nor negative is zero.

    Attributes:
        positive: [P, words] bits of positive signs.
        negative: [P, words] bits of negative signs.
    """

    positive: np.ndarray
    negative: np.ndarray

    def set(self, points: np.ndarray, columns: np.ndarray, signs: np.ndarray) -> None:
        """Note signs that were open: 1, -1, or 0 for zero."""
        for sign, words in ((1, self.positive), (-1, self.negative)):
            chosen = signs == sign
            bits = np.uint64(1) << (columns[chosen] & (WORD - 1)).astype(np.uint64)
            np.bitwise_or.at(words, (points[chosen], columns[chosen] >> 6), bits)


@dataclass(frozen=True)
class Routed:
    """Signs, and those that float64 leaves open, which are neither positive nor negative so far.

    Attributes:
        signs: The signs.
        points: [k] points of the open ones.
        columns: [k] their columns.
    """

    signs: Signs
    points: np.ndarray
    columns: np.ndarray


def routed_signs(
    values: np.ndarray, t: np.ndarray, inner: np.ndarray, uncertainty: np.ndarray, folds: LayerFolds
) -> Routed:
    """Decide the signs of `values - shifts` where float64 can.

    Args:
        values: [P, n] pre-activations.
        t: [P] parameters of the points.
        inner: [P] whether an interval starts at each point.
        uncertainty: [P] how well the parameters are known.
        folds: Breakpoints and thresholds of the units.

    Returns:
        The signs; column `b * 64 * words + k` stands for unit `k` and breakpoint `b`.
    """
    positive, negative = (np.empty((len(t), folds.words), np.uint64) for _ in range(2))
    open_points = np.zeros(len(t), np.bool_)
    folding = _folding(folds)
    tables = (folds.shifts, folds.thresholds, folding)
    in_ranges(_decide, len(t), values, t, inner, uncertainty, *tables, positive, negative, open_points, grain=256)
    rows = np.flatnonzero(open_points)
    missing = folding & ~(positive[rows] | negative[rows])
    row, column = np.nonzero(unpack(missing, folds.words * WORD))
    return Routed(Signs(positive, negative), rows[row], column)


def _folding(folds: LayerFolds) -> np.ndarray:
    """[words] bits of the columns at which something folds."""
    units = folds.shifts.shape[1]
    bits = np.zeros((len(folds.shifts), words_for(units) * WORD), np.uint8)
    bits[:, :units] = np.isfinite(folds.thresholds)
    return np.asarray(pack(bits.reshape(1, -1))[0])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "reassoc"})
def _decide(
    start: int,
    stop: int,
    values: np.ndarray,
    t: np.ndarray,
    inner: np.ndarray,
    uncertainty: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    folding: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    open_points: np.ndarray,
) -> None:
    units = values.shape[1]
    words = (units + 63) >> 6
    slack = np.zeros(units)
    for point in range(start, stop):
        here, unsure = values[point], uncertainty[point]
        slack[:] = 0.0
        known = True
        if unsure > 0.0:
            for side in (-1, 1):
                if side < 0 and not (point and inner[point - 1]):
                    continue
                if side > 0 and not inner[point]:
                    continue
                step, beside = abs(t[point + side] - t[point]), values[point + side]
                if step <= 8.0 * unsure:
                    known = False
                    break
                share = unsure / step
                for unit in range(units):
                    change = share * abs(here[unit] - beside[unit])
                    slack[unit] = change if change > slack[unit] else slack[unit]
        for level in range(shifts.shape[0]):
            row, threshold = shifts[level], thresholds[level]
            for word in range(words):
                above, below = np.uint64(0), np.uint64(0)
                first = word * 64
                if known:
                    for bit in range(min(64, units - first)):
                        unit = first + bit
                        value, limit = here[unit] - row[unit], threshold[unit] + slack[unit]
                        above |= np.uint64(value > limit) << np.uint64(bit)
                        below |= np.uint64(value < -limit) << np.uint64(bit)
                column = level * words + word
                positive[point, column] = above
                negative[point, column] = below
                if folding[column] & ~(above | below):
                    open_points[point] = True
