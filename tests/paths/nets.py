"""Networks of every kind of graph, small enough for naive checks."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

import splinescope
from splinescope.network import Network
from tests.fixtures.lazily import Lazily
from tests.segments.graphs import tiny


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 with weights that keep the size of values, and random batch statistics."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            scale = (2 / fan_in) ** 0.5 if parameter.ndim > 1 else 0.3
            shift = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.normal_(0, scale, generator=generator).add_(shift)
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0, generator=generator)
            elif name.endswith("running_mean"):
                buffer.normal_(0, 0.3, generator=generator)
    return module


def perceptron(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


class Block(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv2(torch.relu(self.conv1(x)))) + x)


class Residual(nn.Module):
    """Two blocks, a max-pool between them, and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3, padding=1)
        self.layer1, self.pool, self.layer2 = nn.Sequential(Block(3)), nn.MaxPool2d(2), nn.Sequential(Block(3))
        self.linear = nn.Linear(27, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.pool(self.layer1(torch.relu(self.stem(x)))))
        return torch.softmax(self.linear(x.flatten(1)), 1)


class Dense(nn.Module):
    """Layers that read all earlier ones side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 6), nn.Linear(10, 6), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, torch.relu(self.first(x))], 1)
        x = torch.cat([x, torch.nn.functional.hardtanh(self.second(x))], 1)
        return self.last(x)


def convnet() -> nn.Sequential:
    """Two convolutions, a max-pool and a linear layer."""
    first = [nn.Conv2d(2, 4, 3), nn.LeakyReLU(0.1), nn.MaxPool2d(2)]
    return nn.Sequential(*first, nn.Conv2d(4, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3))


def _loaded(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> Callable[[], Network]:
    return lambda: splinescope.load(seeded(make()), input_shape=shape)


NETWORKS = Lazily(
    {
        "perceptron": _loaded(lambda: perceptron(5, 8, 8, 3), (5,)),
        "convnet": _loaded(convnet, (2, 6, 6)),
        "residual": _loaded(Residual, (2, 6, 6)),
        "dense": _loaded(Dense, (4,)),
        "tiny": tiny,
    }
)
"""One network of each kind."""
