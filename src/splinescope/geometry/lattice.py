"""Face lattices of polyhedral complexes in three or more dimensions, as arrays that grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.faces import LENGTH, START, Edges, Faces, Layer, Vertices, unite_all
from splinescope.geometry.splitting import COLUMN, FACE, FULL, NO_ROOM, TANGLED, insert_columns

_ON_FACET = 1e-9
"""Distance from a facet's hyperplane, relative to the polytope, within which a corner lies on it."""
_SLACK = 1.5
"""Factor by which arrays grow."""


@dataclass
class FaceLattice:
    """All faces of a complex of dimension d, from vertices to cells; see `splitting` for the arrays.

    The arrays have room at their ends. `counts[0, k]` is the number of faces of dimension k, and `counts[1, k]` how
    much of the pool of their lists is used.

    Attributes:
        dimension: d.
        points: [>= V, d] coordinates of the vertices.
        amplification: [>= V] conditioning of the vertices.
        edges: Ends of the edges.
        levels: Faces of dimension 2, ..., d.
        counts: [2, d + 1] numbers of faces, and lengths of pools.
        serial: Number larger than all marks of faces.
    """

    dimension: int
    points: np.ndarray
    amplification: np.ndarray
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
        arrays = [self.points, self.amplification, *self.edges, *(a for faces in self.levels for a in faces)]
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
    reach = _ON_FACET * (np.ptp(corners, axis=0).max() + np.abs(halfspaces[:, -1]).max())
    on = np.abs(corners @ halfspaces[:, :-1].T + halfspaces[:, -1]) <= reach
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
    return FaceLattice(dimension, corners.copy(), np.ones(len(corners)), edges_of(ends), tuple(faces), counts)


@dataclass(frozen=True)
class Inserted:
    """What inserting a layer's folds added.

    Attributes:
        parents: [F'] for each cell, the cell that it was part of.
        edges: [added, 2] ends of the edge that each new vertex was made on; they may be new vertices themselves.
        fractions: [added] its position between them.
        values: [V', n] the layer's pre-activations, also at the new vertices.
        positive: [V', words] bits of their decided positive signs.
        negative: [V', words] bits of their decided negative signs.
        rest: The folds that are still to be inserted, since there were too many cells, or None.
        tangled: A face whose signs contradict convexity, where the work ended, or -1.
    """

    parents: np.ndarray
    edges: np.ndarray
    fractions: np.ndarray
    values: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    rest: Layer | None = None
    tangled: int = -1


def insert_folds(
    lattice: FaceLattice,
    values: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    layer: Layer,
    limit: int = 1 << 62,
) -> Inserted:
    """Cut the cells of a lattice along the folds of one layer, in place.

    Args:
        lattice: The lattice.
        values: [V, n] pre-activations at its vertices.
        positive: [V, words] bits of decided positive signs.
        negative: [V, words] bits of decided negative signs.
        layer: The folds.
        limit: Number of cells from which no more folds are inserted.

    Returns:
        What was added. Afterwards `lattice.cells.positive` tells for each cell which columns are positive in it.
    """
    old, d, words = lattice.num_vertices, lattice.dimension, positive.shape[1]
    vertices = Vertices(
        lattice.points,
        values,
        lattice.amplification,
        positive,
        negative,
        np.zeros((len(values), 2), np.int32),
        np.zeros(len(values)),
    )
    lattice.levels = tuple(_with_words(faces, words) for faces in lattice.levels)
    unite_all(d, lattice.counts, vertices, lattice.edges, lattice.levels)
    parents = np.arange(len(lattice.cells.lists), dtype=np.int32)
    zeros = np.bitwise_or.reduce(~(positive[:old] | negative[:old]), axis=0)
    layer = _crossing(lattice, layer)
    progress = np.zeros(2, np.int64)
    status, factor = NO_ROOM, 1.0
    while status == NO_ROOM:
        vertices, parents = _grown(lattice, vertices, parents, factor)
        factor = _SLACK
        capacity = _capacity(lattice, vertices)
        longest = max(int(faces.lists[: lattice.counts[0, k + 2], 1].max()) for k, faces in enumerate(lattice.levels))
        work = np.empty((d + 1, int(capacity[0].max())), np.int32)
        scratch = np.empty((3, max(1024, 64 * longest)), np.int32)
        status = insert_columns(
            d,
            lattice.serial,
            layer,
            vertices,
            lattice.edges,
            lattice.levels,
            parents,
            zeros,
            lattice.counts,
            capacity,
            work,
            scratch,
            progress,
            limit,
        )
        lattice.serial += 1 << 32
    lattice.points, lattice.amplification = vertices.points, vertices.amplification
    new = lattice.num_vertices
    rest = None
    if status == FULL:
        left = slice(int(progress[COLUMN]), None)
        rest = layer._replace(columns=layer.columns[left], units=layer.units[left])
    return Inserted(
        parents[: lattice.num_cells],
        vertices.parents[old:new],
        vertices.fractions[old:new],
        vertices.values[:new],
        vertices.positive[:new],
        vertices.negative[:new],
        rest,
        int(progress[FACE]) if status == TANGLED else -1,
    )


def _with_words(faces: Faces, words: int) -> Faces:
    if faces.positive.shape[1] == words:
        return faces
    shape = (len(faces.lists), words)
    return faces._replace(positive=np.zeros(shape, np.uint64), negative=np.zeros(shape, np.uint64))


def _crossing(lattice: FaceLattice, layer: Layer) -> Layer:
    """The layer with only those columns that cross a cell."""
    cells, count = lattice.cells, lattice.num_cells
    both = np.bitwise_or.reduce(cells.positive[:count] & cells.negative[:count], axis=0)
    crossing = (both[layer.columns >> 6] >> (layer.columns & 63).astype(np.uint64)) & np.uint64(1) != 0
    return layer._replace(columns=layer.columns[crossing], units=layer.units[crossing])


def _resized(array: np.ndarray, used: int, size: int, fill: int | None = None) -> np.ndarray:
    """The array with room for `size` rows; where it matters what the new ones hold, they hold `fill`."""
    if len(array) >= size:
        return array
    out = np.empty((size, *array.shape[1:]), array.dtype)
    out[:used] = array[:used]
    if fill is not None:
        out[used:] = fill
    return out


def _grown(lattice: FaceLattice, vertices: Vertices, parents: np.ndarray, factor: float) -> tuple[Vertices, np.ndarray]:
    """Arrays with more room than before: every one by the same factor, and by no less than a small number."""
    counts = lattice.counts
    sizes = [int(factor * 2 * number) + 256 for number in counts[0]]
    v, e = int(counts[0, 0]), int(counts[0, 1])
    vertices = Vertices(*(_resized(array, v, sizes[0]) for array in vertices))
    ends, marks, section, child = lattice.edges
    lattice.edges = Edges(
        _resized(ends, e, sizes[1]),
        _resized(marks, e, sizes[1], fill=-1),
        _resized(section, e, sizes[1]),
        _resized(child, e, sizes[1]),
    )
    levels = []
    for k, faces in enumerate(lattice.levels, start=2):
        count, size = int(counts[0, k]), sizes[k]
        pool = _resized(faces.pool, int(counts[1, k]), int(factor * 3 * counts[1, k]) + 4096)
        levels.append(
            Faces(
                _resized(faces.lists, count, size, fill=0),
                pool,
                _resized(faces.positive, count, size),
                _resized(faces.negative, count, size),
                _resized(faces.marks, count, size, fill=-1),
                _resized(faces.section, count, size),
                _resized(faces.child, count, size),
                _resized(faces.cells, count, size),
                _resized(faces.labels, count, size),
            )
        )
    lattice.levels = tuple(levels)
    return vertices, _resized(parents, int(counts[0, lattice.dimension]), sizes[lattice.dimension])


def _capacity(lattice: FaceLattice, vertices: Vertices) -> np.ndarray:
    """Room in the arrays, laid out as `counts`."""
    capacity = np.zeros_like(lattice.counts)
    capacity[0] = [len(vertices.values), len(lattice.edges.ends), *(len(faces.lists) for faces in lattice.levels)]
    capacity[1, 2:] = [len(faces.pool) for faces in lattice.levels]
    return capacity


def restricted(lattice: FaceLattice, cells: np.ndarray) -> tuple[FaceLattice, np.ndarray]:
    """The lattice of some cells only; facets towards the others are on its outside.

    Args:
        lattice: The lattice.
        cells: Numbers of the cells to keep, ascending.

    Returns:
        The new lattice, and the old numbers of its vertices.
    """
    d = lattice.dimension
    kept, levels = cells, []
    counts = np.zeros_like(lattice.counts)
    counts[0, d] = len(cells)
    for k in range(d, 1, -1):
        offsets, items = lattice.list_of(k)
        lengths = np.diff(offsets)[kept]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        chosen = items[np.repeat(offsets[kept] - starts[:-1], lengths) + np.arange(starts[-1])]
        old = lattice.levels[k - 2]
        lower, numbers = np.unique(chosen, return_inverse=True)
        faces = faces_of(starts, numbers, old.positive.shape[1])
        faces.positive[:], faces.negative[:] = old.positive[kept], old.negative[kept]
        faces.labels[:] = old.labels[kept]
        if k == d - 1:
            number = np.full(lattice.num_cells + 1, -1, np.int32)
            number[cells] = np.arange(len(cells), dtype=np.int32)
            faces.cells[:] = number[old.cells[kept]]
        levels.append(faces)
        counts[0, k - 1], counts[1, k] = len(lower), len(numbers)
        kept = lower
    vertices, ends = np.unique(lattice.edges.ends[kept], return_inverse=True)
    counts[0, 0] = len(vertices)
    return (
        FaceLattice(
            d,
            lattice.points[vertices],
            lattice.amplification[vertices],
            edges_of(ends.reshape(-1, 2)),
            tuple(reversed(levels)),
            counts,
            lattice.serial,
        ),
        vertices,
    )
