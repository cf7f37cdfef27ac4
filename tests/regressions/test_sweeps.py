"""Members of the sweeps' families that once went wrong: see `tests.reference.sweep`."""

from __future__ import annotations

import pytest

import splinescope
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells
from tests.reference.families import member

SEEN = [
    ("spread", 638, 2),  # a vertex of a flat crossing 1e-12 off, in a cell of area 2e-8
    ("spread", 697, 2),
    ("contrast", 913, 2),  # the output where two members of a maximum are equal was that of the steep one
    ("spread", 235, 1),  # breakpoints known to 1e-10
    ("spread", 274, 1),
    ("spread", 694, 1),
    ("spread", 843, 1),
    ("contrast", 23, 1),
    ("contrast", 913, 1),
]


@pytest.mark.parametrize(("family", "seed", "dimension"), SEEN)
def test_cells_and_measures_are_the_exact_ones(family: str, seed: int, dimension: int) -> None:
    one = member(family, seed, dimension)
    result = compare(
        splinescope.tessellate(one.network, one.domain, verify="proof"), exact_cells(one.network, one.domain)
    )
    assert not result.wrong, str(result)
    assert result.level == "proof"
