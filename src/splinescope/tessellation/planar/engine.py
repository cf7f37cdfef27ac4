"""The exact tessellation of a planar slice: op by op through the network, piece by piece through the domain."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import convex_polygon
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance, available_memory
from splinescope.profiling import spent
from splinescope.progress import remark, reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.assembly import FinishedPiece, join
from splinescope.tessellation.planar.borders import Borders, halves_of, part_of
from splinescope.tessellation.planar.centroids import centroids_and_areas
from splinescope.tessellation.planar.complex import PlanarComplex, build_complex
from splinescope.tessellation.planar.dissolve import without_straight_vertices
from splinescope.tessellation.planar.piece import PlanarPiece
from splinescope.tessellation.planar.placement import placed
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.rows import GrowingRows
from splinescope.tessellation.planar.store import PieceStore
from splinescope.tessellation.sweep import advance

_SMALLEST_PIECE = 32
"""Cells below which a piece is not split further, whatever the memory budget."""

_PATIENCE = 5.0
"""Seconds for comparisons with forward passes after an interruption: who pressed Ctrl-C is waiting."""


def tessellate_slice(
    network: ModelLike,
    domain: Slice,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
) -> PlanarComplex:
    """The cells of a network in a planar slice; arguments, results and errors are those of `tessellate`.

    Args:
        network: The network, or a module or file of one.
        domain: A slice of two dimensions.
        verify: Level of the certificate.
        max_cells: Stop refining at so many cells.
        memory_budget: Bytes for the cells under way with the values at their vertices.
        store: Folder for finished parts.
        tolerance: What counts as zero.
        progress: Progress bar, or a function of (share done, cells found).

    Returns:
        The complex, with its certificate.
    """
    asked = question(network, domain, verify, max_cells, memory_budget)
    network, domain = asked.network, asked.domain
    if not isinstance(domain, Slice) or domain.dimension != 2:
        raise InvalidInputError(f"`domain`: got {type(domain).__name__}; expected a Slice of two dimensions")
    budget = memory_budget or available_memory() // 4
    with spent("planning"):
        plan = Plan.of(network, domain, tolerance or Tolerance(), max_cells, budget)
    run = _Run(plan, domain, max_cells, budget)
    run.store = PieceStore(store)
    with run.store:
        with reporting(progress, phase="cutting") as report:
            run.report, run.watched = report, bool(progress)
            complete = run.through_network()
        if run.interrupted:
            kept = f"the {run.store.cells:,} finished cells, {run.done:.1%} of the area,"
            remark(progress, f"interrupted: {kept} are kept; they are checked and written now")
        with spent("assembling"):
            finished = join(run.store.pieces(), run.borders.ends, partial=not complete)
    signs = (plan.tally.signs, plan.tally.exact)
    with spent("assembling"):
        straightened = _straightened(finished, network)
    with spent("placing"):
        exact = placed(straightened, plan)
    with spent("assembling"):
        cells = build_complex(exact, network, domain, tolerance or Tolerance(), not complete, signs)
    return certified(cells, verify, progress, _PATIENCE if run.interrupted else math.inf)


def cells_and_crossings(plan: Plan) -> tuple[int, int]:
    """Number of cells of a plan's domain, and how often folds meet its border; only counted, not checked.

    Args:
        plan: The plan. With `max_cells`, work ends there.

    Returns:
        Both.
    """
    run = _Run(plan, plan.domain, plan.max_cells, plan.memory_budget)
    run.through_network()
    pieces = run.store.pieces()
    outer = sum(int((piece.subdivision.face.reshape(-1, 2) == OUTSIDE).any(axis=1).sum()) for piece in pieces)
    shared = sum(int((piece.subdivision.edge_tag >= 0).sum()) for piece in pieces)
    return run.store.cells, max(0, outer - shared - len(plan.domain.polygon))


@dataclass
class _Run:
    """State of one tessellation."""

    plan: Plan
    domain: Slice
    max_cells: int | None
    memory_budget: int
    borders: Borders = field(default_factory=Borders)
    store: PieceStore = field(default_factory=PieceStore)
    report: Callable[[float, int], None] = lambda share, cells: None
    watched: bool = False
    shown: float = 0.0
    found: int = 0
    dropped: bool = False
    interrupted: bool = False
    done: float = 0.0

    def through_network(self) -> bool:
        """Take every piece through the network, depth first; whether nothing was left out."""
        waiting = [self._first_piece()]
        try:
            while waiting:
                piece = waiting.pop()
                while piece.position < len(self.plan.network.nodes):
                    if self._too_large(piece):
                        waiting.extend(halves_of(piece, self.borders))
                        break
                    advance(piece, self.plan.network, self.plan.last_use)
                    piece = self._within_cell_budget(piece, waiting)
                    self._report([*waiting, piece])
                else:
                    self._finish(piece)
        except KeyboardInterrupt:
            if not len(self.store):
                raise
            self.interrupted = True
            return False
        return not self.dropped

    def _first_piece(self) -> PlanarPiece:
        polygon = convex_polygon(self.domain.polygon)
        inputs = self.domain.embed(self.domain.polygon).reshape(len(self.domain.polygon), -1)
        tags = np.full(len(inputs), -1, np.int64)
        return PlanarPiece(self.plan, polygon, tags, {0: GrowingRows(inputs)})

    def _too_large(self, piece: PlanarPiece) -> bool:
        """Whether the next node may need more memory than the budget, or parts should be finished before others."""
        if piece.num_cells < 2 * _SMALLEST_PIECE:
            return False
        columns = int(np.prod(self.plan.network.nodes[piece.position].shape, dtype=np.int64))
        memory = 2 * (piece.nbytes + 8 * columns * piece.subdivision.num_vertices)
        return memory > self.memory_budget or piece.num_cells > self.plan.work.cells_at(piece.position)

    def _within_cell_budget(self, piece: PlanarPiece, waiting: list[PlanarPiece]) -> PlanarPiece:
        """The piece without the cells, farthest from the domain's centre, that exceed the budget."""
        if self.max_cells is None:
            return piece
        elsewhere = self.store.cells + sum(other.subdivision.num_faces for other in waiting)
        allowed = max(1, self.max_cells - elsewhere)
        if piece.subdivision.num_faces <= allowed:
            return piece
        centroids, _ = centroids_and_areas(piece.subdivision)
        distance = np.sum((centroids - self.plan.centre) ** 2, axis=1)
        self.dropped = True
        return part_of(piece, np.sort(np.argsort(distance, kind="stable")[:allowed]))

    def _finish(self, piece: PlanarPiece) -> None:
        outputs = np.array(piece.rows[self.plan.network.output].values)
        self.store.add(FinishedPiece(piece.subdivision, piece.vertex_tags, outputs, piece.codes))
        self.done += self._share(piece)
        self._report([])

    def _share(self, piece: PlanarPiece) -> float:
        """Share of the domain that a piece covers."""
        if not self.borders:
            return 1.0
        return float(centroids_and_areas(piece.subdivision)[1].sum()) / self.domain.area

    def _report(self, pieces: list[PlanarPiece]) -> None:
        """Say how much area is finished, counting parts under way by the nodes that they have passed; never less."""
        if self.watched:  # areas take a look at all cells
            way = sum(self._share(piece) * piece.way for piece in pieces)
            self.shown = max(self.shown, min(1.0, self.done + way))
            self.found = max(self.found, self.store.cells + sum(piece.num_cells for piece in pieces))
            self.report(self.shown, self.found)


def _straightened(finished: FinishedPiece, network: Network) -> FinishedPiece:
    """Without the vertices that hidden folds of max nodes left on edges."""
    if all(op.elementwise for op in network.folds.values()):
        return finished
    none = np.full(len(finished.vertex_tags), -1, np.int64)
    subdivision, vertices = without_straight_vertices(finished.subdivision, none)
    if len(vertices) == len(finished.vertex_tags):
        return finished
    return FinishedPiece(subdivision, finished.vertex_tags[vertices], finished.outputs[vertices], finished.codes)
