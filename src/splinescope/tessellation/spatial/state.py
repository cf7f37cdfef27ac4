"""A tessellation on its way through the network: the face lattice, and the values of live nodes at its vertices."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.bits import pack_signs
from splinescope.geometry.coarsening import coarsened
from splinescope.geometry.faces import Layer
from splinescope.geometry.lattice import FaceLattice, Inserted, insert_folds, lattice_of_polytope, restricted
from splinescope.geometry.polytopes import vertices_of_faces
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance, in_ranges
from splinescope.tessellation.breakpoints import Folds
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.maxima import visible
from splinescope.tessellation.rounding import Bounds, input_bounds
from splinescope.tessellation.spatial.complex import cell_means

_BYTES_OF_CELL = {3: 3000, 4: 12000}
"""Bytes that the faces of one cell take, with the room for growth: measured, and rounded up."""


@dataclass
class State:
    """What there is between two nodes.

    Attributes:
        lattice: The faces so far.
        rows: [V, n] values of each live node at the vertices.
        bounds: Magnitude and rounding error of each live node.
        max_cells: Most cells that there may be, or None.
        memory_budget: Bytes that faces and rows may take.
        centre: Point of the domain around which cells are kept where there are too many.
        codes: Patterns of the cells at the nodes so far.
        position: The next node.
        truncated: Whether cells were dropped.
    """

    lattice: FaceLattice
    rows: dict[int, np.ndarray]
    bounds: dict[int, Bounds]
    max_cells: int | None
    memory_budget: int
    centre: np.ndarray
    codes: list[NodeCodes] = field(default_factory=list)
    position: int = 0
    truncated: bool = False

    def cell_vertices(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets and items of the vertices of each cell."""
        lattice = self.lattice
        levels = [lattice.list_of(k) for k in range(2, lattice.dimension + 1)]
        return vertices_of_faces(lattice.edges.ends[: lattice.counts[0, 1]], levels)[-1]

    def restrict(self, cells: np.ndarray) -> np.ndarray:
        """Keep only some cells; the old numbers of the vertices that are left."""
        if len(cells) == self.lattice.num_cells:
            return np.arange(self.lattice.num_vertices)
        self.lattice, vertices = restricted(self.lattice, cells)
        self.rows = {node: rows[vertices] for node, rows in self.rows.items()}
        self.codes = [codes.taken(cells) for codes in self.codes]
        self.truncated = True
        return vertices

    def restrict_to(self, number: int) -> np.ndarray:
        """Keep at most so many cells, those nearest to the centre; the old numbers of the vertices that are left."""
        if self.lattice.num_cells <= number:
            return np.arange(self.lattice.num_vertices)
        offsets, items = self.cell_vertices()
        middle = cell_means(self.lattice.points[: self.lattice.num_vertices], items, offsets)
        distance = np.sum((middle - self.centre) ** 2, axis=1)
        return self.restrict(np.sort(np.argsort(distance, kind="stable")[:number]))

    def cut(self, values: np.ndarray, folds: Folds, tolerance: Tolerance) -> np.ndarray:
        """Cut all cells along the folds of a layer, and extend the rows of live nodes to the new vertices.

        Args:
            values: [V, n] rows that decide the folds.
            folds: Their breakpoints and thresholds.
            tolerance: For the largest amplification.

        Returns:
            [V', n] the rows with those of the new vertices, where the unit that made a vertex is on its breakpoint.

        Raises:
            DegenerateArrangementError: If rounding errors exceed their estimate.
        """
        lattice, count = self.lattice, self.lattice.num_vertices
        positive = np.empty((count, folds.words), np.uint64)
        negative = np.empty_like(positive)
        tables = (folds.shifts, folds.thresholds, lattice.amplification)
        in_ranges(pack_signs, count, values, *tables, positive, negative)
        padded = 64 * folds.words // len(folds.shifts)
        level, unit = np.nonzero(np.isfinite(folds.thresholds))
        columns = level * padded + unit
        layer = Layer(
            columns,
            folds.units[columns].astype(np.int64),
            folds.shifts,
            folds.thresholds,
            folds.slopes,
            folds.label,
            tolerance.max_amplification,
            padded,
        )
        rest: Layer | None = layer
        while rest is not None:
            limit = self._limit(values.shape[1])
            inserted = insert_folds(self.lattice, values, positive, negative, rest, limit)
            if inserted.tangled >= 0:
                raise _tangled(self.lattice, folds.label)
            self.rows = {node: extended(rows, inserted) for node, rows in self.rows.items()}
            self.codes = [codes.taken(inserted.parents) for codes in self.codes]
            values, positive, negative, rest = inserted.values, inserted.positive, inserted.negative, inserted.rest
            if rest is not None:
                kept = self.restrict_to(limit // 2)
                values, positive, negative = values[kept], positive[kept], negative[kept]
        return values

    def _limit(self, columns: int) -> int:
        """Number of cells that the budgets allow in the middle of a layer."""
        live = columns + sum(rows.shape[1] for rows in self.rows.values())
        each = _BYTES_OF_CELL[min(self.lattice.dimension, 4)] + 4 * 8 * live
        limit = max(64, self.memory_budget // each)
        return limit if self.max_cells is None else min(limit, 2 * self.max_cells)

    def merge_hidden(self, node: int, positions: np.ndarray) -> np.ndarray:
        """Merge cells that only hidden folds of a max node separate.

        Args:
            node: The max node.
            positions: [F, groups] winners in each cell.

        Returns:
            An old cell of each cell that is left.
        """
        lattice = self.lattice
        count = int(lattice.counts[0, lattice.dimension - 1])
        sides, labels = lattice.facets.cells[:count], lattice.facets.labels[:count]
        made = np.flatnonzero((labels[:, 0] == node) & (sides >= 0).all(axis=1))
        seen = visible(sides[made], labels[made, 1], positions)
        labels[made, 1] = seen.units
        hidden = sides[made[seen.hidden]]
        if not len(hidden):
            return np.arange(lattice.num_cells)
        links = csr_array((np.ones(len(hidden)), hidden.T), shape=(lattice.num_cells, lattice.num_cells))
        _, group = connected_components(links, directed=False)
        merged = coarsened(lattice, group.astype(np.int64))
        self.lattice = merged.lattice
        self.rows = {index: rows[merged.vertices] for index, rows in self.rows.items()}
        self.codes = [codes.taken(merged.cells) for codes in self.codes]
        return merged.cells


def _tangled(lattice: FaceLattice, node: int) -> DegenerateArrangementError:
    place = lattice.points[lattice.num_vertices - 1]
    return DegenerateArrangementError(
        f"signs of node {node} contradict convexity near {place}: rounding errors exceed their estimate; try a larger "
        f"`Tolerance.safety`"
    )


def first_state(network: Network, domain: Domain, max_cells: int | None, memory_budget: int) -> State:
    """The domain as one cell, before the first node."""
    lattice = lattice_of_polytope(domain.corners, domain.halfspaces)
    inputs = domain.embed(domain.corners).reshape(len(domain.corners), -1)
    return State(lattice, {0: inputs}, {0: input_bounds(inputs)}, max_cells, memory_budget, domain.centre, position=1)


def extended(rows: np.ndarray, inserted: Inserted) -> np.ndarray:
    """Rows with those of the new vertices, interpolated along the edges on which they were made."""
    old = len(rows)
    out = np.empty((old + len(inserted.fractions), rows.shape[1]))
    out[:old] = rows
    _interpolate(out, old, inserted.edges, inserted.fractions)
    return out


@njit(cache=True, nogil=True)
def _interpolate(out: np.ndarray, old: int, edges: np.ndarray, fractions: np.ndarray) -> None:
    """In order, since a vertex may be on an edge of new vertices."""
    for i in range(len(fractions)):
        a, b, t = edges[i, 0], edges[i, 1], fractions[i]
        for k in range(out.shape[1]):
            out[old + i, k] = out[a, k] + t * (out[b, k] - out[a, k])
