"""Where work ends at a fold of a unit with several breakpoints, no neighbour says which of them it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from tests.seeds import large


@pytest.mark.parametrize("dimension", [2, large(3)])
@pytest.mark.parametrize("ends", [(-1.0, 1.0), (-0.5, 0.75)])
def test_parts_are_proved(dimension: int, ends: tuple[float, float]) -> None:
    """The right part was refused: corners at its end were sought at the other breakpoint."""
    layer = nn.Linear(dimension, 4).double()
    rows = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=torch.float64)
    layer.weight.data, layer.bias.data = rows[:, :dimension].clone(), torch.zeros(4, dtype=torch.float64)
    network = splinescope.from_torch(nn.Sequential(layer, nn.Hardtanh(*ends)), input_shape=(dimension,))
    box = splinescope.Box(np.full(dimension, -1.0), np.full(dimension, 1.0))
    whole = splinescope.tessellate(network, box, verify="proof")
    for count in range(1, len(whole)):
        part = splinescope.tessellate(network, box, max_cells=count, verify="proof")
        assert part.certificate.level == "proof"
        assert (whole.locate(part.interior_points) >= 0).all()
