"""Spaces in parts are the same as whole ones, where folds miss one another by 1e-17 and cells are 1e-53 of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope import Box
from splinescope.tessellation.spatial import state
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells


class Absolute(nn.Module):
    """The absolute value."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


LAYERS: list[tuple[list[list[float]], list[float]]] = [
    ([[10, -0.01, 0], [0, 0, 0], [0, -0.01, -100], [0, 0, 50]], [-0.5, 0.5, -0.5, -0.25]),
    ([[0, 0, -1, 1], [0, -1, 1, 0], [1, -1, 1, -1], [0, -1, 0, 0]], [0.5, 0, 0.5, 0]),
    ([[0, 0, 0, 0], [1, -1, -1, 0], [1, 0, 1, 1], [0, 1, -1, -1]], [1, 0.5, -0.5, 0.5]),
    ([[1, 0, -1, -1], [0, 1, 0, 0], [0, 1, 0, 0]], [0, 0.5, 0.5]),
]


def skewed() -> nn.Sequential:
    """Small whole numbers in coordinates whose units differ ten thousand times."""
    layers: list[nn.Module] = []
    for weight, bias in LAYERS:
        layer = nn.Linear(len(weight[0]), len(weight)).double()
        layer.weight.data, layer.bias.data = torch.tensor(weight).double(), torch.tensor(bias).double()
        layers += [layer, Absolute()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("cells", [2, 20, 64])
def test_slivers_of_a_skewed_box(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of a layer between which signs were taken anew contradicted one another, or lost cells in silence."""
    network, half = splinescope.load(skewed(), input_shape=(3,)), np.array([0.1, 100.0, 0.01])
    box, expected = Box(-half, half), None
    whole = splinescope.tessellate(network, box, verify="proof")
    monkeypatch.setattr(state, "_FEWEST", cells)
    parted = splinescope.tessellate(network, box, verify="proof", memory_budget=1)
    for found in (whole, parted):
        expected = expected or exact_cells(network, box)
        result = compare(found, expected)
        assert not result.wrong, str(result)
    assert [len(parted.vertices), len(parted.edges), len(parted.facet_op), len(parted)] == [
        len(whole.vertices), len(whole.edges), len(whole.facet_op), len(whole)
    ]  # fmt: skip
