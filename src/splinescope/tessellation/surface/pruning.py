"""Which cells a level set may meet, before the network is known on them: bounds through its remaining nodes.

After some nodes of the network, those that later nodes still read are affine on each cell, and known by their values at
its vertices. From there on every unit is enclosed between two affine functions of position, see `Enclosure`. What is
rounded is covered by the margin of what is looked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Int

from splinescope.network.graph import Network
from splinescope.numerics import in_blocks
from splinescope.tessellation.enclosure import AffineBounds, Enclosure
from splinescope.tessellation.surface.targets import Cells, Sought

_CHUNK_NUMBERS = 1 << 15
"""Numbers that one array of a chunk of cells may hold: 256 KiB, so that a chunk stays in a processor's cache."""


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

    Cost: a forward pass through the remaining nodes at all vertices, and two at all corners of the cells that have only
    one sign at their vertices.

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
    cells, exact = Cells(cell_vertices, cell_offsets), dict(rows)
    outputs = _outputs_at_vertices(network, node, exact)[cell_vertices]
    kept = target.may_meet(outputs, outputs, cells)
    if network.output in exact:
        return kept
    relaxation = _Relaxation(network, node, exact, target)
    open_cells = np.flatnonzero(~kept)
    corners = len(cell_vertices) / max(1, len(kept))
    step = max(1, int(_CHUNK_NUMBERS / (max(n.size for n in network.nodes[node:]) * corners)))

    def block(start: int, stop: int) -> None:
        for low in range(start, stop, step):
            chosen = open_cells[low : min(low + step, stop)]
            kept[chosen] = relaxation.may_meet(cells.taken(chosen))

    if len(open_cells):
        in_blocks(block, len(open_cells), grain=step)
    return kept


def _outputs_at_vertices(network: Network, node: int, exact: dict[int, np.ndarray]) -> np.ndarray:
    """[V, n_out] outputs at the vertices.

    All nodes that are affine on the cells, those up to the next activations, are added to `exact`.
    """
    count = len(next(iter(exact.values())))
    known = set(exact)
    for index in range(node + 1, network.output + 1):
        later = network.nodes[index]
        if later.fold is None and known.issuperset(later.inputs):
            known.add(index)
            exact[index] = np.empty((count, later.size))
    fresh = known - {index for index in exact if index <= node}
    out = np.empty((count, network.nodes[network.output].size))

    def block(start: int, stop: int) -> None:
        values = {index: torch.from_numpy(exact[index][start:stop]) for index in known - fresh}
        for index in range(node + 1, network.output + 1):
            later = network.nodes[index]
            shaped = [values[i].reshape(stop - start, *network.nodes[i].shape) for i in later.inputs]
            values[index] = later.op.evaluate(*shaped)
            if index in fresh:
                torch.from_numpy(exact[index][start:stop]).copy_(values[index].reshape(stop - start, -1))
        torch.from_numpy(out[start:stop]).copy_(values[network.output].reshape(stop - start, -1))

    in_blocks(block, count, grain=256)
    return out


class _Relaxation:
    """The remaining nodes of a network, whose outputs are enclosed on some cells."""

    def __init__(self, network: Network, node: int, exact: dict[int, np.ndarray], target: Sought) -> None:
        rest = [index for index in range(node + 1, network.output + 1) if index not in exact]
        read = {source for index in rest for source in network.nodes[index].inputs}
        self._exact = {index: values for index, values in exact.items() if index in read}
        self._enclosure, self._output, self._target = Enclosure(network), network.output, target

    def may_meet(self, cells: Cells) -> np.ndarray:
        """The answer for some cells."""
        known = {}
        for index, values in self._exact.items():
            centre = torch.from_numpy(values[cells.vertices])
            none = centre.new_empty(len(centre), 0, centre.shape[1])
            known[index] = AffineBounds(centre, none, torch.zeros_like(centre), cells.offsets)
        low, high = self._enclosure.node(self._output, known).at_corners()
        return self._target.may_meet(low.numpy(), high.numpy(), cells)
