"""Which output is the largest along segments, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.contest import competing
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.leading import leading

Classes: TypeAlias = int | Sequence[int] | np.ndarray
"""One class for all segments, or one for each."""


@dataclass(frozen=True)
class ClassIntervals(Shown):
    """Maximal intervals of t on which one class has the largest output, one row each.

    Attributes:
        offsets: [S + 1] rows of each segment.
        segments: Segment of each row.
        start: Where the interval starts.
        stop: Where it ends; the next one of the segment starts there.
        classes: The class.
        undecided: Cells, of all segments asked for, on which outputs that rounding hides count as equal, since exact
            arithmetic would have taken too long; none as a rule.
    """

    offsets: Int[np.ndarray, " _"]
    segments: Int[np.ndarray, " rows"]
    start: Float[np.ndarray, " rows"]
    stop: Float[np.ndarray, " rows"]
    classes: Int[np.ndarray, " rows"]
    undecided: int = 0

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def lengths(self) -> Float[np.ndarray, " rows"]:
        """Lengths of the intervals in t."""
        return self.stop - self.start

    def chosen(self, rows: Bool[np.ndarray, " rows"]) -> ClassIntervals:
        """Some of the rows.

        Args:
            rows: [rows] which of them.

        Returns:
            These rows, for the same segments.
        """
        counts = np.bincount(self.segments[rows], minlength=len(self.offsets) - 1)
        arrays = (self.segments[rows], self.start[rows], self.stop[rows], self.classes[rows])
        return ClassIntervals(np.concatenate([[0], np.cumsum(counts)]), *arrays, self.undecided)


def competitors(batch: SegmentBatch) -> np.ndarray:
    """[V, classes] values that compete at the vertices; one output is class 1 against the class 0, which is zero."""
    outputs = batch.vertex_outputs
    return np.hstack([np.zeros_like(outputs), outputs]) if outputs.shape[1] == 1 else outputs


def checked_targets(batch: SegmentBatch, targets: Classes) -> np.ndarray:
    """One class for each segment.

    Args:
        batch: The segments.
        targets: A class for all of them, or one for each.

    Returns:
        [S] classes.

    Raises:
        InvalidInputError: If there are no such classes, or as many of them as neither one nor the segments.
    """
    given, classes = np.asarray(targets), max(2, batch.vertex_outputs.shape[1])
    if given.ndim > 1 or given.size not in (1, len(batch)) or given.dtype.kind not in "iu":
        raise InvalidInputError(f"`targets`: got {targets!r}; expected a class, or {len(batch)} of them")
    if given.min() < 0 or given.max() >= classes:
        raise InvalidInputError(f"`targets`: got {targets!r}; expected classes from 0 to {classes - 1}")
    return np.broadcast_to(given.reshape(-1), (len(batch),)).astype(np.int64)


def class_intervals(cells: SegmentComplex | SegmentBatch, classes: Sequence[int] | None = None) -> ClassIntervals:
    """Cut segments where the class with the largest output changes.

    On a cell the outputs are affine and their maximum convex, so that the changes are crossings of lines: exact up to
    rounding, however short an interval is. Of outputs that are equal on a whole cell the first one counts, as with
    `argmax`. A network with one output has the classes 0 and 1, by its sign. What float64 does not tell apart, by a
    bound of each vertex' own rounding errors, is compared in exact arithmetic; where that takes too long (some
    seconds), it counts as equal, and `undecided` counts these cells.

    Args:
        cells: The cells of one segment or of many.
        classes: Classes that compete; all if None.

    Returns:
        The intervals, in order; together they fill every segment.

    Raises:
        InvalidInputError: If `classes` are not at least two different ones.

    Cost: cells x classes, and the square of the number of classes on cells where the class changes; where outputs come
    near to each other, a forward pass or two at the vertices, and exact forms on cells.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Segment([3.0, 0.0], [0.0, 1.0]))
        >>> class_intervals(cells).start.tolist(), class_intervals(cells).classes.tolist()
        ([0.0, 0.75], [0, 1])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    labels = competing(batch.network, classes)
    values = np.ascontiguousarray(competitors(batch)[:, labels])
    outputs = labels - 1 if batch.vertex_outputs.shape[1] == 1 else labels
    found, undecided = leading(batch, values, outputs)
    cell = np.repeat(np.arange(len(batch.t)), np.diff(found.raw.offsets))
    positions = batch.t[cell] + found.raw.fractions * (batch.t[cell + 1] - batch.t[cell])
    starts = batch.cell_starts
    before = np.concatenate([starts, cell])
    where = np.concatenate([batch.t[starts], np.minimum(positions, batch.t[cell + 1])])
    winners = labels[np.concatenate([found.first[starts, 0], found.raw.jumps]).astype(np.int64)]
    order = np.argsort(before, kind="stable")  # by cells, since several changes may have one place in float64
    segment = batch.vertex_segments[before[order]]
    merged = _merged(segment, where[order], winners[order], batch.t[batch.offsets[1:] - 1])
    return replace(merged, undecided=undecided)


def _merged(segment: np.ndarray, where: np.ndarray, classes: np.ndarray, ends: np.ndarray) -> ClassIntervals:
    """Neighbouring intervals of one class as one."""
    new = np.ones(len(where), bool)
    new[1:] = (np.diff(segment) != 0) | (np.diff(classes) != 0)
    segment, where, classes = segment[new], where[new], classes[new]
    stop = ends[segment].copy()
    following = np.flatnonzero(np.diff(segment) == 0)
    stop[following] = where[following + 1]
    counts = np.bincount(segment, minlength=len(ends))
    return ClassIntervals(np.concatenate([[0], np.cumsum(counts)]), segment, where, stop, classes)


def misclassified(cells: SegmentComplex | SegmentBatch, targets: Classes) -> ClassIntervals:
    """Intervals on which another class than the wanted one has the largest output.

    Args:
        cells: The cells of one segment or of many.
        targets: The wanted class of all segments, or of each.

    Returns:
        These intervals, one row for each class that takes the lead; none where a segment stays in its class.

    Raises:
        InvalidInputError: If there are no such classes.

    Cost: that of `class_intervals`.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> wrong = misclassified(cells, 0)
        >>> wrong.start.tolist(), wrong.stop.tolist(), wrong.classes.tolist()
        ([0.0], [0.375], [1])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    wanted = checked_targets(batch, targets)
    found = class_intervals(batch)
    return found.chosen(found.classes != wanted[found.segments])
