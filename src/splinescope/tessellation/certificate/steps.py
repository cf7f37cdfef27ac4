"""Compiled loops over the points of a group and the units that are open there."""

from __future__ import annotations

import numpy as np
from numba import njit

_TINY = float(np.finfo(np.float64).tiny)


@njit(cache=True, nogil=True)
def proved(
    values: np.ndarray,
    rows: np.ndarray,
    bits: np.ndarray,
    owner: np.ndarray,
    shifts: np.ndarray,
    folds: np.ndarray,
    errors: np.ndarray,
    good: np.ndarray,
) -> None:
    """Take back `good` at points where a bit of a unit is not proved.

    Args:
        values: [p, N] values at some places.
        rows: [k] rows of the units.
        bits: [k, levels, C] recorded bits.
        owner: [N] cell of each point.
        shifts: [levels, k] breakpoints.
        folds: [levels, k] whether anything folds there.
        errors: [k] bounds of the errors of the units.
        good: [N] changed in place.
    """
    for unit in range(rows.size):
        value, error = values[rows[unit]], errors[unit]
        for level in range(shifts.shape[0]):
            if folds[level, unit]:
                bit, shift = bits[unit, level], shifts[level, unit]
                for point in range(good.size):
                    above = value[point] - shift
                    margin = above if bit[owner[point]] else -above
                    good[point] &= margin > error


@njit(cache=True, nogil=True)
def stepped(
    values: np.ndarray,
    rows: np.ndarray,
    pieces: np.ndarray,
    owner: np.ndarray,
    slopes: np.ndarray,
    intercepts: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
) -> None:
    """By how much units on a cell's own pieces exceed those on the pieces of the middle cell.

    Args:
        values: [p, N] values at some places.
        rows: [k] rows of the units.
        pieces: [k, C] pieces of the cells.
        owner: [N] cell of each point.
        slopes: [pieces, k] slopes.
        intercepts: [pieces, k] intercepts.
        base: [k] pieces of the middle cell.
        out: [k, N] filled in.
        lowest: [k] least of them, filled in.
        highest: [k] largest of them, filled in.
    """
    for unit in range(rows.size):
        value, piece, to = values[rows[unit]], pieces[unit], out[unit]
        slope, intercept, middle = slopes[:, unit], intercepts[:, unit], base[unit]
        low, high = np.inf, -np.inf
        for point in range(owner.size):
            own = piece[owner[point]]
            step = 0.0
            if own != middle:
                there = slope[own] * value[point] + intercept[own]
                step = there - (slope[middle] * value[point] + intercept[middle])
            to[point] = step
            low, high = min(low, step), max(high, step)
        lowest[unit], highest[unit] = low, high


@njit(cache=True, nogil=True)
def largest(values: np.ndarray, out: np.ndarray) -> None:
    """[p] largest absolute value of each of [p, N] rows, filled in; NaN counts for nothing."""
    for row in range(values.shape[0]):
        most = 0.0
        for value in values[row]:
            most = max(most, abs(value))
        out[row] = most


@njit(cache=True, nogil=True)
def proved_at_corners(
    values: np.ndarray,
    most: np.ndarray,
    rows: np.ndarray,
    bits: np.ndarray,
    owner: np.ndarray,
    offsets: np.ndarray,
    doubt: np.ndarray,
    straight: np.ndarray,
    shifts: np.ndarray,
    folds: np.ndarray,
    errors: np.ndarray,
    allowed: np.ndarray,
    blurs: np.ndarray,
    units: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    items: np.ndarray,
    mine: np.ndarray,
    plus: np.ndarray,
    facet_shift: np.ndarray,
    good: np.ndarray,
) -> float:
    """Take back `good` of cells where a bit of a unit is not proved at a corner, or a corner is not on its folds.

    Args:
        values: [p, N] values at corners, cell by cell, at some places.
        most: [p] largest absolute value of each.
        rows: [k] rows of the units.
        bits: [k, levels, C] recorded bits.
        owner: [N] cell of each corner.
        offsets: [C + 1] first corner of each cell.
        doubt: [N] share of a unit's swing over the cell that the corner's position leaves open.
        straight: [N] whether it is between two corners of one side.
        shifts: [levels, k] breakpoints.
        folds: [levels, k] whether anything folds there.
        errors: [k] bounds of the errors of the units.
        allowed: [k] how far a corner may be off the units' folds.
        blurs: [C] share of a unit's swing that roundings of the coordinates allow beside that.
        units: [k] the units.
        starts: [N] start of each corner's facets in `items`.
        stops: [N] their end.
        items: Facets.
        mine: [M] whether one is a fold of this node between two patterns.
        plus: [M] unit that vanishes there.
        facet_shift: [M] its breakpoint.
        good: [C] changed in place.

    Returns:
        The largest distance from a fold as a share of what is allowed.
    """
    worst = 0.0
    near = np.empty(values.shape[1], np.uint8)
    for unit in range(rows.size):
        value, error = values[rows[unit]], errors[unit]
        for level in range(shifts.shape[0]):
            if not folds[level, unit]:
                continue
            shift, bit, widest = shifts[level, unit], bits[unit, level], 2.0 * (most[rows[unit]] + error)
            for row in range(near.size):  # compiled to a few instructions for each corner; hardly any is near
                above = value[row] - shift
                margin = above if bit[owner[row]] else -above
                near[row] = not margin > error + doubt[row] * widest
            for row in range(near.size):
                if near[row]:
                    cell = owner[row]
                    low, high = np.inf, -np.inf
                    for other in range(offsets[cell], offsets[cell + 1]):
                        low, high = min(low, value[other]), max(high, value[other])
                    swing = high - low
                    margin = value[row] - shift if bit[cell] else shift - value[row]
                    slack = doubt[row] * (swing + 2.0 * error) if doubt[row] > 0.0 else 0.0
                    if margin > error + slack:
                        continue
                    on = False
                    for at in range(starts[row], stops[row]):
                        facet = items[at]
                        on |= mine[facet] and plus[facet] == units[unit] and facet_shift[facet] == shift
                    if on:
                        ratio = -margin / (allowed[unit] + blurs[cell] * swing + _TINY)
                        if ratio <= 1.0:
                            worst = max(worst, ratio)
                        else:
                            good[cell] = False
                    elif not straight[row]:
                        good[cell] = False
    return worst
