r"""The nearest point of a polyhedron, by non-negative least squares.

Least distance programming, $\min \|s\|$ subject to $A s + c \ge 0$, is the dual of a non-negative least-squares
problem: for $u \ge 0$ that minimises $\|A^T u\|^2 + (c \cdot u + 1)^2$, with residual
$r = (A^T u, -c \cdot u - 1)$, the answer is $s = A^T u / (1 + c \cdot u)$ and has $1 + \|s\|^2 = 1 / \|r\|^2$; a zero
residual says that there is no such point. The solution is that of an active-set method and so exact up to rounding.
Source: Lawson and Hanson (1974), Solving least squares problems, chapter 23.

Few of a cell's thousands of walls touch the ball around the answer. Only those that a candidate violates enter the
problem, until none is violated; every candidate's distance is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from splinescope.numerics import UNIT_ROUNDOFF

FAR_AWAY = 2.0**20
"""Distance, relative to the largest violation at the origin, from which on a polyhedron counts as empty."""

RESOLUTION = float(np.sqrt(UNIT_ROUNDOFF))
"""Violation of a wall, relative to the scale of the problem, that is left."""

_AT_ONCE = 8
"""Violated walls that enter in one round; with very many violated, a quarter of them do."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The nearest point of a polyhedron to the origin.

    Attributes:
        distance: Its distance; infinite if there is none, or it is beyond the limit.
        point: The point; NaN then.
        active: Rows of the walls that hold it there.
    """

    distance: float
    point: Float[np.ndarray, " d"]
    active: Int[np.ndarray, " active"]


def project(
    normals: Float[np.ndarray, "walls d"],
    offsets: Float[np.ndarray, " walls"],
    limit: float = math.inf,
) -> Projection:
    r"""Nearest point to the origin where `normals @ s + offsets >= 0`, if it is within a limit.

    Args:
        normals: Rows of unit length, or zero.
        offsets: Offsets.
        limit: Distance beyond which the answer does not matter.

    Returns:
        The point. Cost: a few small non-negative least-squares problems, and products with all walls.

    Example:
        >>> corner = project(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), np.array([-3.0, -4.0, 9.0]))
        >>> round(corner.distance, 12), corner.point.round(12).tolist(), corner.active.tolist()
        (5.0, [3.0, 4.0], [0, 1])
    """
    d = normals.shape[1]
    scale = limit if math.isfinite(limit) and limit > 0 else float(-offsets.min(initial=0.0)) or 1.0
    point, active = np.zeros(d), np.zeros(0, dtype=np.int64)
    tried = np.zeros(len(offsets), dtype=bool)
    for _ in range(2 * len(offsets) + 1):
        rows = np.flatnonzero(tried)
        if len(rows):
            weights, residual = _least_distance(normals[rows], offsets[rows] / scale)
            if min(residual @ residual, -residual[d]) * FAR_AWAY**2 < 1.0:
                return _nothing(d)
            point, active = -scale * residual[:d] / residual[d], rows[weights > 0]
            distance = math.sqrt(point @ point)
            if distance > limit * (1 + RESOLUTION):
                return _nothing(d)
            if distance > 4 * scale:
                scale = distance
                continue
        values = normals @ point + offsets
        violated = np.flatnonzero((values < -RESOLUTION * scale) & ~tried)
        if not len(violated):
            break
        tried[violated[np.argsort(values[violated])[: max(_AT_ONCE, len(violated) // 4)]]] = True
    return Projection(math.sqrt(point @ point), point, active)


def _least_distance(normals: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The non-negative weights of some walls, and the residual, from which the point is read off.

    It loses digits where the point is much farther than 1; then the problem is scaled and solved again.
    """
    matrix = np.vstack([normals.T, -offsets])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    weights, _ = nnls(matrix, target)
    return weights, matrix @ weights - target


def _nothing(d: int) -> Projection:
    return Projection(math.inf, np.full(d, np.nan), np.zeros(0, dtype=np.int64))
