"""Targets that once ended in a foreign error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.preimage import BoxTarget, ClassTarget, preimage_of


@pytest.mark.parametrize("dimension", [2, 3, 4, 5])
def test_a_target_without_constraints_is_met_everywhere(dimension: int) -> None:
    torch.manual_seed(dimension)
    module = nn.Sequential(nn.Linear(dimension, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    everything = BoxTarget([-np.inf], [np.inf])
    found = preimage_of(module, everything, splinescope.Box([-1.0] * dimension, [1.0] * dimension))
    assert found.complete
    assert found.volume == pytest.approx(2.0**dimension, rel=1e-12)


@pytest.mark.parametrize("memory", [60_000, 300_000])
def test_scarce_memory_leaves_nothing_out(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that a budget leaves out are no part of what was explored; parts of the domain are halved instead."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2)).double()
    box = splinescope.Box([-1.0] * 3, [1.0] * 3)
    whole = preimage_of(module, ClassTarget(0), box)
    monkeypatch.setattr("splinescope.tessellation.spatial.engine.available_memory", lambda: memory)
    found = preimage_of(module, ClassTarget(0), box)
    low, high = found.volume_bounds
    assert low - 1e-9 <= whole.volume <= high + 1e-9
    assert not found.complete or found.volume == pytest.approx(whole.volume, rel=1e-9)
