"""Where the slope of a mean of cross-entropies of piecewise polynomials changes its sign.

Where outputs are affine the loss is convex on a piece, and the signs at its ends tell all. Else intervals are halved
until the slope is farther from zero than its derivatives can take it, or turns too strongly to vanish twice. A sign
counts where the slope is larger than the bound of its error; pieces with one that does not are named as doubtful.

All samples are asked only where they have to be: from there the slope is carried on, by bounds of the second derivative
on pieces, and of what one sample's fold adds at their ends, as long as it cannot have come to zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.polynomials import COINCIDENT
from splinescope.landscape.softmax_samples import bounded, fold_jump, mean_loss
from splinescope.landscape.sums import appended
from splinescope.numerics import UNIT_ROUNDOFF

_MOST = 60
"""Depth of halving."""

_TRIES = 4000
"""Intervals that are looked at in one piece."""

_ROOM = 1.0 + 2.0**-30
"""Room for the rounding of what is carried from piece to piece."""


@njit(cache=True, nogil=True)
def _bisected(asked: tuple, low: float, high: float, start: int, tilt: float) -> float:
    """Where the slope changes its sign, once."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if (mean_loss(*asked, middle)[1] > tilt) == (start > 0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _sign(slope: float, off: float, tilt: float) -> int:
    """Sign of a slope less a tilt, 0 if it is not certain."""
    value = slope - tilt
    if not abs(value) > off + UNIT_ROUNDOFF * (abs(slope) + abs(tilt)):
        return 0
    return 1 if value > 0 else -1


@njit(cache=True, nogil=True)
def _changes(
    asked: tuple,
    ranges: np.ndarray,
    ends: tuple[float, float],
    signs: tuple[int, int],
    tilt: float,
    roots: np.ndarray,
    stack: np.ndarray,
) -> tuple[int, bool]:
    """Where the slope changes its sign on a piece, ascending; and whether every sign was certain.

    Intervals end where the sign is certain, but for those of a piece whose own ends are not.
    """
    lines, errors, rows, targets = asked
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = ends[0], ends[1], signs[0], signs[1]
    top, count, tries, sure = 1, 0, 0, True
    while top > 0:
        top -= 1
        a, b, before, after = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3]
        middle = 0.5 * (a + b)
        half = max(middle - a, b - middle) * (1.0 + 4.0 * UNIT_ROUNDOFF)
        tries += 1
        slope, bend, off, bend_off, third = bounded(lines, errors, ranges, rows, targets, middle, half)
        slope, off = slope - tilt, off + UNIT_ROUNDOFF * (abs(slope) + abs(tilt))
        if abs(slope) - off > ((abs(bend) + bend_off) * half + 0.5 * third * half * half) * (1.0 + 2.0**-40):
            continue
        monotone = abs(bend) - bend_off > third * half
        share, sign = 0.0, 0
        if not monotone and top + 2 < len(stack) and tries <= _TRIES and a < middle < b:
            share, sign = _cut(asked, a, b, tilt)
        if share == 0.0:
            sure = sure and monotone
            if before * after < 0 and count < len(roots):
                roots[count] = _bisected(asked, a, b, 1 if before > 0 else -1, tilt)
                count += 1
            continue
        place = a + share * (b - a)
        stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = place, b, sign, after
        stack[top + 1, 0], stack[top + 1, 1], stack[top + 1, 2], stack[top + 1, 3] = a, place, before, sign
        top += 2
    return count, sure


@njit(cache=True, nogil=True)
def _cut(asked: tuple, a: float, b: float, tilt: float) -> tuple[float, int]:
    """Where to cut an interval so that the sign there is certain, as a share, and the sign; 0 if at no place."""
    for share in (0.5, 0.4375, 0.5625):
        _, slope, off = mean_loss(*asked, a + share * (b - a))
        sign = _sign(slope, off, tilt)
        if sign != 0:
            return share, sign
    return 0.0, 0


@njit(cache=True, nogil=True)
def _near_end(asked: tuple, slope: float, off: float, inside: float, tilt: float) -> tuple[int, int]:
    """Sign of the slope at the end of a piece, or where it is not certain a little inside; and that without a bound."""
    sign = _sign(slope, off, tilt)
    if sign != 0:
        return sign, sign
    _, near, off = mean_loss(*asked, inside)
    plain = _sign(slope, 0.0, tilt)
    return _sign(near, off, tilt), plain if plain != 0 else _sign(near, 0.0, tilt)


@njit(cache=True, nogil=True)
def _on_piece(
    asked: tuple,
    ranges: np.ndarray,
    low: float,
    high: float,
    tilt: float,
    at_low: tuple[float, float],  # slope and the bound of its error there
    roots: np.ndarray,
    stack: np.ndarray,
) -> tuple[int, int, bool]:
    """First sign of the slope on a piece, the number of its changes, and whether all is certain."""
    inside = min(0.5 * COINCIDENT, 0.25 * (high - low))
    before, first = _near_end(asked, at_low[0], at_low[1], low + inside, tilt)
    _, slope, off = mean_loss(*asked, high)
    after, last = _near_end(asked, slope, off, high - inside, tilt)
    sure = before != 0 and after != 0
    if asked[0].shape[1] <= 2:  # convex
        if before > 0 or after < 0:
            return 1 if before > 0 else -1, 0, True
        if first < 0 < last:
            roots[0] = _bisected(asked, low, high, -1, tilt)
            return -1, 1, sure
        return first if first != 0 else last, 0, False
    found, certain = _changes(asked, ranges, (low, high), (first, last), tilt, roots, stack)
    return first if first != 0 else last, found, sure and certain


@njit(cache=True, nogil=True)
def slope_signs(
    order: np.ndarray,  # rows that begin inside, in ascending order of where
    starts: np.ndarray,
    span: tuple[float, float],
    rows: np.ndarray,  # the row of each sample, which is moved along
    owners: np.ndarray,
    lines: np.ndarray,  # [R, degree + 1, n_out]
    errors: np.ndarray,  # [R, degree + 1] bounds of the coefficients' errors
    ranges: np.ndarray,
    targets: np.ndarray,
    rates: np.ndarray,  # [R] bounds of the second derivatives
    tilt: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Signs of the slope less a tilt, as those of `sums.slope_signs`, and pieces in doubt."""
    first, bounds = np.zeros(len(order) + 1, np.int64), np.zeros(len(order) + 2, np.int64)
    places, doubtful = np.empty(64), np.empty(64, np.int64)
    roots, stack = np.empty(64), np.empty((_MOST, 4))
    piece = count = doubts = event = sign = 0
    low, left, rate = span[0], 0.0, 0.0  # of the sum what it is from zero at least, and how fast that is used up
    asked = (lines, errors, rows, targets)
    while True:
        high = starts[order[event]] if event < len(order) else span[1]
        if high > low:
            start, found, sure = sign, 0, True
            if not left > rate * (high - low):
                _, slope, off = mean_loss(*asked, low)
                start = sign = _sign(slope, off, tilt)
                rate = rates[rows].sum() * _ROOM
                left = (abs(slope - tilt) - off - UNIT_ROUNDOFF * (abs(slope) + abs(tilt))) * len(rows) / _ROOM
            if left > rate * (high - low):
                left = (left - rate * (high - low)) / _ROOM
            else:
                start, found, sure = _on_piece(asked, ranges, low, high, tilt, (slope, off), roots, stack)
                left = 0.0
            if not sure:
                doubtful, doubts = appended(doubtful, doubts, piece)
            while count + found > len(places):
                places = np.concatenate((places, np.empty(len(places))))
            places[count : count + found] = roots[:found]
            count += found
            first[piece] = start
            piece += 1
            bounds[piece] = count
        if event == len(order):
            return first[:piece], bounds[: piece + 1], places[:count], doubtful[:doubts]
        low = high
        while event < len(order) and starts[order[event]] == low:
            row = order[event]
            own = owners[row]
            before = rows[own]
            rate += (rates[row] - rates[before]) + 4.0 * UNIT_ROUNDOFF * rate
            left -= fold_jump(
                lines, errors, before, row, targets[own].sum() * ranges[before, 0], targets[own].sum(), low
            )
            rows[own] = row
            event += 1


@njit(cache=True, nogil=True)
def swept(
    order: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    owners: np.ndarray,
    lines: np.ndarray,
    errors: np.ndarray,
    targets: np.ndarray,
    places: np.ndarray,  # ascending
    which: int,  # 0 for values, 1 for slopes, 2 for bounds of their errors
    right: bool,  # whether a breakpoint belongs to the piece on its right
) -> np.ndarray:
    """Values or slopes at some places."""
    found, event = np.empty(len(places)), 0
    for i in range(len(places)):
        while event < len(order) and (
            starts[order[event]] < places[i] or (right and starts[order[event]] == places[i])
        ):
            rows[owners[order[event]]] = order[event]
            event += 1
        found[i] = mean_loss(lines, errors, rows, targets, places[i])[which]
    return found
