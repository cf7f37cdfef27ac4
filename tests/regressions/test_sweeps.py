"""Members of the sweeps' families that once went wrong: see `tests.reference.sweep`."""

from __future__ import annotations

import pytest

import splinescope
from splinescope.tessellation.region_graph import region_graph
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
    ("contrast", 635, 1),  # outputs that are what is left of much larger values
    ("rows", 208, 1),
    ("windows", 16, 2),  # units saturated at all probes passed on no errors
    ("windows", 18, 2),
    ("windows", 155, 2),  # vertices known worse than their coordinates say
    ("windows", 157, 2),
    ("windows", 247, 2),  # a vertex that three chords share, placed by two of them
    ("windows", 433, 2),
    ("windows", 489, 2),
    ("ties", 5, 2),  # differences that round to zero all around a cell
    ("ties", 119, 2),
    ("ties", 123, 2),
    ("ties", 160, 2),
    ("ties", 21, 2),
    ("ties", 74, 2),  # needles: conditioning was measured in lengths
    ("ties", 134, 2),
    ("ties", 148, 2),  # an interior point of a sliver outside of it
    ("ties", 691, 2),
    ("ties", 17, 1),  # a unit that interpolation has on the other side of its cut
]

GRAPHS = [
    ("scale", 2),  # offsets among slopes
    ("scale", 8),
    ("scale", 10),
    ("contrast", 9),  # a facet past a sliver
    ("contrast", 16),
    ("rows", 18),
    ("ties", 10),  # interior points of cells that coordinates don't resolve
    ("ties", 16),
    ("quantised", 34),  # a forward pass that strays from its branch by a rounding
]


@pytest.mark.parametrize(("family", "seed", "dimension"), SEEN)
def test_cells_and_measures_are_the_exact_ones(family: str, seed: int, dimension: int) -> None:
    one = member(family, seed, dimension)
    result = compare(
        splinescope.tessellate(one.network, one.domain, verify="proof"), exact_cells(one.network, one.domain)
    )
    assert not result.wrong, str(result)
    assert result.level == "proof"


@pytest.mark.parametrize(("family", "seed"), GRAPHS)
def test_region_graphs_have_the_exact_cells(family: str, seed: int) -> None:
    one = member(family, seed, 2)
    result = compare(region_graph(one.network, one.domain), exact_cells(one.network, one.domain))
    assert not result.wrong, str(result)
    assert result.level == "values"
