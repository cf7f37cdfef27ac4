"""Regions as sets where one number is positive: the network with that number as its last, folded, unit."""

from __future__ import annotations

import math

import torch

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node
from splinescope.network.ops import Dense, Maximum, Op, PiecewiseAffine, Select, Sum


def above_level(network: Network, level: float, output: int, below: bool = False) -> Network:
    """The network whose output is the positive part of one output's distance from a level.

    Args:
        network: The network.
        level: The level.
        output: Which output.
        below: Whether smaller values count.

    Returns:
        A network whose last node folds where the output is the level.

    Raises:
        InvalidInputError: If there is no such output, or the level is not finite.
    """
    outputs = math.prod(network.output_shape)
    if not 0 <= output < outputs:
        raise InvalidInputError(f"`output`: got {output}; expected from 0 to {outputs - 1}")
    if not math.isfinite(level):
        raise InvalidInputError(f"`above`: got {level}; expected a finite number")
    sign = -1.0 if below else 1.0
    row = torch.zeros(1, outputs, dtype=torch.float64)
    row[0, output] = sign
    shift = torch.tensor([-sign * level], dtype=torch.float64)
    return _with(network, [(Dense(row, shift), (network.output,))])


def within_class(network: Network, label: int) -> Network:
    """The network whose output is the positive part of one class's margin over all others.

    Args:
        network: The network; with one output, class 1 is where it is positive and class 0 where it is negative.
        label: The class.

    Returns:
        A network whose last node folds at the border of the class.

    Raises:
        InvalidInputError: If there is no such class.
    """
    classes = network.num_classes
    if not 0 <= label < classes:
        raise InvalidInputError(f"`class_index`: got {label}; expected from 0 to {classes - 1}")
    if math.prod(network.output_shape) == 1:
        return above_level(network, 0.0, 0, below=label == 0)
    others = torch.tensor([[other for other in range(classes) if other != label]])
    first = len(network.nodes[: network.output + 1])
    rival: Op = Maximum(others) if classes > 2 else Select(others[0])
    steps: list[tuple[Op, tuple[int, ...]]] = [
        (Select(torch.tensor([label])), (network.output,)),
        (rival, (network.output,)),
        (Sum((1.0, -1.0)), (first, first + 1)),
    ]
    return _with(network, steps)


def _with(network: Network, steps: list[tuple[Op, tuple[int, ...]]]) -> Network:
    """The network with further nodes of one number each, and a ReLU."""
    nodes = list(network.nodes[: network.output + 1])
    zero, one = torch.zeros(1, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    relu = PiecewiseAffine(breakpoints=zero, slopes=one, intercepts=torch.zeros(2, dtype=torch.float64))
    for op, inputs in steps:
        nodes.append(Node("margin", op, inputs, (1,)))
    nodes.append(Node("region", relu, (len(nodes) - 1,), (1,)))
    return Network(nodes=tuple(nodes), output=len(nodes) - 1, import_report=network.import_report)
