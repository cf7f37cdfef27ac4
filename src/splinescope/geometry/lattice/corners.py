"""Vertices as corners of cells: a cell that has a vertex, and the facets of the cell through it.

Also while a column is being inserted, when edges are already cut but the faces above them are not: such an edge still
has its old ends, and the new vertex besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.lattice.faces import LENGTH, START, Edges, Faces

_WANTED = -2


@dataclass(frozen=True)
class Moment:
    """A lattice between or in the middle of columns.

    Attributes:
        dimension: d.
        edges: Edges.
        levels: Faces of dimension 2, ..., d.
        parents: [V, 2] ends of the edges that vertices were made on.
        serial: The mark of edges that are cut at the moment.
        cells: Cells among which those with a vertex are sought.
        facets: Facets of cells among which those with a vertex that is made at the moment are sought.
        origins: [F] for each cell, the cell that it was part of before the layer.
        first: First vertex that is made at the moment.
        column: The column that makes them, or -1.
    """

    dimension: int
    edges: Edges
    levels: tuple[Faces, ...]
    parents: np.ndarray
    serial: int
    cells: np.ndarray
    facets: np.ndarray
    origins: np.ndarray
    first: int
    column: int

    def cells_of(self, vertices: np.ndarray) -> np.ndarray:
        """A cell of each vertex.

        Args:
            vertices: Numbers of vertices, ascending.

        Returns:
            Numbers of cells.
        """
        if vertices[0] >= self.first:
            return self._cells_of_new(vertices)
        base = int(vertices[0])
        out = np.full(int(vertices[-1]) - base + 1, -1, np.int32)
        out[vertices - base] = _WANTED
        faces = (self.dimension, self.levels, self.edges, self.serial, self.parents)
        _find_cells(self.cells, len(vertices), *faces, base, out)
        return out[vertices - base]

    def _cells_of_new(self, vertices: np.ndarray) -> np.ndarray:
        """A cell of each vertex that is made at the moment: down from the facets that are cut to edges that are."""
        marks = [self.edges.marks, *(faces.marks for faces in self.levels)]
        faces, cells = self.facets, self.levels[-2].cells[self.facets].max(axis=1)
        for k in range(self.dimension - 1, 1, -1):
            level = self.levels[k - 2]
            starts, lengths = level.lists[faces, START], level.lists[faces, LENGTH]
            before = np.cumsum(lengths) - lengths
            below = level.pool[np.repeat(starts - before, lengths) + np.arange(lengths.sum())]
            cut = marks[k - 2][below] == self.serial
            faces, cells = below[cut], np.repeat(cells, lengths)[cut]
        made = self.edges.section[faces] - self.first
        out = np.full(int(made.max()) + 1, -1, np.int32)
        out[made] = cells
        return out[vertices - self.first]

    def facets_at(self, cell: int, vertex: int) -> np.ndarray:
        """[k, 2] labels of the facets of a cell through one of its vertices."""
        return self.facets_of(np.array([cell]), np.array([vertex]))[1]

    def facets_of(self, cells: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for many vertices.

        Args:
            cells: [k] a cell of each vertex.
            vertices: [k] numbers of vertices.

        Returns:
            [k + 1] where those of each start, and [n, 2] labels.
        """
        starts = np.zeros(len(cells) + 1, np.int64)
        np.cumsum(self.levels[-1].lists[cells, LENGTH], out=starts[1:])
        there = np.empty(int(starts[-1]), np.int32)
        faces = (self.dimension, self.levels, self.edges, self.serial, self.parents)
        _find_facets(cells, vertices, *faces, starts, there)
        return starts, self.levels[-2].labels[there[: starts[-1]]]


@njit(cache=True, nogil=True)
def _touches(
    face: int, k: int, levels: tuple[Faces, ...], edges: Edges, serial: int, parents: np.ndarray, vertex: int
) -> bool:
    """Whether a face of dimension k has a vertex."""
    if k == 1:
        if edges.marks[face] == serial:
            middle = edges.section[face]
            return middle == vertex or parents[middle, 0] == vertex or parents[middle, 1] == vertex
        return edges.ends[face, 0] == vertex or edges.ends[face, 1] == vertex
    lists, pool = levels[k - 2].lists, levels[k - 2].pool
    for at in range(lists[face, START], lists[face, START] + lists[face, LENGTH]):
        if _touches(pool[at], k - 1, levels, edges, serial, parents, vertex):
            return True
    return False


@njit(cache=True, nogil=True)
def _find_facets(
    some: np.ndarray,
    vertices: np.ndarray,
    dimension: int,
    levels: tuple[Faces, ...],
    edges: Edges,
    serial: int,
    parents: np.ndarray,
    starts: np.ndarray,
    out: np.ndarray,
) -> None:
    """Facets of cells through vertices, one after the other, and where those of each start."""
    cells, number = levels[dimension - 2], 0
    for i in range(len(some)):
        starts[i] = number
        first = cells.lists[some[i], START]
        for at in range(first, first + cells.lists[some[i], LENGTH]):
            if _touches(cells.pool[at], dimension - 1, levels, edges, serial, parents, vertices[i]):
                out[number] = cells.pool[at]
                number += 1
    starts[len(some)] = number


@njit(cache=True, nogil=True)
def _claim(vertex: int, cell: int, base: int, out: np.ndarray) -> int:
    """Note the cell of a vertex that is sought."""
    if 0 <= vertex - base < out.size and out[vertex - base] == _WANTED:
        out[vertex - base] = cell
        return 1
    return 0


@njit(cache=True, nogil=True)
def _find_in(
    face: int,
    k: int,
    cell: int,
    levels: tuple[Faces, ...],
    edges: Edges,
    serial: int,
    parents: np.ndarray,
    base: int,
    out: np.ndarray,
) -> int:
    """Note a cell for all vertices of one of its faces; how many were sought."""
    found = 0
    if k == 1:
        if edges.marks[face] == serial:
            middle = edges.section[face]
            found += _claim(middle, cell, base, out)
            return found + _claim(parents[middle, 0], cell, base, out) + _claim(parents[middle, 1], cell, base, out)
        return found + _claim(edges.ends[face, 0], cell, base, out) + _claim(edges.ends[face, 1], cell, base, out)
    lists, pool = levels[k - 2].lists, levels[k - 2].pool
    for at in range(lists[face, START], lists[face, START] + lists[face, LENGTH]):
        found += _find_in(pool[at], k - 1, cell, levels, edges, serial, parents, base, out)
    return found


@njit(cache=True, nogil=True)
def _find_cells(
    cells: np.ndarray,
    number: int,
    dimension: int,
    levels: tuple[Faces, ...],
    edges: Edges,
    serial: int,
    parents: np.ndarray,
    base: int,
    out: np.ndarray,
) -> None:
    """Look for a cell of each vertex, until all have one."""
    for cell in cells:
        number -= _find_in(cell, dimension, cell, levels, edges, serial, parents, base, out)
        if number <= 0:
            return
