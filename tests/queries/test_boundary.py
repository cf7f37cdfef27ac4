"""Decision boundaries and class regions against dense samples, a naive twin, closed forms and ties."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from splinescope.errors import InvalidInputError
from splinescope.geometry.surface.chains import join_segments
from splinescope.tessellation.affine import affine_maps
from splinescope.tessellation.boundary import cell_classes, class_areas, class_regions, decision_boundary
from tests.fixtures.recipes import mlp
from tests.queries.scenes import SCENES, complex_of, gaussian, outputs_at, polygons_of, sample, scene


def classes_at(recipe: object, cells: object, points: np.ndarray) -> np.ndarray:
    """The class by definition."""
    values = outputs_at(recipe, cells, points)  # type: ignore[arg-type]
    return (values[:, 0] > 0).astype(int) if values.shape[1] == 1 else values.argmax(axis=1)


def competing(cells: object) -> tuple[np.ndarray, np.ndarray]:
    """Gradients and constants of what competes: the outputs, or 0 and the only output."""
    maps = affine_maps(cells)  # type: ignore[arg-type]
    if maps.c.shape[1] > 1:
        return maps.A, maps.c
    return np.concatenate([0 * maps.A, maps.A], axis=1), np.concatenate([0 * maps.c, maps.c], axis=1)


def naive_areas(cells: object) -> np.ndarray:
    """Area of each class, half-plane by half-plane with shapely."""
    gradients, constants = competing(cells)
    totals = np.zeros(constants.shape[1])
    for polygon, gradient, constant in zip(polygons_of(cells), gradients, constants, strict=True):  # type: ignore[arg-type]
        for k in range(len(totals)):
            piece = polygon
            for other in range(len(totals)):
                if other != k and not piece.is_empty:
                    piece = piece.intersection(half_plane(gradient[k] - gradient[other], constant[k] - constant[other]))
            totals[k] += piece.area
    return totals


def half_plane(normal: np.ndarray, offset: float) -> shapely.Polygon:
    """A large square on the side where `normal @ x + offset >= 0`."""
    length = np.linalg.norm(normal)
    if length < abs(offset) / 20:  # the line is far from the domain
        return shapely.box(-20, -20, 20, 20) if offset > 0 else shapely.Polygon()
    foot, inward = -offset * normal / length**2, normal / length
    along = 50 * np.array([-inward[1], inward[0]])
    return shapely.Polygon([foot + along, foot - along, foot - along + 50 * inward, foot + along + 50 * inward])


@pytest.mark.parametrize("name", SCENES)
def test_sides_of_the_boundary_have_the_classes_that_are_said(name: str) -> None:
    recipe, cells = scene(name)
    boundary = decision_boundary(cells)
    assert len(boundary.segments) > 3
    middle = boundary.segments.mean(axis=1)
    step = boundary.segments[:, 1] - boundary.segments[:, 0]
    normal = 1e-8 * np.column_stack([-step[:, 1], step[:, 0]]) / boundary.lengths[:, None]
    long = boundary.lengths > 1e-6
    np.testing.assert_array_equal(classes_at(recipe, cells, middle + normal)[long], boundary.classes[long, 0])
    np.testing.assert_array_equal(classes_at(recipe, cells, middle - normal)[long], boundary.classes[long, 1])
    values = outputs_at(recipe, cells, boundary.segments.reshape(-1, 2))
    values = np.column_stack([np.zeros(len(values)), values]) if values.shape[1] == 1 else values
    top = np.sort(values, axis=1)
    assert (top[:, -1] - top[:, -2]).max() < 1e-12
    distance = shapely.distance(polygons_of(cells)[boundary.cells], shapely.points(middle))
    assert distance.max() < 1e-12


@pytest.mark.parametrize("name", SCENES)
def test_areas_against_the_naive_twin(name: str) -> None:
    recipe, cells = scene(name)
    areas = class_areas(cells)
    assert areas.sum() == pytest.approx(cells.domain.area, rel=1e-12)
    np.testing.assert_allclose(areas, naive_areas(cells), atol=1e-8)
    points = sample(cells, 40_000)
    share = np.bincount(classes_at(recipe, cells, points), minlength=len(areas)) / len(points)
    np.testing.assert_allclose(areas / areas.sum(), share, atol=4 * 0.5 / np.sqrt(len(points)))


@pytest.mark.parametrize("name", SCENES)
def test_regions_tile_each_cell(name: str) -> None:
    recipe, cells = scene(name)
    regions = class_regions(cells)
    np.testing.assert_allclose(np.bincount(regions.cells, weights=regions.areas), cells.measures, rtol=1e-9, atol=1e-15)
    assert (regions.areas > -1e-15).all()
    centres = np.add.reduceat(regions.points, regions.offsets[:-1]) / np.diff(regions.offsets)[:, None]
    big = regions.areas > 1e-10
    np.testing.assert_array_equal(classes_at(recipe, cells, centres[big]), regions.classes[big])
    whole = np.bincount(regions.cells, minlength=len(cells)) == 1
    labels = cell_classes(cells)
    np.testing.assert_array_equal(classes_at(recipe, cells, cells.interior_points)[whole], labels[whole])


@pytest.mark.parametrize("name", SCENES)
def test_polylines_hold_every_segment_once_and_end_where_they_may(name: str) -> None:
    _, cells = scene(name)
    boundary = decision_boundary(cells)
    lines = boundary.polylines()
    length = sum(np.hypot(*np.diff(line.points, axis=0).T).sum() for line in lines)
    assert length == pytest.approx(boundary.lengths.sum(), rel=1e-12)
    assert sum(len(line.points) - 1 for line in lines) == len(boundary.segments)
    rim = shapely.Polygon(cells.domain.polygon).exterior
    ends = [line.points[i] for line in lines if not line.closed for i in (0, -1)]
    inner = [end for end in ends if rim.distance(shapely.Point(end)) > 1e-12]
    for end in inner:  # three classes meet: three polylines end there
        assert sum(np.abs(end - other).max() < 1e-10 for other in inner) == 3


def test_a_closed_curve() -> None:
    """|x| + |y| = 1/2: a diamond of length 2 sqrt(2), class 1 outside."""
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [np.zeros(4), [-0.5]])
    cells = complex_of(recipe)
    boundary = decision_boundary(cells)
    (line,) = boundary.polylines()
    assert line.closed
    np.testing.assert_array_equal(line.points[0], line.points[-1])
    assert boundary.lengths.sum() == pytest.approx(2 * np.sqrt(2), rel=1e-14)
    np.testing.assert_allclose(class_areas(cells), [0.5, 3.5], rtol=1e-14)
    outside = 1 if shapely.LinearRing(line.points).is_ccw else 0
    assert line.classes == ((0, 1) if outside else (1, 0))


def test_three_classes_meet_in_a_point() -> None:
    """Outputs x, -x/2 + y, -x/2 - y: three rays from the origin."""
    weights = [[1, -1, 0, 0], [-0.5, 0.5, 1, -1], [-0.5, 0.5, -1, 1]]
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], weights], [np.zeros(4), np.zeros(3)])
    boundary = decision_boundary(complex_of(recipe))
    lines = boundary.polylines()
    assert sorted(tuple(sorted(line.classes)) for line in lines) == [(0, 1), (0, 2), (1, 2)]
    for line in lines:
        assert min(np.abs(line.points[0]).max(), np.abs(line.points[-1]).max()) < 1e-14


def test_the_zero_set_of_a_relu_output_is_class_0_and_edges_bound_it() -> None:
    """relu(x) + relu(y) > 0 but on the third quadrant, where it is exactly 0."""
    recipe = mlp([np.eye(2), [[1, 1]]], [np.zeros(2), [0.0]])
    cells = complex_of(recipe)
    np.testing.assert_allclose(class_areas(cells), [1.0, 3.0])
    boundary = decision_boundary(cells)
    assert boundary.lengths.sum() == pytest.approx(2.0)
    (line,) = boundary.polylines()
    assert not line.closed
    assert any(np.abs(point).max() < 1e-15 for point in line.points)


def test_equal_outputs_go_to_the_lowest_class() -> None:
    recipe = mlp([np.eye(2), [[1, 1], [1, 1], [0, 0]]], [np.zeros(2), [0.0, 0.0, 0.25]])
    areas = class_areas(complex_of(recipe))
    assert areas[1] == 0.0
    assert areas.sum() == pytest.approx(4.0)
    everywhere = mlp([np.eye(2), np.zeros((3, 2))], [np.zeros(2), np.zeros(3)])
    cells = complex_of(everywhere)
    assert class_areas(cells).tolist() == [pytest.approx(4.0), 0.0, 0.0]
    assert len(decision_boundary(cells).segments) == 0
    assert decision_boundary(cells).polylines() == ()


def test_a_boundary_along_part_of_an_edge() -> None:
    """Outputs |x| + x, |x| - x and y + 1/2: classes 0 and 1 tie along x = 0, but only where y is below -1/2."""
    weights = [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, -1]]
    recipe = mlp([[[1, 0], [-1, 0], [0, 1], [0, -1]], weights], [np.zeros(4), [0.0, 0.0, 0.5]])
    cells = complex_of(recipe)
    boundary = decision_boundary(cells)
    between = np.flatnonzero((np.sort(boundary.classes, axis=1) == [0, 1]).all(axis=1))
    assert boundary.lengths[between].sum() == pytest.approx(0.5)
    np.testing.assert_allclose(boundary.segments[between][..., 0], 0.0, atol=1e-15)
    step = boundary.segments[between[0], 1] - boundary.segments[between[0], 0]
    assert boundary.classes[between[0], 0] == (1 if step[1] > 0 else 0), "class 1 is on the side of negative x"
    np.testing.assert_allclose(class_areas(cells), naive_areas(cells), atol=1e-12)


def test_some_classes_only() -> None:
    recipe, cells = scene("ten classes")
    boundary = decision_boundary(cells, classes=(7, 2))
    assert set(np.unique(boundary.classes)) <= {2, 7}
    areas = class_areas(cells, classes=[2, 7])
    assert areas.sum() == pytest.approx(4.0)
    values = outputs_at(recipe, cells, sample(cells, 40_000))
    assert areas[2] / 4 == pytest.approx((values[:, 2] >= values[:, 7]).mean(), abs=0.01)


@pytest.mark.parametrize("classes", [[1], [1, 1], [0, 10], [-1, 2], []])
def test_refuses_classes_that_do_not_compete(classes: list[int]) -> None:
    with pytest.raises(
        InvalidInputError, match=r"`classes`: got .*; expected at least two different classes from 0 to 9"
    ):
        decision_boundary(scene("ten classes")[1], classes)


def test_areas_in_input_units() -> None:
    _, cells = scene("skew")
    basis = cells.domain.basis.reshape(2, -1)
    factor = np.sqrt(np.linalg.det(basis @ basis.T))
    np.testing.assert_allclose(class_areas(cells, space="input"), factor * class_areas(cells))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1.0, 2.0, 4.0]))
def test_quantised_networks_with_ties_keep_every_area(seed: int, outputs: int, denominator: float) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-3, 4, size=shape) / denominator for shape in ((5, 2), (4, 5), (outputs, 4))]
    recipe = mlp(weights, [rng.integers(-2, 3, size=len(w)) / denominator for w in weights])
    cells = complex_of(recipe)
    assert class_areas(cells).sum() == pytest.approx(4.0, rel=1e-12)
    boundary = decision_boundary(cells)
    step = boundary.segments[:, 1] - boundary.segments[:, 0]
    long = boundary.lengths > 1e-9
    normal = 1e-7 * np.column_stack([-step[:, 1], step[:, 0]])[long] / boundary.lengths[long, None]
    middle = boundary.segments.mean(axis=1)[long]
    for side, sign in ((0, 1.0), (1, -1.0)):
        points = middle + sign * normal
        values = outputs_at(recipe, cells, points)
        values = np.column_stack([np.zeros(len(values)), values]) if outputs == 1 else values
        said = values[np.arange(len(values)), boundary.classes[long, side]]
        assert (said >= values.max(axis=1, initial=-np.inf) - 1e-12).all()


def test_chains() -> None:
    assert [chain.tolist() for chain in join_segments(np.array([[0, 1], [2, 1], [2, 3]]))] == [[0, -2, 2]]
    (loop,) = join_segments(np.array([[0, 1], [1, 2], [2, 0]]))
    assert sorted(np.where(loop < 0, -1 - loop, loop)) == [0, 1, 2]
    star = join_segments(np.array([[0, 1], [0, 2], [0, 3]]))
    assert sorted(len(chain) for chain in star) == [1, 1, 1]
    assert join_segments(np.empty((0, 2), dtype=np.int64)) == []


def test_more_outputs_than_cells() -> None:
    recipe = gaussian(9, (6,), 300)
    cells = complex_of(recipe)
    assert class_areas(cells).sum() == pytest.approx(4.0, rel=1e-12)
    points = sample(cells, 20_000)
    share = np.bincount(classes_at(recipe, cells, points), minlength=300) / len(points)
    np.testing.assert_allclose(class_areas(cells) / 4, share, atol=0.02)
