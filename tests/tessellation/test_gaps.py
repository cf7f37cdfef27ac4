"""Gaps hold at random convex combinations of corners, are sharp for one unit, and vanish where nothing folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.geometry.gaps import number_consecutively
from splinescope.network import Network
from splinescope.tessellation.enclosure import Gaps
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, RELU, Kind, clip, leaky
from tests.paths.nets import perceptron, seeded
from tests.queries.scenes import gaussian
from tests.spatial.cases import dense_skips, residual

KINDS: dict[str, Kind] = {"relu": RELU, "abs": ABS, "leaky": leaky(0.1), "steep": leaky(-1.5), "clip": clip(-0.5, 0.75)}


def values_at(network: Network, points: np.ndarray) -> dict[int, torch.Tensor]:
    """Rows of all nodes."""
    nodes, values = network.nodes, {0: torch.from_numpy(points)}
    for index in range(1, network.output + 1):
        read = [values[source].reshape(len(points), *nodes[source].shape) for source in nodes[index].inputs]
        values[index] = nodes[index].op.evaluate(*read).reshape(len(points), -1)
    return values


def folding_nodes(network: Network) -> list[int]:
    """Nodes that are not affine."""
    exact, rest = {0}, []
    for index in range(1, network.output + 1):
        node = network.nodes[index]
        if node.fold is None and exact.issuperset(node.inputs):
            exact.add(index)
        else:
            rest.append(index)
    return rest


def compared(network: Network, width: float, seed: int) -> tuple[float, float]:
    """By how much values at combinations of the corners of three polytopes leave their gaps, and the largest gap."""
    rng = np.random.default_rng(seed)
    offsets = np.array([0, 5, 9, 17])
    middle = np.repeat(rng.normal(size=(3, network.nodes[0].size)), np.diff(offsets), axis=0)
    points = middle + width * rng.normal(size=middle.shape)
    order = rng.permutation(len(points))
    values = values_at(network, points[order])
    corners = np.argsort(order)
    down, up = Gaps(network, folding_nodes(network)).of_output(values, corners, offsets)
    outputs, outside = values[network.output].numpy()[corners], 0.0
    for draw in range(200):
        weights = rng.exponential(size=len(points)) ** (1 + draw % 5)
        weights /= np.repeat(np.add.reduceat(weights, offsets[:-1]), np.diff(offsets))
        mixed = np.add.reduceat(weights[:, None] * points, offsets[:-1], axis=0)
        combined = np.add.reduceat(weights[:, None] * outputs, offsets[:-1], axis=0)
        off = values_at(network, mixed)[network.output].numpy() - combined
        outside = max(outside, float((off - up).max()), float((-down - off).max()))
    return outside, float(max(down.max(), up.max()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1.0, 0.1, 0.01])
def test_values_between_corners_keep_to_their_gaps(kind: str, width: float) -> None:
    for seed in range(4):
        network = to_network(gaussian(seed, (9, 7, 8), 2, inputs=3, kind=KINDS[kind]))
        assert compared(network, width, seed)[0] <= 1e-12


@pytest.mark.parametrize("recipe", [residual(), dense_skips()])
def test_skips(recipe: Any) -> None:
    outside, largest = compared(to_network(recipe), 0.3, 0)
    assert outside <= 1e-12 < largest


def test_units_with_two_breakpoints() -> None:
    network = splinescope.load(seeded(perceptron(4, 7, 7, 2, activation=torch.nn.Hardtanh)), (4,))
    outside, largest = compared(network, 1.0, 0)
    assert outside <= 1e-12 < largest


def test_one_unit_sags_as_far_as_its_gap_says() -> None:
    """A ReLU on [-1, 3] is below its chord by 3/4 at 0, and minus a ReLU above it."""
    for factor in (2.0, -2.0):
        module = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(1, 1, bias=False))
        module[1].weight.data[:] = factor
        network = splinescope.load(module, input_shape=(1,))
        gaps = Gaps(network, folding_nodes(network))
        down, up = gaps.of_output(values_at(network, np.array([[-1.0], [3.0]])), np.array([0, 1]), np.array([0, 2]))
        assert (down.item(), up.item()) == ((1.5, 0.0) if factor > 0 else (0.0, 1.5))


def test_there_is_no_gap_where_nothing_folds() -> None:
    network = to_network(gaussian(1, (9, 7, 8), 2, inputs=3))
    assert compared(network, 1e-9, 3)[1] == 0.0


def test_numbers_follow_first_appearance() -> None:
    items = np.random.default_rng(0).integers(0, 50, 200)
    scratch, out, first = np.full(50, -1, np.int32), np.empty_like(items), np.empty_like(items)
    count = number_consecutively(items, scratch, out, first)
    expected = list(dict.fromkeys(items.tolist()))
    assert first[:count].tolist() == expected
    assert out.tolist() == [expected.index(item) for item in items.tolist()]
    assert (scratch == -1).all()
