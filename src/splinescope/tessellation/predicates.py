"""Points where affine forms vanish, and on which side of another form they lie, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from splinescope.tessellation.dyadics import Dyadic, Form, integers


def crossing(forms: Sequence[Form]) -> Form | None:
    """The point where d forms vanish, in homogeneous coordinates with positive last one; None if there is none.

    Args:
        forms: d forms of d + 1 coefficients.

    Returns:
        d + 1 integers without a common factor.
    """
    d = len(forms)
    if d == 1:
        ((a, c),) = forms
        point = [-c, a]
    elif d == 2:
        (a, b, c), (e, f, g) = forms
        point = [b * g - c * f, c * e - a * g, a * f - b * e]
    else:
        point = []
        for k in range(d + 1):
            minor = fmpz_mat([[row[j] for j in range(d + 1) if j != k] for row in forms]).det()
            point.append(minor if (d + k) % 2 == 0 else -minor)
    if point[-1] == 0:
        return None
    return reduced(point)


def reduced(point: Form) -> Form:
    """The same point without a common factor, and with positive last coordinate."""
    common = fmpz(0)
    for number in point:
        common = common.gcd(number)
    if point[-1] < 0:
        common = -common
    return [number // common for number in point]


def line_through(first: Form, second: Form) -> Form:
    """The form in two coordinates that vanishes at two points, positive on the left of the way between them."""
    (a, b, c), (e, f, g) = first, second
    return [b * g - c * f, c * e - a * g, a * f - b * e]


def independent_crossing(forms: Sequence[Form], dimension: int) -> Form | None:
    """The point where some d of the forms vanish; None if no d of them are independent."""
    for chosen in combinations(forms, dimension):
        point = crossing(chosen)
        if point is not None:
            return point
    return None


def exact_point(coordinates: np.ndarray) -> Form:
    """A point of float64 coordinates in homogeneous ones."""
    whole, exponent = integers(coordinates)
    one = fmpz(1)
    if exponent >= 0:
        return [*(number << exponent for number in whole), one]
    return reduced([*whole, one << -exponent])


def sign_at(form: Form, point: Form) -> int:
    """Sign of a form at a point: -1, 0 or 1."""
    total = sum((a * x for a, x in zip(form, point, strict=True)), fmpz(0))
    return (total > 0) - (total < 0)


def value_at(form: Form, point: Form) -> fmpq:
    """Value of a form at a point."""
    return fmpq(sum((a * x for a, x in zip(form, point, strict=True)), fmpz(0)), point[-1])


def nearest(number: fmpq) -> float:
    """The float64 number nearest to a rational one."""
    return int(number.p) / int(number.q)


def values_at(forms: Dyadic, point: Form) -> list[float]:
    """The float64 numbers nearest to affine forms at a point, given in homogeneous coordinates."""
    up, down = max(forms.exponent, 0), max(-forms.exponent, 0)
    exact = [value_at(form, point) for form in forms.rows]
    return [(int(value.p) << up) / (int(value.q) << down) for value in exact]


def coordinates(point: Form) -> np.ndarray:
    """Float64 coordinates nearest to a point."""
    return np.array([int(x) / int(point[-1]) for x in point[:-1]])


def fraction_between(form: Form, tail: Form, head: Form) -> float:
    """Where a form vanishes between two points, as the float64 share of the way, in [0, 1].

    Args:
        form: A form whose signs at both ends differ.
        tail: Start.
        head: End.
    """
    a, b = value_at(form, tail), value_at(form, head)
    return nearest(a / (a - b)) if a != b else 0.5


def envelope(lines: Mapping[int, Form], low: fmpq, high: fmpq) -> tuple[list[int], list[fmpq]]:
    """Upper envelope of lines on an interval.

    Args:
        lines: Slope and constant of each line, by its position, in order.
        low: Where the interval starts.
        high: Where it ends.

    Returns:
        Positions of the lines that lead, in order, and where each but the first takes over. Of lines that are equal the
        first one leads.
    """
    at_low = {k: line[0] * low + line[1] for k, line in lines.items()}
    leader = max(lines, key=lambda k: (at_low[k], lines[k][0], -k))
    leaders, places = [leader], list[fmpq]()
    while True:
        best: tuple[fmpq, int] | None = None
        slope, constant = lines[leader]
        for k, (other, start) in lines.items():
            if other <= slope:
                continue
            place = fmpq(constant - start, other - slope)
            if place < high and (best is None or place < best[0] or (place == best[0] and other > lines[best[1]][0])):
                best = place, k
        if best is None:
            return leaders, places
        leader = best[1]
        leaders.append(leader)
        places.append(best[0])
