"""Orders in which what is near in space is near in the list, so that neighbours are looked at together."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_BITS = 60
"""Bits of a place on the curve."""


def z_order(points: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Numbers of points along Morton's curve through a grid of their box.

    Args:
        points: Coordinates.

    Returns:
        A permutation.

    Example:
        >>> z_order(np.array([[0.0, 0.0], [1.0, 1.0], [0.1, 0.1], [0.9, 0.9]])).tolist()
        [0, 2, 3, 1]
    """
    count, dimension = points.shape
    bits = _BITS // max(1, dimension)
    low, extent = points.min(axis=0, initial=np.inf), np.ptp(points, axis=0) if count else 1.0
    grid = ((points - low) / np.where(extent > 0, extent, 1.0) * (2.0**bits - 1)).astype(np.uint64)
    place = np.zeros(count, np.uint64)
    for bit in range(bits):
        for axis in range(dimension):
            place |= ((grid[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(bit * dimension + axis)
    return np.argsort(place, kind="stable")
