"""Marching finds all breakpoints, those of the engine, however small its parts; values are those of forward passes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.network import Network
from splinescope.network.ops import Maximum
from splinescope.paths.proof.crossings import crossings
from splinescope.paths.proof.marching import March, Part
from splinescope.tessellation.segments import tessellate_segments
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.paths.nets import NETWORKS, perceptron, seeded
from tests.paths.test_straight import pairs
from tests.seeds import seeds


def marched(
    network: Network, x: np.ndarray, y: np.ndarray, dtype: torch.dtype = torch.float64, numbers: int = 1 << 22
) -> list[Part]:
    return list(March(network, dtype, numbers)(torch.from_numpy(x), torch.from_numpy(y)))


def breakpoints(parts: list[Part]) -> np.ndarray:
    """All points of a march, those where parts meet once."""
    return np.concatenate([parts[0].t[:1].numpy(), *(part.t[1:].numpy() for part in parts)])


@pytest.mark.parametrize("numbers", [1 << 22, 64])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_breakpoints_are_found(name: str, numbers: int) -> None:
    network = NETWORKS[name]
    x, y, _ = pairs(network, 4, seed=3)
    most = 0
    for start, end, cells in zip(x, y, tessellate_segments(network, x, y), strict=True):
        parts = marched(network, start, end, numbers=numbers)
        t = breakpoints(parts)
        assert (np.diff(t) >= 0).all()
        assert all(one.t[-1] == other.t[0] for one, other in itertools.pairwise(parts))
        distance = np.abs(cells.t[:, None] - t).min(axis=1)
        assert distance.max() < 1e-10  # every breakpoint is a point of the march
        others = np.abs(t[:, None] - cells.t).min(axis=1) > 1e-10
        # Where maxima have three members or more, two may meet below a third; other points are breakpoints.
        assert others.mean() < (0.05 if any(isinstance(node.op, Maximum) for node in network.nodes) else 1e-12)
        assert len(parts) == 1 or numbers == 64
        most = max(most, len(parts))
    assert (most > 1) == (numbers == 64)


@pytest.mark.parametrize("seed", seeds(range(0, 20, 3), range(20)))
def test_values_are_those_of_forward_passes(seed: int) -> None:
    network = to_network(random_case(seed).recipe)
    start, end = np.random.default_rng(seed).uniform(-1, 1, size=(2, *network.input_shape))
    for part in marched(network, start, end, numbers=256):
        t = part.t.numpy()
        middles = 0.5 * (t[:-1] + t[1:])
        values = part.outputs.numpy()
        np.testing.assert_allclose(values, network(start + t[:, None] * (end - start)), atol=1e-11)
        # Between its points a march is affine, and so is the network: no fold was missed.
        between = network(start + middles[:, None] * (end - start))
        np.testing.assert_allclose(0.5 * (values[:-1] + values[1:]), between, atol=1e-11)


def test_a_piece_is_the_same_part_of_the_whole() -> None:
    network = NETWORKS["residual"]
    x, y, _ = pairs(network, 1, seed=5)
    march, ends = March(network), (torch.from_numpy(x[0]), torch.from_numpy(y[0]))
    (whole,), (piece,) = list(march(*ends)), list(march(*ends, 0.25, 0.5))
    inside = whole.t[(whole.t > 0.25) & (whole.t < 0.5)]
    torch.testing.assert_close(
        piece.t, torch.cat([torch.tensor([0.25]).double(), inside, torch.tensor([0.5]).double()])
    )


def test_single_precision_is_rounded_only() -> None:
    network = splinescope.load(seeded(perceptron(6, 24, 24, 5)))
    x, y, _ = pairs(network, 5, seed=2)
    for start, end in zip(x, y, strict=True):
        (single,), (double,) = marched(network, start, end, torch.float32), marched(network, start, end)
        assert single.outputs.dtype == torch.float32
        assert len(single.t) == len(double.t)
        assert float((single.t - double.t).abs().max()) < 1e-4
        np.testing.assert_allclose(single.outputs.numpy(), double.outputs.numpy(), atol=1e-5)


def test_a_breakpoint_takes_a_share_of_a_pass() -> None:
    network = splinescope.load(seeded(perceptron(6, 24, 24, 5)))
    x, y, _ = pairs(network, 1, seed=2)
    (part,) = marched(network, x[0], y[0])
    assert 2 < part.passes < len(part.t)


def test_members_that_lead_in_between_are_found() -> None:
    """Of the lines 1 - 4t, t / 2 and 4t - 3 the second is largest around the middle only."""
    net = nn.Sequential(nn.Linear(1, 3), nn.Unflatten(1, (1, 3)), nn.MaxPool1d(3))
    net[0].weight.data, net[0].bias.data = torch.tensor([[-4.0], [0.5], [4.0]]), torch.tensor([1.0, 0.0, -3.0])
    network = splinescope.load(net, input_shape=(1,))
    (part,) = marched(network, np.zeros(1), np.ones(1))
    # The first and the third line meet at 1/2, which is below the second one, and stays a point.
    np.testing.assert_allclose(part.t, [0, 2 / 9, 1 / 2, 6 / 7, 1], atol=1e-15)
    np.testing.assert_allclose(part.outputs.flatten(), [1, 1 / 9, 1 / 4, 3 / 7, 1], atol=1e-15)


def test_folds_within_rounding_of_a_point_are_met() -> None:
    op = splinescope.load(nn.Sequential(nn.Linear(1, 1), nn.ReLU())).nodes[2].op
    values = torch.tensor([[-1e-17], [0.5], [-0.5], [0.0], [1.0]]).double()
    found = crossings(op, values)
    assert found.interval.tolist() == [1]
    assert found.place.tolist() == [0.5]
