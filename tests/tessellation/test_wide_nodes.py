"""Budgets within one node: wide layers and pools over them end early, with cells that are right and whole."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.tessellation.planar.piece import PlanarPiece
from splinescope.tessellation.segments import steps
from splinescope.tessellation.segments.kernels.crossings import Cuts
from splinescope.tessellation.segments.part import SegmentsPart

PLANE = splinescope.Slice.box([-1, -1], [1, 1])
CUBE = splinescope.Box([-1.0] * 3, [1.0] * 3)


def wide(inputs: int, units: int, seed: int = 0) -> nn.Sequential:
    """One wide layer: half of a million cells of a square for 1,000 units."""
    generator = torch.Generator().manual_seed(seed)
    first, second = nn.Linear(inputs, units).double(), nn.Linear(units, 3).double()
    for parameter in (*first.parameters(), *second.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 3
    return nn.Sequential(first, nn.ReLU(), second)


class Pooled(nn.Module):
    """Maxima over groups of four of a wide linear layer."""

    def __init__(self, inputs: int, groups: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(groups)
        self.first, self.pool, self.last = nn.Linear(inputs, 4 * groups), nn.MaxPool1d(4), nn.Linear(groups, 3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.pool(self.first(x)[:, None]).flatten(1))


class Residual(nn.Module):
    """A wide layer whose input is needed behind it."""

    def __init__(self, units: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(units)
        self.first, self.last = nn.Linear(1, units), nn.Linear(units, 2)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        return self.last(torch.relu(y) + y)


def peak(module: nn.Module, domain: splinescope.Domain, **options: object) -> tuple[object, int]:
    """A tessellation, and the most bytes that it took."""
    network = splinescope.load(module, input_shape=domain.input_shape)
    splinescope.tessellate(network, domain, **options)  # compiles
    tracemalloc.start()
    try:
        cells = splinescope.tessellate(network, domain, **options)
        return cells, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_part(part: splinescope.PolyhedralComplex, full: splinescope.PolyhedralComplex) -> None:
    """Every cell of one is a cell of the other, whole."""
    found = full.locate(part.interior_points)
    assert len(set(found.tolist())) == len(part) > 0
    np.testing.assert_array_equal(part.patterns, full.patterns[found])
    np.testing.assert_allclose(part.measures, full.measures[found], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("domain", [PLANE, CUBE], ids=["plane", "space"])
def test_a_wide_layer_keeps_to_the_number_of_cells(domain: splinescope.Domain) -> None:
    cells, bytes_ = peak(wide(domain.dimension, 1000), domain, max_cells=200, verify="proof")
    assert cells.truncated
    assert 1 <= len(cells) <= 200
    assert cells.certificate.level == "proof"
    assert bytes_ < 200e6


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("domain", [PLANE, CUBE], ids=["plane", "space"])
@pytest.mark.parametrize("pooled", [False, True], ids=["layer", "pool"])
def test_what_is_left_is_whole(domain: splinescope.Domain, pooled: bool, share: float) -> None:
    size = 40 if domain.dimension == 2 else 16
    module = Pooled(domain.dimension, size // 2) if pooled else wide(domain.dimension, 2 * size)
    network = splinescope.load(module, input_shape=domain.input_shape)
    full = splinescope.tessellate(network, domain, verify="proof")
    max_cells = max(1, int(share * len(full)))
    part = splinescope.tessellate(network, domain, verify="proof", max_cells=max_cells)
    assert part.truncated
    assert not full.truncated
    assert len(part) <= max_cells < len(full)
    assert_part(part, full)


@pytest.mark.parametrize("module", [wide(2, 80), Pooled(2, 20)], ids=["layer", "pool"])
def test_a_plane_in_portions_is_the_same(module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    network = splinescope.load(module, input_shape=(2,))
    full = splinescope.tessellate(network, PLANE, verify="proof")
    portions, fitting = [], PlanarPiece.fitting

    def noting(self: PlanarPiece, key: int, folds: object, left: np.ndarray) -> np.ndarray:
        portion = fitting(self, key, folds, left)
        portions.append(portion)
        return portion

    monkeypatch.setattr(PlanarPiece, "fitting", noting)
    parts = splinescope.tessellate(network, PLANE, verify="proof", memory_budget=50_000)
    assert len(portions) > 10
    assert not parts.truncated
    assert len(parts) == len(full)
    assert (len(parts.vertices), len(parts.edges)) == (len(full.vertices), len(full.edges))
    assert_part(parts, full)


@pytest.mark.parametrize("module", [Residual(200), Pooled(1, 200)], ids=["layer", "pool"])
def test_a_segment_is_split_within_a_node(module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    network, segment = splinescope.load(module, input_shape=(1,)), splinescope.Segment([-3.0], [3.0])
    full = splinescope.tessellate(network, segment, memory_budget=1 << 30)
    crowded, insert, found, points = steps._crowded, steps._insert, [], []

    def inserting(part: SegmentsPart, cuts: Cuts, *rest: Any) -> np.ndarray:
        points.append(len(part.t) + len(cuts))
        return insert(part, cuts, *rest)

    monkeypatch.setattr(steps, "_crowded", lambda *arguments: found.append(crowded(*arguments)) or found[-1])
    monkeypatch.setattr(steps, "_insert", inserting)
    cells = splinescope.tessellate(network, segment, memory_budget=50_000)
    assert sum(found) > 5
    assert 16 * 200 * max(points) <= 50_000  # rows of 200 numbers, and as many again
    assert not cells.truncated
    assert len(cells) == len(full) > 150
    np.testing.assert_allclose(cells.breakpoints, full.breakpoints, atol=1e-12)
    np.testing.assert_array_equal(cells.facets.units, full.facets.units)
    assert_part(cells, full)
    start = splinescope.tessellate(network, segment, memory_budget=50_000, max_cells=20)
    assert start.truncated
    assert len(start) == 20
    np.testing.assert_allclose(start.breakpoints, full.breakpoints[:19], atol=1e-12)
