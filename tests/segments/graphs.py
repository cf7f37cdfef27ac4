"""Residual networks of the sizes that people have, as engine networks with random weights, batch-norm folded in."""

from __future__ import annotations

import numpy as np
import torch

from splinescope.network import Network, Node
from splinescope.network import ops as engine


class Graph:
    """Collects nodes; each method returns the index of the node that it adds."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.nodes = [Node("input", engine.Input(), (), shape)]
        self._generator = torch.Generator().manual_seed(seed)

    def _add(self, op: engine.Op, inputs: tuple[int, ...], shape: tuple[int, ...]) -> int:
        self.nodes.append(Node(f"{type(op).__name__}_{len(self.nodes)}", op, inputs, shape))
        return len(self.nodes) - 1

    def convolution(self, source: int, channels: int, kernel: int, stride: int = 1) -> int:
        """He normal weights and small biases."""
        before, height, width = self.nodes[source].shape
        fan_in = before * kernel**2
        shape = (channels, before, kernel, kernel)
        weight = torch.randn(shape, generator=self._generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
        bias = 0.1 * torch.randn(channels, generator=self._generator, dtype=torch.float64)
        pad = (kernel - 1) // 2
        sizes = tuple((size + 2 * pad - kernel) // stride + 1 for size in (height, width))
        op = engine.Convolution(weight, bias, (stride, stride), ((pad, pad), (pad, pad)), (1, 1))
        return self._add(op, (source,), (channels, *sizes))

    def relu(self, source: int) -> int:
        """A ReLU."""
        tables = ([0.0], [0.0, 1.0], [0.0, 0.0])
        op = engine.PiecewiseAffine(*(torch.tensor(table, dtype=torch.float64) for table in tables))
        return self._add(op, (source,), self.nodes[source].shape)

    def max_pool(self, source: int) -> int:
        """Windows of size 3, stride 2 and padding 1."""
        channels, height, width = self.nodes[source].shape
        positions = torch.arange(channels * height * width).reshape(channels, height, width)
        padded = torch.nn.functional.pad(positions, (1, 1, 1, 1), value=-1)
        windows = padded.unfold(1, 3, 2).unfold(2, 3, 2)
        shape = tuple(windows.shape[:3])
        return self._add(engine.Maximum(windows.reshape(-1, 9), shape), (source,), shape)

    def total(self, *sources: int) -> int:
        """A sum of two branches, each scaled so that sizes stay."""
        return self._add(engine.Sum((0.5**0.5,) * len(sources)), sources, self.nodes[sources[0]].shape)

    def head(self, source: int, classes: int) -> Network:
        """Mean over the image, and a dense layer."""
        channels, height, width = self.nodes[source].shape
        matrices = tuple(torch.full((1, size), 1 / size, dtype=torch.float64) for size in (height, width))
        mean = self._add(engine.AxisMap(matrices, (1, 2)), (source,), (channels, 1, 1))
        weight = torch.randn((classes, channels), generator=self._generator, dtype=torch.float64) / channels**0.5
        output = self._add(engine.Dense(weight, torch.zeros(classes, dtype=torch.float64)), (mean,), (classes,))
        return Network(tuple(self.nodes), output)


def tiny(seed: int = 0) -> Network:
    """A network with every kind of node."""
    graph = Graph((2, 8, 8), seed)
    x = graph.max_pool(graph.relu(graph.convolution(0, 4, 3)))
    y = graph.relu(graph.convolution(x, 4, 3))
    return graph.head(graph.relu(graph.total(graph.convolution(y, 4, 3), x)), 3)


def resnet20() -> Network:
    """The smallest network for CIFAR of He et al. (2015, arXiv 1512.03385): 0.2 million units."""
    return resnet56(blocks=3)


def resnet56(seed: int = 0, blocks: int = 9) -> Network:
    """The network for CIFAR of He et al. (2015, arXiv 1512.03385): 0.5 million units."""
    graph = Graph((3, 32, 32), seed)
    x = graph.relu(graph.convolution(0, 16, 3))
    for channels in (16, 32, 64):
        for number in range(blocks):
            stride = 2 if number == 0 and channels > 16 else 1
            y = graph.relu(graph.convolution(x, channels, 3, stride))
            y = graph.convolution(y, channels, 3)
            x = graph.relu(graph.total(y, x if stride == 1 else graph.convolution(x, channels, 1, 2)))
    return graph.head(x, 10)


def resnet50_on_icons() -> Network:
    """The same layers and weights as for 224 x 224 images, for 64 x 64: 0.8 million units."""
    return resnet50(size=64)


def resnet50(seed: int = 0, size: int = 224) -> Network:
    """The network for 224 x 224 images, with bottlenecks and a max-pool: 9.8 million units, 25.6 million weights."""
    graph = Graph((3, size, size), seed)
    x = graph.max_pool(graph.relu(graph.convolution(0, 64, 7, 2)))
    for width, depth, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(depth):
            stride = first if number == 0 else 1
            y = graph.relu(graph.convolution(x, width, 1))
            y = graph.relu(graph.convolution(y, width, 3, stride))
            y = graph.convolution(y, 4 * width, 1)
            x = graph.relu(graph.total(y, x if number else graph.convolution(x, 4 * width, 1, stride)))
    return graph.head(x, 1000)


def near(shape: tuple[int, ...], distance: float, seed: int = 0) -> np.ndarray:
    """[2, *shape] a random input, and one at a relative distance."""
    start, step = np.random.default_rng(seed).normal(size=(2, *shape))
    return np.stack([start, start + distance * step])
