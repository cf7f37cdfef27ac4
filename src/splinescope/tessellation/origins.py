"""Numbers that are one by name: where the number of a unit on a cell comes from, if nothing on the way changes it."""

from __future__ import annotations

import numpy as np

from splinescope.network.graph import Network
from splinescope.network.ops import Walls
from splinescope.tessellation.exact import Pieces

Number = tuple[int, float]
"""A node and a flat index there; or `CONSTANT` and a constant."""
Equality = tuple[Number, Number]
"""Two numbers that are equal on a fold, the lesser one first."""

CONSTANT = -1
"""Stands for the node of a constant."""


def equalities(network: Network, pieces: Pieces, op: int, walls: Walls) -> list[Equality]:
    """What is equal on walls, by where the numbers come from.

    Args:
        network: The network.
        pieces: Pattern of a cell at all folding nodes before `op`.
        op: The node that folds there.
        walls: Its walls.

    Returns:
        Two numbers for each; the same two where they are one by name on the whole cell.
    """
    (source,) = network.nodes[op].inputs
    count, pair = len(walls.plus), walls.minus >= 0
    nodes, numbers = origins(network, pieces, source, np.concatenate([walls.plus, walls.minus[pair]]))
    other_nodes, others = np.full(count, CONSTANT), walls.shift.astype(np.float64)
    other_nodes[pair], others[pair] = nodes[count:], numbers[count:]
    first = zip(nodes[:count].tolist(), numbers[:count].tolist(), strict=True)
    second = zip(other_nodes.tolist(), others.tolist(), strict=True)
    return [(min(one, other), max(one, other)) for one, other in zip(first, second, strict=True)]


def origins(network: Network, pieces: Pieces, node: int, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first nodes that have some numbers, on a cell.

    Args:
        network: The network.
        pieces: Pattern of the cell at all folding nodes up to `node`.
        node: Index of the node.
        units: [k] flat indices of the numbers.

    Returns:
        [k] nodes, and [k] flat indices there; for units on flat pieces `CONSTANT` and the constant.
    """
    nodes, numbers = np.full(len(units), CONSTANT), np.zeros(len(units))
    waiting = {node: [(np.arange(len(units)), units)]}
    while waiting:
        index = max(waiting)
        which, here = (np.concatenate(parts) for parts in zip(*waiting.pop(index), strict=True))
        one = network.nodes[index]
        moved, places = np.zeros(len(here), bool), np.zeros(len(here), np.int64)
        constant = moved
        if one.fold is not None:
            reads = one.fold.reads(pieces[index][here], here)
            constant, places = reads.slopes == 0, reads.places
            moved = (reads.slopes == 1) & (reads.intercepts == 0)
            numbers[which[constant]] = reads.intercepts[constant]
        elif one.affine is not None and not one.op.rounds:
            rows = one.affine.rows(here, *(network.nodes[source].shape for source in one.inputs))
            moved = np.diff(rows.indptr) == 1
            moved[moved] = rows.data[rows.indptr[:-1][moved]] == 1.0
            places[moved] = rows.indices[rows.indptr[:-1][moved]]
        stays = ~moved & ~constant
        nodes[which[stays]], numbers[which[stays]] = index, here[stays]
        start = 0
        for source in one.inputs:
            stop = start + network.nodes[source].size
            mine = moved & (places >= start) & (places < stop)
            if mine.any():
                waiting.setdefault(source, []).append((which[mine], places[mine] - start))
            start = stop
    return nodes, numbers
