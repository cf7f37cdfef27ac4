"""Small networks of this study's tests."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import torch
from torch import nn


def formula_module(widths: list[int], seed: int) -> nn.Sequential:
    """A ReLU network in float64 with the weights of a formula."""
    rng = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layer = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(rng.standard_normal((fan_out, fan_in)) * np.sqrt(2 / fan_in))
        layer.bias.data = torch.from_numpy(rng.uniform(-1, 1, fan_out))
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def rational_outputs(module: nn.Sequential, x: list[Fraction]) -> list[Fraction]:
    """Outputs of such a network in rational arithmetic."""
    values = list(x)
    for layer in module:
        if isinstance(layer, nn.ReLU):
            values = [max(value, Fraction(0)) for value in values]
            continue
        rows, offsets = layer.weight.tolist(), layer.bias.tolist()
        values = [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(offset))
            for row, offset in zip(rows, offsets, strict=True)
        ]
    return values


class Residual(nn.Module):
    """A small residual network with batch-norm, max-pool and a shortcut of its own width."""

    def __init__(self, channels: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.one = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_one = nn.BatchNorm2d(channels)
        self.two = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_two = nn.BatchNorm2d(channels)
        self.wide = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.norm_wide = nn.BatchNorm2d(2 * channels)
        self.shortcut = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.norm_shortcut = nn.BatchNorm2d(2 * channels)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(2 * channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        y = torch.relu(self.norm_one(self.one(x)))
        x = torch.relu(x + self.norm_two(self.two(y)))
        x = torch.relu(self.norm_wide(self.wide(x)) + self.norm_shortcut(self.shortcut(x)))
        return self.head(self.pool(x).mean(dim=(2, 3)))


def woken(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """The module in eval mode with random weights, and batch-norm statistics that matter."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
        for name, parameter in module.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.abs_().add_(0.3)
    return module.eval()
