"""Minima of a convex quadratic on each cell of a planar complex."""

from __future__ import annotations

import numpy as np
from numba import njit


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

    A quadratic that is constant along a line has its minima at sides, too, so that no case of low rank is apart.
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
        if determinant > 1e-14 * (a + d) ** 2:
            x, y = cx - (d * gx - b * gy) / determinant, cy - (a * gy - b * gx) / determinant
            found = True
            for k in range(corners):
                p, q = vertices[cell_vertices[low + k]], vertices[cell_vertices[low + (k + 1) % corners]]
                if (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) <= 0.0:
                    found = False
                    break
            if found:
                u, v = x - cx, y - cy
                points[cell, 0], points[cell, 1], sides[cell] = x, y, -1
                least[cell] = values[cell] + 0.5 * (gx * u + gy * v)
        if found:
            continue
        best = np.inf
        for k in range(corners):
            p, q = vertices[cell_vertices[low + k]], vertices[cell_vertices[low + (k + 1) % corners]]
            ex, ey = q[0] - p[0], q[1] - p[1]
            px, py = p[0] - cx, p[1] - cy
            slope = (gx + a * px + b * py) * ex + (gy + b * px + d * py) * ey
            bend = a * ex * ex + 2 * b * ex * ey + d * ey * ey
            t = 0.0 if slope >= 0 else (1.0 if slope + bend <= 0 else -slope / bend)
            u, v = px + t * ex, py + t * ey
            value = values[cell] + gx * u + gy * v + 0.5 * (a * u * u + 2 * b * u * v + d * v * v)
            if value < best:
                best = value
                points[cell, 0], points[cell, 1], least[cell] = p[0] + t * ex, p[1] + t * ey, value
                sides[cell] = k if 0.0 < t < 1.0 else corners + (k + (1 if t == 1.0 else 0)) % corners
    return points, least, sides
