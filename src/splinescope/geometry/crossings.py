"""Which faces a fold crosses: found from cells downwards, each once."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.faces import LENGTH, START, Edges, Faces, Layer, Vertices


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


@njit(cache=True, nogil=True)
def untie(
    cut: np.ndarray,
    found: int,
    serial: int,
    word: int,
    mask: np.uint64,
    layer: Layer,
    column: int,
    vertices: Vertices,
    edges: Edges,
    polygons: Faces,
) -> int:
    """A vertex without a sign to which convexity gives one (and gets it here), or -1.

    Two vertices within their rounding errors of a fold may be the ends of one edge of a polygon that the fold crosses.
    The fold goes through one of them; the other, the farther one, is on a side.
    """
    ends, positive, negative = edges.ends, vertices.positive, vertices.negative
    level = column // layer.padded
    unit = column - level * layer.padded
    for i in range(found):
        face = cut[i]
        start = polygons.lists[face, START]
        for at in range(start, start + polygons.lists[face, LENGTH]):
            a, b = ends[polygons.pool[at], 0], ends[polygons.pool[at], 1]
            signs = positive[a, word] | negative[a, word] | positive[b, word] | negative[b, word]
            if signs & mask:
                continue
            at_a = vertices.values[a, unit] - layer.shifts[level, unit]
            at_b = vertices.values[b, unit] - layer.shifts[level, unit]
            vertex, value = (a, at_a) if abs(at_a) >= abs(at_b) else (b, at_b)
            if value >= 0.0:
                positive[vertex, word] |= mask
            else:
                negative[vertex, word] |= mask
            return vertex
    return -1
