"""Sums of piecewise polynomials of many samples, and where such a sum has its minima and maxima.

Sums run over all breakpoints in order, and carry a second float64 for what rounding leaves: the jumps of a sample's
coefficients cancel along the line, so that plain sums would drift.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.polynomials import (
    COINCIDENT,
    conversion_noise,
    derivative,
    first_sign,
    reach_of_end,
    refined,
    shifted,
    sign_changes,
    to_bernstein,
)


@njit(cache=True, nogil=True)
def with_coincidences(starts: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Where each row begins, with breakpoints next to each other put on the first of them.

    Folds of several samples or units that coincide exactly, as where samples are collinear or a unit saturates while a
    maximum changes, are found some roundings apart.
    """
    later = np.flatnonzero(~fresh)
    placed = starts.copy()
    first = -np.inf
    for row in later[np.argsort(starts[later], kind="mergesort")]:
        if starts[row] - first <= COINCIDENT:
            placed[row] = first
        else:
            first = starts[row]
    return placed


@njit(cache=True, nogil=True)
def _add(high: float, low: float, value: float) -> tuple[float, float]:
    """Add a number to an unevaluated sum of two."""
    total = high + value
    back = total - high
    error = (high - (total - back)) + (value - back)
    low += error
    high = total + low
    return high, low - (high - total)


@njit(cache=True, nogil=True)
def running_sums(
    order: np.ndarray,  # rows of which each begins where a sample's piece changes, in ascending order of the places
    places: np.ndarray,  # [R] where each row begins
    fresh: np.ndarray,  # [R] whether a row is the first of its sample
    coefficients: np.ndarray,  # [R, size]
) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints of the sum, without repetition, and its coefficients on each piece."""
    rows, size = coefficients.shape
    high, low = np.zeros(size), np.zeros(size)
    for row in range(rows):
        if fresh[row]:
            for k in range(size):
                high[k], low[k] = _add(high[k], low[k], coefficients[row, k])
    points, found = np.empty(len(order)), np.empty((len(order) + 1, size))
    count = 0
    for row in order:
        if count == 0 or places[row] > points[count - 1]:
            found[count] = high
            points[count] = places[row]
            count += 1
        for k in range(size):
            high[k], low[k] = _add(high[k], low[k], coefficients[row, k])
            high[k], low[k] = _add(high[k], low[k], -coefficients[row - 1, k])
    found[count] = high
    return points[:count], found[: count + 1]


@njit(cache=True, nogil=True)
def _slopes(
    slope: np.ndarray,
    low: float,
    length: float,
    noise: float,
    margin: float,
    powers: np.ndarray,
    bernstein: np.ndarray,
    roots: np.ndarray,
    stack: np.ndarray,
    intervals: np.ndarray,
) -> tuple[int, int, bool]:
    """The first sign of a derivative on a piece, 0 if there is none; the number of its changes; whether all is sure."""
    shifted(slope, low, length, powers)
    to_bernstein(powers, bernstein)
    start = first_sign(bernstein, noise, 0)
    if start == 0:
        return 0, 0, margin >= 1.0
    sure = abs(bernstein[0]) > noise or (len(bernstein) > 1 and reach_of_end(bernstein[::-1], noise) <= margin)
    found, _, unclear = sign_changes(powers, start, noise, margin, roots, stack, intervals)
    return start, found, sure and unclear == 0


@njit(cache=True, nogil=True)
def slope_signs(
    points: np.ndarray,  # [M - 1] breakpoints
    coefficients: np.ndarray,  # [M, size]
    errors: np.ndarray,  # [M] bounds of the errors of the derivative
    constant: np.ndarray,  # [M] whether it is constant for certain
    span: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Signs of the derivative of a piecewise polynomial: see `landscape.arbiter.Slopes`; and pieces in doubt."""
    pieces, size = coefficients.shape
    order = max(1, size - 1)
    first, bounds, places = np.zeros(pieces, np.int64), np.zeros(pieces + 1, np.int64), np.empty(64)
    slope, powers, bernstein = np.zeros(order), np.empty(order), np.empty(order)
    roots, stack, intervals = np.empty(order + 1), np.empty((60, order)), np.empty((60, 3))
    doubtful = np.empty(64, np.int64)
    count = doubts = 0
    for piece in range(pieces):
        bounds[piece + 1] = count
        if constant[piece]:
            continue
        low = points[piece - 1] if piece > 0 else span[0]
        high = points[piece] if piece < pieces - 1 else span[1]
        length = high - low
        derivative(coefficients[piece], slope)
        noise = errors[piece] + conversion_noise(slope, low, length)
        margin = COINCIDENT / length if length > COINCIDENT else 1.0
        start, found, sure = _slopes(slope, low, length, noise, margin, powers, bernstein, roots, stack, intervals)
        if not sure:
            doubtful, doubts = appended(doubtful, doubts, piece)
        first[piece] = start
        while count + found > len(places):
            places = np.concatenate((places, np.empty(len(places))))
        for event in range(found):
            share, _ = refined(slope, 0.0, low, length, roots[event], noise, sure)
            places[count] = low + length * share
            count += 1
        bounds[piece + 1] = count
    return first, bounds, places[:count], doubtful[:doubts]


@njit(cache=True, nogil=True)
def appended(numbers: np.ndarray, count: int, value: int) -> tuple[np.ndarray, int]:
    """A list in a buffer with one number more, the buffer twice as long where it is full."""
    if count == len(numbers):
        numbers = np.concatenate((numbers, np.empty_like(numbers)))
    numbers[count] = value
    return numbers, count + 1


@njit(cache=True, nogil=True)
def extrema(
    points: np.ndarray,  # [M - 1] breakpoints
    span: tuple[float, float],
    first: np.ndarray,  # [M] sign of the slope at the start of each piece, 0 where it has none
    bounds: np.ndarray,  # [M + 1] where the changes of each begin
    changes: np.ndarray,  # where it changes
) -> tuple[np.ndarray, np.ndarray]:
    """Where what has these slopes stops falling and rises (1), or the reverse (-1).

    Where it is constant in between it is the middle of that, also where nothing says that it is not. Changes next to an
    end of a piece are at its breakpoint, whose place is rounded.
    """
    places, kinds = np.empty(64), np.empty(64, np.int64)
    count = sign = 0
    since = span[0]
    for piece in range(len(first)):
        if first[piece] == 0:
            continue
        low = points[piece - 1] if piece > 0 else span[0]
        high = points[piece] if piece < len(first) - 1 else span[1]
        own, begin, end = first[piece], bounds[piece], bounds[piece + 1]
        while begin < end and changes[begin] - low <= COINCIDENT:
            own, begin = -own, begin + 1
        while begin < end and high - changes[end - 1] <= COINCIDENT:
            end -= 1
        for event in range(begin - 1, end):
            begins = event < begin
            place = low if begins else changes[event]
            own = own if begins else -own
            if own == -sign:
                if count == len(places):
                    places = np.concatenate((places, np.empty(count)))
                    kinds = np.concatenate((kinds, np.empty(count, np.int64)))
                places[count] = 0.5 * (since + place) if begins and since < place else place
                kinds[count] = own
                count += 1
            sign = own
        since = high
    return places[:count], kinds[:count]
