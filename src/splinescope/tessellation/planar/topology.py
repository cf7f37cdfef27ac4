"""Checks of a planar complex that need no network: areas, convexity, the Euler characteristic, and its edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges
from splinescope.tessellation.certificate import MEASURE_TOLERANCE, Topology, fail
from splinescope.tessellation.neighbours import check_neighbours

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex

_TURN = 1e-9
"""Relative tolerance for the convexity of a corner: its sine, at vertices known to a few roundings."""


def check_topology(cells: PlanarComplex) -> Topology:
    """Cells are convex and tile the domain, and neighbours differ in the unit recorded for their common edge.

    Args:
        cells: The complex.

    Returns:
        What was measured.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned.
    """
    error = _check_areas(cells)
    euler = _check_euler(cells)
    multiple = check_neighbours(cells, cells.edge_cells, cells.edge_op, cells.edge_unit)
    return Topology(error, euler, multiple, {"convexity": _TURN})


@njit(cache=True, nogil=True)
def _shapes(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    areas: np.ndarray,
    concave: np.ndarray,
) -> None:
    """Area of each cell from its corners, and the sine of its most concave turn (0 if convex)."""
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        x0, y0 = vertices[cell_vertices[low], 0], vertices[cell_vertices[low], 1]
        px, py = vertices[cell_vertices[high - 1], 0] - x0, vertices[cell_vertices[high - 1], 1] - y0
        ux, uy = -px, -py
        ax = ay = area = 0.0
        worst = 0.0
        for at in range(low, high):
            following = at + 1 if at + 1 < high else low
            bx, by = vertices[cell_vertices[following], 0] - x0, vertices[cell_vertices[following], 1] - y0
            area += ax * by - ay * bx
            vx, vy = bx - ax, by - ay
            turn = ux * vy - uy * vx
            if turn < 0.0:
                worst = min(worst, turn / np.sqrt((ux * ux + uy * uy) * (vx * vx + vy * vy)))
            ux, uy = vx, vy
            ax, ay = bx, by
        areas[cell] = 0.5 * area
        concave[cell] = worst


@njit(cache=True, nogil=True)
def _areas_from_edges(vertices: np.ndarray, edges: np.ndarray, edge_cells: np.ndarray, areas: np.ndarray) -> None:
    """Area of each cell from the edges on its boundary (no loop is used)."""
    for edge in range(len(edges)):
        tail, head = edges[edge, 0], edges[edge, 1]
        cross = vertices[tail, 0] * vertices[head, 1] - vertices[tail, 1] * vertices[head, 0]
        left, right = edge_cells[edge, 0], edge_cells[edge, 1]
        if left >= 0:
            areas[left] += 0.5 * cross
        if right >= 0:
            areas[right] -= 0.5 * cross


def _check_areas(cells: PlanarComplex) -> float:
    """Measures are those of the corners and of the edges, cells are convex, and they sum to the domain's measure."""
    wrong = np.flatnonzero(np.diff(cells.cell_offsets) < 3)
    if len(wrong):
        fail("corners", wrong, "a cell has fewer than three corners")
    areas, concave = np.empty(len(cells)), np.empty(len(cells))
    in_ranges(_shapes, len(cells), cells.vertices, cells.cell_vertices, cells.cell_offsets, areas, concave)
    centre = cells.domain.polygon.mean(axis=0)
    from_edges = np.zeros(len(cells))
    _areas_from_edges(cells.vertices - centre, cells.edges, cells.edge_cells, from_edges)
    total = cells.domain.area
    wrong = np.flatnonzero(
        (np.abs(areas - cells.measures) > MEASURE_TOLERANCE * total)
        | (np.abs(areas - from_edges) > MEASURE_TOLERANCE * total)
        | (areas < -MEASURE_TOLERANCE * total)
    )
    if len(wrong):
        fail("measures", wrong, "a measure is not that of the cell's corners and edges")
    thick = areas > MEASURE_TOLERANCE * total
    wrong = np.flatnonzero(thick & (concave < -_turn_tolerance(cells)))
    if len(wrong):
        fail("convexity", wrong, f"a corner turns inwards (sine {concave[wrong].min():.1e})")
    error = abs(float(areas.sum()) - total) / total
    if error > MEASURE_TOLERANCE * np.sqrt(len(cells) + 1) and not cells.truncated:
        fail("measures", np.arange(len(cells)), f"they sum to the domain's measure times {areas.sum() / total!r}")
    return error


def _turn_tolerance(cells: PlanarComplex) -> np.ndarray:
    """How far a straight corner may turn inwards by the rounding of vertices, given the size of the cell."""
    size = np.sqrt(np.maximum(cells.measures, np.finfo(float).tiny))
    return np.minimum(1.0, _TURN * cells.domain.size / size)


def _check_euler(cells: PlanarComplex) -> int:
    """The cells, edges and vertices form a disc."""
    used = np.zeros(len(cells.vertices), bool)
    used[cells.edges.ravel()] = True
    euler = int(used.sum()) - len(cells.edges) + len(cells)
    if euler != 1 and not cells.truncated:
        fail("euler", np.arange(len(cells)), f"vertices - edges + cells is {euler}; a tiled polygon has 1")
    return euler
