"""Take a polytope through a network, part by part and depth first, so that memory stays bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from splinescope.geometry.curves import z_order
from splinescope.geometry.lattice.gluing import FinishedLattice, glued
from splinescope.geometry.lattice.polytopes import taken_lists
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.numerics import give_back_memory
from splinescope.tessellation.codes import NodeCodes, merged
from splinescope.tessellation.part_store import PartStore
from splinescope.tessellation.spatial.complex import cell_means
from splinescope.tessellation.spatial.state import SpatialState
from splinescope.tessellation.sweep import advance

Keep = Callable[[int, dict[int, np.ndarray], np.ndarray, np.ndarray], np.ndarray]
"""A function of (node, rows of the live nodes at the vertices, cell_vertices, cell_offsets): which cells to keep. Cells
come in an order in which neighbours, which share vertices, are near one another."""


@dataclass(frozen=True)
class FinishedPart:
    """A part of a domain that has passed the whole network.

    Attributes:
        lattice: Its faces.
        outputs: [V, n_out] outputs of the network at the vertices.
        codes: Patterns of its cells.
    """

    lattice: FinishedLattice
    outputs: np.ndarray
    codes: list[NodeCodes]

    @property
    def num_cells(self) -> int:
        """Number of its cells."""
        return self.lattice.counts[-1]


def part_store(folder: str | os.PathLike[str] | None = None) -> PartStore[FinishedPart]:
    """Where finished parts go: see `PartStore`."""
    return PartStore((FinishedPart, FinishedLattice, NodeCodes), folder)


@dataclass
class SpatialRun:
    """State of one tessellation.

    Attributes:
        network: The network.
        keep: Asked after every activation which cells are of interest, or None.
        store: Where finished parts go.
        partial: Called where cells are missing that `keep` did not drop; without it, nobody could tell, and what is
            finished is not kept when somebody interrupts work with `keep`.
        report: Called with the share done and the number of cells.
        interrupted: Whether somebody pressed Ctrl-C.
        dropped: Whether cells were left out.
        done: Share of the domain that is finished.
        signs: Number of signs taken.
        exact: How many of them were decided in exact arithmetic.
    """

    network: Network
    keep: Keep | None = None
    store: PartStore[FinishedPart] = field(default_factory=part_store)
    partial: Callable[[], None] | None = None
    report: Callable[[float, int], None] = lambda share, cells: None
    interrupted: bool = False
    dropped: bool = False
    done: float = 0.0
    signs: int = 0
    exact: int = 0
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    _shown: float = 0.0

    def through_network(self, waiting: list[SpatialState]) -> None:
        """Take states through the network, depth first; nobody else should hold them, so that they are freed."""
        last_use = last_uses(self.network)
        try:
            while waiting:
                state = waiting.pop()
                state.watch = self._watching(state, waiting)
                while state.position < len(self.network.nodes):
                    if state.too_large:
                        self._count(state)
                        waiting.extend(state.halves(self._rng))
                        break
                    self._advance(state, last_use)
                    state.watch(state.num_cells)
                else:
                    self._finish(state)
                state.watch = None  # it refers to the state, which is freed at once without
        except KeyboardInterrupt:
            if not len(self.store) or (self.keep is not None and self.partial is None):
                raise
            self.interrupted = True
            if self.partial is not None:
                self.partial()

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return not (self.interrupted or self.dropped)

    def joined(self) -> FinishedPart:
        """All that is finished, as one part; the store is empty then."""
        parts = self.store.emptied()
        if len(parts) == 1:
            return parts[0]
        give_back_memory()
        codes = [merged([part.codes.pop(0) for part in parts]) for _ in range(len(parts[0].codes))]
        outputs = np.concatenate([part.outputs for part in parts])
        lattices = [part.lattice for part in parts]
        parts.clear()
        lattice, vertices = glued(lattices, partial=not self.complete)
        outputs = outputs[vertices]
        give_back_memory()
        return FinishedPart(lattice, outputs, codes)

    def _advance(self, state: SpatialState, last_use: tuple[int, ...]) -> None:
        """The next node, or a portion of it; then leave out cells that are not wanted, or that there is no room for."""
        before = state.position
        advance(state, self.network, last_use)
        state.keep_within_budgets()
        done = state.position > before and self.network.nodes[before].units and before != self.network.output
        if self.keep is not None and done:
            offsets, items = state.cell_vertices()
            order = z_order(cell_means(state.lattice.points, items, offsets))
            offsets, items = taken_lists(offsets, items, order)
            state.restrict(np.sort(order[self.keep(before, state.rows, items, offsets)]))

    def _finish(self, state: SpatialState) -> None:
        self._count(state)
        outputs = np.array(state.rows[self.network.output][: state.lattice.num_vertices])
        self.store.add(FinishedPart(FinishedLattice.of(state.lattice), outputs, list(state.codes)))
        self.dropped |= state.truncated
        self.done += state.share
        self._show(self.done, self.store.cells)

    def _count(self, state: SpatialState) -> None:
        self.signs += state.signs
        self.exact += state.judge.decided

    def _watching(self, state: SpatialState, waiting: list[SpatialState]) -> Callable[[int], None]:
        """What says how far it is, counting parts under way by the nodes that they have passed."""
        nodes = len(self.network.nodes)
        others = sum(part.share * part.position for part in waiting) / nodes
        cells_of_others = sum(part.num_cells for part in waiting)

        def watch(cells: int) -> None:
            way = self.done + others + state.share * state.position / nodes
            self._show(way, self.store.cells + cells_of_others + cells)

        return watch

    def _show(self, share: float, cells: int) -> None:
        """Say how much is done, never less than before."""
        self._shown = max(self._shown, min(1.0, share))
        self.report(self._shown, cells)
