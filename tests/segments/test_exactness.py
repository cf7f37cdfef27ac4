"""Hard networks along segments: as many cells as there are, with their patterns and lengths, by an exact judge."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Segment
from splinescope.network import Network
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.segments import SegmentComplex, tessellate_segments
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Builder
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells
from tests.reference.families import member
from tests.regressions import networks
from tests.seeds import large


def cells_of(network: Network, start: list[float], end: list[float]) -> SegmentComplex:
    """The cells, held against the judge."""
    segment = Segment(start, end)
    cells = splinescope.tessellate(network, segment, verify="topology")
    assert isinstance(cells, SegmentComplex)
    result = compare(cells, exact_cells(network, segment))
    assert not result.wrong, str(result)
    return cells


def decisions_of(cells: SegmentComplex) -> Decisions:
    """How signs were decided."""
    assert cells.decisions is not None
    assert cells.decisions.undecided == 0
    return cells.decisions


@pytest.mark.parametrize("depth", [10, 60, large(95), large(120)])
def test_a_chain_keeps_its_two_cells(depth: int) -> None:
    cells = cells_of(networks.network(networks.e1_chain(depth)), [-1.0, 0.3], [1.0, 0.3])
    np.testing.assert_allclose(cells.breakpoints, [0.65], atol=1e-15)
    assert decisions_of(cells).exact > 0 or depth == 10


def test_steep_units_that_meet_make_four_cells() -> None:
    cells = cells_of(networks.network(networks.e2()), [-1.0, 0.0], [1.0, 0.0])
    assert len(cells) == 4


@pytest.mark.parametrize("power", [-155, -150, -100, 0, 100, 150, 155, 200])
def test_cells_don_t_depend_on_the_scale_of_values(power: int) -> None:
    cells = cells_of(networks.network(networks.scaled(10.0**power)), [-1.0, -0.25], [1.0, 0.9375])
    np.testing.assert_allclose(cells.breakpoints, reference_breakpoints(), atol=1e-15)


def reference_breakpoints() -> np.ndarray:
    segment = Segment([-1.0, -0.25], [1.0, 0.9375])
    return splinescope.tessellate(networks.network(networks.scaled(1.0)), segment).breakpoints


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_cells_don_t_depend_on_the_scale_of_inputs(scale: float) -> None:
    builder = Builder(2)
    rng = np.random.default_rng(3)
    builder.dense(rng.normal(size=(6, 2)), 0.3 * scale * rng.normal(size=6))
    builder.fold()
    builder.dense(rng.normal(size=(6, 6)), 0.3 * scale * rng.normal(size=6))
    builder.fold()
    builder.dense(rng.normal(size=(1, 6)))
    assert len(cells_of(networks.network(builder.build()), [-scale, -scale], [scale, 0.5 * scale])) > 4


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("power", range(3, 20))
def test_units_that_cross_within_a_distance(power: int, deep: bool) -> None:
    distance = 10.0**-power
    builder = Builder(1)
    # Zeros at 1/3, and at about `distance` and twice that behind it, with slopes 3, -1 and 2.
    builder.dense(np.array([[3.0], [-1.0], [2.0]]), np.array([-1.0, 1 / 3 + distance, -2 / 3 - 4 * distance]))
    builder.fold()
    if deep:
        builder.dense(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]), np.array([0, 0, 0, -2 * distance]))
        builder.fold()
    builder.dense(np.ones((1, 4 if deep else 3)))
    cells_of(networks.network(builder.build(), 1), [0.0], [1.0])


def test_cells_that_float64_does_not_separate_are_kept_and_counted() -> None:
    builder = Builder(2)
    # Zeros at 1/2 and 1/2 - 2^-62 or so: one float64 number.
    builder.dense(np.array([[1.0, 0.0], [1.0, 2.0**-60]]), np.array([-0.5, -0.5]))
    builder.fold()
    builder.dense(np.ones((1, 2)))
    cells = cells_of(networks.network(builder.build()), [0.0, 0.0], [1.0, 1.0])
    assert cells.t.tolist() == [0.0, 0.5, 0.5, 1.0]
    assert cells.patterns.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert cells.resolved.tolist() == [True, False, True]


@pytest.mark.parametrize("family", ["sliver", "border", "parallel", "concurrent", "repeated", "spread", "contrast"])
def test_families_of_hard_networks(family: str) -> None:
    for seed in range(13):
        hard = member(family, seed, dimension=1)
        cells = splinescope.tessellate(hard.network, hard.domain, verify="topology")
        result = compare(cells, exact_cells(hard.network, hard.domain))
        assert not result.wrong, (seed, hard.note, str(result))


@pytest.mark.parametrize("family", ["offset", "scale", "aspect", "quantised"])
def test_families_of_odd_sizes(family: str) -> None:
    for seed in range(20, 32):
        hard = member(family, seed, dimension=1)
        cells = splinescope.tessellate(hard.network, hard.domain, verify="topology")
        result = compare(cells, exact_cells(hard.network, hard.domain))
        assert not result.wrong, (seed, hard.note, str(result))


@pytest.mark.parametrize(("depth", "width", "gain"), [large(200, 8, 1.0), (100, 8, 1.0), (60, 12, 1.0), (30, 8, 2.0)])
def test_deep_networks(depth: int, width: int, gain: float) -> None:
    network = networks.network(networks.he(depth, width, 3, gain, single=True))
    half = 1.0 / 8
    cells_of(network, [-half, -half / 2], [half, half / 4])


def test_a_layer_that_is_dead_without_biases() -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Linear(8, 8, bias=False).double() for _ in range(4)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.normal_(generator=generator)
        layers[2].weight.copy_(-layers[2].weight.abs())
    modules = nn.Sequential(*[module for layer in layers for module in (layer, nn.ReLU())])
    start, end = (torch.randn(8, generator=generator, dtype=torch.float64).tolist() for _ in range(2))
    cells = cells_of(splinescope.load(modules, input_shape=(8,)), start, end)
    assert cells.vertex_outputs.tolist() == [[0.0] * 8] * len(cells.t)


def test_pools_of_clamped_values_need_no_numbers() -> None:
    generator = torch.Generator().manual_seed(1)
    modules = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 2)
    ).double()
    with torch.no_grad():
        for parameter in modules.parameters():
            parameter.normal_(generator=generator)
    network = splinescope.load(modules, input_shape=(1, 8, 8))
    start, end = (torch.randn(1, 8, 8, generator=generator).double().numpy() for _ in range(2))
    segment = Segment(start, end)
    cells = splinescope.tessellate(network, segment, verify="proof")
    assert isinstance(cells, SegmentComplex)
    assert decisions_of(cells).exact == 0
    assert not compare(cells, exact_cells(network, segment)).wrong


def test_batches_decide_as_single_segments_do() -> None:
    for seed in range(12):
        network = networks.network(random_case(seed).recipe, random_case(seed).recipe.n_inputs)
        size = network.input_shape[0]
        rng = np.random.default_rng(seed)
        starts, ends = (rng.integers(-8, 9, size=(6, size)) / 8 for _ in range(2))
        ends[(starts == ends).all(axis=1)] += 0.25
        batch = tessellate_segments(network, starts, ends, verify="topology")
        for number, cells in enumerate(batch):
            exact = exact_cells(network, Segment(starts[number], ends[number]))
            result = compare(cells, exact)
            assert not result.wrong, (seed, number, str(result))


def test_parts_of_a_segment_decide_as_the_whole() -> None:
    network = networks.network(networks.e1_chain(40))
    segment = Segment([-1.0, 0.3], [1.0, 0.3])
    hard = networks.network(networks.near_parallel(0, 1e-14, deep=True))
    for net in (network, hard):
        whole = splinescope.tessellate(net, segment, verify="topology")
        parts = splinescope.tessellate(net, segment, verify="topology", memory_budget=600)
        np.testing.assert_array_equal(whole.patterns, parts.patterns)
