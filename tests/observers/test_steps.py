"""Log-spaced steps against their definition, in integers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splinescope.errors import InvalidInputError
from splinescope.observers import log_spaced_steps


@given(last=st.integers(1, 200_000), per_decade=st.integers(1, 12), first=st.integers(1, 50))
def test_steps_are_the_integers_nearest_to_powers(last: int, per_decade: int, first: int) -> None:
    steps = log_spaced_steps(last, per_decade, first)
    assert steps[0] == 0
    assert steps[-1] == last
    assert all(a < b for a, b in itertools.pairwise(steps))

    def nearest(step: int, k: int) -> bool:
        # |step - first 10^(k/p)| <= 1/2, with both sides to the power p.
        power = (2 * first) ** per_decade * 10**k
        return (2 * step - 1) ** per_decade <= power <= (2 * step + 1) ** per_decade

    k = 0
    for step in steps[1:-1]:
        while not nearest(step, k):
            assert nearest(steps[steps.index(step) - 1], k), "a power without its step"
            k += 1
        k += 1
    # The next power that is not the last step itself lies beyond it.
    while nearest(steps[-2], k):
        k += 1
    assert (2 * first) ** per_decade * 10**k >= (2 * last - 1) ** per_decade


def test_known_steps() -> None:
    assert log_spaced_steps(1000, per_decade=1) == (0, 1, 10, 100, 1000)
    assert log_spaced_steps(50, per_decade=2, first=5) == (0, 5, 16, 50)
    assert log_spaced_steps(0) == (0,)
    assert log_spaced_steps(5, first=30) == (0, 5)


@pytest.mark.parametrize(("name", "value"), [("last", -1), ("per_decade", 0), ("first", 0)])
def test_refusals(name: str, value: int) -> None:
    with pytest.raises(InvalidInputError, match=f"`{name}`: got {value}"):
        log_spaced_steps(**{"last": 10, name: value})
