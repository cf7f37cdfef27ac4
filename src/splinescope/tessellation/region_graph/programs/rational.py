"""Linear programs in rational arithmetic, and with them which half-spaces are facets of a cell.

Rows are lists of integers `(g, v)`: a point `x` is inside where `g @ x + v <= 0`. Facets are found as by Clarkson: a
row is asked for among the facets known so far; if it can be passed there, a ray from the interior to where it is passed
meets a facet first, this one or one that was not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

Point = list[fmpq]
Row = list[int]


def value(row: Row, x: Point) -> fmpq:
    """`g @ x + v`."""
    total = fmpq(row[-1])
    for g, t in zip(row, x, strict=False):
        if g:
            total += g * t
    return total


def _along(row: Row, direction: Point) -> fmpq:
    total = fmpq(0)
    for g, t in zip(row, direction, strict=False):
        if g:
            total += g * t
    return total


def maximise(rows: list[Row], objective: Row, start: Point) -> Point | None:
    """A point at which `objective` is largest, by the simplex method with Bland's rule, which does not cycle.

    Args:
        rows: The half-spaces.
        objective: A row.
        start: A point inside.

    Returns:
        The point; None if there is no largest value.
    """
    n = len(start)
    x, active = list(start), [-1] * n
    inverse = [[fmpq(int(i == k)) for k in range(n)] for i in range(n)]
    slack = [-value(row, x) for row in rows]
    while True:
        chosen, sign = _entering(objective, active, inverse)
        if chosen < 0:
            return x
        direction = [sign * inverse[i][chosen] for i in range(n)]
        rates = [_along(row, direction) for row in rows]
        best, step = -1, fmpq(0)
        for i, rate in enumerate(rates):
            if rate > 0 and i not in active and (best < 0 or slack[i] / rate < step):
                best, step = i, slack[i] / rate
        if best < 0:
            return None
        x = [a + step * b for a, b in zip(x, direction, strict=True)]
        slack = [s - step * rate for s, rate in zip(slack, rates, strict=True)]
        along = [sum((rows[best][i] * inverse[i][k] for i in range(n)), fmpq(0)) for k in range(n)]
        for i in range(n):
            inverse[i][chosen] /= along[chosen]
            for k in range(n):
                if k != chosen and along[k] != 0:
                    inverse[i][k] -= along[k] * inverse[i][chosen]
        active[chosen] = best


def _entering(objective: Row, active: list[int], inverse: list[list[fmpq]]) -> tuple[int, int]:
    """The constraint to leave and the sign of its edge; -1 at the optimum."""
    n, chosen, sign = len(active), -1, 1
    for k in range(n):
        slope = sum((objective[j] * inverse[j][k] for j in range(n) if objective[j]), fmpq(0))
        if active[k] < 0 and slope != 0:
            return k, 1 if slope > 0 else -1
        if active[k] >= 0 and slope < 0 and (chosen < 0 or active[k] < active[chosen]):
            chosen, sign = k, -1
    return chosen, sign


def interior(rows: list[Row], lengths: list[int], start: Point) -> tuple[Point, fmpq]:
    """A point that is as far as possible inside of all rows, and how far.

    Args:
        rows: The half-spaces; the set is bounded.
        lengths: Positive integers near the lengths of their gradients.
        start: Any point.

    Returns:
        The point and the distance, which is not positive if nothing has an interior.
    """
    depth = min(-value(row, start) / length for row, length in zip(rows, lengths, strict=True))
    lifted = [[*row[:-1], length, row[-1]] for row, length in zip(rows, lengths, strict=True)]
    objective = [0] * len(start) + [1, 0]
    found = maximise(lifted, objective, [*start, depth])
    assert found is not None
    return found[:-1], found[-1]


@dataclass(frozen=True, eq=False)
class DecidedRows:
    """What became of some rows.

    Attributes:
        facets: Rows that are facets, with a point in the relative interior of each.
        touching: Rows that the set meets in less than a facet.
    """

    facets: dict[int, Point]
    touching: tuple[int, ...]


def faces(rows: list[Row], outer: list[Row], centre: Point) -> DecidedRows:
    """Which rows are facets of the set that all of them bound.

    Args:
        rows: Different half-spaces.
        outer: Half-spaces that bound everything, and are none of its facets.
        centre: A point inside of all.

    Returns:
        Facets and rows that are merely touched; all others are out of reach.
    """
    found: dict[int, Point] = {}
    touching = []
    slack = [-value(row, centre) for row in rows]
    for row in rows:
        _shoot(rows, slack, centre, [fmpq(g) for g in row[:-1]], found)
    for i, row in enumerate(rows):
        everything = False
        while i not in found:
            others = [k for k in (range(len(rows)) if everything else found) if k != i]
            top = maximise([*outer, *(rows[k] for k in others)], row, centre)
            assert top is not None
            most = value(row, top)
            if most <= 0:
                if most == 0 and everything:
                    touching.append(i)
                if most < 0 or everything:
                    break
                everything = True
                continue
            known = len(found)
            direction = [a - b for a, b in zip(top, centre, strict=True)]
            _shoot(rows, slack, centre, direction, found)
            everything = len(found) == known
    return DecidedRows(found, tuple(touching))


def _shoot(rows: list[Row], slack: list[fmpq], centre: Point, direction: Point, found: dict[int, Point]) -> None:
    """Follow a ray to the row that it meets first; it is a facet if there is just one."""
    best, step, tied = -1, fmpq(0), False
    for i, row in enumerate(rows):
        rate = _along(row, direction)
        if rate > 0:
            at = slack[i] / rate
            if best < 0 or at < step:
                best, step, tied = i, at, False
            elif at == step:
                tied = True
    if best >= 0 and not tied and best not in found:
        found[best] = [a + step * b for a, b in zip(centre, direction, strict=True)]


def rounded(x: Point) -> np.ndarray:
    """The nearest floats."""
    return np.array([to_float(t) for t in x])


def to_float(number: fmpq) -> float:
    """The nearest float, of numbers however long."""
    try:
        return int(number.p) / int(number.q)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
