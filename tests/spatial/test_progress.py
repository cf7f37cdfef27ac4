"""Work within one wide layer says how far it is, and can be ended there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.geometry.lattice import decisions


def wide() -> splinescope.Network:
    torch.manual_seed(1)
    return splinescope.load(nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 2)).double())


BOX = splinescope.Box([-3.0] * 3, [3.0] * 3)


@pytest.mark.parametrize("stretch", [1, 50])
def test_stretches_change_nothing(stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = wide()
    whole, counts = splinescope.tessellate(network, BOX), list[int]()
    monkeypatch.setattr(decisions, "_STRETCH", stretch)
    found = splinescope.tessellate(network, BOX, progress=lambda share, cells: counts.append(cells))
    for name in ("vertices", "patterns", "measures", "cell_vertices", "cell_offsets"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    assert counts == sorted(counts)
    assert len(set(counts)) > 10  # of four nodes
    kept = splinescope.tessellate(network, BOX, max_cells=100)
    assert kept.truncated
    assert 1 <= len(kept) <= 100


def test_a_layer_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "_STRETCH", 20)
    network = wide()
    most = len(splinescope.tessellate(network, BOX))

    def interrupt(share: float, cells: int) -> None:
        if cells > 100:
            raise KeyboardInterrupt(cells)

    with pytest.raises(KeyboardInterrupt) as ended:
        splinescope.tessellate(network, BOX, progress=interrupt)
    assert 100 < ended.value.args[0] < most / 2
