"""Every degenerate arrangement in space: cell by cell as the rational twin has it, with a certificate of each level."""

from __future__ import annotations

import json

import numpy as np
import pytest

import splinescope
from tests.fixtures.engine_networks import to_network
from tests.spatial.agreement import assert_agrees
from tests.spatial.cases import CASES, SpaceCase
from tests.spatial.freeze import GOLD

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@EVERY
def test_agrees_with_exact_arithmetic(case: SpaceCase) -> None:
    cells = splinescope.tessellate(to_network(case.recipe), case.domain, verify="proof")
    assert len(cells) == json.loads(GOLD.read_text())[case.name]["cells"]
    assert not cells.truncated
    assert_agrees(cells, case.exact)


@EVERY
def test_locates_exact_cells(case: SpaceCase) -> None:
    cells = splinescope.tessellate(to_network(case.recipe), case.domain)
    found = cells.locate(case.exact.centres)
    assert sorted(found.tolist()) == list(range(len(cells)))
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
