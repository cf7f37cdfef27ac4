"""Modules with batch-norm of every kind, in float64, with statistics that are not the initial ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from splinescope import models


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Residual(nn.Module):
    """Batch-norm behind a convolution, behind a sum, and behind a layer that feeds something else, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1))
        self.after_sum = nn.BatchNorm2d(4)
        self.shared = nn.Conv2d(4, 4, 1)
        self.beside = nn.BatchNorm2d(4, affine=False)
        self.head = nn.Linear(4 * 5 * 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(self.after_sum(x + self.block(x)))
        y = self.shared(x)
        return self.head((torch.relu(self.beside(y)) + y).flatten(1))


class Untraceable(nn.Module):
    """Its course depends on a value, so that symbolic tracing fails."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(3, 5), nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.linear(x))
        return y.relu() if x.sum() > -1e9 else y


def mlp() -> nn.Module:
    return models.batchnorm_mlp([2, 8, 7, 3], bias_deviation=0.5, generator=seeded(), dtype=torch.float64)


def sequence() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 3, 2, stride=2), nn.BatchNorm1d(3, eps=0.1)
    )


def volume() -> nn.Module:
    return nn.Sequential(nn.BatchNorm3d(2), nn.Conv3d(2, 3, 2, groups=1), nn.BatchNorm3d(3), nn.LeakyReLU(0.1))


def along_channels() -> nn.Module:
    """The linear layer works along the last axis, batch-norm on the one before."""
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(5), nn.ReLU())


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (2,)),
    "residual": (Residual, (1, 5, 5)),
    "sequence": (sequence, (2, 9)),
    "volume": (volume, (2, 4, 4, 4)),
    "untraceable": (Untraceable, (3,)),
    "along_channels": (along_channels, (5, 4)),
    "single": (lambda: nn.BatchNorm1d(3), (3,)),
}


def case(name: str) -> tuple[nn.Module, Tensor]:
    """A module whose weights, gamma, beta and running statistics are random, and a batch."""
    make, shape = CASES[name]
    generator = seeded(len(name))
    module = make().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.6, generator=generator)
        for norm in module.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.running_mean.normal_(generator=generator)
                norm.running_var.uniform_(0.3, 3.0, generator=generator)
                if norm.weight is not None:
                    norm.weight.add_(1.0)
    return module, torch.randn(12, *shape, generator=generator, dtype=torch.float64)
