"""Splits intervals of a line where units change their piece, each unit's argument being a polynomial on each interval.

Intervals are rows, those of one sample one after the other. A unit's piece at the start of a row is the one that it had
at the end of the row before, and is not decided anew: so no change of piece is lost or found twice at the end of a row,
where its argument is zero up to rounding.

With bounds of the errors of the coefficients, every sign that decides something is certain; units for which it is not
are named, and asked again with what was decided about them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.polynomials import (
    COINCIDENT,
    conversion_noise,
    first_sign,
    refined,
    shifted,
    sign_changes,
    to_bernstein,
)
from splinescope.numerics import UNIT_ROUNDOFF

_NEAR = 2.0**-50
"""Share of a row within which a change of piece counts as one at its end."""


@njit(cache=True, nogil=True)
def _grown(rows: np.ndarray, places: np.ndarray, units: np.ndarray, steps: np.ndarray) -> tuple:
    """Buffers of events, twice as long."""
    size = 2 * len(rows)
    more = np.empty(size, np.int64), np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64)
    more[0][: len(rows)], more[1][: len(rows)] = rows, places
    more[2][: len(rows)], more[3][: len(rows)] = units, steps
    return more


@njit(cache=True, nogil=True)
def _noted(doubtful: np.ndarray, count: int, row: int, unit: int) -> tuple[np.ndarray, int]:
    """A list of rows and units with one more."""
    if count == len(doubtful):
        more = np.empty((2 * count, 2), np.int64)
        more[:count] = doubtful
        doubtful = more
    doubtful[count, 0], doubtful[count, 1] = row, unit
    return doubtful, count + 1


@njit(cache=True, nogil=True)
def fold_events(
    values: np.ndarray,  # [R, degree + 1, U] arguments of the units, by powers of s
    errors: np.ndarray,  # [R, degree + 1] bounds of their errors
    starts: np.ndarray,  # [R]
    ends: np.ndarray,  # [R]
    fresh: np.ndarray,  # [R] whether a row is not the continuation of the one before
    fixed: tuple,  # rows, units and pieces that were decided elsewhere: see `landscape.arbiter.DecidedPieces`
    breakpoints: np.ndarray,  # [B, U]
    pieces: np.ndarray,  # [R, U] out: piece of each unit at the start of each row
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where units change their piece: rows, places in [0, 1], units, steps; and rows with units that are in doubt."""
    (count_rows, size, units), levels = values.shape, len(breakpoints)
    rows, places = np.empty(1024, np.int64), np.empty(1024)
    which, steps = np.empty(1024, np.int64), np.empty(1024, np.int64)
    doubtful, doubts = np.empty((64, 2), np.int64), 0
    signs = np.empty((levels, units), np.int8)
    own, powers, bernstein = np.empty(size), np.empty(size), np.empty(size)
    roots, stack, intervals = np.empty(size + 1), np.empty((60, size)), np.empty((60, 3))
    count = given = 0
    for row in range(count_rows):
        length = ends[row] - starts[row]
        margin = COINCIDENT / length if length > COINCIDENT else 1.0
        for unit in range(units):
            piece = 0
            if given < len(fixed[0]) and fixed[0][given] == row and fixed[1][given] == unit:
                while count + len(fixed[4]) + 1 > len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                events = (rows, places, which, steps)
                before = (signs[:, unit] > 0).sum()
                pieces[row, unit], last, count = _as_decided(fixed, given, before, fresh[row], events, count)
                signs[:last, unit], signs[last:, unit] = 1, -1
                given += 1
                continue
            for k in range(size):
                own[k] = values[row, k, unit]
            loose = _noise(own, errors[row])
            shifted(own, starts[row], length, powers)
            base, sure = powers[0], True
            for level in range(levels):
                powers[0] = base - breakpoints[level, unit]
                reach = 0.0
                for k in range(1, size):
                    reach += abs(powers[k])
                beyond = 4.0 * UNIT_ROUNDOFF * abs(breakpoints[level, unit])
                if fresh[row]:
                    to_bernstein(powers, bernstein)
                    signs[level, unit] = first_sign(bernstein, 0.0, -1)
                sign = signs[level, unit]
                piece += sign > 0
                if powers[0] * sign > reach + loose + beyond:
                    continue
                to_bernstein(powers, bernstein)
                if not bernstein.any():
                    continue  # what is zero in every number is so on either side of a fold
                noise = beyond + min(loose, errors[row, :size].sum() + conversion_noise(own, starts[row], length))
                if fresh[row] and abs(bernstein[0]) <= noise:
                    sure = False
                found, after, unclear = sign_changes(powers, sign, noise, margin, roots, stack, intervals)
                sure = sure and unclear == 0
                signs[level, unit] = after
                while count + found > len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                for root in range(found):
                    sign = -sign
                    place, sure = refined(own, breakpoints[level, unit], starts[row], length, roots[root], noise, sure)
                    rows[count], places[count], which[count], steps[count] = row, place, unit, sign
                    count += 1
            pieces[row, unit] = piece
            if not sure:
                doubtful, doubts = _noted(doubtful, doubts, row, unit)
    return rows[:count], places[:count], which[:count], steps[:count], doubtful[:doubts]


@njit(cache=True, nogil=True)
def _as_decided(
    fixed: tuple, given: int, inherited: int, first: bool, events: tuple, count: int
) -> tuple[int, int, int]:
    """Write down the events of a decision: the piece at the start, the last one, and the number of events.

    Where the piece before is another one, it changes at the start.
    """
    row, unit, piece = fixed[0][given], fixed[1][given], fixed[2][given]
    start = piece if first else inherited
    if piece != start:
        events[0][count], events[1][count], events[2][count], events[3][count] = row, 0.0, unit, piece - start
        count += 1
    for event in range(fixed[3][given], fixed[3][given + 1]):
        events[0][count], events[1][count], events[2][count] = row, fixed[4][event], unit
        events[3][count] = fixed[5][event]
        piece += fixed[5][event]
        count += 1
    return start, piece, count


@njit(cache=True, nogil=True)
def _noise(own: np.ndarray, errors: np.ndarray) -> float:
    """Bound of the errors of the Bernstein coefficients of a polynomial on any part of [-1, 1], quick and coarse.

    They are values of its blossom there, and no error grows; on the way they are sums of at most 3^k times a
    coefficient.
    """
    noise, growth = 0.0, 1.0
    for k in range(len(own)):
        noise += errors[k] + 8.0 * len(own) * UNIT_ROUNDOFF * growth * abs(own[k])
        growth *= 3.0
    return noise


@njit(cache=True, nogil=True)
def maximum_events(
    values: np.ndarray,  # [R, degree + 1, inputs]
    errors: np.ndarray,  # [R, degree + 1]
    starts: np.ndarray,
    ends: np.ndarray,
    fresh: np.ndarray,
    fixed: tuple,
    members: np.ndarray,  # [U, size] inputs of each maximum, -1 for none
    pieces: np.ndarray,  # [R, U] out: place of the leader in its group at the start of each row
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where the leaders of maxima change: rows, places in [0, 1], units, steps; and rows with units in doubt."""
    count_rows, size, _ = values.shape
    units, group = members.shape
    rows, places = np.empty(1024, np.int64), np.empty(1024)
    which, steps = np.empty(1024, np.int64), np.empty(1024, np.int64)
    doubtful, doubts = np.empty((64, 2), np.int64), 0
    leaders = np.zeros(units, np.int64)
    all_powers, powers, bernstein, own = np.empty((group, size)), np.empty(size), np.empty(size), np.empty(size)
    roots, stack, intervals = np.empty(size + 1), np.empty((60, size)), np.empty((60, 3))
    count = given = 0
    for row in range(count_rows):
        length = ends[row] - starts[row]
        for unit in range(units):
            if given < len(fixed[0]) and fixed[0][given] == row and fixed[1][given] == unit:
                while count + len(fixed[4]) + 1 > len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                events = (rows, places, which, steps)
                pieces[row, unit], leaders[unit], count = _as_decided(
                    fixed, given, leaders[unit], fresh[row], events, count
                )
                given += 1
                continue
            noise = 0.0
            for j in range(group):
                if members[unit, j] >= 0:
                    for k in range(size):
                        own[k] = values[row, k, members[unit, j]]
                    shifted(own, starts[row], length, all_powers[j])
                    exact = errors[row, :size].sum() + conversion_noise(own, starts[row], length)
                    noise = max(noise, 2.0 * exact)
            sure = True
            if fresh[row]:
                leaders[unit], sure = _first_leader(all_powers, members[unit], noise, powers, bernstein)
            leader, at = leaders[unit], 0.0
            pieces[row, unit] = leader
            for _ in range(size * group * group):
                best, rival = 2.0, -1
                for j in range(group):
                    if j == leader or members[unit, j] < 0:
                        continue
                    _rest(all_powers[j], all_powers[leader], at, powers)
                    rest = (1.0 - at) * length
                    margin = COINCIDENT / rest if rest > COINCIDENT else 1.0
                    found, _, unclear = sign_changes(powers, -1, noise, margin, roots, stack, intervals)
                    sure = sure and unclear == 0
                    place = at + (1.0 - at) * roots[0]
                    if found > 0 and place < best:
                        best, rival = place, j
                if rival < 0 or best >= 1.0:
                    break
                if count == len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                own[:] = values[row, :, members[unit, rival]] - values[row, :, members[unit, leader]]
                best, sure = refined(own, 0.0, starts[row], length, best, noise, sure)
                leader, at, before = rival, max(at, best), leader
                rows[count], places[count], which[count], steps[count] = row, at, unit, leader - before
                count += 1
            leaders[unit] = leader
            if not sure:
                doubtful, doubts = _noted(doubtful, doubts, row, unit)
    return rows[:count], places[:count], which[:count], steps[:count], doubtful[:doubts]


@njit(cache=True, nogil=True)
def _rest(one: np.ndarray, other: np.ndarray, at: float, out: np.ndarray) -> None:
    """The difference of two polynomials on [at, 1], by powers on [0, 1]."""
    difference = one - other
    shifted(difference, at, 1.0 - at, out)


@njit(cache=True, nogil=True)
def _first_leader(
    all_powers: np.ndarray, members: np.ndarray, noise: float, powers: np.ndarray, bernstein: np.ndarray
) -> tuple[int, bool]:
    """The first member that is the largest right of the start, and whether that is sure."""
    leader = -1
    for j in range(len(members)):
        if members[j] < 0:
            continue
        if leader < 0:
            leader = j
            continue
        powers[:] = all_powers[j] - all_powers[leader]
        to_bernstein(powers, bernstein)
        if first_sign(bernstein, 0.0, -1) > 0:
            leader = j
    sure = True
    for j in range(len(members)):
        if members[j] >= 0 and j != leader:
            powers[:] = all_powers[j] - all_powers[leader]
            sure = sure and (abs(powers[0]) > noise or not powers.any())
    return leader, sure


@njit(cache=True, nogil=True)
def split_rows(
    starts: np.ndarray,
    ends: np.ndarray,
    pieces: np.ndarray,  # [R, U]
    rows: np.ndarray,  # events in ascending order of rows and places
    places: np.ndarray,
    units: np.ndarray,
    steps: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows cut at events: parent row, start, end and pieces of each new row."""
    most, width = len(starts) + len(rows), pieces.shape[1]
    parents, lows, highs = np.empty(most, np.int64), np.empty(most), np.empty(most)
    found = np.empty((most, width), pieces.dtype)
    count = event = 0
    for row in range(len(starts)):
        length = ends[row] - starts[row]
        parents[count], lows[count], highs[count] = row, starts[row], ends[row]
        found[count] = pieces[row]
        while event < len(rows) and rows[event] == row:
            place = starts[row] + length * places[event]
            # What happens at the end of a row is in the pieces at the start of the next one.
            if places[event] < 1.0 - _NEAR and place < ends[row]:
                if places[event] > _NEAR and place > lows[count]:
                    highs[count] = place
                    count += 1
                    parents[count], lows[count], highs[count] = row, place, ends[row]
                    found[count] = found[count - 1]
                found[count, units[event]] += steps[event]
            event += 1
        count += 1
    return parents[:count], lows[:count], highs[:count], found[:count]


@njit(cache=True, nogil=True)
def on_activation_pieces(
    values: np.ndarray,  # [R, degree + 1, U] arguments
    parents: np.ndarray,  # [N] row of each new row
    pieces: np.ndarray,  # [N, U]
    slopes: np.ndarray,  # [B + 1, U]
    intercepts: np.ndarray,
) -> np.ndarray:
    """[N, degree + 1, U] values of an activation on given pieces."""
    _, size, units = values.shape
    out = np.empty((len(parents), size, units))
    for row in range(len(parents)):
        parent = parents[row]
        for k in range(size):
            for unit in range(units):
                slope = slopes[pieces[row, unit], unit]
                out[row, k, unit] = slope * values[parent, k, unit] if slope != 0.0 else 0.0
        for unit in range(units):
            out[row, 0, unit] += intercepts[pieces[row, unit], unit]
    return out


@njit(cache=True, nogil=True)
def on_maximum_pieces(values: np.ndarray, parents: np.ndarray, pieces: np.ndarray, members: np.ndarray) -> np.ndarray:
    """[N, degree + 1, U] values of maxima with given leaders."""
    out = np.empty((len(parents), values.shape[1], len(members)))
    for row in range(len(parents)):
        for k in range(values.shape[1]):
            for unit in range(len(members)):
                out[row, k, unit] = values[parents[row], k, members[unit, pieces[row, unit]]]
    return out
