"""Checks of planar complexes that need no network: areas, convexity, the Euler characteristic, and edges.

All tolerances are those of corners that are known to a few units in the last place of the coordinates, however large or
small these are: a check fails where no such corners would pass it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF, in_ranges
from splinescope.tessellation.certificate.record import Topology, fail
from splinescope.tessellation.neighbours import check_neighbours
from splinescope.tessellation.planar.batch import PlanarBatch, batch_of_one
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.resolved import ROUNDINGS


def check_topology(cells: PlanarComplex) -> Topology:
    """Cells are convex and fill the domain, and neighbours differ in the unit recorded for their common edge.

    Args:
        cells: The complex.

    Returns:
        What was measured.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned.
    """
    return check_topologies(batch_of_one(cells))[0]


def check_topologies(batch: PlanarBatch) -> list[Topology]:
    """The same of several slices side by side.

    Args:
        batch: The slices.

    Returns:
        What was measured of each.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned, counted through all slices.
    """
    wrong = np.flatnonzero(np.diff(batch.cell_offsets) < 3)
    if len(wrong):
        fail("corners", wrong, "a cell has fewer than three corners")
    if len(batch) > 1:
        _check_apart(batch)
    starts = batch.vertex_starts[:-1]
    steps = ROUNDINGS * UNIT_ROUNDOFF * np.maximum.reduceat(np.abs(batch.vertices), starts)
    shapes = _Shapes(batch, steps)
    allowed = _check_sums(batch, shapes, steps)
    shapes.check()
    euler = _check_euler(batch)
    facets = (batch.edge_cells, batch.edge_op, batch.edge_unit)
    multiple = check_neighbours(batch.network, batch.codes, batch.truncated[batch.of_edge], *facets)
    errors, several = _errors(batch, shapes), _sums(multiple, batch.edge_starts)
    merged = _sums(~batch.resolved, batch.cell_starts)
    return [
        Topology(error, number, int(folds), {"measure": room, "coordinates": ROUNDINGS * UNIT_ROUNDOFF}, int(thin))
        for error, number, folds, room, thin in zip(errors, euler, several, allowed, merged, strict=True)
    ]


def _check_apart(batch: PlanarBatch) -> None:
    """Cells, vertices and edges of a slice have no others around them."""
    corners = np.repeat(batch.of_cell, np.diff(batch.cell_offsets))
    wrong = [np.flatnonzero(batch.of_vertex[batch.cell_vertices] != corners)]
    cells = [np.repeat(np.arange(len(batch.of_cell)), np.diff(batch.cell_offsets))[wrong[0]]]
    beside = batch.edge_cells
    strange = (batch.of_vertex[batch.edges] != batch.of_edge[:, None]).any(axis=1)
    strange |= ((beside >= 0) & (batch.of_cell[np.maximum(beside, 0)] != batch.of_edge[:, None])).any(axis=1)
    cells.append(beside[strange].max(axis=1))
    concerned = np.concatenate(cells)
    if len(concerned):
        fail("slices", concerned[concerned >= 0], "a cell or an edge has vertices or cells of another slice")


class _Shapes:
    """Areas and turns of all cells, with bounds of what roundings of the corners make of them.

    Attributes:
        areas: [F] areas, from the corners.
        doubt: [F] by how much roundings of the corners change them.
        turn: [F] the most concave turn beyond its doubt; 0 if there is none.
        side: [F] how far the interior point is on the wrong side of an edge, times its length, beyond its doubt; or 0.
        extents: [F, 2] sizes.
    """

    def __init__(self, batch: PlanarBatch, steps: np.ndarray) -> None:
        self._batch = batch
        count = len(batch.interior_points)
        self.areas, self.turn, self.side, self.extents = (
            np.empty(shape) for shape in (count, count, count, (count, 2))
        )
        arguments = (
            batch.vertices,
            batch.cell_vertices,
            batch.cell_offsets,
            batch.interior_points,
            batch.of_cell,
            steps,
        )
        in_ranges(_measure, count, *arguments, self.areas, self.turn, self.side, self.extents)
        sizes, step = np.diff(batch.cell_offsets), steps[batch.of_cell]
        (wide, tall), (along, across) = self.extents.T, step.T
        self.doubt = (4.0 + sizes) * (wide * across + tall * along + 2.0 * along * across)

    def check(self) -> None:
        """Measures are those of the corners and of the edges, cells are convex, and interior points are inside."""
        batch = self._batch
        edges, steps = np.zeros(len(self.areas)), np.zeros(len(self.areas))
        first = batch.vertices[batch.cell_vertices[batch.cell_offsets[:-1]]]
        _areas_from_edges(batch.vertices, batch.edges, batch.edge_cells, first, edges, steps)
        # An edge that is not the cell's own may be far from it; rounding is relative to the terms then.
        wrong = np.flatnonzero(
            ~(np.abs(self.areas - batch.measures) <= self.doubt)
            | ~(np.abs(self.areas - edges) <= self.doubt + 4 * UNIT_ROUNDOFF * steps)
            | (self.areas < -self.doubt)
        )
        if len(wrong):
            fail("measures", wrong, "a measure is not that of the cell's corners and edges")
        wrong = np.flatnonzero(self.turn < 0)
        if len(wrong):
            fail("convexity", wrong, f"a corner turns inwards (by {-self.turn[wrong].min():.1e})")
        wrong = np.flatnonzero(self.side < 0)
        if len(wrong):
            fail("inside", wrong, "an interior point is outside of its cell")


@njit(cache=True, nogil=True)
def _measure(
    start: int,
    stop: int,
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    offsets: np.ndarray,
    points: np.ndarray,
    of_cell: np.ndarray,
    steps: np.ndarray,
    areas: np.ndarray,
    turns: np.ndarray,
    sides: np.ndarray,
    extents: np.ndarray,
) -> None:
    """Area and extents of each cell; its most concave turn, how far its interior point is outside, but roundings."""
    for cell in range(start, stop):
        low, high = offsets[cell], offsets[cell + 1]
        step = steps[of_cell[cell]]
        x0, y0 = vertices[cell_vertices[low], 0], vertices[cell_vertices[low], 1]
        px, py = vertices[cell_vertices[high - 1], 0] - x0, vertices[cell_vertices[high - 1], 1] - y0
        ux, uy = -px, -py
        ax = ay = area = worst = 0.0
        ox, oy = points[cell, 0] - x0, points[cell, 1] - y0
        outside = 0.0 if np.isfinite(ox) and np.isfinite(oy) else -np.inf
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
            wx, wy = ox - ax, oy - ay
            spread = 2.0 * step[0] * (abs(wy) + abs(vy)) + 2.0 * step[1] * (abs(wx) + abs(vx))
            height = vx * wy - vy * wx + spread + 8.0 * step[0] * step[1]
            outside = min(outside, height)
            ux, uy = vx, vy
            ax, ay = bx, by
        areas[cell], turns[cell], sides[cell] = 0.5 * area, worst, outside
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


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """[S] the sum of each slice's values."""
    return np.array([values[low:high].sum() for low, high in pairwise(starts)])


def _errors(batch: PlanarBatch, shapes: _Shapes) -> list[float]:
    """Relative difference of the sum of the areas from that of each slice."""
    errors: list[float] = (
        np.abs(_sums(shapes.areas, batch.cell_starts) - batch.slices.areas) / batch.slices.areas
    ).tolist()
    return errors


def _check_sums(batch: PlanarBatch, shapes: _Shapes, steps: np.ndarray) -> list[float]:
    """The areas sum to each slice's; returns how nearly they have to.

    Roundings of vertices inside cancel, for what one cell gains another loses; those on the boundary don't.
    """
    totals = batch.slices.areas
    corners = np.diff(batch.cell_offsets)
    roundings = 4.0 * UNIT_ROUNDOFF * _sums(corners * shapes.extents[:, 0] * shapes.extents[:, 1], batch.cell_starts)
    allowed = (4.0 * (batch.slices.extents * steps[:, ::-1]).sum(axis=1) + roundings) / totals
    wrong = (np.array(_errors(batch, shapes)) > allowed) & ~batch.truncated
    if wrong.any():
        share = float((_sums(shapes.areas, batch.cell_starts) / totals)[wrong][0])
        fail("measures", np.flatnonzero(wrong[batch.of_cell]), f"they sum to the domain's measure times {share!r}")
    return allowed.tolist()


def _check_euler(batch: PlanarBatch) -> list[int]:
    """The cells, edges and vertices of each slice form a disc."""
    used = np.zeros(len(batch.vertices), bool)
    used[batch.edges.ravel()] = True
    euler = _sums(used, batch.vertex_starts) - np.diff(batch.edge_starts) + np.diff(batch.cell_starts)
    wrong = (euler != 1) & ~batch.truncated
    if wrong.any():
        number = int(euler[wrong][0])
        what = f"vertices - edges + cells is {number}; a polygon that is filled has 1"
        fail("euler", np.flatnonzero(wrong[batch.of_cell]), what)
    return euler.tolist()
