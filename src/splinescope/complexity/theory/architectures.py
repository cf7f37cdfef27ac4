"""What the bounds need to know of a network's graph: its layers of units, and how much can reach each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from splinescope.network.graph import Network, Node, nodes_behind
from splinescope.network.load import ModelLike, as_network
from splinescope.network.ops import Scale
from splinescope.shown import Shown


@dataclass(frozen=True)
class FoldingLayer(Shown):
    """The units of one activation or max node.

    Attributes:
        node: Index of the node.
        pieces: Number of affine pieces of each unit; 1 for one that does not fold.
        dimension: No affine piece of the node's input has a larger rank.
    """

    node: int
    pieces: Int[np.ndarray, " units"]
    dimension: int

    @property
    def width(self) -> int:
        """Number of its units."""
        return len(self.pieces)


@dataclass(frozen=True)
class Architecture:
    """A network's folding layers, and the assumptions of theorems that its graph meets.

    Attributes:
        dimension: Dimension of the set on which the network is looked at.
        layers: The folding layers, in topological order.
        relu: Whether all units are ReLU.
        single_form: Whether each unit is a function of one affine form: no maxima of three members or more.
        sequential: Whether every node reads only the one before it.
        dense: Whether it is a sequence of one dense map and one activation after the other.
    """

    dimension: int
    layers: tuple[FoldingLayer, ...]
    relu: bool
    single_form: bool
    sequential: bool
    dense: bool

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units of each folding layer."""
        return tuple(layer.width for layer in self.layers)

    @property
    def units(self) -> int:
        """Number of all units."""
        return sum(self.widths)


def architecture(network: ModelLike, dimension: int | None = None) -> Architecture:
    r"""Folding layers of a network, and the rank that can reach each of them.

    On a cell of the layers before it the input of a layer is affine, with a rank of at most the least number of
    numbers through which everything from the domain to it must pass: a minimal vertex cut of the graph whose nodes
    have their sizes as capacities, and the input that of the domain's dimension. For a sequence it is
    $\min(d, n_1, \dots, n_{l - 1})$, and skip connections are ways around a bottleneck.

    Args:
        network: The network; or a module that tells its input shape, or the path of a file.
        dimension: Dimension of the set on which it is looked at; that of the input space by default.

    Returns:
        The description. Cost: one maximum flow over the graph for each folding layer.

    Example:
        Three units in the middle let a rank of at most 3 pass, though the last layer has 8:

        >>> import torch
        >>> linear, relu = torch.nn.Linear, torch.nn.ReLU
        >>> module = torch.nn.Sequential(linear(5, 8), relu(), linear(8, 3), relu(), linear(3, 8), relu(), linear(8, 1))
        >>> [(layer.width, layer.dimension) for layer in architecture(module).layers]
        [(8, 5), (3, 3), (8, 3)]
    """
    network = as_network(network)
    free = network.nodes[0].size
    d = free if dimension is None else min(dimension, free)
    used = nodes_behind(network.nodes, (network.output,))
    folding = [i for i in used if network.nodes[i].units]
    folds = [network.folds[i] for i in folding]
    counts = [fold.cell_walls(network.nodes[i].size).counts for i, fold in zip(folding, folds, strict=True)]
    layers = tuple(
        FoldingLayer(i, pieces, _least_cut(network, i, d)) for i, pieces in zip(folding, counts, strict=True)
    )
    sequential = all(len(network.nodes[i].inputs) <= 1 for i in used) and _unbranched(network, used)
    return Architecture(
        dimension=d,
        layers=layers,
        relu=all(fold.clamps for fold in folds),
        single_form=all(fold.elementwise or pieces.max() <= 2 for fold, pieces in zip(folds, counts, strict=True)),
        sequential=sequential,
        dense=sequential and _is_dense([network.nodes[i] for i in used]),
    )


def _unbranched(network: Network, used: list[int]) -> bool:
    sources = [source for i in used for source in network.nodes[i].inputs]
    return len(sources) == len(set(sources))


def _least_cut(network: Network, node: int, dimension: int) -> int:
    """Least number of numbers on a cut between the domain and the input of a folding node."""
    count = node
    rows, columns, capacities = [], [], []
    largest = int(np.iinfo(np.int32).max)
    for index in range(count):
        size = network.nodes[index].size
        rows.append(2 * index)
        columns.append(2 * index + 1)
        capacities.append(min(size, dimension) if index == 0 else size)
        for source in network.nodes[index].inputs:
            rows.append(2 * source + 1)
            columns.append(2 * index)
            capacities.append(largest)
    shape = (2 * count, 2 * count)
    graph = csr_array((np.array(capacities, np.int32), (np.array(rows), np.array(columns))), shape=shape)
    graph.sum_duplicates()
    graph.data = np.minimum(graph.data, largest)
    return int(maximum_flow(graph, 0, 2 * network.nodes[node].inputs[0] + 1).flow_value)


def _is_dense(nodes: list[Node]) -> bool:
    """Whether every folding layer follows on exactly one dense map, but for changes of shape and of scale."""
    maps = 0
    for node in nodes[1:]:
        if node.units:
            if maps != 1:
                return False
            maps = 0
        elif node.affine is not None and node.affine.matrix is not None:
            maps += 1
        elif not (node.affine is not None and node.affine.keeps_order) and not (
            isinstance(node.op, Scale) and bool(torch.all(node.op.scale != 0))
        ):
            return not any(later.units for later in nodes[nodes.index(node) :])
    return True
