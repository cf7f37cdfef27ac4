"""Planar complexes: the cells of a tessellated slice as a struct of arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.geometry.planar.grid import Locator
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN
from splinescope.geometry.planar.polygons import halfplanes
from splinescope.network.graph import Network
from splinescope.numerics import in_ranges
from splinescope.tessellation.complex import Facets, VertexComplex, facets_beside
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.assembly import FinishedPiece
from splinescope.tessellation.queries import ask
from splinescope.tessellation.results import AffineMaps

if TYPE_CHECKING:
    from splinescope.tessellation.certificate.record import Topology


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PlanarComplex(VertexComplex):
    """Convex cells that fill a planar slice, with their vertices, edges and activation patterns.

    Coordinates are slice coordinates. Cell `i` has the vertices `cell_vertices[cell_offsets[i]:cell_offsets[i + 1]]`,
    counter-clockwise. A vertex may be straight in a cell, where an edge of its neighbours ends. Interior points are
    centroids (of slivers, means of corners), and measures are areas.

    Attributes:
        edges: [E, 2] vertices of each edge.
        edge_cells: [E, 2] cell to the left and to the right of each edge, -1 outside.
        edge_op: [E] node of the network whose fold made the edge, -1 on the boundary of the domain.
        edge_unit: [E] unit of that node (flat index into its output), -1 on the boundary.
    """

    domain: Slice
    edges: np.ndarray
    edge_cells: np.ndarray
    edge_op: np.ndarray
    edge_unit: np.ndarray

    def _counts(self) -> str:
        return f"{len(self)} cells, {len(self.edges)} edges, {len(self.vertices)} vertices"

    @cached_property
    def facets(self) -> Facets:
        """The edges between two cells."""
        return facets_beside(self.edge_cells, self.edge_op, self.edge_unit)

    def halfspaces(self, cell: SupportsIndex) -> Float[np.ndarray, "facets 3"]:
        """Rows `(n, b)` of one cell, with unit outward normals: see `PolyhedralComplex.halfspaces`."""
        return halfplanes(self.cell(self.number_of(cell)))

    @cached_property
    def locator(self) -> Locator:
        """Buckets of cells that make `locate` quick, made at its first call."""
        return Locator.of(self.vertices, self.cell_vertices, self.cell_offsets)

    def affine_maps(self, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
        """The affine map of each cell, in slice coordinates ("domain") or of the input itself ("input")."""
        maps: AffineMaps = ask("tessellation.affine", "affine_maps")(self, space, which)
        return maps

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given in slice coordinates as [n, 2]; -1 outside."""
        found: np.ndarray = ask("tessellation.locate", "locate")(self, points)
        return found

    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at its centroid, from the outputs at its vertices."""
        return blended(self.vertices, self.cell_vertices, self.cell_offsets, self.measures, self.vertex_outputs)

    def check_topology(self) -> Topology:
        """Areas, convexity, Euler characteristic and edges; raises `CertificateError` if one is wrong."""
        found: Topology = ask("tessellation.planar.topology", "check_topology")(self)
        return found


@njit(cache=True, nogil=True)
def _loop_lengths(start: int, stop: int, first: np.ndarray, halves: np.ndarray, lengths: np.ndarray) -> None:
    for face in range(start, stop):
        length = 0
        half = first[face]
        while True:
            length += 1
            half = halves[half, FOLLOWING]
            if half == first[face]:
                break
        lengths[face] = length


@njit(cache=True, nogil=True)
def _list_loops(
    start: int,
    stop: int,
    first: np.ndarray,
    halves: np.ndarray,
    offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    for face in range(start, stop):
        half = first[face]
        for at in range(offsets[face], offsets[face + 1]):
            out[at] = halves[half, ORIGIN]
            half = halves[half, FOLLOWING]


_THIN = 2.0**-40
"""Twice the area of a cell, as a share of its extents, up to which rounding may take its centroid out of it."""


@njit(cache=True, nogil=True)
def _exponent(length: float) -> int:
    """Exponent of a length, as far as its reciprocal does not overflow."""
    return max(math.frexp(length)[1], -1022)


@njit(cache=True, nogil=True)
def _scales(vertices: np.ndarray, cell_vertices: np.ndarray, low: int, high: int) -> tuple[float, float]:
    """Powers of two that bring the extents of a cell to about one."""
    wide = tall = 0.0
    for at in range(low + 1, high):
        wide = max(wide, abs(vertices[cell_vertices[at], 0] - vertices[cell_vertices[low], 0]))
        tall = max(tall, abs(vertices[cell_vertices[at], 1] - vertices[cell_vertices[low], 1]))
    return np.ldexp(1.0, -_exponent(wide)), np.ldexp(1.0, -_exponent(tall))


@njit(cache=True, nogil=True)
def _flat(vertices: np.ndarray, cell_vertices: np.ndarray, low: int, high: int, fx: float, fy: float) -> bool:
    """Whether a cell has no area, or an eighth of it or more is in triangles that rounding has turned over."""
    first = cell_vertices[low]
    area = over = ax = ay = 0.0
    for at in range(low + 1, high):
        vertex = cell_vertices[at]
        bx, by = (vertices[vertex, 0] - vertices[first, 0]) * fx, (vertices[vertex, 1] - vertices[first, 1]) * fy
        cross = ax * by - ay * bx
        area += cross
        over += max(0.0, -cross)
        ax, ay = bx, by
    return not area > _THIN or 8.0 * over >= area


@njit(cache=True, nogil=True)
def measure_cells(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    areas: np.ndarray,
    centroids: np.ndarray,
) -> None:
    """Areas and centroids of cells (means of the corners of slivers); relative to a corner, to keep digits.

    Third powers of lengths overflow long before areas do: lengths are multiplied by powers of two, which is exact.
    """
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        x0, y0 = vertices[cell_vertices[low], 0], vertices[cell_vertices[low], 1]
        fx, fy = _scales(vertices, cell_vertices, low, high)
        area = sx = sy = mx = my = 0.0
        ax = ay = 0.0
        for at in range(low + 1, high):
            bx, by = (vertices[cell_vertices[at], 0] - x0) * fx, (vertices[cell_vertices[at], 1] - y0) * fy
            cross = ax * by - ay * bx
            area += cross
            sx += (ax + bx) * cross
            sy += (ay + by) * cross
            mx += bx
            my += by
            ax, ay = bx, by
        areas[cell] = 0.5 * area / fx / fy
        if not _flat(vertices, cell_vertices, low, high, fx, fy):
            centroids[cell, 0], centroids[cell, 1] = x0 + sx / (3.0 * area) / fx, y0 + sy / (3.0 * area) / fy
        else:
            centroids[cell, 0], centroids[cell, 1] = x0 + mx / (high - low) / fx, y0 + my / (high - low) / fy


@njit(cache=True, nogil=True)
def _blend(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    areas: np.ndarray,
    outputs: np.ndarray,
    out: np.ndarray,
) -> None:
    """Outputs at interior points: area-weighted means over a fan of triangles, of slivers over the corners."""
    width = outputs.shape[1]
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        apex = cell_vertices[low]
        for unit in range(width):
            out[cell, unit] = 0.0
        fx, fy = _scales(vertices, cell_vertices, low, high)
        if not _flat(vertices, cell_vertices, low, high, fx, fy):
            for at in range(low + 1, high - 1):
                b, c = cell_vertices[at], cell_vertices[at + 1]
                bx, by = vertices[b, 0] - vertices[apex, 0], vertices[b, 1] - vertices[apex, 1]
                cx, cy = vertices[c, 0] - vertices[apex, 0], vertices[c, 1] - vertices[apex, 1]
                weight = (bx * cy - by * cx) / (6.0 * areas[cell])
                for unit in range(width):
                    out[cell, unit] += weight * (outputs[apex, unit] + outputs[b, unit] + outputs[c, unit])
        else:
            for at in range(low, high):
                for unit in range(width):
                    out[cell, unit] += outputs[cell_vertices[at], unit] / (high - low)


def blended(
    vertices: np.ndarray, cell_vertices: np.ndarray, offsets: np.ndarray, areas: np.ndarray, outputs: np.ndarray
) -> np.ndarray:
    """[F, n_out] the affine map of each cell at its interior point, from the outputs at its vertices."""
    out = np.empty((len(areas), outputs.shape[1]))
    in_ranges(_blend, len(areas), vertices, cell_vertices, offsets, areas, outputs, out)
    return out


def arrays_of(finished: FinishedPiece, network: Network) -> dict[str, Any]:
    """The arrays of a complex, by name, of a subdivision that has passed the whole network."""
    subdivision = finished.subdivision
    faces = subdivision.num_faces
    offsets = np.zeros(faces + 1, np.int64)
    in_ranges(_loop_lengths, faces, subdivision.first, subdivision.halves, offsets[1:])
    np.cumsum(offsets, out=offsets)
    corners = np.empty(int(offsets[-1]), np.int32)
    in_ranges(_list_loops, faces, subdivision.first, subdivision.halves, offsets, corners)
    areas, centroids = np.empty(faces), np.empty((faces, 2))
    in_ranges(measure_cells, faces, subdivision.points, corners, offsets, areas, centroids)
    return {
        "vertices": subdivision.points,
        "vertex_outputs": finished.outputs,
        "cell_vertices": corners,
        "cell_offsets": offsets,
        "edges": np.ascontiguousarray(subdivision.origin).reshape(-1, 2),
        "edge_cells": np.ascontiguousarray(subdivision.face).reshape(-1, 2),
        "edge_op": subdivision.edge_op,
        "edge_unit": _units(network, subdivision.edge_op, subdivision.edge_column),
        "interior_points": centroids,
        "measures": np.maximum(areas, 0.0),
        "codes": tuple(finished.codes),
    }


def _units(network: Network, op: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Unit of each edge from the number of its fold; -1 on the boundary."""
    sizes = np.array([node.size for node in network.nodes], np.int64)
    return np.where(op >= 0, column % sizes[op], -1).astype(np.int32)
