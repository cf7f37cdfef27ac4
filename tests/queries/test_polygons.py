"""Measures of polygons against shapely, closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from splinescope.geometry.fits import fit_affine
from splinescope.geometry.planar.polygons import measure_polygons, polygon_areas

Family = tuple[np.ndarray, np.ndarray, np.ndarray]


def family(*polygons: object) -> Family:
    """Polygons as arrays."""
    corners = [np.asarray(polygon, dtype=np.float64) for polygon in polygons]
    offsets = np.concatenate([[0], np.cumsum([len(ring) for ring in corners])])
    return np.concatenate(corners), np.arange(offsets[-1], dtype=np.int32), offsets


def convex_polygon(seed: int, scale: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Corners, counter-clockwise, of the hull of random points, stretched and turned."""
    rng = np.random.default_rng(seed)
    hull = shapely.MultiPoint(rng.normal(size=(rng.integers(3, 12), 2)) * scale).convex_hull
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(shapely.orient_polygons(hull).exterior.coords)[:-1] @ turn + rng.normal(size=2)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e-3, 1e-6]))
def test_measures_agree_with_shapely(seed: int, flatness: float) -> None:
    ring = convex_polygon(seed, (1.0, flatness))
    polygon = shapely.Polygon(ring)
    measures = measure_polygons(*family(ring))
    centroid = np.array(polygon.centroid.coords[0])
    distances = np.hypot(*(ring - centroid).T)
    assert measures.areas[0] == pytest.approx(polygon.area, rel=1e-12, abs=1e-15)
    assert measures.perimeters[0] == pytest.approx(polygon.length, rel=1e-13)
    np.testing.assert_allclose(measures.centroids[0], centroid, atol=1e-8)
    assert measures.corners[0] == len(ring)
    assert measures.diameters[0] == pytest.approx(np.hypot(*(ring[:, None] - ring[None]).T).max(), rel=1e-13)
    assert measures.largest_distances[0] == pytest.approx(distances.max(), rel=1e-7)
    assert measures.smallest_distances[0] == pytest.approx(distances.min(), abs=1e-8)
    assert measures.mean_distances[0] == pytest.approx(distances.mean(), rel=1e-7)
    assert measures.std_distances[0] == pytest.approx(distances.std(), abs=1e-8)


@given(st.integers(0, 2**32 - 1))
def test_a_straight_vertex_changes_nothing(seed: int) -> None:
    ring = convex_polygon(seed)
    middle = (ring + np.roll(ring, -1, axis=0)) / 2
    refined = np.stack([ring, middle], axis=1).reshape(-1, 2)
    plain, with_straight = measure_polygons(*family(ring)), measure_polygons(*family(refined))
    for name, value in vars(plain).items():
        np.testing.assert_allclose(getattr(with_straight, name), value, rtol=1e-12, atol=1e-12, err_msg=name)


def test_regular_polygon() -> None:
    angles = 2 * np.pi * np.arange(7) / 7
    measures = measure_polygons(*family(np.column_stack([np.cos(angles), np.sin(angles)]) + 5))
    assert measures.areas[0] == pytest.approx(3.5 * np.sin(2 * np.pi / 7))
    assert measures.perimeters[0] == pytest.approx(14 * np.sin(np.pi / 7))
    assert measures.largest_distances[0] == pytest.approx(1.0)
    assert measures.smallest_distances[0] == pytest.approx(1.0)
    assert measures.std_distances[0] == pytest.approx(0.0, abs=1e-14)


def test_a_sliver_of_no_area_keeps_its_corners_and_a_centroid_inside() -> None:
    measures = measure_polygons(*family([[0.0, 0.0], [1.0, 1e-18], [0.5, 1e-18]]))
    assert measures.corners[0] == 3
    assert 0.0 <= measures.centroids[0, 0] <= 1.0
    assert np.isfinite(measures.perimeters[0])


def test_areas_are_signed_and_exact_far_from_the_origin() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    areas = polygon_areas(*family(square + 2.0**40, square[::-1] * 3))
    assert areas.tolist() == [1.0, -9.0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e-4, 1e-7]))
def test_affine_functions_are_recovered_from_their_values(seed: int, flatness: float) -> None:
    ring = convex_polygon(seed, (1.0, flatness))
    rng = np.random.default_rng(seed + 1)
    gradient, constant = rng.normal(size=(3, 2)), rng.normal(size=3)
    fit = fit_affine(*family(ring), ring @ gradient.T + constant)
    assert fit.widths[0] > 0
    bound = 1e-13 / min(1.0, fit.widths[0])
    assert np.abs(fit.gradients[0] - gradient).max() < bound
    assert np.abs(fit.constants[0] - constant).max() < 5 * bound * (1 + np.abs(ring).max())


def test_a_fit_on_a_line_knows_the_slope_along_it() -> None:
    ring = np.array([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]])
    fit = fit_affine(*family(ring), (ring @ [1.0, 3.0])[:, None])
    assert fit.widths[0] == pytest.approx(0.0, abs=1e-15)
    assert fit.gradients[0, 0] @ [1.0, 1.0] == pytest.approx(4.0)
