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

from splinescope.errors import DegenerateArrangementError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.shown import Shown

FAR_AWAY = 2.0**20
"""Distance, relative to the largest violation at the origin, from which on a polyhedron counts as empty."""

RESOLUTION = float(np.sqrt(UNIT_ROUNDOFF))
"""Violation of a wall, relative to the scale of the problem, that is left."""

_SLACKS = (RESOLUTION, 2.0**8 * RESOLUTION, 2.0**12 * RESOLUTION)
"""By how much walls give way, relative to the scale, where they all but contradict each other."""

_AT_ONCE = 8
"""Violated walls that enter in one round; with very many violated, a quarter of them do."""


@dataclass(frozen=True, eq=False)
class Projection(Shown):
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
    slack: float = 0.0,
) -> Projection:
    r"""Nearest point to the origin where `normals @ s + offsets >= 0`, if it is within a limit.

    Args:
        normals: Rows of unit length, or zero.
        offsets: Offsets.
        limit: Distance beyond which the answer does not matter.
        slack: How far walls give way, relative to the limit or else to the largest violation at the origin: with
            `RESOLUTION` a polyhedron that is only a point or a face is not lost to rounding.

    Returns:
        The point. Cost: a few small non-negative least-squares problems, and products with all walls.

    Raises:
        DegenerateArrangementError: If walls contradict each other in so many ways that float64 cannot decide it.

    Example:
        >>> corner = project(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), np.array([-3.0, -4.0, 9.0]))
        >>> round(corner.distance, 12), corner.point.round(12).tolist(), corner.active.tolist()
        (5.0, [3.0, 4.0], [0, 1])
    """
    scale = limit if math.isfinite(limit) and limit > 0 else float(-offsets.min(initial=0.0)) or 1.0
    found = Projection(0.0, np.zeros(normals.shape[1]), np.zeros(0, dtype=np.int64))
    tried = np.zeros(len(offsets), dtype=bool)
    for _ in range(len(offsets) + 1):
        rows = np.flatnonzero(tried)
        if len(rows):
            held = _held_by(normals[rows], offsets[rows], scale, slack)
            if held.distance > limit * (1 + RESOLUTION):
                return _nothing(normals.shape[1])
            found = Projection(held.distance, held.point, rows[held.active])
        values = normals @ found.point + offsets
        violated = np.flatnonzero((values < -(slack + RESOLUTION) * max(scale, found.distance)) & ~tried)
        if not len(violated):
            break
        tried[violated[np.argsort(values[violated])[: max(_AT_ONCE, len(violated) // 4)]]] = True
    return found


def _held_by(normals: np.ndarray, offsets: np.ndarray, scale: float, slack: float) -> Projection:
    """The nearest point that satisfies a few walls, all of which enter the least-squares problem.

    Where walls all but contradict each other its weights grow beyond all bounds, and the answer is wrong, which is seen
    from the walls; then they give way a little, which makes the distance no larger.
    """
    for give in (slack, *(larger for larger in _SLACKS if larger > slack)):
        found = _least_distance(normals, offsets + give * scale, scale)
        allowed = (give + RESOLUTION) * max(scale, found.distance)
        if math.isinf(found.distance) or (normals @ found.point + offsets).min() >= -allowed:
            return found
    raise DegenerateArrangementError(
        f"{len(offsets)} walls of a cell contradict each other within rounding; their nearest point cannot be found"
    )


def _least_distance(normals: np.ndarray, offsets: np.ndarray, scale: float) -> Projection:
    """The point that the least-squares problem gives, solved again at its own scale where it is far away.

    A residual of nearly zero proves that there is no point nearer than `FAR_AWAY`, whatever the weights. One that is
    impossible, which numerically dependent walls can cause, gives NaN.
    """
    d = normals.shape[1]
    target = np.zeros(d + 1)
    target[d] = 1.0
    while True:
        matrix = np.vstack([normals.T, -offsets / scale])
        weights, _ = nnls(matrix, target)
        residual = matrix @ weights - target
        if residual @ residual * FAR_AWAY**2 < 1.0:
            return _nothing(d)
        if -residual[d] * FAR_AWAY**2 < 1.0:
            return Projection(math.nan, np.full(d, np.nan), np.zeros(0, dtype=np.int64))
        point = -scale * residual[:d] / residual[d]
        distance = math.sqrt(point @ point)
        if distance <= 4 * scale:
            return Projection(distance, point, np.flatnonzero(weights > 0))
        scale = distance


def _nothing(d: int) -> Projection:
    return Projection(math.inf, np.full(d, np.nan), np.zeros(0, dtype=np.int64))
