"""Measures of many convex polygons at once.

A family of polygons is three arrays: `vertices [V, 2]`, and for polygon `i` the vertex indices
`cell_vertices[cell_offsets[i] : cell_offsets[i + 1]]`, counter-clockwise. Vertices may be straight (the
angle there is pi): they count in no measure, so that what a polygon's neighbours are does not change what is
said of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF


@dataclass(frozen=True)
class PolygonMeasures:
    """Measures of convex polygons, one entry per polygon.

    Attributes:
        areas: Areas.
        perimeters: Lengths of the boundaries.
        diameters: Largest distances between two corners.
        centroids: Centres of mass.
        corners: Numbers of corners (straight vertices are not corners).
        largest_distances: Largest distances of a corner from the centroid.
        smallest_distances: Smallest distances of a corner from the centroid.
        mean_distances: Mean distances of the corners from the centroid.
        std_distances: Standard deviations (of the population) of those distances.
    """

    areas: Float[np.ndarray, " cells"]
    perimeters: Float[np.ndarray, " cells"]
    diameters: Float[np.ndarray, " cells"]
    centroids: Float[np.ndarray, "cells 2"]
    corners: Int[np.ndarray, " cells"]
    largest_distances: Float[np.ndarray, " cells"]
    smallest_distances: Float[np.ndarray, " cells"]
    mean_distances: Float[np.ndarray, " cells"]
    std_distances: Float[np.ndarray, " cells"]


def position_resolution(vertices: Float[np.ndarray, "vertices 2"]) -> float:
    r"""Distance below which two float64 positions in this family cannot be told apart, $16u \max|x|$.

    Args:
        vertices: Positions.

    Returns:
        A length, in the units of the positions.
    """
    return 16 * UNIT_ROUNDOFF * float(np.abs(vertices).max(initial=0.0))


def measure_polygons(
    vertices: Float[np.ndarray, "vertices 2"],
    cell_vertices: Int[np.ndarray, " sides"],
    cell_offsets: Int[np.ndarray, " bounds"],
) -> PolygonMeasures:
    r"""Measure every polygon of a family.

    The centroid is the centre of mass, $\frac{1}{|P|}\int_P x\,dx$, as a convex combination of the centroids
    of the triangles of a fan, so that it lies in the polygon even when the polygon is a sliver.

    Args:
        vertices: Positions.
        cell_vertices: Vertex indices of all polygons, counter-clockwise, one polygon after the other.
        cell_offsets: Where each polygon starts in `cell_vertices`; the last entry is its length.

    Returns:
        The measures. Cost: linear in the number of sides (the diameter: quadratic in a polygon's own
        corners).

    Example:
        >>> square = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
        >>> m = measure_polygons(square, np.arange(4), np.array([0, 4]))
        >>> float(m.areas[0]), float(m.perimeters[0]), float(m.diameters[0]), m.centroids[0].tolist()
        (12.0, 14.0, 5.0, [1.5, 2.0])
    """
    lengths = np.empty((7, len(cell_offsets) - 1))
    centroids = np.empty((len(cell_offsets) - 1, 2))
    corners = np.empty(len(cell_offsets) - 1, dtype=np.int64)
    _measure(vertices, cell_vertices, cell_offsets, position_resolution(vertices), lengths, centroids, corners)
    areas, perimeters, diameters, largest, smallest, mean, std = lengths
    return PolygonMeasures(areas, perimeters, diameters, centroids, corners, largest, smallest, mean, std)


def polygon_areas(
    vertices: Float[np.ndarray, "vertices 2"],
    cell_vertices: Int[np.ndarray, " sides"],
    cell_offsets: Int[np.ndarray, " bounds"],
) -> Float[np.ndarray, " cells"]:
    r"""Signed areas, $\frac12 \sum_i (p_i - p_0) \times (p_{i+1} - p_0)$: positive where counter-clockwise.

    Args:
        vertices: Positions.
        cell_vertices: Vertex indices of all polygons, one polygon after the other.
        cell_offsets: Where each polygon starts in `cell_vertices`; the last entry is its length.

    Returns:
        One area per polygon; its rounding error is of the order of $u$ times the polygon's squared diameter.
    """
    areas = np.empty(len(cell_offsets) - 1)
    _areas(vertices, cell_vertices, cell_offsets, areas)
    return areas


@njit(cache=True, nogil=True)
def _areas(vertices: np.ndarray, cell_vertices: np.ndarray, offsets: np.ndarray, areas: np.ndarray) -> None:
    for cell in range(len(areas)):
        start, stop = offsets[cell], offsets[cell + 1]
        origin = cell_vertices[start]
        total = 0.0
        for side in range(start + 1, stop - 1):
            ax = vertices[cell_vertices[side], 0] - vertices[origin, 0]
            ay = vertices[cell_vertices[side], 1] - vertices[origin, 1]
            bx = vertices[cell_vertices[side + 1], 0] - vertices[origin, 0]
            by = vertices[cell_vertices[side + 1], 1] - vertices[origin, 1]
            total += ax * by - ay * bx
        areas[cell] = total / 2


@njit(cache=True, nogil=True)
def _is_straight(before: np.ndarray, here: np.ndarray, after: np.ndarray, resolution: float) -> bool:
    """Whether the path goes straight on: `here` is nearer than `resolution` to the chord, and between its ends."""
    ax, ay = here[0] - before[0], here[1] - before[1]
    bx, by = after[0] - here[0], after[1] - here[1]
    if ax * bx + ay * by <= 0.0:
        return False
    chord = np.hypot(ax + bx, ay + by)
    return abs(ax * by - ay * bx) <= resolution * chord


@njit(cache=True, nogil=True)
def _corners_of(
    vertices: np.ndarray, cell_vertices: np.ndarray, start: int, stop: int, resolution: float, corners: np.ndarray
) -> int:
    """Write the positions of the corners into `corners`; a polygon that looks flat keeps all its vertices."""
    size = stop - start
    count = 0
    for i in range(size):
        here = vertices[cell_vertices[start + i]]
        before = vertices[cell_vertices[start + (i - 1) % size]]
        after = vertices[cell_vertices[start + (i + 1) % size]]
        if not _is_straight(before, here, after, resolution):
            corners[count] = here
            count += 1
    if count < 3:
        count = size
        for i in range(size):
            corners[i] = vertices[cell_vertices[start + i]]
    return count


@njit(cache=True, nogil=True)
def _fan(corners: np.ndarray, count: int, centroid: np.ndarray) -> float:
    """Area of a convex polygon; writes its centre of mass."""
    area = 0.0
    centroid[:] = 0.0
    for i in range(1, count - 1):
        ax, ay = corners[i, 0] - corners[0, 0], corners[i, 1] - corners[0, 1]
        bx, by = corners[i + 1, 0] - corners[0, 0], corners[i + 1, 1] - corners[0, 1]
        weight = max(0.0, (ax * by - ay * bx) / 2)
        area += weight
        centroid[0] += weight * (ax + bx) / 3
        centroid[1] += weight * (ay + by) / 3
    if area > 0.0:
        centroid[:] = corners[0] + centroid / area
    else:
        for i in range(count):
            centroid += corners[i] / count
    return area


@njit(cache=True, nogil=True)
def _measure(
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    resolution: float,
    lengths: np.ndarray,
    centroids: np.ndarray,
    corner_counts: np.ndarray,
) -> None:
    widest = 0
    for cell in range(len(offsets) - 1):
        widest = max(widest, offsets[cell + 1] - offsets[cell])
    corners = np.empty((widest, 2))
    distances = np.empty(widest)
    for cell in range(len(offsets) - 1):
        count = _corners_of(vertices, cell_vertices, offsets[cell], offsets[cell + 1], resolution, corners)
        corner_counts[cell] = count
        lengths[0, cell] = _fan(corners, count, centroids[cell])
        perimeter = 0.0
        diameter = 0.0
        for i in range(count):
            j = (i + 1) % count
            perimeter += np.hypot(corners[j, 0] - corners[i, 0], corners[j, 1] - corners[i, 1])
            for k in range(i):
                diameter = max(diameter, np.hypot(corners[k, 0] - corners[i, 0], corners[k, 1] - corners[i, 1]))
            distances[i] = np.hypot(corners[i, 0] - centroids[cell, 0], corners[i, 1] - centroids[cell, 1])
        lengths[1, cell] = perimeter
        lengths[2, cell] = diameter
        lengths[3, cell] = distances[:count].max()
        lengths[4, cell] = distances[:count].min()
        lengths[5, cell] = distances[:count].mean()
        lengths[6, cell] = distances[:count].std()


def halfplanes(polygon: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "sides 3"]:
    """Half-planes whose intersection is a convex polygon.

    Args:
        polygon: Vertices, counter-clockwise; those that are no corners count for nothing.

    Returns:
        Rows `(n, b)` with unit outward normals: the polygon is where `n @ t + b <= 0` for all of them.
    """
    corners = np.empty_like(polygon)
    everything = np.arange(len(polygon), dtype=np.int32)
    count = _corners_of(polygon, everything, 0, len(polygon), position_resolution(polygon), corners)
    corners = corners[:count]
    steps = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    sides = np.flatnonzero(lengths > 0)
    normals = np.column_stack([steps[sides, 1], -steps[sides, 0]]) / lengths[sides, None]
    return np.column_stack([normals, -np.einsum("ij,ij->i", normals, corners[sides])])
