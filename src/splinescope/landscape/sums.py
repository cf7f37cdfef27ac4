"""Sums of piecewise polynomials of many samples, and where such a sum has its minima and maxima.

Sums run over all breakpoints in order, and carry a second float64 for what rounding leaves: the jumps of a sample's
coefficients cancel along the line, so that plain sums would drift.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.polynomials import derivative, first_sign, shifted, sign_changes, to_bernstein

_ROUNDING = 2.0**-50
"""What rounding may make of a coefficient, as a share of it."""

COINCIDENT = 2.0**-42
"""Distance by s up to which breakpoints are one: rounding moves them, and a sliver between two has nobody's slope."""


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
def turning_points(
    points: np.ndarray,  # [M - 1] breakpoints
    coefficients: np.ndarray,  # [M, size]
    span: tuple[float, float],
    negligible: float,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Where a piecewise polynomial stops falling and rises (1), or the reverse (-1); and doubts.

    Where it is constant in between it is the middle of that. Bernstein coefficients of the derivative that do not
    exceed rounding, or `negligible`, count as zero.
    """
    pieces, size = coefficients.shape
    order = max(1, size - 1)
    places, kinds = np.empty(64), np.empty(64, np.int64)
    slope, powers, bernstein = np.zeros(order), np.empty(order), np.empty(order)
    roots, stack, intervals = np.empty(order + 1), np.empty((60, order)), np.empty((60, 3))
    count = doubts = sign = 0
    since = span[0]
    for piece in range(pieces):
        low = points[piece - 1] if piece > 0 else span[0]
        high = points[piece] if piece < pieces - 1 else span[1]
        derivative(coefficients[piece], slope)
        shifted(slope, low, high - low, powers)
        to_bernstein(powers, bernstein)
        noise = negligible
        for k in range(1, size):
            noise += _ROUNDING * k * abs(coefficients[piece, k])
        for k in range(order):
            if abs(bernstein[k]) <= noise:
                bernstein[k] = 0.0
        if not bernstein.any():
            continue
        start = first_sign(bernstein, 1)
        own = start
        found, _, unclear = sign_changes(powers, start, noise, roots, stack, intervals)
        doubts += unclear
        for event in range(-1, found):
            place = low if event < 0 else low + (high - low) * roots[event]
            own = start if event < 0 else -own
            if own == -sign:
                if count == len(places):
                    places = np.concatenate((places, np.empty(count)))
                    kinds = np.concatenate((kinds, np.empty(count, np.int64)))
                places[count] = 0.5 * (since + place) if event < 0 and since < place else place
                kinds[count] = own
                count += 1
            sign = own
        since = high
    return places[:count], kinds[:count], doubts
