"""Crossings of polylines, counted one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely

from splinescope.errors import InvalidInputError
from splinescope.topology import curve_crossings


@pytest.mark.parametrize("seed", range(4))
def test_pairs_of_pieces(seed: int) -> None:
    one, other = np.random.default_rng(seed).normal(size=(2, 12, 2))
    pieces = [[shapely.LineString(pair) for pair in itertools.pairwise(line)] for line in (one, other)]
    assert curve_crossings(one, other) == sum(a.crosses(b) for a, b in itertools.product(*pieces)) > 0


def test_curves_that_do_not_cross() -> None:
    turn = np.linspace(0, 2 * np.pi, 50)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    assert curve_crossings(circle, 0.5 * circle) == 0
    assert curve_crossings([[0, 0], [1, 0]], [[0, 0], [0, 1]]) == 0  # they touch
    with pytest.raises(InvalidInputError, match=r"`other`: got shape \(1, 2\); expected \[n, 2\] corners"):
        curve_crossings(circle, [[0, 0]])
