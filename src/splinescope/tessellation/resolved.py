"""Which cells float64 coordinates resolve."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF, in_ranges

ROUNDINGS = 8
"""Roundings of the largest coordinate on an axis within which a vertex is where it is recorded."""


def resolved_cells(
    vertices: Float[np.ndarray, "V d"],
    cell_vertices: Int[np.ndarray, " items"],
    cell_offsets: Int[np.ndarray, " offsets"],
    measures: Float[np.ndarray, " F"],
) -> Bool[np.ndarray, " F"]:
    """Which cells are larger than what roundings of their corners make of their measures.

    Args:
        vertices: Coordinates of the vertices.
        cell_vertices: Vertices of all cells, one cell after the other.
        cell_offsets: Start of each cell in `cell_vertices`.
        measures: Lengths, areas or volumes of the cells.

    Returns:
        For each cell with k corners whether its measure exceeds 4 + k times that of slabs over the sides of its
        bounding box, as thick as `ROUNDINGS` roundings of the largest coordinate on their axis.
    """
    size = np.array([np.abs(column).max(initial=0.0) for column in vertices.T])
    size[size == 0] = 1.0
    relative = np.array(measures, np.float64)
    for length in size:  # one by one: their product may overflow
        relative /= length
    out = np.empty(len(measures), np.bool_)
    step = ROUNDINGS * UNIT_ROUNDOFF
    in_ranges(_resolved, len(out), vertices, cell_vertices, cell_offsets, relative, size, step, out)
    return out


@njit(cache=True, nogil=True)
def _resolved(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    relative: np.ndarray,
    size: np.ndarray,
    step: float,
    out: np.ndarray,
) -> None:
    """Measures relative to the coordinates against slabs over the sides of bounding boxes."""
    d = len(size)
    extents = np.empty(d)
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        for axis in range(d):
            least = most = vertices[cell_vertices[low], axis]
            for at in range(low + 1, high):
                x = vertices[cell_vertices[at], axis]
                least, most = min(least, x), max(most, x)
            extents[axis] = (most - least) / size[axis] + 2.0 * step
        slabs = 0.0
        for axis in range(d):
            slab = step
            for other in range(d):
                if other != axis:
                    slab *= extents[other]
            slabs += slab
        out[cell] = relative[cell] > (4.0 + high - low) * slabs
