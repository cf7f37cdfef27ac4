"""Evaluation of a network node by node, and its Jacobians."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.network.remembered import remembered

CHUNK_NUMBERS = 1 << 25
"""Numbers that a chunk of a batch may hold at once by default: 256 MiB."""


def walk(network: Network, x: Float[Tensor, "batch ..."]) -> Iterator[tuple[int, Float[Tensor, "batch ..."]]]:
    """Evaluate a network node by node, in topological order.

    Args:
        network: The network.
        x: [batch, *input_shape] inputs in float64.

    Yields:
        Index and value of each node; values must not be changed. One is forgotten here when no later node needs it.

    Cost: one forward pass; at each moment only the values that later nodes need are held.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> [(index, value.tolist()) for index, value in walk(relu, torch.tensor([[-1.0, 2.0]]).double())]
        [(0, [[-1.0, 2.0]]), (1, [[0.0, 2.0]])]
    """
    last_use = last_uses(network)
    values: dict[int, Tensor] = {}
    for index, node in enumerate(network.nodes):
        values[index] = node.op.evaluate(*(values[source] for source in node.inputs)) if node.inputs else x
        yield index, values[index]
        for source in {index, *node.inputs}:
            if last_use[source] <= index:
                del values[source]


@remembered
def products(network: Network) -> list[int]:
    """For each node the number of products that evaluating it takes, at least its size.

    Args:
        network: The network.

    Returns:
        One number for each node, in a list that must not be changed.

    Cost: linear in the number of nodes, once for each network; nothing is evaluated.

    Example:
        >>> import splinescope
        >>> products(splinescope.load(torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU())))
        [3, 24, 8]
    """
    return [node.size * max(1, node.affine.addends - 1 if node.affine else 1) for node in network.nodes]


@remembered
def last_uses(network: Network) -> tuple[int, ...]:
    """For each node the last node that reads it; itself if none does, and one past the end for the output.

    Args:
        network: The network.

    Returns:
        Indices of nodes.

    Cost: linear in the number of nodes and of their inputs, once for each network.

    Example:
        >>> import splinescope
        >>> last_uses(splinescope.load(torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU())))
        (1, 2, 3)
    """
    last = list(range(len(network.nodes)))
    for index, node in enumerate(network.nodes):
        for source in node.inputs:
            last[source] = index
    last[network.output] = len(network.nodes)
    return tuple(last)


def forward(network: Network, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """Outputs before the head, in chunks of bounded memory.

    Args:
        network: The network.
        x: [batch, *input_shape] inputs in float64.

    Returns:
        [batch, *output_shape] outputs; autograd goes through them.

    Cost: one forward pass.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> forward(relu, torch.tensor([[-1.0, 2.0]]).double()).tolist()
        [[0.0, 2.0]]
    """
    outputs = []
    for chunk in x.split(chunk_rows(network)):
        for index, value in walk(network, chunk):
            if index == network.output:
                outputs.append(value)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def chunk_rows(network: Network, numbers: int = CHUNK_NUMBERS) -> int:
    """Number of inputs that can be evaluated at once within a bound on memory.

    Args:
        network: The network.
        numbers: Numbers that may be held.

    Returns:
        A number of rows, at least 1.

    Cost: linear in the number of nodes.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(10,))
        >>> chunk_rows(relu, numbers=3000)
        100
    """
    widest = max(node.size for node in network.nodes)
    return max(1, numbers // max(1, 3 * widest))


def jacobians(
    network: Network, x: Float[Tensor, "batch ..."], chunk: int | None = None
) -> Float[Tensor, "batch outputs inputs"]:
    r"""Derivatives $\partial y_j / \partial x_i$ of the outputs before the head, at inputs off the folds.

    Args:
        network: The network.
        x: [N, *input_shape] inputs in float64.
        chunk: Inputs that are taken at once; by default as many as 256 MiB hold.

    Returns:
        [N, n_out, n_in] matrices by flat outputs and flat inputs.

    Cost: one forward pass, and one backward pass for each output.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> jacobians(relu, torch.tensor([[-1.0, 2.0]]).double()).tolist()
        [[[0.0, 0.0], [0.0, 1.0]]]
    """
    n_out, n_in = math.prod(network.output_shape), math.prod(network.input_shape)
    total = sum(node.size for node in network.nodes)
    rows = chunk or max(1, CHUNK_NUMBERS // max(1, 3 * total))
    out = torch.zeros(len(x), n_out, n_in, dtype=torch.float64)
    for start in range(0, len(x), rows):
        part = x[start : start + rows].detach().clone().requires_grad_(True)
        with torch.enable_grad():
            y = forward(network, part).reshape(len(part), n_out)
            for j in range(n_out):
                (gradient,) = torch.autograd.grad(y[:, j].sum(), part, retain_graph=j + 1 < n_out, allow_unused=True)
                if gradient is not None:
                    out[start : start + rows, j] = gradient.reshape(len(part), n_in)
    return out
