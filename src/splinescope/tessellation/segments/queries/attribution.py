"""Integrated gradients without quadrature: on each cell the gradient is constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import branch_gradients, chunk_length
from splinescope.tessellation.codes import pieces_by_node
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.classes import Classes


@dataclass(frozen=True)
class IntegratedGradients(Shown):
    """Attributions of the change of one output along segments to the coordinates of the input.

    Attributes:
        outputs: [S] the output of each segment, before the network's head.
        attributions: [S, *input_shape] share of each coordinate; they add up to the change of the output.
        completeness_error: [S] how far they are from that, by rounding.
    """

    outputs: Int[np.ndarray, " S"]
    attributions: Float[np.ndarray, "S ..."]
    completeness_error: Float[np.ndarray, " S"]


def integrated_gradients(cells: SegmentComplex | SegmentBatch, outputs: Classes) -> IntegratedGradients:
    r"""Exact integrated gradients $(b - a)_i \int_0^1 \partial_i f_y(a + t (b - a))\,dt$.

    The gradient is constant on each cell, so that the integral is a finite sum over cells of gradient times length.
    Source: Sundararajan, Taly, Yan (2017); the sum over cells is that of Sotoudeh and Thakur (2019).

    Args:
        cells: The cells of one segment or of many; the start is the baseline.
        outputs: The output to attribute for all segments, or for each.

    Returns:
        The attributions. Along a cell in a fold, on which some unit is zero throughout, a gradient is one-sided; the
        sum of the attributions is the same for each choice. Cost: one forward and one backward pass per cell.

    Raises:
        InvalidInputError: If there are no such outputs.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> abs(integrated_gradients(cells, 0).attributions).tolist()
        [[3.0, 0.0]]
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    chosen = _checked_outputs(batch, outputs)
    starts, segments, measures = batch.cell_starts, batch.cell_segments, batch.measures
    shape = batch.network.input_shape
    total = torch.zeros(len(batch), int(np.prod(shape, dtype=np.int64)), dtype=torch.float64)
    step = chunk_length(batch.network, 3)
    for low in range(0, len(starts), step):
        which = np.arange(low, min(low + step, len(starts)))
        gradients = _gradients(batch, which, chosen[segments[which]])
        weighted = gradients * torch.from_numpy(measures[which])[:, None]
        total.index_add_(0, torch.from_numpy(segments[which]), weighted)
    across = (batch.domain.ends - batch.domain.starts).reshape(len(batch), -1)
    attributions = total.numpy() * across
    first, last = batch.offsets[:-1], batch.offsets[1:] - 1
    rows = np.arange(len(batch))
    change = batch.vertex_outputs[last, chosen[rows]] - batch.vertex_outputs[first, chosen[rows]]
    error = np.abs(attributions.sum(axis=1) - change)
    return IntegratedGradients(chosen, attributions.reshape(len(batch), *shape), error)


def _checked_outputs(batch: SegmentBatch, outputs: Classes) -> np.ndarray:
    """One output for each segment."""
    given, number = np.asarray(outputs), batch.vertex_outputs.shape[1]
    if given.ndim > 1 or given.size not in (1, len(batch)) or given.dtype.kind not in "iu":
        raise InvalidInputError(f"`outputs`: got {outputs!r}; expected an output, or {len(batch)} of them")
    if given.min() < 0 or given.max() >= number:
        raise InvalidInputError(f"`outputs`: got {outputs!r}; expected outputs from 0 to {number - 1}")
    return np.broadcast_to(given.reshape(-1), (len(batch),)).astype(np.int64)


def _gradients(batch: SegmentBatch, which: np.ndarray, outputs: np.ndarray) -> Tensor:
    """[cells, inputs] gradient of one output of each cell's affine branch."""
    found = pieces_by_node(batch.network, (codes.taken(which) for codes in batch.codes))
    pieces = {node: torch.from_numpy(part) for node, part in found.items()}
    x = torch.zeros(len(which), *batch.network.input_shape, dtype=torch.float64)
    chosen = torch.nn.functional.one_hot(torch.from_numpy(outputs), batch.vertex_outputs.shape[1]).double()
    _, gradients = branch_gradients(batch.network, pieces, x, chosen[:, None])
    return gradients[:, 0]
