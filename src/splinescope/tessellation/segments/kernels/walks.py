"""The walk along the maximum of a group on an interval: who leads first, and who takes over where.

value                 .3        Of the lines through `before` and `after` the walk follows the upper envelope.
  |  1 ________2__..''          The lead only ever passes to steeper members, so that from the one that leads
  |     __..''  _3''            the next one is the first that it meets among those that are ahead of it at the
  |  2''    .3''                end. Where two of these meet the leader too near to each other for float64, or
  |   _.3''                     it can't tell whether somebody meets it at all, the group is in doubt there, and
  +--------------------- t      exact arithmetic walks again; what float64 found is then thrown away.
   before          after
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF


class Points(NamedTuple):
    """The points between which intervals lie.

    Attributes:
        inner: [P] whether each point opens an interval.
        t: [P] their parameters.
        uncertainty: [P] how well these are known.
        scale: [P] factor of the rounding errors at each point.
    """

    inner: np.ndarray
    t: np.ndarray
    uncertainty: np.ndarray
    scale: np.ndarray


class Groups(NamedTuple):
    """Who competes.

    Attributes:
        members: [groups, size] columns of the values; -1 for none.
        errors: [n] distance within which a value is in doubt.
        zeros: Whether values that are zero are exactly so, as behind a ReLU.
    """

    members: np.ndarray
    errors: np.ndarray
    zeros: bool


class Ends(NamedTuple):
    """Who leads at the ends of intervals, and where float64 does not know.

    Attributes:
        first: [P, groups] position of the leading member at the start of each interval.
        last: [P, groups] position of the leading member at the end of each interval.
        doubtful: [P, groups] whether float64 leaves something of the group's walk in doubt.
    """

    first: np.ndarray
    last: np.ndarray
    doubtful: np.ndarray


class Changes(NamedTuple):
    """Where the changes are written: `Raw` as arrays. Without offsets they are only counted."""

    offsets: np.ndarray
    columns: np.ndarray
    jumps: np.ndarray
    fractions: np.ndarray
    uncertainties: np.ndarray


class _Interval(NamedTuple):
    """How well float64 knows values on an interval: numbers only, which cost nothing to hand on.

    Attributes:
        blur_here: Factor of the rounding errors of values at its start.
        blur_next: Factor of those at its end.
        length: Its length.
        tight: Whether it is so short that its ends are hardly known apart; then float64 decides nothing on it.
        unsure_here: Uncertainty of its start, as a share of its length.
        unsure_next: Uncertainty of its end, likewise.
        zeros: Whether values that are zero are exactly so.
    """

    blur_here: float
    blur_next: float
    length: float
    tight: bool
    unsure_here: float
    unsure_next: float
    zeros: bool


class _Change(NamedTuple):
    """The next change of the lead.

    Attributes:
        follower: Position of the member that takes over, -1 if nobody does.
        place: Where, as a share of the interval.
        blur: How well that is known.
        doubt: Whether it is in doubt who takes over next, or whether anybody does.
    """

    follower: int
    place: float
    blur: float
    doubt: bool


@njit(cache=True, nogil=True, inline="always")
def _interval(here: int, t: np.ndarray, uncertainty: np.ndarray, scale: np.ndarray, zeros: bool) -> _Interval:
    length = t[here + 1] - t[here]
    # Written so that a NaN is tight.
    tight = not length > 8.0 * (uncertainty[here] + uncertainty[here + 1])
    unsure_here = 0.0 if tight else uncertainty[here] / length
    unsure_next = 0.0 if tight else uncertainty[here + 1] / length
    return _Interval(scale[here], scale[here + 1], length, tight, unsure_here, unsure_next, zeros)


@njit(cache=True, nogil=True, inline="always")
def _tolerance(one: int, other: int, errors: np.ndarray) -> float:
    """Rounding error within which two members can't be told apart."""
    return errors[one] + errors[other] + np.finfo(np.float64).tiny


@njit(cache=True, nogil=True, forceinline=True)
def _equal(values: np.ndarray, one: int, other: int, zeros: bool, blur: float) -> bool:
    """Whether two members are equal for certain: both clamped to zero by the ReLU before, or known without an error."""
    return values[one] == values[other] and (blur == 0.0 or (zeros and values[one] == 0.0))


@njit(cache=True, nogil=True, forceinline=True)
def _first_leader(
    before: np.ndarray, after: np.ndarray, members: np.ndarray, errors: np.ndarray, interval: _Interval
) -> int:
    """Position of the member that leads behind the start; of those that tie there, the one that is ahead later."""
    leader = -1
    for candidate in range(members.size):
        other = members[candidate]
        if other < 0:
            continue
        if leader < 0:
            leader = candidate
            continue
        one = members[leader]
        tolerance = _tolerance(one, other, errors)
        ahead = before[other] - before[one]
        later = after[other] - after[one]
        # The start itself is uncertain: the difference may have changed by its slope on the way there.
        slack = interval.blur_here * tolerance + interval.unsure_here * abs(later - ahead)
        tied = abs(ahead) <= slack
        if ahead > slack or (
            tied and later > interval.blur_next * tolerance + interval.unsure_next * abs(later - ahead)
        ):
            leader = candidate
    return leader


@njit(cache=True, nogil=True, forceinline=True)
def _first_is_doubtful(
    before: np.ndarray, after: np.ndarray, members: np.ndarray, errors: np.ndarray, interval: _Interval, leader: int
) -> bool:
    """Whether somebody may lead behind the start in place of the leader that was found.

    Nobody does who is behind by more than rounding. Who ties for certain doesn't either, if the leader is ahead of them
    later, or ties with them on the whole interval; for then the first of them leads, by convention.
    """
    one = members[leader]
    for candidate in range(members.size):
        other = members[candidate]
        if other < 0 or other == one:
            continue
        behind = before[one] - before[other]
        later = after[one] - after[other]
        tolerance = _tolerance(one, other, errors)
        if behind > interval.blur_here * tolerance + interval.unsure_here * abs(later - behind):
            continue
        certain = _equal(after, one, other, interval.zeros, interval.blur_next)
        certain = certain or later > interval.blur_next * tolerance + interval.unsure_next * abs(later - behind)
        if not (certain and _equal(before, one, other, interval.zeros, interval.blur_here)):
            return True
    return False


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def _next_change(
    before: np.ndarray,
    after: np.ndarray,
    members: np.ndarray,
    errors: np.ndarray,
    interval: _Interval,
    leader: int,
    reached: float,
    blur: float,
) -> _Change:
    """Who takes over from a leader first, behind `reached`, which is known up to `blur`."""
    one = members[leader]
    follower, place, width, lead = -1, 2.0, 0.0, 0.0
    unsafe, doubt = False, False
    for candidate in range(members.size):
        other = members[candidate]
        if other < 0 or candidate == leader or other == one:
            continue
        later = after[other] - after[one]
        behind = before[one] - before[other]
        rise = abs(later + behind)
        tolerance = _tolerance(one, other, errors)
        blur_here, blur_next = interval.blur_here * tolerance, interval.blur_next * tolerance
        slack = blur_next + interval.unsure_next * rise
        if later <= slack:
            # Not ahead at the end, so it doesn't take over before; in doubt where it may be ahead by a rounding.
            doubt |= later >= -slack and not _equal(after, one, other, interval.zeros, interval.blur_next)
            continue
        # Who ties with the leader at the start overtakes at once: the quotient of two roundings says nothing.
        decided = behind > blur_here + interval.unsure_here * rise
        where = max(reached, behind / rise) if decided else reached
        error = blur_here / later
        if decided:
            error = ((1.0 - where) * blur_here + where * blur_next) / (rise - blur_here - blur_next)
        error += max((1.0 - where) * interval.unsure_here, where * interval.unsure_next)
        nearer = where < place - (error + width)
        tied = not nearer and where <= place + (error + width)
        unsafe = (unsafe and not nearer) or tied
        # Of those that meet the leader in one place, as far as float64 knows, the steepest leads behind it.
        if nearer or (tied and later > lead + slack):
            follower, place, width, lead = candidate, where, error, later
            # The order of this change and the one before, or of it and the end, is in doubt, too.
            unsafe |= not decided or where - error <= reached + blur or where + error >= 1.0
    return _Change(follower, place, width, doubt or (unsafe and follower >= 0))


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    start: int,
    stop: int,
    points: Points,
    values: np.ndarray,
    groups: Groups,
    ends: Ends,
    counts: np.ndarray,
    changes: Changes,
) -> None:
    """Follow the lead along each interval; the changes are written if there is room, else counted."""
    inner, t, uncertainty, scale = points
    members, errors, zeros = groups
    first, last, doubtful = ends
    offsets, columns, jumps, fractions, uncertainties = changes
    number, size = members.shape
    for here in range(start, stop):
        if not inner[here]:
            continue
        begin = offsets[here] if offsets.size else 0
        at = begin
        interval = _interval(here, t, uncertainty, scale, zeros)
        before, after = values[here], values[here + 1]
        for group in range(number):
            mine = members[group]
            leader = _first_leader(before, after, mine, errors, interval)
            doubt = interval.tight or _first_is_doubtful(before, after, mine, errors, interval, leader)
            first[here, group] = leader
            reached, blur = 0.0, 0.0
            while not interval.tight:  # each turn passes the lead to a steeper member, so that it ends
                change = _next_change(before, after, mine, errors, interval, leader, reached, blur)
                doubt |= change.doubt
                if change.follower < 0:
                    break
                if change.place > 0.0:
                    if offsets.size:
                        columns[at] = (leader * size + change.follower) * number + group
                        jumps[at] = change.follower
                        fractions[at] = change.place
                        uncertainties[at] = change.blur * interval.length + 2.0 * UNIT_ROUNDOFF
                    at += 1
                else:  # at the very start: nothing changes inside of the interval
                    first[here, group] = change.follower
                reached, blur = change.place, change.blur
                leader = change.follower
            last[here, group] = leader
            doubtful[here, group] = doubt
        if not offsets.size:
            counts[here] = at - begin
