"""Upper bounds: formulas where units fold for certain, and never below the exact count."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import splinescope
from splinescope.numerics import Tolerance
from splinescope.tessellation.region_graph import region_graph, upper_bound
from splinescope.tessellation.region_graph.bound import stabilities
from splinescope.tessellation.region_graph.search.explore import Explorer
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.region_graph.nets import box, random_net, zaslavsky
from tests.seeds import every, seeds


def bound(network: splinescope.Network, domain: splinescope.Box | splinescope.Slice) -> int:
    return upper_bound(Explorer.of(network, domain, Tolerance()))


def test_one_layer_is_zaslavsky() -> None:
    assert bound(random_net((3, 9, 1), bias=0.01), box(3)) == zaslavsky(9, 3)
    assert bound(random_net((9, 3, 1), bias=0.01), box(9)) == 2**3


def test_deeper_layers_multiply() -> None:
    """With all units unstable: the bound of Montufar (2017, arXiv 1703.02930), by the narrowest layer so far."""
    network = random_net((4, 3, 8, 8, 1), bias=0.001)
    assert bound(network, box(4, 10.0)) == 2**3 * zaslavsky(8, 3) ** 2


def test_stable_units_do_not_count() -> None:
    layer = torch.nn.Linear(2, 3).double()
    layer.weight.data = torch.tensor([[1.0, 0], [0, 1], [1, 1]]).double()
    layer.bias.data = torch.tensor([5.0, -5.0, 0.0]).double()
    network = splinescope.load(torch.nn.Sequential(layer, torch.nn.ReLU()), input_shape=(2,))
    assert bound(network, box(2)) == 2
    (stability,) = stabilities(Explorer.of(network, box(2), Tolerance()))
    assert (stability.folds, stability.rank) == (1, 2)


def test_a_clip_folds_twice() -> None:
    network = splinescope.load(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Hardtanh()), input_shape=(1,))
    with torch.no_grad():
        assert bound(network, splinescope.Box([-100.0], [100.0])) == 3


@pytest.mark.parametrize("seed", seeds(range(16, 40, 4), range(40)))
def test_not_below_the_count(seed: int) -> None:
    """Quantised networks of every kind: clips, maxima, sums, concatenations."""
    network = to_network(random_case(seed, n_inputs=3, max_width=6, max_depth=3).recipe)
    for half in (0.1, 1.0):
        graph = region_graph(network, box(3, half), verify="topology")
        assert len(graph) <= bound(network, box(3, half))


@pytest.mark.parametrize("case", every(4, CASES[::4]), ids=lambda case: case.name)
def test_not_below_the_count_in_planes(case) -> None:  # type: ignore[no-untyped-def]
    from tests.tessellation.agreement import slice_of

    network = splinescope.load(case.module(), input_shape=case.input_shape)
    graph = region_graph(network, slice_of(case), verify="topology")
    assert len(graph) <= bound(network, slice_of(case))


def test_unit_bounds_are_sound() -> None:
    """No unit that folds somewhere among random points is taken to be stable."""
    network = random_net((5, 20, 20, 20, 1), seed=3)
    explorer = Explorer.of(network, box(5, 0.3), Tolerance())
    patterns = explorer.patterns_beyond(
        np.random.default_rng(0).uniform(-0.3, 0.3, (4000, 5)), np.tile(np.eye(5)[:1], (4000, 1))
    )
    varying = (patterns != patterns[:1]).any(axis=0)
    starts = explorer.layout.column_starts
    for number, stability in enumerate(stabilities(explorer)):
        assert varying[starts[number] : starts[number + 1]].sum() <= stability.folds
    assert math.prod(s.parts for s in stabilities(explorer)) == upper_bound(explorer)
