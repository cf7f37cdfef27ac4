"""Maxima along intervals: which member of a group leads, and where another takes over.

On an interval the members of a group are affine, and their maximum is convex: the lead passes to ever steeper members.
So one walk from the member that leads at the start finds all changes, and members that never lead cut nothing. A member
is ahead where it is so by more than the rounding error of the difference; of members that can't be told apart on the
whole interval the first one leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.cuts import running_sums
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance, in_ranges
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.segments.cuts import Cuts, RawCuts, grouped


@dataclass(frozen=True)
class Leads:
    """Who leads each group.

    Attributes:
        cuts: Where the lead changes; columns are groups, and jumps positions of the members that take over.
        first: [P, groups] position of the leading member at the start of each interval.
        last: [P, groups] position of the leading member at the end of each interval.
    """

    cuts: Cuts
    first: np.ndarray
    last: np.ndarray


def leads(
    inner: np.ndarray,
    t: np.ndarray,
    uncertainty: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    members: np.ndarray,
    bounds: Bounds,
    tolerance: Tolerance,
) -> Leads:
    """Leading members of groups along all intervals.

    Args:
        inner: [P] whether each point opens an interval.
        t: [P] parameters of the points.
        uncertainty: [P] how well they are known.
        scale: [P] factor of the rounding errors at each point.
        values: [P, n] values of the members.
        members: [groups, size] columns of `values`; -1 for none.
        bounds: Magnitudes and rounding errors of the members.
        tolerance: What counts as equal.

    Returns:
        The leads, with cuts in order.
    """
    points, groups = len(t), len(members)
    first, last = np.zeros((points, groups), np.uint8), np.zeros((points, groups), np.uint8)
    counts = np.zeros(points, np.int64)
    errors, rounding = tolerance.safety * bounds.error, tolerance.safety * UNIT_ROUNDOFF
    numbers = (errors, bounds.magnitude, rounding, tolerance.max_amplification)
    tables = (inner, t, uncertainty, scale, values, members.astype(np.int64), *numbers, first, last, counts)
    in_ranges(_walk, points, *tables, np.empty(0, np.int64), *RawCuts.of(0).arrays(), grain=64)
    offsets = running_sums(counts)
    raw = RawCuts.of(int(offsets[-1]))
    if offsets[-1]:
        in_ranges(_walk, points, *tables, offsets, *raw.arrays(), grain=64)
    return Leads(grouped(offsets, raw), first, last)


def maxima(values: np.ndarray, members: np.ndarray, found: Leads) -> np.ndarray:
    """Values of the maxima at all points.

    Args:
        values: [P0, n] values of the members at the old points.
        members: [groups, size] columns of `values`; -1 for none.
        found: Who leads where.

    Returns:
        [P, groups] maxima at all points in order.
    """
    cuts = found.cuts
    out = np.empty((len(values) + len(cuts), len(members)))
    places = (cuts.group_offsets, cuts.cut_offsets, cuts.columns, cuts.jumps, cuts.fractions)
    in_ranges(_maxima, len(values), values, members.astype(np.int64), found.first, *places, out, grain=64)
    return out


@njit(cache=True, nogil=True)
def _maxima(
    start: int,
    stop: int,
    values: np.ndarray,
    members: np.ndarray,
    first: np.ndarray,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    columns: np.ndarray,
    successors: np.ndarray,
    fractions: np.ndarray,
    out: np.ndarray,
) -> None:
    leading = np.empty(members.shape[0], np.int64)
    for here in range(start, stop):
        target = here + group_offsets[here]
        for group in range(members.shape[0]):
            best = -np.inf
            for position in range(members.shape[1]):
                if members[group, position] >= 0:
                    best = max(best, values[here, members[group, position]])
            out[target, group] = best
            leading[group] = members[group, first[here, group]]
        for new in range(group_offsets[here], group_offsets[here + 1]):
            target += 1
            for group in range(members.shape[0]):
                value = values[here, leading[group]]
                out[target, group] = value + fractions[new] * (values[here + 1, leading[group]] - value)
            for at in range(cut_offsets[new], cut_offsets[new + 1]):
                leading[columns[at]] = members[columns[at], int(successors[at])]


@njit(cache=True, nogil=True, inline="always")
def _tolerance(one: int, other: int, errors: np.ndarray, magnitudes: np.ndarray, rounding: float) -> float:
    """Rounding error within which two members can't be told apart."""
    return np.hypot(errors[one], errors[other]) + rounding * max(magnitudes[one], magnitudes[other]) + 1e-308


@njit(cache=True, nogil=True, error_model="numpy")
def _walk(
    start: int,
    stop: int,
    inner: np.ndarray,
    t: np.ndarray,
    uncertainty: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    members: np.ndarray,
    errors: np.ndarray,
    magnitudes: np.ndarray,
    rounding: float,
    cap: float,
    first: np.ndarray,
    last: np.ndarray,
    counts: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    uncertainties: np.ndarray,
) -> None:
    """Follow the lead along each interval; the cuts are written if there is room, else counted."""
    for here in range(start, stop):
        if not inner[here]:
            continue
        at = offsets[here] if offsets.size else 0
        begin = at
        factor = max(scale[here], scale[here + 1])
        unsure_here = uncertainty[here] / (t[here + 1] - t[here])
        unsure_next = uncertainty[here + 1] / (t[here + 1] - t[here])
        for group in range(members.shape[0]):
            leader = -1
            for candidate in range(members.shape[1]):
                other = members[group, candidate]
                if other < 0:
                    continue
                if leader < 0:
                    leader = candidate
                    continue
                one = members[group, leader]
                known = factor * _tolerance(one, other, errors, magnitudes, rounding)
                ahead = values[here, other] - values[here, one]
                later = values[here + 1, other] - values[here + 1, one]
                slack = min(known + unsure_here * abs(later - ahead), cap * known)
                tied = abs(ahead) <= slack
                if ahead > slack or (tied and later > min(known + unsure_next * abs(later - ahead), cap * known)):
                    leader = candidate
            first[here, group] = leader
            reached = 0.0
            while True:
                one = members[group, leader]
                follower, place, width, lead = -1, 2.0, 0.0, 0.0
                for candidate in range(members.shape[1]):
                    other = members[group, candidate]
                    if other < 0 or candidate == leader:
                        continue
                    later = values[here + 1, other] - values[here + 1, one]
                    behind = values[here, one] - values[here, other]
                    rise = abs(later + behind)
                    known = factor * _tolerance(one, other, errors, magnitudes, rounding)
                    slack = min(known + unsure_next * rise, cap * known)
                    if later <= slack:
                        continue
                    decided = behind > min(known + unsure_here * rise, cap * known)
                    where = max(reached, behind / rise) if decided else reached
                    error = known / later if not decided else known / rise
                    error += max((1.0 - where) * unsure_here, where * unsure_next)
                    nearer = where < place - (error + width)
                    tied = not nearer and where <= place + (error + width)
                    if nearer or (tied and later > lead + slack):
                        follower, place, width, lead = candidate, where, error, later
                if follower < 0:
                    break
                if place > 0.0:
                    if offsets.size:
                        columns[at] = group
                        jumps[at] = follower
                        fractions[at] = place
                        uncertainties[at] = width
                    at += 1
                else:
                    first[here, group] = follower
                reached = place
                leader = follower
            last[here, group] = leader
        if not offsets.size:
            counts[here] = at - begin
