"""The affine map of each cell of a region graph."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from splinescope.network.evaluate import CHUNK_NUMBERS
from splinescope.tessellation.affine import AffineMaps, branch_maps
from splinescope.tessellation.metric import check_choice
from splinescope.tessellation.region_graph.branches import FAR, follow_branches

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.graph import RegionGraph


def affine_maps(graph: RegionGraph, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
    r"""Affine map of the network on each cell, before its head.

    "domain": $f(t) = A t + c$ for the domain's coordinates. "input": $f(x) = A x + c$ for the flat input, $A$ being the
    Jacobian of the cell's branch, by one vector-Jacobian product for each output.

    Args:
        graph: A region graph.
        space: "domain" or "input".
        which: Numbers of the wanted cells; all if None.

    Returns:
        The maps, in the order of `which`.
    """
    check_choice("space", space, ("domain", "input"))
    if space == "input":
        return branch_maps(graph, space, which)
    chosen = np.arange(len(graph)) if which is None else np.asarray(which)
    widest = max(node.size for node in graph.network.nodes)
    step = max(1, CHUNK_NUMBERS // (3 * widest * (graph.dimension + 1)))
    parts = [_along_domain(graph, chosen[start : start + step]) for start in range(0, max(1, len(chosen)), step)]
    return AffineMaps(np.concatenate([A for A, _ in parts]), np.concatenate([c for _, c in parts]), space)


@torch.no_grad()
def _along_domain(graph: RegionGraph, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    explorer, network = graph.explorer, graph.network
    points = graph.interior_points[cells]
    patterns = explorer.keys.unpack(graph.keys[cells])
    walk = follow_branches(network, explorer.layout, graph.domain, patterns, points, network.output)
    (reached,) = deque(walk, maxlen=1)
    slopes = np.broadcast_to(reached.slopes.numpy() / FAR, (len(points), *reached.slopes.shape[1:]))
    A = np.ascontiguousarray(slopes.transpose(0, 2, 1))
    return A, reached.value.numpy() - np.einsum("foj,fj->fo", A, points)
