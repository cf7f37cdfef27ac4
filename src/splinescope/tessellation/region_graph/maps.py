"""The affine map of each cell of a region graph."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import torch

from splinescope.network.evaluate import CHUNK_NUMBERS
from splinescope.tessellation.affine import AffineMaps
from splinescope.tessellation.branch import branch_value
from splinescope.tessellation.metric import check_choice
from splinescope.tessellation.region_graph.branches import FAR, follow_branches

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.graph import RegionGraph


def affine_maps(graph: RegionGraph, space: str = "domain") -> AffineMaps:
    r"""Affine map of the network on each cell, before its head.

    "domain": $f(t) = A t + c$ for the domain's coordinates. "input": $f(x) = A x + c$ for the flat input, $A$ being the
    Jacobian of the cell's branch, by one vector-Jacobian product for each output.

    Args:
        graph: A region graph.
        space: "domain" or "input".

    Returns:
        The maps, in the order of the cells.
    """
    check_choice("space", space, ("domain", "input"))
    widest = max(node.size for node in graph.network.nodes)
    copies = graph.dimension + 1 if space == "domain" else 3 * len(graph.network.nodes)
    step = max(1, CHUNK_NUMBERS // (3 * widest * copies))
    make = _along_domain if space == "domain" else _of_inputs
    parts = [make(graph, slice(start, start + step)) for start in range(0, len(graph), step)]
    return AffineMaps(np.concatenate([A for A, _ in parts]), np.concatenate([c for _, c in parts]), space)


@torch.no_grad()
def _along_domain(graph: RegionGraph, cells: slice) -> tuple[np.ndarray, np.ndarray]:
    explorer, network = graph.explorer, graph.network
    points = graph.interior_points[cells]
    patterns = explorer.keys.unpack(graph.keys[cells])
    walk = follow_branches(network, explorer.layout, graph.domain, patterns, points, network.output)
    (reached,) = deque(walk, maxlen=1)
    slopes = np.broadcast_to(reached.slopes.numpy() / FAR, (len(points), *reached.slopes.shape[1:]))
    A = np.ascontiguousarray(slopes.transpose(0, 2, 1))
    return A, reached.value.numpy() - np.einsum("foj,fj->fo", A, points)


def _of_inputs(graph: RegionGraph, cells: slice) -> tuple[np.ndarray, np.ndarray]:
    network = graph.network
    patterns = torch.from_numpy(graph.explorer.keys.unpack(graph.keys[cells]))
    pieces = {node: patterns[:, start:stop] for node, start, stop in graph.pattern_nodes}
    x = torch.zeros(len(patterns), *network.input_shape, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        value = branch_value(network, pieces, x)
        A = np.zeros((len(x), value.shape[1], x[0].numel()))
        for k in range(value.shape[1]):
            (gradient,) = torch.autograd.grad(value[:, k].sum(), x, retain_graph=True, allow_unused=True)
            if gradient is not None:
                A[:, k] = gradient.reshape(len(x), -1).numpy()
    return A, value.detach().numpy()
