"""Where the folds of one layer cut the intervals between the breakpoints that are known so far.

Interval `i` lies between the points `i` and `i + 1` of one segment; points of many segments follow each other, so that
the last point of a segment opens no interval. On an interval every unit is affine: an activation cuts it where its ends
have opposite signs, and a maximum where another member of a group takes the lead. Cuts that float64 can tell apart are
in its order; all others are compared in exact arithmetic, and become one breakpoint only if they coincide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.bits import count_ones, lowest_one, words_of
from splinescope.geometry.planar.edge_cuts import running_sums
from splinescope.numerics import UNIT_ROUNDOFF, in_ranges
from splinescope.tessellation.segments.kernels.signs import Signs
from splinescope.tessellation.thresholds import LayerFolds

_INTERVAL = 2.0**-4
"""Uncertainty of a cut, as a share of the interval, with which float64 hardly knows where in the interval it is."""
_ROUNDINGS = 8.0 * UNIT_ROUNDOFF
"""Uncertainty of a parameter that an exact position would have, too."""
_LEAST = np.finfo(np.float64).tiny
_MOST = 1.0 - UNIT_ROUNDOFF


@dataclass(frozen=True)
class Cuts:
    """New breakpoints: each is a group of cuts that coincide.

    Attributes:
        group_offsets: [P + 1] new points of interval `i` are `group_offsets[i]:group_offsets[i + 1]`, in order.
        cut_offsets: [G + 1] cuts of new point `g` are `cut_offsets[g]:cut_offsets[g + 1]`.
        columns: [C] column of each cut: a unit and one of its breakpoints, or two members of a group: `maximum_column`.
        jumps: [C] by how much the slope of the unit's output changes there, per length of the interval; of a maximum
            the position of the member that takes over.
        fractions: [G] position of each new point in its interval, in (0, 1).
        uncertainties: [G] how well the parameter of that position is known.
    """

    group_offsets: np.ndarray
    cut_offsets: np.ndarray
    columns: np.ndarray
    jumps: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray

    def __len__(self) -> int:
        return len(self.fractions)

    def only(self, new: int) -> Cuts:
        """The cuts that one of the new breakpoints is."""
        start, stop = self.cut_offsets[new : new + 2]
        here = slice(new, new + 1)
        return Cuts(
            (self.group_offsets > new).astype(np.int64),
            np.array([0, stop - start]),
            self.columns[start:stop],
            self.jumps[start:stop],
            self.fractions[here],
            self.uncertainties[here],
        )


@dataclass(frozen=True)
class Placed:
    """Exact answers about some cuts of one interval.

    Attributes:
        order: The cuts in ascending order.
        opens: Of the cuts in order, whether each lies behind the one before.
        fractions: Positions in the interval of the cuts in order.
        uncertainties: How well the parameters of these are known.
    """

    order: np.ndarray
    opens: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray


Place = Callable[[int, np.ndarray], Placed | None]
"""Exact order and positions of the cuts with some columns in an interval; None if they cost too much."""


def cut_by_activation(
    values: np.ndarray,
    t: np.ndarray,
    inner: np.ndarray,
    uncertainty: np.ndarray,
    folds: LayerFolds,
    slopes: np.ndarray,
    signs: Signs,
) -> Raw:
    """Cuts of all intervals by the breakpoints of an activation.

    Args:
        values: [P, n] pre-activations.
        t: [P] parameters of the points.
        inner: [P] whether each point opens an interval.
        uncertainty: [P] how well the parameters are known.
        folds: Breakpoints and thresholds.
        slopes: [B + 1, n] slopes of the activation's pieces.
        signs: Signs at the points.

    Returns:
        The cuts one by one.
    """
    counts = np.empty(len(t), np.int64)
    in_ranges(_count, len(t), inner, signs.positive, signs.negative, counts, grain=512)
    raw = Raw.of(running_sums(counts))
    tables = (values, folds.shifts, folds.thresholds, slopes, signs.positive, signs.negative)
    in_ranges(_fill, len(t), t, inner, uncertainty, raw.offsets, *tables, *raw.arrays(), grain=512)
    return raw


@dataclass(frozen=True)
class Raw:
    """Cuts one by one, those of each interval together but not yet in order.

    Attributes:
        offsets: [P + 1] cuts of each interval.
        columns: See `Cuts`.
        jumps: See `Cuts`.
        fractions: [C] position of each cut.
        uncertainties: [C] how well its parameter is known; infinite where it isn't.
    """

    offsets: np.ndarray
    columns: np.ndarray
    jumps: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays over the cuts, for a kernel."""
        return self.columns, self.jumps, self.fractions, self.uncertainties

    @classmethod
    def of(cls, offsets: np.ndarray, columns: type = np.int32) -> Raw:
        """Room for so many cuts of each interval."""
        total = int(offsets[-1])
        return cls(offsets, np.empty(total, columns), *(np.empty(total) for _ in range(3)))


def grouped(raw: Raw, t: np.ndarray, place: Place, share: float) -> Cuts:
    """Sort the cuts of each interval and merge those that coincide.

    Args:
        raw: The cuts; sorted in place.
        t: [P] parameters of the points.
        place: What decides about cuts that float64 does not tell apart.
        share: Largest uncertainty of a cut, as a share of its distance from the next point, without an exact position.

    Returns:
        The cuts in groups; a group lies where its best known cut is.
    """
    points, total = len(raw.offsets) - 1, len(raw.columns)
    opens, doubtful = np.zeros(total, np.bool_), np.zeros(total, np.bool_)
    in_ranges(_order, points, t, raw.offsets, *raw.arrays(), share, opens, doubtful, grain=512)
    if doubtful.any():
        _settle(raw, opens, np.flatnonzero(doubtful), place)
    np.clip(raw.fractions, _LEAST, _MOST, out=raw.fractions)
    starts = np.flatnonzero(opens)
    group_offsets = np.concatenate([[0], np.cumsum(opens)])[raw.offsets]
    cut_offsets = np.append(starts, total)
    positions = np.empty(len(starts)), np.empty(len(starts))
    in_ranges(_describe, len(starts), raw.fractions, raw.uncertainties, cut_offsets, *positions, grain=8192)
    return Cuts(group_offsets, cut_offsets, raw.columns, raw.jumps, *positions)


def _settle(raw: Raw, opens: np.ndarray, doubtful: np.ndarray, place: Place) -> None:
    """Order and place the doubtful cuts exactly, in place: those of an interval that touch each other at a time."""
    interval = np.searchsorted(raw.offsets, doubtful, side="right") - 1
    starts = np.flatnonzero(np.append(True, np.diff(interval) != 0))
    for run in np.split(np.arange(len(doubtful)), starts[1:]):
        cuts = doubtful[run]
        answer = place(int(interval[run[0]]), raw.columns[cuts])
        if answer is None:
            continue
        raw.columns[cuts], raw.jumps[cuts] = raw.columns[cuts[answer.order]], raw.jumps[cuts[answer.order]]
        raw.fractions[cuts], raw.uncertainties[cuts] = answer.fractions, answer.uncertainties
        opens[cuts] = answer.opens


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
                if uncertainty[here] > 0.0 and here and inner[here - 1]:
                    before = (values[here, unit] - values[here - 1, unit]) / (t[here] - t[here - 1])
                    error_here += uncertainty[here] * abs(rise / length - before)
                if uncertainty[here + 1] > 0.0 and inner[here + 1]:
                    after = (values[here + 2, unit] - values[here + 1, unit]) / (t[here + 2] - t[here + 1])
                    error_next += uncertainty[here + 1] * abs(rise / length - after)
                columns[at] = column
                fractions[at] = fraction
                unsure = ((1.0 - fraction) * error_here + fraction * error_next) / abs(rise)
                decided = unsure < _INTERVAL and fraction > 0.0 and fraction < 1.0
                uncertainties[at] = unsure * length + 2.0 * UNIT_ROUNDOFF if decided else np.inf
                jumps[at] = (slopes[level + 1, unit] - slopes[level, unit]) * abs(rise)
                at += 1


@njit(cache=True, nogil=True)
def _order(
    start: int,
    stop: int,
    t: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    uncertainties: np.ndarray,
    share: float,
    opens: np.ndarray,
    doubtful: np.ndarray,
) -> None:
    """Sort the cuts of each interval, and mark those that touch others within their uncertainty or are hardly known.

    Those that touch open one group until they are told apart.
    """
    for here in range(start, stop):
        first, last = offsets[here], offsets[here + 1]
        if last == first:
            continue
        for at in range(first, last):
            if not uncertainties[at] < np.inf:
                fractions[at] = 0.5  # somewhere, so that there is an order
        if last - first > 1:
            order = _sorted(fractions[first:last])
            columns[first:last] = columns[first:last][order]
            jumps[first:last] = jumps[first:last][order]
            fractions[first:last] = fractions[first:last][order]
            uncertainties[first:last] = uncertainties[first:last][order]
        length = t[here + 1] - t[here]
        highest = -np.inf
        unknown = False
        for at in range(first, last):
            middle, width = fractions[at] * length, uncertainties[at]
            unknown |= not width < np.inf
            opens[at] = middle - width > highest
            below = fractions[at - 1] * length if at > first else 0.0
            above = fractions[at + 1] * length if at + 1 < last else length
            doubtful[at] = not opens[at] or width > share * min(middle - below, above - middle) + _ROUNDINGS
            if not opens[at]:
                doubtful[at - 1] = True
            highest = max(highest, middle + width)
        if unknown:
            doubtful[first:last] = True
            opens[first + 1 : last] = False
            opens[first] = True


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
    fractions: np.ndarray,
    uncertainties: np.ndarray,
    cut_offsets: np.ndarray,
    positions: np.ndarray,
    known: np.ndarray,
) -> None:
    """Position of each group: that of its best known cut."""
    for group in range(start, stop):
        best = cut_offsets[group]
        for at in range(best + 1, cut_offsets[group + 1]):
            best = at if uncertainties[at] < uncertainties[best] else best
        positions[group], known[group] = fractions[best], uncertainties[best]
