"""Chains of equal square layers with ReLUs, as the figures of cones and contraction have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from splinescope.preimage import Circulant

Layers = Sequence[tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]]
"""Pairs of a matrix and an offset."""


def circulant_layers(kernels: Sequence[Sequence[float]], biases: Sequence[float]) -> Layers:
    """Circulant layers, one for each kernel and bias.

    Args:
        kernels: [layers, d] kernels.
        biases: [layers] biases.

    Returns:
        Their matrices and offsets.
    """
    return [
        (Circulant.of(kernel, len(kernel)).matrix, np.full(len(kernel), bias))
        for kernel, bias in zip(kernels, biases, strict=True)
    ]


def chain(layers: Layers) -> nn.Sequential:
    """Layers as a module, a ReLU behind each.

    Args:
        layers: Matrices and offsets.

    Returns:
        The module, in float64.
    """
    parts: list[nn.Module] = []
    for W, b in layers:
        linear = nn.utils.skip_init(nn.Linear, W.shape[1], W.shape[0], dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.from_numpy(W.copy()), torch.from_numpy(b.copy())
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts)


def last_apex(layers: Layers) -> Float[np.ndarray, " d"]:
    """The input that all layers of full rank take to a point just at zero: what is beyond it is never cut.

    Args:
        layers: Matrices and offsets.

    Returns:
        The input.
    """
    x: np.ndarray = np.zeros(len(layers[0][1]))
    for W, b in reversed(layers):
        x = np.linalg.solve(W, x - b)
    return x
