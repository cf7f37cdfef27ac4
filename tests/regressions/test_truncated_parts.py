"""Truncated planes in parts: cells that share an edge were no neighbours where a border had lost some of its cells."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import splinescope


def _neighbours(cells: splinescope.PolyhedralComplex) -> set[frozenset[bytes]]:
    patterns = [row.tobytes() for row in cells.patterns]
    return {frozenset((patterns[a], patterns[b])) for a, b in cells.facets.cells}


@pytest.mark.parametrize("share", [0.6, 0.95])
@pytest.mark.parametrize("seed", range(6))
def test_cells_that_are_left_have_all_neighbours_that_are_left(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(
        nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1)
    ).double()
    for parameter in module.parameters():
        parameter.data = 0.6 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    network, domain = splinescope.from_torch(module, input_shape=(2,)), splinescope.Slice.box([-1, -1], [1, 1])
    whole = splinescope.tessellate(network, domain, verify="proof")
    part = splinescope.tessellate(network, domain, verify="proof", max_cells=int(share * len(whole)), memory_budget=1)
    left = {row.tobytes() for row in part.patterns}
    assert len(left) == len(part) <= share * len(whole)
    assert _neighbours(part) == {pair for pair in _neighbours(whole) if pair <= left}
