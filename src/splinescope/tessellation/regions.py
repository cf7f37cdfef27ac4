"""Neighbours of cells, and linear regions: cells merged where the network's affine map does not change."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.sparse.csgraph import connected_components

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.complex import PolyhedralComplex, adjacency
from splinescope.tessellation.results import LinearRegions as LinearRegions

MAP_TOLERANCE = float(np.sqrt(UNIT_ROUNDOFF))
"""Default relative difference up to which two affine maps are one: half of the digits of float64."""


def interior_edges(edge_cells: Int[np.ndarray, "edges 2"]) -> Int[np.ndarray, " interior"]:
    """Edges with a cell on both sides.

    Args:
        edge_cells: Cells on the left and right of each edge, -1 outside.

    Returns:
        Their indices.

    Cost: linear in the number of edges.

    Example:
        >>> interior_edges(np.array([[0, 1], [1, -1], [-1, 0]])).tolist()
        [0]
    """
    return np.flatnonzero(edge_cells.min(axis=1) >= 0)


def linear_regions(cells: PolyhedralComplex, tolerance: float = MAP_TOLERANCE) -> LinearRegions:
    r"""Merge neighbouring cells on which the network is one affine map.

    A cell has one activation pattern; a linear region is a maximal connected set with
    one affine map. They differ where the unit that changes has no influence on the output. Cells join across
    facet $e$ when $|A_l - A_r| \le \varepsilon \max_w |A_w|$ in the Frobenius norm, for the gradients in the
    domain's coordinates.

    Args:
        cells: A complex of any dimension, or a region graph.
        tolerance: The relative difference $\varepsilon$ up to which two maps are one.

    Returns:
        The linear regions. Cost: the affine maps of all cells.

    Raises:
        InvalidInputError: If `tolerance` is negative or not a number.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> linear_regions(cells).count
        4
    """
    if not tolerance >= 0:
        raise InvalidInputError(f"`tolerance`: got {tolerance}; expected a number that is at least 0")
    gradients, facets = cells.affine_maps().A, cells.facets
    pairs = facets.cells
    jumps = np.linalg.norm(gradients[pairs[:, 0]] - gradients[pairs[:, 1]], axis=(1, 2))
    largest = np.linalg.norm(gradients, axis=(1, 2)).max(initial=0.0)
    merged = jumps <= tolerance * largest
    count, labels = connected_components(adjacency(pairs[merged], len(cells)), directed=False)
    return LinearRegions(labels.astype(np.int64), int(count), np.unique(facets.numbers[merged]), tolerance)
