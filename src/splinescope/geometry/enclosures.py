"""Affine bounds of functions of affinely bounded arguments on convex cells, all by their values at the vertices."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _line(
    low: float,
    high: float,
    breakpoints: np.ndarray,
    slopes: np.ndarray,
    intercepts: np.ndarray,
    unit: int,
    first: int,
    last: int,
    side: float,
    out: np.ndarray,
) -> None:
    """The best line above (side 1) or below (side -1) a piecewise affine function on a range, by its value mid-way.

    Tried are the slopes of the first and of the last piece and that of the chord.
    """
    start = slopes[first, unit] * low + intercepts[first, unit]
    end = slopes[last, unit] * high + intercepts[last, unit]
    middle = 0.5 * (low + high)
    best = np.inf
    for trial in range(3):
        if trial == 0:
            slope = (end - start) / (high - low)
        else:
            slope = slopes[first, unit] if trial == 1 else slopes[last, unit]
        offset = max(side * (start - slope * low), side * (end - slope * high))
        for at in range(first, last):
            x = breakpoints[at, unit]
            offset = max(offset, side * (slopes[at, unit] * x + intercepts[at, unit] - slope * x))
        value = side * slope * middle + offset
        if value < best:
            best = value
            out[0] = slope
            out[1] = side * offset


@njit(cache=True, nogil=True)
def enclose_pieces(
    start: int,
    stop: int,
    offsets: np.ndarray,
    breakpoints: np.ndarray,
    slopes: np.ndarray,
    intercepts: np.ndarray,
    roundoff: float,
    centre: np.ndarray,
    radius: np.ndarray,
) -> None:
    """Bounds of continuous piecewise affine functions of bounded arguments, in place, for cells `start:stop`.

    Args:
        start: First cell.
        stop: One past the last cell.
        offsets: Start of each cell among the rows.
        breakpoints: [B, units], ascending.
        slopes: [B + 1, units].
        intercepts: [B + 1, units].
        roundoff: Relative rounding error by which bounds are widened; 0 for none.
        centre: [C, units] middle of the bounds at the corners of the cells.
        radius: [C, units] half their distance, not negative.
    """
    units, count = centre.shape[1], len(breakpoints)
    lows, highs = np.empty(units), np.empty(units)
    lines, line, doubts = np.empty((4, units)), np.empty(2), np.empty(units)
    for cell in range(start, stop):
        lows[:] = np.inf
        highs[:] = -np.inf
        for row in range(offsets[cell], offsets[cell + 1]):
            for unit in range(units):
                lows[unit] = min(lows[unit], centre[row, unit] - radius[row, unit])
                highs[unit] = max(highs[unit], centre[row, unit] + radius[row, unit])
        for unit in range(units):
            doubt = 4.0 * roundoff * max(abs(lows[unit]), abs(highs[unit]))
            lows[unit] -= doubt
            highs[unit] += doubt
            first = 0
            while first < count and lows[unit] >= breakpoints[first, unit]:
                first += 1
            last = first
            while last < count and highs[unit] > breakpoints[last, unit]:
                last += 1
            if first == last:
                lines[0, unit] = lines[2, unit] = slopes[first, unit]
                lines[1, unit] = lines[3, unit] = intercepts[first, unit]
                doubts[unit] = 0.0
                continue
            if not highs[unit] - lows[unit] < np.inf:  # overflow: nothing is known
                lines[:, unit] = np.nan
                continue
            for side in range(2):
                sign = 2.0 * side - 1.0
                _line(lows[unit], highs[unit], breakpoints, slopes, intercepts, unit, first, last, sign, line)
                lines[2 * side, unit] = line[0]
                lines[2 * side + 1, unit] = line[1]
            size = max(abs(lows[unit]), abs(highs[unit]))
            doubts[unit] = (abs(lines[0, unit]) + abs(lines[2, unit])) * size
            for piece in range(first, last + 1):
                doubts[unit] += abs(slopes[piece, unit]) * size + abs(intercepts[piece, unit])
        for row in range(offsets[cell], offsets[cell + 1]):
            for unit in range(units):
                c, r = centre[row, unit], radius[row, unit]
                down = lines[0, unit] * c - abs(lines[0, unit]) * r + lines[1, unit]
                up = lines[2, unit] * c + abs(lines[2, unit]) * r + lines[3, unit]
                centre[row, unit] = 0.5 * (down + up)
                radius[row, unit] = max(0.0, 0.5 * (up - down))
                if roundoff > 0.0:
                    sizes = abs(lines[0, unit]) + abs(lines[2, unit])
                    sizes = sizes * (abs(c) + r) + abs(lines[1, unit]) + abs(lines[3, unit])
                    radius[row, unit] += 16.0 * roundoff * (sizes + doubts[unit])


@njit(cache=True, nogil=True)
def enclose_maxima(
    start: int,
    stop: int,
    offsets: np.ndarray,
    groups: np.ndarray,
    centre: np.ndarray,
    radius: np.ndarray,
    roundoff: float,
    out: np.ndarray,
    spread: np.ndarray,
) -> None:
    """Bounds of maxima of bounded arguments, for cells `start:stop`.

    Below, a maximum is bounded by the member with the largest mean over the cell; above, by the member that dominates
    all others, or else by the largest value of any.

    Args:
        start: First cell.
        stop: One past the last cell.
        offsets: Start of each cell among the rows.
        groups: [out, size] members of each maximum, -1 for none.
        centre: [C, n] middle of the bounds at the corners of the cells.
        radius: [C, n] half their distance.
        roundoff: Relative rounding error by which bounds are widened; 0 for none.
        out: [C, out] middle of the bounds of the maxima.
        spread: [C, out] half their distance.
    """
    for cell in range(start, stop):
        a, b = offsets[cell], offsets[cell + 1]
        for group in range(len(groups)):
            best, highest_low, top, second = -1, -np.inf, -np.inf, -np.inf
            best_mean = -np.inf
            leader = -1
            for member in groups[group]:
                if member < 0:
                    continue
                low, high, mean = np.inf, -np.inf, 0.0
                for row in range(a, b):
                    doubt = 4.0 * roundoff * (abs(centre[row, member]) + radius[row, member])
                    low = min(low, centre[row, member] - radius[row, member] - doubt)
                    high = max(high, centre[row, member] + radius[row, member] + doubt)
                    mean += (centre[row, member] - radius[row, member]) / (b - a)
                    if np.isnan(centre[row, member]) or np.isnan(radius[row, member]):  # overflow: nothing is known
                        low, high = -np.inf, np.inf
                if mean > best_mean:
                    best, best_mean, highest_low = member, mean, low
                if high > top:
                    second, top, leader = top, high, member
                else:
                    second = max(second, high)
            dominates = leader == best and highest_low >= second
            for row in range(a, b):
                down = centre[row, best] - radius[row, best]
                up = centre[row, best] + radius[row, best] if dominates else top
                out[row, group] = 0.5 * (down + up)
                spread[row, group] = max(0.0, 0.5 * (up - down)) + 4.0 * roundoff * (abs(down) + abs(up))
