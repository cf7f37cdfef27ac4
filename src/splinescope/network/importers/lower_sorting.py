"""Sorted values as networks of maxima: the values are continuous and piecewise affine, though their order jumps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from splinescope.network.importers.builder import Builder
from splinescope.network.importers.lower_affine import combine
from splinescope.network.importers.lower_folding import max_over_windows, maximum
from splinescope.network.importers.views import Variable

MOST_COMPARISONS = 1 << 16
"""Units that sorting may cost: with more of them cells are no longer counted."""


def sort(b: Builder, x: Variable, axis: int, *, descending: bool = False) -> Variable:
    """Values along an axis in order, by Batcher's odd-even merge sort.

    Each comparison of two values is one maximum; the smaller one is their sum without the larger one.

    Args:
        b: The builder.
        x: The values.
        axis: The axis.
        descending: Whether the largest comes first.

    Returns:
        The sorted values, in the shape of `x`.

    Raises:
        UnsupportedOpError: If it takes more than `MOST_COMPARISONS` units.
    """
    axis %= max(1, len(x.shape))
    n = x.shape[axis] if x.shape else 1
    stages = list(batcher_stages(n))
    cost = sum(map(len, stages)) * (x.size // max(1, n))
    if cost > MOST_COMPARISONS:
        raise b.refusal(f"to sort {n} values takes {cost:,} units, more than {MOST_COMPARISONS:,}")
    rows = b.rearrange(lambda array: np.moveaxis(array, axis, -1), x)[0]
    for pairs in stages:
        rows = _compared(b, rows, np.array(pairs))

    def back(array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array[..., ::-1] if descending else array, -1, axis)

    return b.rearrange(back, rows)[0]


def _compared(b: Builder, rows: Variable, pairs: np.ndarray) -> Variable:
    """Rows in which pairs of places have the smaller value first."""
    left, right = (b.rearrange(lambda array, c=column: array[..., c], rows)[0] for column in pairs.T)
    larger = b.variable(maximum(b, [left, right]))
    smaller = combine(b, [left, right, larger], [1.0, 1.0, -1.0])
    order = np.arange(rows.shape[-1])
    place = np.full((3, len(order)), -1)
    place[0, pairs[:, 0]] = place[1, pairs[:, 1]] = np.arange(len(pairs))
    place[2] = np.where((place[0] < 0) & (place[1] < 0), order, -1)

    def joined(*arrays: np.ndarray) -> np.ndarray:
        columns = np.concatenate(arrays, axis=-1)
        starts = np.cumsum([0, arrays[0].shape[-1], arrays[1].shape[-1]])
        chosen = np.max(np.where(place >= 0, place + starts[:, None], -1), axis=0)
        return columns[..., chosen]

    return b.rearrange(joined, smaller, larger, rows)[0]


def batcher_stages(n: int) -> Iterator[list[tuple[int, int]]]:
    """Comparisons of a sorting network, in stages of pairs that have no place in common.

    Source: Batcher, Sorting networks and their applications, 1968. For a length that is no power of two, the places
    beyond the end are thought to hold infinity, which no comparison moves.

    Args:
        n: Number of values.

    Yields:
        Pairs of places, the first one before the second one; the smaller value goes to the first one.

    Example:
        >>> list(batcher_stages(3))
        [[(0, 1)], [(0, 2)], [(1, 2)]]
    """
    p = 1
    while p < n:
        k = p
        while k >= 1:
            pairs = [
                (i + j, i + j + k)
                for j in range(k % p, n - k, 2 * k)
                for i in range(min(k, n - j - k))
                if (i + j) // (2 * p) == (i + j + k) // (2 * p)
            ]
            if pairs:
                yield pairs
            k //= 2
        p *= 2


def running_maximum(b: Builder, x: Variable, axis: int, sign: float = 1.0) -> Variable:
    """Largest (smallest for `sign` -1) of each value and those before it along an axis."""
    axis %= max(1, len(x.shape))
    n = x.shape[axis] if x.shape else 1
    window = np.where(np.tri(n, dtype=bool), np.arange(n), -1)
    rows = b.rearrange(lambda array: np.moveaxis(array, axis, -1)[..., None, :], x)[0]
    best = max_over_windows(b, rows, [window], sign)
    return b.rearrange(lambda array: np.moveaxis(array[..., 0, :], -1, axis), best)[0]
