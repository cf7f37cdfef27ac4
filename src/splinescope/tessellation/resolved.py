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
    group: Int[np.ndarray, " F"] | None = None,
) -> Bool[np.ndarray, " F"]:
    """Which cells are larger than what roundings of their corners make of their measures.

    Args:
        vertices: Coordinates of the vertices.
        cell_vertices: Vertices of all cells, one cell after the other.
        cell_offsets: Start of each cell in `cell_vertices`.
        measures: Lengths, areas or volumes of the cells.
        group: Domain of each cell, where several lie side by side; coordinates are compared with those of its own.

    Returns:
        For each cell with k corners whether its measure exceeds 4 + k times that of slabs over the sides of its
        bounding box, as thick as `ROUNDINGS` roundings of the largest coordinate on their axis.
    """
    of = np.zeros(len(measures), np.int64) if group is None else group.astype(np.int64)
    size = sizes_of(vertices, cell_vertices, cell_offsets, group)
    relative = np.array(measures, np.float64)
    for length in size.T:  # one by one: their product may overflow
        relative /= length[of]
    out = np.empty(len(measures), np.bool_)
    step = ROUNDINGS * UNIT_ROUNDOFF
    in_ranges(_resolved, len(out), vertices, cell_vertices, cell_offsets, relative, size, of, step, out)
    return out


def sizes_of(
    vertices: np.ndarray, cell_vertices: np.ndarray, cell_offsets: np.ndarray, group: np.ndarray | None
) -> np.ndarray:
    """[domains, d] largest absolute coordinate on each axis, of the only domain or of each; 1 where all are zero."""
    if group is None:
        size = np.array([[np.abs(column).max(initial=0.0) for column in vertices.T]])
    else:
        size = np.zeros((int(group.max(initial=0)) + 1, vertices.shape[1]))
        np.maximum.at(size, np.repeat(group, np.diff(cell_offsets)), np.abs(vertices[cell_vertices]))
    size[size == 0] = 1.0
    return size


@njit(cache=True, nogil=True)
def _resolved(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    relative: np.ndarray,
    sizes: np.ndarray,
    of: np.ndarray,
    step: float,
    out: np.ndarray,
) -> None:
    """Measures relative to the coordinates against slabs over the sides of bounding boxes."""
    d = sizes.shape[1]
    extents = np.empty(d)
    for cell in range(start, stop):
        size = sizes[of[cell]]
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
