"""Splits intervals of a line where units change their piece, each unit's argument being a polynomial on each interval.

Intervals are rows, those of one sample one after the other. A unit's piece at the start of a row is the one that it had
at the end of the row before, and is not decided anew: so no change of piece is lost or found twice at the end of a row,
where its argument is zero up to rounding.

With bounds of the errors of the coefficients, every sign that decides something is certain, or counted as undecided.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.polynomials import first_sign, shifted, sign_changes, to_bernstein

_ROUNDOFF = 2.0**-53

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
def fold_events(
    values: np.ndarray,  # [R, degree + 1, U] arguments of the units, by powers of s
    errors: np.ndarray,  # [R, degree + 1] bounds of their errors
    starts: np.ndarray,  # [R]
    ends: np.ndarray,  # [R]
    fresh: np.ndarray,  # [R] whether a row is not the continuation of the one before
    breakpoints: np.ndarray,  # [B, U]
    pieces: np.ndarray,  # [R, U] out: piece of each unit at the start of each row
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Where units change their piece: rows, places in [0, 1], units, steps; doubts; undecided signs."""
    count_rows, size, units = values.shape
    levels = len(breakpoints)
    rows, places = np.empty(1024, np.int64), np.empty(1024)
    which, steps = np.empty(1024, np.int64), np.empty(1024, np.int64)
    signs = np.empty((levels, units), np.int8)
    own, powers, bernstein = np.empty(size), np.empty(size), np.empty(size)
    roots, stack, intervals = np.empty(size + 1), np.empty((60, size)), np.empty((60, 3))
    count = doubts = undecided = 0
    for row in range(count_rows):
        length = ends[row] - starts[row]
        for unit in range(units):
            piece = 0
            for k in range(size):
                own[k] = values[row, k, unit]
            known = _noise(own, errors[row])
            shifted(own, starts[row], length, powers)
            base = powers[0]
            for level in range(levels):
                powers[0] = base - breakpoints[level, unit]
                reach = 0.0
                for k in range(1, size):
                    reach += abs(powers[k])
                noise = known + 4.0 * _ROUNDOFF * abs(breakpoints[level, unit])
                if fresh[row]:
                    to_bernstein(powers, bernstein)
                    signs[level, unit] = first_sign(bernstein, -1)
                sign = signs[level, unit]
                if sign > 0:
                    piece += 1
                if powers[0] * sign > reach + noise:
                    continue
                to_bernstein(powers, bernstein)
                undecided += _unsure(bernstein, noise, fresh[row])
                found, after, unclear = sign_changes(powers, sign, 0.0, roots, stack, intervals)
                doubts += unclear
                signs[level, unit] = after
                while count + found > len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                for root in range(found):
                    sign = -sign
                    rows[count], places[count], which[count], steps[count] = row, roots[root], unit, sign
                    count += 1
            pieces[row, unit] = piece
    return rows[:count], places[:count], which[:count], steps[:count], doubts, undecided


@njit(cache=True, nogil=True)
def _noise(own: np.ndarray, errors: np.ndarray) -> float:
    """Bound of the errors of the Bernstein coefficients of a polynomial on a part of [-1, 1].

    They are values of its blossom there, and no error grows; on the way they are sums of at most 3^k times a
    coefficient.
    """
    noise, growth = 0.0, 1.0
    for k in range(len(own)):
        noise += errors[k] + 8.0 * len(own) * _ROUNDOFF * growth * abs(own[k])
        growth *= 3.0
    return noise


@njit(cache=True, nogil=True)
def _unsure(bernstein: np.ndarray, noise: float, first: bool) -> bool:
    """Whether a sign is within rounding; the first one only where it has not been decided before.

    What is zero in every number is so on either side of a fold.
    """
    if not bernstein.any():
        return False
    return np.abs(bernstein if first else bernstein[1:]).min() <= noise if first or len(bernstein) > 1 else False


@njit(cache=True, nogil=True)
def maximum_events(
    values: np.ndarray,  # [R, degree + 1, inputs]
    errors: np.ndarray,  # [R, degree + 1]
    starts: np.ndarray,
    ends: np.ndarray,
    fresh: np.ndarray,
    members: np.ndarray,  # [U, size] inputs of each maximum, -1 for none
    pieces: np.ndarray,  # [R, U] out: place of the leader in its group at the start of each row
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Where the leaders of maxima change: rows, places in [0, 1], units, steps; doubts; undecided signs."""
    count_rows, size, _ = values.shape
    units, group = members.shape
    rows, places = np.empty(1024, np.int64), np.empty(1024)
    which, steps = np.empty(1024, np.int64), np.empty(1024, np.int64)
    leaders = np.zeros(units, np.int64)
    all_powers, powers, bernstein, own = np.empty((group, size)), np.empty(size), np.empty(size), np.empty(size)
    roots, stack, intervals = np.empty(size + 1), np.empty((60, size)), np.empty((60, 3))
    count = doubts = undecided = 0
    for row in range(count_rows):
        length = ends[row] - starts[row]
        for unit in range(units):
            noise = 0.0
            for j in range(group):
                if members[unit, j] >= 0:
                    for k in range(size):
                        own[k] = values[row, k, members[unit, j]]
                    shifted(own, starts[row], length, all_powers[j])
                    noise = max(noise, 2.0 * _noise(own, errors[row]))
            if fresh[row]:
                leaders[unit] = _first_leader(all_powers, members[unit], powers, bernstein)
            leader, at = leaders[unit], 0.0
            pieces[row, unit] = leader
            for _ in range(size * group * group):
                best, rival = 2.0, -1
                for j in range(group):
                    if j == leader or members[unit, j] < 0:
                        continue
                    _rest(all_powers[j], all_powers[leader], at, powers)
                    to_bernstein(powers, bernstein)
                    undecided += _unsure(bernstein, noise, fresh[row] and at == 0.0)
                    found, _, unclear = sign_changes(powers, -1, 0.0, roots, stack, intervals)
                    doubts += unclear
                    place = at + (1.0 - at) * roots[0]
                    if found > 0 and place < best:
                        best, rival = place, j
                if rival < 0 or best >= 1.0:
                    break
                if count == len(rows):
                    rows, places, which, steps = _grown(rows, places, which, steps)
                rows[count], places[count], which[count], steps[count] = row, best, unit, rival - leader
                count += 1
                leader, at = rival, best
            leaders[unit] = leader
    return rows[:count], places[:count], which[:count], steps[:count], doubts, undecided


@njit(cache=True, nogil=True)
def _rest(one: np.ndarray, other: np.ndarray, at: float, out: np.ndarray) -> None:
    """The difference of two polynomials on [at, 1], by powers on [0, 1]."""
    difference = one - other
    shifted(difference, at, 1.0 - at, out)


@njit(cache=True, nogil=True)
def _first_leader(all_powers: np.ndarray, members: np.ndarray, powers: np.ndarray, bernstein: np.ndarray) -> int:
    """The first member that is the largest right of the start."""
    leader = -1
    for j in range(len(members)):
        if members[j] < 0:
            continue
        if leader < 0:
            leader = j
            continue
        powers[:] = all_powers[j] - all_powers[leader]
        to_bernstein(powers, bernstein)
        if first_sign(bernstein, -1) > 0:
            leader = j
    return leader


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
