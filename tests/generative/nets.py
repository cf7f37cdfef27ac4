"""Generators by formula, and such whose manifolds are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

import splinescope
from splinescope.tessellation.complex import PolyhedralComplex


def formula_net(sizes: list[int], seed: int) -> nn.Sequential:
    """Weights and biases that anyone can make again: Gaussian and uniform numbers of NumPy's generator, in float64."""
    rng = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in))
        layer.bias.data = torch.from_numpy(rng.uniform(-1, 1, n_out))
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cells_of(module: nn.Module, dimension: int) -> PolyhedralComplex:
    """The cells of a generator on [-1, 1]^d."""
    low, high = [-1.0] * dimension, [1.0] * dimension
    if dimension == 1:
        return splinescope.tessellate(module, splinescope.Segment(low, high))
    domain = splinescope.Slice.box(low, high) if dimension == 2 else splinescope.Box(low, high)
    return splinescope.tessellate(module, domain)


class Roof(nn.Module):
    """The surface (x, y, |x|): two sheets of area 2 sqrt(2) each over [-1, 1]^2."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z, z[:, :1].abs()], dim=1)


class Folded(nn.Module):
    """(|x|, y): one half of the plane laid onto the other."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0].abs(), z[:, 1]], dim=1)


class Uneven(nn.Module):
    """The line is stretched threefold on one side: (x, 3 x) with x > 0, (x, 0) else."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z, 3 * torch.relu(z)], dim=1)
