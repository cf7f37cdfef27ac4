"""Insert the folds of one layer into a face lattice: room in the arrays, and decisions that float64 cannot take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from splinescope.geometry.lattice.arrays import FaceLattice
from splinescope.geometry.lattice.corners import Moment
from splinescope.geometry.lattice.edge_cuts import ROUNDING, interpolate, settle
from splinescope.geometry.lattice.faces import Edges, Faces, LatticeLayer, Vertices, unite_all
from splinescope.geometry.lattice.surgery import (
    COLUMN,
    DONE,
    DOUBTFUL,
    FACE,
    FULL,
    NO_ROOM,
    SERIAL,
    TANGLED,
    UNPLACED,
    insert_columns,
)

_SLACK = 1.5
"""Factor by which arrays grow."""

_STRETCH = 1 << 12
"""Cells that are made between two looks at how far it is: some hundredths of a second."""


@runtime_checkable
class LatticeJudge(Protocol):
    """Who decides where float64 does not."""

    def fractions(self, moment: Moment, vertices: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Where a column crosses edges.

        Args:
            moment: The lattice now.
            vertices: [n] the new vertices.
            ends: [n, 2] the ends of their edges.

        Returns:
            [n] shares of the way from the first end to the second.
        """

    def signs(self, moment: Moment, vertices: np.ndarray, columns: np.ndarray) -> DecidedSigns:
        """Signs of columns at vertices.

        Args:
            moment: The lattice now.
            vertices: [n] vertices, ascending.
            columns: [n] columns.

        Returns:
            The signs.
        """


@dataclass(frozen=True)
class DecidedSigns:
    """Decided signs.

    Attributes:
        signs: [n] -1, 0 or 1.
        values: [n] the values whose signs they are (above the breakpoint), rounded.
    """

    signs: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Inserted:
    """What inserting a layer's folds added.

    Attributes:
        parents: [F'] for each cell, the cell that it was part of.
        edges: [added, 2] ends of the edge that each new vertex was made on; they may be new vertices themselves.
        fractions: [added] its position between them.
        values: [V', n] the layer's pre-activations, also at the new vertices.
        positive: [V', words] bits of their positive signs.
        negative: [V', words] bits of their negative signs.
        rest: The folds that are still to be inserted, since there were too many cells, or None.
        tangled: A face whose signs contradict convexity, where the work ended, or -1.
    """

    parents: np.ndarray
    edges: np.ndarray
    fractions: np.ndarray
    values: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    rest: LatticeLayer | None = None
    tangled: int = -1

    def extended(self, rows: np.ndarray) -> np.ndarray:
        """Rows of values with those of the new vertices, interpolated along the edges on which they were made."""
        old = len(rows)
        out = np.empty((old + len(self.fractions), rows.shape[1]))
        out[:old] = rows
        interpolate(out, old, self.edges, self.fractions)
        return out


@dataclass
class _Work:
    """A layer while it is inserted: arrays that are replaced when they grow, and room for the faces of a column."""

    lattice: FaceLattice
    layer: LatticeLayer
    vertices: Vertices
    parents: np.ndarray
    zeros: np.ndarray
    progress: np.ndarray
    found: np.ndarray
    faces: np.ndarray
    scratch: np.ndarray

    def grow(self, factor: float) -> None:
        """Make room."""
        lattice = self.lattice
        self.vertices, self.parents = _grown(lattice, self.vertices, self.parents, factor)
        counts = lattice.counts
        longest = max(int(faces.lists[: counts[0, k + 2], 1].max()) for k, faces in enumerate(lattice.levels))
        self.faces = np.empty((lattice.dimension + 1, int(_capacity(lattice, self.vertices)[0].max())), np.int32)
        self.scratch = np.empty((3, max(1024, 64 * longest)), np.int32)

    def insert(self, limit: int) -> int:
        """Insert columns until something is missing."""
        lattice = self.lattice
        return int(
            insert_columns(
                lattice.dimension,
                self.layer,
                self.vertices,
                lattice.edges,
                lattice.levels,
                self.parents,
                self.zeros,
                lattice.counts,
                _capacity(lattice, self.vertices),
                self.faces,
                self.found,
                self.scratch,
                self.progress,
                limit,
            )
        )

    def moment(self) -> Moment:
        """The lattice in the middle of the column."""
        lattice, d = self.lattice, self.lattice.dimension
        return Moment(
            d,
            lattice.edges,
            lattice.levels,
            self.vertices.parents,
            int(self.progress[SERIAL]),
            self.faces[d, : self.found[d]],
            self.faces[d - 1, : self.found[d - 1]],
            self.parents,
            lattice.num_vertices - int(self.found[1]),
            int(self.layer.columns[self.progress[COLUMN]]),
        )

    def new(self) -> np.ndarray:
        """The vertices that the column makes."""
        count = self.lattice.num_vertices
        return np.arange(count - int(self.found[1]), count)

    def place(self, judge: LatticeJudge) -> None:
        """Place vertices that float64 does not place well."""
        vertices, new = self.vertices, self.new()
        new = new[np.isinf(vertices.uncertainty[new])]
        ends = vertices.parents[new]
        vertices.fractions[new] = judge.fractions(self.moment(), new, ends)
        vertices.blur[new] = ROUNDING
        vertices.uncertainty[new] = vertices.uncertainty[ends].max(axis=1) + ROUNDING


def decide(
    judge: LatticeJudge, moment: Moment, vertices: Vertices, rows: np.ndarray, shifts: np.ndarray, padded: int
) -> None:
    """Replace the doubtful signs at some vertices by decided ones, and their values by better ones.

    Args:
        judge: Who decides.
        moment: The lattice.
        vertices: The vertices.
        rows: Numbers of those to look at, ascending.
        shifts: [B, n] breakpoints.
        padded: Columns of one level.
    """
    doubtful = vertices.doubtful[rows]
    touched = np.flatnonzero(doubtful.any(axis=1))
    bits = np.unpackbits(np.ascontiguousarray(doubtful[touched]).view(np.uint8), axis=1, bitorder="little")
    row, column = np.nonzero(bits)
    vertex = rows[touched[row]]
    verdict = judge.signs(moment, vertex, column)
    word, mask = column >> 6, np.left_shift(np.uint64(1), (column & 63).astype(np.uint64))
    for signs, chosen in ((vertices.positive, verdict.signs > 0), (vertices.negative, verdict.signs < 0)):
        np.bitwise_or.at(signs, (vertex[chosen], word[chosen]), mask[chosen])
    level, unit = np.divmod(column, padded)
    vertices.values[vertex, unit] = verdict.values + shifts[level, unit]
    vertices.doubtful[rows[touched]] = 0


def insert_folds(
    lattice: FaceLattice,
    signed: Vertices,
    layer: LatticeLayer,
    judge: LatticeJudge,
    limit: int = 1 << 62,
    watch: Callable[[int], None] | None = None,
) -> Inserted:
    """Cut the cells of a lattice along the folds of one layer, in place.

    Args:
        lattice: The lattice.
        signed: Its vertices with pre-activations and signs, none of them doubtful.
        layer: The folds.
        judge: Decides where float64 does not.
        limit: Number of cells from which no more folds are inserted.
        watch: Called with the number of cells while there come to be thousands; what it raises ends the work.

    Returns:
        What was added. Afterwards `lattice.cells.positive` tells for each cell which columns are positive in it, and
        the facets that were made are labelled `NEW` and with their columns.
    """
    old, words = lattice.num_vertices, signed.positive.shape[1]
    lattice.levels = tuple(_with_words(faces, words) for faces in lattice.levels)
    unite_all(lattice.dimension, lattice.counts, signed, lattice.edges, lattice.levels)
    work = _Work(
        lattice,
        _crossing(lattice, layer),
        signed,
        np.arange(len(lattice.cells.lists), dtype=np.int32),
        np.bitwise_or.reduce(~(signed.positive[:old] | signed.negative[:old]), axis=0),
        np.array([0, -1, 0, lattice.serial]),
        np.zeros(lattice.dimension + 2, np.int64),
        np.empty((0, 0), np.int32),
        np.empty((0, 0), np.int32),
    )
    work.grow(1.0)
    while True:
        pause = min(limit, lattice.num_cells + _STRETCH)
        status = work.insert(pause)
        if status in (DONE, TANGLED) or (status == FULL and pause == limit):
            break
        if status == FULL and watch is not None:
            watch(lattice.num_cells)
        elif status == NO_ROOM:
            work.grow(_SLACK)
        elif status == UNPLACED:
            work.place(judge)
        elif status == DOUBTFUL:
            decide(judge, work.moment(), work.vertices, work.new(), layer.shifts, layer.padded)
    lattice.serial = int(work.progress[SERIAL]) + 1
    vertices, new = work.vertices, lattice.num_vertices
    lattice.points, lattice.uncertainty, lattice.tags = vertices.points, vertices.uncertainty, vertices.tags
    tables = (layer.shifts, layer.thresholds, vertices.positive, vertices.negative)
    settle(old, new, vertices.values, *tables)
    rest = None
    if status == FULL:
        rest = layer._replace(columns=work.layer.columns[int(work.progress[COLUMN]) :])
    return Inserted(
        work.parents[: lattice.num_cells],
        vertices.parents[old:new],
        vertices.fractions[old:new],
        vertices.values[:new],
        vertices.positive[:new],
        vertices.negative[:new],
        rest,
        int(work.progress[FACE]) if status == TANGLED else -1,
    )


def _with_words(faces: Faces, words: int) -> Faces:
    if faces.positive.shape[1] == words:
        return faces
    shape = (len(faces.lists), words)
    return faces._replace(positive=np.zeros(shape, np.uint64), negative=np.zeros(shape, np.uint64))


def _crossing(lattice: FaceLattice, layer: LatticeLayer) -> LatticeLayer:
    """The layer with only those columns that cross a cell."""
    cells, count = lattice.cells, lattice.num_cells
    both = np.bitwise_or.reduce(cells.positive[:count] & cells.negative[:count], axis=0)
    crossing = (both[layer.columns >> 6] >> (layer.columns & 63).astype(np.uint64)) & np.uint64(1) != 0
    return layer._replace(columns=layer.columns[crossing])


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
    ends, marks, section, child, tags = lattice.edges
    lattice.edges = Edges(
        _resized(ends, e, sizes[1]),
        _resized(marks, e, sizes[1], fill=-1),
        _resized(section, e, sizes[1]),
        _resized(child, e, sizes[1]),
        _resized(tags, e, sizes[1]),
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
                _resized(faces.tags, count, size),
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
