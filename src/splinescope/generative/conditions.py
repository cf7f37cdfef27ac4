"""Conditional generators whose condition is a part of their input: what is left of them when it is given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import check_shape
from splinescope.network import Network
from splinescope.network.graph import Node
from splinescope.network.ops import Dense, Input, Reshape
from splinescope.numerics import check_finite


def conditioned(
    generator: Any, numbers: Mapping[int, float], input_shape: tuple[int, ...] | None = None
) -> nn.Sequential | Network:
    """A generator of fewer latents: some numbers of its input are given, as a class or another condition may be.

    Conditions that are an input of their own are given by `splinescope.load(..., fixed=...)`, or drawn with the latents
    by `VolumeSampler(..., condition=...)`.

    Args:
        generator: A module or a network.
        numbers: Values of the given numbers by their places in the flat input, from 0.
        input_shape: Shape of one input, condition and latents together; that of a network if None.

    Returns:
        The generator of the other numbers, flat and in their order: a module of a module, a network of a network. It
        shares the weights. Cost: none; each call multiplies with a matrix of zeros and ones.

    Raises:
        InvalidInputError: If there are no such places, a value is not finite, or no latent is left.

    Example:
        >>> both = torch.nn.Linear(3, 2)
        >>> conditioned(both, {0: 1.0}, (3,))(torch.zeros(4, 2)).shape
        torch.Size([4, 2])
    """
    if not isinstance(generator, nn.Module | Network):
        raise InvalidInputError(f"`generator`: got {type(generator).__name__}; expected a module or a network")
    shape = generator.input_shape if isinstance(generator, Network) else input_shape
    if shape is None:
        raise InvalidInputError("`input_shape`: not given; expected the shape of condition and latents together")
    shape = check_shape("input_shape", shape)
    size = math.prod(shape)
    if not isinstance(numbers, Mapping):
        raise InvalidInputError(
            f"`numbers`: got {type(numbers).__name__}; expected values by their places, as in {{0: 1.0}}"
        )
    if not all(type(place) is int and 0 <= place < size for place in numbers) or len(numbers) >= size:
        raise InvalidInputError(
            f"`numbers`: got places {list(numbers)}; expected some from 0 to {size - 1}, and at least one left over"
        )
    numbers = {place: check_finite("numbers", value) for place, value in numbers.items()}
    free = [place for place in range(size) if place not in numbers]
    matrix = torch.zeros(size, len(free), dtype=torch.float64)
    matrix[free, torch.arange(len(free))] = 1.0
    offset = torch.tensor([float(numbers.get(place, 0.0)) for place in range(size)], dtype=torch.float64)
    if isinstance(generator, Network):
        return _of_network(generator, matrix, offset)
    first = nn.utils.skip_init(nn.Linear, len(free), size, dtype=torch.float64)
    first.weight, first.bias = (nn.Parameter(value, requires_grad=False) for value in (matrix, offset))
    like = next((p for p in (*generator.parameters(), *generator.buffers()) if p.is_floating_point()), None)
    first = first if like is None else first.to(like)
    shaped = [nn.Unflatten(1, shape)] if len(shape) > 1 else []
    return nn.Sequential(first, *shaped, generator).eval()


def _of_network(network: Network, matrix: torch.Tensor, offset: torch.Tensor) -> Network:
    shape = network.input_shape
    nodes = [
        Node("latents", Input(), (), (matrix.shape[1],)),
        Node("condition", Dense(matrix, offset), (0,), (len(matrix),)),
    ]
    if len(shape) > 1:
        nodes.append(Node("condition:reshape", Reshape(shape), (1,), shape))
    shift = len(nodes) - 1
    nodes += [replace(node, inputs=tuple(source + shift for source in node.inputs)) for node in network.nodes[1:]]
    return replace(network, nodes=tuple(nodes), output=network.output + shift)
