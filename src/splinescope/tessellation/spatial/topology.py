"""Checks of a spatial complex that need no network: volumes, closed cells, Euler characteristic, neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.geometry.lattice.polytopes import closed, count_listed, means_and_boxes, volumes
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.record import Topology, fail
from splinescope.tessellation.neighbours import check_neighbours
from splinescope.tessellation.spatial.complex import SpatialComplex


def check_topology(cells: SpatialComplex) -> Topology:
    """Cells are closed and fill the domain, and neighbours differ in the unit recorded for their common facet.

    Args:
        cells: The complex.

    Returns:
        What was measured.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned.
    """
    allowed = _allowed(cells)
    _check_closed(cells)
    error = _check_volumes(cells, allowed)
    _check_facets(cells)
    euler = cells.euler_characteristic
    if euler != 1 and not cells.truncated:
        fail("euler", np.arange(len(cells)), f"the alternating sum of faces is {euler}; a domain that is filled has 1")
    facets = (cells.facet_cells, cells.facet_op, cells.facet_unit)
    multiple = int(check_neighbours(cells.network, cells.codes, cells.truncated, *facets).sum())
    _check_sides(cells)
    return Topology(error, euler, multiple, {"measure": allowed}, int((~cells.resolved).sum()))


def _check_volumes(cells: SpatialComplex, allowed: float) -> float:
    """Volumes and interior points are those of the vertices, and volumes sum to the domain's."""
    levels: list[Any] = [cells.faces[k] for k in range(2, cells.dimension + 1)]
    measured = volumes(cells.vertices, cells.edges, levels)
    total = cells.domain.measure
    size = np.abs(cells.vertices).max(axis=0)
    means, boxes = means_and_boxes(cells.vertices, (cells.cell_offsets, cells.cell_vertices))
    moved = ~(np.abs(means - cells.interior_points) <= 64 * UNIT_ROUNDOFF * size).all(axis=1)
    wrong = np.flatnonzero(~(np.abs(measured - cells.measures) <= 64 * UNIT_ROUNDOFF * boxes) | moved)
    if len(wrong):
        fail("measures", wrong, "a measure or an interior point is not that of the cell's vertices")
    error = abs(float(measured.sum()) - total) / total
    if error > allowed and not cells.truncated:
        fail("measures", np.arange(len(cells)), f"they sum to the domain's measure times {1 - error!r} or more")
    return error


def _allowed(cells: SpatialComplex) -> float:
    """How nearly volumes have to sum to the domain's, by the roundings of vertices on its boundary and of the sums.

    Terms of determinants are as large as a box around the domain.
    """
    size, extent = np.abs(cells.vertices).max(axis=0), np.ptp(np.asarray(cells.domain.corners), axis=0)
    slender = float(np.prod(extent / cells.domain.measure ** (1 / cells.dimension)))
    return float(64 * UNIT_ROUNDOFF * (size / extent).sum() + (256 + 2 * slender) * UNIT_ROUNDOFF)


def _check_closed(cells: SpatialComplex) -> None:
    """Every ridge of a cell is on exactly two of its facets: the boundary of a cell has no hole."""
    d = cells.dimension
    wrong = np.flatnonzero(~closed(cells.faces[d], cells.faces[d - 1]))
    if len(wrong):
        fail("closed", wrong, "a ridge of the cell is not on exactly two of its facets")


def _check_facets(cells: SpatialComplex) -> None:
    """The cells recorded for a facet are those in whose lists it is: two, or one on the boundary."""
    lists = cells.faces[cells.dimension]
    listed, strange = np.zeros(len(cells.facet_op), np.int32), np.zeros(len(cells), np.bool_)
    count_listed(lists.offsets, lists.items, cells.facet_cells, listed, strange)
    uneven = np.flatnonzero(listed != (cells.facet_cells >= 0).sum(axis=1, dtype=np.int32))
    wrong = np.union1d(np.flatnonzero(strange), cells.facet_cells[uneven])
    wrong = wrong[wrong >= 0]
    if len(wrong):
        fail("facets", wrong, "a facet of the cell is not recorded as such")


def _check_sides(cells: SpatialComplex) -> None:
    """The second cell of a facet that an activation made is above the breakpoint there."""
    for codes in cells.codes:
        node, op = cells.network.nodes[codes.node], cells.network.folds[codes.node]
        if not op.elementwise:
            continue
        mine = np.flatnonzero((cells.facet_op == codes.node) & (cells.facet_cells >= 0).all(axis=1))
        below, above = (
            sum(
                codes.at(cells.facet_cells[mine, side], cells.facet_unit[mine] + level * node.size).astype(int)
                for level in range(op.levels)
            )
            for side in (0, 1)
        )
        wrong = mine[below >= above]
        if len(wrong):
            concerned = np.unique(cells.facet_cells[wrong])
            fail("neighbours", concerned, f"{len(wrong)} facets whose cells are recorded on the wrong sides")
