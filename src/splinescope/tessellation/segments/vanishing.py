"""Units that are zero by their pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.tessellation.exact import Pieces


def vanishing(network: Network, node: int, cells: Sequence[Pieces]) -> np.ndarray:
    """Units that are zero on whole cells because all that they add up is, by the pattern of the activations before.

    Args:
        network: The network.
        node: The node.
        cells: Patterns.

    Returns:
        [cells, n] whether each unit is zero so.
    """
    here = network.nodes[node]
    if not here.inputs:
        return np.zeros((len(cells), here.size), bool)
    if here.fold is not None:
        reads = here.fold.reads(np.stack([cell[node] for cell in cells]))
        zero = (reads.slopes == 0) & (reads.intercepts == 0)
        if here.fold.elementwise:  # what it reads is seldom zero on a whole cell, and would be asked for layer by layer
            return zero
        (before,) = (vanishing(network, source, cells) for source in here.inputs)
        return zero | ((reads.intercepts == 0) & np.take_along_axis(before, reads.places, axis=1))
    present = [
        torch.from_numpy((~vanishing(network, source, cells)).astype(np.float64)).reshape(
            len(cells), *network.nodes[source].shape
        )
        for source in here.inputs
    ]
    with torch.no_grad():
        return np.asarray(here.op.magnitude(*present).reshape(len(cells), -1).numpy() == 0.0)
