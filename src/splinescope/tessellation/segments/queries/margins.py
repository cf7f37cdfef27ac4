r"""Margins and cross-entropy along segments: their worst values, proved at finitely many points.

On a cell of a segment all outputs are affine in t. So the margin $f_y - \max_{j \ne y} f_j$ is concave there, and its
minimum over the cell is at one of its ends; cross-entropy $\log \sum_j e^{f_j} - f_y$ is convex there, and its maximum
is at one of its ends. Over a segment both are attained at vertices, and no sampling can miss anything between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp

from splinescope.shown import Shown
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.classes import Classes, checked_targets, competitors


@dataclass(frozen=True)
class Margins(Shown):
    """Margins of one class against all others.

    Attributes:
        targets: [S] the class.
        minimum: [S] least margin over the segment; negative if another class takes the lead somewhere.
        t: [S] where it is attained, the first place if there are several.
        rivals: [S] the class that comes nearest there.
        at_vertices: [V] margin at each vertex.
        on_cells: [F] least margin over each cell.
    """

    targets: Int[np.ndarray, " S"]
    minimum: Float[np.ndarray, " S"]
    t: Float[np.ndarray, " S"]
    rivals: Int[np.ndarray, " S"]
    at_vertices: Float[np.ndarray, " V"]
    on_cells: Float[np.ndarray, " F"]

    @property
    def keeps(self) -> Bool[np.ndarray, " S"]:
        """Whether the class leads strictly on the whole segment."""
        return self.minimum > 0


@dataclass(frozen=True)
class CrossEntropy(Shown):
    """Cross-entropy in nats, of the softmax of the outputs before the network's head.

    Attributes:
        targets: [S] the class.
        maximum: [S] largest value over the segment.
        t: [S] where it is attained.
        at_vertices: [V] value at each vertex.
    """

    targets: Int[np.ndarray, " S"]
    maximum: Float[np.ndarray, " S"]
    t: Float[np.ndarray, " S"]
    at_vertices: Float[np.ndarray, " V"]


def margins(cells: SegmentComplex | SegmentBatch, targets: Classes) -> Margins:
    r"""Least margin of a class along segments, $\min_t f_y(t) - \max_{j \ne y} f_j(t)$.

    Args:
        cells: The cells of one segment or of many.
        targets: The class of all segments, or of each. A network with one output has the classes 0 and 1, by its sign.

    Returns:
        The margins, before the network's head. Where a segment is truncated they are those of its covered part.

    Raises:
        InvalidInputError: If there are no such classes.

    Cost: vertices x outputs; margins are concave on cells, so that the least one is at a vertex.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> found = margins(cells, 0)
        >>> found.minimum.tolist(), found.t.tolist(), found.rivals.tolist()
        ([-2.0], [0.0], [1])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    wanted, values, rows = checked_targets(batch, targets), competitors(batch), np.arange(len(batch.t))
    at_vertex = wanted[batch.vertex_segments]
    others = values.copy()
    others[rows, at_vertex] = -np.inf
    rivals = others.argmax(axis=1)
    margin = values[rows, at_vertex] - others[rows, rivals]
    worst = worst_vertices(batch, margin)
    starts = batch.cell_starts
    on_cells = np.minimum(margin[starts], margin[starts + 1])
    return Margins(wanted, margin[worst], batch.t[worst], rivals[worst], margin, on_cells)


def cross_entropy(cells: SegmentComplex | SegmentBatch, targets: Classes) -> CrossEntropy:
    """Largest cross-entropy of a class along segments.

    Args:
        cells: The cells of one segment or of many.
        targets: The class of all segments, or of each. A network with one output has the classes 0 and 1: its output
            counts against 0.

    Returns:
        The maxima, in nats.

    Raises:
        InvalidInputError: If there are no such classes.

    Cost: vertices x outputs; the loss is convex on cells, so that the largest one is at a vertex.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> loss = cross_entropy(cells, 0)
        >>> loss.maximum.round(6).tolist(), round(float(np.log(1 + np.exp(2))), 6)
        ([2.126928], 2.126928)
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    wanted, values = checked_targets(batch, targets), competitors(batch)
    loss = logsumexp(values, axis=1) - values[np.arange(len(values)), wanted[batch.vertex_segments]]
    worst = worst_vertices(batch, -loss)
    return CrossEntropy(wanted, loss[worst], batch.t[worst], loss)


def worst_vertices(batch: SegmentBatch, values: Float[np.ndarray, " V"]) -> Int[np.ndarray, " S"]:
    """Vertex of each segment with the least value; the first one where there are several."""
    least = np.minimum.reduceat(values, batch.offsets[:-1])
    attained = np.flatnonzero(values == least[batch.vertex_segments])
    first = np.searchsorted(batch.vertex_segments[attained], np.arange(len(batch)))
    return attained[first]
