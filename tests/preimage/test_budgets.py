"""Boxes of a domain opened elsewhere, and limits of time in planes."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from splinescope.preimage import ClassTarget, preimage_of
from splinescope.preimage.boxes import Boxes
from splinescope.preimage.branch_and_bound import BoxOpener
from splinescope.preimage.targets.marks import marks
from tests.preimage.nets import cube, formula, network


@pytest.mark.parametrize("dimension", [2, 3])
def test_an_executor_finds_the_same(dimension: int) -> None:
    net, box = network(formula([dimension, 5, 5, 3], 4)), cube(dimension)
    here = preimage_of(net, ClassTarget(1), box)
    with ThreadPoolExecutor(2) as executor:
        there = preimage_of(net, ClassTarget(1), box, executor=executor)
    assert len(here) == len(there) > 0
    assert {pattern.tobytes() for pattern in here.patterns} == {pattern.tobytes() for pattern in there.patterns}
    assert there.volume == pytest.approx(here.volume, rel=1e-9)
    assert there.boxes > here.boxes
    points = np.random.default_rng(0).uniform(-1, 1, (2000, dimension))
    assert (there.contains(points) == here.contains(points)).all()


def test_what_an_executor_is_given_goes_to_other_processes() -> None:
    net = network(formula([2, 5, 3], 4))
    opener = BoxOpener(net, marks(net, ClassTarget(1)), cube(2), "values")
    assert opener.bounding is not None
    box = Boxes.around(cube(2))
    again = pickle.loads(pickle.dumps(opener))
    assert "bounding" not in vars(again)
    assert len(again(box, math.inf, math.inf).parts) == len(opener(box, math.inf, math.inf).parts) > 0


def test_limits_of_time_hold_in_planes() -> None:
    net = network(formula([2, 60, 60, 60, 3], 0))
    found = preimage_of(net, ClassTarget(0), cube(2, -5.0, 5.0), time_limit=1e-3)
    assert not found.complete
    assert found.cells <= 2000
    low, high = found.volume_bounds
    assert low < high <= found.domain.measure * (1 + 1e-9)
    more = preimage_of(net, ClassTarget(0), cube(2, -5.0, 5.0), resume=found)
    whole = preimage_of(net, ClassTarget(0), cube(2, -5.0, 5.0))
    assert more.complete
    assert whole.cells > 2000
    assert more.volume == pytest.approx(whole.volume, rel=1e-9)
    assert len(more) == len(whole)
