"""Point location against nearest neighbours in Voronoi diagrams, and its promises on edges and outside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import Voronoi, cKDTree

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.geometry.planar.grid import Locator
from splinescope.geometry.planar.polygons import polygon_areas
from tests.queries.scenes import SCENES, polygons_of, sample, scene


def voronoi(count: int, seed: int) -> tuple[np.ndarray, Locator]:
    """Cells of random points in a square, which mirrored points bound."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (count, 2))
    mirrors = [points * [1, -1] + [0, 2 * s] for s in (-1, 1)] + [points * [-1, 1] + [2 * s, 0] for s in (-1, 1)]
    diagram = Voronoi(np.vstack([points, *mirrors]))
    rings = [np.array(diagram.regions[diagram.point_region[i]]) for i in range(count)]
    used, corners = np.unique(np.concatenate(rings), return_inverse=True)
    offsets = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
    vertices, corners = diagram.vertices[used], corners.astype(np.int32)
    for i in np.flatnonzero(polygon_areas(vertices, corners, offsets) < 0):
        corners[offsets[i] : offsets[i + 1]] = corners[offsets[i] : offsets[i + 1]][::-1]
    return points, Locator.of(vertices, corners, offsets)


@pytest.mark.parametrize("count", [1, 2, 30, 5000])
def test_locates_points_in_their_voronoi_cells(count: int) -> None:
    points, locator = voronoi(count, count)
    queries = np.random.default_rng(1).uniform(-1, 1, (20_000, 2))
    np.testing.assert_array_equal(locator.locate(queries), cKDTree(points).query(queries)[1])


@pytest.mark.parametrize("count", [300, 30_000])
def test_a_point_is_compared_with_few_cells_however_many_there_are(count: int) -> None:
    _, locator = voronoi(count, 0)
    candidates = np.diff(locator.bucket_offsets)
    assert candidates.mean() < 5
    assert candidates.max() < 20


@pytest.mark.parametrize("name", SCENES)
def test_points_of_the_domain_are_in_the_cell_that_is_said(name: str) -> None:
    _, cells = scene(name)
    points = sample(cells, 500)
    polygons = polygons_of(cells)
    found = cells.locate(points)
    assert (found >= 0).all()
    import shapely

    assert shapely.distance(polygons[found], shapely.points(points)).max() < 1e-12


@pytest.mark.parametrize("name", SCENES)
def test_points_on_edges_and_vertices_belong_to_one_of_their_cells(name: str) -> None:
    _, cells = scene(name)
    weights = np.random.default_rng(0).uniform(size=(len(cells.edges), 1))
    ends = cells.vertices[cells.edges]
    on_edges = cells.locate((1 - weights) * ends[:, 0] + weights * ends[:, 1])
    assert (on_edges[:, None] == cells.edge_cells).any(axis=1).all()
    at_vertices = cells.locate(cells.vertices)
    rings = [cells.cell_vertices[a:b] for a, b in zip(cells.cell_offsets[:-1], cells.cell_offsets[1:], strict=True)]
    assert all(vertex in rings[cell] for vertex, cell in enumerate(at_vertices))


def test_outside_is_minus_one() -> None:
    _, cells = scene("skew")
    far = np.array([[50.0, 0.0], [np.nan, 0.0], [0.0, np.inf], [-np.inf, np.nan]])
    assert cells.locate(far).tolist() == [-1] * 4
    corners = np.asarray(cells.domain.polygon)
    beyond = corners.mean(axis=0) + 1.0001 * (corners - corners.mean(axis=0))
    assert (cells.locate(beyond) == -1).all()
    assert cells.locate(np.empty((0, 2))).shape == (0,)


def test_refuses_points_of_another_shape() -> None:
    _, cells = scene("plane")
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(3,\); expected \[n, 2\]"):
        cells.locate(np.zeros(3))


def test_one_cell() -> None:
    square = splinescope.Slice.box([0.0, 0.0], [1.0, 1.0]).polygon
    locator = Locator.of(np.asarray(square), np.arange(4, dtype=np.int32), np.array([0, 4]))
    queries = np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [1.0, 0.3], [1.0 + 1e-9, 0.3]])
    assert locator.locate(queries).tolist() == [0, 0, 0, 0, -1]
