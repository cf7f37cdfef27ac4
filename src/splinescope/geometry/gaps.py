"""How far functions of bounded arguments are from convex combinations of their values at corners of convex cells."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def widen_gaps(
    values: np.ndarray,
    corners: np.ndarray,
    offsets: np.ndarray,
    breakpoints: np.ndarray,
    slopes: np.ndarray,
    intercepts: np.ndarray,
    down: np.ndarray,
    up: np.ndarray,
) -> None:
    r"""From gaps of arguments to those of continuous piecewise affine functions of them, in place.

    The gap of $z$ on a cell is $[-a, b]$ if $z(x) - \sum_v w_v z(v) \in [-a, b]$ for all convex combinations
    $x = \sum_v w_v v$ of its corners. That of $g(z)$ has two parts: what $g$ does to the gap of $z$, by its slopes, and
    what it deviates from its own values between the corners, which is on one side only where it is convex or concave.

    Args:
        values: [V, units] arguments at the corners.
        corners: Corners of the cells, cell after cell.
        offsets: Start of each cell among these.
        breakpoints: [B, units], ascending.
        slopes: [B + 1, units].
        intercepts: [B + 1, units].
        down: [F, units] how far below the arguments may be, not negative.
        up: [F, units] how far above.
    """
    units = values.shape[1]
    low, high = np.empty(units), np.empty(units)
    for cell in range(len(offsets) - 1):
        low[:] = values[corners[offsets[cell]]]
        high[:] = low
        for at in range(offsets[cell] + 1, offsets[cell + 1]):
            row = corners[at]
            for unit in range(units):
                value = values[row, unit]
                low[unit] = value if value < low[unit] else low[unit]
                high[unit] = value if value > high[unit] else high[unit]
        for unit in range(units):
            a, b = down[cell, unit], up[cell, unit]
            first, last = _pieces(low[unit] - a, high[unit] + b, breakpoints, unit)
            least = most = slopes[first, unit]
            for piece in range(first + 1, last + 1):
                least, most = min(least, slopes[piece, unit]), max(most, slopes[piece, unit])
            rising, falling = max(most, 0.0), max(-least, 0.0)
            down[cell, unit], up[cell, unit] = max(rising * a, falling * b), max(rising * b, falling * a)
            if first < last:
                below, above = _sagging(low[unit], high[unit], breakpoints, slopes, intercepts, unit)
                down[cell, unit] += below
                up[cell, unit] += above


@njit(cache=True, nogil=True)
def _pieces(low: float, high: float, breakpoints: np.ndarray, unit: int) -> tuple[int, int]:
    """First and last piece on a range."""
    first = 0
    while first < len(breakpoints) and low >= breakpoints[first, unit]:
        first += 1
    last = first
    while last < len(breakpoints) and not high <= breakpoints[last, unit]:
        last += 1
    return first, last


@njit(cache=True, nogil=True)
def _sagging(
    low: float, high: float, breakpoints: np.ndarray, slopes: np.ndarray, intercepts: np.ndarray, unit: int
) -> tuple[float, float]:
    """How far below and above a function may be from combinations of its values, for arguments on a range."""
    first, last = _pieces(low, high, breakpoints, unit)
    if first == last:
        return 0.0, 0.0
    start = slopes[first, unit] * low + intercepts[first, unit]
    end = slopes[last, unit] * high + intercepts[last, unit]
    chord = (end - start) / (high - low)
    below = above = 0.0
    convex = concave = True
    for piece in range(first, last):
        x = breakpoints[piece, unit]
        off = slopes[piece, unit] * x + intercepts[piece, unit] - (start + chord * (x - low))
        below, above = max(below, -off), max(above, off)
        convex = convex and slopes[piece + 1, unit] >= slopes[piece, unit]
        concave = concave and slopes[piece + 1, unit] <= slopes[piece, unit]
    if convex:
        return below, 0.0
    if concave:
        return 0.0, above
    return below + above, below + above


@njit(cache=True, nogil=True)
def number_consecutively(items: np.ndarray, numbers: np.ndarray, out: np.ndarray, first: np.ndarray) -> int:
    """Number what is listed in the order of its first appearance.

    Args:
        items: Old numbers, with repeats.
        numbers: Scratch of -1 for all old numbers, and so again afterwards.
        out: The new numbers of the items.
        first: The old numbers of the new ones.

    Returns:
        How many there are.
    """
    count = 0
    for at in range(len(items)):
        item = items[at]
        if numbers[item] < 0:
            numbers[item] = count
            first[count] = item
            count += 1
        out[at] = numbers[item]
    for at in range(count):
        numbers[first[at]] = -1
    return count
