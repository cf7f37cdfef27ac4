"""Units that are zero by their pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Affine, Concatenate, Maximum, Reshape, Sum
from splinescope.tessellation.exact import Pieces


def vanishing(network: Network, node: int, cells: Sequence[Pieces]) -> np.ndarray:
    """Units that are zero on whole cells because all that they add up is, by the pattern of the activations before.

    Args:
        network: The network.
        node: The node.
        cells: Patterns.

    Returns:
        [cells, n] whether each unit is zero so.
    """
    op, inputs = network.nodes[node].op, network.nodes[node].inputs
    if not inputs:
        return np.zeros((len(cells), network.nodes[node].size), bool)
    if isinstance(op, Activation):
        pieces = np.stack([cell[node] for cell in cells]).astype(np.int64)
        slopes, intercepts = op.slopes.numpy(), op.intercepts.numpy()
        if slopes.ndim == 1:
            return np.asarray((slopes[pieces] == 0) & (intercepts[pieces] == 0))
        units = np.arange(pieces.shape[1])
        return np.asarray((slopes[pieces, units] == 0) & (intercepts[pieces, units] == 0))
    before = [vanishing(network, source, cells) for source in inputs]
    if isinstance(op, Maximum):
        winners = np.stack([cell[node] for cell in cells]).astype(np.int64)
        chosen = op.members.numpy()[np.arange(winners.shape[1]), winners]
        return np.asarray(np.take_along_axis(before[0], chosen, axis=1))
    if isinstance(op, Sum):
        return np.asarray(np.logical_and.reduce(before))
    with torch.no_grad():
        present = [
            torch.from_numpy((~zero).astype(np.float64)).reshape(len(cells), *network.nodes[source].shape)
            for zero, source in zip(before, inputs, strict=True)
        ]
        sizes = op.magnitude(present[0]) if isinstance(op, Affine) else op.evaluate(*present)
    return np.asarray(sizes.reshape(len(cells), -1).numpy() == 0.0)


def zeros_are_exact(network: Network, index: int) -> bool:
    """Whether a value of a node that is zero is so exactly: behind a ReLU, whose input has the sign of its unit.

    Args:
        network: The network.
        index: The node.

    Returns:
        Whether it is so.
    """
    node = network.nodes[index]
    if isinstance(node.op, Activation):
        return bool(node.op.is_relu)
    passing = isinstance(node.op, Reshape | Concatenate | Maximum)
    return passing and all(zeros_are_exact(network, source) for source in node.inputs)
