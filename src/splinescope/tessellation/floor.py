"""What the work on cells is measured by: the network's own forward pass at one point of each."""

from __future__ import annotations

import time

import numpy as np
import torch

from splinescope.network.evaluate import walk
from splinescope.tessellation.complex import VertexComplex

_NUMBERS = 1 << 22
"""Numbers of the widest node that a pass which is measured may have: a tenth of a second of most networks."""


def forward_seconds(cells: VertexComplex) -> dict[str, float]:
    """Seconds that the network's forward pass in float64 takes at one point of each cell, node by node.

    So much it would cost to evaluate the network once in each cell, and no more is known of the cells then than these
    values. It is measured at as many cells as fit in a few megabytes, spread over the domain, and
    multiplied.

    Args:
        cells: The cells.

    Returns:
        Seconds by name of the node, in the order of the nodes.

    Cost: a forward pass at some hundreds of points, twice.

    Example:
        >>> import splinescope
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> list(forward_seconds(cells)) == [node.name for node in relu.nodes]
        True
    """
    network = cells.network
    count = max(1, min(len(cells), _NUMBERS // max(node.size for node in network.nodes)))
    chosen = np.linspace(0, len(cells) - 1, count).astype(np.int64)
    inputs = torch.from_numpy(np.ascontiguousarray(cells.domain.embed(cells.interior_points[chosen])))
    passes = []
    for _ in range(2):  # the first one touches memory for the first time
        seconds, start = [], time.perf_counter()
        for _ in walk(network, inputs):
            now = time.perf_counter()
            seconds.append((now - start) * len(cells) / count)
            start = now
        passes.append(seconds)
    return {node.name: min(pair) for node, pair in zip(network.nodes, zip(*passes, strict=True), strict=True)}
