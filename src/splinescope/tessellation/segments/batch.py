"""The cells of a network along many segments at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from splinescope.geometry.bits import unpack
from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.shown import Shown
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Segment
from splinescope.tessellation.queries import Explorable, ask
from splinescope.tessellation.resolved import resolved_cells
from splinescope.tessellation.segments.assembly import FinishedSegments
from splinescope.tessellation.segments.codes import FlipCodes
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.embedding import embedded
from splinescope.tessellation.segments.kernels.lists import chosen_entries, chosen_offsets

if TYPE_CHECKING:
    from splinescope.tessellation.certificate.record import Certificate


@dataclass(frozen=True, eq=False)
class Segments(Shown):
    """Several segments between inputs of one shape: segment `s` is `starts[s] + t (ends[s] - starts[s])`.

    Attributes:
        starts: [S, *input_shape] their starts.
        ends: [S, *input_shape] their ends.
    """

    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size(self) -> float:
        """1, the length of the interval of `t`."""
        return 1.0

    @property
    def lengths(self) -> Float[np.ndarray, " S"]:
        """Euclidean length of each in the input space."""
        return np.linalg.norm((self.ends - self.starts).reshape(len(self), -1), axis=1)

    @property
    def corners(self) -> Float[np.ndarray, "corners 2"]:
        """[2S, 2] the ends as pairs of a segment and its parameter."""
        number = np.repeat(np.arange(len(self), dtype=np.float64), 2)
        return np.column_stack([number, np.tile([0.0, 1.0], len(self))])

    def embed(self, coordinates: Float[np.ndarray, "n 2"]) -> np.ndarray:
        """Inputs at pairs (segment, t): [n, 2] to [n, *input_shape]; both ends are met exactly.

        Args:
            coordinates: [n, 2] number of the segment and t from 0 to 1.

        Returns:
            [n, *input_shape] inputs.
        """
        which, t = coordinates[:, 0].astype(np.int64), np.ascontiguousarray(coordinates[:, 1])
        starts, ends = (points.reshape(len(self), -1) for points in (self.starts, self.ends))
        return embedded(starts, ends, which, t).reshape(-1, *self.starts.shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SegmentBatch(Explorable):
    """The cells of a network along many segments, as flat arrays over all of them; item `s` is a `SegmentComplex`.

    Segment `s` has the vertices `offsets[s]:offsets[s + 1]`, in ascending order of t; its cells lie between them, so
    that the first one has the number `offsets[s] - s` among all cells.

    Attributes:
        network: The network.
        domain: The segments.
        offsets: [S + 1] first vertex of each segment.
        t: [V] parameters of the vertices.
        vertex_outputs: [V, n_out] outputs of the network, before its head, at the vertices.
        flip_offsets: [V + 1] units that flip at vertex `i` are the entries `flip_offsets[i]:flip_offsets[i + 1]`.
        flip_op: [N] node of each of these units, an index into `network.nodes`.
        flip_unit: [N] the unit, as a flat index into that node's output.
        codes: Patterns, bit by bit.
        tolerance: What counted as zero.
        truncated: [S] whether the cells of a segment end before t = 1, because of a budget.
        decisions: How signs were decided, on all segments that were taken together.
        certificate: What was verified, about all segments together.
    """

    network: Network
    domain: Segments
    offsets: Int[np.ndarray, " _"]
    t: Float[np.ndarray, " V"]
    vertex_outputs: Float[np.ndarray, "V n_out"]
    flip_offsets: Int[np.ndarray, " _"]
    flip_op: Int[np.ndarray, " N"]
    flip_unit: Int[np.ndarray, " N"]
    codes: tuple[FlipCodes, ...]
    tolerance: Tolerance
    truncated: Bool[np.ndarray, " S"]
    decisions: Decisions | None = None
    certificate: Certificate | None = None

    def __len__(self) -> int:
        """Number of segments."""
        return len(self.domain)

    def __repr__(self) -> str:
        """One line."""
        note = f", {int(self.truncated.sum())} truncated" if self.truncated.any() else ""
        level = self.certificate.level if self.certificate else "none"
        cells = f"{int(self.cells_per_segment.sum())} cells"
        return f"SegmentBatch({len(self)} segments, {cells}, certificate {level!r}{note})"

    @overload
    def __getitem__(self, which: int) -> SegmentComplex: ...
    @overload
    def __getitem__(self, which: slice) -> list[SegmentComplex]: ...
    def __getitem__(self, which: int | slice) -> SegmentComplex | list[SegmentComplex]:
        """One segment, or a list of some; the certificate of each is that of the batch."""
        numbers = range(len(self))[which]
        if isinstance(numbers, int):
            return _segment(self, numbers)
        return [_segment(self, number) for number in numbers]

    def __iter__(self) -> Iterator[SegmentComplex]:
        """The segments one by one."""
        return (_segment(self, number) for number in range(len(self)))

    def select(self, which: ArrayLike) -> SegmentBatch:
        """The batch of some of the segments, in the order given.

        Args:
            which: Indices of segments, or a mask.

        Returns:
            A batch of copies.
        """
        segments = np.arange(len(self))[np.asarray(which)]
        vertices = chosen_entries(self.offsets, segments)
        flips = chosen_entries(self.flip_offsets, vertices)
        return replace(
            self,
            domain=Segments(self.domain.starts[segments], self.domain.ends[segments]),
            offsets=chosen_offsets(self.offsets, segments),
            t=self.t[vertices],
            vertex_outputs=self.vertex_outputs[vertices],
            flip_offsets=chosen_offsets(self.flip_offsets, vertices),
            flip_op=self.flip_op[flips],
            flip_unit=self.flip_unit[flips],
            codes=tuple(codes.of_segments(segments) for codes in self.codes),
            truncated=self.truncated[segments],
        )

    def save(self, path: str | os.PathLike[str], *, with_network: bool = True) -> Path:
        """Write the batch to one `.npz` file, by default with its network; `splinescope.open` reads it.

        Args:
            path: File to write.
            with_network: Whether to keep the network in the file.

        Returns:
            The path.
        """
        written: Path = ask("tessellation.files", "save_complex")(self, path, with_network=with_network)
        return written

    @property
    def cells_per_segment(self) -> Int[np.ndarray, " S"]:
        """Number of cells of each segment."""
        return np.diff(self.offsets) - 1

    @property
    def cell_starts(self) -> Int[np.ndarray, " F"]:
        """Vertex at which each cell starts; it ends at the next one."""
        inner = np.ones(len(self.t), bool)
        inner[self.offsets[1:] - 1] = False
        return np.flatnonzero(inner)

    @property
    def cell_segments(self) -> Int[np.ndarray, " F"]:
        """Segment of each cell."""
        return np.repeat(np.arange(len(self)), self.cells_per_segment)

    @property
    def vertex_segments(self) -> Int[np.ndarray, " V"]:
        """Segment of each vertex."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def measures(self) -> Float[np.ndarray, " F"]:
        """Length of each cell in t."""
        starts = self.cell_starts
        return self.t[starts + 1] - self.t[starts]

    @property
    def resolved(self) -> Bool[np.ndarray, " F"]:
        """Whether float64 coordinates resolve a cell; see `PolyhedralComplex.resolved`."""
        starts = self.cell_starts
        corners = np.column_stack([starts, starts + 1]).ravel()
        return resolved_cells(self.t[:, None], corners, np.arange(0, len(corners) + 1, 2), self.measures)


def batch_of(
    finished: FinishedSegments, network: Network, domain: Segments, tolerance: Tolerance, decisions: Decisions
) -> SegmentBatch:
    """The batch of finished segments, without a certificate.

    Args:
        finished: All segments in order.
        network: The network.
        domain: The segments.
        tolerance: What was in doubt.
        decisions: How signs were decided.

    Returns:
        The batch.
    """
    nodes = [index for index, node in enumerate(network.nodes) if node.units]
    starts = finished.offsets - np.arange(len(finished.offsets))
    inner = np.ones(len(finished.t), bool)
    inner[finished.offsets[1:] - 1] = False
    first_vertex = np.flatnonzero(inner)
    codes = []
    for place, node in enumerate(nodes):
        chosen = finished.flip_nodes == place
        before = np.concatenate([[0], np.cumsum(chosen)])[finished.flip_offsets]
        offsets = np.append(before[first_vertex], before[-1])
        columns = network.nodes[node].columns
        codes.append(
            FlipCodes(
                node,
                _bits(finished.first[place][0], columns),
                finished.first[place],
                starts,
                offsets,
                finished.flip_columns[chosen],
            )
        )
    offsets, op, unit = _units(finished, network, nodes)
    return SegmentBatch(
        network=network,
        domain=domain,
        offsets=finished.offsets,
        t=finished.t,
        vertex_outputs=finished.outputs,
        flip_offsets=offsets,
        flip_op=op,
        flip_unit=unit,
        codes=tuple(codes),
        tolerance=tolerance,
        truncated=finished.t[finished.offsets[1:] - 1] < 1.0,
        decisions=decisions,
    )


def _bits(words: np.ndarray, columns: int) -> np.ndarray:
    return unpack(words[None], columns)[0]


def _units(finished: FinishedSegments, network: Network, nodes: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units that flip at each vertex: a unit of several bits only once."""
    sizes = np.array([network.nodes[node].size for node in nodes], np.int64)
    op = np.array(nodes, np.int64)[finished.flip_nodes]
    unit = finished.flip_columns % sizes[finished.flip_nodes]
    vertex = np.repeat(np.arange(len(finished.t)), np.diff(finished.flip_offsets))
    order = np.lexsort((unit, op, vertex))
    new = np.ones(len(order), bool)
    rows = np.column_stack([vertex, op, unit])[order]
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    rows = rows[new]
    counts = np.bincount(rows[:, 0], minlength=len(finished.t))
    return np.concatenate([[0], np.cumsum(counts)]), rows[:, 1], rows[:, 2]


def _segment(batch: SegmentBatch, number: int) -> SegmentComplex:
    """One segment of a batch."""
    rows = slice(int(batch.offsets[number]), int(batch.offsets[number + 1]))
    t = batch.t[rows]
    cells = len(t) - 1
    flips = batch.flip_offsets[rows.start : rows.stop + 1]
    return SegmentComplex(
        network=batch.network,
        domain=Segment(batch.domain.starts[number], batch.domain.ends[number]),
        vertices=t[:, None],
        vertex_outputs=batch.vertex_outputs[rows],
        cell_vertices=np.column_stack([np.arange(cells), np.arange(1, cells + 1)]).ravel(),
        cell_offsets=np.arange(0, 2 * cells + 1, 2),
        interior_points=0.5 * (t[:-1] + t[1:])[:, None],
        measures=np.diff(t),
        codes=tuple(codes.of_segments(np.array([number])) for codes in batch.codes),
        tolerance=batch.tolerance,
        truncated=bool(batch.truncated[number]),
        decisions=batch.decisions,
        certificate=batch.certificate,
        flip_offsets=flips - flips[0],
        flip_op=batch.flip_op[flips[0] : flips[-1]],
        flip_unit=batch.flip_unit[flips[0] : flips[-1]],
    )


def batch_of_one(cells: SegmentComplex) -> SegmentBatch:
    """A segment as a batch.

    Args:
        cells: Its complex.

    Returns:
        The batch, which shares its arrays.
    """
    domain = cells.domain
    return SegmentBatch(
        network=cells.network,
        domain=Segments(np.asarray(domain.a)[None], np.asarray(domain.b)[None]),
        offsets=np.array([0, len(cells.vertices)]),
        t=cells.t,
        vertex_outputs=cells.vertex_outputs,
        flip_offsets=cells.flip_offsets,
        flip_op=cells.flip_op,
        flip_unit=cells.flip_unit,
        codes=tuple(code for code in cells.codes if isinstance(code, FlipCodes)),
        tolerance=cells.tolerance,
        truncated=np.array([cells.truncated]),
        decisions=cells.decisions,
        certificate=cells.certificate,
    )
