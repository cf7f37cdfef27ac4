"""Evaluate a network: forward passes node by node, and Jacobians."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from splinescope.network.graph import Network


def walk(network: Network, x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Values of all nodes in order; each is freed after its last use.

    Args:
        network: The network.
        x: [batch, *input_shape] float64 inputs.

    Yields:
        The index of each node and its values [batch, *shape], which must not be changed.
    """
    last = {source: index for index, node in enumerate(network.nodes) for source in node.inputs}
    values: dict[int, Tensor] = {}
    for index, node in enumerate(network.nodes):
        values[index] = node.op.evaluate(*(values[source] for source in node.inputs)) if node.inputs else x
        yield index, values[index]
        for source in set(node.inputs):
            if last[source] == index:
                del values[source]


def forward(network: Network, x: Tensor) -> Tensor:
    """Outputs before the head: [batch, *input_shape] to [batch, *output_shape], float64, differentiable."""
    for index, value in walk(network, x):
        if index == network.output:
            result = value
    return result


def jacobians(network: Network, points: np.ndarray, chunk: int = 4096) -> np.ndarray:
    """Jacobian of the outputs at each point, by one batched vector-Jacobian product for each output.

    Args:
        network: The network.
        points: [N, *input_shape] points, none of them on a fold.
        chunk: Points at a time.

    Returns:
        [N, n_out, n_in] derivatives of the flattened outputs by the flattened inputs.
    """
    outputs = int(np.prod(network.output_shape, dtype=np.int64))
    result = np.empty((len(points), outputs, int(np.prod(network.input_shape, dtype=np.int64))))
    for start in range(0, len(points), chunk):
        x = torch.from_numpy(np.array(points[start : start + chunk], np.float64)).requires_grad_(True)
        y = forward(network, x).reshape(len(x), -1).sum(dim=0)
        for output in range(outputs):
            (gradient,) = torch.autograd.grad(y[output], x, retain_graph=output + 1 < outputs, allow_unused=True)
            row = 0.0 if gradient is None else gradient.reshape(len(x), -1).numpy()
            result[start : start + chunk, output] = row
    return result
