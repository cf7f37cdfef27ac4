"""Two networks side by side as one network, with their difference and the contests of their classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node, nodes_behind
from splinescope.network.ops import Concatenate, Op, Reshape, Sum
from splinescope.tessellation.contest import competing, with_winner

_MOST = 1000
"""Outputs beyond which comparing them all is no classification."""


@dataclass(frozen=True, eq=False)
class Joint:
    """Two networks as one.

    Attributes:
        network: Its flat output holds the difference $a - b$, then the outputs of $a$, then those of $b$, then one
            number for each contest.
        outputs: Number of outputs of each of the two.
        contests: For each of the two the node that folds where its class changes; none where outputs are no classes.
        labels: The classes that compete; the piece of a contest is the place of the class among them.
    """

    network: Network
    outputs: int
    contests: tuple[int, ...]
    labels: tuple[int, ...]


def join(a: Network, b: Network, classes: Sequence[int] | None = None) -> Joint:
    """Put two networks side by side: one input, and what both have in common from there on once only.

    Layers that both have, bit for bit, are one layer; so a copy whose head was trained anew costs its head. The
    contests of the classes are folds like any other: on a cell of the joint network both classes are constant.

    Args:
        a: A network.
        b: A network of as many inputs and outputs; the shape of its input may be another.
        classes: Outputs that compete; all if None.

    Returns:
        The joint network. Cost: none, weights are shared.

    Raises:
        InvalidInputError: If their numbers of inputs or outputs differ, or `classes` are no outputs.
    """
    _check(a, b)
    size = math.prod(a.output_shape)
    contests = classes is not None or (len(a.output_shape) <= 1 and size <= _MOST)
    labels = competing(a, classes) if contests else np.empty(0, np.int64)
    nodes: list[Node] = []
    parts, winners = [], []
    for name, network in (("a", a), ("b", b)):
        whole = with_winner(_with_flat_output(network), labels) if contests else _with_flat_output(network)
        places = _add(nodes, whole, name)
        parts.append(places[whole.output if not contests else whole.nodes[whole.output].inputs[0]])
        winners += [places[whole.output]] if contests else []
    nodes.append(Node("difference", Sum((1.0, -1.0)), tuple(parts), (size,)))
    read = (len(nodes) - 1, *parts, *winners)
    nodes.append(Node("joint", Concatenate(0), read, (sum(nodes[index].size for index in read),)))
    return Joint(Network(tuple(nodes), len(nodes) - 1), size, tuple(winners), tuple(int(label) for label in labels))


def _check(a: Network, b: Network) -> None:
    for what, one, other in (
        ("inputs", a.input_shape, b.input_shape),
        ("outputs", a.output_shape, b.output_shape),
    ):
        if math.prod(one) != math.prod(other):
            raise InvalidInputError(
                f"`b`: its {what} have shape {other}, those of `a` {one}; expected two networks of as many {what}"
            )


def _with_flat_output(network: Network) -> Network:
    """The part of a network that its output needs, with the output as a vector."""
    needed = nodes_behind(network.nodes, (0, network.output))
    place = {index: number for number, index in enumerate(needed)}
    nodes = [
        replace(network.nodes[index], inputs=tuple(place[source] for source in network.nodes[index].inputs))
        for index in needed
    ]
    output = place[network.output]
    size = nodes[output].size
    if nodes[output].shape != (size,):
        nodes.append(Node("flat output", Reshape((size,)), (output,), (size,)))
        output = len(nodes) - 1
    return Network(tuple(nodes), output)


def _add(nodes: list[Node], network: Network, name: str) -> list[int]:
    """Append the nodes of a network to those that are there, but for those that are there already.

    Returns:
        The place of each node.
    """
    places: list[int] = []
    for node in network.nodes:
        inputs = tuple(places[source] for source in node.inputs)
        found = _found(nodes, node, inputs)
        if found is None:
            nodes.append(replace(node, inputs=inputs, name=f"{name}: {node.name}" if node.inputs else node.name))
            found = len(nodes) - 1
        elif nodes[found].shape != node.shape:  # two inputs of different shapes
            nodes.append(Node(f"{name}: {node.name}", Reshape(node.shape), (found,), node.shape))
            found = len(nodes) - 1
        places.append(found)
    return places


def _found(nodes: list[Node], node: Node, inputs: tuple[int, ...]) -> int | None:
    """A node that is there and does the same to the same values."""
    same = (k for k, other in enumerate(nodes) if other.inputs == inputs and same_op(other.op, node.op))
    return next(same, None)


def same_op(one: Op, other: Op) -> bool:
    """Whether two ops are the same to the last bit of their weights.

    Args:
        one: An op.
        other: Another.

    Returns:
        Whether they are.
    """
    names = getattr(type(one), "__dataclass_fields__", ())  # every op is a dataclass; the rest of `vars` is cached
    return type(one) is type(other) and all(_same(getattr(one, name), getattr(other, name)) for name in names)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple | list):
        return isinstance(other, tuple | list) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.shape == other.shape and torch.equal(one, other)
    return bool(one == other)
