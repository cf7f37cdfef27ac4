"""Neighbours and linear regions."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.tessellation.complex import adjacency
from splinescope.tessellation.regions import linear_regions
from tests.fixtures.recipes import Builder, mlp
from tests.queries.scenes import SCENES, complex_of, scene


@pytest.mark.parametrize("name", SCENES)
def test_adjacency_is_that_of_common_edges(name: str) -> None:
    _, cells = scene(name)
    graph = adjacency(cells.facets.cells, len(cells))
    expected = np.zeros((len(cells), len(cells)), dtype=bool)
    for left, right in cells.edge_cells:
        if min(left, right) >= 0:
            expected[left, right] = expected[right, left] = True
    np.testing.assert_array_equal(graph.toarray(), expected)
    np.testing.assert_array_equal(graph.toarray(), cells.adjacency.toarray())
    assert graph.dtype == bool


@pytest.mark.parametrize("name", SCENES)
def test_in_general_position_every_cell_is_a_linear_region(name: str) -> None:
    _, cells = scene(name)
    regions = linear_regions(cells, 1e-12)
    assert regions.count == len(cells)
    assert sorted(regions.labels) == list(range(len(cells)))
    assert len(regions.merged_edges) == 0


def test_units_that_cancel_leave_one_linear_region() -> None:
    """relu(x) - relu(-x) + relu(y) - relu(-y) = x + y: four cells, one map."""
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, -1, 1, -1]]], [np.zeros(4), np.zeros(1)])
    cells = complex_of(recipe)
    regions = linear_regions(cells)
    assert len(cells) == 4
    assert regions.count == 1
    assert regions.labels.tolist() == [0] * 4


def test_a_unit_without_influence_does_not_divide() -> None:
    """The second unit's weight to the output is 0: three lines make cells, two make linear regions."""
    lines, weights = np.array([[1.0, 0.2], [0.3, 1.0], [1.0, -1.0]]), [[2.0, 0.0, -1.0]]
    everything = complex_of(mlp([lines, weights], [[0.1, 0.05, -0.1], [0.0]]))
    regions = linear_regions(everything)
    alone = complex_of(mlp([lines[[0, 2]], [[2.0, -1.0]]], [[0.1, -0.1], [0.0]]))
    assert regions.count == len(alone) == 4
    assert len(everything) == 7
    place = alone.locate(everything.interior_points)
    together = regions.labels[:, None] == regions.labels
    np.testing.assert_array_equal(together, place[:, None] == place)


def test_equal_maps_that_meet_in_a_point_only_are_two_regions() -> None:
    """relu(x) relu-gated by y: x y > 0 has the map 0 in two opposite quadrants of max(min(x, y), min(-x, -y))."""
    builder = Builder(2)
    builder.dense([[-1, 0], [0, -1], [1, 0], [0, 1]])
    builder.maximum([[0, 1], [2, 3]])  # max(-x, -y), max(x, y)
    builder.dense([[1, 1]])
    builder.fold()
    cells = complex_of(builder.build())
    regions = linear_regions(cells)
    # |x - y|: two regions; the fold of the ReLU lies on that of the maxima.
    assert regions.count == 2


def test_a_dead_network_is_one_linear_region() -> None:
    recipe = mlp([[[1, 0.3], [0.2, 1]], [[-1, -1]], [[5]]], [[0, 0], [-1], [2]])
    cells = complex_of(recipe)
    assert len(cells) == 4
    assert linear_regions(cells).count == 1


def test_refuses_a_negative_tolerance() -> None:
    with pytest.raises(InvalidInputError, match="`tolerance`: got -1"):
        linear_regions(scene("plane")[1], -1.0)
