r"""Arithmetic of balls whose centres are double words: unevaluated sums of two float64 numbers.

A row of weights multiplies by error-free products and sums (Dekker; Ogita, Rump and Oishi, Accurate sum and dot
product, 2005). Their errors are summed apart, again with errors that are summed apart: where those of the first kind
have sizes that sum to T, about $u = 2^{-53}$ times the terms, what is left is off by a little more than $3 u T$, and by
the radii that were there before, times the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.network.ops import Reads
from splinescope.numerics import in_ranges

_SPLITTER = 2.0**27 + 1.0
_UNIT, _TINY = 2.0**-53, 2.0**-1060
"""Rounding of a sum, and what underflow may leave of a product."""


class Balls(NamedTuple):
    """Forms of some units of a node in some cells.

    Attributes:
        units: Their numbers, ascending.
        high: [units, cells, d + 1] centres are `high + low`.
        low: What is below.
        radius: How far each coefficient may be off.
    """

    units: np.ndarray
    high: np.ndarray
    low: np.ndarray
    radius: np.ndarray


def joined(parts: Sequence[Balls | None], sizes: Sequence[int], cells: int, width: int) -> Balls:
    """Forms of several nodes as those of one whose units follow one another."""
    starts = np.cumsum([0, *sizes])
    there = [(start, part) for start, part in zip(starts.tolist(), parts, strict=False) if part is not None]
    if not there:
        return Balls(np.zeros(0, np.int64), *(np.zeros((0, cells, width)) for _ in range(3)))
    if len(there) == 1 and there[0][0] == 0:
        return there[0][1]
    units = np.concatenate([part.units + start for start, part in there])
    return Balls(units, *(np.concatenate([part[i] for _, part in there]) for i in range(1, 4)))


def folded(units: np.ndarray, reads: Reads, before: Balls) -> Balls:
    """Units on their pieces; `reads` are [units, cells]."""
    cells, width = before.high.shape[1:]
    used = reads.slopes != 0
    places = (np.searchsorted(before.units, reads.places) * cells + np.arange(cells))[used]
    flat = Balls(before.units, *(part.reshape(-1, 1, width) for part in before[1:]))
    if (reads.slopes[used] == 1).all() and not reads.intercepts.any():
        parts = [np.zeros((*used.shape, width)) for _ in range(3)]
        for part, old in zip(parts, flat[1:], strict=True):
            part[used] = old[places, 0]
        return Balls(units, *parts)
    starts = np.concatenate([[0], np.cumsum(used.ravel())])
    found = applied(units, starts, places, reads.slopes[used], reads.intercepts.ravel(), flat)
    return Balls(units, *(part.reshape(len(units), cells, width) for part in found[1:]))


def applied(
    units: np.ndarray, starts: np.ndarray, places: np.ndarray, weights: np.ndarray, offsets: np.ndarray, before: Balls
) -> Balls:
    """Rows of weights times forms, plus offsets.

    Args:
        units: Numbers of the units that the rows make.
        starts: [k + 1] where the weights of each row start.
        places: Which form each weight multiplies.
        weights: The weights.
        offsets: [k] what is added to the constants.
        before: The forms that are read.
    """
    _, cells, width = before.high.shape
    rows = (starts.astype(np.int64), places.astype(np.int64), *map(np.ascontiguousarray, (weights, offsets)))
    inner = [np.ascontiguousarray(part).ravel() for part in before[1:]]
    outer = [np.empty((len(starts) - 1, cells, width)) for _ in range(3)]
    in_ranges(_multiply, len(starts) - 1, *rows, cells, width, *inner, *(part.reshape(-1) for part in outer), grain=64)
    return Balls(units, *outer)


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(
    start: int,
    stop: int,
    starts: np.ndarray,
    places: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    cells: int,
    width: int,
    high: np.ndarray,
    low: np.ndarray,
    radius: np.ndarray,
    out_high: np.ndarray,
    out_low: np.ndarray,
    out_radius: np.ndarray,
) -> None:
    """Sums of products of weights and balls; errors of products and sums are exact, and summed apart."""
    across = cells * width
    sums, rest, third, apart, spread = (
        np.empty(across), np.empty(across), np.empty(across), np.empty(across), np.empty(across)
    )  # fmt: skip
    for row in range(start, stop):
        for j in range(across):
            sums[j] = rest[j] = third[j] = apart[j] = spread[j] = 0.0
        for cell in range(cells):
            sums[cell * width + width - 1] = offsets[row]
        for at in range(starts[row], starts[row + 1]):
            _accumulate(weights[at], places[at] * across, high, low, radius, sums, rest, third, apart, spread)
        terms = starts[row + 1] - starts[row] + 4.0
        for j in range(across):
            total = sums[j] + rest[j]
            shadow = total - sums[j]
            left = ((sums[j] - (total - shadow)) + (rest[j] - shadow)) + third[j]
            upper = total + left
            doubt = (4.0 + terms * terms * 2.0**-50) * _UNIT * apart[j] + 2.0 * _UNIT * abs(left)
            out_high[row * across + j] = upper
            out_low[row * across + j] = left - (upper - total)
            out_radius[row * across + j] = (spread[j] + doubt) * (1.0 + terms * 2.0**-50) + terms * _TINY


@njit(nogil=True, error_model="numpy")
def _accumulate(
    weight: float,
    base: int,
    high: np.ndarray,
    low: np.ndarray,
    radius: np.ndarray,
    sums: np.ndarray,
    rest: np.ndarray,
    third: np.ndarray,
    apart: np.ndarray,
    spread: np.ndarray,
) -> None:
    """Add one weight times the balls from a place on: the product, its error and that of the sum."""
    turned = _SPLITTER * weight
    coarse = turned - (turned - weight)
    fine, size = weight - coarse, abs(weight)
    for j in range(len(sums)):
        number = high[base + j]
        product = weight * number
        turned = _SPLITTER * number
        head = turned - (turned - number)
        tail = number - head
        error = ((coarse * head - product) + coarse * tail + fine * head) + fine * tail
        total = sums[j] + product
        shadow = total - sums[j]
        lost = (sums[j] - (total - shadow)) + (product - shadow)
        sums[j] = total
        below = weight * low[base + j]
        apart[j] += abs(lost) + abs(error) + abs(below)
        term = (lost + error) + below
        total = rest[j] + term
        shadow = total - rest[j]
        third[j] += (rest[j] - (total - shadow)) + (term - shadow)
        rest[j] = total
        spread[j] += size * radius[base + j]
