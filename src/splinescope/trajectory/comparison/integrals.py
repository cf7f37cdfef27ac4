"""Integrals of absolute values of affine functions over the cells of a complex, exactly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.simplices import simplices

_ROWS = 1 << 18
"""Simplices that are taken at once."""


def mean_absolute(values: Float[np.ndarray, "simplices corners"]) -> Float[np.ndarray, " simplices"]:
    r"""Mean of $|f|$ over simplices, for affine $f$ with given values at the corners.

    Where $f$ has one sign it is the mean of the corners' values. Else the edge from a corner with $p > 0$ to one with
    $q < 0$ is cut where $f$ vanishes, which leaves two simplices of the shares $p / (p - q)$ and $-q / (p - q)$ of the
    volume, each with a zero in place of one of both corners. Nothing cancels, so that the result is exact to round-off.

    Args:
        values: Values at the corners.

    Returns:
        One mean for each simplex. Cost: at most 2^d cuts in d dimensions.

    Example:
        >>> mean_absolute(np.array([[1.0, -1.0], [0.0, 3.0]])).tolist()
        [0.5, 1.5]
    """
    means = np.zeros(len(values))
    rows, shares, owners = values, np.ones(len(values)), np.arange(len(values))
    while len(rows):
        high, low = rows.argmax(axis=1), rows.argmin(axis=1)
        every = np.arange(len(rows))
        p, q = rows[every, high], rows[every, low]
        mixed = (p > 0) & (q < 0)
        done = ~mixed
        means += np.bincount(owners[done], shares[done] * np.abs(rows[done]).mean(axis=1), len(values))
        rows, shares, owners = rows[mixed], shares[mixed], owners[mixed]
        p, q, high, low = p[mixed], q[mixed], high[mixed], low[mixed]
        every = np.arange(len(rows))
        above, below = rows.copy(), rows
        above[every, low] = 0.0
        below[every, high] = 0.0
        span = p / 2 - q / 2  # halves, so that no sum overflows
        rows = np.concatenate([above, below])
        shares = np.concatenate([shares * (p / 2 / span), shares * (-q / 2 / span)])
        owners = np.concatenate([owners, owners])
    return means


def integrals_of_absolute(
    cells: VertexComplex, values: Float[np.ndarray, "vertices outputs"]
) -> Float[np.ndarray, "cells outputs"]:
    r"""Integrals of $|f_k|$ over the cells of a complex, for functions that are affine on each.

    Args:
        cells: A complex with vertices.
        values: Values of the functions at the vertices.

    Returns:
        One integral for each cell and function, in the domain's coordinates.
    """
    parts = simplices(cells)
    total = np.zeros((len(cells), values.shape[1]))
    for start in range(0, len(parts), _ROWS):
        rows = slice(start, start + _ROWS)
        for k in range(values.shape[1]):
            means = mean_absolute(values[parts.corners[rows], k])
            total[:, k] += np.bincount(parts.cells[rows], means * parts.measures[rows], len(cells))
    return total
