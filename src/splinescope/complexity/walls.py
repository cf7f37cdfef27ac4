r"""The walls of cells: for each unit the affine form that keeps it on its piece.

On a cell every unit $k$ has an affine argument, and the cell is where $g_k \cdot x + c_k \ge 0$ for all walls $k$, most
of them redundant. Forms are taken in the coordinates of a frame around a base point.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.complexity.branches import folds_before
from splinescope.complexity.metric import Frame
from splinescope.network.graph import Network, nodes_behind
from splinescope.network.ops.base import flat
from splinescope.tessellation.branches.walk import (
    CHUNK_BYTES,
    FAR,
    readers_of,
    slopes_on,
    value_on,
)


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


class _Pair(NamedTuple):
    """Value [batch, *shape] and slopes [batch or 1, d, *shape], times `FAR`, of a node."""

    value: Tensor
    slopes: Tensor

    @property
    def flat_slopes(self) -> Tensor:
        """[batch or 1, d, numbers] the slopes."""
        return self.slopes.reshape(*self.slopes.shape[:2], math.prod(self.slopes.shape[2:]))

    @property
    def size(self) -> int:
        """Bytes that both take."""
        return self.value.nbytes + self.slopes.nbytes


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
        self._network, self._base, self._directions = network, x, FAR * frame.directions[None]
        self._walls = {i: fold.cell_walls(network.nodes[i].size) for i, fold in network.folds.items()}
        self._used = _used(network)
        self._folds = {i: [*folds_before(network, i), *([i] if network.nodes[i].units else [])] for i in self._used}
        self._kept: OrderedDict[tuple[int, bytes], _Pair] = OrderedDict()
        self._most = self._free = remembered

    @torch.no_grad()
    def forms(self, pieces: dict[int, Tensor]) -> BranchForms:
        """Forms of the branches of some patterns, one for each base point."""
        found = self._found(pieces)
        readers = readers_of(self._network).items()
        walls = [self._node_walls(node, pieces[node], found[source]) for source, nodes in readers for node in nodes]
        output = found[self._network.output]
        slopes = (output.flat_slopes / FAR).expand(len(self._base), -1, -1)
        return BranchForms(tuple(sorted(walls, key=lambda wall: wall.node)), flat(output.value).numpy(), slopes.numpy())

    def _node_walls(self, node: int, pieces: Tensor, source: _Pair) -> NodeWalls:
        walls = self._walls[node]
        margins = -walls.values(pieces, flat(source.value)).numpy()
        gradients = walls.slopes(pieces, source.flat_slopes, -1 / FAR).numpy()
        beyond = walls.beyond(pieces.numpy()[:, walls.owners], np.arange(len(walls)))
        return NodeWalls(node, walls.owners, margins, gradients, beyond, margins < np.inf)

    def _found(self, pieces: dict[int, Tensor]) -> dict[int, _Pair]:
        found: dict[int, _Pair] = {}
        for index in self._used:
            name = (index, b"".join(pieces[fold].numpy().tobytes() for fold in self._folds[index]))
            if name in self._kept:
                self._kept.move_to_end(name)
                found[index] = self._kept[name]
            else:
                found[index] = self._evaluated(index, found, pieces.get(index))
                self._keep(name, found[index])
        return found

    def _evaluated(self, index: int, found: dict[int, _Pair], pieces: Tensor | None) -> _Pair:
        node = self._network.nodes[index]
        if not node.inputs:
            return _Pair(self._base, self._directions)
        inputs = [found[source] for source in node.inputs]
        value = value_on(node, pieces, [pair.value for pair in inputs])
        return _Pair(value, slopes_on(node, pieces, [pair.slopes for pair in inputs]))

    def _keep(self, name: tuple[int, bytes], found: _Pair) -> None:
        size = found.size
        if size > self._most:
            return
        self._kept[name] = found
        self._free -= size
        while self._free < 0:
            _, old = self._kept.popitem(last=False)
            self._free += old.size


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
