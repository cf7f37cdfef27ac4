r"""Decided signs of all units at all points of segments.

A value counts as zero within its rounding error, and within what it changes over the uncertainty of the point's own
position: a breakpoint at which a unit with slope $s$ crosses zero is known to $\delta t = \epsilon / s$, and a unit
that passes through zero at the same place is seen there with a value of up to $s' \delta t$.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges
from splinescope.tessellation.breakpoints import Folds


@dataclass(frozen=True)
class Signs:
    """Signs of a layer's units at all points.

    Attributes:
        positive: [P, words] bits of decided positive signs.
        negative: [P, words] bits of decided negative signs.
        amplification: [P] bound of the multiple of a threshold that was needed at each point.
    """

    positive: np.ndarray
    negative: np.ndarray
    amplification: np.ndarray


def decided_signs(
    values: np.ndarray, t: np.ndarray, inner: np.ndarray, uncertainty: np.ndarray, folds: Folds, cap: float
) -> Signs:
    """Decide the signs of `values - shifts`.

    Args:
        values: [P, n] pre-activations.
        t: [P] parameters of the points.
        inner: [P] whether an interval starts at each point.
        uncertainty: [P] how well the parameters are known.
        folds: Breakpoints and thresholds of the units.
        cap: Largest multiple of a threshold within which a value counts as zero.

    Returns:
        The signs; column `b * 64 * words + k` stands for unit `k` and breakpoint `b`.
    """
    positive, negative = (np.empty((len(t), folds.words), np.uint64) for _ in range(2))
    amplification = np.empty(len(t))
    usual = np.isfinite(folds.thresholds) & (folds.thresholds > np.finfo(np.float64).tiny)
    inverse = np.where(usual, 1.0 / np.where(usual, folds.thresholds, 1.0), 0.0)
    tables = (folds.shifts, folds.thresholds, inverse, cap)
    in_ranges(_decide, len(t), values, t, inner, uncertainty, *tables, positive, negative, amplification, grain=256)
    return Signs(positive, negative, amplification)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc"})
def _decide(
    start: int,
    stop: int,
    values: np.ndarray,
    t: np.ndarray,
    inner: np.ndarray,
    uncertainty: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    inverse: np.ndarray,
    cap: float,
    positive: np.ndarray,
    negative: np.ndarray,
    amplification: np.ndarray,
) -> None:
    units = values.shape[1]
    words = (units + 63) >> 6
    slack, limits = np.zeros(units), np.zeros(units)
    for point in range(start, stop):
        here, unsure = values[point], uncertainty[point]
        if point and inner[point - 1]:
            share, before = unsure / (t[point] - t[point - 1]), values[point - 1]
            for unit in range(units):
                slack[unit] = share * abs(here[unit] - before[unit])
        else:
            slack[:] = 0.0
        if inner[point]:
            share, after = unsure / (t[point + 1] - t[point]), values[point + 1]
            for unit in range(units):
                rising = share * abs(after[unit] - here[unit])
                slack[unit] = rising if rising > slack[unit] else slack[unit]
        fourth_powers = 0.0  # their root bounds the largest, and sums use wide registers
        for level in range(shifts.shape[0]):
            row, known, factor = shifts[level], thresholds[level], inverse[level]
            for unit in range(units):
                square = (slack[unit] * factor[unit]) ** 2
                fourth_powers += square * square
                limit, largest = known[unit] + slack[unit], cap * known[unit]
                limits[unit] = limit if limit < largest else largest
            for word in range(words):
                above, below = np.uint64(0), np.uint64(0)
                first = word * 64
                for bit in range(min(64, units - first)):
                    unit = first + bit
                    value = here[unit] - row[unit]
                    above |= np.uint64(value > limits[unit]) << np.uint64(bit)
                    below |= np.uint64(value < -limits[unit]) << np.uint64(bit)
                positive[point, level * words + word] = above
                negative[point, level * words + word] = below
        amplification[point] = min(cap, 1.0 + fourth_powers**0.25)
