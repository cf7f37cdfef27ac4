"""Statistics of cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.tessellation.metric import isometry, positions
from splinescope.tessellation.statistics import cell_statistics, summary
from tests.fixtures.recipes import mlp
from tests.queries.scenes import SCENES, SKEW, complex_of, polygons_of, scene


@pytest.mark.parametrize("name", SCENES)
def test_agree_with_shapely(name: str) -> None:
    _, cells = scene(name)
    statistics = cell_statistics(cells)
    polygons = polygons_of(cells)
    np.testing.assert_allclose(statistics.areas, [p.area for p in polygons], rtol=1e-8)
    np.testing.assert_allclose(statistics.perimeters, [p.length for p in polygons], rtol=1e-12)
    np.testing.assert_allclose(statistics.areas, cells.measures, rtol=1e-8)
    assert statistics.areas.sum() == pytest.approx(cells.domain.area, rel=1e-12)
    assert (statistics.eccentricities >= 1).all()
    assert statistics.space == "domain"


def test_closed_form_of_a_cross() -> None:
    """Units x and y cut the rectangle [-1, 3] x [-1, 1] into four rectangles."""
    recipe = mlp([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    cells = complex_of(recipe, [(-1, -1), (3, -1), (3, 1), (-1, 1)])
    statistics = cell_statistics(cells)
    order = np.lexsort(statistics.centroids.T)
    np.testing.assert_allclose(statistics.areas[order], [1, 3, 1, 3])
    np.testing.assert_allclose(statistics.perimeters[order], [4, 8, 4, 8])
    np.testing.assert_allclose(statistics.diameters[order], np.sqrt([2, 10, 2, 10]))
    np.testing.assert_allclose(statistics.mean_distances[order], np.sqrt([2, 10, 2, 10]) / 2)
    np.testing.assert_allclose(statistics.std_distances, 0, atol=1e-15)
    np.testing.assert_allclose(statistics.eccentricities, 1)
    assert statistics.corners.tolist() == [4] * 4


def test_input_space_measures_in_the_metric_of_the_input() -> None:
    _, cells = scene("skew")
    inside, outside = cell_statistics(cells), cell_statistics(cells, space="input")
    factor = np.sqrt(np.linalg.det(SKEW @ SKEW.T))
    np.testing.assert_allclose(outside.areas, factor * inside.areas, rtol=1e-8)
    np.testing.assert_allclose(outside.centroids, inside.centroids, atol=1e-9)
    embedded = cells.vertices @ SKEW
    lengths = np.linalg.norm(embedded[cells.edges[:, 0]] - embedded[cells.edges[:, 1]], axis=1)
    plane = positions(cells, "input")
    np.testing.assert_allclose(np.hypot(*(plane[cells.edges[:, 0]] - plane[cells.edges[:, 1]]).T), lengths)
    np.testing.assert_allclose(isometry(cells) @ isometry(cells).T, SKEW @ SKEW.T)
    assert isometry(cells)[0, 1] == 0
    assert (np.diag(isometry(cells)) > 0).all()


def test_summary_is_plain_json() -> None:
    _, cells = scene("plane")
    facts = json.loads(json.dumps(summary(cells), allow_nan=False))
    assert facts["cells"] == len(cells)
    assert facts["vertices"] - facts["edges"] + facts["cells"] == 1
    assert facts["area"] == pytest.approx(4.0)
    assert facts["statistics"]["areas"]["mean"] == pytest.approx(4.0 / len(cells))
    assert facts["mean_neighbours"] < 4
    assert set(facts["statistics"]["corners"]) == {"mean", "std", "min", "median", "max"}


def test_refuses_an_unknown_space() -> None:
    with pytest.raises((InvalidInputError, TypeError), match="space"):
        cell_statistics(scene("plane")[1], space="moon")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["SegmentComplex", "SegmentBatch", "SpatialComplex", "RegionGraph"])
def test_cells_that_are_no_polygons_are_refused(kind: str) -> None:
    """Those of a segment once had areas of zero, and perimeters of twice the diagonal."""
    network = splinescope.load(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1)))
    ends = np.random.default_rng(1).normal(size=(2, 5))
    cells = {
        "SegmentComplex": lambda: splinescope.tessellate(network, splinescope.Segment(*ends)),
        "SegmentBatch": lambda: splinescope.tessellate_segments(network, ends[:1], ends[1:]),
        "SpatialComplex": lambda: splinescope.tessellate(network, splinescope.Slice.through(*ends, dimension=3)),
        "RegionGraph": lambda: splinescope.region_graph(network, splinescope.Slice.through(*ends)),
    }[kind]()
    for question in (cell_statistics, summary):
        with pytest.raises(InvalidInputError, match=f"`cells`: got a {kind}.*expected a PlanarComplex"):
            question(cells)
