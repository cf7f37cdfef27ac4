"""A network's affine branches: evaluation with the activation pattern given instead of read off the input.

With its pattern fixed a network is one affine map on the whole input space, the map that it has on the cell of that
pattern. So the map of a cell comes out exact to round-off however thin the cell is, with no point inside it.

Values and slopes are walked apart, since some questions need only one of them, and both together by zipping. The pieces
of a node are asked for when it is reached: they may be filled in on the way, from what was yielded before.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network, Node
from splinescope.network.ops.base import flat

CHUNK_BYTES = 1 << 28
"""Bytes that the branches of a chunk of patterns may take by default."""

FAR = 2.0**200
"""Length of the directions that are sent through a network: so large that slopes don't underflow, and a power of two,
so that dividing by it is exact."""

Pieces = Mapping[int, Integer[Tensor, "n _"]]
"""For each node that folds the piece of each unit, or its position in its group."""


@dataclass(frozen=True, eq=False)
class Reached:
    """A node on the branch of each pattern.

    Attributes:
        index: The node.
        value: [n, size] its value at each pattern's base point.
        slopes: [n or 1, d, size] its slopes along the directions; one for all patterns while no fold has been met.
    """

    index: int
    value: Tensor
    slopes: Tensor


class Gradients(NamedTuple):
    """Values [n, size] of a node, and gradients [n, k, inputs] of sums of it by the flat input."""

    values: Float[Tensor, "n size"]
    gradients: Float[Tensor, "n k inputs"]


def value_on(node: Node, pieces: Tensor | None, inputs: Sequence[Tensor]) -> Float[Tensor, "n ..."]:
    """Value of one node on its pieces.

    Args:
        node: The node, any but the input.
        pieces: [n, units] piece of each unit, for a node that folds.
        inputs: [n, *shape] values of the nodes that it reads.

    Returns:
        [n, *shape] its values.
    """
    if node.fold is None:
        return node.op.evaluate(*inputs)
    assert pieces is not None
    return node.fold.on_pieces(pieces, inputs[0]).reshape(len(inputs[0]), *node.shape)


def slopes_on(node: Node, pieces: Tensor | None, inputs: Sequence[Tensor]) -> Float[Tensor, "n d ..."]:
    """Slopes of one node on its pieces.

    Args:
        node: The node, any but the input.
        pieces: [n, units] piece of each unit, for a node that folds.
        inputs: [n or 1, d, *shape] slopes of the nodes that it reads.

    Returns:
        [n or 1, d, *shape] its slopes.
    """
    copies, d = max(len(slopes) for slopes in inputs), inputs[0].shape[1]
    if node.affine is None:
        assert node.fold is not None
        assert pieces is not None
        flat_slopes = inputs[0].reshape(copies, d, math.prod(inputs[0].shape[2:]))
        return node.fold.along_pieces(pieces, flat_slopes).reshape(len(pieces), d, *node.shape)
    rows = [slopes.expand(copies, *slopes.shape[1:]).reshape(copies * d, *slopes.shape[2:]) for slopes in inputs]
    return node.affine.linear.evaluate(*rows).reshape(copies, d, *node.shape)


def walk_values(
    network: Network, pieces: Pieces, x: Float[Tensor, "n ..."], stop: int | None = None
) -> Iterator[tuple[int, Float[Tensor, "n ..."]]]:
    """Values of the affine branch of each pattern, node by node in topological order; autograd goes through them.

    Args:
        network: The network.
        pieces: Those of each node, which are asked for when the walk reaches it.
        x: [n, *input_shape] inputs, one for each pattern; they need not lie in the pattern's cell.
        stop: Last node to evaluate; the network's output if None.

    Yields:
        Index and [n, *shape] value of each node. A value is forgotten here when no later node needs it.
    """
    return _walk(network, pieces, x, stop, value_on)


def walk_slopes(
    network: Network, pieces: Pieces, directions: Float[Tensor, "b d ..."], stop: int | None = None
) -> Iterator[tuple[int, Float[Tensor, "n d ..."]]]:
    """Slopes of the affine branch of each pattern, node by node.

    Args:
        network: The network.
        pieces: As in `walk_values`.
        directions: [n or 1, d, *input_shape] directions for each pattern, or for all.
        stop: Last node; the network's output if None.

    Yields:
        Index and [n or 1, d, *shape] slopes of each node.
    """
    return _walk(network, pieces, directions, stop, slopes_on)


def _walk(
    network: Network,
    pieces: Pieces,
    start: Tensor,
    stop: int | None,
    step: Callable[[Node, Tensor | None, Sequence[Tensor]], Tensor],
) -> Iterator[tuple[int, Tensor]]:
    last = last_uses(network)
    held: dict[int, Tensor] = {}
    for index, node in enumerate(network.nodes[: (network.output if stop is None else stop) + 1]):
        inputs = [held[source] for source in node.inputs]
        held[index] = step(node, pieces[index] if node.units else None, inputs) if inputs else start
        yield index, held[index]
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del held[source]


def walk_branches(
    network: Network,
    pieces: Pieces,
    x: Float[Tensor, "n ..."],
    directions: Float[Tensor, "b d ..."],
    stop: int | None = None,
) -> Iterator[Reached]:
    """Values and slopes together.

    Args:
        network: The network.
        pieces: As in `walk_values`.
        x: [n, *input_shape] inputs, one for each pattern.
        directions: [n or 1, d, *input_shape] directions.
        stop: Last node; the network's output if None.

    Yields:
        Each node, flat.
    """
    values, slopes = walk_values(network, pieces, x, stop), walk_slopes(network, pieces, directions, stop)
    for (index, value), (_, slope) in zip(values, slopes, strict=True):
        yield Reached(index, flat(value), slope.reshape(*slope.shape[:2], network.nodes[index].size))


def branch_value(
    network: Network, pieces: Pieces, x: Float[Tensor, "n ..."], stop: int | None = None
) -> Float[Tensor, "n flat"]:
    """Value of one node on the affine branch of each pattern.

    Args:
        network: The network.
        pieces: As in `walk_values`.
        x: [n, *input_shape] inputs, one for each pattern.
        stop: The node; the network's output if None.

    Returns:
        The values, flat but for the batch.
    """
    ((_, value),) = deque(walk_values(network, pieces, x, stop), maxlen=1)
    return flat(value)


def branch_gradients(
    network: Network,
    pieces: Pieces,
    x: Float[Tensor, "n ..."],
    covectors: Float[Tensor, "n k size"],
    stop: int | None = None,
) -> Gradients:
    """Value of one node on the affine branch of each pattern, and gradients of sums of it by the flat input.

    Args:
        network: The network.
        pieces: As in `walk_values`.
        x: [n, *input_shape] inputs, one for each pattern.
        covectors: Weights of the sums, k for each pattern.
        stop: The node; the network's output if None.

    Returns:
        Values and gradients. Cost: one forward pass, and k backward.
    """
    start = x.clone().requires_grad_(True)
    out = torch.zeros(len(x), covectors.shape[1], network.nodes[0].size, dtype=x.dtype)
    with torch.enable_grad():
        value = branch_value(network, pieces, start, stop)
        for k, weights in enumerate(covectors.unbind(dim=1)):
            (found,) = torch.autograd.grad((value * weights).sum(), start, retain_graph=True, allow_unused=True)
            if found is not None:
                out[:, k] = flat(found)
    return Gradients(value.detach(), out)


def pieces_at(network: Network, x: Float[Tensor, "n ..."]) -> dict[int, Tensor]:
    """Piece on which each unit is at some inputs.

    Args:
        network: The network, to its output.
        x: [n, *input_shape] inputs.

    Returns:
        For each node that folds [n, units] pieces, or positions in the group of the first largest member, as uint8.
    """
    pieces: dict[int, Tensor] = {}
    readers = readers_of(network)
    with torch.no_grad():
        for index, value in walk_values(network, pieces, x):
            for reader in readers.get(index, ()):
                pieces[reader] = network.folds[reader].pieces(flat(value)).to(torch.uint8)
    return pieces


def readers_of(network: Network) -> dict[int, tuple[int, ...]]:
    """Nodes that fold, up to the output, by the node that they read.

    Args:
        network: The network.

    Returns:
        Their indices, ascending.
    """
    readers: dict[int, tuple[int, ...]] = {}
    for index, node in enumerate(network.nodes[: network.output + 1]):
        if node.units:
            readers[node.inputs[0]] = (*readers.get(node.inputs[0], ()), index)
    return readers


def chunk_length(network: Network, copies: int = 1) -> int:
    """Number of inputs whose evaluation needs about 256 MiB.

    Args:
        network: The network.
        copies: Numbers kept per number of the network's values.

    Returns:
        A length that is at least 1.
    """
    numbers = sum(node.size for node in network.nodes)
    return max(1, CHUNK_BYTES // (8 * copies * max(1, numbers)))
