"""Convex polygons in exact arithmetic.

A point is a triple of integers `(X, Y, W)` with `W > 0` that stands for `(X / W, Y / W)`.

An affine form `(a, b, c)` of integers is `a x + b y + c`; its sign at a point is the sign of `a X + b Y + c
W`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import TypeVar

Point = tuple[int, int, int]
Form = tuple[int, int, int]
Polygon = tuple[Point, ...]
_Item = TypeVar("_Item")


def integers(values: Iterable[float | Fraction]) -> tuple[list[int], int]:
    """Integers `n` and a denominator `d > 0` with `values == n / d` exactly."""
    fractions = [Fraction(value) for value in values]
    denominator = lcm(1, *(value.denominator for value in fractions))
    return [int(value * denominator) for value in fractions], denominator


def point(x: float | Fraction, y: float | Fraction) -> Point:
    """The homogeneous point `(x, y)`, in lowest terms."""
    (numerator_x, numerator_y), denominator = integers([x, y])
    return _reduced(numerator_x, numerator_y, denominator)


def coordinates(vertex: Point) -> tuple[Fraction, Fraction]:
    """The two coordinates as fractions."""
    return Fraction(vertex[0], vertex[2]), Fraction(vertex[1], vertex[2])


def value(form: Form, vertex: Point) -> int:
    """`W` times the form at the vertex; its sign is the form's sign there."""
    return form[0] * vertex[0] + form[1] * vertex[1] + form[2] * vertex[2]


def subtract(left: Form, right: Form) -> Form:
    """`left - right`."""
    return left[0] - right[0], left[1] - right[1], left[2] - right[2]


def split(polygon: Polygon, form: Form) -> tuple[Polygon | None, Polygon | None, bool]:
    """The parts of the polygon where the form is negative and positive, and whether it vanishes on all of it.

    A part is None where the form takes no value of that strict sign. So both parts are polygons only if the
    form takes both strict signs; a form that vanishes on the whole polygon gives `(None, None, True)`.
    """
    values = [value(form, vertex) for vertex in polygon]
    has_negative, has_positive = any(v < 0 for v in values), any(v > 0 for v in values)
    if not (has_negative and has_positive):
        return (
            (polygon if has_negative else None),
            (polygon if has_positive else None),
            not (has_negative or has_positive),
        )
    negative: list[Point] = []
    positive: list[Point] = []
    for here, there, v_here, v_there in zip(polygon, _turned(polygon), values, _turned(values), strict=True):
        if v_here <= 0:
            negative.append(here)
        if v_here >= 0:
            positive.append(here)
        if v_here * v_there < 0:
            crossing = _crossing(here, there, v_here, v_there)
            negative.append(crossing)
            positive.append(crossing)
    return tuple(negative), tuple(positive), False


def area(polygon: Polygon) -> Fraction:
    """The area of a counter-clockwise polygon (shoelace formula)."""
    points = [coordinates(vertex) for vertex in polygon]
    return sum((p[0] * q[1] - p[1] * q[0] for p, q in zip(points, _turned(points), strict=True)), Fraction(0)) / 2


def centre(polygon: Polygon) -> tuple[Fraction, Fraction]:
    """The mean of the vertices, a point inside a convex polygon."""
    points = [coordinates(vertex) for vertex in polygon]
    return sum((p[0] for p in points), Fraction(0)) / len(points), sum((p[1] for p in points), Fraction(0)) / len(
        points
    )


def on_segment(vertex: Point, start: Point, end: Point) -> bool:
    """Whether the vertex lies strictly between the ends of the segment."""
    line = (
        start[1] * end[2] - start[2] * end[1],
        start[2] * end[0] - start[0] * end[2],
        start[0] * end[1] - start[1] * end[0],
    )
    return value(line, vertex) == 0 and _dot_from(vertex, start, end) < 0


def _dot_from(vertex: Point, start: Point, end: Point) -> Fraction:
    (x, y), (x0, y0), (x1, y1) = coordinates(vertex), coordinates(start), coordinates(end)
    return (x0 - x) * (x1 - x) + (y0 - y) * (y1 - y)


def _crossing(here: Point, there: Point, v_here: int, v_there: int) -> Point:
    weights = abs(v_there), abs(v_here)
    x, y, w = (weights[0] * p + weights[1] * q for p, q in zip(here, there, strict=True))
    return _reduced(x, y, w)


def _reduced(x: int, y: int, w: int) -> Point:
    divisor = gcd(x, y, w)
    return x // divisor, y // divisor, w // divisor


def _turned(items: Sequence[_Item]) -> list[_Item]:
    return [*items[1:], items[0]]
