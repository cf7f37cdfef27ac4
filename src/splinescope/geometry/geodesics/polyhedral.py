"""Flat triangles that are glued along edges, with the angles at their vertices, as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

FLAT = 1e-9
"""An angle by which a vertex must exceed the flat one for paths to bend there: less changes lengths by its square."""

_OFF = 4.0
"""Corners that are off move lengths in a triangle by so many times as much, relative to its height."""


@dataclass(frozen=True, eq=False)
class PolyhedralSurface:
    """A surface of flat triangles, known by lengths alone; it need not lie in any space.

    Side k of triangle t is the half-edge `3 t + k`, from its corner k to the next one; the triangle is on its left. In
    its frame the side runs from the origin along the first axis, and the third corner, the apex, lies above.

    Attributes:
        corners: Vertices of the triangles.
        sides: Edge of each side.
        twins: The same edge's half-edge in the neighbouring triangle, which runs the other way; -1 on the border.
        lengths: Length of each edge.
        ends: Vertices of each edge, in the direction of its first half-edge; edges need not be on a triangle.
        apexes: Place of the apex in the frame of each half-edge.
        starts: Angle of each half-edge around its first vertex, counter-clockwise from the first one.
        angles: Angle of each vertex: the sum of those of its corners.
        kinds: 0 where paths cannot bend, 1 inside and 2 on the border where they can, 3 where triangles around a
            vertex are no disk or half-disk.
        links: Edges at vertices: those of `v` are `link_edges[links[v]:links[v + 1]]`.
        link_edges: See above.
        fans: Corners at vertices in the same way, by the half-edges that start there.
        fan_sides: See above.
        give: How well places are known: edges of this length may be points.
        doubts: By how much lengths within each triangle may be off for that, relative to them.
    """

    corners: Int[np.ndarray, "T 3"]
    sides: Int[np.ndarray, "T 3"]
    twins: Int[np.ndarray, " H"]
    lengths: Float[np.ndarray, " E"]
    ends: Int[np.ndarray, "E 2"]
    apexes: Float[np.ndarray, "H 2"]
    starts: Float[np.ndarray, " H"]
    angles: Float[np.ndarray, " V"]
    kinds: Int[np.ndarray, " V"]
    links: Int[np.ndarray, " _"]
    link_edges: Int[np.ndarray, " _"]
    fans: Int[np.ndarray, " _"]
    fan_sides: Int[np.ndarray, " H"]
    give: float
    doubts: Float[np.ndarray, " T"]

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.angles)

    @property
    def flips(self) -> Bool[np.ndarray, " H"]:
        """Whether each half-edge runs against its edge."""
        flips = np.ones(self.sides.size, bool)
        flips[np.unique(self.sides.ravel(), return_index=True)[1]] = False
        return flips

    @staticmethod
    def glued(
        shapes: Float[np.ndarray, "T 3 2"],
        corners: Int[np.ndarray, "T 3"],
        sides: Int[np.ndarray, "T 3"],
        twins: Int[np.ndarray, " H"],
        ends: Int[np.ndarray, "E 2"],
        lengths: Float[np.ndarray, " E"],
        vertices: int,
        *,
        give: float = 0.0,
        doubts: Float[np.ndarray, " T"] | None = None,
    ) -> PolyhedralSurface:
        """A surface of triangles that are given in a plane each, counter-clockwise.

        Args:
            shapes: Corners of each triangle in a plane of its own.
            corners: Their vertices.
            sides: Edges of the sides.
            twins: Half-edges on the other sides.
            ends: Vertices of all edges.
            lengths: Their lengths.
            vertices: Number of vertices.
            give: How well places are known.
            doubts: What follows for lengths in triangles, relative to them; by default from their heights.

        Returns:
            The surface. Cost: linear.
        """
        first, second, third = (np.roll(shapes, -k, axis=1).reshape(-1, 2) for k in range(3))
        along = second - first
        size = np.hypot(along[:, 0], along[:, 1])
        unit = along / np.where(size > 0, size, 1.0)[:, None]
        rest = third - first
        apexes = np.column_stack(
            [(rest * unit).sum(axis=1), np.maximum(unit[:, 0] * rest[:, 1] - unit[:, 1] * rest[:, 0], 0.0)]
        )
        corner_angles = np.arctan2(apexes[:, 1], apexes[:, 0])
        fans, fan_sides = _lists(corners.ravel(), vertices)
        edges = np.repeat(np.arange(len(ends)), 2)
        links, order = _lists(ends.ravel(), vertices)
        starts, angles, kinds = _turn(corners.ravel(), twins, corner_angles, fans, fan_sides, vertices)
        loose = np.ones(len(ends), bool)
        loose[sides.ravel()] = False
        kinds[ends[loose].ravel()] = 3
        if doubts is None:
            heights = apexes[:, 1].reshape(-1, 3).min(axis=1, initial=np.inf)
            doubts = _OFF * give / np.maximum(heights, np.finfo(np.float64).tiny)
        return PolyhedralSurface(
            corners, sides, twins, np.maximum(lengths, np.finfo(np.float64).tiny), ends, apexes, starts, angles, kinds,
            links, edges[order], fans, fan_sides, give, doubts,
        )  # fmt: skip

    def gradients(self, values: Float[np.ndarray, " V"]) -> Float[np.ndarray, " T"]:
        """Norm of the gradient of the function with given values at vertices that is affine on triangles.

        Args:
            values: One for each vertex.

        Returns:
            One norm for each triangle; infinite if the triangle has no height.
        """
        longest = np.argmax(self.lengths[self.sides], axis=1)
        half = 3 * np.arange(len(self.corners)) + longest
        rows = np.arange(len(self.corners))
        one, two, apex = (values[self.corners[rows, (longest + k) % 3]] for k in range(3))
        length, (x, y) = self.lengths[self.sides[rows, longest]], self.apexes[half].T
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (two - one) / length
            across = (apex - one - along * x) / y
        return np.where(y > 0, np.hypot(along, across), np.inf)


def _lists(owners: Int[np.ndarray, " items"], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Items by their owners: offsets, and the items in the order of these."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=number))])
    return offsets.astype(np.int64), np.argsort(owners, kind="stable").astype(np.int64)


@njit(cache=True, nogil=True)
def _turn(
    corners: np.ndarray,
    twins: np.ndarray,
    corner_angles: np.ndarray,
    fans: np.ndarray,
    fan_sides: np.ndarray,
    vertices: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go around each vertex: angles at which half-edges start, their sum, and what paths may do there."""
    starts, angles, kinds = np.zeros(corners.size), np.zeros(vertices), np.zeros(vertices, np.int64)
    for vertex in range(vertices):
        low, high = fans[vertex], fans[vertex + 1]
        if low == high:
            kinds[vertex] = 3
            continue
        first = fan_sides[low]
        border = False
        for at in range(low, high):
            if twins[fan_sides[at]] < 0:
                first, border = fan_sides[at], True
                break
        half, total, count = first, 0.0, 0
        while count < high - low:
            starts[half] = total
            total += corner_angles[half]
            count += 1
            half = twins[half - half % 3 + (half + 2) % 3]
            if half < 0 or half == first:
                break
        angles[vertex] = total
        if count < high - low or (half >= 0) == border:
            kinds[vertex] = 3
        elif border:
            kinds[vertex] = 2 if total > math.pi + FLAT else 0
        else:
            kinds[vertex] = 1 if total > 2 * math.pi + FLAT else 0
    return starts, angles, kinds


def twins_of(sides: Int[np.ndarray, "T 3"], edges: int) -> Int[np.ndarray, " H"]:
    """Pairs of half-edges of the same edge.

    Args:
        sides: Edge of each side of the triangles; at most two sides have the same.
        edges: Number of edges.

    Returns:
        The other half-edge, -1 for none.
    """
    flat = sides.ravel()
    order = np.argsort(flat, kind="stable")
    same = flat[order[1:]] == flat[order[:-1]]
    twins = np.full(len(flat), -1, np.int64)
    twins[order[:-1][same]], twins[order[1:][same]] = order[1:][same], order[:-1][same]
    return twins


def is_manifold(sides: Int[np.ndarray, "T 3"], edges: int) -> Bool[np.ndarray, " E"]:
    """Which edges are on at most two triangles."""
    return np.bincount(sides.ravel(), minlength=edges) <= 2
