"""Volumes of the cells of a region graph, by their vertices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError, cKDTree

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.graph import RegionGraph

MOST = 6
"""Dimension up to which cells have few enough vertices."""

_TRIES = 5
"""Points about which Qhull is asked for the vertices of a cell, at most."""

_SAME = 1e-6
"""Distance of two planes that count as one, in units of the distance of the nearest facet."""


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
    # Qhull may lose vertices of a cell, more so about one point than another; without them there is less, never more.
    largest = 0.0
    for attempt in range(_TRIES):
        shift = np.random.default_rng(attempt).uniform(-1, 1, len(inside)) * min(attempt, 1)
        found, sure = _about(rows, inside + 0.4 * room / math.sqrt(len(inside)) * shift)
        largest = max(largest, found)
        if sure:
            break
    return largest


def _about(rows: np.ndarray, centre: np.ndarray) -> tuple[float, bool]:
    """Volume by the vertices that Qhull finds about a point, and whether all facets of their hull are the cell's."""
    room = float((-(rows[:, :-1] @ centre + rows[:, -1])).min())
    # About the point, and of about unit size, so that thin and distant cells are measured as well.
    moved = np.column_stack([rows[:, :-1], (rows[:, :-1] @ centre + rows[:, -1]) / room])
    try:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # facets may be very far
            vertices = HalfspaceIntersection(moved, np.zeros(len(centre))).intersections
        vertices = vertices[np.isfinite(vertices).all(axis=1)]
        if len(vertices) <= len(centre):
            return 0.0, False
        hull = ConvexHull(vertices)
    except QhullError:
        return 0.0, False
    scale = 1.0 + np.abs(hull.equations[:, -1:])
    known = cKDTree(moved / (1.0 + np.abs(moved[:, -1:]))).query(hull.equations / scale)[0] < _SAME
    return float(hull.volume) * room ** len(centre), bool(known.all())
