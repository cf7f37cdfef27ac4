"""Right complexes whose vertices float64 rounds hard, and the smallest shift of a vertex that is caught among them."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

import splinescope
from splinescope.errors import CertificateError
from splinescope.tessellation import certify
from splinescope.tessellation.planar.complex import PlanarComplex, measure_cells
from tests.reference.families import member

HARD = {
    "deep": 15,  # 130 layers: float64 places vertices 1e-14 off folds that more digits know to 1e-16
    "offset": 2,  # coordinates of 1e8: a rounded vertex is in the cell beside it, where slopes are others
    "scale": 17,  # coordinates of 1e-104, whose third powers are subnormal
}


@functools.cache
def right(family: str, seed: int) -> PlanarComplex:
    """The complex of one of the hard networks."""
    one = member(family, seed)
    cells = splinescope.tessellate(one.network, one.domain, verify="topology")
    assert isinstance(cells, PlanarComplex)
    return cells


def shifted(cells: PlanarComplex, share: float, last: bool = False) -> PlanarComplex:
    """A vertex inside the domain moved by a share of the largest coordinates, on the first fold or the last one.

    Measures and interior points follow.
    """
    outside = np.unique(cells.edges[(cells.edge_cells < 0).any(axis=1)])
    order = np.argsort(cells.edge_op, kind="stable")
    ends = cells.edges[order[::-1] if last else order].ravel()
    vertices = cells.vertices.copy()
    vertices[ends[~np.isin(ends, outside)][0]] += share * np.abs(vertices).max(axis=0) * [0.8, -0.6]
    areas, points = np.empty(len(cells)), np.empty((len(cells), 2))
    measure_cells(0, len(cells), vertices, cells.cell_vertices, cells.cell_offsets, areas, points)
    return replace(cells, vertices=vertices, measures=areas, interior_points=points)


@pytest.mark.parametrize(("family", "seed"), HARD.items())
def test_a_right_complex_is_proved(family: str, seed: int) -> None:
    certificate = certify(right(family, seed), "proof")
    assert (certificate.level, certificate.errors, certificate.undecided_signs) == ("proof", "proved", 0)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("family", "share"), [("deep", 1e-9), ("offset", 1e-13), ("offset", 1e-11), ("scale", 1e-13), ("scale", 1e-6)]
)
def test_a_shift_is_caught(family: str, share: float, last: bool) -> None:
    with pytest.raises(CertificateError):
        certify(shifted(right(family, HARD[family]), share, last), "proof")


@pytest.mark.parametrize(("family", "seed"), [("scale", 4), ("scale", 11)])
def test_centroids_of_huge_and_tiny_cells(family: str, seed: int) -> None:
    cells = right(family, seed)
    size = np.abs(cells.vertices).max()
    unit, areas, points = cells.vertices / size, np.empty(len(cells)), np.empty((len(cells), 2))
    assert abs(3 * np.log10(size)) > 308  # third powers overflow, or vanish
    measure_cells(0, len(cells), unit, cells.cell_vertices, cells.cell_offsets, areas, points)
    assert np.allclose(cells.interior_points / size, points, rtol=0, atol=1e-15)
