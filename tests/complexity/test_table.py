"""The table of bounds beside exact counts."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.complexity.theory.architectures import architecture
from splinescope.complexity.theory.bounds import trivial_upper
from splinescope.complexity.theory.degrees import degree_statistics
from splinescope.complexity.theory.table import region_bounds, short
from splinescope.errors import InvalidInputError
from splinescope.network import from_torch
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Builder, leaky, mlp
from tests.fixtures.reference_nets import path_of
from tests.queries.scenes import complex_of, gaussian
from tests.seeds import every, seeds
from tests.tessellation.agreement import slice_of


@pytest.mark.parametrize(("name", "cells"), [("N0", 86), ("N1", 6668), ("DUP", 63), ("AX", 39), ("Z0", 66)])
def test_reference_nets(name: str, cells: int) -> None:
    network = splinescope.load(path_of(f"{name}.npz"))
    answer = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    table = region_bounds(answer)
    assert table.count == cells
    assert table.complete
    assert not table.violations
    assert all(row.found == cells for row in table.rows if row.quantity == "cells")
    assert table.row("patterns").value == trivial_upper([2] * sum(table.widths))
    assert table.row("Serra 2018").value <= table.row("Montufar 2017").value
    assert json.loads(json.dumps(table.to_dict()))["count"] == cells
    assert f"{cells:,}" in table.text()


@pytest.mark.parametrize("case", every(4, CASES), ids=lambda case: case.name)
def test_no_degenerate_case_contradicts_a_bound(case: Case) -> None:
    cells = splinescope.tessellate(splinescope.load(case.module(), input_shape=case.input_shape), slice_of(case))
    assert not region_bounds(cells).violations


@pytest.mark.parametrize("seed", seeds(range(0, 60, 5), range(60)))
def test_no_random_network_contradicts_a_bound(seed: int) -> None:
    case = random_case(seed)
    cells = splinescope.tessellate(to_network(case.recipe), slice_of(case))
    assert not region_bounds(cells).violations


@pytest.mark.parametrize("units", [3, 12])
def test_one_layer_in_general_position(units: int) -> None:
    """A window that holds every crossing has exactly the cells, bounded cells and nearly the degrees of theory."""
    cells = complex_of(gaussian(units, (units,)), 1e5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
    table = region_bounds(cells)
    assert table.row("Zaslavsky 1975").value == len(cells) == table.row("lines in the window").value
    assert table.row("Buck 1943").value == table.row("Buck 1943").found
    assert table.row("Gaines-Bi 2026, one layer").value == table.row("Gaines-Bi 2026, one layer").found
    assert table.row("Gaines-Bi 2026").value == 4


def module(*layers: nn.Module) -> nn.Module:
    """A module in float64."""
    return nn.Sequential(*layers).double().eval()


def test_what_applies_to_a_convolutional_network() -> None:
    torch.manual_seed(0)
    net = from_torch(module(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)), input_shape=(1, 6, 6))
    table = region_bounds(net, dimension=2)
    assert table.widths == (48,)
    assert table.count is None
    assert table.row("Serra 2018").applies
    assert table.row("Serra 2018").value == table.row("Zaslavsky 1975").value == 1 + 48 + 48 * 47 // 2
    assert not table.row("Montufar 2014").applies
    assert "dense" in table.row("Montufar 2014").reason
    assert region_bounds(net).dimension == 36


def test_what_applies_to_leaky_units_and_maxima() -> None:
    leaking = region_bounds(to_network(mlp([np.ones((8, 2)), np.ones((1, 8))], [np.ones(8), np.ones(1)], leaky(0.5))))
    assert not leaking.row("Serra 2018").applies
    assert leaking.row("Montufar 2017").value == 37
    builder = Builder(2)
    builder.dense(np.ones((6, 2)))
    builder.maximum([[0, 1, 2], [3, 4, 5]])
    maxima = region_bounds(to_network(builder.build()))
    assert maxima.row("patterns").value == 9
    assert maxima.row("Montufar 2017").value == 1 + 4 + 4
    assert [r.name for r in maxima.rows if r.applies] == ["patterns", "Montufar 2017"]


def test_ways_around_a_bottleneck() -> None:
    """Through one unit only a line is left; with a skip connection past it the plane is back."""
    narrow = mlp([np.ones((1, 2)), np.ones((5, 1)), np.ones((1, 5))], [np.ones(1), np.ones(5), np.ones(1)])
    assert [layer.dimension for layer in architecture(to_network(narrow)).layers] == [1, 1]
    assert region_bounds(to_network(narrow)).row("Montufar 2017").value == 2 * 6
    builder = Builder(2)
    first = builder.layer(np.ones((2, 2)))
    builder.layer(np.ones((1, 2)))
    builder.total([first, builder.dense(np.ones((2, 1)))])
    builder.layer(np.ones((5, 2)))
    shape = architecture(to_network(builder.build()))
    assert [layer.dimension for layer in shape.layers] == [2, 1, 2]
    assert not shape.sequential
    assert not region_bounds(to_network(builder.build())).row("Serra 2018").applies


def test_a_truncated_complex_has_no_mean_degree() -> None:
    network = splinescope.load(path_of("N1.npz"))
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), max_cells=500)
    table = region_bounds(cells)
    assert not table.complete
    assert table.row("Gaines-Bi 2026").found is None
    assert table.count == len(cells)


def test_degrees() -> None:
    cells = complex_of(gaussian(13, (12, 12), 3))
    degrees = degree_statistics(cells)
    assert degrees.degrees.sum() == 2 * (cells.edge_cells.min(axis=1) >= 0).sum()
    assert degrees.mean == Fraction(int(degrees.degrees.sum()), len(cells)) < degrees.upper == 4
    assert degrees.histogram.sum() == len(cells)
    assert degrees.minimum == degrees.degrees.min()
    assert degrees.maximum == degrees.degrees.max()
    assert degrees.inner is not None
    corners = np.array([len(cells.cell(i)) for i in np.flatnonzero(degrees.inner)])
    assert (degrees.degrees[degrees.inner] == corners).all(), "one neighbour across every side"
    assert degrees.degrees[degrees.inner].min() >= 3


def test_long_numbers() -> None:
    net = to_network(mlp([np.ones((20_000, 2)), np.ones((1, 20_000))], [np.ones(20_000), np.ones(1)]))
    table = region_bounds(net)
    assert table.row("patterns").value == 2**20_000
    row = next(r for r in table.to_dict()["rows"] if r["name"] == "patterns")
    assert row["value"] is None
    assert row["log10"] == pytest.approx(20_000 * np.log10(2))
    assert short(2**20_000) in table.text()


def test_refusals() -> None:
    network = to_network(gaussian(1, (3,)))
    with pytest.raises(
        InvalidInputError, match=r"`target`: got int; expected a complex, a Network, a torch\.nn\.Module"
    ):
        region_bounds(3)
    with pytest.raises(InvalidInputError, match="`dimension`: got 0; expected at least 1"):
        region_bounds(network, dimension=0)
    with pytest.raises(InvalidInputError, match="`dimension`: got 2 for a complex"):
        region_bounds(complex_of(gaussian(1, (3,))), dimension=2)
    with pytest.raises(InvalidInputError, match="`name`: got 'nobody'; expected one of 'patterns'"):
        region_bounds(network).row("nobody")


def test_a_count_that_is_too_large_is_seen() -> None:
    table = region_bounds(complex_of(gaussian(1, (3,))))
    row = dataclasses.replace(table.row("Zaslavsky 1975"), found=8)
    assert row.violated
    assert not dataclasses.replace(row, found=7).violated
    assert dataclasses.replace(table, rows=(row,)).violations == (row,)
