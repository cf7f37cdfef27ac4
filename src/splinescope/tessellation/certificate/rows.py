"""Exact rows of numbers that vanish on facets, and whose signs facts state."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.forms import ScaledIntegers, exactly
from splinescope.tessellation.certificate.subject import Subject, pair_pieces


def homogeneous(point: np.ndarray) -> list[Any]:
    """A point in homogeneous coordinates."""
    whole = exactly(point)
    one = Fraction(1 << whole.bits) if whole.bits >= 0 else Fraction(1, 1 << -whole.bits)
    return [*(Fraction(x) for x in whole.numbers.tolist()), one]


def difference(forms: ScaledIntegers, plus: int, minus: int, shift: float) -> list[Any]:
    """The form `x[plus] - x[minus]`, or `x[plus] - shift`, up to a positive factor."""
    if minus >= 0:
        return list(forms.numbers[plus] - forms.numbers[minus])
    row = list(forms.numbers[plus])
    if shift:
        row[-1] -= Fraction(shift) * Fraction(2) ** forms.bits
    return row


def fact_form(facts: Facts, k: int, forms: ScaledIntegers) -> list[Any]:
    """The form that a fact says is not negative."""
    row = difference(forms, int(facts.plus[k]), int(facts.minus[k]), float(facts.shift[k]))
    return row if facts.sign[k] > 0 else [-x for x in row]


def nearest(rows: list[list[Any]], point: list[Any]) -> list[Any]:
    """The form that is least at a point."""
    if len(rows) == 1:
        return rows[0]
    return min(rows, key=lambda row: abs(sum(a * b for a, b in zip(row, point, strict=True))))


def around_facet(subject: Subject, facet: int) -> list[tuple[int, int, float]]:
    """What vanishes on a facet: `x[plus] - x[minus]`, or `x[plus] - shift` where `minus` is -1.

    Where the work ended, a facet has no neighbour that says at which end of the cell's own piece it is: both are given.
    """
    assert subject.facets is not None
    node, beside = int(subject.facets.op[facet]), subject.facets.cells[facet]
    unit, op = subject.facets.unit[facet : facet + 1], subject.network.folds[node]
    own = pair_pieces(subject, node, np.array([beside.max()]), unit)
    others = [own]
    if (beside >= 0).all():
        others = [pair_pieces(subject, node, beside[beside != beside.max()][:1], unit)]
    elif op.elementwise:
        others = [own + step for step in (-1, 1) if 0 <= own[0] + step <= op.levels]
    walls = [op.between(unit, own, other) for other in others]
    return [(int(plus[0]), int(minus[0]), float(shift[0])) for plus, minus, shift in walls]
