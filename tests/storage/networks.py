"""Small networks that between them have every op, head and layout of weights."""

from __future__ import annotations

import torch
from torch import nn

import splinescope
from splinescope.network import Network, Node, ops
from splinescope.network.heads import Head


class Skips(nn.Module):
    """Two blocks: one whose input is added to its output, one whose input is put beside it; then a max-pool."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, 6), nn.Linear(6, 6)
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.relu(self.first(x))
        b = a - 0.5 * torch.nn.functional.hardtanh(self.second(a))
        pooled = torch.nn.functional.max_pool1d(torch.cat([a, b], dim=1)[:, None], 2)[:, 0]
        return torch.log_softmax(self.last(pooled), dim=1)


def relu(inputs: int) -> Network:
    """Two layers of ReLUs."""
    torch.manual_seed(inputs)
    layers = [nn.Linear(inputs, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2)]
    return splinescope.load(nn.Sequential(*layers), input_shape=(inputs,))


def skips(inputs: int) -> Network:
    """See `Skips`."""
    torch.manual_seed(inputs)
    return splinescope.load(Skips(inputs).eval(), input_shape=(inputs,))


def image() -> Network:
    """A convolution whose weights lie in memory with channels last, batch-norm, a max-pool over pixels, a softmax."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 3, 3, padding=1).to(memory_format=torch.channels_last)
    layers = [convolution, nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1)]
    return splinescope.load(nn.Sequential(*layers).eval(), input_shape=(2, 4, 4))


def every_op() -> Network:
    """One node of each op, with optional fields given, and not given."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def numbers(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    channels = random(4, 2, 3, 3).to(memory_format=torch.channels_last)
    kinked = ops.PiecewiseAffine(numbers(-1, 0.5), numbers(0.25, 1, 2), numbers(-0.75, 0, -0.5))
    own_slopes = ops.PiecewiseAffine(numbers(0).expand(1, 32), random(2, 32), numbers(0).expand(2, 32))
    stages = [
        (ops.Convolution(channels, random(4), (1, 1), ((1, 1), (0, 2)), (1, 1)), (4, 4, 4)),
        (kinked, (4, 4, 4)),
        (ops.TransposedConvolution(random(4, 1, 2, 2), random(2), (1, 1), ((0, 1), (1, 0)), (1, 1), 2), (2, 4, 4)),
        (ops.Scale(random(2, 1, 1), random(1).expand(2, 4, 4)), (2, 4, 4)),
        (own_slopes, (2, 4, 4)),
        (ops.Select(torch.arange(32).reshape(2, 4, 4).flip(1), random(2, 4, 4)), (2, 4, 4)),
        (ops.AxisMap((random(3, 4), random(2, 4).T.contiguous().T), (1, 2)), (2, 3, 2)),
        (ops.SharedDense(random(2, 5).T, random(5)), (2, 3, 5)),
        (ops.Maximum(torch.tensor([[0, 1, 2], [3, 4, -1], [5, 7, 29], [8, 9, 10]]), (2, 2)), (2, 2)),
        (ops.Reshape((4,)), (4,)),
        (ops.Clip(-random(4).abs(), random(4).abs()), (4,)),
        (ops.Dense(random(4, 8)[:, ::2], random(4)), (4,)),
    ]  # fmt: skip
    nodes = [Node("input", ops.Input(), (), (2, 4, 4))]
    for number, (op, shape) in enumerate(stages):
        nodes.append(Node(f"stage.{number}", op, (number,), shape))
    last = len(stages)
    nodes.append(Node("sum", ops.Sum([1.0, -0.25]), (last - 1, last), (4,)))
    nodes.append(Node("beside", ops.Concatenate(0), (last, last + 1), (8,)))
    nodes.append(Node("groups", ops.Maximum(torch.tensor([[0, 4], [1, 5], [6, -1]])), (last + 2,), (3,)))
    nodes.append(Node("chosen", ops.Select(torch.tensor([2, -1, 0])), (last + 3,), (3,)))
    return Network(tuple(nodes), len(nodes) - 1, Head("softmax", 0, (3,)))
