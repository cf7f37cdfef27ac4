"""What the studies of cells share: patterns taken apart by node, for complexes with vertices and without."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int, Integer

from splinescope.network.graph import Network, nodes_behind


def pattern_columns(cells: Any) -> dict[int, slice]:
    """Columns of `patterns` for each node that folds.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        A range of columns by node.
    """
    return {node: slice(start, stop) for node, start, stop in cells.pattern_nodes}


def folds_before(network: Network, node: int) -> list[int]:
    """Nodes that fold on which the input of a node depends.

    Args:
        network: The network.
        node: Index of the node.

    Returns:
        Their indices, in order.
    """
    behind = nodes_behind(network.nodes, network.nodes[node].inputs)
    return [index for index in behind if network.nodes[index].units]


def rows_numbered(rows: Integer[np.ndarray, "n columns"]) -> Int[np.ndarray, " n"]:
    """Number equal rows of small integers alike, from 0 in the order of their first appearance.

    Args:
        rows: Rows, such as patterns.

    Returns:
        One number for each row.
    """
    if rows.shape[1] == 0:
        return np.zeros(len(rows), dtype=np.int64)
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbers: np.ndarray = rank[inverse.ravel()]
    return numbers
