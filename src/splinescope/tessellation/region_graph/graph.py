"""Region graphs: the cells of a domain of any dimension by their half-spaces, and which of them are neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Float, Int, UInt8

from splinescope.errors import InvalidInputError
from splinescope.numerics import require
from splinescope.tessellation.complex import Facets, PolyhedralComplex
from splinescope.tessellation.domains.samples import excess
from splinescope.tessellation.queries import ask
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.keys import as_bytes
from splinescope.tessellation.results import AffineMaps

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.record import RegionCertificate

OUTSIDE, UNEXPLORED = -1, -2
"""What lies beyond a facet where it is no cell of the graph: nothing, or a cell that the search did not get to."""


@dataclass(frozen=True)
class Doubts:
    """What float64 could not tell apart, counted. All zero for a network in general position.

    Attributes:
        touching: Pairs of a cell and a fold that meets it in less than a facet, as far as can be told: folds through
            one point, or a fold through a corner of the domain.
        thin: Pairs of a cell and a fold that meets it in a facet narrower than it is known.
        undecided: Pairs of a cell and a fold for which the linear programs gave no answer.
        slivers: Cells met that are thinner than their folds are known; they are passed over, to the cell beyond.
        one_sided: Facets that only one of their two cells was found to have; the other was given it.
        exact: Cells that float64 left in doubt and rational arithmetic decided; of these nothing is in doubt any more.
        unsettled: Cells that float64 left in doubt and that are too dear for rational arithmetic.
    """

    touching: int = 0
    thin: int = 0
    undecided: int = 0
    slivers: int = 0
    one_sided: int = 0
    exact: int = 0
    unsettled: int = 0


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RegionGraph(PolyhedralComplex):
    r"""Cells of a domain of any dimension $d$, without vertices: half-spaces, facets and neighbours.

    Cell `i` has the facets `facet_offsets[i]:facet_offsets[i + 1]`, and is exactly the set where $n \cdot t + b \le 0$
    for each of their half-spaces. Every interior facet is listed twice, once for each of its cells. Coordinates are
    those of the domain. Cells are in the order in which a breadth-first search met them.

    Attributes:
        keys: [F, width] patterns, packed; `patterns` unpacks them.
        interior_points: [F, d] centre of a largest ball in each cell.
        chebyshev_radii: [F] its radius.
        facet_offsets: [F + 1] first facet of each cell.
        facet_op: [K] node of the network whose fold makes the facet, -1 on the boundary of the domain.
        facet_unit: [K] unit of that node (flat index into its output), -1 on the boundary.
        facet_neighbours: [K] cell beyond, -1 outside the domain, -2 if it was not explored.
        facet_halfspaces: [K, d + 1] unit outward normal and offset of each facet.
        facet_points: [K, d] a point in the relative interior of each facet.
        facet_uncertainties: [K] how well float64 knows the place of each facet.
        further_facets: [M] facets on which folds of several units coincide, once for each unit beyond the first.
        further_op: [M] that unit's node.
        further_unit: [M] that unit.
        complete: Whether all cells were found: the search ended with no facet left to cross. The dual graph of the
            cells of a convex domain is connected, so that none is missing.
        lower_bound: Number of cells that there are at least: those found, each with an interior point.
        upper_bound: Number of cells that there can be at most: those found if complete, else what follows from the
            number of units that may fold on the domain (see `upper_bound`).
        doubts: What could not be told apart.
        certificate: What was verified.
    """

    keys: np.ndarray
    chebyshev_radii: np.ndarray
    facet_offsets: np.ndarray
    facet_op: np.ndarray
    facet_unit: np.ndarray
    facet_neighbours: np.ndarray
    facet_halfspaces: np.ndarray
    facet_points: np.ndarray
    facet_uncertainties: np.ndarray
    further_facets: np.ndarray
    further_op: np.ndarray
    further_unit: np.ndarray
    complete: bool
    lower_bound: int
    upper_bound: int
    doubts: Doubts
    certificate: RegionCertificate | None = None

    def __repr__(self) -> str:
        """One line."""
        level = self.certificate.level if self.certificate else "none"
        count = f"{len(self)} cells" if self.complete else f"{len(self)} of at most {self.upper_bound} cells"
        return (
            f"RegionGraph({count} in {self.dimension} dimensions, mean degree {self.mean_degree:.2f}, "
            f"certificate {level!r})"
        )

    @property
    def truncated(self) -> bool:
        """Whether cells may be missing."""
        return not self.complete

    @cached_property
    def explorer(self) -> Explorer:
        """The rows and patterns of the network on this domain."""
        return Explorer.of(self.network, self.domain, self.tolerance)

    @property
    def patterns(self) -> UInt8[np.ndarray, "F U"]:
        """See `PolyhedralComplex.patterns`."""
        return self.explorer.keys.unpack(self.keys)

    def patterns_of(self, which: Int[np.ndarray, " some"]) -> UInt8[np.ndarray, "some U"]:
        """See `PolyhedralComplex.patterns_of`."""
        return self.explorer.keys.unpack(self.keys[which])

    @property
    def packed_patterns(self) -> np.ndarray:
        """[F, width] uint8 that differ between any two cells."""
        return self.keys

    @property
    def pattern_nodes(self) -> tuple[tuple[int, int, int], ...]:
        """(node, start, stop) of each folding node's units among the columns of `patterns`."""
        layout = self.explorer.layout
        starts = layout.column_starts.tolist()
        return tuple((folding.node, starts[k], starts[k + 1]) for k, folding in enumerate(layout.foldings))

    @cached_property
    def facet_cells(self) -> Int[np.ndarray, " K"]:
        """The cell of each facet."""
        return np.repeat(np.arange(len(self)), np.diff(self.facet_offsets))

    @cached_property
    def degrees(self) -> Int[np.ndarray, " F"]:
        """Number of neighbours of each cell in the domain, explored or not."""
        inner = self.facet_neighbours != OUTSIDE
        return np.bincount(self.facet_cells[inner], minlength=len(self)).astype(np.int64)

    @property
    def mean_degree(self) -> float:
        """Mean number of neighbours. For the whole of space it is at most `2 d`."""
        return float(self.degrees.mean()) if len(self) else 0.0

    @cached_property
    def facets(self) -> Facets:
        """The facets between two cells, each listed once, as the one of the cell with the smaller number."""
        owner, beyond = self.facet_cells, self.facet_neighbours
        inner = np.flatnonzero(beyond > owner)
        pairs = np.column_stack([owner, beyond])[inner].astype(np.int64)
        parts = (self.facet_op[inner].astype(np.int64), self.facet_unit[inner].astype(np.int64))
        return Facets(inner, pairs, *parts, len(self.facet_op), np.unique(owner[beyond < 0]))

    @cached_property
    def measures(self) -> Float[np.ndarray, " F"]:
        """[F] length, area or volume of each cell, by `region_graph.volumes.volumes`.

        Raises:
            InvalidInputError: In more than six dimensions.
        """
        found: np.ndarray = ask("tessellation.region_graph.volumes", "volumes")(self)
        return found

    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at its interior point."""
        maps = self.affine_maps()
        return maps.c + np.einsum("fki,fi->fk", maps.A, self.interior_points)

    def halfspaces(self, cell: SupportsIndex) -> Float[np.ndarray, "facets _"]:
        """Rows `(n, b)` of one cell: it is where `n @ t + b <= 0` for all of them, and none can be spared.

        Args:
            cell: Its index.

        Returns:
            One row for each facet, with unit outward normals.

        Raises:
            InvalidInputError: If there is no such cell.
        """
        at = self.number_of(cell)
        return self.facet_halfspaces[self.facet_offsets[at] : self.facet_offsets[at + 1]]

    @cached_property
    def _numbers(self) -> dict[bytes, int]:
        return {key: number for number, key in enumerate(as_bytes(self.keys))}

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, by its activation pattern.

        Args:
            points: [n, d] points in the domain's coordinates. A point on a fold is given to one of the cells there.

        Returns:
            Indices of cells; -1 outside the domain and in cells that were not explored.

        Raises:
            InvalidInputError: If the shape is another one.

        Cost: one forward pass with a tangent.
        """
        t = np.asarray(points, np.float64)
        if t.ndim != 2 or t.shape[1] != self.dimension:
            raise InvalidInputError(f"`points`: got the shape {t.shape}; expected [n, {self.dimension}]")
        inside = (excess(self.domain, t) <= self.explorer.sides).all(axis=1)
        # A direction into the domain from anywhere in it, which no fold contains but by accident.
        target = self.domain.centre + 0.1 * self._askew * self.domain.size / max(1, self.dimension)
        directions = target - t[inside]
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        keys = self.explorer.keys.pack(self.explorer.patterns_beyond(t[inside], directions))
        found = np.array([self._numbers.get(key, -1) for key in as_bytes(keys)], np.int64)
        if self.complete and self.explorer.rational.affordable:
            # A pattern that is no cell's is one that float64 could not tell, on a fold or near it.
            for at in np.flatnonzero(found < 0).tolist():
                pattern = self.explorer.pattern_exactly(t[inside][at], directions[at])
                found[at] = self._numbers.get(as_bytes(self.explorer.keys.pack(pattern[None]))[0], -1)
        out = np.full(len(t), -1)
        out[inside] = found
        return out

    @cached_property
    def _askew(self) -> np.ndarray:
        direction = np.random.default_rng(0).standard_normal(self.dimension)
        return direction / np.linalg.norm(direction)

    def affine_maps(self, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
        """The affine map of each cell, in the domain's coordinates ("domain") or of the input itself ("input")."""
        maps: AffineMaps = ask("tessellation.affine", "branch_maps")(self, space, which)
        return maps

    def to_networkx(self) -> Any:
        """The dual graph as a `networkx.Graph`: nodes with `point` and `radius`, edges with `op` and `unit`.

        Raises:
            MissingDependencyError: If networkx is not installed.
        """
        networkx = require("networkx", "graph", "the graph of cells as a networkx.Graph")
        graph = networkx.Graph()
        rows = zip(self.interior_points, self.chebyshev_radii.tolist(), strict=True)
        graph.add_nodes_from((cell, {"point": point, "radius": radius}) for cell, (point, radius) in enumerate(rows))
        inner = self.facet_neighbours >= 0
        columns = (self.facet_cells, self.facet_neighbours, self.facet_op, self.facet_unit)
        for cell, other, op, unit in zip(*(column[inner].tolist() for column in columns), strict=True):
            graph.add_edge(cell, other, op=op, unit=unit)
        return graph
