"""Convex polytopes given by their faces: vertices of cells, loops of polygons, volumes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges

Lists = tuple[np.ndarray, np.ndarray]
"""Offsets [N + 1] and items: list `i` is `items[offsets[i]:offsets[i + 1]]`."""


@njit(cache=True, nogil=True)
def _unite(
    offsets: np.ndarray,
    items: np.ndarray,
    lower_offsets: np.ndarray,
    lower_items: np.ndarray,
    stamps: np.ndarray,
    out_offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    """Union of the vertex lists of the facets of each face."""
    used = 0
    stamps[:] = -1
    for face in range(offsets.size - 1):
        for at in range(offsets[face], offsets[face + 1]):
            for k in range(lower_offsets[items[at]], lower_offsets[items[at] + 1]):
                vertex = lower_items[k]
                if stamps[vertex] != face:
                    stamps[vertex] = face
                    out[used] = vertex
                    used += 1
        out_offsets[face + 1] = used


def taken_lists(offsets: np.ndarray, items: np.ndarray, which: np.ndarray) -> Lists:
    """Some of the lists, in any order."""
    sizes = offsets[which + 1] - offsets[which]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return starts, items[np.repeat(offsets[which] - starts[:-1], sizes) + np.arange(starts[-1])]


def vertices_of_faces(edges: np.ndarray, levels: list[Lists]) -> list[Lists]:
    """Vertices of all faces of each dimension.

    Args:
        edges: [E, 2] vertices of the edges.
        levels: Offsets and items of the facets of the faces of dimension 2, 3, ...

    Returns:
        Offsets and items of their vertices, in no particular order.
    """
    return list(_united(edges, levels))


def vertices_of_cells(edges: np.ndarray, levels: list[Lists]) -> Lists:
    """Vertices of the faces of the last dimension alone, see `vertices_of_faces`; lists of the others are not kept."""
    (found,) = deque(_united(edges, levels), maxlen=1)
    return found


def _united(edges: np.ndarray, levels: list[Lists]) -> Iterator[Lists]:
    """Vertices of the faces of one dimension after the other."""
    stamps = np.empty(int(edges.max(initial=-1)) + 1, np.int32)
    lower = (2 * np.arange(len(edges) + 1, dtype=np.int64), np.ascontiguousarray(edges, np.int32).ravel())
    for offsets, items in levels:
        starts = np.zeros(len(offsets), np.int64)
        united = np.empty(int(np.diff(lower[0])[items].sum()), np.int32)  # facets share them: the rest is not touched
        _unite(offsets, items, *lower, stamps, starts, united)
        lower = (starts, united[: starts[-1]])
        yield lower


@njit(cache=True, nogil=True)
def _closed(
    start: int,
    stop: int,
    offsets: np.ndarray,
    items: np.ndarray,
    lower_offsets: np.ndarray,
    lower_items: np.ndarray,
    out: np.ndarray,
) -> None:
    """Sort the ridges of each face by insertion, and look whether they come in pairs."""
    ridges = np.empty(64, np.int32)
    for face in range(start, stop):
        number = 0
        for at in range(offsets[face], offsets[face + 1]):
            number += lower_offsets[items[at] + 1] - lower_offsets[items[at]]
        if number > ridges.size:
            ridges = np.empty(2 * number, np.int32)
        number = 0
        for at in range(offsets[face], offsets[face + 1]):
            for k in range(lower_offsets[items[at]], lower_offsets[items[at] + 1]):
                ridge, place = lower_items[k], number
                while place > 0 and ridges[place - 1] > ridge:
                    ridges[place] = ridges[place - 1]
                    place -= 1
                ridges[place] = ridge
                number += 1
        out[face] = number % 2 == 0
        for k in range(0, number - 1, 2):
            if ridges[k] != ridges[k + 1] or (k + 2 < number and ridges[k + 1] == ridges[k + 2]):
                out[face] = False


def closed(faces: Lists, facets: Lists) -> np.ndarray:
    """Whether each ridge of a face is on exactly two of its facets, so that its boundary has no hole.

    Args:
        faces: Offsets and items of the facets of the faces.
        facets: Offsets and items of the facets of the facets.

    Returns:
        [N] one answer for each face.
    """
    out = np.empty(len(faces[0]) - 1, np.bool_)
    in_ranges(_closed, len(out), *faces, *facets, out)
    return out


@njit(cache=True, nogil=True)
def _order(start: int, stop: int, offsets: np.ndarray, items: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    for face in range(start, stop):
        low, high = offsets[face], offsets[face + 1]
        edge = items[low]
        here = edges[edge, 1]
        out[low] = edges[edge, 0]
        for at in range(low + 1, high):
            out[at] = here
            for k in range(low, high):
                other = items[k]
                if other != edge and (edges[other, 0] == here or edges[other, 1] == here):
                    here = edges[other, 0] + edges[other, 1] - here
                    edge = other
                    break


def cyclic_order(offsets: np.ndarray, items: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Vertices of polygons, going around each.

    Args:
        offsets: [N + 1] start of each polygon's list.
        items: Edges of all polygons, in any order within each.
        edges: [E, 2] vertices of the edges.

    Returns:
        Vertices, laid out as `items`.
    """
    out = np.empty(len(items), np.int32)
    in_ranges(_order, len(offsets) - 1, offsets, items, np.ascontiguousarray(edges), out)
    return out


@njit(cache=True, nogil=True)
def _volumes_of_cells(
    start: int,
    stop: int,
    points: np.ndarray,
    edges: np.ndarray,
    offsets: np.ndarray,
    items: np.ndarray,
    polygon_offsets: np.ndarray,
    polygon_items: np.ndarray,
    out: np.ndarray,
) -> None:
    """Volumes in three dimensions: tetrahedra from one vertex of the cell and one of each polygon over its edges.

    What cells share counts with opposite signs on its two sides, even where rounded vertices make a polygon uneven.
    """
    centre, up = np.empty(3), np.empty(3)
    for cell in range(start, stop):
        apex = points[edges[polygon_items[polygon_offsets[items[offsets[cell]]]], 0]]
        centre[:] = 0.0
        corners, total = 0, 0.0
        for at in range(offsets[cell], offsets[cell + 1]):
            for k in range(polygon_offsets[items[at]], polygon_offsets[items[at] + 1]):
                for axis in range(3):
                    centre[axis] += points[edges[polygon_items[k], 0], axis] + points[edges[polygon_items[k], 1], axis]
                corners += 2
        for at in range(offsets[cell], offsets[cell + 1]):
            low, high = polygon_offsets[items[at]], polygon_offsets[items[at] + 1]
            origin = points[edges[polygon_items[low], 0]]
            _direction(points, edges, polygon_items[low:high], up)
            outwards = 0.0
            for axis in range(3):
                outwards += up[axis] * (corners * origin[axis] - centre[axis])
            pyramid = 0.0
            for k in range(low, high):
                x, y, z = _normal(points, origin, edges[polygon_items[k], 0], edges[polygon_items[k], 1])
                term = (origin[0] - apex[0]) * x + (origin[1] - apex[1]) * y + (origin[2] - apex[2]) * z
                pyramid += term if x * up[0] + y * up[1] + z * up[2] > 0.0 else -term
            total += pyramid if outwards > 0.0 else -pyramid
        out[cell] = abs(total) / 6.0


@njit(cache=True, nogil=True, inline="always")
def _normal(points: np.ndarray, origin: np.ndarray, a: int, b: int) -> tuple[float, float, float]:
    """Twice the area of a triangle, as a vector."""
    ax, ay, az = points[a, 0] - origin[0], points[a, 1] - origin[1], points[a, 2] - origin[2]
    bx, by, bz = points[b, 0] - origin[0], points[b, 1] - origin[1], points[b, 2] - origin[2]
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@njit(cache=True, nogil=True)
def _direction(points: np.ndarray, edges: np.ndarray, polygon: np.ndarray, out: np.ndarray) -> None:
    """A normal of a polygon: that of the largest triangle from its first vertex over an edge."""
    largest = -1.0
    origin = points[edges[polygon[0], 0]]
    for edge in polygon:
        x, y, z = _normal(points, origin, edges[edge, 0], edges[edge, 1])
        size = x * x + y * y + z * z
        if size > largest:
            largest = size
            out[0], out[1], out[2] = x, y, z


def volumes(points: np.ndarray, edges: np.ndarray, levels: list[Lists]) -> np.ndarray:
    """Volumes of the cells of a complex.

    Every convex polytope is the union of the pyramids from one of its vertices over its facets; taken down to edges
    this cuts it into simplices, whose volumes are sums of terms of one sign, but for what rounded vertices make of flat
    facets: slivers keep their digits.

    Args:
        points: [V, d] coordinates.
        edges: [E, 2] vertices of the edges.
        levels: Offsets and items of the facets of the faces of dimension 2, ..., d.

    Returns:
        [F] volumes.
    """
    if points.shape[1] == 3:
        out = np.empty(len(levels[1][0]) - 1)
        in_ranges(_volumes_of_cells, len(out), points, edges, *levels[1], *levels[0], out)
        return out
    return _volumes_by_simplices(points, edges, levels, vertices_of_faces(edges, levels))


def _volumes_by_simplices(
    points: np.ndarray,
    edges: np.ndarray,
    levels: list[Lists],
    vertices: list[Lists],
) -> np.ndarray:
    """Volumes in any dimension: determinants of all simplices, a block of cells at a time."""
    d = points.shape[1]
    count = len(levels[-1][0]) - 1
    out = np.zeros(count)
    for start in range(0, count, 4096):
        owner = np.arange(start, min(start + 4096, count))
        faces, corners = owner, np.empty((len(owner), 0), np.int64)
        for (offsets, items), (vertex_offsets, vertex_items) in zip(reversed(levels), reversed(vertices), strict=True):
            corners = np.column_stack([corners, vertex_items[vertex_offsets[faces]]])
            starts, faces = taken_lists(offsets, items, faces)
            lengths = np.diff(starts)
            owner, corners = np.repeat(owner, lengths), np.repeat(corners, lengths, axis=0)
        simplices = points[np.column_stack([corners, edges[faces]])]
        size = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1]))
        out += np.bincount(owner, size, minlength=count)
    return out / float(np.prod(np.arange(1, d + 1)))


@njit(cache=True, nogil=True)
def _boxes(
    start: int,
    stop: int,
    points: np.ndarray,
    offsets: np.ndarray,
    items: np.ndarray,
    means: np.ndarray,
    out: np.ndarray,
) -> None:
    """Means of the vertices of cells, and volumes of boxes around them."""
    d = points.shape[1]
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        out[cell] = 1.0
        for axis in range(d):
            total, least, most = 0.0, np.inf, -np.inf
            for at in range(low, high):
                x = points[items[at], axis]
                total += x
                least, most = min(least, x), max(most, x)
            means[cell, axis] = total / (high - low)
            out[cell] *= most - least


def means_and_boxes(points: np.ndarray, cells: Lists) -> tuple[np.ndarray, np.ndarray]:
    """Means of the vertices of cells, and how large the boxes along the axes are that have the same extents.

    Args:
        points: [V, d] coordinates, or other values.
        cells: Offsets and items of the vertices of the cells.

    Returns:
        [F, d] means and [F] volumes of boxes.
    """
    count = len(cells[0]) - 1
    means, boxes = np.empty((count, points.shape[1])), np.empty(count)
    in_ranges(_boxes, count, np.ascontiguousarray(points), *cells, means, boxes)
    return means, boxes


@njit(cache=True, nogil=True)
def count_listed(
    offsets: np.ndarray, items: np.ndarray, sides: np.ndarray, listed: np.ndarray, strange: np.ndarray
) -> None:
    """In how many lists each facet is, to `listed`, and which cells list one that has others on both sides.

    Args:
        offsets: [F + 1] start of each cell's list.
        items: Facets of all cells.
        sides: [M, 2] cells recorded on both sides of each facet.
        listed: [M] zeros, to which 1 is added for each list.
        strange: [F] set to True for cells that are not recorded at a facet of theirs.
    """
    for cell in range(offsets.size - 1):
        for at in range(offsets[cell], offsets[cell + 1]):
            facet = items[at]
            listed[facet] += 1
            if sides[facet, 0] != cell and sides[facet, 1] != cell:
                strange[cell] = True


def plane_through(points: np.ndarray) -> np.ndarray:
    """The hyperplane nearest to points that lie on one.

    Args:
        points: [k, d] points that span a hyperplane.

    Returns:
        [d + 1] a unit normal and the offset: it is where `n @ t + b` vanishes. Its sign is arbitrary.
    """
    centre = points.mean(axis=0)
    normal = np.linalg.svd(points - centre)[2][-1]
    return np.append(normal, -normal @ centre)
