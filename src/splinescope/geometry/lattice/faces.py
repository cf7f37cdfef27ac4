"""Faces of a complex in three or more dimensions as arrays, and their signs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

START, LENGTH, CAPACITY = 0, 1, 2
"""Columns of `Faces.lists`."""
NEW = -2
"""Label of facets that the current layer made."""


class Vertices(NamedTuple):
    """Vertices with the pre-activations of one layer.

    Attributes:
        points: [V, d] coordinates.
        values: [V, n] pre-activations.
        uncertainty: [V] how far each may be from where float64 has it, relative to the domain's extents.
        positive: [V, words] bits of positive signs.
        negative: [V, words] bits of negative signs.
        doubtful: [V, words] bits of signs that are still to be decided; a sign that is none of the three is zero.
        parents: [V, 2] ends of the edge that a new vertex was made on.
        fractions: [V] its position between them.
        blur: [V] uncertainty of that.
        tags: [V] see `Faces`.
    """

    points: np.ndarray
    values: np.ndarray
    uncertainty: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    doubtful: np.ndarray
    parents: np.ndarray
    fractions: np.ndarray
    blur: np.ndarray
    tags: np.ndarray


class Edges(NamedTuple):
    """Edges, and what the current column does to them.

    Attributes:
        ends: [E, 2] vertices.
        marks: [E] last column that cut the edge.
        section: [E] the vertex where it did.
        child: [E] the edge on the positive side.
        tags: [E] see `Faces`.
    """

    ends: np.ndarray
    marks: np.ndarray
    section: np.ndarray
    child: np.ndarray
    tags: np.ndarray


class Faces(NamedTuple):
    """Faces of one dimension, from polygons upwards.

    Attributes:
        lists: [N, 3] start, length and capacity of the list of each face's facets in the pool.
        pool: The lists.
        positive: [N, words] bits of the columns that are positive at some vertex.
        negative: [N, words] bits of the columns that are negative at some vertex.
        marks: [N] last column that cut the face.
        section: [N] its section, one dimension lower.
        child: [N] the face on the positive side.
        cells: [N, 2] for facets of cells, the cells on the negative and on the positive side, -1 outside.
        labels: [N, 2] for facets of cells, the node and the column whose fold made them; -1 and the number of a side
            for the domain's boundary; `NEW` and a column of the layer that is being inserted.
        tags: [N] of faces on a border with another lattice, a number that is the same there: see `tags`. Others have 0.
    """

    lists: np.ndarray
    pool: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    marks: np.ndarray
    section: np.ndarray
    child: np.ndarray
    cells: np.ndarray
    labels: np.ndarray
    tags: np.ndarray


class LatticeLayer(NamedTuple):
    """The folds of a layer.

    Attributes:
        columns: [C] columns to insert: `level * padded + unit`, where `padded` is a multiple of 64.
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance within which float64 does not tell a value from its breakpoint; infinite where
            nothing folds.
        magnitudes: [n] how much each unit varies over the domain.
        families: [B * padded] a column whose form is a multiple of this column's one (itself, if there is no other).
        extents: [d] of the domain.
        coarsest: Uncertainty above which a vertex is placed in exact arithmetic.
        padded: Columns of one level.
    """

    columns: np.ndarray
    shifts: np.ndarray
    thresholds: np.ndarray
    magnitudes: np.ndarray
    families: np.ndarray
    extents: np.ndarray
    coarsest: float
    padded: int


@njit(cache=True, nogil=True, forceinline=True)
def has_sign(words: np.ndarray, row: int, word: int, mask: np.uint64) -> bool:
    """Whether a row has the bit of a mask in a word."""
    return (words[row, word] & mask) != np.uint64(0)


# Kernels that run for each face take arrays one by one rather than in tuples: taking an array out of a tuple counts a
# reference, which costs more than the work on one face.


@njit(cache=True, nogil=True)
def unite_polygon(
    face: int,
    lists: np.ndarray,
    pool: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    ends: np.ndarray,
    vertex_positive: np.ndarray,
    vertex_negative: np.ndarray,
) -> None:
    """Signs of a polygon from those of its vertices."""
    start, length = lists[face, START], lists[face, LENGTH]
    for word in range(positive.shape[1]):
        plus, minus = np.uint64(0), np.uint64(0)
        for at in range(start, start + length):
            a, b = ends[pool[at], 0], ends[pool[at], 1]
            plus |= vertex_positive[a, word] | vertex_positive[b, word]
            minus |= vertex_negative[a, word] | vertex_negative[b, word]
        positive[face, word], negative[face, word] = plus, minus


@njit(cache=True, nogil=True)
def unite_face(
    face: int,
    lists: np.ndarray,
    pool: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    facet_positive: np.ndarray,
    facet_negative: np.ndarray,
) -> None:
    """Signs of a face from those of its facets."""
    start, length = lists[face, START], lists[face, LENGTH]
    for word in range(positive.shape[1]):
        plus, minus = np.uint64(0), np.uint64(0)
        for at in range(start, start + length):
            plus |= facet_positive[pool[at], word]
            minus |= facet_negative[pool[at], word]
        positive[face, word], negative[face, word] = plus, minus


@njit(cache=True, nogil=True)
def unite_all(dimension: int, counts: np.ndarray, vertices: Vertices, edges: Edges, levels: tuple[Faces, ...]) -> None:
    """Signs of all faces from those of the vertices."""
    ends, below_positive, below_negative = edges.ends, vertices.positive, vertices.negative
    for k in range(2, dimension + 1):
        faces = levels[k - 2]
        lists, pool, positive, negative = faces.lists, faces.pool, faces.positive, faces.negative
        for face in range(counts[0, k]):
            if k == 2:
                unite_polygon(face, lists, pool, positive, negative, ends, below_positive, below_negative)
            else:
                unite_face(face, lists, pool, positive, negative, below_positive, below_negative)
        below_positive, below_negative = positive, negative
