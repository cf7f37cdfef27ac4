"""Jacobians of perceptrons by their awake units alone: the rows of the others are zero, and not multiplied."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.network import Network
from splinescope.network.graph import Node


def is_chain(network: Network) -> bool:
    """Whether a network is a chain of dense layers and activations.

    Args:
        network: The network.

    Returns:
        Whether each node reads the one before it, and has a matrix, moves nothing, or folds each unit by itself.
    """
    nodes = network.nodes[1 : network.output + 1]
    follows = all(node.inputs == (index,) for index, node in enumerate(nodes))
    return follows and all(_plain(node) for node in nodes) and any(node.affine is not None for node in nodes)


def _plain(node: Node) -> bool:
    if node.fold is not None:
        return node.fold.elementwise
    return node.affine is not None and (node.affine.matrix is not None or node.affine.keeps_order)


def chain_jacobians(network: Network, x: Float[Tensor, "n ..."]) -> Iterator[Float[Tensor, "outputs d"]]:
    """Jacobians of a chain at inputs off the folds, one after the other.

    Args:
        network: A chain.
        x: [n, *input_shape] inputs in float64.

    Yields:
        The Jacobian of each input, by flat outputs and inputs. Cost: products of the rows and columns of matrices that
        belong to units of nonzero slope.
    """
    nodes = network.nodes[1 : network.output + 1]
    steps: list[tuple[np.ndarray | None, np.ndarray | None]] = []
    value = x
    for node in nodes:
        if node.fold is not None:
            pieces = node.fold.pieces(value)
            flat = value.flatten(1)
            at = [node.fold.on_pieces(pieces.flatten(1), torch.full_like(flat, number)) for number in (1.0, 0.0)]
            steps.append((None, (at[0] - at[1]).numpy()))
        elif node.affine is not None and node.affine.matrix is not None:
            steps.append((node.affine.matrix.numpy(), None))
        value = node.op.evaluate(value).reshape(len(x), *node.shape)
    for row in range(len(x)):
        yield torch.from_numpy(_one(steps, row, int(x[0].numel())))


def _one(steps: list[tuple[np.ndarray | None, np.ndarray | None]], row: int, inputs: int) -> np.ndarray:
    """The product, with the columns that are awake so far, and the rows that will be."""
    J, kept, size = np.eye(inputs), np.arange(inputs), inputs
    for index, (matrix, slopes) in enumerate(steps):
        if matrix is not None:
            following = steps[index + 1][1] if index + 1 < len(steps) else None
            rows = np.arange(len(matrix)) if following is None else np.flatnonzero(following[row])
            used = matrix[np.ix_(rows, kept)] if len(rows) < len(matrix) or len(kept) < size else matrix
            J, kept, size = (used if index == 0 else used @ J), rows, len(matrix)
        elif slopes is not None:
            awake = slopes[row][kept] != 0
            J, kept = slopes[row][kept[awake], None] * J[awake], kept[awake]
    if len(kept) == size:
        return np.ascontiguousarray(J)
    whole = np.zeros((size, inputs))
    whole[kept] = J
    return whole
