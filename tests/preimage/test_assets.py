"""Networks that others made: ACAS Xu, controllers and lattices of the shared assets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope import Box
from splinescope.preimage import ClassTarget, Preimage, preimage_of, read_vnnlib
from tests.fixtures.reference_nets import folder
from tests.seeds import thorough


def model(name: str) -> Path:
    path = folder().parent / "models" / name
    if not path.exists():
        pytest.skip(f"{path} is absent; it comes with the shared assets")
    return path


def acas(net: str, number: int) -> Preimage:
    network = splinescope.load(model(f"acasxu_open/ACASXU_run2a_{net}_batch_2000.onnx"))
    (asked,) = read_vnnlib(model(f"acasxu_properties/prop_{number}.vnnlib.gz"))
    return preimage_of(network, asked.target, Box(asked.low, asked.high))


def test_a_property_that_holds() -> None:
    found = acas("1_1", 4)
    assert (found.dimension, len(found), found.complete) == (4, 0, True)
    assert found.volume_bounds == (0.0, 0.0)
    assert found.cells <= 19_143 / 10


@pytest.mark.slow
@thorough
def test_a_property_that_holds_in_five_dimensions() -> None:
    found = acas("1_1", 3)
    assert (found.dimension, len(found), found.complete) == (5, 0, True)
    assert found.cells <= 71_930 / 10


def test_a_property_that_is_violated_everywhere() -> None:
    found = acas("1_7", 4)
    assert (len(found), found.complete) == (642, True)
    assert found.volume == pytest.approx(found.domain.measure, rel=1e-9)


@pytest.mark.slow
def test_the_other_property_that_is_violated_everywhere() -> None:
    found = acas("1_7", 3)
    assert (len(found), found.complete) == (502, True)
    assert found.volume == pytest.approx(found.domain.measure, rel=1e-9)


def test_a_class_that_a_small_box_does_not_have() -> None:
    network = splinescope.load(model("acasxu_open/ACASXU_run2a_1_1_batch_2000.onnx"))
    found = preimage_of(network, ClassTarget(1, smallest=True), Box([-0.02] * 5, [0.02] * 5))
    assert len(found) == 0
    assert found.cells <= 971 / 10


@pytest.mark.slow
def test_all_of_a_small_box_is_one_class() -> None:
    network = splinescope.load(model("acasxu_open/ACASXU_run2a_1_1_batch_2000.onnx"))
    found = preimage_of(network, ClassTarget(0, smallest=True), Box([-0.02] * 5, [0.02] * 5))
    assert len(found) == 971
    assert found.volume == pytest.approx(0.04**5, rel=1e-9)


@pytest.mark.slow
def test_shares_are_those_of_random_points() -> None:
    path = model("linearizenn_allinone_10_10")
    network = splinescope.load(next(iter(sorted(path.glob("*.onnx*")))))
    (asked,) = read_vnnlib(path / "specs" / "prop_10_10.vnnlib.gz")
    found = preimage_of(network, asked.target, Box(asked.low, asked.high))
    assert found.complete
    interval = found.estimate(50_000, np.random.default_rng(1), level=0.999)
    assert interval.low <= found.volume <= interval.high
    found.certify(samples=200, random_points=500)
