"""A tessellation on its way through the network: the face lattice, and the values of live nodes at its vertices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.bits import count_bits
from splinescope.geometry.lattice.arrays import FaceLattice, lattice_of_polytope, restrict
from splinescope.geometry.lattice.coarsening import coarsened
from splinescope.geometry.lattice.corners import Moment
from splinescope.geometry.lattice.decisions import Inserted, decide, insert_folds
from splinescope.geometry.lattice.edge_cuts import pack_decided, settle
from splinescope.geometry.lattice.faces import NEW, LatticeLayer, Vertices
from splinescope.geometry.lattice.polytopes import vertices_of_cells
from splinescope.geometry.lattice.tags import halves, refine_tags
from splinescope.network.graph import Network
from splinescope.network.ops import Activation
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance, in_ranges
from splinescope.tessellation.calibration import Calibration
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.domains import Box, Domain
from splinescope.tessellation.exact import domain_rows
from splinescope.tessellation.maxima import Tournament, visible
from splinescope.tessellation.predicates import coordinates
from splinescope.tessellation.rounding import Bounds, Trial, probes
from splinescope.tessellation.spatial.complex import cell_means
from splinescope.tessellation.spatial.folds import families, measured
from splinescope.tessellation.spatial.judge import SpatialJudge
from splinescope.tessellation.spatial.sides import exact_sides, inputs_at
from splinescope.tessellation.sweep import Begun, evaluated
from splinescope.tessellation.thresholds import Columns, LayerFolds, activation_folds, pair_columns

_BYTES_OF_CELL = {3: 3000, 4: 12000}
"""Bytes that the faces of one cell take, with the room for growth: measured, and rounded up."""
_NO_LIMIT = 1 << 62
"""Within groups of a max node no cell is left out: it may be a part of one that others complete."""
_FEWEST = 64
"""Cells that there may be in any case, whatever the memory budget."""
_SAFETY = 16.0
"""Multiple of `Tolerance.safety` by which measured rounding errors are taken: they only say what is decided exactly."""
_PLACED = 2.0**-30
"""Uncertainty up to which a vertex is where float64 puts it, where its coordinates resolve as much."""
_COARSE = 2.0**-40
"""See `Calibration.coarse`: cells are many here, and what is in doubt is dear."""


@dataclass
class SpatialState:
    """What there is between two nodes.

    Attributes:
        network: The network.
        lattice: The faces so far.
        rows: [V, n] values of each live node at the vertices; 0.0 only where they are proved to be zero.
        calibration: How near to zero signs are in doubt.
        embed: The inputs at points of the domain.
        judge: Decides these in exact arithmetic.
        extents: [d] of the domain.
        coarsest: Uncertainty above which vertices are placed exactly.
        max_cells: Most cells that there may be, or None.
        memory_budget: Bytes that faces and rows may take.
        centre: Point of the domain around which cells are kept where there are too many.
        codes: Patterns of the cells at the nodes so far.
        tournament: The running round of a max node.
        begun: What is in of the next node, if anything is.
        position: The next node.
        truncated: Whether cells were dropped.
        shortage: Called before a budget drops some.
        watch: Called with the number of cells while there come to be more.
        signs: Number of signs taken.
        streams: Whether it is parted where it is too large, and no cell left out.
        share: Share of the domain that it covers, counted by cells whenever it was parted.
    """

    network: Network
    lattice: FaceLattice
    rows: dict[int, np.ndarray]
    calibration: Calibration
    embed: Callable[[np.ndarray], np.ndarray]
    judge: SpatialJudge
    extents: np.ndarray
    coarsest: float
    max_cells: int | None
    memory_budget: int
    centre: np.ndarray
    codes: list[NodeCodes] = field(default_factory=list)
    tournament: Tournament | None = None
    begun: Begun | None = None
    position: int = 0
    truncated: bool = False
    shortage: Callable[[], None] | None = None
    watch: Callable[[int], None] | None = None
    signs: int = 0
    streams: bool = False
    share: float = 1.0

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.lattice.num_cells

    def values(self, key: int) -> np.ndarray:
        """[V, n] rows of a node."""
        return self.rows[key]

    def put(self, key: int, values: np.ndarray) -> None:
        """Set the rows of a node."""
        self.rows[key] = values

    def release(self, key: int) -> None:
        """Forget the rows of a node."""
        self.rows.pop(key, None)

    def bounds(self, index: int) -> Bounds:
        """Magnitude of a node, and how near to zero its signs are in doubt, at the vertices."""
        points = self.lattice.points[: self.lattice.num_vertices]
        return measured(self.calibration.at(index, points, self.embed), self.rows[index])

    @property
    def uncertainty(self) -> np.ndarray:
        """[V] how well the positions of the vertices are known."""
        return self.lattice.uncertainty[: self.lattice.num_vertices]

    def evaluate(self, index: int) -> None:
        """Set the rows of a node without folds."""
        nodes = self.network.nodes
        inputs = [torch.from_numpy(self.rows[k]).reshape(-1, *nodes[k].shape) for k in nodes[index].inputs]
        self.rows[index] = evaluated(nodes[index].op, inputs, np.empty((self.lattice.num_vertices, nodes[index].size)))

    def activation_folds(self, index: int, op: Activation) -> LayerFolds:
        """The folds of an activation."""
        return activation_folds(op, self.bounds(self.network.nodes[index].inputs[0]), index)

    def activate(self, index: int, op: Activation) -> None:
        """Set the rows of an activation whose folds are in."""
        self.evaluate(index)

    def cell_vertices(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets and items of the vertices of each cell."""
        lattice = self.lattice
        levels = [lattice.list_of(k) for k in range(2, lattice.dimension + 1)]
        return vertices_of_cells(lattice.edges.ends[: lattice.counts[0, 1]], levels)

    def restrict(self, cells: np.ndarray) -> np.ndarray:
        """Keep only some cells; the old numbers of the vertices that are left."""
        if len(cells) == self.lattice.num_cells:
            return np.arange(self.lattice.num_vertices)
        vertices = restrict(self.lattice, cells)
        self.rows = {node: rows[vertices] for node, rows in self.rows.items()}
        self._take(cells)
        self.judge.renumber(vertices)
        self.truncated = True
        return vertices

    def restrict_to(self, number: int) -> np.ndarray:
        """Keep at most so many cells, those nearest to the centre; the old numbers of the vertices that are left."""
        if self.lattice.num_cells <= number:
            return np.arange(self.lattice.num_vertices)
        if self.shortage is not None:
            self.shortage()
        offsets, items = self.cell_vertices()
        middle = cell_means(self.lattice.points[: self.lattice.num_vertices], items, offsets)
        distance = np.sum((middle - self.centre) ** 2, axis=1)
        return self.restrict(np.sort(np.argsort(distance, kind="stable")[:number]))

    @property
    def too_large(self) -> bool:
        """Whether it has to be parted before the next node or portion."""
        columns = self.network.nodes[self.position].size
        return self.streams and self.num_cells > 1 and 2 * self.num_cells > self._limit(columns)

    def halves(self, rng: np.random.Generator) -> list[SpatialState]:
        """Two states with about as many cells; `rng` gives tags to their border."""
        return [
            replace(
                self,
                lattice=lattice,
                rows={node: rows[vertices] for node, rows in self.rows.items()},
                judge=self.judge.part(vertices),
                codes=[codes.taken(cells) for codes in self.codes],
                begun=None if self.begun is None else self.begun.taken(cells),
                signs=0,
                share=self.share * len(cells) / self.num_cells,
            )
            for lattice, cells, vertices in halves(self.lattice, rng)
        ]

    def keep_within_budgets(self) -> None:
        """Leave out cells between two nodes, or between two portions of a max node, unless they are streamed."""
        if self.streams:
            return
        if self.max_cells is not None:
            self.restrict_to(self.max_cells)
        if self.begun is not None and self.num_cells >= self._limit(0):
            self.restrict_to(self._limit(0) // 2)

    def _take(self, cells: np.ndarray) -> None:
        """Patterns of the given cells, which are now all there are."""
        self.codes = [codes.taken(cells) for codes in self.codes]
        if self.tournament is not None:
            self.tournament = self.tournament.taken(cells)
        if self.begun is not None:
            self.begun = self.begun.taken(cells)

    def cut(self, key: int, folds: LayerFolds) -> np.ndarray:
        """Cut all cells, and extend all rows: see `splinescope.tessellation.sweep.State`.

        Where the budgets don't suffice, cells far from the centre are left out.

        Raises:
            DegenerateArrangementError: If float64 was trusted with a sign that it had wrong.
        """
        values, columns = self.rows.pop(key), folds.columns
        self.judge.enter(columns, self.codes)
        signed = self._signed(values, folds)
        rest: LatticeLayer | None = self._layer(folds)
        while rest is not None:
            limited = self.tournament is None and not self.streams
            limit = self._limit(values.shape[1]) if limited else _NO_LIMIT
            inserted = insert_folds(self.lattice, signed, rest, self.judge, limit, self.watch)
            if inserted.tangled >= 0:
                raise _tangled(self.lattice, columns.node)
            self._name(inserted.parents, columns)
            self.rows = {node: inserted.extended(rows) for node, rows in self.rows.items()}
            self._take(inserted.parents)
            values, rest = inserted.values, inserted.rest
            if rest is not None:
                signed = self._restricted(inserted, limit // 2)
                values = signed.values
                self.judge.enter(columns, self.codes)
        self.rows[key] = values
        if self.streams:
            refine_tags(self.lattice, inserted.positive, inserted.negative, np.random.default_rng(columns.node))
        self.signs += len(values) * int(np.isfinite(folds.thresholds).sum())
        return self.lattice.cells.positive[: self.lattice.num_cells].copy()

    def fitting(self, key: int, folds: LayerFolds, left: np.ndarray) -> np.ndarray:
        """For which units or groups there is room: for units all at once, since new rows hold no exact signs."""
        if not folds.columns.width:
            return left
        limit = max(self._limit(self.rows[key].shape[1]), 2 * self.num_cells)
        offsets, items = self.cell_vertices()
        values, tables = self.rows[key], (folds.shifts, folds.thresholds, folds.slopes, self.lattice.uncertainty)
        positive, negative, doubtful = (np.empty((len(values), folds.words), np.uint64) for _ in range(3))
        in_ranges(pack_decided, len(values), values, *tables, positive, negative, doubtful)
        signs = [np.bitwise_or.reduceat(bits[items], offsets[:-1], axis=0) for bits in (positive, negative)]
        both = signs[0] & signs[1]
        return folds.fitting(left, limit, lambda columns: count_bits(both & columns), self.lattice.dimension)

    def _layer(self, folds: LayerFolds) -> LatticeLayer:
        """The folds as the lattice takes them."""
        level, unit = np.nonzero(np.isfinite(folds.thresholds))
        padded = folds.columns.padded
        tables = (folds.shifts, folds.thresholds, folds.slopes, families(self.network, folds))
        return LatticeLayer(level * padded + unit, *tables, self.extents, self.coarsest, padded)

    def _signed(self, values: np.ndarray, folds: LayerFolds) -> Vertices:
        """The vertices with their signs, each decided."""
        lattice, count = self.lattice, self.lattice.num_vertices
        positive, negative, doubtful = (np.empty((count, folds.words), np.uint64) for _ in range(3))
        signs = (positive, negative, doubtful)
        tables = (folds.shifts, folds.thresholds, folds.slopes, lattice.uncertainty)
        doubts = sum(in_ranges(pack_decided, count, values, *tables, *signs))
        signed = _vertices(lattice, values, *signs)
        if doubts:
            decide(self.judge, self.moment(), signed, np.arange(count), folds.shifts, folds.columns.padded)
            in_ranges(settle, count, values, folds.shifts, folds.thresholds, positive, negative)
        return signed

    def moment(self) -> Moment:
        """The lattice between layers."""
        lattice, cells = self.lattice, np.arange(self.lattice.num_cells, dtype=np.int32)
        none = np.zeros((0, 2), np.int32)
        d, count = lattice.dimension, lattice.num_vertices
        return Moment(d, lattice.edges, lattice.levels, none, -2, cells, cells[:0], cells, count, -1)

    def _name(self, parents: np.ndarray, columns: Columns) -> None:
        """Label the facets that a layer made with its node and the folds that its columns were there."""
        lattice = self.lattice
        count = int(lattice.counts[0, lattice.dimension - 1])
        labels, sides = lattice.facets.labels[:count], lattice.facets.cells[:count]
        new = np.flatnonzero(labels[:, 0] == NEW)
        origins = parents[sides[new].max(axis=1)]
        labels[new, 1] = columns.folds(origins, labels[new, 1].astype(np.int64))
        labels[new, 0] = columns.node

    def _restricted(self, inserted: Inserted, number: int) -> Vertices:
        """The vertices of the cells that the budget allows, in the middle of a layer."""
        kept = self.restrict_to(number)
        signs = (inserted.positive[kept], inserted.negative[kept])
        return _vertices(self.lattice, inserted.values[kept], *signs, np.zeros_like(signs[0]))

    def _limit(self, columns: int) -> int:
        """Number of cells that the budgets allow in the middle of a layer."""
        live = columns + sum(rows.shape[1] for rows in self.rows.values())
        each = _BYTES_OF_CELL[min(self.lattice.dimension, 4)] + 4 * 8 * live
        limit = max(_FEWEST, self.memory_budget // each)
        return limit if self.max_cells is None else min(limit, 2 * self.max_cells)

    def merge_hidden(self, index: int, positions: np.ndarray) -> np.ndarray:
        """Merge cells that only hidden folds of a max node separate: see `splinescope.tessellation.sweep.State`."""
        assert self.tournament is not None
        lattice, tournament = self.lattice, self.tournament
        count = int(lattice.counts[0, lattice.dimension - 1])
        sides, labels = lattice.facets.cells[:count], lattice.facets.labels[:count]
        group = tournament.places(labels[:, 1])
        among = (labels[:, 0] == index) & (group >= 0)
        made = np.flatnonzero(among & (sides >= 0).all(axis=1))
        seen = visible(sides[made], group[made], positions)
        low, high = (positions[side, seen.units].astype(np.int64) for side in sides[made].T)
        units = tournament.names[seen.units]
        labels[made, 1] = pair_columns(high, low, units, tournament.total, tournament.size)
        hidden = sides[made[seen.hidden]]
        if not len(hidden):
            return np.arange(lattice.num_cells)
        links = csr_array((np.ones(len(hidden)), hidden.T), shape=(lattice.num_cells, lattice.num_cells))
        _, group = connected_components(links, directed=False)
        merged = coarsened(lattice, group.astype(np.int64))
        self.lattice = merged.lattice
        self.rows = {node: rows[merged.vertices] for node, rows in self.rows.items()}
        self._take(merged.cells)
        self.judge.renumber(merged.vertices)
        return merged.cells


def _vertices(
    lattice: FaceLattice, values: np.ndarray, positive: np.ndarray, negative: np.ndarray, doubtful: np.ndarray
) -> Vertices:
    """The vertices of a lattice with the values and signs of a layer."""
    count = len(values)
    parents, none = np.zeros((count, 2), np.int32), np.zeros(count)
    known = (lattice.uncertainty, positive, negative, doubtful)
    return Vertices(lattice.points, values, *known, parents, none, none.copy(), lattice.tags)


def _tangled(lattice: FaceLattice, node: int) -> DegenerateArrangementError:
    place = lattice.points[lattice.num_vertices - 1]
    return DegenerateArrangementError(
        f"signs of node {node} contradict convexity near {place}: float64 was trusted with a sign that it has wrong; "
        f"try a larger `Tolerance.safety`"
    )


def first_state(
    network: Network, domain: Domain, max_cells: int | None, memory_budget: int, tolerance: Tolerance
) -> SpatialState:
    """The domain as one cell, before the first node."""
    lattice = lattice_of_polytope(domain.corners, domain.halfspaces)
    judge = SpatialJudge.of(network, domain, exact_sides(domain, _incidence(lattice)))
    safety = _SAFETY * tolerance.safety
    trial = Trial(network, domain.embed(probes(domain.corners, network)), domain.terms, safety)
    extents = np.ptp(domain.corners, axis=0)
    resolution = float((np.abs(domain.corners).max(axis=0) / extents).max())
    state = SpatialState(
        network,
        lattice,
        {},
        Calibration.of(trial, coarse=_COARSE),
        domain.embed,
        judge,
        extents,
        max(_PLACED, 1024 * UNIT_ROUNDOFF * resolution),
        max_cells,
        memory_budget,
        domain.centre,
        position=1,
    )
    if isinstance(domain, Box):
        state.rows[0] = domain.embed(domain.corners).reshape(len(domain.corners), -1)
    else:
        moment = state.moment()
        points = [judge.point(moment, 0, vertex) for vertex in range(lattice.num_vertices)]
        lattice.points[:] = [coordinates(point) for point in points]
        state.rows[0] = inputs_at(domain_rows(domain.origin, domain.basis), points)
    return state


def _incidence(lattice: FaceLattice) -> np.ndarray:
    """[corners, sides] which vertices of a single cell are on which of its facets."""
    edges = lattice.edges.ends[: lattice.counts[0, 1]]
    levels = [lattice.list_of(k) for k in range(2, lattice.dimension)]
    offsets, items = vertices_of_cells(edges, levels)
    on = np.zeros((lattice.num_vertices, len(offsets) - 1), bool)
    on[items, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))] = True
    return on
