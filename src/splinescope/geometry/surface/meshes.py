"""Measures of polygon meshes in space: areas, normals, volumes, triangles, connected parts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def area_vectors(
    vertices: Float[np.ndarray, "N 3"], offsets: Int[np.ndarray, " polygons_plus_one"], corners: Int[np.ndarray, " H"]
) -> Float[np.ndarray, "P 3"]:
    r"""Half the sum of the cross products of consecutive corners, from the first corner of each polygon.

    Args:
        vertices: Positions.
        offsets: Start of each polygon among `corners`.
        corners: Vertices of the polygons in order.

    Returns:
        For a flat polygon its unit normal, towards which it is counter-clockwise, times its area.

    Example:
        >>> area_vectors(np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0]]), np.array([0, 3]), np.array([0, 1, 2]))
        array([[0., 0., 2.]])
    """
    if len(offsets) == 1:
        return np.zeros((0, 3))
    sizes = np.diff(offsets)
    relative = vertices[corners] - np.repeat(vertices[corners[offsets[:-1]]], sizes, axis=0)
    following = np.arange(1, len(corners) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    return np.add.reduceat(np.cross(relative, relative[following]), offsets[:-1], axis=0) / 2


def fan_triangles(offsets: Int[np.ndarray, " polygons_plus_one"]) -> Int[np.ndarray, "T 3"]:
    """Triangles of convex polygons, as positions among their corners: fans around the first corner.

    Args:
        offsets: Start of each polygon.

    Returns:
        Three positions for each triangle, with the orientation of its polygon.

    Example:
        >>> fan_triangles(np.array([0, 4])).tolist()
        [[0, 1, 2], [0, 2, 3]]
    """
    counts = np.diff(offsets) - 2
    first = np.repeat(offsets[:-1], counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.column_stack([first, first + step + 1, first + step + 2])


def fan_twins(
    offsets: Int[np.ndarray, " polygons_plus_one"], twins: Int[np.ndarray, " H"]
) -> Int[np.ndarray, " sides"]:
    """Twins of the sides of the triangles of `fan_triangles`, three for each triangle.

    Args:
        offsets: Start of each polygon among the half-edges.
        twins: Half-edge on the other side, -1 for none.

    Returns:
        For each side of each triangle that of the neighbour; triangles of one polygon are neighbours too.
    """
    counts = np.diff(offsets) - 2
    starts = np.cumsum(counts) - counts
    triangles = np.arange(counts.sum())
    sides = np.column_stack([3 * triangles - 1, np.full(len(triangles), -1), 3 * triangles + 3]).ravel()
    # Side i of a polygon is the middle side of triangle i - 1 of its fan, but for the first and the last, which are the
    # outer sides of the fan; other sides of triangles are diagonals, common to a triangle and the next.
    polygon = np.repeat(np.arange(len(counts)), counts + 2)
    side = np.arange(len(twins)) - offsets[polygon]
    place = 3 * (starts[polygon] + np.clip(side - 1, 0, counts[polygon] - 1)) + 1
    place += (side == counts[polygon] + 1).astype(np.int64) - (side == 0)
    sides[place] = np.where(twins >= 0, place[np.maximum(twins, 0)], -1)
    return sides


def cone_volumes(
    vertices: Float[np.ndarray, "N 3"], offsets: Int[np.ndarray, " polygons_plus_one"], corners: Int[np.ndarray, " H"]
) -> Float[np.ndarray, " P"]:
    r"""Signed volumes of the cones from the mean of all vertices over each polygon.

    Their sum over a closed surface is the volume that it encloses (the divergence theorem for $x / 3$), positive if the
    polygons are counter-clockwise seen from outside.

    Args:
        vertices: Positions.
        offsets: Start of each polygon among `corners`.
        corners: Vertices of the polygons in order.

    Returns:
        One volume per polygon.
    """
    if len(offsets) == 1:
        return np.zeros(0)
    apex = vertices.mean(axis=0)
    towards = vertices[corners[offsets[:-1]]] - apex
    return np.einsum("pi,pi->p", area_vectors(vertices, offsets, corners), towards) / 3


def polygon_centres(
    vertices: Float[np.ndarray, "N 3"], offsets: Int[np.ndarray, " polygons_plus_one"], corners: Int[np.ndarray, " H"]
) -> Float[np.ndarray, "P 3"]:
    """Mean of the corners of each polygon.

    Args:
        vertices: Positions.
        offsets: Start of each polygon among `corners`.
        corners: Vertices of the polygons in order.

    Returns:
        A point inside each convex polygon.
    """
    if len(offsets) == 1:
        return np.zeros((0, 3))
    return np.add.reduceat(vertices[corners], offsets[:-1], axis=0) / np.diff(offsets)[:, None]


def parts(offsets: Int[np.ndarray, " polygons_plus_one"], twins: Int[np.ndarray, " H"]) -> Int[np.ndarray, " P"]:
    """Connected part that each polygon belongs to, through common edges.

    Args:
        offsets: Start of each polygon among the half-edges.
        twins: Half-edge on the other side, -1 for none.

    Returns:
        Numbers from 0, without gaps.
    """
    polygons = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    half = np.flatnonzero(twins >= 0)
    entries = (np.ones(len(half), np.int8), (polygons[half], polygons[twins[half]]))
    graph = coo_array(entries, shape=(len(offsets) - 1,) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def vertex_normals(
    vertices: Float[np.ndarray, "N 3"],
    offsets: Int[np.ndarray, " polygons_plus_one"],
    corners: Int[np.ndarray, " H"],
    normals: Float[np.ndarray, "P 3"],
) -> Float[np.ndarray, "N 3"]:
    """Unit normals at the vertices: means of the polygons' normals, weighted with their areas.

    Args:
        vertices: Positions.
        offsets: Start of each polygon among `corners`.
        corners: Vertices of the polygons in order.
        normals: Unit normals of the polygons.

    Returns:
        One normal per vertex; zero where they cancel.
    """
    areas = np.linalg.norm(area_vectors(vertices, offsets, corners), axis=1)
    spread = np.repeat(normals * areas[:, None], np.diff(offsets), axis=0)
    columns = [np.bincount(corners, weights=weight, minlength=len(vertices)) for weight in spread.T]
    total = np.column_stack(columns).astype(np.float64)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0)
