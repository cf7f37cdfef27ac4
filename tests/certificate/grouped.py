"""Certificates of small complexes as if these were large: with passes that groups of cells share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from splinescope.tessellation.certificate import evaluators, groups, passes, sharing


@contextmanager
def in_groups(cells: int = 24) -> Iterator[None]:
    """Passes are shared by groups of at most so many cells, whether or not that is quicker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluators, "_SMALL", 0)
        for module in (groups, sharing):
            patch.setattr(module, "FEWEST", 1)
        patch.setattr(groups, "SHARE", 1e9)
        patch.setattr(sharing, "VAIN", 1.0)
        for limits in ("INSIDE", "AT_CORNERS"):
            patch.setattr(passes, limits, groups.GroupLimits(cells, math.inf))
        yield
