"""Borders between parts of a lattice, which are cut on both sides and matched afterwards, without any geometry.

Two parts meet in faces, from facets down to vertices. Each of these gets a random number, its tag, which what is cut
out of it inherits: children, and sections down to vertices. The signs of all folds are decided, and a fold has the same
signs on a border from either side, since the function is continuous. So both sides cut a face of the border in the same
way, and the signs on what comes of it tell its pieces apart. To the tag of a piece a random number is added for each
column and sign that it has. These sums depend neither on the order of columns nor on when the sides were parted, and
are equal for two pieces, but for a chance of one in 2^64, only where they are one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.lattice.arrays import FaceLattice, restricted
from splinescope.geometry.lattice.faces import LENGTH, START


def tag_border(lattice: FaceLattice, second: np.ndarray, rng: np.random.Generator) -> None:
    """Tag the faces between two groups of cells, in place, those that have no tag from another border.

    Args:
        lattice: The lattice.
        second: [F] whether a cell is in the second group.
        rng: Where tags come from.
    """
    d = lattice.dimension
    sides = lattice.facets.cells[: lattice.counts[0, d - 1]]
    between = (sides >= 0).all(axis=1)
    faces = np.flatnonzero(between & (second[sides[:, 0]] != second[sides[:, 1]]))
    for k in range(d - 1, -1, -1):
        tags = lattice.tags if k == 0 else lattice.edges.tags if k == 1 else lattice.levels[k - 2].tags
        fresh = faces[tags[faces] == 0]
        tags[fresh] = rng.integers(1, 1 << 64, len(fresh), dtype=np.uint64)
        if k > 1:
            lists, pool = lattice.levels[k - 2].lists, lattice.levels[k - 2].pool
            lengths = lists[faces, LENGTH]
            starts = np.repeat(lists[faces, START] - np.cumsum(lengths) + lengths, lengths)
            faces = np.unique(pool[starts + np.arange(lengths.sum())])
        elif k == 1:
            faces = np.unique(lattice.edges.ends[faces])


def halves(lattice: FaceLattice, rng: np.random.Generator) -> list[tuple[FaceLattice, np.ndarray, np.ndarray]]:
    """Part a lattice in two with about as many cells, across the direction in which it is widest.

    Args:
        lattice: The lattice, of two cells or more; its border gets tags.
        rng: Where tags come from.

    Returns:
        Of each half the lattice, and the old numbers of its cells and vertices.
    """
    axis = int(np.argmax(np.ptp(lattice.points[: lattice.num_vertices], axis=0)))
    order = np.argsort(_middles(lattice, axis), kind="stable")
    second = np.zeros(len(order), bool)
    second[order[len(order) // 2 :]] = True
    tag_border(lattice, second, rng)
    parts = []
    for side in (False, True):
        cells = np.flatnonzero(second == side)
        part, vertices = restricted(lattice, cells)
        parts.append((part, cells, vertices))
    return parts


def _middles(lattice: FaceLattice, axis: int) -> np.ndarray:
    """[F] a coordinate in the middle of each cell."""
    ends = lattice.points[lattice.edges.ends[: lattice.counts[0, 1]], axis]
    low, high = ends.min(axis=1), ends.max(axis=1)
    for k in range(2, lattice.dimension + 1):
        offsets, items = lattice.list_of(k)
        low, high = np.minimum.reduceat(low[items], offsets[:-1]), np.maximum.reduceat(high[items], offsets[:-1])
    return low + high


def refine_tags(lattice: FaceLattice, positive: np.ndarray, negative: np.ndarray, rng: np.random.Generator) -> None:
    """Add to all tags what the signs of a layer tell, in place.

    Args:
        lattice: The lattice, after the layer has been inserted.
        positive: [V, words] bits of positive signs at the vertices.
        negative: [V, words] bits of negative signs.
        rng: The same for every part and portion of the layer.
    """
    plus, minus = rng.integers(0, 1 << 64, (2, 64 * positive.shape[1]), dtype=np.uint64)
    count, d = lattice.counts[0], lattice.dimension
    ends = lattice.edges.ends[: count[1]]
    tagged = np.flatnonzero(lattice.edges.tags[: count[1]])
    a, b = ends[tagged].T
    _add(lattice.edges.tags, tagged, positive[a] | positive[b], negative[a] | negative[b], plus, minus)
    tagged = np.flatnonzero(lattice.tags[: count[0]])
    _add(lattice.tags, tagged, positive[tagged], negative[tagged], plus, minus)
    for k in range(2, d):
        faces = lattice.levels[k - 2]
        tagged = np.flatnonzero(faces.tags[: count[k]])
        _add(faces.tags, tagged, faces.positive[tagged], faces.negative[tagged], plus, minus)


@njit(cache=True, nogil=True)
def _add(
    tags: np.ndarray,
    faces: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    plus: np.ndarray,
    minus: np.ndarray,
) -> None:
    """Add the numbers of the bits of some faces to their tags."""
    for i in range(len(faces)):
        total = np.uint64(0)
        for column in range(len(plus)):
            word, bit = column >> 6, np.uint64(column & 63)
            if (positive[i, word] >> bit) & np.uint64(1):
                total += plus[column]
            if (negative[i, word] >> bit) & np.uint64(1):
                total += minus[column]
        tags[faces[i]] += total
