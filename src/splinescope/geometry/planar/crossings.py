"""Which faces a fold crosses: found from cells downwards, each once."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.lattice.faces import LENGTH, START


@njit(cache=True, nogil=True)
def cells_across(
    positive: np.ndarray, negative: np.ndarray, count: int, word: int, mask: np.uint64, out: np.ndarray
) -> int:
    """Cells with both signs."""
    found = 0
    for cell in range(count):
        if positive[cell, word] & negative[cell, word] & mask:
            out[found] = cell
            found += 1
    return found


@njit(cache=True, nogil=True)
def facets_across(
    faces: np.ndarray,
    found: int,
    lists: np.ndarray,
    pool: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    marks: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Facets with both signs of some faces, each once."""
    number = 0
    for i in range(found):
        start = lists[faces[i], START]
        for at in range(start, start + lists[faces[i], LENGTH]):
            facet = pool[at]
            if marks[facet] != serial and positive[facet, word] & negative[facet, word] & mask:
                marks[facet] = serial
                out[number] = facet
                number += 1
    return number


@njit(cache=True, nogil=True)
def edges_across(
    polygons: np.ndarray,
    found: int,
    lists: np.ndarray,
    pool: np.ndarray,
    ends: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    marks: np.ndarray,
    serial: int,
    word: int,
    mask: np.uint64,
    out: np.ndarray,
) -> int:
    """Edges with both signs of some polygons, each once."""
    number = 0
    for i in range(found):
        start = lists[polygons[i], START]
        for at in range(start, start + lists[polygons[i], LENGTH]):
            edge = pool[at]
            if marks[edge] == serial:
                continue
            a, b = ends[edge, 0], ends[edge, 1]
            if ((positive[a, word] & negative[b, word]) | (negative[a, word] & positive[b, word])) & mask:
                marks[edge] = serial
                out[number] = edge
                number += 1
    return number
