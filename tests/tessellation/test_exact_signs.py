"""What float64 decides and what exact arithmetic decides are one and the same: every sign at every vertex."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import splinescope
from splinescope.geometry.bits import bit_at
from splinescope.tessellation.planar import folding
from splinescope.tessellation.predicates import sign_at
from tests.reference.families import FAMILIES


@pytest.mark.parametrize(
    "family", ["quantised", "contrast", "concurrent", "repeated", "deep", "spread", "offset", "windows", "ties"]
)
@pytest.mark.parametrize("seed", range(3))
def test_every_sign_at_every_vertex_is_exact(family: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    refine, checked = folding.refine, 0

    def checking(before: Any, layer: Any, label: int, names: np.ndarray, judge: Any, *rest: Any) -> Any:
        nonlocal checked
        padded = 64 * layer.positive.shape[1] // len(layer.shifts)
        level, unit = np.nonzero(np.isfinite(layer.thresholds))
        columns = level * padded + unit
        for vertex in range(0, before.num_vertices, 1 + before.num_vertices // 40):
            point = judge.point(vertex)
            face = judge._place(vertex)
            for column, form in zip(columns.tolist(), judge._folds(face, columns), strict=True):
                got = int(bit_at(layer.positive[vertex], column)) - int(bit_at(layer.negative[vertex], column))

                assert got == sign_at(form, point)
                checked += 1
        return refine(before, layer, label, names, judge, *rest)

    monkeypatch.setattr(folding, "refine", checking)
    member = FAMILIES[family](seed, 2)
    splinescope.tessellate(member.network, member.domain, verify="topology")
    assert checked > 0
