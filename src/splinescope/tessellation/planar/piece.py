"""A part of the slices on its way through the network: the state that the sweep takes from node to node in planes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

import numpy as np

from splinescope.geometry.planar.chords import chord_counts
from splinescope.geometry.planar.doubts import reconcile
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.network.ops import Activation
from splinescope.tessellation.codes import NodeCodes, pack
from splinescope.tessellation.maxima import Tournament, visible
from splinescope.tessellation.planar.centroids import central_triangle
from splinescope.tessellation.planar.dissolve import without_edges, without_straight_vertices
from splinescope.tessellation.planar.folding import fold, signs_of
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.rows import GrowingRows
from splinescope.tessellation.planar.streaming import streamed
from splinescope.tessellation.planar.work import followed, streaming
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.sweep import Begun, evaluated
from splinescope.tessellation.thresholds import LayerFolds, activation_folds, pair_columns
from splinescope.tessellation.zeros import zeros_are_exact

_BYTES_OF_CELL = 250
"""Bytes that a cell takes with its edges and vertices, patterns and rows not counted."""
MANY = 1 << 26
"""Products at new vertices from which rows there follow from the others: about the time of the bounds for that."""
_ROOM = 64
"""Cells for which there is room, whatever the budget."""


@dataclass
class PlanarPiece:
    """Cells of a part of the slices with the values of the live nodes at their vertices.

    Attributes:
        plan: The network, and what is computed once for all pieces.
        subdivision: The cells found so far.
        vertex_tags: [V] numbers of vertices that other pieces have too, or -1.
        rows: Values at the vertices of each node that is still needed.
        slices: [F] the slice of each cell.
        codes: Patterns of the cells at the nodes passed.
        position: Next node to evaluate.
        tournament: The running round of a max node.
        begun: What is in of the next node, if anything is.
        folds: The folds of the next node, if some of them are in.
        followed: Whether rows of some layer followed from one another, which makes signs a little more doubtful.
    """

    plan: Plan
    subdivision: Subdivision
    vertex_tags: np.ndarray
    rows: dict[int, GrowingRows]
    slices: np.ndarray
    codes: list[NodeCodes] = field(default_factory=list)
    position: int = 1
    tournament: Tournament | None = None
    begun: Begun | None = None
    folds: LayerFolds | None = None
    followed: bool = False

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.subdivision.num_faces

    @property
    def uncertainty(self) -> np.ndarray:
        """[V] how well the positions of the vertices are known."""
        return self.subdivision.uncertainty

    @property
    def nbytes(self) -> int:
        """Bytes of the cells and of the values at their vertices, but for rows that the next node reads unwritten."""
        held = sum(rows.nbytes for rows in self.rows.values())
        if self.position in streaming(self.plan.network):
            source = self.plan.network.nodes[self.position].inputs[0]
            if self.plan.last_use[source] == self.position:
                held -= self.rows[source].nbytes - self.rows[source].settled_nbytes
        return _BYTES_OF_CELL * self.num_cells + held

    @property
    def way(self) -> float:
        """Share of the way through the network that is behind it."""
        begun = 0.0 if self.begun is None else len(self.begun.places) / self.plan.network.nodes[self.position].size
        return self.plan.work.behind(self.position, min(1.0, begun))

    def values(self, key: int) -> np.ndarray:
        """[V, n] rows of a node, settled."""
        return self.rows[key].values

    def put(self, key: int, values: np.ndarray) -> None:
        """Set the rows of a node."""
        self.rows[key] = GrowingRows(values)

    def release(self, key: int) -> None:
        """Forget the rows of a node."""
        self.rows.pop(key, None)

    def bounds(self, index: int) -> Bounds:
        """Magnitude of a node, and how near to zero its signs are in doubt, at the vertices."""
        return self.plan.bounds(index, self.subdivision, self.slices, self.followed)

    def evaluate(self, index: int) -> None:
        """Set the rows of a node without folds."""
        network = self.plan.network
        node = network.nodes[index]
        if node.affine is not None and index in streaming(network):
            rows = self.rows[node.inputs[0]]
            saved = rows.newest * node.affine.addends * node.size
            follow = index in followed(network) and saved >= (1 if self.followed else MANY)
            self.followed |= follow
            shape, folds = network.nodes[node.inputs[0]].shape, self._following_folds(index)
            tables = (shape, self.subdivision.uncertainty, folds, index != network.output)
            self.rows[index] = streamed(node.affine, node.size, rows, *tables, follow)
        elif node.affine is not None and node.affine.keeps_order:
            rows = self.rows[node.inputs[0]]
            last = self.plan.last_use[node.inputs[0]] == index
            self.rows[index] = rows if last else GrowingRows(rows.values.copy())
        else:
            inputs = [self.rows[source].tensor(network.nodes[source].shape) for source in node.inputs]
            rows = GrowingRows.empty(self.subdivision.num_vertices, node.size)
            evaluated(node.op, inputs, rows.values)
            self.rows[index] = rows

    def _following_folds(self, index: int) -> LayerFolds | None:
        """Folds of the next node, if it is an activation of this one alone: its signs are taken on the way."""
        nodes = self.plan.network.nodes
        if index + 1 == len(nodes) or nodes[index + 1].inputs != (index,):
            return None
        following = nodes[index + 1].op
        return activation_folds(following, self.bounds(index), index + 1) if isinstance(following, Activation) else None

    def activation_folds(self, index: int, op: Activation) -> LayerFolds:
        """The folds of an activation."""
        source = self.plan.network.nodes[index].inputs[0]
        signed = self.rows[source].signed
        if self.begun is None or self.folds is None:
            self.folds = activation_folds(op, self.bounds(source), index) if signed is None else signed.folds
        return self.folds

    def fitting(self, key: int, folds: LayerFolds, left: np.ndarray) -> np.ndarray:
        """For which units or groups there is room: within the budgets, or for as many cells again as there are.

        Where the way that is left is long, there is room for no more cells than should go it together. With a limit of
        cells, those that fold nearest to the centre are first: what is farther away will then be left out.

        Rows stay unsettled where an activation is inserted whole, and new cells take bits for its columns only.
        """
        live = sum(rows.columns for rows in self.rows.values())
        least, room = max(_ROOM, 2 * self.num_cells), self.plan.memory_budget // 2
        most = sys.maxsize if self.plan.max_cells is None else max(least, 2 * self.plan.max_cells)
        together = self.plan.together(self.position)
        most = int(min(most, max(least, together)))
        limit = min(most, max(least, room // (_BYTES_OF_CELL + 8 * live)))
        at_once = min(most, max(least, room // (_BYTES_OF_CELL + 24 * folds.words)))
        subdivision = self.subdivision
        whole = self.begun is None and not folds.columns.width
        columns = len(left) * len(folds.shifts)
        if whole and self.num_cells * (1 + columns * (columns + 1) // 2) <= at_once:
            return left
        signed = signs_of(self.rows[key], folds, subdivision.uncertainty)

        def counts(columns: np.ndarray) -> np.ndarray:
            if columns is not signed.folds.folding:
                signs = (signed.positive & columns, signed.negative & columns)
                return chord_counts(subdivision.first, subdivision.halves, *signs)
            if signed.counts is None:
                signed.counts = chord_counts(subdivision.first, subdivision.halves, signed.positive, signed.negative)
            return signed.counts

        if folds.most_cells(left, counts, 2) <= (at_once if whole else limit):
            return left
        if self.plan.max_cells is not None:
            left = left[np.argsort(self._nearness(key, folds)[left], kind="stable")]
        return folds.fitting(left, limit, counts, 2)

    def _nearness(self, key: int, folds: LayerFolds) -> np.ndarray:
        """About how far from the domain's centre units or groups fold, by their slopes on the nearest cell."""
        centre = self.plan.slices.centre(int(self.slices[0]))
        corners = central_triangle(self.subdivision, centre)
        places, (first, *others) = self.subdivision.points[corners], self.rows[key].values[corners]
        (ax, ay), (bx, by) = places[1:] - places[0]
        cx, cy = centre - places[0]
        along, across = others[0] - first, others[1] - first
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slopes = np.stack([by * along - ay * across, ax * across - bx * along]) / (ax * by - ay * bx)
            distances = np.abs(first + cx * slopes[0] + cy * slopes[1] - folds.shifts) / np.hypot(*slopes)
        distances[~np.isfinite(folds.thresholds) | np.isnan(distances)] = np.inf
        return distances.reshape(-1, folds.size).min(axis=0)

    def cut(self, key: int, folds: LayerFolds) -> np.ndarray:
        """Cut all cells, and extend all rows: see `splinescope.tessellation.sweep.State`."""
        values, columns = self.rows[key], folds.columns
        network = self.plan.network
        clamped = columns.width and zeros_are_exact(network, network.nodes[columns.node].inputs[0])
        judge = PlanarJudge(self.plan, self.subdivision, self.slices, self.codes, columns)
        others = [rows for rows in self.rows.values() if rows is not values]
        found = fold(values, others, folds, judge, pack(values.values == 0.0) if clamped else None)
        added = found.subdivision.num_vertices - self.subdivision.num_vertices
        self.subdivision = found.subdivision
        self.vertex_tags = np.concatenate([self.vertex_tags, np.full(added, -1, np.int64)])
        self._take(found.parent)
        if added and self.begun is not None and not columns.width:
            self._reconcile(values.values[-added:])
        return found.bits

    def _reconcile(self, fresh: np.ndarray) -> None:
        """Put the units of earlier portions where the cells around say, at the vertices that this portion made."""
        assert self.begun is not None
        assert self.folds is not None
        before = self.folds.among(self.begun.places)
        tables = (before.folding, before.shifts, before.thresholds)
        reconcile(self.subdivision.halves, self.begun.patterns, *tables, fresh)

    def activate(self, index: int, op: Activation) -> None:
        """Set the rows of an activation; they are computed when somebody reads them."""
        source = self.plan.network.nodes[index].inputs[0]
        last = self.plan.last_use[source] == index
        rows = self.rows[source] if last else GrowingRows(self.rows[source].values.copy())
        rows.activate(op)
        self.rows[index] = rows

    def merge_hidden(self, index: int, positions: np.ndarray) -> np.ndarray:
        """Merge cells that only hidden folds of a max node separate: see `splinescope.tessellation.sweep.State`."""
        assert self.tournament is not None
        subdivision, tournament = self.subdivision, self.tournament
        left, right = subdivision.face[0::2], subdivision.face[1::2]
        group = tournament.places(subdivision.edge_column)
        made = (subdivision.edge_op == index) & (group >= 0)
        edges = np.flatnonzero(made & (left != OUTSIDE) & (right != OUTSIDE))
        sides = np.stack([left[edges], right[edges]], axis=1)
        seen = visible(sides, group[edges], positions)
        first, second = (positions[sides[:, k], seen.units].astype(np.int64) for k in range(2))
        columns, hidden = subdivision.edge_column.copy(), np.zeros(subdivision.num_edges, bool)
        names = pair_columns(first, second, tournament.names[seen.units], tournament.total, tournament.size)
        columns[edges] = np.where(seen.hidden, columns[edges], names)
        hidden[edges] = seen.hidden
        self.subdivision = subdivision = replace(subdivision, edge_column=columns)
        if not hidden.any():
            return np.arange(subdivision.num_faces)
        coarser, cells, vertices = without_edges(subdivision, hidden)
        self.subdivision, kept = without_straight_vertices(coarser, self.vertex_tags[vertices])
        vertices = vertices[kept]
        self.rows = {node: GrowingRows(rows.values[vertices]) for node, rows in self.rows.items()}
        self.vertex_tags = self.vertex_tags[vertices]
        self._take(cells)
        return cells

    def _take(self, cells: np.ndarray) -> None:
        """Slices and patterns of the given cells, which are now all there are."""
        self.slices = self.slices[cells]
        self.codes = [codes.taken(cells) for codes in self.codes]
        if self.tournament is not None:
            self.tournament = self.tournament.taken(cells)
        if self.begun is not None:
            self.begun = self.begun.taken(cells)
