"""The affine map of each cell of a segment."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.affine import GRADIENT_ACCURACY, AffineMaps, branch_maps
from splinescope.tessellation.metric import check_choice
from splinescope.tessellation.segments.complex import SegmentComplex


def affine_maps(
    cells: SegmentComplex, space: str = "domain", which: Int[np.ndarray, " some"] | None = None
) -> AffineMaps:
    r"""Affine map of the network on each cell of a segment.

    "domain": $f(a + t (b - a)) = A t + c$ with slopes from the outputs at the cell's ends; a cell too short for that is
    evaluated on its affine branch. "input": $f(x) = A x + c$ for the flat input, $A$ being the Jacobian on the cell, by
    one vector-Jacobian product per output.

    Args:
        cells: The cells of a segment.
        space: "domain" or "input".
        which: Indices of the wanted cells; all if None. The input space needs 8 x outputs x inputs bytes per cell.

    Returns:
        The maps, in the order of `which`; `A` is [cells, outputs, 1] or [cells, outputs, inputs].

    Raises:
        InvalidInputError: If `space` is neither.

    Cost: linear in the number of cells and outputs ("domain"), or one backward pass per cell and output ("input").

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> affine_maps(cells).A[:, :, 0].tolist()
        [[0.0, -4.0], [4.0, -4.0], [4.0, 0.0]]
    """
    check_choice("space", space, ("domain", "input"))
    chosen = np.arange(len(cells)) if which is None else np.asarray(which)
    if space == "input":
        return branch_maps(cells, space, chosen)
    slopes = (np.diff(cells.vertex_outputs, axis=0) / cells.measures[:, None])[chosen]
    thin = np.flatnonzero(_expected_errors(cells)[chosen] > GRADIENT_ACCURACY)
    if len(thin):
        slopes[thin] = branch_maps(cells, space, chosen[thin]).A[:, :, 0]
    middles = cells.interior_points[chosen]
    return AffineMaps(slopes[:, :, None], cells.interior_outputs()[chosen] - slopes * middles, "domain")


def _expected_errors(cells: SegmentComplex) -> np.ndarray:
    """Expected error of each difference quotient, relative to the mean slope along the segment."""
    steps = np.abs(np.diff(cells.vertex_outputs, axis=0)).max(axis=1)
    mean = float(steps.sum()) / float(cells.measures.sum())
    if mean == 0.0:
        return np.zeros(len(cells))
    values = 16 * UNIT_ROUNDOFF * float(np.abs(cells.vertex_outputs).max())
    error = values + mean * UNIT_ROUNDOFF
    return np.asarray(error / (mean * cells.measures))
