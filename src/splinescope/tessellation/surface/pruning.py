r"""Which cells a level set may meet, before the network is known on them: linear bounds through its remaining nodes.

After some nodes of the network, those that later nodes still read are affine on each cell. From there on, every unit is
enclosed on the cell between two affine functions of position, $c - r \le z \le c + r$ with $r \ge 0$, as in linear
relaxation for verification (Weng et al., arXiv 1804.09699; Zhang et al., arXiv 1811.00866; Singh et al., POPL 2019).
An affine function on a convex cell is known by its values at the vertices, and so are its least and largest value; so
$c$ and $r$ are kept as their values at the vertices of each cell, and no coordinates are needed. An affine op takes $c$
to $W c + b$ and $r$ to $|W| r$. An activation whose argument stays on one piece is exact; any other is enclosed between
two lines on the range of its argument. The bounds are sound for exact arithmetic; rounding is covered by a margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int

from splinescope.geometry.enclosures import enclose_maxima, enclose_pieces
from splinescope.network.graph import Network, Node
from splinescope.network.ops import Activation, Affine, Fold, Maximum, Sum
from splinescope.numerics import in_blocks
from splinescope.tessellation.surface.targets import Cells, Target

_CHUNK_NUMBERS = 1 << 15
"""Numbers that one array of a chunk of cells may hold: 256 KiB, so that a chunk stays in a processor's cache."""


@dataclass(frozen=True)
class Band:
    """Affine lower and upper bounds of a node on some cells: `centre` minus and plus `radius`.

    Attributes:
        centre: [C, n] values at the corners of the cells, cell after cell.
        radius: [C, n] values, not negative; None where the centre is exact.
    """

    centre: np.ndarray
    radius: np.ndarray | None


def keeper(network: Network, target: Target) -> Callable[..., np.ndarray]:
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
    target: Target,
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
        if not isinstance(later.op, Fold) and known.issuperset(later.inputs):
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
    """The remaining nodes of a network, as maps of bands."""

    def __init__(self, network: Network, node: int, exact: dict[int, np.ndarray], target: Target) -> None:
        self._network, self._exact, self._target = network, exact, target
        self._rest = [index for index in range(node + 1, network.output + 1) if index not in exact]
        self._last = {source: index for index in self._rest for source in network.nodes[index].inputs}
        self._tables = {i: _tables(network.nodes[i]) for i in self._rest if isinstance(network.nodes[i].op, Activation)}
        self._offsets = {i: self._offset(i) for i in self._rest if isinstance(network.nodes[i].op, Affine)}

    def _offset(self, index: int) -> torch.Tensor:
        """The constant part of `Affine.magnitude`."""
        op, shape = self._network.nodes[index].op, self._network.nodes[self._network.nodes[index].inputs[0]].shape
        assert isinstance(op, Affine)
        return op.magnitude(torch.zeros(1, *shape, dtype=torch.float64))

    def may_meet(self, cells: Cells) -> np.ndarray:
        """The answer for some cells."""
        bands: dict[int, Band] = {}
        for index in self._rest:
            inputs = self._network.nodes[index].inputs
            bands[index] = self._through(index, [self._band(i, bands, cells) for i in inputs], cells.offsets)
            for source in inputs:
                if self._last[source] == index:
                    bands.pop(source, None)
        band = bands[self._network.output]
        radius = np.zeros_like(band.centre) if band.radius is None else band.radius
        return self._target.may_meet(band.centre - radius, band.centre + radius, cells)

    def _band(self, index: int, bands: dict[int, Band], cells: Cells) -> Band:
        return bands[index] if index in bands else Band(self._exact[index][cells.vertices], None)

    def _through(self, index: int, inputs: list[Band], offsets: np.ndarray) -> Band:
        """The band of a node from those of the nodes that it reads."""
        op = self._network.nodes[index].op
        if isinstance(op, Activation):
            return _activated(self._tables[index], inputs[0], offsets)
        if isinstance(op, Maximum):
            return _largest(op, inputs[0], offsets)
        centre = self._evaluated(index, [band.centre for band in inputs])
        if all(band.radius is None for band in inputs):
            return Band(centre, None)
        radii = [np.zeros_like(band.centre) if band.radius is None else band.radius for band in inputs]
        if isinstance(op, Affine):
            shape = self._network.nodes[self._network.nodes[index].inputs[0]].shape
            spread = op.magnitude(torch.from_numpy(radii[0]).reshape(-1, *shape)) - self._offsets[index]
            return Band(centre, spread.clamp_(min=0.0).reshape(len(centre), -1).numpy())
        if isinstance(op, Sum):
            return Band(centre, np.sum([abs(c) * r for c, r in zip(op.coefficients, radii, strict=True)], axis=0))
        return Band(centre, self._evaluated(index, radii))

    def _evaluated(self, index: int, inputs: list[np.ndarray]) -> np.ndarray:
        """[C, n] value of a node's op."""
        node = self._network.nodes[index]
        shapes = [self._network.nodes[source].shape for source in node.inputs]
        shaped = [torch.from_numpy(x).reshape(-1, *shape) for x, shape in zip(inputs, shapes, strict=True)]
        return node.op.evaluate(*shaped).reshape(len(inputs[0]), -1).numpy()


def _tables(node: Node) -> tuple[np.ndarray, ...]:
    """Breakpoints, slopes and intercepts of an activation, each as [pieces, units]."""
    op = node.op
    assert isinstance(op, Activation)
    tables = [table.numpy().reshape(len(table), -1) for table in (op.breakpoints, op.slopes, op.intercepts)]
    return tuple(np.ascontiguousarray(np.broadcast_to(table, (len(table), node.size))) for table in tables)


def _activated(tables: tuple[np.ndarray, ...], band: Band, offsets: np.ndarray) -> Band:
    """An elementwise activation."""
    centre = band.centre.copy()
    radius = np.zeros_like(centre) if band.radius is None else band.radius.copy()
    enclose_pieces(0, len(offsets) - 1, offsets, *tables, centre, radius)
    return Band(centre, radius)


def _largest(op: Maximum, band: Band, offsets: np.ndarray) -> Band:
    """Maxima of groups."""
    radius = np.zeros_like(band.centre) if band.radius is None else band.radius
    out = np.empty((len(band.centre), len(op.index)))
    spread = np.empty_like(out)
    enclose_maxima(0, len(offsets) - 1, offsets, op.index.numpy(), band.centre, radius, out, spread)
    return Band(out, spread)
