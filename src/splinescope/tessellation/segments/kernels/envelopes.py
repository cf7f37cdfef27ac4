"""Maxima along intervals: which member of a group leads, and where another takes over.

On an interval the members of a group are affine, and their maximum is convex: the lead passes to ever steeper members.
So one walk from the member that leads at the start finds all changes, and members that never lead cut nothing. The walk
notes where float64 does not tell two members apart that compete for the lead; there exact arithmetic walks again. Of
members that are equal on the whole interval the first one leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.planar.edge_cuts import running_sums
from splinescope.numerics import in_ranges
from splinescope.tessellation.maxima import maximum_column
from splinescope.tessellation.segments.kernels.crossings import Cuts, Raw
from splinescope.tessellation.segments.kernels.walks import Changes, Ends, Groups, Points, walk


@dataclass(frozen=True)
class Leads:
    """Who leads each group.

    Attributes:
        raw: Where the lead changes; columns are pairs of members of a group, the one that leads and the one that takes
            over; jumps are positions of the latter.
        first: [P, groups] position of the leading member at the start of each interval.
        last: [P, groups] position of the leading member at the end of each interval.
        doubtful: [k, 2] intervals and groups of which float64 does not decide all.
    """

    raw: Raw
    first: np.ndarray
    last: np.ndarray
    doubtful: np.ndarray


@dataclass(frozen=True)
class Walked:
    """The leads of one group on one interval, from exact arithmetic.

    Attributes:
        leaders: Positions of the members that lead, in order.
        fractions: Where each but the first takes over.
        uncertainties: How well the parameters of these places are known.
    """

    leaders: list[int]
    fractions: list[float]
    uncertainties: list[float]


def leads(
    inner: np.ndarray,
    t: np.ndarray,
    uncertainty: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    members: np.ndarray,
    errors: np.ndarray,
    zeros: bool = False,
) -> Leads:
    """Leading members of groups along all intervals, as float64 sees them.

    Args:
        inner: [P] whether each point opens an interval.
        t: [P] parameters of the points.
        uncertainty: [P] how well they are known.
        scale: [P] factor of the rounding errors at each point.
        values: [P, n] values of the members.
        members: [groups, size] columns of `values`; -1 for none.
        errors: [n] distance within which a value is in doubt.
        zeros: Whether values that are zero are exactly so, as behind a ReLU.

    Returns:
        The leads. Members that can't be told apart count as equal.
    """
    points, groups = len(t), len(members)
    first, last = np.zeros((points, groups), np.uint8), np.zeros((points, groups), np.uint8)
    doubtful = np.zeros((points, groups), np.bool_)
    counts = np.zeros(points, np.int64)
    ends = Ends(first, last, doubtful)
    known = (Points(inner, t, uncertainty, scale), values, Groups(members.astype(np.int64), errors, zeros), ends)
    none = Raw.of(np.zeros(1, np.int64), np.int64)
    in_ranges(walk, points, *known, counts, Changes(np.empty(0, np.int64), *none.arrays()), grain=64)
    raw = Raw.of(running_sums(counts), np.int64)
    if raw.offsets[-1]:
        in_ranges(walk, points, *known, counts, Changes(raw.offsets, *raw.arrays()), grain=64)
    return Leads(raw, first, last, np.argwhere(doubtful))


def corrected(found: Leads, members: np.ndarray, answers: dict[tuple[int, int], Walked]) -> Leads:
    """The leads with those of some groups on some intervals replaced.

    Args:
        found: The leads as float64 sees them.
        members: [groups, size] columns of the members.
        answers: For pairs of an interval and a group the exact leads.

    Returns:
        The leads.
    """
    if not answers:
        return found
    groups, width = members.shape
    raw, first, last = found.raw, found.first.copy(), found.last.copy()
    interval = np.repeat(np.arange(len(first)), np.diff(raw.offsets))
    keys = np.array([here * groups + group for here, group in answers], np.int64)
    kept = ~np.isin(interval * groups + raw.columns % groups, keys)
    rows: list[tuple[int, int, int, float, float]] = []
    for (here, group), walked in answers.items():
        first[here, group], last[here, group] = walked.leaders[0], walked.leaders[-1]
        pairs = zip(walked.leaders, walked.leaders[1:], walked.fractions, walked.uncertainties, strict=False)
        rows += [(here, maximum_column(a, b, group, groups, width), b, f, u) for a, b, f, u in pairs]
    new = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0)] * 5
    intervals = np.concatenate([interval[kept], new[0].astype(np.int64)])
    order = np.argsort(intervals, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(intervals, minlength=len(first)))])
    old = (raw.columns, raw.jumps, raw.fractions, raw.uncertainties)
    arrays = [
        np.concatenate([a[kept], b.astype(a.dtype)])[order][: offsets[-1]] for a, b in zip(old, new[1:], strict=True)
    ]
    return Leads(Raw(offsets[: len(raw.offsets)], *arrays), first, last, found.doubtful)


def maxima(
    values: np.ndarray, inner: np.ndarray, members: np.ndarray, first: np.ndarray, cuts: Cuts, errors: np.ndarray
) -> np.ndarray:
    """Values of the maxima at all points; where the lead changes, that of the member that float64 knows better.

    Args:
        values: [P0, n] values of the members at the old points.
        inner: [P0] whether an interval starts at the point.
        members: [groups, size] columns of `values`; -1 for none.
        first: [P0, groups] position of the leading member at the start of each interval.
        cuts: Where the lead changes.
        errors: [n] rounding errors of the members.

    Returns:
        [P, groups] maxima at all points in order.
    """
    out = np.empty((len(values) + len(cuts), len(members)))
    places = (cuts.group_offsets, cuts.cut_offsets, cuts.columns, cuts.jumps, cuts.fractions)
    in_ranges(_maxima, len(values), values, inner, members.astype(np.int64), first, *places, errors, out, grain=64)
    return out


@njit(cache=True, nogil=True)
def _maxima(
    start: int,
    stop: int,
    values: np.ndarray,
    inner: np.ndarray,
    members: np.ndarray,
    first: np.ndarray,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    columns: np.ndarray,
    successors: np.ndarray,
    fractions: np.ndarray,
    errors: np.ndarray,
    out: np.ndarray,
) -> None:
    groups = members.shape[0]
    leading = np.empty(groups, np.int64)
    # The lead before a block's first point is that behind the last change on the interval before it.
    if start and inner[start - 1]:
        for group in range(groups):
            leading[group] = members[group, first[start - 1, group]]
        for at in range(cut_offsets[group_offsets[start - 1]], cut_offsets[group_offsets[start]]):
            group = columns[at] % groups
            leading[group] = members[group, int(successors[at])]
    for here in range(start, stop):
        target = here + group_offsets[here]
        for group in range(groups):
            # Both the lead before and the one behind have the value of the maximum here, exactly.
            lead = members[group, first[here, group]] if inner[here] else leading[group]
            known = lead
            if inner[here] and here and inner[here - 1] and errors[leading[group]] < errors[lead]:
                known = leading[group]
            out[target, group] = values[here, known]
            leading[group] = lead
        for new in range(group_offsets[here], group_offsets[here + 1]):
            target += 1
            for group in range(groups):
                value = values[here, leading[group]]
                out[target, group] = value + fractions[new] * (values[here + 1, leading[group]] - value)
            for at in range(cut_offsets[new], cut_offsets[new + 1]):
                group = columns[at] % groups
                successor = members[group, int(successors[at])]
                if errors[successor] < errors[leading[group]]:
                    value = values[here, successor]
                    out[target, group] = value + fractions[new] * (values[here + 1, successor] - value)
                leading[group] = successor
