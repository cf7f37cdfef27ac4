"""Every degenerate arrangement and hundreds of random networks, along segments: cell by cell as in exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.segments import tessellate_segments
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.reference.rational_segment import intervals
from tests.seeds import every, seeds
from tests.segments.agreement import assert_agrees
from tests.segments.scenes import segments_of
from tests.tessellation.agreement import cached_exact


def check(case: Case, network: splinescope.Network, seed: int, amount: int) -> None:
    """All segments of a case at once, and each one alone, with a proof."""
    ends = segments_of(case, cached_exact(case), seed, amount)
    starts, stops = (case.embed(np.array(points)) for points in zip(*ends, strict=True))
    shape = (len(ends), *network.input_shape)
    batch = tessellate_segments(network, starts.reshape(shape), stops.reshape(shape), verify="proof")
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        exact = intervals(case.recipe, start, stop)
        assert_agrees(batch[number], exact)
        if number < 2:
            segment = splinescope.Segment(start.reshape(network.input_shape), stop.reshape(network.input_shape))
            assert_agrees(splinescope.tessellate(network, segment, verify="proof"), exact)


@pytest.mark.parametrize("case", every(2, CASES), ids=lambda case: case.name)
def test_degenerate(case: Case) -> None:
    check(case, splinescope.load(case.module(), input_shape=case.input_shape), seed=1, amount=3)


@pytest.mark.parametrize("seed", seeds(range(0, 120, 6), range(120)))
def test_random_networks(seed: int) -> None:
    case = random_case(seed)
    check(case, to_network(case.recipe), seed, amount=2)
