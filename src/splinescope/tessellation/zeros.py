"""Zeros that are proved: values at vertices that are exactly 0.0 are zero, and nothing else is.

Dead units, sums of nothing but clamped terms and pools of them are zero on whole cells. Float64 gives 0.0 there, but
also where terms cancel or underflow. These others are replaced by the least positive number, which no float64 decision
takes for more than it is: it is nearer to zero than any rounding error.
"""

from __future__ import annotations

import numpy as np
import torch

from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.network.graph import Network
from splinescope.network.ops import Fold, Op


def mark_unproved(op: Op, inputs: list[torch.Tensor], out: np.ndarray) -> None:
    """Replace the zeros in a block of rows that do not follow from zeros of the inputs, in place.

    Args:
        op: The op.
        inputs: Its inputs, whose zeros are proved.
        out: [k, n] its value there.
    """
    if not op.rounds:
        return
    zero = out == 0.0
    if not zero.any():
        return
    if isinstance(op, Fold):
        x = inputs[0].reshape(len(out), -1)
        row, unit = np.nonzero(zero)
        places, slopes, intercepts = (part[row, unit] for part in op.reads(op.pieces(x).numpy()))
        proved = (intercepts == 0) & ((slopes == 0) | (x.numpy()[row, places] == 0))
        out[row[~proved], unit[~proved]] = UNPROVED
    else:
        rows = np.flatnonzero(zero.any(axis=1))
        there = torch.from_numpy(rows)
        terms = op.magnitude(*((x[there] != 0).to(torch.float64) for x in inputs)).reshape(len(rows), -1).numpy()
        out[rows] = np.where(zero[rows] & (terms != 0), UNPROVED, out[rows])


def zeros_are_exact(network: Network, index: int) -> bool:
    """Whether a value of a node that is zero is so exactly: behind a ReLU, whose input has the sign of its unit.

    Args:
        network: The network.
        index: The node.

    Returns:
        Whether it is so.
    """
    node = network.nodes[index]
    if node.fold is not None and node.fold.elementwise:
        return node.fold.clamps
    return bool(node.inputs) and not node.op.rounds and all(zeros_are_exact(network, source) for source in node.inputs)
