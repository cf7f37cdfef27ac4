"""A planar complex as half-edges on the sphere, with the outside as one more face: what is coded for a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.tessellation.planar.complex import PlanarComplex


MOST_EDGES = 250
"""Edges of a vertex up to which a page counts them in a byte."""


@dataclass(frozen=True)
class HalfEdges:
    """Half-edges `2 e` and `2 e + 1` of each edge, one along the ring of the cell to its left.

    Attributes:
        origins: [2 E] vertex at which each starts.
        following: [2 E] the next one along the ring of its face.
        faces: [2 E] cell to the left, -1 outside.
        degrees: [V] edges of each vertex.
        sides: [2 E] place in `cell_vertices` of the corner at which each starts in its cell's ring, -1 outside.
    """

    origins: np.ndarray
    following: np.ndarray
    faces: np.ndarray
    degrees: np.ndarray
    sides: np.ndarray

    @classmethod
    def of(cls, cells: PlanarComplex) -> HalfEdges | None:
        """The half-edges of a complex.

        Args:
            cells: A planar complex.

        Returns:
            Them; None where the cells are no disk whose border meets no vertex twice.
        """
        sizes, firsts = np.diff(cells.cell_offsets), np.asarray(cells.cell_offsets[:-1])
        corners = np.asarray(cells.cell_vertices)
        onward = np.arange(1, len(corners) + 1)
        onward[np.asarray(cells.cell_offsets[1:]) - 1] = firsts
        halves = _halves_of_sides(cells.edges, corners, corners[onward], len(cells.vertices))
        count = 2 * len(cells.edges)
        if halves is None or len(np.unique(halves)) != len(halves):
            return None
        origins = np.asarray(cells.edges).reshape(-1).copy()
        following, faces, sides = (np.full(count, -1) for _ in range(3))
        following[halves], faces[halves] = halves[onward], np.repeat(np.arange(len(cells)), sizes)
        sides[halves] = np.arange(len(corners))
        outside = np.flatnonzero(following < 0)
        leaving = np.full(len(cells.vertices), -1)
        leaving[origins[outside]] = outside
        following[outside] = leaving[origins[outside ^ 1]]
        degrees = np.bincount(origins, minlength=len(cells.vertices))
        found = cls(origins, following, faces, degrees, sides)
        return found if found._is_disk(outside, len(cells)) else None

    def _is_disk(self, outside: np.ndarray, cells: int) -> bool:
        """Whether all is one piece with one ring around it."""
        if not len(outside) or self.degrees.max() > MOST_EDGES or len(np.unique(self.origins[outside])) != len(outside) or (self.following < 0).any():
            return False
        edges = len(self.origins) // 2
        if len(self.degrees) - edges + cells + 1 != 2 or (self.degrees < 2).any():
            return False
        ends = self.origins.reshape(-1, 2)
        graph = coo_array((np.ones(edges, bool), (ends[:, 0], ends[:, 1])), shape=(len(self.degrees),) * 2)
        ring, half = 1, self.following[outside[0]]
        while half != outside[0] and ring <= len(outside):
            ring, half = ring + 1, self.following[half]
        return ring == len(outside) and connected_components(graph, directed=False)[0] == 1


def _halves_of_sides(edges: np.ndarray, tails: np.ndarray, heads: np.ndarray, count: int) -> np.ndarray | None:
    """The half-edge of each side of a ring; None if one is no edge."""
    edges = np.asarray(edges, np.int64)
    keys = np.concatenate([edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]])
    order = np.argsort(keys)
    wanted = tails.astype(np.int64) * count + heads
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[at]
    if len(np.unique(keys)) != len(keys) or (keys[found] != wanted).any():
        return None
    return np.where(found < len(edges), 2 * found, 2 * (found - len(edges)) + 1)
