"""Segments through degenerate arrangements: across them, through their vertices, along their folds, ending on them."""

from __future__ import annotations

import numpy as np

from tests.fixtures.cases import Case
from tests.reference.rational import ExactTessellation

Ends = tuple[np.ndarray, np.ndarray]


def _dyadic(x: object) -> bool:
    denominator = x.denominator  # type: ignore[attr-defined]
    return denominator & (denominator - 1) == 0 and denominator < 2**20


def segments_of(case: Case, answer: ExactTessellation, seed: int, amount: int = 4) -> list[Ends]:
    """Pairs of points of the case's plane.

    Args:
        case: The network and its polygon.
        answer: Its exact cells.
        seed: For the random choices.
        amount: How many of each kind.
    """
    rng = np.random.default_rng(seed)
    corners = np.array(case.polygon, dtype=np.float64)
    kinds = [(corners[0], corners[2]), (corners[1], corners[len(corners) - 1])]
    inside = lambda: np.round(256 * rng.dirichlet(np.ones(len(corners))) @ corners) / 256  # noqa: E731
    coarse = lambda: rng.integers(-4, 5, 2) / 4.0  # noqa: E731
    kinds += [(inside(), inside()) for _ in range(amount)]
    kinds += [(coarse(), coarse()) for _ in range(amount)]
    kinds += [(np.zeros(2), coarse()), (-np.ones(2), np.ones(2)), (np.array([-1.0, 0.25]), np.array([1.0, 0.25]))]
    exact = [
        (x, y) for X, Y, W in sorted(answer.vertices) for x, y in [_coordinates(X, Y, W)] if _dyadic(x) and _dyadic(y)
    ]
    points = np.array([[float(x), float(y)] for x, y in exact]).reshape(-1, 2)
    for _ in range(amount if len(points) > 1 else 0):
        one, other = points[rng.choice(len(points), 2, replace=False)]
        kinds += [(one, other), (one, inside()), (2 * one - other, other)]
    for start, end in sorted(answer.segments)[:: max(1, len(answer.segments) // amount)]:
        ends = [_coordinates(*start), _coordinates(*end)]
        if all(_dyadic(x) for point in ends for x in point):
            one, other = (np.array([float(x) for x in point]) for point in ends)
            kinds += [(one, other), (one, 2 * other - one)]
    return [(one, other) for one, other in kinds if not np.array_equal(one, other)]


def _coordinates(x: int, y: int, w: int) -> tuple[object, object]:
    from fractions import Fraction

    return Fraction(x, w), Fraction(y, w)
