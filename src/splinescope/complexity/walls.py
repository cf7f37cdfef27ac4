r"""The walls of cells: for each unit the affine form that keeps it on its piece.

On a cell every unit $k$ has an affine argument, and the cell is where $g_k \cdot x + c_k \ge 0$ for all walls $k$, most
of them redundant. Forms are taken in the coordinates of a frame around a base point.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.complexity.branches import folds_before, pieces_at
from splinescope.complexity.metric import Frame
from splinescope.network.evaluate import walk
from splinescope.network.graph import Network, nodes_behind
from splinescope.network.ops import Activation, Maximum
from splinescope.tessellation.affine import FAR
from splinescope.tessellation.branch import CHUNK_BYTES

_NO_SLOPE = 1 / float(np.sqrt(FAR))
"""Slopes below this are what offsets leave far out, at units that are constant: offset / FAR."""


@dataclass(frozen=True, eq=False)
class NodeWalls:
    """Walls of one node's units, for a batch of branches.

    Attributes:
        node: The node.
        units: Flat index of the unit of each wall.
        margins: Value of each form at the base point, at least zero in the branch's own cell.
        gradients: Slopes of each form along the frame's directions.
        beyond: Piece of the unit behind each wall.
        present: Whether there is such a wall: the unit folds there.
    """

    node: int
    units: Int[np.ndarray, " walls"]
    margins: Float[np.ndarray, "batch walls"]
    gradients: Float[np.ndarray, "batch d walls"]
    beyond: Int[np.ndarray, "batch walls"]
    present: Bool[np.ndarray, "batch walls"]


@dataclass(frozen=True, eq=False)
class BranchForms:
    """All affine forms of a batch of branches.

    Attributes:
        walls: Walls of each node that folds.
        outputs: Outputs at the base point.
        slopes: Slopes of the outputs along the frame's directions.
    """

    walls: tuple[NodeWalls, ...]
    outputs: Float[np.ndarray, "batch n_out"]
    slopes: Float[np.ndarray, "batch d n_out"]


def pieces_of_points(network: Network, x: Float[Tensor, "batch ..."]) -> dict[int, Tensor]:
    """Piece on which each unit is at some inputs.

    Args:
        network: The network.
        x: [batch, *input_shape] inputs in float64.

    Returns:
        For each node that folds [batch, units] pieces.
    """
    sources = _arguments(network)
    values: dict[int, Tensor] = {}
    with torch.no_grad():
        for index, value in walk(network, x):
            values.update(dict.fromkeys(sources.get(index, ()), value))
    return pieces_at(network, values)


def branch_forms(
    network: Network, pieces: dict[int, Tensor], x: Float[Tensor, "batch ..."], frame: Frame
) -> BranchForms:
    """Affine forms of all units, and of the outputs, on the branches of some patterns.

    Args:
        network: The network.
        pieces: For each node that folds [batch, units] pieces.
        x: Base point of each branch, [batch, *input_shape], which need not lie in its cell.
        frame: Directions along which slopes are taken.

    Returns:
        The forms. Cost: one forward pass of d + 1 inputs for each branch.
    """
    return Branches(network, x, frame, remembered=0).forms(pieces)


class Branches:
    """Affine branches seen from fixed base points, with values that several patterns share kept.

    The value of a node depends on the pieces of the folds before it only, so that patterns which differ in late layers
    share those of early ones.

    Args:
        network: The network.
        x: Base points, [batch, *input_shape].
        frame: Directions along which slopes are taken.
        remembered: Bytes of values that are kept.
    """

    def __init__(self, network: Network, x: Float[Tensor, "batch ..."], frame: Frame, remembered: int) -> None:
        far = FAR * frame.directions
        self._network, self._rows = network, (len(x), frame.dimension + 1)
        self._batch = torch.cat([x[:, None], far.expand(len(x), *far.shape)], dim=1).reshape(-1, *x.shape[1:])
        self._sources = _arguments(network)
        self._used = _used(network)
        self._folds = {i: [*folds_before(network, i), *([i] if network.nodes[i].units else [])] for i in self._used}
        self._kept: OrderedDict[tuple[int, bytes], Tensor] = OrderedDict()
        self._most = self._free = remembered

    def forms(self, pieces: dict[int, Tensor]) -> BranchForms:
        """Forms of the branches of some patterns, one for each base point."""
        values = self._values(pieces)
        walls = []
        for source, folding in self._sources.items():
            forms = self._split(values[source])
            walls += [_walls(self._network, node, pieces[node].numpy(), forms) for node in folding]
        outputs = self._split(values[self._network.output])
        return BranchForms(tuple(sorted(walls, key=lambda wall: wall.node)), outputs[:, 0], outputs[:, 1:])

    def _split(self, value: Tensor) -> np.ndarray:
        """Values at the base points, and slopes."""
        forms = value.reshape(*self._rows, -1).numpy().copy()
        slopes = forms[:, 1:]
        slopes /= FAR
        slopes[np.abs(slopes) < _NO_SLOPE] = 0.0
        return forms

    def _values(self, pieces: dict[int, Tensor]) -> dict[int, Tensor]:
        values: dict[int, Tensor] = {}
        with torch.no_grad():
            for index in self._used:
                name = (index, b"".join(pieces[fold].numpy().tobytes() for fold in self._folds[index]))
                if name in self._kept:
                    self._kept.move_to_end(name)
                    values[index] = self._kept[name]
                else:
                    values[index] = self._evaluated(index, values, pieces)
                    self._keep(name, values[index])
        return values

    def _evaluated(self, index: int, values: dict[int, Tensor], pieces: dict[int, Tensor]) -> Tensor:
        node = self._network.nodes[index]
        if not node.inputs:
            return self._batch
        inputs = [values[source] for source in node.inputs]
        if isinstance(node.op, Activation):
            rows = inputs[0].reshape(*self._rows, -1)
            chosen = pieces[index].long()
            slopes, intercepts = (_of_pieces(table, chosen)[:, None] for table in (node.op.slopes, node.op.intercepts))
            return torch.addcmul(intercepts, slopes, rows).reshape(inputs[0].shape)
        if isinstance(node.op, Maximum):
            members = node.op.index[torch.arange(len(node.op.index)), pieces[index].long()]
            rows = inputs[0].reshape(*self._rows, -1)
            largest = rows.gather(2, members[:, None].expand(-1, self._rows[1], -1))
            return largest.reshape(len(inputs[0]), *node.shape)
        return node.op.evaluate(*inputs)

    def _keep(self, name: tuple[int, bytes], value: Tensor) -> None:
        size = value.numel() * value.element_size()
        if size > self._most:
            return
        self._kept[name] = value
        self._free -= size
        while self._free < 0:
            _, old = self._kept.popitem(last=False)
            self._free += old.numel() * old.element_size()


def _of_pieces(table: Tensor, pieces: Tensor) -> Tensor:
    """Entries of a table, shared or with a column for each unit, for the piece of each unit."""
    return table[pieces] if table.ndim == 1 else table.gather(0, pieces)


def in_chunks(network: Network, count: int, frame: Frame) -> Iterator[slice]:
    """Ranges of points whose forms fit in some 256 MiB.

    Args:
        network: The network.
        count: Number of points.
        frame: Directions along which slopes are taken.

    Yields:
        Slices.
    """
    numbers = 6 * (frame.dimension + 1) * max(node.size for node in network.nodes)
    step = max(1, CHUNK_BYTES // (8 * numbers))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _used(network: Network) -> list[int]:
    """Nodes up to the output: those on which it depends, and those that fold with all that they read."""
    folding = (index for index, node in enumerate(network.nodes[: network.output]) if node.units)
    return nodes_behind(network.nodes, (network.output, *folding))


def _arguments(network: Network) -> dict[int, tuple[int, ...]]:
    """Nodes that fold, by the node that they read."""
    sources: dict[int, tuple[int, ...]] = {}
    for index, node in enumerate(network.nodes[: network.output + 1]):
        if node.units:
            sources[node.inputs[0]] = (*sources.get(node.inputs[0], ()), index)
    return sources


def _walls(network: Network, node: int, pieces: np.ndarray, forms: np.ndarray) -> NodeWalls:
    op = network.nodes[node].op
    if isinstance(op, Maximum):
        return _walls_of_maximum(op, node, pieces, forms)
    assert isinstance(op, Activation)
    return _walls_of_activation(op, node, pieces, forms)


def _walls_of_activation(op: Activation, node: int, pieces: np.ndarray, forms: np.ndarray) -> NodeWalls:
    """At most two walls for each unit: the nearest breakpoints below and above at which the slope changes."""
    units = forms.shape[2]
    slopes, breakpoints = (
        np.broadcast_to(table.numpy().reshape(len(table), -1), (len(table), units))
        for table in (op.slopes, op.breakpoints)
    )
    kinks = slopes[1:] != slopes[:-1]
    below, above = _nearest_kinks(kinks)
    column = np.arange(units)
    sides = []
    for table, sign, step in ((below, 1.0, 0), (above, -1.0, 1)):
        at = table[pieces, column]
        present = (at >= 0) & (at < len(kinks))
        where = np.where(present, at, 0)
        margins = sign * (forms[:, 0] - breakpoints[where, column])
        sides.append((margins, sign * forms[:, 1:], where + step, present))
    if len(kinks) == 1:
        lower = sides[0][3]
        parts = [np.where(lower if a.ndim == 2 else lower[:, None], a, b) for a, b in zip(*sides, strict=True)]
        parts[3] = sides[0][3] | sides[1][3]
        return NodeWalls(node, column, parts[0], parts[1], parts[2], parts[3])
    margins, gradients, beyond, there = (np.concatenate(both, axis=-1) for both in zip(*sides, strict=True))
    return NodeWalls(node, np.concatenate([column, column]), margins, gradients, beyond, there)


def _nearest_kinks(kinks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each piece and unit the nearest breakpoint below and above at which the slope changes.

    Args:
        kinks: [B, units] whether the slope changes.

    Returns:
        [B + 1, units] twice; -1 and B where there is none.
    """
    count = len(kinks)
    below = np.full((count + 1, kinks.shape[1]), -1)
    above = np.full((count + 1, kinks.shape[1]), count)
    for b in range(count):
        below[b + 1] = np.where(kinks[b], b, below[b])
        above[count - 1 - b] = np.where(kinks[count - 1 - b], count - 1 - b, above[count - b])
    return below, above


def _walls_of_maximum(op: Maximum, node: int, pieces: np.ndarray, forms: np.ndarray) -> NodeWalls:
    """One wall for each member of each group: the largest member minus this one."""
    members = op.index.numpy()
    units, size = members.shape
    best = members[np.arange(units), pieces]
    batch = np.arange(len(forms))[:, None]
    largest = np.moveaxis(forms[batch, :, best], 2, 1)
    others = forms[:, :, np.maximum(members, 0).ravel()]
    rows = np.repeat(largest, size, axis=2) - others
    beyond = np.broadcast_to(np.tile(np.arange(size), units), (len(forms), units * size))
    present = (members.ravel() >= 0) & (beyond != np.repeat(pieces, size, axis=1))
    return NodeWalls(node, np.repeat(np.arange(units), size), rows[:, 0], rows[:, 1:], beyond, present)
