"""The same numbers in every dimension: segments, boxes with vertices, and region graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import splinescope
from splinescope.complexity.theory.degrees import degree_statistics
from splinescope.complexity.theory.deletion import deletion_restriction
from splinescope.complexity.theory.power_diagrams import check_power_diagram
from splinescope.complexity.theory.table import region_bounds
from splinescope.tessellation.domains import Box, Domain, Segment
from splinescope.tessellation.region_graph import region_graph
from tests.fixtures.engine_networks import to_network
from tests.fixtures.reference_nets import path_of
from tests.queries.scenes import gaussian

DOMAINS: dict[int, Domain] = {
    1: Segment([-3.0, 0.4], [3.0, -0.2]),
    2: splinescope.Slice.box([-1.0, -1.0], [1.0, 1.0]),
    3: Box([-1.0] * 3, [1.0] * 3),
    4: Box([-1.0] * 4, [1.0] * 4),
}


def complex_of(dimension: int, engine: str, widths: tuple[int, ...] = (7, 5)) -> Any:
    """The cells of a random network, by the engine with vertices or by the region graph."""
    network = to_network(gaussian(3, widths, 3, inputs=max(2, dimension)))
    if engine == "graph":
        return region_graph(network, DOMAINS[dimension])
    return splinescope.tessellate(network, DOMAINS[dimension])


EVERY = pytest.mark.parametrize(
    ("dimension", "engine"),
    [*((d, "vertices") for d in (1, 2, 3, 4)), *((d, "graph") for d in (2, 3, 4))],
)


@EVERY
def test_bounds_and_degrees(dimension: int, engine: str) -> None:
    cells = complex_of(dimension, engine)
    table = region_bounds(cells)
    assert not table.violations
    assert table.dimension == dimension
    assert table.row("Serra 2018").applies
    assert table.row("Telgarsky 2015").applies == (dimension == 1)
    degrees = degree_statistics(cells)
    assert degrees.mean <= degrees.upper == 2 * dimension
    assert degrees.inner is not None
    assert table.row("Buck 1943").found == degrees.inner.sum()
    assert len(cells.facets.cells) == degrees.degrees.sum() / 2


@EVERY
def test_deletion_and_restriction(dimension: int, engine: str) -> None:
    cells = complex_of(dimension, engine)
    crossed = 0
    for unit in range(5):
        found = deletion_restriction(cells, unit, tessellate=region_graph if engine == "graph" else None)
        assert found.holds
        assert found.named == found.on_fold
        crossed += found.on_fold
        if engine == "vertices":
            assert found.faces is not None
            assert found.faces.holds, "faces of every dimension"
            assert len(found.faces.whole) == dimension + 1
    assert crossed > 0


@EVERY
def test_power_diagrams(dimension: int, engine: str) -> None:
    cells = complex_of(dimension, engine)
    for node, _, _ in cells.pattern_nodes:
        check = check_power_diagram(cells, node)
        assert check.agreement == 1.0
        assert np.isnan(check.largest_excess) == (engine == "graph")
        assert not check.largest_excess > 1e-13


@pytest.mark.parametrize(
    ("dimension", "units", "regions", "degree"),
    [(4, 4, 16, 4.00), (4, 8, 163, 6.28), (5, 4, 16, 4.00), (5, 8, 219, 7.23)],
)
def test_gaines_bi_table(dimension: int, units: int, regions: int, degree: float) -> None:
    """One layer in a box that holds every crossing: all regions, and exactly the degrees of theory."""
    network = to_network(gaussian(units, (units,), inputs=dimension))
    cells = region_graph(network, Box([-1e4] * dimension, [1e4] * dimension))
    table = region_bounds(cells)
    assert len(cells) == regions == table.row("Zaslavsky 1975").value
    assert table.row("Buck 1943").found == table.row("Buck 1943").value
    found = table.row("Gaines-Bi 2026, one layer")
    assert found.value == found.found
    assert round(float(degree_statistics(cells).mean), 2) == degree


def test_reference_network_in_space() -> None:
    cells = splinescope.tessellate(splinescope.load(path_of("N5.npz")), Box([-1.0] * 3, [1.0] * 3))
    table = region_bounds(cells)
    assert table.count == 20_724
    assert not table.violations
    assert 5 < degree_statistics(cells).mean < 6
    unit = int(np.bincount(cells.facet_unit[cells.facet_op == cells.pattern_nodes[-1][0]]).argmax())
    found = deletion_restriction(cells, unit)
    assert found.holds
    assert found.faces is not None
    assert found.faces.holds
