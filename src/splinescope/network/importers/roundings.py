"""What roundings inside of a network make of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from splinescope.network.evaluate import chunk_rows, last_uses
from splinescope.network.graph import Network, Node

SHAKE = 2.0**-40
"""By how much values are shaken, relatively, to see what roundings of this size make of outputs."""

_DRAWS, _WIDE = 16, 16.0
"""Times that roundings are drawn, and by how much wider: beside a fold, some of the draws are on its other side."""

Size = Callable[[Node, Sequence[Tensor], Tensor], Tensor | None]
"""By how much a node's value may be off, of the values that it reads and its own one; None if it is not."""


def shaken_outputs(network: Network, x: Tensor) -> Tensor:
    """[N, ...] outputs where inputs and values of affine nodes are off by random shares of up to 2^-40."""
    generator = torch.Generator().manual_seed(0)

    def size(node: Node, inputs: Sequence[Tensor], value: Tensor) -> Tensor | None:
        return SHAKE * value.abs() if node.fold is None else None

    return torch.cat([_shaken(network, part, size, generator) for part in x.split(chunk_rows(network))])


def rounded_outputs(network: Network, x: Tensor, unit: float) -> Iterator[Tensor]:
    """Outputs where every node rounds the terms that it adds up, at random and wider than some arithmetic does.

    Args:
        network: The network.
        x: [N, *input_shape] inputs.
        unit: Unit round-off of the arithmetic.

    Yields:
        [N, ...] outputs, several times.
    """
    generator = torch.Generator().manual_seed(0)

    def size(node: Node, inputs: Sequence[Tensor], value: Tensor) -> Tensor:
        return _WIDE * unit * (node.op.terms(inputs, value) if inputs else value.abs())

    for _ in range(_DRAWS):
        yield torch.cat([_shaken(network, part, size, generator) for part in x.split(chunk_rows(network))])


def _shaken(network: Network, x: Tensor, size: Size, generator: torch.Generator) -> Tensor:
    last, values = last_uses(network), dict[int, Tensor]()
    for index, node in enumerate(network.nodes[: network.output + 1]):
        inputs = [values[source] for source in node.inputs]
        value = node.op.evaluate(*inputs) if inputs else x
        off = size(node, inputs, value)
        if off is not None:
            value = value + off * (2.0 * torch.rand(value.shape, generator=generator, dtype=torch.float64) - 1.0)
        values[index] = value
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source]
    return values[network.output]


def absolute_terms(network: Network, x: Tensor) -> Tensor:
    """[N, ...] sums of the absolute values of all terms that outputs are made of, which bound their rounding errors."""
    return torch.cat([_terms(network, part.abs()) for part in x.split(chunk_rows(network))])


def _terms(network: Network, x: Tensor) -> Tensor:
    values, last = {0: x}, last_uses(network)
    for index, node in enumerate(network.nodes[1:], start=1):
        inputs = [values[source].reshape(len(x), *network.nodes[source].shape) for source in node.inputs]
        values[index] = node.op.magnitude(*inputs)
        for source in set(node.inputs):
            if last[source] == index:
                del values[source]
    return values[network.output]
