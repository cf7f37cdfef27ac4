"""Exact extrema along segments: an affine function attains them at the ends of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.margins import worst_vertices


@dataclass(frozen=True)
class SegmentExtrema(Shown):
    """Least and largest values along segments, before the network's head.

    Attributes:
        minimum: [S, k] least values.
        maximum: [S, k] largest values.
        minimizers: [S, k] parameters t of the least values.
        maximizers: [S, k] parameters t of the largest values.
    """

    minimum: Float[np.ndarray, "S k"]
    maximum: Float[np.ndarray, "S k"]
    minimizers: Float[np.ndarray, "S k"]
    maximizers: Float[np.ndarray, "S k"]


def extrema(cells: SegmentComplex | SegmentBatch, functionals: ArrayLike | None = None) -> SegmentExtrema:
    """Exact minimum and maximum of every output, or of linear functionals of the outputs, over segments.

    Args:
        cells: The cells of one segment or of many.
        functionals: [k, n_out] weights of the outputs; the outputs themselves if None.

    Returns:
        The extrema. Where a segment is truncated they are those of its covered part.

    Raises:
        InvalidInputError: If the weights don't fit the outputs.

    Cost: vertices x outputs, and as much for each functional.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> found = extrema(cells)
        >>> found.minimum.tolist(), found.maximum.tolist()
        ([[0.0, 0.0]], [[3.0, 2.0]])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    values = batch.vertex_outputs
    if functionals is not None:
        weights = finite("functionals", functionals)
        if weights.ndim != 2 or weights.shape[1] != values.shape[1]:
            raise InvalidInputError(f"`functionals`: got shape {weights.shape}; expected [k, {values.shape[1]}]")
        values = values @ weights.T
    low = np.stack([worst_vertices(batch, column) for column in values.T], axis=1)
    high = np.stack([worst_vertices(batch, -column) for column in values.T], axis=1)
    columns = np.arange(values.shape[1])
    return SegmentExtrema(values[low, columns], values[high, columns], batch.t[low], batch.t[high])
