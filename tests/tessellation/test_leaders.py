"""Groups of max nodes that one member leads everywhere are found, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.network.ops import Maximum
from splinescope.tessellation import sweep
from splinescope.tessellation.leaders import leaders_of
from splinescope.tessellation.rounding import Bounds


def by_hand(values: np.ndarray, members: np.ndarray, doubt: float) -> np.ndarray:
    """The same, group by group."""
    out = np.full(len(members), -1)
    for group, row in enumerate(members):
        units = {unit: place for place, unit in reversed(list(enumerate(row.tolist()))) if unit >= 0}
        for unit, place in units.items():
            ahead = all((values[:, unit] - values[:, other] > doubt).all() for other in units if other != unit)
            out[group] = place if ahead else out[group]
        if not values[:, list(units)].any():
            out[group] = min(units.values())
    contested = members[out < 0]
    shared = set(contested[contested >= 0].tolist())
    return np.array([-1 if shared & set(row.tolist()) else found for row, found in zip(members, out, strict=True)])


@pytest.mark.parametrize("seed", range(4))
def test_leaders_are_those_of_a_plain_comparison(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(5, 1)) + generator.normal(size=400) * 3 + 0.3 * generator.normal(size=(5, 400))
    values[:, generator.integers(0, 400, 250)] = 0.0
    members = np.sort(generator.integers(-1, 400, (60, 4)), axis=1)[:, ::-1].copy()
    members[members[:, 0] < 0, 0] = 0
    bounds = Bounds(np.abs(values).max(axis=0), np.full(400, 0.05))
    found = leaders_of(values, members, bounds, np.zeros(5))
    expected = by_hand(values, members, 0.1)
    np.testing.assert_array_equal(found, expected)
    assert (found >= 0).any()
    assert (found < 0).any()


@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_pools_without_tournaments_have_the_same_cells(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small domain most groups are led by one member, in a large one few are; a tournament tells the same."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8)), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(9, 2)
    )
    network = splinescope.load(module, input_shape=(2,))
    assert any(isinstance(node.op, Maximum) for node in network.nodes)
    box = splinescope.Slice.box([-size, -size], [size, size])
    cells = splinescope.tessellate(network, box, verify="proof")
    monkeypatch.setattr(sweep, "leaders_of", lambda values, members, *_: np.full(len(members), -1))
    plain = splinescope.tessellate(network, box, verify="proof")
    assert len(cells) == len(plain)
    np.testing.assert_allclose(np.sort(cells.areas), np.sort(plain.areas), rtol=1e-9)


def test_cells_nearest_to_the_centre_need_few_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4,000 units those that fold near the centre come first, so that what is far away is left out at once."""
    torch.manual_seed(0)
    network = splinescope.load(nn.Sequential(nn.Linear(2, 4000), nn.ReLU(), nn.Linear(4000, 1)), input_shape=(2,))
    steps = []
    advance = sweep.advance
    monkeypatch.setattr("splinescope.tessellation.planar.run.advance", lambda *a: steps.append(1) or advance(*a))
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), verify="proof", max_cells=50)
    assert len(cells) == 50
    assert cells.truncated
    assert len(steps) <= 3 + 8
    assert np.abs(cells.vertices).max() < 0.1
