"""Random quantised networks in space against exact rational counts; `random_space_case(seed)` rebuilds any of them."""

from __future__ import annotations

import pytest

import splinescope
from tests.fixtures.engine_networks import to_network
from tests.seeds import seeds, thorough
from tests.spatial.agreement import assert_agrees
from tests.spatial.cases import random_space_case


def check(seed: int, **size: int) -> None:
    """One random network, cell by cell, with a proof."""
    case = random_space_case(seed, **size)
    assert_agrees(splinescope.tessellate(to_network(case.recipe), case.domain, verify="proof"), case.exact)


@pytest.mark.parametrize("seed", seeds(range(0, 200, 8), range(200)))
def test_agrees_with_exact_arithmetic(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", seeds(range(10_000, 10_008, 3), range(10_000, 10_008)))
def test_wider_networks(seed: int) -> None:
    check(seed, max_width=9, max_depth=2)


@pytest.mark.parametrize("seed", seeds([40_001, 40_002, 40_004, 40_006], range(40_000, 40_020)))
def test_four_dimensions(seed: int) -> None:
    check(seed, max_width=5, max_depth=2, dimension=4)


@thorough
def test_sweep(sweep: int) -> None:
    failures = []
    for seed in range(20_000, 20_000 + sweep):
        try:
            check(seed)
        except (AssertionError, splinescope.SplinescopeError) as error:
            failures.append((seed, type(error).__name__, str(error)[:200]))
    assert not failures
