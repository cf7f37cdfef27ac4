"""Hundreds of random quantised networks against exact rational counts; `random_case(seed)` rebuilds any of them."""

from __future__ import annotations

import pytest

import splinescope
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.seeds import seeds, thorough
from tests.tessellation.agreement import assert_agrees, cached_exact, slice_of


def check(seed: int, **size: int) -> None:
    """One random network, cell by cell, with a proof."""
    case = random_case(seed, **size)
    cells = splinescope.tessellate(to_network(case.recipe), slice_of(case), verify="proof")
    assert_agrees(cells, cached_exact(case))


@pytest.mark.parametrize("seed", seeds(range(0, 400, 8), range(400)))
def test_agrees_with_exact_arithmetic(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize(
    "seed", seeds([*range(10_000, 10_012, 4), 30_088, 30_178, 31_047, 31_090, 31_203], range(10_000, 10_012))
)
def test_wider_networks(seed: int) -> None:
    check(seed, max_width=16, max_depth=3)


@pytest.mark.parametrize("seed", seeds(range(0, 400, 64), range(0, 400, 16)))
def test_imported_from_torch(seed: int) -> None:
    case = random_case(seed)
    network = splinescope.load(case.module(), input_shape=case.input_shape)
    assert_agrees(splinescope.tessellate(network, slice_of(case)), cached_exact(case))


@thorough
def test_sweep(sweep: int) -> None:
    failures = []
    for seed in range(20_000, 20_000 + sweep):
        try:
            check(seed)
        except (AssertionError, splinescope.SplinescopeError) as error:
            failures.append((seed, type(error).__name__, str(error)[:200]))
    assert not failures
