"""Layers whose rows at new vertices follow from others, caught in the act, with products and exact rationals beside."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.planar import piece as pieces
from splinescope.tessellation.planar.followers import Grown, anchors_of
from splinescope.tessellation.planar.rows import GrowingRows
from splinescope.tessellation.planar.streaming import streamed


def layers_met(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The layers whose rows follow, of all sizes, from now on: the op, how its input grew, its rows, and products."""
    found: list[tuple[Any, ...]] = []

    def both(op: Any, size: int, before: GrowingRows, *rest: Any) -> GrowingRows:
        rows = streamed(op, size, before, *rest)
        if rest[-1]:
            grown, products = before.grown(), streamed(op, size, before, *rest[:-1], False)
            assert grown is not None
            kept = [SimpleNamespace(values=made.values.copy(), signed=made.signed) for made in (rows, products)]
            found.append((op, grown._replace(values=grown.values.copy()), *kept))
        return rows

    monkeypatch.setattr(pieces, "streamed", both)
    monkeypatch.setattr(pieces, "MANY", 1)
    return found


def bound(op: Any, grown: Grown, roundings: float, shape: tuple[int, ...] = (-1,)) -> np.ndarray:
    """[m] so many roundings of a layer's terms, where its input has some shape."""
    top = torch.from_numpy(np.maximum(grown.values[: grown.old], 0.0).max(axis=0)).reshape(1, *shape)
    return roundings * UNIT_ROUNDOFF * op.magnitude(top).reshape(-1).numpy()


def exact_rows(grown: Grown) -> dict[int, list[Fraction]]:
    """The values that were folded, exactly, at new vertices that are no anchors: those on edges, then on chords."""
    values = [[Fraction(x) for x in row] for row in grown.values[: grown.old].tolist()]
    cuts, chords, crossings = grown.cuts, grown.chords, grown.crossings
    anchors, out = set(anchors_of(grown).tolist()), dict[int, list[Fraction]]()

    def between(one: list[Fraction], other: list[Fraction], at: int) -> list[Fraction]:
        share = Fraction(float(grown.fractions[at]))
        return [a + share * (b - a) for a, b in zip(one, other, strict=True)]

    for at, (tail, head) in enumerate(zip(cuts.tails.tolist(), cuts.heads.tolist(), strict=True)):
        out[at] = between(values[tail], values[head], at)
    for chord in range(len(crossings.faces)):
        ends = [int(vertex) for vertex in chords.table[chord, 1:3]]
        for at in crossings.order[crossings.offsets[chord] : crossings.offsets[chord + 1]].tolist():
            tail, head = (values[end] if end < grown.old else out[end - grown.old] for end in ends)
            out[at] = between(tail, head, at)
    return {at: row for at, row in out.items() if at not in anchors}
