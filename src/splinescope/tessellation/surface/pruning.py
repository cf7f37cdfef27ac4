"""Which cells a level set may meet, before the network is known on them: bounds through its remaining nodes.

After some nodes of the network, those that later nodes still read are affine on each cell, and known by their values at
its vertices. From there on a forward pass at the vertices says where both signs are; where there is one, bounds say
whether it is that of the whole cell: first `Gaps`, which are cheap, then an `Enclosure`, by which every unit is between
two affine functions of position. A cell that either rules out is dropped. What is rounded is covered by the margin of
what is looked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Int

from splinescope.geometry.gaps import number_consecutively
from splinescope.network.graph import Network
from splinescope.numerics import in_blocks
from splinescope.tessellation.enclosure import AffineBounds, Enclosure, Gaps
from splinescope.tessellation.surface.targets import Cells, Sought

_VALUES = 1 << 20
"""Numbers that the forward pass at the vertices of some cells holds at once: 8 MiB."""
_ENCLOSED = 1 << 17
"""Numbers of one array of enclosures: a MiB, so that it stays in a processor's cache."""
_TIGHTER = 0.35
"""Share of gaps to which an enclosure comes at best, nearly always: what this does not rule out is kept untried."""
_FEW = 1 << 11
"""Cells up to which everything is tried."""


def keeper(network: Network, target: Sought) -> Callable[..., np.ndarray]:
    """The function by which an engine asks, after each activation, which cells are of interest.

    Args:
        network: The network.
        target: What is looked for.

    Returns:
        A function of (node, rows of the live nodes at the vertices, cell_vertices, cell_offsets) with the answers of
        `may_meet`, but for one cell that is kept in any case.
    """

    def keep(node: int, rows: dict[int, np.ndarray], cell_vertices: np.ndarray, cell_offsets: np.ndarray) -> np.ndarray:
        kept = may_meet(network, node, rows, cell_vertices, cell_offsets, target)
        kept[0] |= not kept.any()
        return kept

    return keep


def may_meet(
    network: Network,
    node: int,
    rows: dict[int, np.ndarray],
    cell_vertices: Int[np.ndarray, " corners"],
    cell_offsets: Int[np.ndarray, " cells_plus_one"],
    target: Sought,
) -> Bool[np.ndarray, " cells"]:
    """Cells on which a level may be taken; on the others it is certainly not.

    Cost: a forward pass through the remaining nodes at all vertices, two for each cell that has only one sign at its
    vertices (see `Gaps`), and two at all corners of those that this leaves open (see `Enclosure`).

    Args:
        network: The network.
        node: The last node that the cells know: up to it, every node is affine on each cell.
        rows: [V, n] values at the vertices of every node up to this one that a later one reads.
        cell_vertices: Vertices of the cells, cell after cell.
        cell_offsets: Start of each cell.
        target: What is looked for.

    Returns:
        True for every cell on which the level is taken, and for some others.
    """
    cells = Cells(cell_vertices, cell_offsets)
    kept = np.empty(len(cell_offsets) - 1, bool)
    search = _Search(network, node, rows, target, _TIGHTER if len(kept) > _FEW else 0.0)

    def block(start: int, stop: int) -> None:
        numbers = np.full(len(rows[min(rows)]), -1, np.int32)
        for low in range(start, stop, search.step):
            chosen = np.arange(low, min(low + search.step, stop))
            kept[chosen] = search.may_meet(cells.taken(chosen), numbers)

    in_blocks(block, len(kept), grain=search.step)
    return kept


class _Search:
    """The remaining nodes of a network on some cells.

    Args:
        network: The network.
        node: The last node that the cells know.
        rows: [V, n] values at the vertices of every node up to this one that a later one reads.
        target: What is looked for.
        tighter: Share of gaps to which an enclosure has to come, at best, to be tried.

    Attributes:
        step: Number of cells to look at together.
    """

    def __init__(
        self, network: Network, node: int, rows: dict[int, np.ndarray], target: Sought, tighter: float
    ) -> None:
        self._network, self._node, self._target, self._tighter = network, node, target, tighter
        self._rows = {index: torch.from_numpy(values) for index, values in rows.items()}
        exact = set(rows)
        for index in range(node + 1, network.output + 1):
            later = network.nodes[index]
            if later.fold is None and exact.issuperset(later.inputs):
                exact.add(index)
        later_nodes = range(node + 1, network.output + 1)
        rest = [index for index in later_nodes if index not in exact]
        read = {source for index in rest for source in network.nodes[index].inputs}
        self._exact, self._enclosure = sorted(exact & read), Enclosure(network)
        activations = all(network.folds[i].elementwise for i in rest if i in network.folds)
        self._gaps = Gaps(network, rest) if rest and activations else None
        self._widest = max(network.nodes[index].size for index in [node, *later_nodes])
        self.step = max(1, _VALUES // sum(network.nodes[index].size for index in [*rows, *later_nodes]))

    def may_meet(self, cells: Cells, numbers: np.ndarray) -> np.ndarray:
        """The answer for some cells; `numbers` is -1 for all vertices."""
        local, first = np.empty_like(cells.vertices), np.empty_like(cells.vertices)
        count = number_consecutively(cells.vertices, numbers, local, first)
        cells, values = Cells(local, cells.offsets), self._values(first[:count])
        outputs = values[self._network.output].numpy()[local]
        kept = self._target.may_meet(outputs, outputs, cells)
        if not self._exact:
            return kept
        left = np.flatnonzero(~kept)
        if self._gaps is not None and len(left):
            open_still, in_reach = self._by_gaps(self._gaps, cells.taken(left), values)
            kept[left[open_still & ~in_reach]] = True
            left = left[open_still & in_reach]
        step = max(1, int(_ENCLOSED * len(kept) / (self._widest * len(local))))
        for start in range(0, len(left), step):
            chosen = left[start : start + step]
            kept[chosen] = self._by_enclosures(cells.taken(chosen), values)
        return kept

    def _values(self, vertices: np.ndarray) -> dict[int, torch.Tensor]:
        """Rows of all nodes from here on at some vertices."""
        nodes, count = self._network.nodes, len(vertices)
        values = {index: rows[vertices] for index, rows in self._rows.items()}
        with torch.no_grad():
            for index in range(self._node + 1, self._network.output + 1):
                node = nodes[index]
                shaped = [values[source].reshape(count, *nodes[source].shape) for source in node.inputs]
                values[index] = node.op.evaluate(*shaped).reshape(count, -1)
        return values

    def _by_gaps(self, gaps: Gaps, cells: Cells, values: dict[int, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Which cells gaps leave open, and which of them would be ruled out by ones a few times smaller."""
        down, up = gaps.of_output(values, cells.vertices, cells.offsets)
        outputs = values[self._network.output].numpy()[cells.vertices]
        sizes = np.diff(cells.offsets)
        open_by = []
        for share in (1.0, self._tighter):
            low = outputs - np.repeat(share * down, sizes, axis=0)
            high = outputs + np.repeat(share * up, sizes, axis=0)
            low, high = np.nan_to_num(low, nan=-np.inf, neginf=-np.inf), np.nan_to_num(high, nan=np.inf, posinf=np.inf)
            open_by.append(self._target.may_meet(low, high, cells))
        return open_by[0], ~open_by[1]

    def _by_enclosures(self, cells: Cells, values: dict[int, torch.Tensor]) -> np.ndarray:
        """What enclosures say of some cells."""
        known = {}
        for index in self._exact:
            centre = values[index][cells.vertices]
            none = centre.new_empty(len(centre), 0, centre.shape[1])
            known[index] = AffineBounds(centre, none, torch.zeros_like(centre), cells.offsets)
        low, high = self._enclosure.node(self._network.output, known).at_corners()
        return self._target.may_meet(low.numpy(), high.numpy(), cells)
