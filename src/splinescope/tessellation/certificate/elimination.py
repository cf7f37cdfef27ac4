"""Points where forms vanish, and hyperplanes through points, by elimination over the rationals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction


def common_zero(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """The one point where affine forms vanish, in homogeneous coordinates with a positive last one.

    Args:
        rows: [k][d + 1] forms; those that depend on earlier ones are left out.

    Returns:
        [d + 1] coordinates, None if the forms don't determine a point.
    """
    width = len(rows[0])
    for kept in _eliminated(rows, width - 1):
        if len(kept) == width - 1:
            point = [Fraction(0)] * (width - 1) + [Fraction(1)]
            for place, known in kept.items():
                point[place] = -known[-1] / known[place]
            return point
    return None


def hyperplane_through(points: list[list[Fraction]]) -> list[Fraction] | None:
    """The affine form that vanishes at points.

    Args:
        points: [k][d + 1] homogeneous coordinates.

    Returns:
        [d + 1] coefficients, None if the points are on no hyperplane, or on several.
    """
    width = len(points[0])
    *_, kept = _eliminated(points, width)
    if len(kept) != width - 1:
        return None
    (free,) = set(range(width)) - set(kept)
    form = [Fraction(0)] * width
    form[free] = Fraction(1)
    for place, known in kept.items():
        form[place] = -known[free] / known[place]
    return form


def _eliminated(rows: Iterable[list[Fraction]], columns: int) -> Iterator[dict[int, list[Fraction]]]:
    """After each row those so far, reduced to each other: by the columns where only they are not zero."""
    kept: dict[int, list[Fraction]] = {}
    for row in rows:
        rest = list(row)
        for pivot, known in kept.items():
            if rest[pivot]:
                rest = _without(rest, known, pivot)
        pivot = next((i for i in range(columns) if rest[i]), -1)
        if pivot >= 0:
            kept = {place: _without(known, rest, pivot) for place, known in kept.items()}
            kept[pivot] = rest
        yield kept


def _without(row: list[Fraction], other: list[Fraction], pivot: int) -> list[Fraction]:
    """A row less the multiple of another one that makes its entry in a column zero."""
    factor = row[pivot] / other[pivot]
    return [a - factor * b for a, b in zip(row, other, strict=True)]
