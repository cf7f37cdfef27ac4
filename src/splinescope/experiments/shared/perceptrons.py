"""Perceptrons that others trained, from files of their weights alone."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from splinescope.errors import InvalidInputError


def read_perceptron(name: str, path: str) -> nn.Sequential:
    """A perceptron with ReLU whose layers are the matrices of a state dict in their order.

    Args:
        name: The argument, for errors.
        path: The file.

    Returns:
        The module, in float64 and eval mode.

    Raises:
        InvalidInputError: If the file is of something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        layers = [(value, state[key[:-6] + "bias"]) for key, value in state.items() if key.endswith("weight")]
        fits = all(one[0].shape[0] == two[0].shape[1] for one, two in pairwise(layers)) and len(layers) > 1
    except Exception as error:  # torch reads old formats as pickle opcodes, which fail in any way
        raise InvalidInputError(f"`{name}`: {path} cannot be read as a state dict: {error}") from error
    if not fits:
        raise InvalidInputError(f"`{name}`: {path} is not of a perceptron: expected matrices that follow each other")
    modules: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.utils.skip_init(nn.Linear, *reversed(weight.shape), dtype=torch.float64)
        linear.weight.data, linear.bias.data = weight.double(), bias.double()
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1]).eval()
