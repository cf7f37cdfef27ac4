"""Distances at any points of a surface, read from the windows of a search."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.geometry.geodesics.spreading import Spread
from splinescope.geometry.geodesics.windows import BASE, HIGH, LOW, SIDE, X, Y


def read(
    spread: Spread, triangles: Int[np.ndarray, " n"], places: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 2"]]:
    """Distances of points from the source of a search that was for all vertices.

    Args:
        spread: The search.
        triangles: Triangle of each point.
        places: Where it is in the frame of the triangle's first half-edge.

    Returns:
        Distances, and in the same frames the directions in which they grow. Cost: for each point linear in the number
        of windows that enter its triangle.
    """
    surface, front = spread.surface, spread.front
    sides = front.indices[: spread.num_windows, SIDE]
    order = np.argsort(sides, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(sides, minlength=3 * len(surface.corners)))])
    found, ways = np.empty(len(triangles)), np.zeros((len(triangles), 2))
    lengths = surface.lengths[surface.sides]
    _read(surface.corners, lengths, surface.apexes, front.reals, spread.distances, offsets, order,
          np.asarray(triangles, np.int64), np.ascontiguousarray(places), found, ways)  # fmt: skip
    return found, ways


@njit(cache=True, nogil=True)
def _read(
    corners: np.ndarray,
    lengths: np.ndarray,
    apexes: np.ndarray,
    reals: np.ndarray,
    distances: np.ndarray,
    offsets: np.ndarray,
    order: np.ndarray,
    triangles: np.ndarray,
    places: np.ndarray,
    found: np.ndarray,
    ways: np.ndarray,
) -> None:
    frame = np.empty((3, 4))
    for point in range(triangles.size):
        triangle = triangles[point]
        length, px, py = lengths[triangle, 0], apexes[3 * triangle, 0], apexes[3 * triangle, 1]
        ends = ((0.0, 0.0), (length, 0.0), (px, py))
        for k in range(3):  # origin and first axis of each half-edge
            ax, ay = ends[k]
            bx, by = ends[(k + 1) % 3]
            frame[k, 0], frame[k, 1] = ax, ay
            frame[k, 2], frame[k, 3] = (bx - ax) / lengths[triangle, k], (by - ay) / lengths[triangle, k]
        x, y = places[point, 0], places[point, 1]
        best, wx, wy = np.inf, 0.0, 0.0
        for k in range(3):
            dx, dy = x - frame[k, 0], y - frame[k, 1]
            near = math.hypot(dx, dy)
            if distances[corners[triangle, k]] + near < best:
                best = distances[corners[triangle, k]] + near
                wx, wy = (dx / near, dy / near) if near > 0.0 else (0.0, 0.0)
        for k in range(3):
            ux, uy = frame[k, 2], frame[k, 3]
            qx = (x - frame[k, 0]) * ux + (y - frame[k, 1]) * uy
            qy = ux * (y - frame[k, 1]) - uy * (x - frame[k, 0])
            slack = 1e-12 * lengths[triangle, k]
            for at in range(offsets[3 * triangle + k], offsets[3 * triangle + k + 1]):
                window = order[at]
                sx, sy = reals[window, X], reals[window, Y]
                if not qy > sy:
                    continue
                cross = sx - (qx - sx) * sy / (qy - sy)
                if cross < reals[window, LOW] - slack or cross > reals[window, HIGH] + slack:
                    continue
                far = math.hypot(qx - sx, qy - sy)
                if reals[window, BASE] + far < best:
                    best = reals[window, BASE] + far
                    gx, gy = (qx - sx) / far, (qy - sy) / far
                    wx, wy = gx * ux - gy * uy, gx * uy + gy * ux
        found[point], ways[point, 0], ways[point, 1] = best, wx, wy
