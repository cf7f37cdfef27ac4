"""Checks of a planar complex that need no network: areas, convexity, the Euler characteristic, and its edges.

All tolerances are those of corners that are known to a few units in the last place of the coordinates, however large or
small these are: a check fails where no such corners would pass it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF, in_ranges
from splinescope.tessellation.certificate.record import Topology, fail
from splinescope.tessellation.neighbours import check_neighbours
from splinescope.tessellation.resolved import ROUNDINGS

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex


def check_topology(cells: PlanarComplex) -> Topology:
    """Cells are convex and fill the domain, and neighbours differ in the unit recorded for their common edge.

    Args:
        cells: The complex.

    Returns:
        What was measured.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned.
    """
    wrong = np.flatnonzero(np.diff(cells.cell_offsets) < 3)
    if len(wrong):
        fail("corners", wrong, "a cell has fewer than three corners")
    step = ROUNDINGS * UNIT_ROUNDOFF * np.abs(cells.vertices).max(axis=0)
    shapes = _Shapes(cells, step)
    allowed = _check_sum(cells, shapes, step)
    shapes.check()
    euler = _check_euler(cells)
    multiple = check_neighbours(cells, cells.edge_cells, cells.edge_op, cells.edge_unit)
    tolerances = {"measure": allowed, "coordinates": ROUNDINGS * UNIT_ROUNDOFF}
    return Topology(_error(cells, shapes), euler, multiple, tolerances, int((~cells.resolved).sum()))


class _Shapes:
    """Areas and turns of all cells, with bounds of what roundings of the corners make of them.

    Attributes:
        areas: [F] areas, from the corners.
        doubt: [F] by how much roundings of the corners change them.
        turn: [F] the most concave turn beyond its doubt; 0 if there is none.
        extents: [F, 2] sizes.
    """

    def __init__(self, cells: PlanarComplex, step: np.ndarray) -> None:
        self._cells = cells
        count = len(cells)
        self.areas, self.turn, self.extents = np.empty(count), np.empty(count), np.empty((count, 2))
        arguments = (cells.vertices, cells.cell_vertices, cells.cell_offsets, step)
        in_ranges(_measure, count, *arguments, self.areas, self.turn, self.extents)
        corners = np.diff(cells.cell_offsets)
        self.doubt = (4.0 + corners) * (self.extents @ step[::-1] + 2.0 * step.prod())

    def check(self) -> None:
        """Measures are those of the corners and of the edges, and cells are convex."""
        cells = self._cells
        edges, steps = np.zeros(len(cells)), np.zeros(len(cells))
        first = cells.vertices[cells.cell_vertices[cells.cell_offsets[:-1]]]
        _areas_from_edges(cells.vertices, cells.edges, cells.edge_cells, first, edges, steps)
        # An edge that is not the cell's own may be far from it; rounding is relative to the terms then.
        wrong = np.flatnonzero(
            ~(np.abs(self.areas - cells.measures) <= self.doubt)
            | ~(np.abs(self.areas - edges) <= self.doubt + 4 * UNIT_ROUNDOFF * steps)
            | (self.areas < -self.doubt)
        )
        if len(wrong):
            fail("measures", wrong, "a measure is not that of the cell's corners and edges")
        wrong = np.flatnonzero(self.turn < 0)
        if len(wrong):
            fail("convexity", wrong, f"a corner turns inwards (by {-self.turn[wrong].min():.1e})")


@njit(cache=True, nogil=True)
def _measure(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    step: np.ndarray,
    areas: np.ndarray,
    turns: np.ndarray,
    extents: np.ndarray,
) -> None:
    """Area and extents of each cell from its corners, and its most concave turn that roundings don't explain."""
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        x0, y0 = vertices[cell_vertices[low], 0], vertices[cell_vertices[low], 1]
        px, py = vertices[cell_vertices[high - 1], 0] - x0, vertices[cell_vertices[high - 1], 1] - y0
        ux, uy = -px, -py
        ax = ay = area = worst = 0.0
        left = right = bottom = top = 0.0
        for at in range(low, high):
            following = at + 1 if at + 1 < high else low
            bx, by = vertices[cell_vertices[following], 0] - x0, vertices[cell_vertices[following], 1] - y0
            area += ax * by - ay * bx
            vx, vy = bx - ax, by - ay
            left, right, bottom, top = min(left, bx), max(right, bx), min(bottom, by), max(top, by)
            spread = 2.0 * step[0] * (abs(uy) + abs(vy)) + 2.0 * step[1] * (abs(ux) + abs(vx))
            turn = ux * vy - uy * vx + spread + 8.0 * step[0] * step[1]
            worst = min(worst, turn)
            ux, uy = vx, vy
            ax, ay = bx, by
        areas[cell], turns[cell] = 0.5 * area, worst
        extents[cell, 0], extents[cell, 1] = right - left, top - bottom


@njit(cache=True, nogil=True)
def _areas_from_edges(
    vertices: np.ndarray,
    edges: np.ndarray,
    edge_cells: np.ndarray,
    first: np.ndarray,
    areas: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Area of each cell from the edges on its boundary (no loop is used), and the size of the terms."""
    for edge in range(len(edges)):
        tail, head = edges[edge, 0], edges[edge, 1]
        for side in range(2):
            cell = edge_cells[edge, side]
            if cell >= 0:
                ax, ay = vertices[tail, 0] - first[cell, 0], vertices[tail, 1] - first[cell, 1]
                bx, by = vertices[head, 0] - first[cell, 0], vertices[head, 1] - first[cell, 1]
                cross = 0.5 * (ax * by - ay * bx)
                areas[cell] += cross if side == 0 else -cross
                sizes[cell] += abs(ax * by) + abs(ay * bx)


def _error(cells: PlanarComplex, shapes: _Shapes) -> float:
    """Relative difference of the sum of the areas from the domain's."""
    total = cells.domain.area
    return abs(float(shapes.areas.sum()) - total) / total


def _check_sum(cells: PlanarComplex, shapes: _Shapes, step: np.ndarray) -> float:
    """The areas sum to the domain's; returns how nearly they have to.

    Roundings of vertices inside cancel, for what one cell gains another loses; those on the boundary don't.
    """
    total = cells.domain.area
    sides = np.ptp(cells.domain.polygon, axis=0)
    corners = np.diff(cells.cell_offsets)
    roundings = 4.0 * UNIT_ROUNDOFF * float((corners * shapes.extents.prod(axis=1)).sum())
    allowed = (4.0 * float(sides @ step[::-1]) + roundings) / total
    if _error(cells, shapes) > allowed and not cells.truncated:
        share = float(shapes.areas.sum()) / total
        fail("measures", np.arange(len(cells)), f"they sum to the domain's measure times {share!r}")
    return allowed


def _check_euler(cells: PlanarComplex) -> int:
    """The cells, edges and vertices form a disc."""
    used = np.zeros(len(cells.vertices), bool)
    used[cells.edges.ravel()] = True
    euler = int(used.sum()) - len(cells.edges) + len(cells)
    if euler != 1 and not cells.truncated:
        fail("euler", np.arange(len(cells)), f"vertices - edges + cells is {euler}; a polygon that is filled has 1")
    return euler
