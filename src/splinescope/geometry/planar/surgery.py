"""Surgery on a table of half-edges: split an edge, split a face, number what came of it."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.planar.halfedges import FACE, FOLLOWING, ORIGIN, PRECEDING


@njit(cache=True, nogil=True, forceinline=True)
def split_edge(halves: np.ndarray, half: int, vertex: int, edge: int) -> int:
    """Put `vertex` in the middle of the edge of `half`; the half-edge from it onwards (made of the new `edge`)."""
    twin = half ^ 1
    onward = 2 * edge + (half & 1)
    back = onward ^ 1
    after = halves[half, FOLLOWING]
    before = halves[twin, PRECEDING]
    halves[onward, ORIGIN] = vertex
    halves[onward, FOLLOWING] = after
    halves[onward, PRECEDING] = half
    halves[onward, FACE] = halves[half, FACE]
    halves[back, ORIGIN] = halves[twin, ORIGIN]
    halves[back, FOLLOWING] = twin
    halves[back, PRECEDING] = before
    halves[back, FACE] = halves[twin, FACE]
    halves[twin, ORIGIN] = vertex
    halves[twin, PRECEDING] = back
    halves[half, FOLLOWING] = onward
    halves[after, PRECEDING] = onward
    halves[before, FOLLOWING] = back
    return onward


@njit(cache=True, nogil=True, forceinline=True)
def split_face(halves: np.ndarray, start: int, end: int, edge: int) -> None:
    """New edge between the origins of two half-edges of one face."""
    forth, back = 2 * edge, 2 * edge + 1
    before_start, before_end = halves[start, PRECEDING], halves[end, PRECEDING]
    halves[forth, ORIGIN] = halves[start, ORIGIN]
    halves[forth, FOLLOWING] = end
    halves[forth, PRECEDING] = before_start
    halves[forth, FACE] = halves[start, FACE]
    halves[back, ORIGIN] = halves[end, ORIGIN]
    halves[back, FOLLOWING] = start
    halves[back, PRECEDING] = before_end
    halves[back, FACE] = halves[start, FACE]
    halves[before_start, FOLLOWING] = forth
    halves[end, PRECEDING] = forth
    halves[before_end, FOLLOWING] = back
    halves[start, PRECEDING] = back


@njit(cache=True, nogil=True)
def number_positions(first: int, halves: np.ndarray, position_of: np.ndarray, outgoing: np.ndarray) -> int:
    """Number the boundary of a parent face, with the half-edge at each position; its length, or -1 for lack of room."""
    length = 0
    half = first
    while True:
        if length == outgoing.size:
            return -1
        position_of[halves[half, ORIGIN]] = length
        outgoing[length] = half
        length += 1
        half = halves[half, FOLLOWING]
        if half == first:
            return length


@njit(cache=True, nogil=True)
def label_faces(
    start: int,
    stop: int,
    split_faces: np.ndarray,
    halves: np.ndarray,
    edge_base: np.ndarray,
    used: np.ndarray,
    face_base: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
) -> None:
    """Number the children of the faces `split_faces[start:stop]`: the first keeps the parent's number."""
    for index in range(start, stop):
        mother = split_faces[index]
        low, high = 2 * edge_base[mother], 2 * (edge_base[mother] + used[mother, 1])
        for half in range(low, high):
            halves[half, FACE] = -2
        label = mother
        next_label = face_base[index]
        for half in range(low, high):
            if halves[half, FACE] != -2:
                continue
            first[label] = half
            parent[label] = mother
            walk = half
            while True:
                halves[walk, FACE] = label
                walk = halves[walk, FOLLOWING]
                if walk == half:
                    break
            label = next_label
            next_label += 1
