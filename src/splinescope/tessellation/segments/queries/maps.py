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
    constants = cells.interior_outputs()[chosen] - slopes * cells.interior_points[chosen]
    vague = np.flatnonzero(_vague(cells)[chosen])
    if len(vague):
        exact = branch_maps(cells, space, chosen[vague])
        slopes[vague], constants[vague] = exact.A[:, :, 0], exact.c
    return AffineMaps(slopes[:, :, None], constants, "domain")


def _vague(cells: SegmentComplex) -> np.ndarray:
    """[cells] whether the slope of some output is not known from values at the ends.

    These are off by roundings, and by the steeper of the slopes beside them times those of their places.
    """
    steps, lengths = np.abs(np.diff(cells.vertex_outputs, axis=0)), cells.measures[:, None]
    slopes = np.pad(steps / lengths, ((1, 1), (0, 0)))
    values = 16 * UNIT_ROUNDOFF * np.abs(cells.vertex_outputs).max(axis=0)
    errors = values + UNIT_ROUNDOFF * np.maximum(slopes[1:], slopes[:-1])
    return np.asarray((np.maximum(errors[1:], errors[:-1]) > GRADIENT_ACCURACY * steps).any(axis=1))
