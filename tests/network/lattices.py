"""Two-level lattice networks: a maximum of minima of affine functions, in layers of mostly zeros."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def two_level_lattice(count: int, seed: int = 0, inputs: int = 2) -> tuple[nn.Sequential, list[np.ndarray]]:
    """A network of the maximum of minima of affine functions.

    Args:
        count: Number of affine functions, of minima, and of functions in each, which may repeat; a power of two.
        seed: Of the functions and of which ones are in a minimum.
        inputs: Number of inputs.

    Returns:
        The network in float64; and the functions' weights, their offsets, and which ones are in each minimum.
    """
    rng = np.random.default_rng(seed)
    weights, offsets = rng.normal(size=(count, inputs)), 0.3 * rng.normal(size=count)
    chosen = rng.integers(0, count, (count, count))
    layers: list[nn.Module] = [_linear(weights, offsets), _linear(np.eye(count)[chosen.reshape(-1)])]
    for groups, sign in ((count, -1), (1, 1)):
        size = count
        while size > 1:
            layers += _pairs(groups * size, sign)
            size //= 2
    return nn.Sequential(*layers), [weights, offsets, chosen]


def _pairs(count: int, sign: int) -> list[nn.Module]:
    """The lesser (-1) or larger one (1) of each two numbers that follow each other: (a + b + sign |a - b|) / 2."""
    signs = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])
    first = np.kron(np.eye(count // 2), signs)
    second = np.kron(np.eye(count // 2), np.array([0.5, -0.5, 0.5 * sign, 0.5 * sign]))
    return [_linear(first), nn.ReLU(), _linear(second)]


def _linear(weight: np.ndarray, bias: np.ndarray | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(np.zeros(len(weight)) if bias is None else bias))
    return layer
