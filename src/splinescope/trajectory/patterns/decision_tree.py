"""A network as a decision tree: the trie of the prefixes of its activation patterns on data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.network.splits import boundaries
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import pieces_at
from splinescope.trajectory.patterns.information import conditional_entropy, entropy
from splinescope.trajectory.patterns.prefixes import parts, prefixes


@dataclass(frozen=True, eq=False)
class TreeLevel(Shown):
    r"""One level of the tree: the prefixes of patterns up to one layer. Information is in bits.

    Attributes:
        name: Name of the layer.
        units: Number of its units.
        parents: [nodes] node of the level before, from which each node branches; the root is 0.
        counts: [nodes] inputs that come through each node.
        leaves: [nodes] whole patterns below each node: how often its sub-expression is used again.
        children: [nodes before] nodes of this level below each node of the level before.
        ranks: [nodes before] bound on the rank of the map that leads to the layer, on the cell of each node before.
        child_bounds: [nodes before] most children that each could have: $\min(\prod_j p_j, Z(h, r))$ with the numbers
            of pieces of the units ($2^n$ for ReLUs), and Zaslavsky's number for $h$ hyperplanes in $r$ dimensions.
        reuse_bound: Binary logarithm of how often one node's sub-expression could be used again.
        gained: $H(S_l \mid S_{<l})$, what this level tells.
        remaining: $H(S \mid S_{\le l})$, what is unknown after it.
        gained_bound: What the level could tell at most, the logarithm of the largest of the `child_bounds`.
        remaining_bound: What could be unknown after it at most: the logarithm of the number of pieces of later units.
    """

    name: str
    units: int
    parents: Int[np.ndarray, " nodes"]
    counts: Int[np.ndarray, " nodes"]
    leaves: Int[np.ndarray, " nodes"]
    children: Int[np.ndarray, " before"]
    ranks: Int[np.ndarray, " before"]
    child_bounds: tuple[int, ...]
    reuse_bound: float
    gained: float
    remaining: float
    gained_bound: float
    remaining_bound: float

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self.counts)

    @property
    def mean_reuse(self) -> float:
        """Mean number of whole patterns below a node; it cannot grow from level to level."""
        return float(self.leaves.mean())


@dataclass(frozen=True, eq=False)
class DecisionTree(Shown):
    """The trie of the prefixes of activation patterns on data.

    Attributes:
        levels: One for each layer that folds.
        paths: [L, N] node that each input takes at each level.
        entropy: Entropy of the whole patterns on the data, in bits.
    """

    levels: tuple[TreeLevel, ...]
    paths: Int[np.ndarray, "L N"]
    entropy: float

    @property
    def chain_error(self) -> float:
        """How far the gains of all levels, each summed node by node, are from the entropy of the whole; rounding."""
        return abs(math.fsum(level.gained for level in self.levels) - self.entropy)

    def __repr__(self) -> str:
        """One line."""
        nodes = " > ".join(str(len(level)) for level in self.levels)
        return f"DecisionTree({self.paths.shape[1]} inputs, nodes {nodes}, {self.entropy:.4g} bits)"


def decision_tree(network: ModelLike, data: Any, *, progress: bool = False) -> DecisionTree:
    r"""Build the tree of decisions that a network makes on data, layer by layer.

    A node at level $l$ is a prefix $(S_1, \dots, S_l)$ of activation patterns; below it there can be no more nodes than
    cells of an arrangement of the next layer's folds in as many dimensions as the map so far has rank. The source gives
    the number of bits still unknown after a level for what the level tells; both are here, and the second ones add up
    to the entropy of the whole pattern.

    Source: Rocke, "Deep Rectifier Networks as geometric decision trees" (2019), as corrected here.

    Args:
        network: A network, a module, or the path of a file.
        data: [N, *input_shape] inputs.
        progress: Whether to show a bar.

    Returns:
        The tree. Cost: two forward passes and a hash for each input and layer, in parts of bounded memory; kept are 8
        bytes for each input and layer.

    Raises:
        InvalidInputError: If there are no inputs, or the network does not fold.

    Example:
        >>> import torch
        >>> tree = decision_tree(torch.nn.ReLU(), torch.tensor([[1.0], [2.0], [-1.0], [-3.0]]))
        >>> tree.entropy, tree.levels[0].child_bounds, tree.levels[0].remaining
        (1.0, (2,), 0.0)
    """
    network = as_network(network, tuple(np.shape(data)[1:]))
    found = prefixes(network, data, progress=progress)
    labels, whole = found.labels, found.labels[-1]
    ranks = _ranks(network, found.nodes, data)
    bits = [_piece_bits(network, node) for node in found.nodes]
    levels = []
    before = np.zeros(labels.shape[1], np.int64)
    for level, own in enumerate(labels):
        first = np.unique(own, return_index=True)[1]
        parents = before[first]
        nodes_before = np.unique(before, return_index=True)[1]
        limits = np.zeros(len(nodes_before), np.int64)
        np.maximum.at(limits, before, ranks[level])
        bounds = _child_bounds(network, found.nodes[level], limits)
        pairs = np.unique(np.stack([own, whole]), axis=1)[0]
        levels.append(
            TreeLevel(
                found.names[level],
                found.units[level],
                parents,
                np.bincount(own),
                np.bincount(pairs),
                np.bincount(parents),
                limits,
                bounds,
                math.fsum(bits[level + 1 :]),
                conditional_entropy(own, before),
                conditional_entropy(whole, own),
                math.log2(max(bounds)),
                math.fsum(bits[level + 1 :]),
            )
        )
        before = own
    return DecisionTree(tuple(levels), labels, entropy(whole))


def _piece_bits(network: Network, node: int) -> float:
    """Binary logarithm of the number of pieces that all units of a layer have together."""
    return float(np.log2(_piece_counts(network, node)).sum())


def _piece_counts(network: Network, node: int) -> Int[np.ndarray, " units"]:
    """Number of pieces of each unit of a layer."""
    return network.folds[node].piece_counts(network.nodes[node].units)


def _child_bounds(network: Network, node: int, ranks: np.ndarray) -> tuple[int, ...]:
    """Most children of each node."""
    counts = _piece_counts(network, node).tolist()
    # hyperplanes, in the space that the layer reads, on which its units change their pieces
    elementwise = network.folds[node].elementwise
    walls = sum(count - 1 if elementwise else count * (count - 1) // 2 for count in counts)
    pieces = math.prod(counts)
    known = {int(rank): min(pieces, most_cells(walls, int(rank))) for rank in np.unique(ranks)}
    return tuple(known[int(rank)] for rank in ranks)


def most_cells(hyperplanes: int, dimension: int) -> int:
    r"""Most cells of an arrangement of hyperplanes, $Z(n, d) = \sum_{i \le d} \binom{n}{i}$ (Zaslavsky 1975).

    Args:
        hyperplanes: Their number.
        dimension: Dimension of the space.

    Returns:
        An exact integer.
    """
    total, term = 0, 1
    for i in range(min(hyperplanes, dimension) + 1):
        total += term
        term = term * (hyperplanes - i) // (i + 1)
    return total


def _ranks(network: Network, folds: tuple[int, ...], data: Any) -> np.ndarray:
    """[L, N] bound on the rank of the map to what each layer reads, on the cell of each input.

    All that a layer reads came through every boundary before it, and so the rank is at most its size; and at most its
    number of units that are not constant, where it is a layer of activations.
    """
    gates = [boundary.node for boundary in boundaries(network)]
    limits = []
    for batch in parts(network, data):
        active = {0: np.full(len(batch), network.nodes[0].size)}
        for index, pieces in pieces_at(network, batch).items():
            active[index] = (network.folds[index].reads(pieces.numpy()).slopes != 0).sum(axis=1)
        rows = []
        for node in folds:
            before = [gate for gate in gates if gate < node]
            sizes = [active.get(gate, np.full(len(batch), network.nodes[gate].size)) for gate in before]
            rows.append(np.minimum.reduce(sizes))
        limits.append(np.stack(rows))
    return np.concatenate(limits, axis=1)
