"""How far a piece is on its way through a network, and how many cells it should take along at most."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from splinescope.network.evaluate import products
from splinescope.network.graph import Network
from splinescope.network.remembered import remembered

_PRODUCTS = 4e10
"""Products of a piece on the rest of its way, above which it is halved: about ten seconds of one core."""
_FEW = 256.0
"""Cells that a piece may have in any case."""
_OF_A_CELL = 3e4
"""Products that a cell costs when it is made."""
_WIDE = 48
"""Products for each output of a layer from which this saves time."""
_OLD = 1.0 / 3.0
"""About the share of the vertices at which a layer behind a ReLU is a product: the others follow from these."""


_SHORT = 1 << 20
"""Products of a forward pass up to which torch is quicker without threads of its own."""


def is_small(network: Network) -> bool:
    """Whether torch's calls are short."""
    return sum(products(network)) <= _SHORT


@remembered
def streaming(network: Network) -> frozenset[int]:
    """Dense layers that are the only readers of an activation, and convolutions that read one."""
    readers = Counter(source for node in network.nodes for source in set(node.inputs))
    found = []
    for index, node in enumerate(network.nodes):
        op = node.affine
        if op is not None and (op.is_local or (op.matrix is not None and readers[node.inputs[0]] == 1)):
            before = network.nodes[node.inputs[0]].fold
            if before is not None and before.elementwise:
                found.append(index)
    return frozenset(found)


@remembered
def followed(network: Network) -> frozenset[int]:
    """Layers of which rows at new vertices follow from the others where these are many: see `followers`."""
    found = []
    for index in streaming(network):
        affine, before = network.nodes[index].affine, network.nodes[network.nodes[index].inputs[0]].fold
        clamps = before is not None and before.clamps
        if affine is not None and affine.nonzeros is None and clamps and affine.addends > _WIDE:
            found.append(index)
    return frozenset(found)


@dataclass(frozen=True)
class NodeWork:
    """What the nodes of a network cost at a vertex.

    Attributes:
        left: [nodes + 1] products from each node on.
        passed: [nodes + 1] share of the whole way that is behind whoever comes to each node.
    """

    left: np.ndarray
    passed: np.ndarray

    @staticmethod
    @remembered
    def of(network: Network) -> NodeWork:
        """The work of a network.

        Vertices and cells are taken to be as many as pairs of units that have folded, as in an arrangement of lines.
        """
        folding = np.array([index in network.folds for index in range(len(network.nodes))])
        sizes = np.array([node.size for node in network.nodes], np.float64)
        addends = np.array([node.op.addends for node in network.nodes], np.float64)
        products = np.where(folding, 0.0, sizes * addends)
        products[0] = 0.0
        products[list(followed(network))] *= _OLD
        cells = (1.0 + np.cumsum(np.where(folding, sizes, 0.0))) ** 2
        weights = cells * products + _OF_A_CELL * np.diff(cells, prepend=1.0)
        left = np.append(np.cumsum(products[::-1])[::-1], 0.0)
        return NodeWork(left, np.append(0.0, np.cumsum(weights)) / max(1.0, float(weights.sum())))

    def behind(self, position: int, begun: float) -> float:
        """Share of the way that is behind who comes to a node, of which some part is done already."""
        return float((1.0 - begun) * self.passed[position] + begun * self.passed[min(position + 1, len(self.left) - 1)])

    def cells_at(self, position: int) -> float:
        """Cells from which on a piece that comes to a node is halved, so that parts of it are finished early."""
        left = float(self.left[position])
        return max(_FEW, _PRODUCTS / left) if left else math.inf
