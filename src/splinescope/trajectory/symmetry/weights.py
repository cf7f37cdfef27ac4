"""The weights of a network as arrays whose axes are values of nodes: all that permutations and rescalings touch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.network.graph import Network, Node
from splinescope.network.ops import Activation, Convolution, Dense, Scale, TransposedConvolution
from splinescope.trajectory.symmetry.layouts import Layouts


@dataclass(frozen=True)
class Axis:
    """One axis of a weight that runs along the value of a node, number by number or channel by channel.

    Attributes:
        axis: Which axis.
        node: The node.
        power: 1 where the weight grows with the node's value, -1 where it makes up for it, 0 for neither.
    """

    axis: int
    node: int
    power: int


@dataclass(frozen=True, eq=False)
class Weight:
    """One array of an op.

    Attributes:
        field: Its name in the op.
        value: Its numbers.
        axes: What its axes run along; an axis that is not listed stays as it is.
    """

    field: str
    value: Float[np.ndarray, "..."]
    axes: tuple[Axis, ...]


def weights_of(network: Network, index: int) -> tuple[Weight, ...]:
    """The arrays of a node's op.

    Args:
        network: The network.
        index: Index of the node.

    Returns:
        Its arrays; empty for ops without, and for those whose arrays always stay.
    """
    node, op = network.nodes[index], network.nodes[index].op
    out = Axis(0, index, 1)
    if isinstance(op, Dense):
        return (
            Weight("weight", op.weight.numpy(), (out, Axis(1, node.inputs[0], -1))),
            Weight("bias", op.bias.numpy(), (out,)),
        )
    if isinstance(op, Convolution):
        into = () if op.groups > 1 else (Axis(1, node.inputs[0], -1),)
        first = out if op.groups == 1 else Axis(0, index, 0)  # a filter for each channel, or one that stays
        return (Weight("weight", op.weight.numpy(), (first, *into)), Weight("bias", op.bias.numpy(), (out,)))
    if isinstance(op, TransposedConvolution):
        into = (Axis(1, index, 1),) if op.groups == 1 else ()
        first = Axis(0, node.inputs[0], -1 if op.groups == 1 else 0)
        return (Weight("weight", op.weight.numpy(), (first, *into)), Weight("bias", op.bias.numpy(), (out,)))
    if isinstance(op, Scale):
        scale, shift = (np.broadcast_to(part.numpy(), node.shape).reshape(-1) for part in (op.scale, op.shift))
        return (Weight("scale", scale, (Axis(0, index, 0),)), Weight("shift", shift, (out,)))
    if isinstance(op, Activation) and op.slopes.ndim == 2:
        along = (Axis(1, index, 0),)
        return tuple(Weight(name, getattr(op, name).numpy(), along) for name in ("breakpoints", "slopes", "intercepts"))
    return ()


def with_weights(node: Node, weights: Sequence[Weight]) -> Node:
    """A node with other numbers in its arrays.

    Args:
        node: The node.
        weights: The arrays.

    Returns:
        A new node.
    """
    arrays = {weight.field: torch.from_numpy(np.ascontiguousarray(weight.value)) for weight in weights}
    if isinstance(node.op, Scale):
        arrays = {name: array.reshape(node.shape) for name, array in arrays.items()}
    return replace(node, op=replace(node.op, **arrays)) if arrays else node  # type: ignore[type-var]


def along(weight: Weight, axis: Axis, flat: Int[np.ndarray, " size"], shape: tuple[int, ...]) -> Int[np.ndarray, " n"]:
    """An order of a node's flat value as one along an axis of a weight.

    Args:
        weight: The weight.
        axis: One of its axes.
        flat: Old place of each number of the node's value.
        shape: The node's shape.

    Returns:
        Old place of each entry along the axis: numbers, or channels.
    """
    block = len(flat) // weight.value.shape[axis.axis]
    assert len(flat) == math.prod(shape)
    return flat if block <= 1 else flat[::block] // block


def permuted(
    network: Network, weight: Weight, groups: Layouts, permutations: tuple[Int[np.ndarray, " _"], ...]
) -> Weight:
    """A weight with its axes permuted.

    Args:
        network: The network.
        weight: One of its weights.
        groups: Its layouts.
        permutations: For each group the old channel at each new place.

    Returns:
        The weight of the permuted network.
    """
    value = weight.value
    for axis in weight.axes:
        flat = groups.order(axis.node, permutations)
        value = np.take(value, along(weight, axis, flat, network.nodes[axis.node].shape), axis=axis.axis)
    return replace(weight, value=value)
