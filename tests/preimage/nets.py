"""Networks of a formula, and chains of circulant layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

import splinescope
from splinescope import Box, Network
from splinescope.preimage import Circulant
from tests.reference.preimages import Layer


def formula(widths: Sequence[int], seed: int) -> list[Layer]:
    """Normal weights times sqrt(2 / in), then biases uniform in [-1, 1], layer by layer."""
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        W = rng.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs)
        layers.append((W, rng.uniform(-1, 1, outputs)))
    return layers


def network(layers: Sequence[Layer], *, last: bool = False) -> Network:
    """Layers with ReLUs between them, and behind the last one if that is asked for."""
    modules: list[torch.nn.Module] = []
    for W, b in layers:
        linear = torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.from_numpy(W.copy()), torch.from_numpy(b.copy())
        modules += [linear, torch.nn.ReLU()]
    return splinescope.load(torch.nn.Sequential(*(modules if last else modules[:-1])))


def chain(kernel: Sequence[float], layers: int, size: int = 3, bias: float = -0.3) -> Network:
    """A chain of equal circulant layers with ReLUs."""
    matrix = Circulant.of(kernel, size, bias).matrix
    return network([(matrix, np.full(size, bias))] * layers, last=True)


def cube(dimension: int, low: float = -1.0, high: float = 1.0) -> Box:
    return Box([low] * dimension, [high] * dimension)
