"""Every degenerate arrangement: cell by cell as the rational twin has it, with a certificate of the highest level."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

import splinescope
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.freeze import GOLD
from tests.reference.exact_polygon import centre
from tests.tessellation.agreement import assert_agrees, cached_exact, slice_of

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def complex_of(case: Case, **options: object) -> splinescope.PolyhedralComplex:
    """The engine's answer through the front door: import the user's module, tessellate, prove."""
    network = splinescope.load(case.module(), input_shape=case.input_shape)
    return splinescope.tessellate(network, slice_of(case), verify="proof", **options)


proved = functools.cache(complex_of)


@EVERY
def test_agrees_with_exact_arithmetic(case: Case) -> None:
    cells = proved(case)
    assert len(cells) == json.loads(GOLD.read_text())[case.name]["cells"]
    assert not cells.truncated
    assert_agrees(cells, cached_exact(case))


@EVERY
def test_locates_exact_cells(case: Case) -> None:
    cells = proved(case)
    centres = [[float(x) for x in centre(cell.polygon)] for cell in cached_exact(case).cells]
    found = cells.locate(np.array(centres))
    assert sorted(found.tolist()) == list(range(len(cells)))
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
