"""The folding nodes of a network, one after the other: their columns in patterns, and their walls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splinescope.network.graph import Network
from splinescope.network.ops import Fold
from splinescope.network.ops.walls import CellWalls


@dataclass(frozen=True, eq=False)
class Folding:
    """A node that folds.

    Attributes:
        node: Index of the node.
        source: Index of the node that it reads.
        units: Number of its units.
        op: What it does.
    """

    node: int
    source: int
    units: int
    op: Fold

    @cached_property
    def walls(self) -> CellWalls:
        """What keeps its units on their pieces."""
        return self.op.cell_walls(self.units)


@dataclass(frozen=True, eq=False)
class Layout:
    """The folding nodes of a network in topological order; their walls and pattern columns lie one after the other.

    Attributes:
        foldings: The nodes.
    """

    foldings: tuple[Folding, ...]

    @cached_property
    def column_starts(self) -> np.ndarray:
        """[nodes + 1] first pattern column of each node."""
        return np.cumsum([0, *(folding.units for folding in self.foldings)])

    @cached_property
    def row_starts(self) -> np.ndarray:
        """[nodes + 1] first wall of each node."""
        return np.cumsum([0, *(len(folding.walls) for folding in self.foldings)])

    @property
    def columns(self) -> int:
        """Number of pattern columns."""
        return int(self.column_starts[-1])

    @property
    def rows(self) -> int:
        """Number of walls."""
        return int(self.row_starts[-1])

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Place of each node among the folding ones."""
        return {folding.node: number for number, folding in enumerate(self.foldings)}

    @cached_property
    def readers(self) -> dict[int, tuple[int, ...]]:
        """Places of the folding nodes that read a node."""
        found: dict[int, tuple[int, ...]] = {}
        for number, folding in enumerate(self.foldings):
            found[folding.source] = (*found.get(folding.source, ()), number)
        return found

    def columns_of(self, number: int) -> slice:
        """Pattern columns of the folding node at a place."""
        return slice(int(self.column_starts[number]), int(self.column_starts[number + 1]))

    def rows_of(self, number: int) -> slice:
        """Walls of the folding node at a place."""
        return slice(int(self.row_starts[number]), int(self.row_starts[number + 1]))

    @cached_property
    def row_columns(self) -> np.ndarray:
        """[rows] pattern column of each wall's unit."""
        parts = [
            folding.walls.owners + start for folding, start in zip(self.foldings, self.column_starts, strict=False)
        ]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    @cached_property
    def column_nodes(self) -> np.ndarray:
        """[columns] node of each pattern column."""
        return np.repeat([folding.node for folding in self.foldings], np.diff(self.column_starts)).astype(np.int64)

    @cached_property
    def column_units(self) -> np.ndarray:
        """[columns] unit of each pattern column, as an index into its node's flat value."""
        parts = [np.arange(folding.units) for folding in self.foldings]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    @cached_property
    def column_pieces(self) -> np.ndarray:
        """[columns] largest number of pieces of each column's unit."""
        sizes = np.diff(self.column_starts)
        return np.repeat([folding.walls.pieces for folding in self.foldings], sizes).astype(np.int64)

    def beyond(self, patterns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """[facets] new piece of the unit of a wall when it is crossed, from the patterns [facets, columns]."""
        out = np.zeros(len(rows), np.int64)
        present = patterns[np.arange(len(rows)), self.row_columns[rows]].astype(np.int64)
        which = np.searchsorted(self.row_starts, rows, side="right") - 1
        for number, folding in enumerate(self.foldings):
            mine = np.flatnonzero(which == number)
            if len(mine):
                out[mine] = folding.walls.beyond(present[mine], rows[mine] - self.row_starts[number])
        return out


def layout_of(network: Network, stop: int | None = None) -> Layout:
    """The folding nodes of a network, in topological order.

    Args:
        network: The network.
        stop: The last node that counts; all nodes if None.

    Returns:
        The nodes.
    """
    nodes, last = network.nodes, len(network.nodes) if stop is None else stop
    folds = ((index, fold) for index, fold in network.folds.items() if index <= last)
    return Layout(tuple(Folding(index, nodes[index].inputs[0], nodes[index].size, fold) for index, fold in folds))
