"""Cells cut into simplices: what integrals over cells and points drawn from them are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.spatial.complex import SpatialComplex


@dataclass(frozen=True)
class Simplices:
    """Simplices that fill the cells of a complex; those without volume are left out, if nothing else is asked.

    Attributes:
        corners: Vertices of the complex at the corners of each simplex.
        cells: The cell that each is a part of, ascending.
        measures: Length, area or volume of each, in the domain's coordinates.
    """

    corners: Int[np.ndarray, "S corners"]
    cells: Int[np.ndarray, " S"]
    measures: Float[np.ndarray, " S"]

    def __len__(self) -> int:
        """Number of simplices."""
        return len(self.cells)


def simplices(cells: PolyhedralComplex, flat: bool = False) -> Simplices:
    """Cut every cell of a complex into simplices without new vertices.

    A convex polytope is the union of the pyramids from one of its vertices over its facets; taken down to edges, this
    cuts it into simplices. Cost: linear in the number of flags of faces.

    Args:
        cells: A complex with vertices: of a segment, a plane, or a space of three or four dimensions.
        flat: Whether to keep those whose volume is rounded to zero, too: without them neighbours may not fit together.

    Returns:
        The simplices, cell by cell.

    Raises:
        InvalidInputError: If the complex has no vertices.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> len(simplices(splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))))
        8
    """
    if isinstance(cells, SegmentComplex):
        start = np.arange(len(cells), dtype=np.int64)
        corners, owners = np.column_stack([start, start + 1]), start
    elif isinstance(cells, PlanarComplex):
        corners, owners = _fans(cells)
    elif isinstance(cells, SpatialComplex):
        corners, owners = _flags(cells)
    else:
        raise InvalidInputError(
            f"`cells`: got a {type(cells).__name__}; expected a complex with vertices, of one to four dimensions"
        )
    measures = _measures(cells, corners)
    kept = np.arange(len(measures)) if flat else np.flatnonzero(measures > 0)
    return Simplices(corners[kept], owners[kept], measures[kept])


def _fans(cells: PlanarComplex) -> tuple[np.ndarray, np.ndarray]:
    """Triangles from the first corner of each polygon over its edges."""
    sizes = np.diff(cells.cell_offsets)
    owners = np.repeat(np.arange(len(cells), dtype=np.int64), np.maximum(sizes - 2, 0))
    first = np.repeat(cells.cell_offsets[:-1], np.maximum(sizes - 2, 0))
    starts = np.concatenate([[0], np.cumsum(np.maximum(sizes - 2, 0))])
    place = np.arange(len(owners)) - starts[owners]
    corners = np.column_stack([first, first + place + 1, first + place + 2])
    return cells.cell_vertices[corners].astype(np.int64), owners


def _flags(cells: SpatialComplex) -> tuple[np.ndarray, np.ndarray]:
    """Simplices from one vertex of each face of every dimension, down to edges."""
    first = cells.edges[:, 0]
    apexes = {}
    for k in range(2, cells.dimension + 1):
        offsets, items = cells.faces[k]
        first = first[items[offsets[:-1]]]
        apexes[k] = first
    owners = here = np.arange(len(cells), dtype=np.int64)
    corners = np.empty((len(cells), 0), np.int64)
    for k in range(cells.dimension, 1, -1):
        offsets, items = cells.faces[k]
        counts = (offsets[here + 1] - offsets[here]).astype(np.int64)
        corners = np.repeat(np.column_stack([corners, apexes[k][here]]), counts, axis=0)
        owners = np.repeat(owners, counts)
        begins = np.cumsum(counts) - counts
        here = items[np.arange(len(owners)) + np.repeat(offsets[here] - begins, counts)].astype(np.int64)
        # a pyramid over a facet through its apex is flat
        ends = cells.edges[here] if k == 2 else apexes[k - 1][here][:, None]
        proper = (corners[:, :, None] != ends[:, None, :]).all(axis=(1, 2))
        corners, owners, here = corners[proper], owners[proper], here[proper]
    return np.column_stack([corners, cells.edges[here]]).astype(np.int64), owners


def _measures(cells: VertexComplex, corners: np.ndarray) -> np.ndarray:
    """Volumes of simplices by their edges from the first corner, in parts of bounded memory."""
    d = corners.shape[1] - 1
    measures = np.empty(len(corners))
    for start in range(0, len(corners), 1 << 18):
        points = cells.vertices[corners[start : start + (1 << 18)]]
        measures[start : start + (1 << 18)] = np.abs(np.linalg.det(points[:, 1:] - points[:, :1])) / math.factorial(d)
    return measures


def uniform_weights(count: int, corners: int, generator: np.random.Generator) -> Float[np.ndarray, "count corners"]:
    """Barycentric coordinates of points drawn uniformly from simplices: gaps between sorted uniform numbers.

    Args:
        count: Number of points.
        corners: Number of corners of the simplices.
        generator: Of random numbers.

    Returns:
        One row for each point, with sum 1.
    """
    marks = np.ones((count, corners))
    marks[:, :-1] = generator.random((count, corners - 1))
    marks[:, :-1].sort(axis=1)
    marks[:, 1:] -= marks[:, :-1].copy()
    return marks
