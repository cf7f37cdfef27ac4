"""Volumes of the cells of a region graph, by their vertices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.graph import RegionGraph

MOST = 6
"""Dimension up to which cells have few enough vertices."""


def volumes(graph: RegionGraph) -> Float[np.ndarray, " F"]:
    """Length, area or volume of each cell, in the domain's coordinates.

    The vertices of a cell are the facets of the dual of its half-spaces about its interior point; its volume is that of
    their convex hull (Qhull does both).

    Args:
        graph: A region graph of at most six dimensions.

    Returns:
        One number per cell, to about ten digits; 0 for cells that float64 takes for flat. Cost: grows quickly with the
        dimension and the number of facets.

    Raises:
        InvalidInputError: In more than six dimensions.
    """
    if graph.dimension > MOST:
        raise InvalidInputError(
            f"`measures`: got a region graph of dimension {graph.dimension}; volumes are found by vertices, up to "
            f"dimension {MOST}; `chebyshev_radii` bound them from below"
        )
    return np.array([_volume(graph.halfspaces(cell), graph.interior_points[cell]) for cell in range(len(graph))])


def _volume(rows: np.ndarray, inside: np.ndarray) -> float:
    if len(inside) == 1:
        ends = -rows[:, 1] / rows[:, 0]
        return float(ends[rows[:, 0] > 0].min() - ends[rows[:, 0] < 0].max())
    room = float((-(rows[:, :-1] @ inside + rows[:, -1])).min())
    if not room > 0:
        return 0.0
    # About the interior point, and of about unit size, so that thin and distant cells are measured as well.
    moved = np.column_stack([rows[:, :-1], (rows[:, :-1] @ inside + rows[:, -1]) / room])
    try:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # facets may be very far
            vertices = HalfspaceIntersection(moved, np.zeros(len(inside))).intersections
        if not np.isfinite(vertices).all():
            return 0.0
        return float(ConvexHull(vertices).volume) * room ** len(inside)
    except QhullError:
        return 0.0
