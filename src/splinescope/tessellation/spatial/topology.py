"""Checks of a spatial complex that need no network: volumes, closed cells, Euler characteristic, neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.geometry.polytopes import closed
from splinescope.tessellation.certificate import MEASURE_TOLERANCE, Topology, fail
from splinescope.tessellation.neighbours import check_neighbours

if TYPE_CHECKING:
    from splinescope.tessellation.spatial.complex import SpatialComplex


def check_topology(cells: SpatialComplex) -> Topology:
    """Cells are closed and tile the domain, and neighbours differ in the unit recorded for their common facet.

    Args:
        cells: The complex.

    Returns:
        What was measured.

    Raises:
        CertificateError: At the first check that fails, with the cells concerned.
    """
    error = _check_volumes(cells)
    _check_closed(cells)
    _check_facets(cells)
    euler = cells.euler_characteristic
    if euler != 1 and not cells.truncated:
        fail("euler", np.arange(len(cells)), f"the alternating sum of faces is {euler}; a tiled domain has 1")
    return Topology(error, euler, check_neighbours(cells, cells.facet_cells, cells.facet_op, cells.facet_unit), {})


def _check_volumes(cells: SpatialComplex) -> float:
    """Volumes sum to the domain's."""
    total, corners = cells.domain.measure, cells.domain.corners
    error = abs(float(cells.measures.sum()) - total) / total
    spacing = float((np.spacing(np.abs(corners).max(axis=0)) / np.ptp(corners, axis=0)).max())
    allowed = max(MEASURE_TOLERANCE, cells.dimension * spacing)  # far from the origin, coordinates resolve no more
    if error > allowed * np.sqrt(len(cells) + 1) and not cells.truncated:
        fail("measures", np.arange(len(cells)), f"they sum to the domain's measure times {1 - error!r} or more")
    return error


def _check_closed(cells: SpatialComplex) -> None:
    """Every ridge of a cell is on exactly two of its facets: the boundary of a cell has no hole."""
    d = cells.dimension
    wrong = np.flatnonzero(~closed(cells.faces[d], cells.faces[d - 1]))
    if len(wrong):
        fail("closed", wrong, "a ridge of the cell is not on exactly two of its facets")


def _check_facets(cells: SpatialComplex) -> None:
    """The cells recorded for a facet are those in whose lists it is: two, or one on the boundary."""
    lists = cells.faces[cells.dimension]
    owner = np.repeat(np.arange(len(cells)), np.diff(lists.offsets))
    listed = np.bincount(lists.items, minlength=len(cells.facet_op))
    recorded = (cells.facet_cells >= 0).sum(axis=1)
    there = (cells.facet_cells[lists.items] == owner[:, None]).any(axis=1)
    wrong = np.unique(owner[~there | (listed != recorded)[lists.items]])
    if len(wrong):
        fail("facets", wrong, "a facet of the cell is not recorded as such")
