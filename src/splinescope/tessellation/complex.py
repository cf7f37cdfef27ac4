"""The polyhedral complex: the cells of a tessellation as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import csr_array

from splinescope.geometry.grid import Locator
from splinescope.geometry.halfedges import FOLLOWING, ORIGIN
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum
from splinescope.numerics import Tolerance, in_ranges
from splinescope.tessellation.assembly import Finished
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.domains import Slice

if TYPE_CHECKING:
    from splinescope.tessellation.affine import AffineMaps
    from splinescope.tessellation.certificate import Certificate


@dataclass(frozen=True, eq=False)
class PolyhedralComplex:
    """Convex cells that tile a planar slice, with their vertices, edges and activation patterns.

    Coordinates are slice coordinates. Cells are rows: cell `i` has the vertices
    `cell_vertices[cell_offsets[i]:cell_offsets[i + 1]]`, counter-clockwise. A vertex may be straight in a cell, where
    an edge of its neighbours ends.

    Attributes:
        network: The network.
        domain: The slice.
        vertices: [V, 2] coordinates.
        cell_vertices: [sum of corners] vertices of all cells, one cell after the other.
        cell_offsets: [F + 1] start of each cell in `cell_vertices`.
        edges: [E, 2] vertices of each edge.
        edge_cells: [E, 2] cell to the left and to the right of each edge, -1 outside.
        edge_op: [E] node of the network whose fold made the edge, -1 on the boundary of the domain.
        edge_unit: [E] unit of that node (flat index into its output), -1 on the boundary.
        vertex_outputs: [V, n_out] outputs of the network, before its head, at the vertices.
        interior_points: [F, 2] centroid of each cell.
        measures: [F] area of each cell.
        codes: Patterns, bit by bit; `patterns` unpacks them.
        amplification: [V] how much worse than rounding the position of each vertex is known.
        tolerance: What counted as zero.
        truncated: Whether cells are missing: a budget ended the work, or it was interrupted.
        certificate: What was verified.
    """

    network: Network
    domain: Slice
    vertices: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    edges: np.ndarray
    edge_cells: np.ndarray
    edge_op: np.ndarray
    edge_unit: np.ndarray
    vertex_outputs: np.ndarray
    interior_points: np.ndarray
    measures: np.ndarray
    codes: tuple[NodeCodes, ...]
    amplification: np.ndarray
    tolerance: Tolerance
    truncated: bool
    certificate: Certificate | None = None

    dimension = 2

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.measures)

    def __repr__(self) -> str:
        """One line."""
        note = ", truncated" if self.truncated else ""
        level = self.certificate.level if self.certificate else "none"
        counts = f"{len(self)} cells, {len(self.edges)} edges, {len(self.vertices)} vertices"
        return f"PolyhedralComplex({counts}, certificate {level!r}{note})"

    @cached_property
    def pattern_nodes(self) -> tuple[tuple[int, int, int], ...]:
        """(node, start, stop) of each activation or max node's units among the columns of `patterns`."""
        layout, start = [], 0
        for codes in self.codes:
            stop = start + int(np.prod(self.network.nodes[codes.node].shape, dtype=np.int64))
            layout.append((codes.node, start, stop))
            start = stop
        return tuple(layout)

    @property
    def patterns(self) -> np.ndarray:
        """[F, U] uint8, the piece that each unit is on in each cell, all units of all nodes in order.

        ReLU: 0 or 1 (active). Activations with several breakpoints: number of breakpoints below. Maxima: position of
        the largest member in its group, the first one where several are equal on the whole cell.
        """
        units = self.pattern_nodes[-1][2] if self.codes else 0
        out = np.zeros((len(self), units), np.uint8)
        for codes, (node, start, stop) in zip(self.codes, self.pattern_nodes, strict=True):
            bits = codes.unpacked(np.arange(len(codes.base), dtype=np.int32))
            weight = 1
            for digit in range(bits.shape[1] // max(1, stop - start)):
                out[:, start:stop] += weight * bits[:, digit * (stop - start) : (digit + 1) * (stop - start)]
                weight *= 2 if isinstance(self.network.nodes[node].op, Maximum) else 1
        return out

    @property
    def packed_patterns(self) -> np.ndarray:
        """[F, words] uint64 that differ between any two cells: the columns of the patterns that are not constant."""
        return np.concatenate([np.zeros((len(self), 0), np.uint64), *(codes.words for codes in self.codes)], axis=1)

    @cached_property
    def adjacency(self) -> csr_array:
        """[F, F] symmetric boolean matrix: the dual graph, whose nodes are cells and whose edges are common edges."""
        from splinescope.tessellation.regions import adjacency

        return adjacency(self.edge_cells, len(self))

    @cached_property
    def locator(self) -> Locator:
        """Buckets of cells that make `locate` quick, made at its first call."""
        return Locator.of(self.vertices, self.cell_vertices, self.cell_offsets)

    def cell(self, index: int) -> Float[np.ndarray, "k 2"]:
        """Corners of one cell, counter-clockwise."""
        return self.vertices[self.cell_vertices[self.cell_offsets[index] : self.cell_offsets[index + 1]]]

    def affine_maps(self, space: str = "domain") -> AffineMaps:
        """The affine map of each cell, in slice coordinates ("domain") or of the input itself ("input")."""
        from splinescope.tessellation.affine import affine_maps

        return affine_maps(self, space)

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given in slice coordinates as [n, 2]; -1 outside."""
        from splinescope.tessellation.locate import locate

        return locate(self, points)


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
    """Areas and centroids of cells; relative to a corner, so that slivers keep their digits."""
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        x0, y0 = vertices[cell_vertices[low], 0], vertices[cell_vertices[low], 1]
        area = sx = sy = mx = my = 0.0
        ax = ay = 0.0
        for at in range(low + 1, high):
            bx, by = vertices[cell_vertices[at], 0] - x0, vertices[cell_vertices[at], 1] - y0
            cross = ax * by - ay * bx
            area += cross
            sx += (ax + bx) * cross
            sy += (ay + by) * cross
            mx += bx
            my += by
            ax, ay = bx, by
        areas[cell] = 0.5 * area
        if area > 0.0:
            centroids[cell, 0], centroids[cell, 1] = x0 + sx / (3.0 * area), y0 + sy / (3.0 * area)
        else:
            centroids[cell, 0], centroids[cell, 1] = x0 + mx / (high - low), y0 + my / (high - low)


def build_complex(
    finished: Finished, network: Network, domain: Slice, tolerance: Tolerance, truncated: bool
) -> PolyhedralComplex:
    """The complex of a subdivision that has passed the whole network."""
    subdivision = finished.subdivision
    faces = subdivision.num_faces
    offsets = np.zeros(faces + 1, np.int64)
    in_ranges(_loop_lengths, faces, subdivision.first, subdivision.halves, offsets[1:])
    np.cumsum(offsets, out=offsets)
    corners = np.empty(int(offsets[-1]), np.int32)
    in_ranges(_list_loops, faces, subdivision.first, subdivision.halves, offsets, corners)
    areas, centroids = np.empty(faces), np.empty((faces, 2))
    in_ranges(measure_cells, faces, subdivision.points, corners, offsets, areas, centroids)
    return PolyhedralComplex(
        network=network,
        domain=domain,
        vertices=subdivision.points,
        cell_vertices=corners,
        cell_offsets=offsets,
        edges=np.ascontiguousarray(subdivision.origin).reshape(-1, 2),
        edge_cells=np.ascontiguousarray(subdivision.face).reshape(-1, 2),
        edge_op=subdivision.edge_op,
        edge_unit=subdivision.edge_unit,
        vertex_outputs=finished.outputs,
        interior_points=centroids,
        measures=areas,
        codes=tuple(finished.codes),
        amplification=subdivision.amplification,
        tolerance=tolerance,
        truncated=truncated,
    )


def folding_nodes(network: Network) -> list[int]:
    """Indices of the nodes that can fold: activations and maxima."""
    return [i for i, node in enumerate(network.nodes) if isinstance(node.op, Activation | Maximum)]
