"""Zeros that are proved: values at vertices that are exactly 0.0 are zero, and nothing else is.

Dead units, sums of nothing but clamped terms and pools of them are zero on whole cells. Float64 gives 0.0 there, but
also where terms cancel or underflow. These others are replaced by the least positive number, which no float64 decision
takes for more than it is: it is nearer to zero than any rounding error.
"""

from __future__ import annotations

import numpy as np
import torch

from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.network.ops import Activation, Affine, Op, Sum


def mark_unproved(op: Op, inputs: list[torch.Tensor], out: np.ndarray) -> None:
    """Replace the zeros in a block of rows that do not follow from zeros of the inputs, in place.

    Args:
        op: The op.
        inputs: Its inputs, whose zeros are proved.
        out: [k, n] its value there.
    """
    zero = out == 0.0
    if not zero.any():
        return
    if isinstance(op, Affine):
        rows = np.flatnonzero(zero.any(axis=1))
        there = torch.from_numpy(rows)
        terms = op.magnitude((inputs[0][there] != 0).to(torch.float64)).reshape(len(rows), -1).numpy()
        out[rows] = np.where(zero[rows] & (terms != 0), UNPROVED, out[rows])
    elif isinstance(op, Sum):
        terms = np.zeros(zero.shape, bool)
        for coefficient, x in zip(op.coefficients, inputs, strict=True):
            terms |= (x.reshape(len(x), -1).numpy() != 0) & (float(coefficient) != 0)
        out[zero & terms] = UNPROVED
    elif isinstance(op, Activation) and not op.is_relu:
        x = inputs[0].reshape(len(out), -1)
        piece, rows, units = op.pieces(x).numpy(), *np.nonzero(zero)
        slopes, intercepts = op.slopes.numpy(), op.intercepts.numpy()
        at = (piece[rows, units],) if slopes.ndim == 1 else (piece[rows, units], units)
        proved = (intercepts[at] == 0) & ((slopes[at] == 0) | (x.numpy()[rows, units] == 0))
        out[rows[~proved], units[~proved]] = UNPROVED
