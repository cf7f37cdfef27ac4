"""How rugged a loss is along rays, where it is known; and change points of series that have them."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.experiments.loss_landscape.claims import excess, mean_excess, rugged
from splinescope.experiments.two_phases.changes import change


def network(*rays: list[float]) -> dict[str, object]:
    return {"rays": rays}


def test_quasi_convex_rays_are_smooth() -> None:
    assert rugged(network([3.0, 2.0, 1.0, 2.0, 5.0], [0.5, 1.0, 1.0, 1.0, 4.0])) == 0.0
    assert mean_excess(network([1.0, 2.0, 3.0])) == 0.0


def test_a_bump_is_rugged_by_its_area() -> None:
    """Of radii 0 to 4, by area 0, 1, 2, 3, 4 of 10, the bump is at 2 and three times too high."""
    one = network([0.5, 1.0, 3.0, 1.0, 4.0])
    assert excess(one)[0] == pytest.approx([0.0, 0.0, np.log(3), 0.0, 0.0])
    assert rugged(one) == pytest.approx(0.2)
    assert mean_excess(one) == pytest.approx(0.2 * np.log(3))
    assert rugged(network([0.5, 1.0, 3.0, 1.0, 4e9])) == pytest.approx(0.2)  # however large it is far out


def test_a_change_is_found_where_it_is() -> None:
    """Of 20 noisy series the 90 % intervals hold the true place about that often."""
    x, covered = np.geomspace(1, 1000, 60), 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.where(x < 50, x**-0.2, 50**0.8 / x) * np.exp(0.05 * rng.standard_normal(60))
        found = change(x, y, 100, seed)
        covered += found.low <= 50 <= found.high
        assert found.place == pytest.approx(50, rel=0.15)
        assert found.high / found.low < 1.3
        assert found.before == pytest.approx(-0.2, abs=0.05)
        assert found.after == pytest.approx(-1.0, abs=0.05)
        assert found.gain > 50
    assert covered >= 14


def test_one_power_law_needs_no_change() -> None:
    x = np.geomspace(1, 1000, 60)
    y = x**-0.7 * np.exp(0.1 * np.random.default_rng(1).standard_normal(60))
    assert change(x, y, 50).gain < 5
    assert np.isnan(change(x[:5], y[:5], 5).place)
