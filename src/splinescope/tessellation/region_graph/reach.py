"""Proof that no fold crosses a cell: every unit has the cell's piece at every vertex of the cell.

The vertices follow from the cell's half-spaces by Qhull, which the search does not use. In more than a few dimensions
there are too many of them; then each fold's reach is bounded by a linear program solved with HiGHS.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import HalfspaceIntersection, QhullError

from splinescope.tessellation.region_graph.branches import half_spaces
from splinescope.tessellation.region_graph.certificate import fail
from splinescope.tessellation.region_graph.graph import RegionGraph
from splinescope.tessellation.region_graph.highs import maximum
from splinescope.tessellation.region_graph.witness import Seen, bounds_of, compare, together

FEW_DIMENSIONS = 5
"""Up to here the vertices of a cell are listed."""

_POINTS = 1 << 14
"""Vertices that are compared at once."""


def check_reach(graph: RegionGraph) -> Seen:
    """No fold crosses a cell.

    Args:
        graph: The graph.

    Returns:
        What was seen, with the number of vertices (of programs, in many dimensions).

    Raises:
        CertificateError: If a unit takes another piece somewhere in a cell.
    """
    if graph.dimension > FEW_DIMENSIONS:
        return Seen(sum(_check_by_programs(graph, cell) for cell in range(len(graph))))
    bounds = bounds_of(graph)
    cells: list[np.ndarray] = []
    points: list[np.ndarray] = []
    parts: list[Seen] = []
    programs = 0
    for cell in range(len(graph)):
        try:
            found = _vertices(graph, cell)
        except QhullError:
            programs += _check_by_programs(graph, cell)
            continue
        cells.append(np.full(len(found), cell))
        points.append(found)
        if sum(map(len, cells)) >= _POINTS or cell == len(graph) - 1:
            parts.append(compare(graph, "proof", np.concatenate(cells), np.concatenate(points), bounds)[0])
            cells, points = [], []
    if cells:
        parts.append(compare(graph, "proof", np.concatenate(cells), np.concatenate(points), bounds)[0])
    return together([*parts, Seen(programs)])


def _vertices(graph: RegionGraph, cell: int) -> np.ndarray:
    """Vertices of a cell, moved towards its interior point by what is needed to be inside for certain.

    With `s` the distance of the interior point to a facet, at least the radius `r`, and a vertex known to `e` across
    each of its facets, the point a share `e / r` of the way inwards is inside.
    """
    centre, radius = graph.interior_points[cell], graph.chebyshev_radii[cell]
    facets = slice(int(graph.facet_offsets[cell]), int(graph.facet_offsets[cell + 1]))
    planes = graph.facet_halfspaces[facets]
    known = graph.tolerance.certificate / graph.tolerance.safety * float(graph.facet_uncertainties[facets].max())
    inwards = min(0.5, known / radius)
    if graph.dimension == 1:
        return centre + (1 - inwards) * (graph.facet_points[facets] - centre)
    scaled = np.column_stack([planes[:, :-1], (planes[:, :-1] @ centre + planes[:, -1]) / radius])
    vertices = HalfspaceIntersection(scaled, np.zeros(graph.dimension)).intersections
    return np.asarray(centre + (1 - inwards) * radius * vertices[np.isfinite(vertices).all(axis=1)])


def _check_by_programs(graph: RegionGraph, cell: int) -> int:
    """Bound the reach of every fold of the network over a cell; returns the number of programs."""
    explorer = graph.explorer
    centre, radius = graph.interior_points[cell], graph.chebyshev_radii[cell]
    patterns = explorer.keys.unpack(graph.keys[cell : cell + 1])
    rows = half_spaces(graph.network, explorer.layout, graph.domain, patterns, centre[None], 0)
    gradients, values = rows.gradients[0].T * radius, rows.values[0]
    planes = graph.halfspaces(cell)
    matrix, limits = planes[:, :-1], -(planes[:, :-1] @ centre + planes[:, -1]) / radius
    allowed = graph.tolerance.certificate / graph.tolerance.safety * explorer.layout.thresholds
    low, high = _box(matrix, limits)
    reach = np.maximum(gradients * low, gradients * high).sum(axis=1)
    near = np.flatnonzero(np.isfinite(values) & (values + reach > 0))
    for row in near:
        if values[row] + _maximum(matrix, limits, gradients[row]) > allowed[row]:
            fail("proof", np.array([cell]), "a fold that is none of its facets crosses the cell")
    return len(near) + 2 * graph.dimension


def _box(matrix: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each coordinate."""
    axes = np.eye(matrix.shape[1])
    high = np.array([_maximum(matrix, limits, axis) for axis in axes])
    return -np.array([_maximum(matrix, limits, -axis) for axis in axes]), high


def _maximum(matrix: np.ndarray, limits: np.ndarray, objective: np.ndarray) -> float:
    """Largest value of a linear function on a polytope."""
    scale = max(float(np.abs(objective).max()), np.finfo(np.float64).tiny)
    solved = maximum(objective / scale, matrix, limits)
    return float(-solved.fun) * scale if solved.status == 0 else np.inf
