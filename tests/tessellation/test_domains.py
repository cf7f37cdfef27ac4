"""Slices: through three, two or one points, boxes, polygons, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope import Slice
from splinescope.errors import InvalidInputError


def points(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(4).normal(size=(count, 1, 3, 5)))


def test_three_points_lie_in_the_plane_at_their_anchors() -> None:
    inputs = points(3)
    plane = Slice.through(*inputs, margin=0.1)
    np.testing.assert_allclose(plane.embed(plane.anchors), inputs, atol=1e-14)
    np.testing.assert_allclose(plane.project(np.array(inputs)), plane.anchors, atol=1e-14)
    np.testing.assert_allclose(plane.basis.reshape(2, -1) @ plane.basis.reshape(2, -1).T, np.eye(2), atol=1e-15)


@pytest.mark.parametrize("given", [1, 2])
def test_random_directions_make_up_for_missing_points(given: int) -> None:
    inputs = points(given)
    plane = Slice.through(*inputs, generator=np.random.default_rng(7))
    again = Slice.through(*inputs, generator=np.random.default_rng(7))
    other = Slice.through(*inputs, generator=np.random.default_rng(8))
    np.testing.assert_allclose(plane.embed(plane.anchors), inputs, atol=1e-14)
    assert len(plane.anchors) == given
    np.testing.assert_array_equal(plane.basis, again.basis)
    assert np.abs(plane.basis - other.basis).max() > 1e-3


def test_radius_sets_the_size_around_one_point() -> None:
    small, large = (Slice.through(points(1)[0], radius=radius, margin=0.0).size for radius in (0.5, 5.0))
    assert large == pytest.approx(10 * small, rel=1e-12)


def test_clockwise_polygons_are_turned() -> None:
    plane = Slice(np.zeros(2), np.eye(2), np.array([[0, 0], [0, 1], [1, 0]]))
    assert plane.area == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Slice.through([0.0, 0, 0], [1.0, 1, 1], [2.0, 2, 2]), "lie on one line"),
        (lambda: Slice.through([0.0, np.nan], [1.0, 1], [2.0, 0]), "NaN or infinite"),
        (lambda: Slice.through([0.0, 1], [1.0, 1, 2], [2.0, 0]), "expected one shape"),
        (lambda: Slice.through([0.0, 1], [1.0, 2], [2.0, 0], margin=-1.0), "`margin`"),
        (lambda: Slice.through([0.0, 1, 2], radius=-1.0), "`radius`"),
        (lambda: Slice.box([1, 1], [0, 2]), "exactly two that vary"),
        (lambda: Slice.box([0, 0, 0], [1, 1, 1]), "in 3 inputs; expected exactly two that vary"),
        (lambda: Slice(np.zeros(2), np.eye(2), np.array([[0, 0], [1, 1], [2, 2]])), "enclose no area"),
        (
            lambda: Slice(np.zeros(2), np.eye(2), np.array([[0, 0], [2, 0], [1, 0.1], [0, 2]])),
            "not those of a convex polygon",
        ),
        (lambda: Slice(np.zeros(3), np.ones((2, 3)), np.array([[0, 0], [1, 0], [0, 1]])), "parallel or zero"),
        (lambda: Slice(np.zeros(3), np.ones((2, 4)), np.array([[0, 0], [1, 0], [0, 1]])), "`basis`: got shape"),
    ],
)
def test_refusals(make: object, text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        make()  # type: ignore[operator]
