"""Modules, data and the direct loss that the tests of the landscape share."""

from __future__ import annotations

import gzip
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.network.assets import ASSETS


def formula_net(widths: list[int], seed: int, *, biases: bool = True) -> nn.Sequential:
    """He normal weights and uniform biases in float64, drawn layer by layer."""
    rng, layers = np.random.default_rng(seed), []
    for n, m in itertools.pairwise(widths):
        weight, bias = rng.standard_normal((m, n)) * np.sqrt(2 / n), rng.uniform(-1, 1, m)
        linear = nn.Linear(n, m).double()
        linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias * biases)})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def mnist(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first training images, divided by 255, and their labels."""
    folder = ASSETS / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the gold numbers are of MNIST")
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 784 * count)[16:], np.uint8).reshape(count, 784) / 255
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + count)[8:], np.uint8)
    return images, labels


class Residual(nn.Module):
    """Two blocks with skips, the second one with a maximum over pairs."""

    def __init__(self, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(4, 3)
        self.activation = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.first(x))
        x = x + self.activation(self.inner(x))
        return self.last(x.reshape(len(x), 4, 2).amax(dim=2))


class Shared(nn.Module):
    """A linear layer on each row of a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.last = nn.Linear(4, 5), nn.Linear(15, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.rows(x)).flatten(1))


def conv_net() -> nn.Sequential:
    """Convolutions with batch-norm, groups, strides, dilation, max-pooling and average pooling."""
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, groups=2, padding=1, stride=2), nn.LeakyReLU(0.1), nn.Conv2d(6, 4, 2, dilation=2),
        nn.ReLU(), nn.AvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    net[1].running_mean.normal_(generator=generator)
    net[1].running_var.uniform_(0.5, 2.0, generator=generator)
    nn.init.uniform_(net[1].weight, 0.5, 2.0, generator=generator)
    return net


def up_net() -> nn.Sequential:
    """A transposed convolution in groups, behind and before dense layers."""
    return nn.Sequential(
        nn.Linear(3, 12), nn.ReLU(), nn.Unflatten(1, (4, 3)),
        nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(30, 3),
    )  # fmt: skip


def seeded(build: object, seed: int = 0) -> nn.Module:
    """A module in float64 and eval mode, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().double().eval()  # type: ignore[operator]


def direct_loss(module: nn.Module, parameters: dict[str, Tensor], x: Tensor, y: Tensor, loss: str) -> Tensor:
    """The loss as one would write it, with some parameters replaced."""
    outputs = functional_call(module, parameters, (x,)).flatten(1)
    if loss == "squared":
        wanted = nn.functional.one_hot(y.long(), outputs.shape[1]).double() if y.ndim == 1 else y
        return (outputs - wanted).square().sum(dim=1).mean()
    return nn.functional.cross_entropy(outputs, y.long() if y.ndim == 1 else y)
