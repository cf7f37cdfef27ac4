"""A planar subdivision into convex faces as flat half-edge arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.geometry.planar.halfedges import FACE, FOLLOWING, ORIGIN, OUTSIDE, PRECEDING


@dataclass(frozen=True)
class Subdivision:
    """Convex faces that fill a convex polygon (or a part of one).

    Half-edges `2e` and `2e + 1` are the two directions of edge `e`; a face lies to the left of its half-edges.

    Attributes:
        points: [V, 2] coordinates of the vertices.
        uncertainty: [V] how well the position of a vertex is known, as a share of the domain.
        halves: [2E, 4] vertex where each half-edge starts, next and previous half-edge around its face, and that face
            (-1 outside).
        edge_op: [E] label of the layer that made the edge, -1 for the boundary of the domain.
        edge_column: [E] column of that layer; on the boundary of the domain the number of the side.
        edge_tag: [E] number of the border that the edge lies on where the subdivision is a piece of another, or -1.
        first: [F] one half-edge of each face.
    """

    points: np.ndarray
    uncertainty: np.ndarray
    halves: np.ndarray
    edge_op: np.ndarray
    edge_column: np.ndarray
    edge_tag: np.ndarray
    first: np.ndarray

    @property
    def origin(self) -> np.ndarray:
        """[2E] vertex where each half-edge starts."""
        return self.halves[:, ORIGIN]

    @property
    def following(self) -> np.ndarray:
        """[2E] next half-edge around the face."""
        return self.halves[:, FOLLOWING]

    @property
    def preceding(self) -> np.ndarray:
        """[2E] previous half-edge around the face."""
        return self.halves[:, PRECEDING]

    @property
    def face(self) -> np.ndarray:
        """[2E] face on the left, -1 outside."""
        return self.halves[:, FACE]

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.points)

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_op)

    @property
    def num_faces(self) -> int:
        """Number of faces, the outside not counted."""
        return len(self.first)


def half_edges(origin: np.ndarray, following: np.ndarray, preceding: np.ndarray, face: np.ndarray) -> np.ndarray:
    """[2E, 4] table of half-edges from its columns."""
    return np.stack([origin, following, preceding, face], axis=1).astype(np.int32)


def convex_polygons(points: np.ndarray, offsets: np.ndarray) -> Subdivision:
    """The subdivision whose faces are convex polygons side by side, that share nothing.

    Args:
        points: [V, 2] their corners counter-clockwise, one polygon after the other.
        offsets: [F + 1] first corner of each.

    Returns:
        The subdivision; the numbers of its outer edges begin anew in each polygon.
    """
    number = len(points)
    index = np.arange(number, dtype=np.int32)
    first, last = offsets[:-1], offsets[1:] - 1
    after, before = index + 1, index - 1
    after[last], before[first] = first, last
    of = np.repeat(np.arange(len(first), dtype=np.int32), np.diff(offsets))
    origin = np.empty(2 * number, np.int32)
    following = np.empty(2 * number, np.int32)
    preceding = np.empty(2 * number, np.int32)
    face = np.empty(2 * number, np.int32)
    origin[0::2], origin[1::2] = index, after
    following[0::2], preceding[0::2] = 2 * after, 2 * before
    following[1::2], preceding[1::2] = 2 * before + 1, 2 * after + 1
    face[0::2], face[1::2] = of, OUTSIDE
    return Subdivision(
        np.asarray(points, np.float64).copy(),
        np.zeros(number),
        half_edges(origin, following, preceding, face),
        np.full(number, -1, np.int32),
        index - first[of].astype(np.int32),
        np.full(number, -1, np.int64),
        (2 * first).astype(np.int32),
    )
