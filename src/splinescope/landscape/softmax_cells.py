r"""Cross-entropy on cells of a plane, where outputs are affine: derivatives, and minima of convex functions.

A softmax sees differences of outputs. Where those of every sample stand still along one direction v, the loss is a
function $f(w \cdot u)$ of one variable, w being across v, and strictly convex; where they do not move at all it is
constant; else it is strictly convex in both. So on a cell the minima are one point, or all of the cell on a line along
v, or the cell.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.landscape.cell_minima import APART, EQUAL, is_inside, side_of
from splinescope.numerics import UNIT_ROUNDOFF

_STEPS = 80
"""Steps of Newton's method, and halvings, until nothing changes any more."""

_MOST = 400
"""Steps in the plane, those that fail among them."""

FAINT = 2.0**-60
"""Share of a cell's largest slope below which differences of slopes move no digit of the loss, as of sleeping units."""


@njit(cache=True, nogil=True)
def _derivatives(
    slopes: np.ndarray, offsets: np.ndarray, targets: np.ndarray, x: float, y: float
) -> tuple[float, float, float, float, float, float]:
    """Value, gradient (two) and second derivatives (three) of the mean at a point."""
    samples, outputs = targets.shape
    value = gx = gy = hxx = hxy = hyy = 0.0
    for i in range(samples):
        largest = -np.inf
        for k in range(outputs):
            row = i * outputs + k
            largest = max(largest, offsets[row] + slopes[row, 0] * x + slopes[row, 1] * y)
        total = mx = my = mxx = mxy = myy = 0.0
        for k in range(outputs):
            row = i * outputs + k
            p, q, target = slopes[row, 0], slopes[row, 1], targets[i, k]
            output = offsets[row] + p * x + q * y - largest
            weight = np.exp(output)
            total += weight
            mx += weight * p
            my += weight * q
            mxx += weight * p * p
            mxy += weight * p * q
            myy += weight * q * q
            value -= target * output
            gx -= target * p
            gy -= target * q
        value += np.log(total)
        mx, my = mx / total, my / total
        gx += mx
        gy += my
        hxx += mxx / total - mx * mx
        hxy += mxy / total - mx * my
        hyy += myy / total - my * my
    return value / samples, gx / samples, gy / samples, hxx / samples, hxy / samples, hyy / samples


@njit(cache=True, nogil=True)
def _along(
    slopes: np.ndarray, offsets: np.ndarray, targets: np.ndarray, p: np.ndarray, q: np.ndarray, t: float
) -> tuple[float, float]:
    """First and second derivative along a side, at p + t (q - p)."""
    ex, ey = q[0] - p[0], q[1] - p[1]
    _, gx, gy, hxx, hxy, hyy = _derivatives(slopes, offsets, targets, p[0] + t * ex, p[1] + t * ey)
    return gx * ex + gy * ey, hxx * ex * ex + 2 * hxy * ex * ey + hyy * ey * ey


@njit(cache=True, nogil=True)
def _least_on_side(slopes: np.ndarray, offsets: np.ndarray, targets: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """Where on a side, from 0 to 1, the convex function is least: Newton's steps inside a bracket."""
    if _along(slopes, offsets, targets, p, q, 0.0)[0] >= 0:
        return 0.0
    if _along(slopes, offsets, targets, p, q, 1.0)[0] <= 0:
        return 1.0
    low, high, t = 0.0, 1.0, 0.5
    for _ in range(_STEPS):
        slope, bend = _along(slopes, offsets, targets, p, q, t)
        if slope < 0:
            low = t
        else:
            high = t
        moved = t - slope / bend if bend > 0 else 0.5 * (low + high)
        if not (low < moved < high):
            moved = 0.5 * (low + high)
        if moved == t or high - low < 1e-16:
            break
        t = moved
    return t


@njit(cache=True, nogil=True)
def _least(slopes: np.ndarray, offsets: np.ndarray, targets: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """The minimum in the whole plane, where there is one, from a point: Newton's steps, shorter ones where they fail.

    Of a cell that has its minimum inside it is that, since the function is convex. Steps are not kept within the cell,
    whose sides would stop them on the way.
    """
    value, gx, gy, hxx, hxy, hyy = _derivatives(slopes, offsets, targets, x, y)
    damping = 0.0
    for _ in range(_MOST):
        more = damping * (hxx + hyy) + 1e-300
        bx, by = hxx * (1.0 + 1e-14) + more, hyy * (1.0 + 1e-14) + more
        determinant = bx * by - hxy * hxy
        dx, dy = -(by * gx - hxy * gy) / determinant, -(bx * gy - hxy * gx) / determinant
        found = _derivatives(slopes, offsets, targets, x + dx, y + dy)
        flat = found[0] <= value * (1.0 + 4.0 * UNIT_ROUNDOFF) and np.hypot(found[1], found[2]) < np.hypot(gx, gy)
        if found[0] < value + 1e-4 * (gx * dx + gy * dy) or flat:
            x, y, damping = x + dx, y + dy, 0.1 * damping if damping > 1e-9 else 0.0
            value, gx, gy, hxx, hxy, hyy = found
        elif damping > 1e12:
            break
        else:
            damping = max(1e-6, 10.0 * damping)
    return x, y


@njit(cache=True, nogil=True)
def _across(slopes: np.ndarray, targets: np.ndarray) -> tuple[int, float, float]:
    """In how many directions differences of outputs move, up to rounding of the slopes; and the one that is largest."""
    samples, outputs = targets.shape
    wx = wy = 0.0
    faint = FAINT * np.abs(slopes).max()
    for again in range(2):
        for i in range(samples):
            size, first = 0.0, i * outputs
            for row in range(first, first + outputs):
                size = max(size, abs(slopes[row, 0]), abs(slopes[row, 1]))
            for row in range(first + 1, first + outputs):
                gx, gy = slopes[row, 0] - slopes[first, 0], slopes[row, 1] - slopes[first, 1]
                if max(abs(gx), abs(gy)) <= max(EQUAL * size, faint):
                    continue
                if not again and gx * gx + gy * gy > wx * wx + wy * wy:
                    wx, wy = gx, gy
                if again and abs(gx * wy - gy * wx) > EQUAL * size * np.sqrt(wx * wx + wy * wy):
                    return 2, wx, wy
    return 0 if wx == wy == 0.0 else 1, wx, wy


@njit(cache=True, nogil=True)
def _middle(ring: np.ndarray, wx: float, wy: float, point: np.ndarray, side: int) -> int:
    """Move a point of a cell's border to the middle of the cell's part of the line across w, and return its side."""
    size, length, corners = 0.0, np.sqrt(wx * wx + wy * wy), len(ring)
    vx, vy = -wy / length, wx / length
    for k in range(corners):
        p, q = ring[k], ring[(k + 1) % corners]
        size = max(size, (q[0] - p[0]) ** 2 + (q[1] - p[1]) ** 2)
    near = APART * np.sqrt(size)
    low = high = 0.0
    for k in range(corners):
        p, q = ring[k], ring[(k + 1) % corners]
        off = ((p[0] - point[0]) * wx + (p[1] - point[1]) * wy) / length
        other = ((q[0] - point[0]) * wx + (q[1] - point[1]) * wy) / length
        share = 0.0
        if abs(off) > near:
            if abs(other) <= near or (off > 0) == (other > 0):
                continue
            share = off / (off - other)
        along = (p[0] + share * (q[0] - p[0]) - point[0]) * vx + (p[1] + share * (q[1] - p[1]) - point[1]) * vy
        low, high = min(low, along), max(high, along)
    if high - low <= near:
        return side
    point[0], point[1] = point[0] + 0.5 * (low + high) * vx, point[1] + 0.5 * (low + high) * vy
    return side_of(ring, point[0], point[1], size)


@njit(cache=True, nogil=True)
def softmax_cells(
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    bounds: np.ndarray,  # [n + 1] where the corners of each cell begin
    centres: np.ndarray,  # [n, 2]
    slopes: np.ndarray,  # [n, N * outputs, 2] derivatives of the outputs of all samples on each cell
    offsets: np.ndarray,  # [n, N * outputs]
    targets: np.ndarray,  # [N, outputs]
    derivatives: np.ndarray,  # [n, 6] out: value, gradient and second derivatives at the centres
    points: np.ndarray,  # [n, 2] out: where each cell has its least value
    least: np.ndarray,  # [n] out: that value
    sides: np.ndarray,  # [n] out: -1 inside, k on the k-th side, k + corners at a corner
) -> None:
    """Derivatives at the centres, and minima on cells, as `cell_minima` has them for quadratics.

    The least point of the border is the minimum if the function rises from there into the cell, which is convex; else
    the minimum is inside. Where there are more it is the middle of them.
    """
    for cell in range(len(centres)):
        own = cell_vertices[bounds[cell] : bounds[cell + 1]]
        corners = len(own)
        a, b = slopes[cell], offsets[cell]
        found = _derivatives(a, b, targets, centres[cell, 0], centres[cell, 1])
        for j in range(6):
            derivatives[cell, j] = found[j]
        best = np.inf
        for k in range(corners):
            p, q = vertices[own[k]], vertices[own[(k + 1) % corners]]
            t = _least_on_side(a, b, targets, p, q)
            x, y = p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])
            if t == 1.0:
                x, y = q[0], q[1]
            value = _derivatives(a, b, targets, x, y)[0]
            if value < best:
                best = value
                points[cell, 0], points[cell, 1], least[cell] = x, y, value
                sides[cell] = k if 0.0 < t < 1.0 else corners + (k + (1 if t == 1.0 else 0)) % corners
        moving, wx, wy = _across(a, targets)
        if moving == 0:
            points[cell, 0], points[cell, 1], sides[cell] = centres[cell, 0], centres[cell, 1], -1
        if moving == 1:
            sides[cell] = _middle(vertices[own], wx, wy, points[cell], sides[cell])
        if moving < 2:
            continue
        gradient = _derivatives(a, b, targets, points[cell, 0], points[cell, 1])
        inward = False
        if sides[cell] < corners:
            p, q = vertices[own[sides[cell]]], vertices[own[(sides[cell] + 1) % corners]]
            inward = (q[0] - p[0]) * gradient[2] - (q[1] - p[1]) * gradient[1] < 0
        if inward:
            x, y = _least(a, b, targets, points[cell, 0], points[cell, 1])
            value = _derivatives(a, b, targets, x, y)[0]
            if value < best and is_inside(vertices[own], x, y):
                points[cell, 0], points[cell, 1], least[cell], sides[cell] = x, y, value, -1
