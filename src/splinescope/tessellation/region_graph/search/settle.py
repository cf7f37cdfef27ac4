"""Cells that float64 leaves in doubt, decided in rational arithmetic: nothing is near zero there."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd, isqrt, lcm

import numpy as np
from flint import fmpq

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.domains.samples import bounding_box
from splinescope.tessellation.region_graph.exact_branch import RationalNetwork, dyadic
from splinescope.tessellation.region_graph.programs.cells import near_rows
from splinescope.tessellation.region_graph.programs.rational import (
    DecidedRows,
    Point,
    Row,
    faces,
    interior,
    to_float,
    value,
)
from splinescope.tessellation.region_graph.programs.space import space_for


@dataclass(frozen=True, eq=False)
class SettledCell:
    """One cell.

    Attributes:
        centre: A point in its interior; None if it has none, so that there is no such cell.
        radius: Distance from there to the nearest row.
        rows: The different half-spaces that are near.
        numbers: The rows of the network that each is, those of the domain first.
        vanishing: Rows that are zero on all of the cell.
        faces: Which are facets.
    """

    centre: Point | None
    radius: float = 0.0
    rows: list[Row] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    vanishing: tuple[int, ...] = ()
    faces: DecidedRows = field(default_factory=lambda: DecidedRows({}, ()))

    def plane(self, row: int) -> np.ndarray:
        """[d + 1] unit normal and offset of a row."""
        return unit_row(self.rows[row])


def settle(network: RationalNetwork, pattern: np.ndarray, start: np.ndarray) -> SettledCell:
    """Decide the cell of a pattern.

    Args:
        network: The network.
        pattern: [columns] pieces of all units.
        start: [d] a point near the cell.

    Returns:
        What it is.
    """
    sides = network.sides
    distinct: dict[tuple[int, ...], list[int]] = {}
    vanishing = []
    rows = [*enumerate(sides), *((len(sides) + number, row) for number, row in network.rows(pattern))]
    for number, row in rows:
        if not any(row[:-1]):
            if row[-1] > 0:
                return SettledCell(None)
            if row[-1] == 0:
                vanishing.append(number)
            continue
        distinct.setdefault(_primitive(row), []).append(number)
    numbers, forms = list(distinct.values()), [list(row) for row in distinct]
    outer = _outer(network)
    kept = _near(network, forms, start)
    forms, numbers = [forms[i] for i in kept], [numbers[i] for i in kept]
    centre = _centre(forms, outer, start)
    if centre is None:
        return SettledCell(None)
    planes = np.array([unit_row(row, centre) for row in forms])
    found = faces(forms, outer, centre)
    return SettledCell(centre, float(-planes[:, -1].max()), forms, numbers, tuple(vanishing), found)


def _primitive(row: Row) -> tuple[int, ...]:
    divisor = gcd(*row)
    return tuple(x // divisor for x in row)


def _outer(network: RationalNetwork) -> list[Row]:
    """A box around the domain, twice as large."""
    low, high = bounding_box(network.domain)
    rows = []
    for j, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        for sign, end in ((-1.0, a - (b - a)), (1.0, b + (b - a))):
            normal = np.zeros(len(low))
            normal[j] = sign
            rows.append(dyadic([*normal, -sign * end])[0])
    return rows


def _near(network: RationalNetwork, rows: list[Row], start: np.ndarray) -> list[int]:
    """Rows that the cell may meet: the others are out of reach, by bounds that allow for their rounding here."""
    exact = [fmpq(*float(t).as_integer_ratio()) for t in start]
    planes = np.array([unit_row(row, exact) for row in rows])
    low, high = bounding_box(network.domain)
    extent = float(np.sqrt(len(start)) * np.max(high - low))
    known = 8 * UNIT_ROUNDOFF * (np.abs(planes[:, -1]) + extent)
    s = space_for(len(start), len(rows), extent)
    gradients = np.ascontiguousarray(planes[:, :-1].T)
    count = near_rows(s, gradients, planes[:, -1].copy(), known, low - start, high - start)
    return sorted(s.ids[:count].tolist())


def _centre(rows: list[Row], outer: list[Row], start: np.ndarray) -> Point | None:
    """A point well inside of all rows, with short coordinates where these are enough."""
    rows = [_scaled(row) for row in rows]
    lengths = [_length(row) for row in rows]
    exact = [fmpq(*float(t).as_integer_ratio()) for t in start]
    wide = [max(abs(x) for x in row[:-1]) for row in outer]
    point, depth = interior([*rows, *outer], [*lengths, *wide], exact)
    if depth <= 0:
        return None
    bits = 60
    while True:
        short = [fmpq((int(t.p) << bits) // int(t.q), 1 << bits) for t in point]
        if all(-value(row, short) > length * depth / 2 for row, length in zip(rows, lengths, strict=True)):
            return short
        bits *= 2


def _scaled(row: Row) -> Row:
    """The row times a power of two, so that the length of its gradient is an integer as nearly as float64 has it."""
    shift = max(0, 64 - max(abs(int(x)) for x in row[:-1]).bit_length())
    return [int(x) << shift for x in row]


def _length(row: Row) -> int:
    """Euclidean length of a gradient of integers, rounded up."""
    square = sum(int(g) ** 2 for g in row[:-1])
    return isqrt(square) + 1


def unit_row(row: Row, origin: Point | None = None) -> np.ndarray:
    """A row with a unit normal, in float64, each number off by a few roundings of itself.

    Args:
        row: Integers.
        origin: [d] point around which the offset is taken; the origin of coordinates if None.
    """
    square = sum(int(g) ** 2 for g in row[:-1])
    shift = max(0, 128 - square.bit_length())
    shift += shift % 2
    length = isqrt(square << shift)
    last = fmpq(row[-1]) if origin is None else value(row, origin)
    scaled = [fmpq(int(g) << (shift // 2), length) for g in row[:-1]] + [last * (1 << (shift // 2)) / length]
    return np.array([to_float(x) for x in scaled])


def point_of(x: Point) -> tuple[list[int], int]:
    """A point as integers over a common denominator."""
    denominator = lcm(*(int(t.q) for t in x))
    return [int(t.p) * (denominator // int(t.q)) for t in x], denominator
