"""Half-edges of a subdivision after its edges were cut, before anything is inserted into its faces.

Edge `e` with cuts `g, g + 1, ...` keeps its number for the piece at its tail; the next pieces are `E + g, ...`:

    tail --e--> g --E+g--> g+1 --E+g+1--> head
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.planar.halfedges import FACE, FOLLOWING, ORIGIN, PRECEDING


@njit(cache=True, nogil=True)
def split_outer_edges(
    start: int, stop: int, vertices: int, halves: np.ndarray, group_offsets: np.ndarray, out: np.ndarray
) -> None:
    """Half-edges of edges `start:stop` after cutting each at its groups."""
    edges = len(halves) // 2
    for edge in range(start, stop):
        low, high = group_offsets[edge], group_offsets[edge + 1]
        forth, back = 2 * edge, 2 * edge + 1
        last = edge if low == high else edges + high - 1
        out[forth, ORIGIN] = halves[forth, ORIGIN]
        out[2 * last + 1, ORIGIN] = halves[back, ORIGIN]
        out[forth, FACE] = halves[forth, FACE]
        out[back, FACE] = halves[back, FACE]
        previous = edge
        for group in range(low, high):
            piece = edges + group
            out[2 * piece, ORIGIN] = vertices + group
            out[2 * previous + 1, ORIGIN] = vertices + group
            out[2 * piece, FACE] = halves[forth, FACE]
            out[2 * piece + 1, FACE] = halves[back, FACE]
            out[2 * previous, FOLLOWING] = 2 * piece
            out[2 * piece, PRECEDING] = 2 * previous
            out[2 * piece + 1, FOLLOWING] = 2 * previous + 1
            out[2 * previous + 1, PRECEDING] = 2 * piece + 1
            previous = piece
        for half, tip in ((forth, 2 * last), (back, back)):
            after = _first_piece(halves[half, FOLLOWING], edges, group_offsets)
            out[tip, FOLLOWING] = after
            out[after, PRECEDING] = tip


@njit(cache=True, nogil=True, forceinline=True)
def _first_piece(half: int, edges: int, group_offsets: np.ndarray) -> int:
    """The half-edge with the origin of `half`, after its edge was cut."""
    edge = half >> 1
    high = group_offsets[edge + 1]
    if half & 1 == 1 and high > group_offsets[edge]:
        return 2 * (edges + high - 1) + 1
    return half


@njit(cache=True, nogil=True)
def relabel_first(
    start: int, stop: int, first: np.ndarray, edges: int, group_offsets: np.ndarray, out: np.ndarray
) -> None:
    """The half-edges that start the boundaries of faces `start:stop`, after the cuts."""
    for face in range(start, stop):
        out[face] = _first_piece(first[face], edges, group_offsets)
