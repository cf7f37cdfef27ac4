"""A planar complex as half-edges on the sphere, with the outside as one more face: what is coded for a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

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
        offsets, corners = np.asarray(cells.cell_offsets), np.asarray(cells.cell_vertices)
        ends, beside = np.asarray(cells.edges), np.asarray(cells.edge_cells)
        sides = np.full(2 * len(ends), -1)
        half_at = np.full(len(corners), -1)
        if not _place_sides(ends, beside, offsets, corners, sides, half_at) or (half_at < 0).any():
            return None
        onward = np.arange(1, len(corners) + 1)
        onward[offsets[1:] - 1] = offsets[:-1]
        origins, outside = ends.reshape(-1).astype(np.int64), np.flatnonzero(sides < 0)
        leaving = np.full(len(cells.vertices), -1)
        leaving[origins[outside]] = outside
        following = np.where(sides < 0, leaving[origins[np.arange(len(origins)) ^ 1]], half_at[onward[sides]])
        degrees = np.bincount(origins, minlength=len(cells.vertices))
        found = cls(origins, following, beside.reshape(-1).astype(np.int64), degrees, sides)
        return found if found._is_disk(outside, len(cells)) else None

    def _is_disk(self, outside: np.ndarray, cells: int) -> bool:
        """Whether there is one ring around all; what is not one piece the front then does not reach."""
        if not len(outside) or not 2 <= self.degrees.min() <= self.degrees.max() <= MOST_EDGES:
            return False
        if np.bincount(self.origins[outside]).max() > 1 or (self.following < 0).any():
            return False
        ring, half = 1, self.following[outside[0]]
        while half != outside[0] and ring <= len(outside):
            ring, half = ring + 1, self.following[half]
        return ring == len(outside) and len(self.degrees) - len(self.origins) // 2 + cells == 1


@njit(cache=True, nogil=True)
def _place_sides(
    ends: np.ndarray,
    beside: np.ndarray,
    offsets: np.ndarray,
    corners: np.ndarray,
    sides: np.ndarray,
    half_at: np.ndarray,
) -> bool:
    """Find the side of each half-edge in its cell's ring, and the half-edge of each side; whether all are there."""
    for edge in range(len(ends)):
        for side in range(2):
            cell = beside[edge, side]
            if cell < 0:
                continue
            start, stop, found = offsets[cell], offsets[cell + 1], -1
            for at in range(start, stop):
                onward = at + 1 if at + 1 < stop else start
                if corners[at] == ends[edge, side] and corners[onward] == ends[edge, 1 - side]:
                    found = at
            if found < 0 or half_at[found] >= 0:
                return False
            sides[2 * edge + side], half_at[found] = found, 2 * edge + side
    return True
