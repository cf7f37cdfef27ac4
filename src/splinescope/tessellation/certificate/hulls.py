"""Convex polytopes in exact arithmetic: what halfspaces leave of one, in any dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from flint import fmpz_mat

Row = list[int]
"""[d + 1] integer coefficients of an affine form, or homogeneous coordinates of a point with a positive last one."""


@dataclass(frozen=True)
class Hull:
    """A polytope with interior points.

    Attributes:
        vertices: Its vertices.
        facets: For each vertex the facets through it, as bits.
        count: Number of facets that have been named so far.
    """

    vertices: list[Row]
    facets: list[int]
    count: int

    def within(self, rows: Sequence[Row]) -> Hull | None:
        """The part where forms are positive.

        Args:
            rows: Forms, none of which is zero.

        Returns:
            What is left; None if it has no interior point.

        Cost: a product of the forms and the vertices, and a cut for each form that is negative at a vertex.
        """
        if not rows:
            return self
        values = (fmpz_mat(rows) * fmpz_mat(self.vertices).transpose()).tolist()
        left: Hull | None = self
        for row, there in zip(rows, values, strict=True):
            if min(there) < 0 or max(there) <= 0:
                left = left._cut(row) if left is not None else None
        return left

    def _cut(self, row: Row) -> Hull | None:
        """The part where one form is positive."""
        values = [sum(a * b for a, b in zip(row, vertex, strict=True)) for vertex in self.vertices]
        above, below = ([k for k, value in enumerate(values) if sign * value > 0] for sign in (1, -1))
        if not above or not below:
            return self if above else None
        fresh = 1 << self.count
        kept = [k for k, value in enumerate(values) if value >= 0]
        vertices = [self.vertices[k] for k in kept]
        facets = [self.facets[k] | (0 if values[k] else fresh) for k in kept]
        for k in above:
            for other in below:
                common = self.facets[k] & self.facets[other]
                if self._joined(k, other, common):
                    up, down = values[k], -values[other]
                    pairs = zip(self.vertices[k], self.vertices[other], strict=True)
                    vertices.append(_reduced([down * a + up * b for a, b in pairs]))
                    facets.append(common | fresh)
        return Hull(vertices, facets, self.count + 1)

    def _joined(self, k: int, other: int, common: int) -> bool:
        """Whether two vertices are the ends of an edge: no third one is on all facets through both."""
        if common.bit_count() < len(self.vertices[0]) - 2:
            return False
        return all(facets & common != common for i, facets in enumerate(self.facets) if i not in (k, other))


def _reduced(point: Row) -> Row:
    """The same point without a common factor."""
    common = gcd(*point)
    return [number // common for number in point]


def hull(corners: np.ndarray, on: np.ndarray) -> Hull:
    """A polytope by its corners.

    Args:
        corners: [k, d] float64 coordinates, taken as they are.
        on: [k, sides] which of them are on which side.
    """
    points = []
    for corner in corners.tolist():
        ratios = [number.as_integer_ratio() for number in corner]
        weight = max(below for _, below in ratios)  # powers of two
        points.append([*(above * (weight // below) for above, below in ratios), weight])
    facets = [sum(1 << side for side in np.flatnonzero(row).tolist()) for row in on]
    return Hull(points, facets, on.shape[1])
