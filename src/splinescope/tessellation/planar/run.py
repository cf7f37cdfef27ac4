"""Take planar slices through a network, piece by piece and depth first, so that memory stays bounded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision, convex_polygons
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.part_store import PartStore
from splinescope.tessellation.planar.assembly import FinishedPiece, join
from splinescope.tessellation.planar.borders import Borders, halves_of, part_of
from splinescope.tessellation.planar.centroids import centroids_and_areas
from splinescope.tessellation.planar.piece import PlanarPiece
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.rows import GrowingRows
from splinescope.tessellation.sweep import advance

_SMALLEST_PIECE = 32
"""Cells below which a piece is not split further, whatever the memory budget."""


def piece_store(folder: str | os.PathLike[str] | None = None) -> PartStore[FinishedPiece]:
    """Where finished pieces go: see `PartStore`."""
    return PartStore((FinishedPiece, Subdivision, NodeCodes), folder)


@dataclass
class PlanarRun:
    """State of one tessellation of the slices of a plan.

    Attributes:
        plan: The plan.
        store: Where finished pieces go.
        report: Called with the share done and the number of cells.
        watched: Whether anybody looks at that.
        interrupted: Whether somebody pressed Ctrl-C.
        dropped: Slices of which cells were left out.
        done: Share of the slices that is finished, counted by area.
    """

    plan: Plan
    store: PartStore[FinishedPiece] = field(default_factory=lambda: piece_store())
    report: Callable[[float, int], None] = lambda share, cells: None
    watched: bool = False
    interrupted: bool = False
    dropped: set[int] = field(default_factory=set)
    done: float = 0.0
    _borders: Borders = field(default_factory=Borders)
    _kept: Counter[int] = field(default_factory=Counter)
    _shown: float = 0.0
    _found: int = 0

    def through_network(self) -> None:
        """Take every piece through the network, depth first."""
        waiting = self._first_pieces()
        try:
            while waiting:
                piece = waiting.pop()
                while piece.position < len(self.plan.network.nodes):
                    if self._too_large(piece):
                        waiting.extend(halves_of(piece, self._borders))
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

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return not (self.interrupted or self.dropped)

    def joined(self) -> FinishedPiece:
        """All that is finished, as one piece."""
        return join(self.store.parts(), self._borders.ends, partial=not self.complete)

    def crossings(self) -> int:
        """How often folds meet the border of the slices."""
        pieces = self.store.parts()
        outer = sum(int((piece.subdivision.face.reshape(-1, 2) == OUTSIDE).any(axis=1).sum()) for piece in pieces)
        shared = sum(int((piece.subdivision.edge_tag >= 0).sum()) for piece in pieces)
        return max(0, outer - shared - len(self.plan.slices.corners))

    def _first_pieces(self) -> list[PlanarPiece]:
        """The slices as they are: all in one piece, or each in one where cells are counted for each."""
        slices = self.plan.slices
        inputs = slices.embed(slices.corners).reshape(len(slices.corners), -1)
        polygons = convex_polygons(slices.corners[:, 1:], slices.offsets)
        tags = np.full(len(inputs), -1, np.int64)
        numbers = np.arange(len(slices), dtype=np.int32)
        whole = PlanarPiece(self.plan, polygons, tags, {0: GrowingRows(inputs)}, numbers)
        if self.plan.max_cells is None or len(slices) == 1:
            return [whole]
        return [part_of(whole, numbers[[number]]) for number in reversed(range(len(slices)))]

    def _too_large(self, piece: PlanarPiece) -> bool:
        """Whether the next node may need more memory than the budget, or parts should be finished before others."""
        if piece.num_cells < 2 * _SMALLEST_PIECE:
            return False
        columns = self.plan.network.nodes[piece.position].size
        memory = 2 * (piece.nbytes + 8 * columns * piece.subdivision.num_vertices)
        return memory > self.plan.memory_budget or piece.num_cells > self.plan.together(piece.position)

    def _within_cell_budget(self, piece: PlanarPiece, waiting: list[PlanarPiece]) -> PlanarPiece:
        """The piece, of one slice, without the cells, farthest from the slice's centre, that exceed the budget."""
        if self.plan.max_cells is None:
            return piece
        number = int(piece.slices[0])
        others = (other.num_cells for other in takewhile(lambda other: other.slices[0] == number, reversed(waiting)))
        allowed = max(1, self.plan.max_cells - self._kept[number] - sum(others))
        if piece.num_cells <= allowed:
            return piece
        centroids, _ = centroids_and_areas(piece.subdivision)
        distance = np.sum((centroids - self.plan.slices.centre(number)) ** 2, axis=1)
        self.dropped.add(number)
        return part_of(piece, np.sort(np.argsort(distance, kind="stable")[:allowed]))

    def _finish(self, piece: PlanarPiece) -> None:
        outputs = np.array(piece.rows[self.plan.network.output].values)
        self.store.add(FinishedPiece(piece.subdivision, piece.vertex_tags, outputs, piece.codes, piece.slices))
        if self.plan.max_cells is not None:
            self._kept[int(piece.slices[0])] += piece.num_cells
        self.done += self._share(piece)
        self._report([])

    def _share(self, piece: PlanarPiece) -> float:
        """Share of the slices that a piece covers, counted by area."""
        slices = self.plan.slices
        if not self._borders and len(slices) == 1:
            return 1.0
        areas = centroids_and_areas(piece.subdivision)[1]
        return float(np.sum(areas / slices.areas[piece.slices])) / len(slices)

    def _report(self, pieces: list[PlanarPiece]) -> None:
        """Say how much area is finished, counting parts under way by the nodes that they have passed; never less."""
        if self.watched:  # areas take a look at all cells
            way = sum(self._share(piece) * piece.way for piece in pieces)
            self._shown = max(self._shown, min(1.0, self.done + way))
            self._found = max(self._found, self.store.cells + sum(piece.num_cells for piece in pieces))
            self.report(self._shown, self._found)
