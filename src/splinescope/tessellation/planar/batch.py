"""The cells of several slices side by side, in the arrays of one complex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.certificate.record import Certificate
from splinescope.tessellation.codes import Codes
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.planar.assembly import FinishedPiece
from splinescope.tessellation.planar.complex import PlanarComplex, arrays_of, blended
from splinescope.tessellation.planar.slices import Slices
from splinescope.tessellation.resolved import resolved_cells

ALIKE = 16.0
"""Slices whose largest outputs differ by more than this factor are certified one by one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PlanarBatch:
    """Planar complexes of slices of one network; slice `s` has ranges of the cells, of the vertices and of the edges.

    The arrays are those of `PlanarComplex`, with numbers of cells and vertices counted through all slices.

    Attributes:
        network: The network.
        slices: The slices.
        cell_starts: [S + 1] first cell of each.
        vertex_starts: [S + 1] first vertex of each.
        edge_starts: [S + 1] first edge of each.
        tolerance: What counted as zero.
        truncated: [S] whether cells of a slice are missing.
        decisions: How signs were decided, on all slices together.
        certificates: What was verified of each; empty before.
    """

    network: Network
    slices: Slices
    cell_starts: np.ndarray
    vertex_starts: np.ndarray
    edge_starts: np.ndarray
    vertices: np.ndarray
    vertex_outputs: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    edges: np.ndarray
    edge_cells: np.ndarray
    edge_op: np.ndarray
    edge_unit: np.ndarray
    interior_points: np.ndarray
    measures: np.ndarray
    codes: tuple[Codes, ...]
    tolerance: Tolerance
    truncated: np.ndarray
    decisions: Decisions | None = None
    certificates: tuple[Certificate, ...] = ()

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.slices)

    @cached_property
    def of_cell(self) -> np.ndarray:
        """[F] the slice of each cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.cell_starts))

    @cached_property
    def of_vertex(self) -> np.ndarray:
        """[V] the slice of each vertex."""
        return np.repeat(np.arange(len(self)), np.diff(self.vertex_starts))

    @cached_property
    def of_edge(self) -> np.ndarray:
        """[E] the slice of each edge."""
        return np.repeat(np.arange(len(self)), np.diff(self.edge_starts))

    @cached_property
    def resolved(self) -> np.ndarray:
        """[F] whether float64 coordinates resolve a cell; see `PolyhedralComplex.resolved`."""
        group = None if len(self) == 1 else self.of_cell
        return resolved_cells(self.vertices, self.cell_vertices, self.cell_offsets, self.measures, group)

    @cached_property
    def output_sizes(self) -> np.ndarray:
        """[S] largest absolute output of each slice."""
        sizes = np.abs(self.vertex_outputs).max(axis=1, initial=0.0)
        return np.asarray(np.maximum.reduceat(sizes, self.vertex_starts[:-1]))

    @cached_property
    def of_one_size(self) -> np.ndarray:
        """[S] whether outputs of a slice are about as large as those of others, so that errors have one measure."""
        return np.asarray(self.output_sizes * ALIKE >= self.output_sizes.max())

    def interior_outputs(self) -> np.ndarray:
        """[F, n_out] value of each cell's affine map at its interior point."""
        return blended(self.vertices, self.cell_vertices, self.cell_offsets, self.measures, self.vertex_outputs)

    def cells(self, number: int) -> PlanarComplex:
        """The complex of one slice: views of the arrays where numbers of cells and vertices don't change."""
        faces, vertices, edges = (
            slice(int(starts[number]), int(starts[number + 1]))
            for starts in (self.cell_starts, self.vertex_starts, self.edge_starts)
        )
        offsets = self.cell_offsets[faces.start : faces.stop + 1]
        beside = self.edge_cells[edges]
        return PlanarComplex(
            network=self.network,
            domain=self.slices.domains[number],
            vertices=self.vertices[vertices],
            vertex_outputs=self.vertex_outputs[vertices],
            cell_vertices=self.cell_vertices[offsets[0] : offsets[-1]] - np.int32(vertices.start),
            cell_offsets=offsets - offsets[0],
            edges=self.edges[edges] - np.int32(vertices.start),
            edge_cells=np.where(beside >= 0, beside - np.int32(faces.start), beside),
            edge_op=self.edge_op[edges],
            edge_unit=self.edge_unit[edges],
            interior_points=self.interior_points[faces],
            measures=self.measures[faces],
            codes=tuple(codes.taken(np.arange(faces.start, faces.stop)) for codes in self.codes),
            tolerance=self.tolerance,
            truncated=bool(self.truncated[number]),
            decisions=self.decisions,
            certificate=self.certificates[number] if self.certificates else None,
        )


def batch_of(
    finished: FinishedPiece,
    network: Network,
    slices: Slices,
    tolerance: Tolerance,
    truncated: np.ndarray,
    decisions: Decisions,
) -> PlanarBatch:
    """The batch of finished slices in order, without certificates."""
    arrays = arrays_of(finished, network)
    of_vertex = slices.of_vertices(finished.subdivision, finished.slices)
    of_edge = finished.slices[arrays["edge_cells"].max(axis=1)]
    return PlanarBatch(
        network=network,
        slices=slices,
        cell_starts=_starts(finished.slices, len(slices)),
        vertex_starts=_starts(of_vertex, len(slices)),
        edge_starts=_starts(of_edge, len(slices)),
        tolerance=tolerance,
        truncated=truncated,
        decisions=decisions,
        **arrays,
    )


def _starts(numbers: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=count))])


def batch_of_one(cells: PlanarComplex) -> PlanarBatch:
    """A slice as a batch, which shares its arrays."""
    names = (
        "network vertices vertex_outputs cell_vertices cell_offsets edges edge_cells edge_op edge_unit interior_points "
        "measures codes tolerance decisions"
    )
    return PlanarBatch(
        slices=Slices((cells.domain,)),
        cell_starts=np.array([0, len(cells)]),
        vertex_starts=np.array([0, len(cells.vertices)]),
        edge_starts=np.array([0, len(cells.edges)]),
        truncated=np.array([cells.truncated]),
        **{name: getattr(cells, name) for name in names.split()},
    )
