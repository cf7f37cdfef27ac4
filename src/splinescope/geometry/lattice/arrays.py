"""Face lattices of polyhedral complexes in three or more dimensions, as arrays that grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.lattice.edge_cuts import ROUNDING
from splinescope.geometry.lattice.faces import LENGTH, START, Edges, Faces
from splinescope.geometry.lattice.polytopes import taken_lists

_ON_FACET = 1e-9
"""Distance from a facet's hyperplane, relative to the polytope's width across it, within which a corner lies on it:
that within which domains take facets of a convex hull for one."""


@dataclass
class FaceLattice:
    """All faces of a complex of dimension d, from vertices to cells; see `splitting` for the arrays.

    The arrays have room at their ends. `counts[0, k]` is the number of faces of dimension k, and `counts[1, k]` how
    much of the pool of their lists is used.

    Attributes:
        dimension: d.
        points: [>= V, d] coordinates of the vertices.
        uncertainty: [>= V] how far they may be from where they are, relative to the extents of the domain.
        tags: [>= V] see `Faces`.
        edges: Ends of the edges.
        levels: Faces of dimension 2, ..., d.
        counts: [2, d + 1] numbers of faces, and lengths of pools.
        serial: Number larger than all marks of faces.
    """

    dimension: int
    points: np.ndarray
    uncertainty: np.ndarray
    tags: np.ndarray
    edges: Edges
    levels: tuple[Faces, ...]
    counts: np.ndarray
    serial: int = 0

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return int(self.counts[0, 0])

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return int(self.counts[0, self.dimension])

    @property
    def cells(self) -> Faces:
        """The cells."""
        return self.levels[-1]

    @property
    def facets(self) -> Faces:
        """The facets of cells."""
        return self.levels[-2]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [self.points, self.uncertainty, self.tags, *self.edges, *(a for faces in self.levels for a in faces)]
        return sum(array.nbytes for array in arrays)

    def list_of(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """Offsets [N + 1] and items of the lists of facets of all faces of one dimension, without gaps."""
        count, faces = int(self.counts[0, dimension]), self.levels[dimension - 2]
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(faces.lists[:count, 1], out=offsets[1:])
        items = np.empty(int(offsets[-1]), np.int32)
        _compact(faces.lists[:count], faces.pool, offsets, items)
        return offsets, items


@njit(cache=True, nogil=True)
def _compact(lists: np.ndarray, pool: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    for face in range(len(lists)):
        for i in range(lists[face, LENGTH]):
            out[offsets[face] + i] = pool[lists[face, START] + i]


def edges_of(ends: np.ndarray) -> Edges:
    """Edges with the given ends."""
    count = len(ends)
    return Edges(
        np.ascontiguousarray(ends, np.int32),
        np.full(count, -1, np.int64),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.zeros(count, np.uint64),
    )


def faces_of(offsets: np.ndarray, items: np.ndarray, words: int = 1) -> Faces:
    """Faces of one dimension with the given lists, without signs and labels."""
    count = len(offsets) - 1
    lists = np.stack([offsets[:-1], np.diff(offsets), np.diff(offsets)], axis=1).astype(np.int64)
    return Faces(
        lists,
        np.ascontiguousarray(items, np.int32),
        np.zeros((count, words), np.uint64),
        np.zeros((count, words), np.uint64),
        np.full(count, -1, np.int64),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.full((count, 2), -1, np.int32),
        np.full((count, 2), -1, np.int32),
        np.zeros(count, np.uint64),
    )


def lattice_of_polytope(corners: np.ndarray, halfspaces: np.ndarray) -> FaceLattice:
    """The faces of one convex polytope.

    Args:
        corners: [m, d] its vertices.
        halfspaces: [k, d + 1] its facets, as rows (n, b) with `n @ t + b <= 0` inside.

    Returns:
        The lattice with one cell.
    """
    dimension = corners.shape[1]
    heights = (corners - corners[0]) @ halfspaces[:, :-1].T
    on = heights >= heights.max(axis=0) - _ON_FACET * np.ptp(heights, axis=0)
    facets = [frozenset(np.flatnonzero(column).tolist()) for column in on.T]
    levels: list[list[frozenset[int]]] = [[] for _ in range(dimension + 1)]
    levels[dimension], levels[dimension - 1] = [frozenset(range(len(corners)))], facets
    lists: list[list[list[int]]] = [[] for _ in range(dimension + 1)]
    lists[dimension] = [list(range(len(facets)))]
    for k in range(dimension - 1, 0, -1):
        numbers: dict[frozenset[int], int] = {}
        for face in levels[k]:
            meets = {face & facet for facet in facets if face & facet and not face <= facet}
            ridges = [meet for meet in meets if not any(meet < other for other in meets)]
            lists[k].append(sorted(numbers.setdefault(ridge, len(numbers)) for ridge in ridges))
        levels[k - 1] = list(numbers)
    vertex = {number: next(iter(single)) for number, single in enumerate(levels[0])}
    ends = np.array([[vertex[number] for number in pair] for pair in lists[1]], np.int32)
    faces = []
    for k in range(2, dimension + 1):
        offsets = np.concatenate([[0], np.cumsum([len(items) for items in lists[k]])])
        faces.append(faces_of(offsets, np.concatenate(lists[k])))
    faces[-2].cells[:, 0] = 0
    faces[-2].labels[:, 1] = np.arange(len(facets))  # which facet of the domain, for those who merge cells
    counts = np.zeros((2, dimension + 1), np.int64)
    counts[0] = [len(corners), len(ends), *(len(items) for items in lists[2:])]
    counts[1, 2:] = [len(level.pool) for level in faces]
    vertices = (corners.copy(), np.full(len(corners), ROUNDING), np.zeros(len(corners), np.uint64))
    return FaceLattice(dimension, *vertices, edges_of(ends), tuple(faces), counts)


def restricted(lattice: FaceLattice, cells: np.ndarray) -> tuple[FaceLattice, np.ndarray]:
    """The lattice of some cells only, in arrays of its own; facets towards the others are on its outside.

    Args:
        lattice: The lattice.
        cells: Numbers of the cells to keep, ascending.

    Returns:
        The new lattice, and the old numbers of its vertices.
    """
    levels = []
    taken, edges, vertices, ends = _taken(lattice, cells)
    for old, (kept, starts, items) in zip(lattice.levels, taken, strict=True):
        faces = faces_of(starts, items, old.positive.shape[1])
        _move(old, faces, kept)
        levels.append(faces)
    _renumber_sides(lattice, cells, levels[-2].cells)
    fewer = edges_of(ends)
    fewer.tags[:] = lattice.edges.tags[edges]
    known = (lattice.points[vertices], lattice.uncertainty[vertices], lattice.tags[vertices])
    counts = _counts(vertices, edges, taken)
    return FaceLattice(lattice.dimension, *known, fewer, tuple(levels), counts, lattice.serial), vertices


def restrict(lattice: FaceLattice, cells: np.ndarray) -> np.ndarray:
    """Keep some cells only, in place, so that what was kept for growth stays; see `restricted`.

    Args:
        lattice: The lattice.
        cells: Numbers of the cells to keep, ascending.

    Returns:
        The old numbers of its vertices.
    """
    taken, edges, vertices, ends = _taken(lattice, cells)
    for k, (faces, (kept, starts, items)) in enumerate(zip(lattice.levels, taken, strict=True), start=2):
        count, size = lattice.counts[0, k], np.diff(starts)
        faces.lists[: len(kept)] = np.stack([starts[:-1], size, size], axis=1)
        faces.lists[len(kept) : count] = 0
        faces.pool[: len(items)] = items
        faces.marks[:count] = -1
        _move(faces, faces, kept)
    facets = taken[-2][0]
    _renumber_sides(lattice, cells, lattice.facets.cells[: len(facets)])
    lattice.edges.ends[: len(edges)] = ends
    lattice.edges.marks[: lattice.counts[0, 1]] = -1
    lattice.edges.tags[: len(edges)] = lattice.edges.tags[edges]
    for array in (lattice.points, lattice.uncertainty, lattice.tags):
        array[: len(vertices)] = array[vertices]
    lattice.counts = _counts(vertices, edges, taken)
    return vertices


_Taken = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def _taken(lattice: FaceLattice, cells: np.ndarray) -> tuple[_Taken, np.ndarray, np.ndarray, np.ndarray]:
    """Faces of some cells: for k = 2, ..., d those that are kept, and their lists; edges, vertices, ends of edges."""
    kept, taken = cells, []
    for k in range(lattice.dimension, 1, -1):
        starts, chosen = taken_lists(*lattice.list_of(k), kept)
        lower, items = _distinct(chosen, int(lattice.counts[0, k - 1]))
        taken.append((kept, starts, items))
        kept = lower
    vertices, ends = _distinct(lattice.edges.ends[kept], lattice.num_vertices)
    return taken[::-1], kept, vertices, ends


def _distinct(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers below `count` that occur, ascending, and which of them is in each place."""
    occurs = np.zeros(count, bool)
    occurs[numbers] = True
    place = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs), place[numbers]


def _counts(vertices: np.ndarray, edges: np.ndarray, taken: _Taken) -> np.ndarray:
    """[2, d + 1] numbers of faces, and lengths of pools."""
    counts = [len(vertices), len(edges), *(len(kept) for kept, _, _ in taken)]
    return np.array([counts, [0, 0, *(len(items) for _, _, items in taken)]], np.int64)


def _move(old: Faces, new: Faces, kept: np.ndarray) -> None:
    """Set the first rows to those of some faces, but for lists and marks."""
    for before, after in ((old.positive, new.positive), (old.negative, new.negative), (old.cells, new.cells)):
        after[: len(kept)] = before[kept]
    new.labels[: len(kept)], new.tags[: len(kept)] = old.labels[kept], old.tags[kept]


def _renumber_sides(lattice: FaceLattice, cells: np.ndarray, sides: np.ndarray) -> None:
    """Old numbers of cells on the sides of facets to new ones, in place; -1 for cells that are left out."""
    number = np.full(lattice.num_cells + 1, -1, np.int32)
    number[cells] = np.arange(len(cells), dtype=np.int32)
    sides[:] = number[sides]
