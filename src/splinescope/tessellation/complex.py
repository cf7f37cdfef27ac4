"""What every polyhedral complex has: cells as rows of arrays, with patterns, affine maps and a certificate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from splinescope.network.graph import Network
from splinescope.network.ops import Maximum
from splinescope.numerics import Tolerance
from splinescope.tessellation.codes import Codes
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.resolved import resolved_cells

if TYPE_CHECKING:
    from splinescope.tessellation.affine import AffineMaps
    from splinescope.tessellation.certificate import Certificate, Topology


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
class PolyhedralComplex(ABC):
    """Convex cells that tile a domain, on each of which the network is affine.

    Coordinates are those of the domain. Cells are rows of arrays. What a complex has beyond this depends on its
    dimension: see `SegmentComplex`, `PlanarComplex` and `SpatialComplex`.

    Attributes:
        network: The network.
        domain: The domain, of dimension d.
        vertices: [V, d] coordinates.
        vertex_outputs: [V, n_out] outputs of the network, before its head, at the vertices.
        cell_vertices: [sum of corners] vertices of all cells, one cell after the other.
        cell_offsets: [F + 1] start of each cell in `cell_vertices`.
        interior_points: [F, d] a point in the interior of each cell.
        measures: [F] length, area or volume of each cell.
        codes: Patterns, bit by bit; `patterns` unpacks them.
        tolerance: What counted as zero.
        truncated: Whether cells are missing: a budget ended the work, or it was interrupted.
        decisions: How signs were decided.
        certificate: What was verified.
    """

    network: Network
    domain: Domain
    vertices: np.ndarray
    vertex_outputs: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    interior_points: np.ndarray
    measures: np.ndarray
    codes: tuple[Codes, ...]
    tolerance: Tolerance
    truncated: bool
    decisions: Decisions | None = None
    certificate: Certificate | None = None

    @property
    def dimension(self) -> int:
        """Dimension of the domain and of its cells."""
        return self.domain.dimension

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.measures)

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
        """[F, words] uint64 that differ between any two cells, the columns of the patterns that are not constant."""
        return np.concatenate([np.zeros((len(self), 0), np.uint64), *(codes.words for codes in self.codes)], axis=1)

    @property
    def resolved(self) -> Bool[np.ndarray, " F"]:
        """Whether float64 coordinates resolve a cell; roundings of its corners change less than all of its measure.

        Folds that meet in one point up to rounding, such as those of batch-norm without beta, enclose cells of 1e-16 of
        the domain. They are cells of the network as it is in float64, and kept; where they are not meant, count these.
        """
        return resolved_cells(self.vertices, self.cell_vertices, self.cell_offsets, self.measures)

    @property
    @abstractmethod
    def adjacency(self) -> csr_array:
        """[F, F] symmetric boolean matrix of the dual graph; nodes are cells, edges are common facets."""

    @abstractmethod
    def affine_maps(self, space: str = "domain") -> AffineMaps:
        """The affine map of each cell, in the domain's coordinates ("domain") or of the input itself ("input")."""

    @abstractmethod
    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given in the domain's coordinates as [n, d]; -1 outside."""

    @abstractmethod
    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at its interior point, from the outputs at its vertices."""

    @abstractmethod
    def check_topology(self) -> Topology:
        """Check all that needs no network; raises `CertificateError` at the first thing that is wrong."""
