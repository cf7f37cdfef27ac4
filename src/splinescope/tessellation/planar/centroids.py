"""Where the faces of a subdivision are, and how large."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.numerics import in_ranges


@njit(cache=True, nogil=True)
def _centroids(
    start: int,
    stop: int,
    first: np.ndarray,
    halves: np.ndarray,
    points: np.ndarray,
    out: np.ndarray,
    areas: np.ndarray,
) -> None:
    """Centroid and area of each face, with its first corner as origin so that slivers keep their digits."""
    for face in range(start, stop):
        half = first[face]
        x0, y0 = points[halves[half, ORIGIN], 0], points[halves[half, ORIGIN], 1]
        area = 0.0
        sx = 0.0
        sy = 0.0
        mx = 0.0
        my = 0.0
        count = 0
        while True:
            here = halves[half, ORIGIN]
            ax, ay = points[here, 0] - x0, points[here, 1] - y0
            half = halves[half, FOLLOWING]
            there = halves[half, ORIGIN]
            bx, by = points[there, 0] - x0, points[there, 1] - y0
            cross = ax * by - ay * bx
            area += cross
            sx += (ax + bx) * cross
            sy += (ay + by) * cross
            mx += ax
            my += ay
            count += 1
            if half == first[face]:
                break
        areas[face] = 0.5 * area
        if area > 0.0:
            out[face, 0] = x0 + sx / (3.0 * area)
            out[face, 1] = y0 + sy / (3.0 * area)
        else:
            out[face, 0] = x0 + mx / count
            out[face, 1] = y0 + my / count


def centroids_and_areas(subdivision: Subdivision) -> tuple[np.ndarray, np.ndarray]:
    """[F, 2] centroids and [F] areas of the faces."""
    out, areas = np.empty((subdivision.num_faces, 2)), np.empty(subdivision.num_faces)
    arguments = (subdivision.first, subdivision.halves, subdivision.points, out, areas)
    in_ranges(_centroids, subdivision.num_faces, *arguments)
    return out, areas


def central_triangle(subdivision: Subdivision, centre: np.ndarray) -> np.ndarray:
    """[3] vertices of the face nearest to a point: its first corner, and two with which the triangle is largest."""
    centroids, _ = centroids_and_areas(subdivision)
    face = int(np.argmin(np.sum((centroids - centre) ** 2, axis=1)))
    corners: list[int] = []
    half = int(subdivision.first[face])
    while not corners or half != subdivision.first[face]:
        corners.append(int(subdivision.origin[half]))
        half = int(subdivision.following[half])
    places = subdivision.points[corners] - subdivision.points[corners[0]]
    areas = np.abs(places[:, None, 0] * places[None, :, 1] - places[:, None, 1] * places[None, :, 0])
    second, third = np.unravel_index(np.argmax(areas), areas.shape)
    return np.array([corners[0], corners[second], corners[third]])
