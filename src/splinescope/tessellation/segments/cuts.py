"""Where the folds of one layer cut the intervals between the breakpoints that are known so far.

Interval `i` lies between the points `i` and `i + 1` of one segment; points of many segments follow each other, so that
the last point of a segment opens no interval. On an interval every unit is affine: an activation cuts it where its ends
have opposite decided signs, and a maximum where another member of a group takes the lead. Cuts that coincide within
their uncertainty become one breakpoint, so that no sliver arises from rounding; a difference of values is divided by
only after it was decided not to vanish.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.bits import count_ones, lowest_one, words_of
from splinescope.geometry.cuts import running_sums
from splinescope.numerics import in_ranges
from splinescope.tessellation.breakpoints import Folds
from splinescope.tessellation.segments.signs import Signs


@dataclass(frozen=True)
class Cuts:
    """New breakpoints: each is a group of cuts that coincide.

    Attributes:
        group_offsets: [P + 1] new points of interval `i` are `group_offsets[i]:group_offsets[i + 1]`, in order.
        cut_offsets: [G + 1] cuts of new point `g` are `cut_offsets[g]:cut_offsets[g + 1]`.
        columns: [C] column of each cut: a unit and one of its breakpoints, or a group of a maximum.
        jumps: [C] by how much the slope of the unit's output changes there, per length of the interval; of a maximum
            the position of the member that takes over.
        fractions: [G] position of each new point in its interval, in (0, 1).
        uncertainties: [G] how well that position is known.
    """

    group_offsets: np.ndarray
    cut_offsets: np.ndarray
    columns: np.ndarray
    jumps: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray

    def __len__(self) -> int:
        return len(self.fractions)


def cut_by_activation(
    values: np.ndarray,
    t: np.ndarray,
    inner: np.ndarray,
    uncertainty: np.ndarray,
    folds: Folds,
    slopes: np.ndarray,
    signs: Signs,
) -> Cuts:
    """Cuts of all intervals by the breakpoints of an activation.

    Args:
        values: [P, n] pre-activations.
        t: [P] parameters of the points.
        inner: [P] whether each point opens an interval.
        uncertainty: [P] how well the parameters are known.
        folds: Breakpoints and thresholds.
        slopes: [B + 1, n] slopes of the activation's pieces.
        signs: Decided signs.

    Returns:
        The cuts.
    """
    counts = np.empty(len(t), np.int64)
    in_ranges(_count, len(t), inner, signs.positive, signs.negative, counts, grain=512)
    offsets = running_sums(counts)
    raw = RawCuts.of(int(offsets[-1]))
    tables = (values, folds.shifts, folds.thresholds, slopes, signs.positive, signs.negative)
    in_ranges(_fill, len(t), t, inner, uncertainty, offsets, *tables, *raw.arrays(), grain=512)
    return grouped(offsets, raw)


@dataclass(frozen=True)
class RawCuts:
    """Cuts one by one, those of each interval together but not yet in order.

    Attributes:
        columns: See `Cuts`.
        jumps: See `Cuts`.
        fractions: [C] position of each cut.
        uncertainties: [C] how well it is known.
    """

    columns: np.ndarray
    jumps: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays, for a kernel."""
        return self.columns, self.jumps, self.fractions, self.uncertainties

    @classmethod
    def of(cls, total: int) -> RawCuts:
        """Room for so many cuts."""
        return cls(np.empty(total, np.int32), *(np.empty(total) for _ in range(3)))


def grouped(offsets: np.ndarray, raw: RawCuts) -> Cuts:
    """Sort the cuts of each interval and merge those that coincide.

    Args:
        offsets: [P + 1] cuts of each interval.
        raw: The cuts; sorted in place.

    Returns:
        The cuts in groups; a group lies where its best known cut is.
    """
    points, total = len(offsets) - 1, len(raw.columns)
    groups, opens = np.zeros(points, np.int64), np.zeros(total, np.bool_)
    in_ranges(_order, points, offsets, *raw.arrays(), opens, groups, grain=512)
    group_offsets = running_sums(groups)
    number = int(group_offsets[-1])
    ends, positions = np.full(number + 1, total, np.int64), (np.empty(number), np.empty(number))
    in_ranges(
        _describe, points, offsets, raw.fractions, raw.uncertainties, opens, group_offsets, ends, *positions, grain=512
    )
    return Cuts(group_offsets, ends, raw.columns, raw.jumps, *positions)


@njit(cache=True, nogil=True)
def _count(
    start: int, stop: int, inner: np.ndarray, positive: np.ndarray, negative: np.ndarray, counts: np.ndarray
) -> None:
    """Number of columns with opposite decided signs at the ends of each interval."""
    for here in range(start, stop):
        total = 0
        if inner[here]:
            for word in range(positive.shape[1]):
                rising = negative[here, word] & positive[here + 1, word]
                total += count_ones(rising | (positive[here, word] & negative[here + 1, word]))
        counts[here] = total


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    start: int,
    stop: int,
    t: np.ndarray,
    inner: np.ndarray,
    uncertainty: np.ndarray,
    offsets: np.ndarray,
    values: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    slopes: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    uncertainties: np.ndarray,
) -> None:
    """The cuts of each interval, by column."""
    padded = words_of(values.shape[1]) * 64
    for here in range(start, stop):
        at = offsets[here]
        if at == offsets[here + 1]:
            continue
        length = t[here + 1] - t[here]
        for word in range(positive.shape[1]):
            cut = (positive[here, word] & negative[here + 1, word]) | (negative[here, word] & positive[here + 1, word])
            while cut != np.uint64(0):
                column = word * 64 + lowest_one(cut)
                cut &= cut - np.uint64(1)
                level = column // padded
                unit = column - level * padded
                rise = values[here + 1, unit] - values[here, unit]
                fraction = (shifts[level, unit] - values[here, unit]) / rise
                error_here = error_next = thresholds[level, unit]
                if here and inner[here - 1]:
                    before = (values[here, unit] - values[here - 1, unit]) / (t[here] - t[here - 1])
                    error_here += uncertainty[here] * abs(rise / length - before)
                if inner[here + 1]:
                    after = (values[here + 2, unit] - values[here + 1, unit]) / (t[here + 2] - t[here + 1])
                    error_next += uncertainty[here + 1] * abs(rise / length - after)
                columns[at] = column
                fractions[at] = fraction
                uncertainties[at] = ((1.0 - fraction) * error_here + fraction * error_next) / abs(rise)
                jumps[at] = (slopes[level + 1, unit] - slopes[level, unit]) * abs(rise)
                at += 1


@njit(cache=True, nogil=True)
def _order(
    start: int,
    stop: int,
    offsets: np.ndarray,
    columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    uncertainties: np.ndarray,
    opens: np.ndarray,
    groups: np.ndarray,
) -> None:
    """Sort the cuts of each interval, and mark those that don't coincide with the best known one of the group before.

    A cut that is hardly known so joins one neighbour; it never links two that are known to be apart.
    """
    for here in range(start, stop):
        first, last = offsets[here], offsets[here + 1]
        if last - first > 1:
            order = _sorted(fractions[first:last])
            columns[first:last] = columns[first:last][order]
            jumps[first:last] = jumps[first:last][order]
            fractions[first:last] = fractions[first:last][order]
            uncertainties[first:last] = uncertainties[first:last][order]
        best = first
        for at in range(first, last):
            if at == first or fractions[at] - fractions[best] > uncertainties[best] + uncertainties[at]:
                opens[at] = True
                groups[here] += 1
                best = at
            elif uncertainties[at] < uncertainties[best]:
                best = at


@njit(cache=True, nogil=True)
def _sorted(keys: np.ndarray) -> np.ndarray:
    """Order of keys; equal ones stay in place."""
    if keys.size > 32:
        return np.argsort(keys, kind="mergesort")
    order = np.arange(keys.size)
    for i in range(1, keys.size):
        item = order[i]
        j = i - 1
        while j >= 0 and keys[order[j]] > keys[item]:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = item
    return order


@njit(cache=True, nogil=True)
def _describe(
    start: int,
    stop: int,
    offsets: np.ndarray,
    fractions: np.ndarray,
    uncertainties: np.ndarray,
    opens: np.ndarray,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    positions: np.ndarray,
    known: np.ndarray,
) -> None:
    """Position of each group: that of its best known cut."""
    for here in range(start, stop):
        group = group_offsets[here] - 1
        for at in range(offsets[here], offsets[here + 1]):
            if opens[at]:
                group += 1
                cut_offsets[group] = at
            if opens[at] or uncertainties[at] < known[group]:
                positions[group], known[group] = fractions[at], uncertainties[at]
