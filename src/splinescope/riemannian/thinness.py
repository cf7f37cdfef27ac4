"""How well places on an image are known, and which polygons are too thin beside that to have an inside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.tessellation.domains import Slice
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.planar.complex import PlanarComplex

_PLACED = 16 * float(np.finfo(np.float64).eps)
"""How well vertices are placed, relative to the largest coordinate: each is off its folds by a few roundings."""


def grain_of(cells: PlanarComplex) -> float:
    """How far vertices of a complex may be from where they are, in the domain's coordinates.

    Args:
        cells: The complex.

    Returns:
        A length: some roundings of the largest coordinate, of the plane or of the inputs.
    """
    largest = float(np.abs(cells.vertices).max(initial=0.0))
    if isinstance(cells.domain, Slice):
        inputs = float(np.abs(embedded(cells.domain, cells.domain.corners)).max(initial=0.0))
        stretch = float(np.linalg.norm(cells.domain.basis.reshape(2, -1), 2))
        largest = max(largest, inputs / stretch)
    return _PLACED * largest


def shape_ranks(
    offsets: Int[np.ndarray, " _"], places: Float[np.ndarray, "n 2"], give: float
) -> Int[np.ndarray, " polygons"]:
    """Dimension of each convex polygon, as far as its corners are known.

    Args:
        offsets: Where the corners of each polygon start.
        places: The corners.
        give: How well they are known.

    Returns:
        2; 1 for those that are no wider than that, and 0 for those that are no longer, either.
    """
    found = np.empty(len(offsets) - 1, np.int64)
    _rank(offsets.astype(np.int64), np.ascontiguousarray(places), give, found)
    return found


@njit(cache=True, nogil=True)
def _rank(offsets: np.ndarray, places: np.ndarray, give: float, found: np.ndarray) -> None:
    for polygon in range(found.size):
        low, high = offsets[polygon], offsets[polygon + 1]
        longest, width = 0.0, np.inf
        for one in range(low, high):
            for two in range(low, one):
                ux, uy = places[one, 0] - places[two, 0], places[one, 1] - places[two, 1]
                longest = max(longest, np.hypot(ux, uy))
        for one in range(low, high):
            two = one + 1 if one + 1 < high else low
            ux, uy = places[two, 0] - places[one, 0], places[two, 1] - places[one, 1]
            size = np.hypot(ux, uy)
            if size <= give:
                continue
            wide = 0.0
            for other in range(low, high):
                vx, vy = places[other, 0] - places[one, 0], places[other, 1] - places[one, 1]
                wide = max(wide, abs(ux * vy - uy * vx) / size)
            width = min(width, wide)
        found[polygon] = 0 if longest <= give else (1 if width <= give or width == np.inf else 2)
