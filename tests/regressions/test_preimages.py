"""Targets that once ended in a foreign error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.preimage import BoxTarget, preimage_of


@pytest.mark.parametrize("dimension", [2, 3, 4, 5])
def test_a_target_without_constraints_is_met_everywhere(dimension: int) -> None:
    torch.manual_seed(dimension)
    module = nn.Sequential(nn.Linear(dimension, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    everything = BoxTarget([-np.inf], [np.inf])
    found = preimage_of(module, everything, splinescope.Box([-1.0] * dimension, [1.0] * dimension))
    assert found.complete
    assert found.volume == pytest.approx(2.0**dimension, rel=1e-12)
