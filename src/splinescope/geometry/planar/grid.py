"""Point location in a planar subdivision into convex cells, by buckets of a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.geometry.planar.polygons import position_resolution

CELLS_PER_BUCKET = 1.0


@dataclass(frozen=True)
class Locator:
    """Cells of a planar subdivision, bucketed so that a point's cell is found in constant expected time.

    Build it with `Locator.of`. A point belongs to a cell by the parity of the edges that a ray to the right
    crosses. The side of an edge on which a point lies is computed in one way whichever cell asks, so that a
    point of the domain is never lost between two cells nor claimed by both, whatever the rounding.

    Attributes:
        vertices: Positions.
        cell_vertices: Vertex indices of all cells, counter-clockwise, one cell after the other.
        cell_offsets: Where each cell starts in `cell_vertices`.
        low: Lower corner of the grid.
        spacing: Width and height of a bucket.
        shape: Number of buckets along each axis.
        bucket_offsets: Where each bucket (row-major in `shape`) starts in `bucket_cells`.
        bucket_cells: Cells that meet each bucket.
        resolution: Distance below which a point counts as on the boundary of the domain.
    """

    vertices: Float[np.ndarray, "vertices 2"]
    cell_vertices: Int[np.ndarray, " sides"]
    cell_offsets: Int[np.ndarray, " bounds"]
    low: Float[np.ndarray, " 2"]
    spacing: Float[np.ndarray, " 2"]
    shape: Int[np.ndarray, " 2"]
    bucket_offsets: Int[np.ndarray, " buckets_plus_one"]
    bucket_cells: Int[np.ndarray, " entries"]
    resolution: float

    @classmethod
    def of(
        cls,
        vertices: Float[np.ndarray, "vertices 2"],
        cell_vertices: Int[np.ndarray, " sides"],
        cell_offsets: Int[np.ndarray, " bounds"],
    ) -> Locator:
        """Bucket the cells of a subdivision.

        Args:
            vertices: Positions.
            cell_vertices: Vertex indices of all cells, counter-clockwise, one cell after the other.
            cell_offsets: Where each cell starts in `cell_vertices`; the last entry is its length.

        Returns:
            The locator. Cost: linear in the number of cells and of buckets that long cells pass.
        """
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        extent = high - low
        resolution = position_resolution(vertices)
        cells = len(cell_offsets) - 1
        side = np.sqrt(extent.prod() / max(1.0, cells / CELLS_PER_BUCKET))
        shape = np.clip(np.ceil(extent / max(side, resolution)), 1, 4096).astype(np.int64)
        spacing = np.maximum(extent / shape, resolution)
        counts = np.zeros(shape.prod() + 1, dtype=np.int64)
        family = (vertices, cell_vertices, cell_offsets, low, spacing, shape, resolution)
        _bucket(*family, counts, np.empty(0, dtype=np.int32), False)
        offsets = np.cumsum(counts)
        entries = np.empty(offsets[-1], dtype=np.int32)
        _bucket(*family, offsets[:-1].copy(), entries, True)
        return cls(vertices, cell_vertices, cell_offsets, low, spacing, shape, offsets, entries, resolution)

    def locate(self, points: Float[np.ndarray, "points 2"]) -> Int[np.ndarray, " points"]:
        """Cell of each point.

        Args:
            points: Positions in the coordinates of the vertices.

        Returns:
            Index of the cell that contains the point, -1 outside. A point on a shared edge or vertex belongs
            to one of its cells; a point on the boundary of the domain belongs to a cell.
        """
        found = np.empty(len(points), dtype=np.int64)
        _locate(
            np.ascontiguousarray(points, dtype=np.float64),
            self.vertices,
            self.cell_vertices,
            self.cell_offsets,
            self.low,
            self.spacing,
            self.shape,
            self.bucket_offsets,
            self.bucket_cells,
            self.resolution,
            found,
        )
        return found


@njit(cache=True, nogil=True)
def _bucket(
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    low: np.ndarray,
    spacing: np.ndarray,
    shape: np.ndarray,
    resolution: float,
    cursor: np.ndarray,
    entries: np.ndarray,
    write: bool,
) -> None:
    """Count (`cursor[bucket + 1]`), or write at `cursor[bucket]`, the cells that meet each bucket."""
    for cell in range(len(cell_offsets) - 1):
        ring = cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]]
        x0 = x1 = vertices[ring[0], 0]
        y0 = y1 = vertices[ring[0], 1]
        for vertex in ring:
            x0, x1 = min(x0, vertices[vertex, 0]), max(x1, vertices[vertex, 0])
            y0, y1 = min(y0, vertices[vertex, 1]), max(y1, vertices[vertex, 1])
        i0 = _index(x0 - resolution, low[0], spacing[0], shape[0])
        i1 = _index(x1 + resolution, low[0], spacing[0], shape[0])
        j0 = _index(y0 - resolution, low[1], spacing[1], shape[1])
        j1 = _index(y1 + resolution, low[1], spacing[1], shape[1])
        narrow = i0 == i1 or j0 == j1
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                if narrow or _meets(vertices, ring, low, spacing, i, j, resolution):
                    bucket = i * shape[1] + j
                    if write:
                        entries[cursor[bucket]] = cell
                        cursor[bucket] += 1
                    else:
                        cursor[bucket + 1] += 1


@njit(cache=True, nogil=True)
def _index(value: float, low: float, spacing: float, count: int) -> int:
    return min(max(int(np.floor((value - low) / spacing)), 0), count - 1)


@njit(cache=True, nogil=True)
def _meets(
    vertices: np.ndarray, ring: np.ndarray, low: np.ndarray, spacing: np.ndarray, i: int, j: int, resolution: float
) -> bool:
    """Whether no side of the cell has the whole (slightly enlarged) bucket on its outside."""
    cx, cy = low[0] + (i + 0.5) * spacing[0], low[1] + (j + 0.5) * spacing[1]
    hx, hy = 0.5 * spacing[0] + 2 * resolution, 0.5 * spacing[1] + 2 * resolution
    for k in range(len(ring)):
        a, b = ring[k], ring[(k + 1) % len(ring)]
        dx, dy = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        if max(abs(dx), abs(dy)) <= 64.0 * resolution:
            continue  # the direction of a side that coordinates hardly resolve says nothing
        centre = dx * (cy - vertices[a, 1]) - dy * (cx - vertices[a, 0])
        if centre + abs(dx) * hy + abs(dy) * hx < 0.0:
            return False
    return True


@njit(cache=True, nogil=True)
def _side(vertices: np.ndarray, a: int, b: int, x: float, y: float) -> float:
    """Twice the signed area of (a, b, point), the same number up to sign for (b, a, point)."""
    if a < b:
        ux, uy = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        return ux * (y - vertices[a, 1]) - uy * (x - vertices[a, 0])
    ux, uy = vertices[a, 0] - vertices[b, 0], vertices[a, 1] - vertices[b, 1]
    return -(ux * (y - vertices[b, 1]) - uy * (x - vertices[b, 0]))


@njit(cache=True, nogil=True)
def _contains(vertices: np.ndarray, ring: np.ndarray, x: float, y: float) -> bool:
    """Parity of the sides that the ray from the point to the right crosses."""
    inside = False
    for k in range(len(ring)):
        a, b = ring[k], ring[(k + 1) % len(ring)]
        if (vertices[a, 1] <= y) != (vertices[b, 1] <= y):
            upwards = vertices[b, 1] > vertices[a, 1]
            side = _side(vertices, a, b, x, y)
            # A point on the edge is on the left of the upward edge, and (the same number) of the downward
            # one.
            if (upwards and side >= 0.0) or (not upwards and side <= 0.0):
                inside = not inside
    return inside


@njit(cache=True, nogil=True)
def _depth(vertices: np.ndarray, ring: np.ndarray, x: float, y: float) -> float:
    """Signed distance to the nearest line of a side, positive inside."""
    depth = np.inf
    for k in range(len(ring)):
        a, b = ring[k], ring[(k + 1) % len(ring)]
        length = np.hypot(vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1])
        if length > 0.0:
            depth = min(depth, _side(vertices, a, b, x, y) / length)
    return depth


@njit(cache=True, nogil=True)
def _locate(
    points: np.ndarray,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    low: np.ndarray,
    spacing: np.ndarray,
    shape: np.ndarray,
    bucket_offsets: np.ndarray,
    bucket_cells: np.ndarray,
    resolution: float,
    found: np.ndarray,
) -> None:
    high = low + shape * spacing
    for p in range(len(points)):
        x, y = points[p, 0], points[p, 1]
        found[p] = -1
        if not (low[0] - resolution <= x <= high[0] + resolution and low[1] - resolution <= y <= high[1] + resolution):
            continue  # NaN too
        bucket = _index(x, low[0], spacing[0], shape[0]) * shape[1] + _index(y, low[1], spacing[1], shape[1])
        candidates = bucket_cells[bucket_offsets[bucket] : bucket_offsets[bucket + 1]]
        for cell in candidates:
            if _contains(vertices, cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]], x, y):
                found[p] = cell
                break
        if found[p] >= 0:
            continue
        nearest = -resolution  # on the boundary of the domain, up to rounding
        for cell in candidates:
            depth = _depth(vertices, cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]], x, y)
            if depth >= nearest:
                nearest = depth
                found[p] = cell
