"""Decision boundaries and class regions: where which output is the largest, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.geometry.planar.envelope import Envelope, upper_envelope, whole_cells
from splinescope.geometry.planar.polygons import polygon_areas
from splinescope.geometry.surface.chains import join_segments
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.progress import Report
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.contest import competing
from splinescope.tessellation.exact_outputs import ExactOutputs
from splinescope.tessellation.metric import check_choice, isometry, plane_of
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.predicates import nearest
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.classes import ClassIntervals, class_intervals
from splinescope.tessellation.spatial.complex import SpatialComplex

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.decision import DecisionFacets
    from splinescope.tessellation.surface import SurfaceMesh


_ALIKE = 16.0
"""Ratio of values from which errors of the larger ones are none of the smaller ones' business."""

_TIE = 32 * UNIT_ROUNDOFF
"""What a value may be off for its size: it is in a tie with another up to the sum of theirs."""

_COARSE = 2.0**30
"""Differences on cells where the class changes are known to this share: they say where."""
_ROWS = 1 << 14
"""Vertices that are looked at together."""
_FEW = 1 << 25
"""Products of integers that exact values of these may take: some seconds."""


@dataclass(frozen=True)
class Polyline(Shown):
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
class DecisionBoundary(Shown):
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

    def __repr__(self) -> str:
        length, classes = self.lengths.sum(), len(np.unique(self.classes))
        return f"DecisionBoundary({len(self.segments)} segments between {classes} classes, length {length:.6g})"

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
class ClassRegions(Shown):
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


@overload
def decision_boundary(
    cells: PlanarComplex, classes: Sequence[int] | None = None, *, progress: bool | Report = False
) -> DecisionBoundary: ...
@overload
def decision_boundary(
    cells: SegmentComplex, classes: Sequence[int] | None = None, *, progress: bool | Report = False
) -> ClassIntervals: ...
@overload
def decision_boundary(
    cells: PolyhedralComplex, classes: Sequence[int] | None = None, *, progress: bool | Report = False
) -> DecisionBoundary | ClassIntervals | SurfaceMesh | DecisionFacets: ...


def decision_boundary(
    cells: PolyhedralComplex, classes: Sequence[int] | None = None, *, progress: bool | Report = False
) -> DecisionBoundary | ClassIntervals | SurfaceMesh | DecisionFacets:
    r"""Exact decision boundary of a network in a domain.

    The class of $x$ is $\arg\max_k f_k(x)$, the lowest index where there are several. On each cell the
    outputs are affine, and the boundary is where their upper envelope bends. For a network with one output
    the class is 1 where $f > 0$ and 0 elsewhere. A softmax or sigmoid head does not move it.

    Args:
        cells: A complex of any dimension, or a region graph.
        classes: Outputs that compete; all if None.
        progress: Where cells are searched anew, show a progress bar on long work, or a function of (share done, cells
            found); elsewhere the answer is there at once, and nothing is reported.

    Returns:
        In a plane the segments of the boundary, with the classes of their sides; values of outputs that agree to
        rounding count as equal, so that the boundary passes exactly through a vertex rather than beside it. On a
        segment the intervals of the classes, in three dimensions a surface (`decision_surface`; among three or more
        classes the network is cut anew), in more and for a region graph facets between the classes
        (`decision_facets`; cells are searched anew).

    Raises:
        InvalidInputError: If `classes` are not at least two different outputs, or cells of a graph are missing.

    Cost: cells x classes in a plane or on a segment, and a little more where classes meet; else that of the surface or
    the graph.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Slice.box([0, 0], [1, 1]))
        >>> decision_boundary(cells).segments.tolist()
        [[[1.0, 1.0], [0.0, 0.0]]]
    """
    if isinstance(cells, PlanarComplex):
        envelope, labels = _envelope(cells, classes)
        winners = labels[envelope.segment_winners]
        return DecisionBoundary(envelope.segments, winners, envelope.segment_cells, envelope.segment_ends)
    if isinstance(cells, SegmentComplex):
        return class_intervals(cells, classes)
    if isinstance(cells, SpatialComplex) and cells.dimension == 3:
        from splinescope.tessellation.surface.decision import decision_surface

        return decision_surface(cells, classes=classes, progress=progress)
    from splinescope.tessellation.region_graph.decision import decision_facets

    if cells.truncated:
        raise InvalidInputError("`cells`: cells are missing; expected all those of the domain; raise `max_cells`")
    return decision_facets(cells.network, cells.domain, classes=classes, tolerance=cells.tolerance, progress=progress)


def class_regions(cells: PolyhedralComplex, classes: Sequence[int] | None = None) -> ClassRegions:
    """Exact regions of the classes, as convex pieces of cells.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None. See `decision_boundary`.

    Returns:
        The pieces: whole cells first, then pieces of cells that the boundary cuts.

    Raises:
        InvalidInputError: If the complex is not of a plane, or `classes` are not at least two different outputs.

    Cost: cells x classes, plus for each cell that the boundary cuts the square of the number of classes on it.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> class_regions(cells).areas.round(12).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5]
    """
    plane = plane_of(cells, "regions of classes", "see `decision_boundary` for other dimensions")
    envelope, labels = _envelope(plane, classes)
    whole = np.flatnonzero(envelope.winners >= 0)
    sizes = np.diff(plane.cell_offsets)
    sides = plane.cell_vertices[np.repeat(envelope.winners >= 0, sizes)]
    offsets = np.concatenate([[0], np.cumsum(sizes[whole])])
    return ClassRegions(
        np.concatenate([plane.vertices[sides], envelope.piece_points]),
        np.concatenate([offsets, offsets[-1] + envelope.piece_offsets[1:]]),
        labels[np.concatenate([envelope.winners[whole], envelope.piece_winners])],
        np.concatenate([whole, envelope.piece_cells]),
    )


def class_areas(
    cells: PolyhedralComplex, classes: Sequence[int] | None = None, space: str = "domain"
) -> Float[np.ndarray, " classes"]:
    """Exact area of each class in the slice; together they fill it.

    Args:
        cells: A planar complex.
        classes: Outputs that compete; all if None. See `decision_boundary`.
        space: "domain" for areas in slice coordinates, "input" for areas in the metric of the input space.

    Returns:
        Area of class `k` at index `k`, 0 for outputs that do not compete. A network with one output has two
        classes.

    Raises:
        InvalidInputError: If the complex is not of a plane, or an argument makes no sense.

    Cost: that of `class_regions`.

    Example:
        The two outputs of a ReLU of the plane are equal where both inputs are negative, and there the first one counts:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> class_areas(cells).round(12).tolist()
        [2.5, 1.5]
    """
    check_choice("space", space, ("domain", "input"))
    regions = class_regions(cells, classes)
    outputs = max(2, int(np.prod(cells.network.output_shape, dtype=np.int64)))
    areas = np.bincount(regions.classes, weights=regions.areas, minlength=outputs)
    return areas if space == "domain" else areas * float(np.linalg.det(isometry(cells)))


def cell_classes(cells: PolyhedralComplex, classes: Sequence[int] | None = None) -> Int[np.ndarray, " cells"]:
    """One class for each cell: in a plane that with the largest area in it, else that of its interior point.

    Args:
        cells: A complex of any dimension, or a region graph.
        classes: Outputs that compete; all if None. See `decision_boundary`.

    Returns:
        One class per cell.

    Raises:
        InvalidInputError: If `classes` are not at least two different outputs.

    Cost: that of `class_regions` in a plane, else at most one forward pass per cell.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> cell_classes(cells).tolist()
        [1, 0, 0]
    """
    labels = competing(cells.network, classes)
    if isinstance(cells, SegmentComplex):
        intervals, middles = class_intervals(cells, classes), cells.interior_points[:, 0]
        behind, before = (np.searchsorted(intervals.start, middles, side) - 1 for side in ("right", "left"))
        return np.asarray(np.minimum(intervals.classes[behind], intervals.classes[np.maximum(before, 0)]))
    if not isinstance(cells, PlanarComplex):
        return labels[_contest(cells.interior_outputs(), labels).argmax(axis=1)]
    regions = class_regions(cells, classes)
    order = np.argsort(regions.areas, kind="stable")
    found = np.empty(len(cells), dtype=np.int64)
    found[regions.cells[order]] = regions.classes[order]
    return found


def _envelope(cells: PlanarComplex, classes: Sequence[int] | None) -> tuple[Envelope, np.ndarray]:
    """Upper envelope of the competing outputs, and the class of each of them."""
    labels = competing(cells.network, classes)
    values = _contest(cells.vertex_outputs, labels)
    errors = _settled(cells, values, labels)
    family = (cells.vertices, cells.cell_vertices, cells.cell_offsets, cells.edges, cells.edge_cells)
    return upper_envelope(*family, values, errors), labels


def _settled(cells: PlanarComplex, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[V, classes] what values may be off; where some are far smaller than elsewhere, those of a vertex become exact.

    Rounding errors of an output where it is large say nothing of it where it is small, and nothing of others. Where
    exact values take too long, they are within bounds of their own there.
    """
    single = cells.vertex_outputs.shape[1] == 1
    most = _TIE * np.maximum(values.max(axis=0, initial=0.0), -values.min(axis=0, initial=0.0))
    most = most[-1:].repeat(2) if single else most
    errors = np.tile(most, (len(values), 1))
    mixed = np.zeros(len(values), bool)
    parted = whole_cells(values, cells.cell_vertices, cells.cell_offsets, errors) < 0
    mixed[cells.cell_vertices[np.repeat(parted, np.diff(cells.cell_offsets))]] = True
    small = np.flatnonzero(_vague(values, most, np.where(mixed, _COARSE, 1.0)))
    if len(small):
        left = np.ones(len(small), bool)
        weights = np.eye(1) if single else np.eye(cells.vertex_outputs.shape[1])[labels]
        found = ExactOutputs(cells, _FEW).combined(small, weights, 0.0)
        for at, (vertex, exact) in enumerate(zip(small.tolist(), found, strict=True)):
            if exact is not None:
                values[vertex, -len(exact) :] = [nearest(number) for number in exact]
                errors[vertex] = _TIE * np.abs(values[vertex])
                left[at] = False
        if left.any():
            errors[small[left]] = np.minimum(errors[small[left]], _own_errors(cells, labels, small[left]))
    return errors


def _vague(values: np.ndarray, errors: np.ndarray, safety: np.ndarray) -> np.ndarray:
    """[V] whether errors of values where they are large leave too little of some difference where they are small.

    That is less than so many times what it may be off.
    """
    vague = np.zeros(len(values), bool)
    for start in range(0, len(values), _ROWS):
        some = values[start : start + _ROWS]
        order = np.argsort(some, axis=1)
        ranked, off = np.take_along_axis(some, order, axis=1), errors[order]
        gaps, ties = np.diff(ranked, axis=1), off[:, 1:] + off[:, :-1]
        own = np.maximum(np.abs(ranked[:, 1:]), np.abs(ranked[:, :-1]))
        close = (gaps > 0) & (gaps <= safety[start : start + _ROWS, None] * ties) & (2 * _ALIKE * _TIE * own <= ties)
        vague[start : start + _ROWS] = close.any(axis=1)
    return vague


def _own_errors(cells: PlanarComplex, labels: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """[k, classes] bounds of the errors of outputs at some vertices, for those of their places among others."""
    from splinescope.tessellation.certificate.heights import known_outputs, placement

    outputs, errors = known_outputs(cells, cells.vertices[vertices], placement(cells), pointwise=True)
    off = np.abs(outputs - cells.vertex_outputs[vertices]) + errors
    return np.nan_to_num(_contest(off, labels), nan=np.inf)


def _contest(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Values that compete: outputs, or a single one against zero."""
    return np.hstack([np.zeros_like(outputs), outputs]) if outputs.shape[1] == 1 else outputs[:, labels]
