"""A fold cuts polygons along new edges."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.lattice.faces import (
    CAPACITY,
    LENGTH,
    START,
    Edges,
    Faces,
    Vertices,
    has_sign,
    unite_polygon,
)


@njit(cache=True, nogil=True, forceinline=True)
def store_list(faces_lists: np.ndarray, pool: np.ndarray, used: int, face: int, items: np.ndarray, length: int) -> int:
    """Write the list of a face, in place if it fits; how much of the pool is used then."""
    if length > faces_lists[face, CAPACITY]:
        faces_lists[face, START] = used
        faces_lists[face, CAPACITY] = length + 2
        used += length + 2
    faces_lists[face, LENGTH] = length
    start = faces_lists[face, START]
    for i in range(length):
        pool[start + i] = items[i]
    return used


@njit(cache=True, nogil=True)
def _ends_of_section(
    start: int,
    stop: int,
    pool: np.ndarray,
    ends: np.ndarray,
    marks: np.ndarray,
    section: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Vertices at which a fold crosses the boundary of a polygon; -1 if an edge of it lies on the fold."""
    number = 0
    for at in range(start, stop):
        edge = pool[at]
        a, b = ends[edge, 0], ends[edge, 1]
        if marks[edge] == serial:
            if number < out.size:
                out[number] = section[edge]
            number += 1
            continue
        a_signed = has_sign(positive, a, word, mask) or has_sign(negative, a, word, mask)
        b_signed = has_sign(positive, b, word, mask) or has_sign(negative, b, word, mask)
        if a_signed and b_signed:
            continue
        if not a_signed and not b_signed:
            return -1
        on, off = (b, a) if a_signed else (a, b)
        if not has_sign(positive, off, word, mask):
            continue
        for other_at in range(start, stop):  # a positive edge ends on the fold; does a negative one, too?
            other = pool[other_at]
            there = ends[other, 0] if ends[other, 1] == on else ends[other, 1]
            if (ends[other, 0] == on or ends[other, 1] == on) and has_sign(negative, there, word, mask):
                if number < out.size:
                    out[number] = on
                number += 1
    return number


@njit(cache=True, nogil=True)
def cut_polygons(
    cut: np.ndarray,
    found: int,
    serial: int,
    word: int,
    mask: np.uint64,
    vertices: Vertices,
    edges: Edges,
    faces: Faces,
    counts: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Cut polygons in two along a new edge each; -1, or a polygon that is not cut at two points."""
    ends, marks, edge_section, edge_child, edge_tags = edges
    positive, negative = vertices.positive, vertices.negative
    lists, pool, face_positive, face_negative, _, face_section, face_child, cells, labels, tags = faces
    minus, plus, two = scratch[0], scratch[1], np.empty(2, np.int32)
    used = counts[1, 2]
    for i in range(found):
        face, child, section = cut[i], counts[0, 2] + i, counts[0, 1] + i
        start, stop = lists[face, START], lists[face, START] + lists[face, LENGTH]
        crossings = _ends_of_section(
            start, stop, pool, ends, marks, edge_section, positive, negative, serial, word, mask, two
        )
        if crossings != 2:
            return face
        ends[section, 0], ends[section, 1] = two[0], two[1]
        below = above = 0
        for at in range(start, stop):
            edge = pool[at]
            if marks[edge] == serial:
                minus[below], plus[above] = edge, edge_child[edge]
                below += 1
                above += 1
            elif has_sign(positive, ends[edge, 0], word, mask) or has_sign(positive, ends[edge, 1], word, mask):
                plus[above] = edge
                above += 1
            else:
                minus[below] = edge
                below += 1
        minus[below], plus[above] = section, section
        used = store_list(lists, pool, used, face, minus, below + 1)
        used = store_list(lists, pool, used, child, plus, above + 1)
        face_section[face], face_child[face] = section, child
        tags[child] = edge_tags[section] = tags[face]
        for k in range(2):
            cells[child, k], labels[child, k] = cells[face, k], labels[face, k]
        unite_polygon(face, lists, pool, face_positive, face_negative, ends, positive, negative)
        unite_polygon(child, lists, pool, face_positive, face_negative, ends, positive, negative)
    counts[0, 1] += found
    counts[0, 2] += found
    counts[1, 2] = used
    return -1
