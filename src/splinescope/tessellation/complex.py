"""What every polyhedral complex has, of whatever dimension and with vertices or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import csr_array

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.shown import Shown
from splinescope.tessellation.cell import Cell
from splinescope.tessellation.codes import Codes, pieces_by_node
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.queries import Queries
from splinescope.tessellation.resolved import resolved_cells
from splinescope.tessellation.results import AffineMaps

if TYPE_CHECKING:
    from splinescope.tessellation.certificate.record import Certificate, Topology


@dataclass(frozen=True)
class Facets(Shown):
    """Facets between two cells, with what made them: breakpoints on a line, edges in a plane, polygons in space.

    Attributes:
        numbers: [M] index of each in the complex: of a vertex of a segment, an edge, a facet; ascending.
        cells: [M, 2] the two cells of each.
        ops: [M] node of the network whose fold made it.
        units: [M] flat index of the unit in that node's output.
        total: Number of facets of the complex, those on the boundary of the domain among them.
        outer: Cells that have a facet on the boundary of the domain, or of what was explored, ascending.
    """

    numbers: Int[np.ndarray, " M"]
    cells: Int[np.ndarray, "M 2"]
    ops: Int[np.ndarray, " M"]
    units: Int[np.ndarray, " M"]
    total: int
    outer: Int[np.ndarray, " cells"]

    def __len__(self) -> int:
        return len(self.numbers)


def facets_beside(cells: np.ndarray, ops: np.ndarray, units: np.ndarray) -> Facets:
    """The facets of a complex that lists the cells on both sides of each.

    Args:
        cells: [M, 2] cells, -1 outside.
        ops: [M] node that made each.
        units: [M] its unit.

    Returns:
        Those between two cells.
    """
    within = (cells >= 0).all(axis=1)
    inner = np.flatnonzero(within)
    outer = np.unique(cells[~within].max(axis=1, initial=-1)).astype(np.int64)
    pairs, op, unit = (part[inner].astype(np.int64) for part in (cells, ops, units))
    return Facets(inner, pairs, op, unit, len(cells), outer)


def adjacency(pairs: Int[np.ndarray, "facets 2"], cells: int) -> csr_array:
    """Dual graph: which cells share a facet.

    Args:
        pairs: The two cells of each facet.
        cells: Number of cells.

    Returns:
        [cells, cells] symmetric boolean matrix in compressed sparse rows, with sorted indices.
    """
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    graph = csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(cells, cells))
    graph.sum_duplicates()
    return graph


@dataclass(frozen=True)
class Decisions:
    """How the signs of a tessellation were decided.

    Attributes:
        signs: Number of signs of units at vertices that the engine took.
        exact: Those among them that float64 could not tell, and exact arithmetic decided.
        undecided: Facts within rounding that float64 decided all the same, since exact arithmetic would have cost too
            much.
    """

    signs: int
    exact: int
    undecided: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class PolyhedralComplex(Queries, ABC):
    """Convex cells that fill a domain, on each of which the network is affine.

    Coordinates are those of the domain. Cells are rows of arrays; `cells[i]` is one of them with all that is known of
    it. Up to four dimensions a complex has vertices (`VertexComplex`); a `RegionGraph` of any dimension has none.

    Attributes:
        network: The network.
        domain: The domain, of dimension d.
        interior_points: [F, d] a point in the interior of each cell.
        tolerance: What counted as zero.
        certificate: What was verified.
        measures: [F] length, area or volume of each cell, in the domain's coordinates.
        truncated: Whether cells are missing: a budget ended the work, or it was interrupted.
        packed_patterns: [F, width] integers whose rows differ between any two cells.
    """

    network: Network
    domain: Domain
    interior_points: np.ndarray
    tolerance: Tolerance

    if TYPE_CHECKING:  # fields of some complexes, and properties of others

        @property
        def measures(self) -> np.ndarray:
            """See above."""

        @property
        def truncated(self) -> bool:
            """See above."""

        @property
        def certificate(self) -> Any:
            """See above."""

        @property
        def packed_patterns(self) -> np.ndarray:
            """See above."""

    @property
    def dimension(self) -> int:
        """Dimension of the domain and of its cells."""
        return self.domain.dimension

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.interior_points)

    def __getitem__(self, cell: SupportsIndex) -> Cell:
        """One cell, with its vertices, pattern, affine map and neighbours; negative numbers count from the end.

        Raises:
            IndexError: If there is no such cell.
        """
        at = index(cell)
        if not -len(self) <= at < len(self):
            raise IndexError(f"`cell`: got {at}; expected a number from {-len(self)} to {len(self) - 1}")
        return Cell(self, at % len(self))

    def __iter__(self) -> Iterator[Cell]:
        """The cells one by one; arrays of all of them are quicker."""
        return (Cell(self, number) for number in range(len(self)))

    @property
    @abstractmethod
    def patterns(self) -> UInt8[np.ndarray, "F U"]:
        """The piece that each unit is on in each cell, all units of all folding nodes in order.

        ReLU: 0 or 1 (active). Activations with several breakpoints: number of breakpoints below. Maxima: position of
        the largest member in its group, the first one where several are equal on the whole cell.
        """

    @property
    @abstractmethod
    def pattern_nodes(self) -> tuple[tuple[int, int, int], ...]:
        """(node, start, stop) of each activation or max node's units among the columns of `patterns`."""

    @abstractmethod
    def patterns_of(self, which: Int[np.ndarray, " some"]) -> UInt8[np.ndarray, "some U"]:
        """Patterns of some cells, without unpacking those of all.

        Args:
            which: Indices of the wanted cells.

        Returns:
            [some, units] pieces, in the order of `which`; see `patterns`.
        """

    @property
    @abstractmethod
    def facets(self) -> Facets:
        """The facets between cells; on a segment one for each unit that flips, which can be several at one vertex."""

    @cached_property
    def adjacency(self) -> csr_array:
        """[F, F] symmetric boolean matrix of the dual graph; nodes are cells, edges are common facets."""
        return adjacency(self.facets.cells, len(self))

    @abstractmethod
    def halfspaces(self, cell: SupportsIndex) -> Float[np.ndarray, "facets _"]:
        """Rows `(n, b)` of one cell, with unit outward normals: it is where `n @ t + b <= 0` for all of them.

        Args:
            cell: Its number.

        Returns:
            One row for each facet.

        Raises:
            InvalidInputError: If there is no such cell.
        """

    @abstractmethod
    def affine_maps(self, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
        """The affine map of each cell, in the domain's coordinates ("domain") or of the input itself ("input").

        Args:
            space: "domain" or "input".
            which: Indices of the wanted cells; all if None.

        Returns:
            The maps, in the order of `which`; see `splinescope.tessellation.affine`.
        """

    @abstractmethod
    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given in the domain's coordinates as [n, d]; -1 outside.

        Args:
            points: [n, d] points.

        Returns:
            [n] numbers of cells.
        """

    @abstractmethod
    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at its interior point."""

    def number_of(self, cell: SupportsIndex) -> int:
        """The number of a cell, if there is one.

        Args:
            cell: Its number.

        Returns:
            The same number, as an `int`.

        Raises:
            InvalidInputError: If there is none.
        """
        at = index(cell)
        if not 0 <= at < len(self):
            raise InvalidInputError(f"`cell`: got {at}; expected an index from 0 to {len(self) - 1}")
        return at


@dataclass(frozen=True, eq=False, kw_only=True)
class VertexComplex(PolyhedralComplex):
    """A complex with the vertices of its cells, of one to four dimensions.

    What it has beyond this depends on its dimension: see `SegmentComplex`, `PlanarComplex` and `SpatialComplex`.

    Attributes:
        vertices: [V, d] coordinates.
        vertex_outputs: [V, n_out] outputs of the network, before its head, at the vertices.
        cell_vertices: [sum of corners] vertices of all cells, one cell after the other.
        cell_offsets: [F + 1] start of each cell in `cell_vertices`.
        measures: [F] length, area or volume of each cell.
        codes: Patterns, bit by bit; `patterns` unpacks them.
        truncated: Whether cells are missing: a budget ended the work, or it was interrupted.
        decisions: How signs were decided.
        certificate: What was verified.
    """

    vertices: np.ndarray
    vertex_outputs: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    measures: np.ndarray
    codes: tuple[Codes, ...]
    truncated: bool
    decisions: Decisions | None = None
    certificate: Certificate | None = None

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not self.truncated

    def __repr__(self) -> str:
        """One line."""
        note = ", truncated" if self.truncated else ""
        level = self.certificate.level if self.certificate else "none"
        return f"{type(self).__name__}({self._counts()}, certificate {level!r}{note})"

    def _counts(self) -> str:
        """How many cells and faces there are, in words."""
        return f"{len(self)} cells, {len(self.vertices)} vertices"

    @cached_property
    def pattern_nodes(self) -> tuple[tuple[int, int, int], ...]:
        """(node, start, stop) of each activation or max node's units among the columns of `patterns`."""
        layout, start = [], 0
        for codes in self.codes:
            stop = start + self.network.nodes[codes.node].size
            layout.append((codes.node, start, stop))
            start = stop
        return tuple(layout)

    @property
    def patterns(self) -> UInt8[np.ndarray, "F U"]:
        """See `PolyhedralComplex.patterns`."""
        return self._joined(self.codes, len(self))

    def patterns_of(self, which: Int[np.ndarray, " some"]) -> UInt8[np.ndarray, "some U"]:
        """See `PolyhedralComplex.patterns_of`."""
        return self._joined(tuple(codes.taken(which) for codes in self.codes), len(which))

    def _joined(self, codes: tuple[Codes, ...], count: int) -> np.ndarray:
        nothing = np.zeros((count, 0), np.uint8)
        return np.concatenate([nothing, *pieces_by_node(self.network, codes).values()], axis=1)

    @property
    def packed_patterns(self) -> np.ndarray:
        """[F, words] uint64 that differ between any two cells, the columns of the patterns that are not constant."""
        return np.concatenate([np.zeros((len(self), 0), np.uint64), *(codes.words for codes in self.codes)], axis=1)

    @property
    def resolved(self) -> Bool[np.ndarray, " F"]:
        """Whether float64 coordinates resolve a cell; roundings of its corners change less than all of its measure.

        Folds that meet in one point up to rounding, such as those of batch-norm without beta, enclose cells of 1e-16 of
        the domain. They are cells of the network as it is in float64, and kept; where they are not meant, count these.
        """
        return resolved_cells(self.vertices, self.cell_vertices, self.cell_offsets, self.measures)

    def cell(self, cell: SupportsIndex) -> Float[np.ndarray, "k d"]:
        """[k, d] vertices of one cell; of a plane counter-clockwise, else in no particular order.

        Args:
            cell: Its number.

        Returns:
            A copy of these rows of `vertices`.
        """
        at = self.number_of(cell)
        return self.vertices[self.cell_vertices[self.cell_offsets[at] : self.cell_offsets[at + 1]]]

    @abstractmethod
    def check_topology(self) -> Topology:
        """Check all that needs no network; raises `CertificateError` at the first thing that is wrong."""
