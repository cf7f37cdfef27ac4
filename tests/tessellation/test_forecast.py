"""Forecasts of cells: right about where cells are spread, and honest about what they are."""

from __future__ import annotations

import pytest

import splinescope
from splinescope.tessellation.planar.forecast import forecast
from tests.fixtures.engine_networks import to_network
from tests.tessellation.test_grids import gaussian

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])


def test_about_as_many_cells_as_there_are() -> None:
    network = to_network(gaussian(3, (2, 60, 60, 3)))
    found = forecast(network, SQUARE, patience=30.0)
    true = len(splinescope.tessellate(network, SQUARE, verify="topology"))
    assert found is not None
    assert true / 2 < found.cells < 2 * true
    assert found.seconds > 0
    assert found.nbytes > 500 * found.cells


@pytest.mark.parametrize("patience", [0.0, 10.0])
def test_lines_that_do_not_cross_count_by_the_border(patience: float) -> None:
    import numpy as np
    import torch

    layer = torch.nn.Linear(2, 64)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([1.0, 0.0])
        layer.bias[:] = torch.tensor(np.linspace(-0.99, 0.99, 64))
    found = forecast(torch.nn.Sequential(layer, torch.nn.ReLU()), SQUARE, patience=patience)
    assert found is not None
    assert found.patches >= 1
    assert found.cells < 65 * 3
