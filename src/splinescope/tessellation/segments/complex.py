"""The cells of a network along one segment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import Facets, VertexComplex
from splinescope.tessellation.domains import Segment
from splinescope.tessellation.queries import ask
from splinescope.tessellation.results import AffineMaps

if TYPE_CHECKING:
    from splinescope.tessellation.certificate.record import Topology


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SegmentComplex(VertexComplex):
    """The cells of a network along a segment: intervals of its parameter, with the units that flip between them.

    Cell `i` lies between the vertices `i` and `i + 1`, which are in ascending order. The vertices inside are the
    breakpoints of the network along the segment. Interior points are midpoints, and measures are lengths in t.

    Attributes:
        flip_offsets: [V + 1] units that flip at vertex `i` are the entries `flip_offsets[i]:flip_offsets[i + 1]`; none
            at the ends.
        flip_op: [N] node of each of these units, an index into `network.nodes`.
        flip_unit: [N] the unit, as a flat index into that node's output.
    """

    domain: Segment
    flip_offsets: Int[np.ndarray, " _"]
    flip_op: Int[np.ndarray, " flips"]
    flip_unit: Int[np.ndarray, " flips"]

    def _counts(self) -> str:
        return f"{len(self)} cells, {len(self.flip_op)} flips"

    @property
    def t(self) -> Float[np.ndarray, " vertices"]:
        """Parameters of all vertices, from 0 to 1 (less if `truncated`)."""
        return self.vertices[:, 0]

    @property
    def breakpoints(self) -> Float[np.ndarray, " breakpoints"]:
        """Parameters at which units flip, those of all vertices but the ends."""
        return self.vertices[1:-1, 0]

    @property
    def covered(self) -> tuple[float, float]:
        """The interval of t that the cells fill; (0, 1) unless `truncated`."""
        return float(self.vertices[0, 0]), float(self.vertices[-1, 0])

    @cached_property
    def facets(self) -> Facets:
        """The breakpoints, one entry for each unit that flips, which can be several at one vertex."""
        vertex = np.repeat(np.arange(len(self.vertices)), np.diff(self.flip_offsets)).astype(np.int64)
        pairs = np.column_stack([vertex - 1, vertex])
        parts = (self.flip_op.astype(np.int64), self.flip_unit.astype(np.int64))
        return Facets(vertex, pairs, *parts, len(self.vertices), np.unique([0, len(self) - 1]))

    def halfspaces(self, cell: SupportsIndex) -> Float[np.ndarray, "2 2"]:
        """Rows `(n, b)` of one cell: see `PolyhedralComplex.halfspaces`."""
        at = self.number_of(cell)
        return np.array([[-1.0, self.t[at]], [1.0, -self.t[at + 1]]])

    @cached_property
    def batch(self) -> Any:
        """The segment as a batch of one, for the queries."""
        return ask("tessellation.segments.batch", "batch_of_one")(self)

    def affine_maps(self, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
        """The affine map of each cell, as a function of t ("domain") or of the input itself ("input")."""
        maps: AffineMaps = ask("tessellation.segments.queries.maps", "affine_maps")(self, space, which)
        return maps

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given by t as [n, 1] or [n]; a breakpoint belongs to the cell after it."""
        positions = np.asarray(points, dtype=np.float64)
        if positions.ndim == 2 and positions.shape[1] == 1:
            positions = positions[:, 0]
        if positions.ndim != 1:
            raise InvalidInputError(f"`points`: got shape {positions.shape}; expected [n, 1] or [n] parameters")
        low, high = self.covered
        cells = np.minimum(np.searchsorted(self.t, positions, side="right") - 1, len(self) - 1)
        return np.where((positions >= low) & (positions <= high), cells, -1)

    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at its midpoint: the mean of the outputs at its ends."""
        return 0.5 * (self.vertex_outputs[:-1] + self.vertex_outputs[1:])

    def check_topology(self) -> Topology:
        """Lengths, order, ends, middles and flips; raises `CertificateError` if one is wrong."""
        found: Topology = ask("tessellation.segments.topology", "check_segment")(self)
        return found
