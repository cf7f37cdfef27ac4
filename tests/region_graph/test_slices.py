"""Region graphs beside the engines with vertices, on slices of the networks of the assets and on convolutions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import splinescope
from splinescope.network import Network
from splinescope.tessellation.region_graph import RegionGraph, region_graph
from tests.network.assets import ABSENT, ASSETS
from tests.region_graph.nets import random_net
from tests.seeds import large


def acas() -> Network:
    path = ASSETS / "models" / "acasxu_open" / "ACASXU_run2a_1_1_batch_2000.onnx"
    if not path.exists():
        pytest.skip(ABSENT)
    return splinescope.load(path)


def directions(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Orthonormal directions."""
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(int(np.prod(shape)), count)))[0].T.reshape(count, *shape)


def cube(network: Network, count: int, half: float, seed: int = 0) -> splinescope.Slice:
    """A cube in a random slice through the origin."""
    corners = half * np.array(list(itertools.product((-1.0, 1.0), repeat=count)))
    if count == 2:
        corners = corners[[0, 1, 3, 2]]
    shape = network.input_shape
    return splinescope.Slice(np.zeros(shape), directions(count, shape, seed), corners)


def assert_agrees(graph: RegionGraph, cells: splinescope.PolyhedralComplex) -> None:
    """The same patterns, and the same pairs of neighbours."""
    assert len(graph) == len(cells)
    assert graph.complete
    number = graph.locate(cells.interior_points)
    assert sorted(number.tolist()) == list(range(len(graph)))
    np.testing.assert_array_equal(graph.patterns[number], cells.patterns)
    np.testing.assert_array_equal(cells.locate(graph.interior_points)[number], np.arange(len(cells)))
    rows, columns = cells.adjacency.nonzero()
    expected = set(zip(number[rows].tolist(), number[columns].tolist(), strict=True))
    assert set(zip(*(side.tolist() for side in graph.adjacency.nonzero()), strict=True)) == expected


@pytest.mark.parametrize("dimension", [2, 3])
def test_acas_xu_slices(dimension: int) -> None:
    """A controller of five inputs: in slices the engine with vertices finds the same cells and neighbours."""
    network = acas()
    domain = cube(network, dimension, 0.1 if dimension == 2 else 0.04)
    assert_agrees(region_graph(network, domain, verify="proof"), splinescope.tessellate(network, domain))


def test_acas_xu_box() -> None:
    """All cells that points of a five-dimensional box show are there; a slice meets some of them."""
    network = acas()
    half = np.full(network.input_shape, 0.015)
    graph = region_graph(network, splinescope.Box(-half, half), verify="proof")
    assert graph.complete
    assert len(graph) > 100
    part = cube(network, 2, 0.015 / np.sqrt(5))
    cells = splinescope.tessellate(network, part)
    found = graph.locate(graph.domain.project(part.embed(cells.interior_points)))
    assert (found >= 0).all()
    np.testing.assert_array_equal(graph.patterns[found], cells.patterns)


def test_mnist_slice() -> None:
    """Three dimensions of 784."""
    network = random_net((784, 20, 20, 10), seed=5, bias=0.2)
    domain = splinescope.Slice.through(np.zeros(784), dimension=3, radius=3.0)
    assert_agrees(region_graph(network, domain, verify="proof"), splinescope.tessellate(network, domain))


class Convolutional(torch.nn.Module):
    """Convolution, max-pool, residual sum, clip."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 3, 3, padding=1)
        self.second = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.last = torch.nn.Linear(3 * (size // 2) ** 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        x = x + torch.nn.functional.leaky_relu(self.second(x), 0.1)
        x = torch.nn.functional.max_pool2d(x, 2)
        return torch.nn.functional.hardtanh(self.last(x.flatten(1)))


@pytest.mark.parametrize(("dimension", "half", "size"), [(2, 0.6, 6), (3, 0.3, 4), large(3, 0.3, 6)])
def test_convolutions_pools_and_sums(dimension: int, half: float, size: int) -> None:
    torch.manual_seed(1)
    network = splinescope.load(Convolutional(size).double().eval(), input_shape=(1, size, size))
    domain = cube(network, dimension, half)
    assert_agrees(region_graph(network, domain, verify="proof"), splinescope.tessellate(network, domain))
