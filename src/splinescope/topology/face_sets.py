"""Sets of faces of a complex: closures of sets of cells, what is on the border of the domain, and connected parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_array, eye_array, hstack
from scipy.sparse.csgraph import connected_components

from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.spatial.complex import SpatialComplex


@dataclass(frozen=True, eq=False)
class FaceSets:
    """Which faces of each dimension are in which, from vertices to cells.

    FaceSets are those of the whole complex: where an edge of one cell ends within a side of its neighbour, the
    neighbour's side is two edges.

    Attributes:
        levels: For k = 0, ..., d - 1 the incidence of faces of dimension k (rows) in those of k + 1 (columns).
        outer: Facets on the boundary of the domain.
    """

    levels: tuple[csr_array, ...]
    outer: Bool[np.ndarray, " facets"]

    @staticmethod
    def of(cells: VertexComplex) -> FaceSets:
        """Those of a complex of two or three dimensions."""
        if isinstance(cells, SpatialComplex):
            sides = cells.facet_cells
            lists = [cells.faces[k] for k in range(2, cells.dimension)]
            upper = [_incidence(each.items, np.diff(each.offsets), len(cells.edges)) for each in lists[:1]]
        else:
            assert isinstance(cells, PlanarComplex)
            sides, upper = cells.edge_cells, []
        ends = _incidence(cells.edges.ravel(), np.full(len(cells.edges), 2), len(cells.vertices))
        beside = sides >= 0
        facets, which = np.nonzero(beside)
        last = csr_array(
            (np.ones(len(facets), np.int8), (facets, sides[facets, which])), shape=(len(sides), len(cells))
        )
        return FaceSets((ends, *upper, last), np.asarray(~beside.all(axis=1)))

    def closure(self, cells: Bool[np.ndarray, " cells"]) -> list[Bool[np.ndarray, " faces"]]:
        """FaceSets of each dimension of a set of cells.

        Args:
            cells: The set.

        Returns:
            For each dimension, which faces are in the union of the closed cells; the cells themselves last.
        """
        return self.below(cells, self.levels)

    @property
    def border(self) -> list[Bool[np.ndarray, " faces"]]:
        """For each dimension below the cells', which faces are on the boundary of the domain."""
        return self.below(self.outer, self.levels[:-1])

    def stars(self) -> list[csr_array]:
        """For each dimension below the cells', in which cells each face (a row) is."""
        found = [self.levels[-1]]
        for level in reversed(self.levels[:-1]):
            found.append(csr_array(level @ found[-1]))
        return found[::-1]

    def corners(self) -> list[csr_array]:
        """For each dimension, up to the cells, which vertices (rows) each face (a column) has."""
        count = self.levels[0].shape[0]
        found = [csr_array(eye_array(count, dtype=np.int32))]
        for level in self.levels:
            found.append(csr_array(found[-1] @ level))
        return found

    @staticmethod
    def below(top: Bool[np.ndarray, " top"], levels: tuple[csr_array, ...]) -> list[Bool[np.ndarray, " faces"]]:
        """FaceSets of a set of faces, from vertices up to the set itself."""
        found = [top]
        for level in reversed(levels):
            found.append(level @ found[-1].astype(np.int32) > 0)
        return found[::-1]

    def parts(
        self, cells: Bool[np.ndarray, " cells"], closed: bool, walls: Bool[np.ndarray, " facets"] | None = None
    ) -> Int[np.ndarray, " cells"]:
        """Connected parts of a set of cells.

        Args:
            cells: The set.
            closed: Whether cells that have a vertex in common are connected; else facets alone connect.
            walls: Facets that do not connect.

        Returns:
            For each cell its part, from 0; -1 outside the set.
        """
        link = self.levels[-1] if walls is None else self.levels[-1][~walls]
        if closed:
            for level in reversed(self.levels[:-1]):
                link = level @ link
        chosen = np.flatnonzero(cells)
        graph = link[:, chosen]
        _, labels = connected_components(graph.T @ graph, directed=False)
        found = np.full(len(cells), -1, np.int64)
        found[chosen] = labels
        return found

    def closed_parts(
        self, cells: Bool[np.ndarray, " cells"], lower: list[Bool[np.ndarray, " _"]]
    ) -> tuple[Int[np.ndarray, " cells"], list[Int[np.ndarray, " _"]]]:
        """Connected parts of a closed set of cells and of faces that are on none of them.

        Args:
            cells: The cells.
            lower: For each dimension below theirs, the faces.

        Returns:
            The part of each cell and of each face, from 0; -1 outside the set.
        """
        chosen = [np.flatnonzero(some) for some in (*lower, cells)]
        columns = [ends[:, which] for ends, which in zip(self.corners(), chosen, strict=True)]
        ends = csr_array(hstack(columns))
        _, labels = connected_components(ends.T @ ends, directed=False)
        found = [np.full(len(some), -1, np.int64) for some in (*lower, cells)]
        starts = np.cumsum([len(which) for which in chosen])[:-1]
        for part, which, own in zip(found, chosen, np.split(labels, starts), strict=True):
            part[which] = own
        return found[-1], found[:-1]


def _incidence(items: Int[np.ndarray, " items"], sizes: Int[np.ndarray, " lists"], number: int) -> csr_array:
    """Which faces are in which of the lists."""
    columns = np.repeat(np.arange(len(sizes)), sizes)
    entries = (np.ones(len(items), np.int32), (np.asarray(items, np.int64), columns))
    return csr_array(entries, shape=(number, len(sizes)))
