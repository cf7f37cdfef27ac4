"""Short paths through tetrahedra: by a graph of points on their faces, made finer around the path that it finds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from splinescope.progress import Report, reporting
from splinescope.riemannian.solids import Solid

_SHRINK = 0.7
"""By how much the surroundings shrink in which points are tried, each time."""


@dataclass(frozen=True, eq=False)
class ShortPath:
    """A path through a solid.

    Attributes:
        points: Its corners.
        cells: The cell of each piece.
        finished: Whether nobody interrupted the search.
    """

    points: Float[np.ndarray, "k 3"]
    cells: Int[np.ndarray, " pieces"]
    finished: bool


def short_path(solid: Solid, *, degree: int = 4, rounds: int = 40, progress: bool | Report = False) -> ShortPath:
    """A short path between the ends of a solid; no shorter one is near it, but there may be others elsewhere.

    Among the first points are those in which the straight line crosses faces, so that the path is never longer.

    Args:
        solid: The solid.
        degree: Points on an edge of a face, at first.
        rounds: How often points are set more closely around the path.
        progress: Whether to show a bar, or a function to call with the share done and the number of tetrahedra.

    Returns:
        The path; interrupting leaves the best so far, once there is one. Cost: shortest paths in graphs with some ten
        points on each face.
    """
    faces, sides = _faces(solid)
    lattice = _lattice(degree)
    every = np.arange(len(solid.corners))
    corners = solid.points[faces]
    crossed = _nearest_to_line(corners, *solid.points[list(solid.ends)])
    places = np.concatenate([np.einsum("lk,fkd->fld", lattice, corners), crossed[:, None]], axis=1)
    path, finished = _search(solid, faces, sides, every, places), True
    with reporting(progress, "tetrahedra", phase="searching") as report:
        try:
            for number in range(rounds):
                report(number / rounds, len(solid.corners))
                path = _closer(solid, faces, sides, lattice, path, _SHRINK ** (number + 1))
        except KeyboardInterrupt:
            finished = False
    return ShortPath(path[0], solid.cells[path[1]], finished)


_Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Corners of a path, the tetrahedron of each piece, the face of each corner."""


def _closer(
    solid: Solid,
    faces: Int[np.ndarray, "F 3"],
    sides: Int[np.ndarray, "T 4"],
    lattice: Float[np.ndarray, "points 3"],
    path: _Found,
    spread: float,
) -> _Found:
    """The shortest path through points that are set around those of a path."""
    points, on = path[0], path[2]
    near = _corridor(solid, path[1], wide=spread > 0.2)
    centres = np.empty((len(faces), 3))
    used = np.unique(sides[near])
    centres[used] = _nearest(solid.points[faces[used]], points)
    for point, face in zip(points, on.tolist(), strict=True):
        if face >= 0:
            centres[face] = point
    corners = solid.points[faces[used]]
    around = (1 - spread) * centres[used][:, None] + spread * np.einsum("lk,fkd->fld", lattice, corners)
    places = np.zeros((len(faces), len(lattice) + 1, 3))
    places[used] = np.concatenate([around, centres[used][:, None]], axis=1)
    return _search(solid, faces, sides, near, places)


def _faces(solid: Solid) -> tuple[Int[np.ndarray, "F 3"], Int[np.ndarray, "T 4"]]:
    """Triangles of the tetrahedra, each once, and the four of each."""
    triples = np.array(list(itertools.combinations(range(4), 3)))
    every = np.sort(solid.corners[:, triples].reshape(-1, 3), axis=1)
    faces, which = np.unique(every, axis=0, return_inverse=True)
    return faces, which.reshape(-1, 4)


def _lattice(degree: int) -> Float[np.ndarray, "points 3"]:
    """Barycentric coordinates of evenly spread points of a triangle."""
    found = [(i, j, degree - i - j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.array(found) / degree


def _corridor(solid: Solid, used: Int[np.ndarray, " pieces"], wide: bool) -> Int[np.ndarray, " near"]:
    """Tetrahedra that touch those of a path in a vertex, or (if not wide) share one of their edges."""
    inside = np.zeros(len(solid.points), bool)
    inside[solid.corners[used]] = True
    count = inside[solid.corners].sum(axis=1)
    near = count >= (1 if wide else 2)
    near[used] = True
    return np.flatnonzero(near)


def _nearest(triangles: Float[np.ndarray, "F 3 3"], points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "F 3"]:
    """A point of each triangle near a path: the point of the path that is nearest to its middle, moved into it."""
    middles = triangles.mean(axis=1)
    away = np.linalg.norm(middles[:, None] - points[None], axis=2)
    return _moved_into(triangles, points[np.argmin(away, axis=1)])


def _nearest_to_line(triangles: Float[np.ndarray, "F 3 3"], a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "F 3"]:
    """Where a straight piece crosses the plane of each triangle, moved into it."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ((triangles[:, 0] - a) * normals).sum(axis=1) / (normals @ (b - a))
    share = np.clip(np.nan_to_num(share, nan=0.5, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return _moved_into(triangles, a + share[:, None] * (b - a))


def _moved_into(triangles: Float[np.ndarray, "F 3 3"], wanted: Float[np.ndarray, "F 3"]) -> Float[np.ndarray, "F 3"]:
    """A point of each triangle, for one point each: the same, if it is in there."""
    a, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    gram = np.stack([np.stack([(u * u).sum(1), (u * v).sum(1)], 1), np.stack([(u * v).sum(1), (v * v).sum(1)], 1)], 1)
    right = np.stack([((wanted - a) * u).sum(1), ((wanted - a) * v).sum(1)], axis=1)
    shares = np.einsum("fij,fj->fi", np.linalg.pinv(gram), right)
    full = np.maximum(np.column_stack([1 - shares.sum(axis=1), shares]), 0.0)
    full /= full.sum(axis=1, keepdims=True)
    return np.einsum("fk,fkd->fd", full, triangles)


def _search(
    solid: Solid,
    faces: Int[np.ndarray, "F 3"],
    sides: Int[np.ndarray, "T 4"],
    near: Int[np.ndarray, " near"],
    places: Float[np.ndarray, "F points 3"],
) -> _Found:
    """Shortest path through given points of faces: its corners, the tetrahedron of each piece, the face of each."""
    count = places.shape[1]
    own = (sides[near][:, :, None] * count + np.arange(count)).reshape(len(near), -1)
    total = len(faces) * count
    ends = (total, total + 1)
    points = np.vstack([places.reshape(-1, 3), solid.points[list(solid.ends)]])
    one, two = np.triu_indices(own.shape[1], 1)
    rows, columns, owners = own[:, one].ravel(), own[:, two].ravel(), np.repeat(near, len(one))
    for vertex, node in zip(solid.ends, ends, strict=True):
        here = np.flatnonzero((solid.corners[near] == vertex).any(axis=1))
        rows = np.concatenate([rows, np.full(len(here) * own.shape[1], node)])
        columns = np.concatenate([columns, own[here].ravel()])
        owners = np.concatenate([owners, np.repeat(near[here], own.shape[1])])
    both = near[
        ((solid.corners[near] == solid.ends[0]).any(axis=1)) & ((solid.corners[near] == solid.ends[1]).any(axis=1))
    ]
    rows = np.concatenate([rows, np.full(len(both), ends[0])])
    columns = np.concatenate([columns, np.full(len(both), ends[1])])
    owners = np.concatenate([owners, both])
    steps = np.einsum("eij,ej->ei", solid.factors[solid.cells[owners]], points[columns] - points[rows])
    weights = np.linalg.norm(steps, axis=1) + 1e-300
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    order = np.lexsort((weights, high, low))
    keys = low[order].astype(np.int64) * (total + 2) + high[order]
    first = order[np.concatenate([[True], keys[1:] != keys[:-1]])]
    graph = csr_array((weights[first], (low[first], high[first])), shape=(total + 2, total + 2))
    _, before = dijkstra(graph, directed=False, indices=ends[0], return_predecessors=True)
    nodes = [ends[1]]
    while nodes[-1] != ends[0]:
        nodes.append(int(before[nodes[-1]]))
    nodes = nodes[::-1]
    known = dict(zip(zip(low[first].tolist(), high[first].tolist(), strict=True), owners[first].tolist(), strict=True))
    used = np.array([known[min(a, b), max(a, b)] for a, b in itertools.pairwise(nodes)])
    on = np.array([node // count if node < total else -1 for node in nodes])
    return points[nodes], used, on
