"""Neighbours of cells, and linear regions: cells merged where the network's affine map does not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.affine import affine_maps

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex

MAP_TOLERANCE = float(np.sqrt(UNIT_ROUNDOFF))
"""Default relative difference up to which two affine maps are one: half of the digits of float64."""


@dataclass(frozen=True)
class LinearRegions:
    """Maximal connected sets of cells with one affine map; unlike cells they need not be convex.

    Attributes:
        labels: Linear region of each cell, numbered from 0 in the order of their first cells.
        count: Number of linear regions.
        merged_edges: Interior edges across which the map does not change.
        tolerance: Difference of two gradients, relative to the largest gradient, up to which they count as
            equal.
    """

    labels: Int[np.ndarray, " cells"]
    count: int
    merged_edges: Int[np.ndarray, " merged"]
    tolerance: float


def interior_edges(edge_cells: Int[np.ndarray, "edges 2"]) -> Int[np.ndarray, " interior"]:
    """Edges with a cell on both sides.

    Args:
        edge_cells: Cells on the left and right of each edge, -1 outside.

    Returns:
        Their indices.
    """
    return np.flatnonzero(edge_cells.min(axis=1) >= 0)


def adjacency(edge_cells: Int[np.ndarray, "edges 2"], cells: int) -> csr_array:
    """Dual graph: which cells share an edge.

    Args:
        edge_cells: Cells on the left and right of each edge, -1 outside.
        cells: Number of cells.

    Returns:
        Symmetric boolean matrix [cells, cells] in compressed sparse rows, with sorted indices.
    """
    inner = edge_cells[interior_edges(edge_cells)]
    rows = np.concatenate([inner[:, 0], inner[:, 1]])
    columns = np.concatenate([inner[:, 1], inner[:, 0]])
    graph = csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(cells, cells))
    graph.sum_duplicates()
    return graph


def linear_regions(cells: PlanarComplex, tolerance: float = MAP_TOLERANCE) -> LinearRegions:
    r"""Merge neighbouring cells on which the network is one affine map.

    An activation region (a cell) has one activation pattern; a linear region is a maximal connected set with
    one affine map. They differ where the unit that changes has no influence on the output. Cells join across
    edge $e$ when $|A_l - A_r| \le \varepsilon \max_w |A_w|$ in the Frobenius norm, for the gradients in
    slice coordinates.

    Args:
        cells: A planar complex.
        tolerance: The relative difference $\varepsilon$ up to which two maps are one.

    Returns:
        The linear regions.

    Raises:
        InvalidInputError: If `tolerance` is negative or not a number.
    """
    if not tolerance >= 0:
        raise InvalidInputError(f"`tolerance`: got {tolerance}; expected a number that is at least 0")
    gradients = affine_maps(cells).A
    inner = interior_edges(cells.edge_cells)
    pairs = cells.edge_cells[inner]
    jumps = np.linalg.norm(gradients[pairs[:, 0]] - gradients[pairs[:, 1]], axis=(1, 2))
    largest = np.linalg.norm(gradients, axis=(1, 2)).max(initial=0.0)
    merged = inner[jumps <= tolerance * largest]
    count, labels = connected_components(adjacency(cells.edge_cells[merged], len(cells)), directed=False)
    return LinearRegions(labels.astype(np.int64), int(count), merged, tolerance)
