"""Files that were changed at random are read or refused: no foreign exception, no hang, no crash."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz.run import fuzz
from tests.seeds import large

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are limited by what Linux says of memory")


@pytest.mark.slow
@pytest.mark.parametrize(("first", "count"), [(0, 400), large(0, 1000), large(1_000_000, 20_000)])
def test_changed_files_are_read_or_refused(first: int, count: int) -> None:
    findings = fuzz(first, count)
    assert findings.bad == {}, "try `python -m tests.fuzz --case N`"
    assert sum(findings.counts.values()) == count
    assert findings.counts["read"] > count / 20
    assert findings.counts["refused"] > count / 4
