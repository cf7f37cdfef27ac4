"""Minima of a convex quadratic on each cell of a planar complex."""

from __future__ import annotations

import numpy as np
from numba import njit

_SINGULAR = 1e-14
"""Determinant by the square of the trace up to which a quadratic counts as constant along a line."""

APART = 1e-9
"""Share of a cell's size up to which points are the same, or on a side."""

EQUAL = 2.0**-40
"""Share of the loss within which two minima are equally low."""


@njit(cache=True, nogil=True)
def _least_along(p: np.ndarray, q: np.ndarray, at: tuple) -> float:
    """Where a quadratic is least on the way from one point to another: 0 at the first, 1 at the other."""
    (cx, cy), _, (gx, gy), hessian = at
    a, b, d = hessian[0, 0], hessian[0, 1], hessian[1, 1]
    ex, ey, px, py = q[0] - p[0], q[1] - p[1], p[0] - cx, p[1] - cy
    slope = (gx + a * px + b * py) * ex + (gy + b * px + d * py) * ey
    bend = a * ex * ex + 2 * b * ex * ey + d * ey * ey
    return 0.0 if slope >= 0 else (1.0 if slope + bend <= 0 else -slope / bend)


@njit(cache=True, nogil=True)
def _value(x: float, y: float, at: tuple) -> float:
    """A quadratic at a point."""
    centre, value, gradient, hessian = at
    u, v = x - centre[0], y - centre[1]
    bend = hessian[0, 0] * u * u + 2 * hessian[0, 1] * u * v + hessian[1, 1] * v * v
    return value + gradient[0] * u + gradient[1] * v + 0.5 * bend


@njit(cache=True, nogil=True)
def is_inside(ring: np.ndarray, x: float, y: float) -> bool:
    """Whether a point is inside of a cell, given by its corners counter-clockwise."""
    for k in range(len(ring)):
        p, q = ring[k], ring[(k + 1) % len(ring)]
        if (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) <= 0.0:
            return False
    return True


@njit(cache=True, nogil=True)
def cell_minima(
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    centres: np.ndarray,  # [F, 2] where value and gradient are taken
    values: np.ndarray,
    gradients: np.ndarray,
    hessians: np.ndarray,  # [F, 2, 2]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each cell has its least value, that, and its side: -1 inside, k on the k-th one, k + corners at a corner.

    A quadratic that is constant along a line has its minima at sides, too, so that no case of low rank is apart. Where
    it has more than one of them it is a point between.
    """
    count = len(offsets) - 1
    points, least, sides = np.empty((count, 2)), np.empty(count), np.empty(count, np.int64)
    for cell in range(count):
        low, high = offsets[cell], offsets[cell + 1]
        corners = high - low
        a, b, d = hessians[cell, 0, 0], hessians[cell, 0, 1], hessians[cell, 1, 1]
        gx, gy, cx, cy = gradients[cell, 0], gradients[cell, 1], centres[cell, 0], centres[cell, 1]
        determinant = a * d - b * b
        found = False
        if determinant > _SINGULAR * (a + d) ** 2:
            x, y = cx - (d * gx - b * gy) / determinant, cy - (a * gy - b * gx) / determinant
            found = is_inside(vertices[cell_vertices[low:high]], x, y)
            if found:
                u, v = x - cx, y - cy
                points[cell, 0], points[cell, 1], sides[cell] = x, y, -1
                least[cell] = values[cell] + 0.5 * (gx * u + gy * v)
        if found:
            continue
        best = np.inf
        at = (centres[cell], values[cell], gradients[cell], hessians[cell])
        for k in range(corners):
            p, q = vertices[cell_vertices[low + k]], vertices[cell_vertices[low + (k + 1) % corners]]
            t = _least_along(p, q, at)
            x, y = p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])
            value = _value(x, y, at)
            if value < best:
                best = value
                points[cell, 0], points[cell, 1], least[cell] = x, y, value
                sides[cell] = k if 0.0 < t < 1.0 else corners + (k + (1 if t == 1.0 else 0)) % corners
        if determinant <= _SINGULAR * (a + d) ** 2:
            sides[cell] = _between(vertices[cell_vertices[low:high]], at, best, points[cell], sides[cell])
    return points, least, sides


@njit(cache=True, nogil=True)
def _between(ring: np.ndarray, at: tuple, best: float, point: np.ndarray, side: int) -> int:
    """The side of the mean of all minima at the border, -1 inside, and that point; as they were if there is but one."""
    top = 0.0
    for k in range(len(ring)):
        top = max(top, _value(ring[k, 0], ring[k, 1], at))
    room = EQUAL * (abs(at[1]) + abs(best)) + _SINGULAR * top  # what counts as constant bends by no more
    corners, count, x, y = len(ring), 0, 0.0, 0.0
    first_x = first_y = spread = size = 0.0
    for k in range(corners):
        p, q = ring[k], ring[(k + 1) % corners]
        ex, ey = q[0] - p[0], q[1] - p[1]
        size = max(size, ex * ex + ey * ey)
        inside = _least_along(p, q, at)
        for share in (0.0, inside if inside < 1.0 else 0.0):
            u, v = p[0] + share * ex, p[1] + share * ey
            if _value(u, v, at) > best + room:
                continue
            if not count:
                first_x, first_y = u, v
            spread = max(spread, (u - first_x) ** 2 + (v - first_y) ** 2)
            x, y, count = x + u, y + v, count + 1
    if spread <= APART * APART * (size + first_x * first_x + first_y * first_y):
        return side
    x, y = x / count, y / count
    point[0], point[1] = x, y
    return side_of(ring, x, y, size)


@njit(cache=True, nogil=True)
def side_of(ring: np.ndarray, x: float, y: float, size: float) -> int:
    """The side of a cell that a point of it is on, -1 for the inside; `size` is the square of the longest side."""
    place, corners = -1, len(ring)
    for k in range(corners):
        p, q = ring[k], ring[(k + 1) % corners]
        ex, ey = q[0] - p[0], q[1] - p[1]
        if ex * (y - p[1]) - ey * (x - p[0]) <= APART * np.sqrt((ex * ex + ey * ey) * size):
            place = k
    return place
