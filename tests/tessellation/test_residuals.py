"""How far vertices are off the folds through them: the compiled loop beside a few lines of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.network.ops import Walls
from splinescope.tessellation.planar.residuals import _raise_shares


def shares(walls: Walls, values: np.ndarray, rounding: np.ndarray, corner: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What is left at corners, no less than roundings and the largest one of its node, over what is at the others."""
    second, pair = np.maximum(walls.minus, 0), walls.minus >= 0

    def at(vertices: np.ndarray) -> np.ndarray:
        return values[vertices, walls.plus] - np.where(pair, values[vertices, second], walls.shift)

    tops = np.abs(values).max(axis=0)
    size = np.maximum(tops[walls.plus], np.where(pair, tops[second], np.abs(walls.shift)))
    typical = np.nan_to_num(np.abs(at(corner)) / size).max(initial=0.0)
    rounded = rounding[corner, walls.plus] + np.where(pair, rounding[corner, second], 0.0)
    left = np.maximum(np.abs(at(corner)), np.maximum(typical * size, rounded))
    return np.asarray(np.nan_to_num(left / np.abs(at(other)), nan=np.inf))


@pytest.mark.parametrize("odd", [None, 0.0, np.nan, np.inf, -np.inf])
def test_shares_are_those_of_numpy_to_the_last_bit(odd: float | None) -> None:
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        vertices, units, corners = rng.integers(2, 12), rng.integers(1, 6), rng.integers(0, 30)
        values = rng.normal(size=(vertices, units)) * 10.0 ** rng.integers(-300, 300)
        rounding = np.abs(values) * 1e-16
        if odd is not None:
            values[rng.random(values.shape) < 0.1] = odd
            rounding[rng.random(values.shape) < 0.02] = odd
        minus = np.where(rng.random(corners) < 0.5, -1, rng.integers(0, units, corners))
        shift = np.where(minus < 0, rng.choice([0.0, 1.0, -2.0], corners), 0.0)
        walls = Walls(rng.integers(0, units, corners), minus, shift)
        corner, other = (rng.integers(0, vertices, corners).astype(np.int32) for _ in range(2))
        out, expected = np.zeros(vertices), np.zeros(vertices)
        with np.errstate(all="ignore"):
            np.maximum.at(expected, corner, shares(walls, values, rounding, corner, other))
        _raise_shares(corner, other, *walls, values, rounding, out)
        assert np.array_equal(out, expected)
        found.append(out)
    assert len(np.unique(np.concatenate(found))) > 100
