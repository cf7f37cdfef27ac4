"""Decision boundaries and class regions: where which output is the largest, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.geometry.chains import join_segments
from splinescope.geometry.envelope import Envelope, upper_envelope
from splinescope.geometry.polygons import polygon_areas
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.metric import check_choice, isometry

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex


@dataclass(frozen=True)
class Polyline:
    """A maximal piece of a decision boundary between the same two classes.

    Attributes:
        points: Its corners in slice coordinates; the first is repeated at the end if it is closed.
        classes: The classes on its left and on its right.
        closed: Whether it is a closed curve.
    """

    points: Float[np.ndarray, "points 2"]
    classes: tuple[int, int]
    closed: bool


@dataclass(frozen=True)
class DecisionBoundary:
    """Where the predicted class changes, as segments; each is straight because it lies in one cell.

    Attributes:
        segments: Ends of each segment in slice coordinates.
        classes: Classes on the left and on the right of each segment, seen along it.
        cells: A cell whose closure holds the segment.
        ends: Names of the ends, by which segments join: the vertices `(low, high)` of the edge that the
            boundary crosses, twice the vertex through which it passes, (-1, -1) inside a cell, where three
            classes meet.
    """

    segments: Float[np.ndarray, "segments 2 2"]
    classes: Int[np.ndarray, "segments 2"]
    cells: Int[np.ndarray, " segments"]
    ends: Int[np.ndarray, "segments 2 2"]

    @property
    def lengths(self) -> Float[np.ndarray, " segments"]:
        """Lengths of the segments in slice coordinates."""
        steps = self.segments[:, 1] - self.segments[:, 0]
        return np.hypot(steps[:, 0], steps[:, 1])

    def polylines(self) -> tuple[Polyline, ...]:
        """Join the segments between the same two classes.

        Returns:
            The polylines. They end at the boundary of the domain and where three classes meet.
        """
        if not len(self.segments):
            return ()
        chains = join_segments(self._end_numbers())
        return tuple(self._polyline(chain) for chain in chains)

    def _end_numbers(self) -> np.ndarray:
        """Number the ends: one number per pair of classes and named end, one of its own for an unnamed end."""
        pairs = np.repeat(np.sort(self.classes, axis=1), 2, axis=0)
        names = self.ends.reshape(-1, 2)
        unnamed = names[:, 0] < 0
        own = np.where(unnamed, 1 + np.arange(len(names)), 0)
        _, numbers = np.unique(np.column_stack([pairs, names, own]), axis=0, return_inverse=True)
        return numbers.reshape(-1, 2).astype(np.int64)

    def _polyline(self, chain: np.ndarray) -> Polyline:
        rows = np.where(chain < 0, -1 - chain, chain)
        segments = self.segments[rows]
        segments[chain < 0] = segments[chain < 0][:, ::-1]
        points = np.concatenate([segments[:, 0], segments[-1:, 1]])
        ends = self.ends[rows]
        first, last = ends[0, int(chain[0] < 0)], ends[-1, int(chain[-1] >= 0)]
        closed = bool(len(rows) > 2 and first[0] >= 0 and (first == last).all())
        if closed:
            points[-1] = points[0]
        one, two = self.classes[rows[0]] if chain[0] >= 0 else self.classes[rows[0]][::-1]
        return Polyline(points, (int(one), int(two)), closed)


@dataclass(frozen=True)
class ClassRegions:
    """The slice cut into convex pieces on each of which one class is predicted.

    Attributes:
        points: Corners of the pieces in slice coordinates, counter-clockwise, one piece after the other.
        offsets: Where each piece starts in `points`; the last entry is its length.
        classes: Class of each piece.
        cells: Cell of which each is a piece.
    """

    points: Float[np.ndarray, "points 2"]
    offsets: Int[np.ndarray, " pieces_plus_one"]
    classes: Int[np.ndarray, " pieces"]
    cells: Int[np.ndarray, " pieces"]

    @property
    def areas(self) -> Float[np.ndarray, " pieces"]:
        """Areas of the pieces in slice coordinates."""
        return polygon_areas(self.points, np.arange(len(self.points), dtype=np.int32), self.offsets)


def decision_boundary(cells: PlanarComplex, classes: Sequence[int] | None = None) -> DecisionBoundary:
    r"""Exact decision boundary of a network in a slice.

    The class of $x$ is $\arg\max_k f_k(x)$, the lowest index where there are several. On each cell the
    outputs are affine, and the boundary is where their upper envelope bends. For a network with one output
    the class is 1 where $f > 0$ and 0 elsewhere. A softmax or sigmoid head does not move it.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None.

    Returns:
        The segments, with the classes of their sides. Values of outputs that agree to rounding count as
        equal, so that the boundary passes exactly through a vertex rather than beside it.

    Raises:
        InvalidInputError: If `classes` are not at least two different outputs.
    """
    envelope, labels = _envelope(cells, classes)
    return DecisionBoundary(
        envelope.segments, labels[envelope.segment_winners], envelope.segment_cells, envelope.segment_ends
    )


def class_regions(cells: PlanarComplex, classes: Sequence[int] | None = None) -> ClassRegions:
    """Exact regions of the classes, as convex pieces of cells.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None. See `decision_boundary`.

    Returns:
        The pieces: whole cells first, then pieces of cells that the boundary cuts.
    """
    envelope, labels = _envelope(cells, classes)
    whole = np.flatnonzero(envelope.winners >= 0)
    sizes = np.diff(cells.cell_offsets)
    sides = cells.cell_vertices[np.repeat(envelope.winners >= 0, sizes)]
    offsets = np.concatenate([[0], np.cumsum(sizes[whole])])
    return ClassRegions(
        np.concatenate([cells.vertices[sides], envelope.piece_points]),
        np.concatenate([offsets, offsets[-1] + envelope.piece_offsets[1:]]),
        labels[np.concatenate([envelope.winners[whole], envelope.piece_winners])],
        np.concatenate([whole, envelope.piece_cells]),
    )


def class_areas(
    cells: PlanarComplex, classes: Sequence[int] | None = None, space: str = "domain"
) -> Float[np.ndarray, " classes"]:
    """Exact area of each class in the slice; together they fill it.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None. See `decision_boundary`.
        space: "domain" for areas in slice coordinates, "input" for areas in the metric of the input space.

    Returns:
        Area of class `k` at index `k`, 0 for outputs that do not compete. A network with one output has two
        classes.
    """
    check_choice("space", space, ("domain", "input"))
    regions = class_regions(cells, classes)
    outputs = max(2, cells.vertex_outputs.shape[1])
    areas = np.bincount(regions.classes, weights=regions.areas, minlength=outputs)
    return areas if space == "domain" else areas * float(np.linalg.det(isometry(cells)))


def cell_classes(cells: PlanarComplex, classes: Sequence[int] | None = None) -> Int[np.ndarray, " cells"]:
    """Class with the largest area in each cell.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None. See `decision_boundary`.

    Returns:
        One class per cell.
    """
    regions = class_regions(cells, classes)
    order = np.argsort(regions.areas, kind="stable")
    labels = np.empty(len(cells), dtype=np.int64)
    labels[regions.cells[order]] = regions.classes[order]
    return labels


def _envelope(cells: PlanarComplex, classes: Sequence[int] | None) -> tuple[Envelope, np.ndarray]:
    """Upper envelope of the competing outputs, and the class of each of them."""
    values, labels = _competitors(cells, classes)
    resolution = 64 * UNIT_ROUNDOFF * float(np.abs(values).max(initial=0.0))
    family = (cells.vertices, cells.cell_vertices, cells.cell_offsets, cells.edges, cells.edge_cells)
    return upper_envelope(*family, values, resolution), labels


def _competitors(cells: PlanarComplex, classes: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
    outputs = cells.vertex_outputs
    if outputs.shape[1] == 1:
        if classes is not None and sorted(classes) != [0, 1]:
            raise InvalidInputError(
                f"`classes`: got {list(classes)}; a network with one output has the classes 0 and 1"
            )
        return np.hstack([np.zeros_like(outputs), outputs]), np.arange(2)
    if classes is None:
        return outputs, np.arange(outputs.shape[1])
    labels = np.unique(np.asarray(classes, dtype=np.int64))
    if len(labels) < 2 or len(labels) < len(classes) or labels[0] < 0 or labels[-1] >= outputs.shape[1]:
        raise InvalidInputError(
            f"`classes`: got {list(classes)}; expected at least two different outputs from 0 to {outputs.shape[1] - 1}"
        )
    return outputs[:, labels], labels
