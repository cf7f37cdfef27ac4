"""Naive twin of class intervals: which line is the largest where, by comparing all pairs of lines in rationals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from tests.fixtures.recipes import Recipe
from tests.reference.rational_segment import Line, at, intervals

Change = tuple[Fraction, int]
"""Where a class takes the lead, and which."""


def exact_classes(recipe: Recipe, a: np.ndarray, b: np.ndarray, classes: Sequence[int] | None = None) -> list[Change]:
    """Classes of a recipe between two inputs, in order; one output is class 1 against the class 0, which is zero."""
    found: list[Change] = []
    for cell in intervals(recipe, a, b):
        outputs = cell.output if len(cell.output) > 1 else ((Fraction(0), Fraction(0)), *cell.output)
        lines = {k: outputs[k] for k in (range(len(outputs)) if classes is None else sorted(classes))}
        crossings = {_crossing(one, other) for one, other in combinations(lines.values(), 2)}
        places = sorted({cell.start, cell.stop, *(t for t in crossings if t and cell.start < t < cell.stop)})
        for start, stop in pairwise(places):
            best = max(lines, key=lambda k: (at(lines[k], (start + stop) / 2), -k))
            if not found or found[-1][1] != best:
                found.append((start, best))
    return found


def _crossing(one: Line, other: Line) -> Fraction | None:
    return (other[1] - one[1]) / (one[0] - other[0]) if one[0] != other[0] else None
