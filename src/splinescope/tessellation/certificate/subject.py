"""What a certificate looks at: the arrays of a complex of any dimension, with the facets at each corner."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.places import Place
from splinescope.tessellation.codes import Codes
from splinescope.tessellation.resolved import ROUNDINGS, resolved_cells

RESOLUTION = ROUNDINGS * UNIT_ROUNDOFF
"""How well float64 coordinates say where a vertex is, relative to the largest coordinate on their axis."""


@dataclass(frozen=True)
class CornerFacets:
    """Facets between cells, and which of them are those of a cell at each of its corners.

    Attributes:
        cells: [M, 2] cells beside each facet, -1 outside.
        op: [M] node whose fold made it, -1 on the boundary of the domain.
        unit: [M] unit of that node.
        side: [M] side of the domain on which a facet of its boundary lies, -1 for others.
        offsets: [R + 1] start of each corner's list.
        items: Facets of the corner's own cell that meet there.
    """

    cells: np.ndarray
    op: np.ndarray
    unit: np.ndarray
    side: np.ndarray
    offsets: np.ndarray
    items: np.ndarray

    def at(self, corner: int | np.integer) -> np.ndarray:
        """Facets at one corner."""
        return self.items[self.offsets[corner] : self.offsets[corner + 1]]


@dataclass(frozen=True)
class Corners:
    """How well the corners of cells are determined by the facets that meet there.

    Attributes:
        straight: [R] whether they are no corners, but between two corners of the same side of the cell.
        gain: [R] largest ratio of a corner's shift to that of the facets through it; infinite where unknown.
    """

    straight: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, eq=False)
class Subject:
    """The arrays of a complex; see `PolyhedralComplex` for their meaning.

    Attributes:
        network: The network.
        place: Where the cells lie.
        vertices: [V, d] coordinates.
        vertex_outputs: [V, n_out] outputs at the vertices.
        points: [F, d] a point inside each cell.
        outputs: [F, n_out] the affine map of each cell there.
        measures: [F] measures of the cells.
        cell_vertices: Vertices of all cells, one cell after the other; a place in this list is a corner.
        cell_offsets: [F + 1] where each cell starts.
        codes: Patterns.
        facets: The facets, None where vertices are not looked at.
        corners: How well corners are determined, None where vertices are not looked at.
        first: First axis that is a coordinate; for several segments or slices the one before says which of them it is.
        scale: What errors of outputs are relative to; the largest absolute output if NaN.
    """

    network: Network
    place: Place
    vertices: np.ndarray
    vertex_outputs: np.ndarray
    points: np.ndarray
    outputs: np.ndarray
    measures: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    codes: tuple[Codes, ...]
    facets: CornerFacets | None = None
    corners: Corners | None = None
    first: int = 0
    scale: float = math.nan

    def __len__(self) -> int:
        return len(self.measures)

    @cached_property
    def code_of(self) -> dict[int, Codes]:
        """Codes by node."""
        return {code.node: code for code in self.codes}

    @cached_property
    def owner(self) -> np.ndarray:
        """[R] cell of each corner."""
        return np.repeat(np.arange(len(self)), np.diff(self.cell_offsets))

    def corners_of(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corners of some cells, one cell after the other, and where each cell starts."""
        starts = self.cell_offsets[cells]
        sizes = self.cell_offsets[cells + 1] - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1]), offsets

    @cached_property
    def group(self) -> np.ndarray | None:
        """[F] the slice of each cell where there are several, each of a size of its own; None elsewhere."""
        return self.points[:, 0].astype(np.int64) if self.place.reach.ndim > 1 else None

    @cached_property
    def scales(self) -> np.ndarray:
        """[F or 1, d] largest absolute coordinate on each axis of the domain out of which each cell was cut."""
        coordinates = self.vertices[:, self.first :]
        if self.group is None:
            size = np.maximum(np.abs(coordinates).max(axis=0, initial=0.0), self.place.reach)[None]
        else:
            sizes = self.place.reach.copy()
            np.maximum.at(sizes, self.vertices[:, 0].astype(np.int64), np.abs(coordinates))
            size = sizes[self.group]
        return np.where(size > 0, size, 1.0)

    def scale_of(self, cells: int | np.ndarray) -> np.ndarray:
        """[d] or [k, d] the same for one cell, or for some."""
        scale: np.ndarray = self.scales[0 if self.group is None else cells]
        return scale

    @cached_property
    def resolved(self) -> np.ndarray:
        """[F] whether float64 coordinates resolve a cell."""
        coordinates = self.vertices[:, self.first :]
        return resolved_cells(coordinates, self.cell_vertices, self.cell_offsets, self.measures, self.group)

    @cached_property
    def extents(self) -> tuple[np.ndarray, np.ndarray]:
        """[F, d] least and largest coordinates of each cell's corners."""
        corners, starts = self.vertices[:, self.first :][self.cell_vertices], self.cell_offsets[:-1]
        return np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)

    @cached_property
    def shapes(self) -> Shapes:
        """Extents and widths of the cells in coordinates divided by `scales`."""
        lowest, highest = self.extents
        extents = highest / self.scales - lowest / self.scales
        d = extents.shape[1]
        # A convex body of measure A in a box of surface S holds a ball of radius A / S.
        sides = [np.prod(np.delete(extents, axis, axis=1), axis=1) for axis in range(d)]
        surface = 2.0 * np.sum(sides, axis=0)
        measure = self.measures / np.prod(self.scales, axis=1)
        width = np.divide(measure, surface, out=np.zeros(len(self)), where=surface > 0)
        return Shapes(np.linalg.norm(extents, axis=1), np.maximum(width, 0.0))


@dataclass(frozen=True)
class Shapes:
    """Sizes of cells, relative to the coordinates.

    Attributes:
        diameter: [F] at least the diameter.
        width: [F] radius of a ball within the cell; 0 where measures say nothing.
    """

    diameter: np.ndarray
    width: np.ndarray


def pair_pieces(subject: Subject, node: int, cells: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Recorded pieces at pairs of a cell and a unit.

    Args:
        subject: The cells and their codes.
        node: A node that folds.
        cells: [k] cells.
        units: [k] units of the node.

    Returns:
        [k] pieces.
    """
    op, size = subject.network.folds[node], subject.network.nodes[node].size
    bits = [subject.code_of[node].at(cells, units + level * size) for level in range(op.levels)]
    return op.named(np.stack(bits), units)
