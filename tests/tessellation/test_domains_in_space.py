"""Segments, boxes, and slices of three and more dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope import Box, Segment, Slice
from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains import Domain

RNG = np.random.default_rng(0)
POINTS = list(RNG.normal(size=(5, 2, 3)))
DOMAINS = [
    Segment(POINTS[0], POINTS[1]),
    Box([[0.0, -1, 2], [0, 0, 0]], [[1.0, 1, 2], [0, 3, 0]]),
    Slice.through(*POINTS[:3], margin=0.1),
    Slice.through(*POINTS[:3], margin=0.1, x3=POINTS[3]),
    Slice.through(POINTS[0], dimension=4),
    Slice(POINTS[0], np.stack(POINTS[1:4]), np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: f"{type(d).__name__}-{d.dimension}")
def test_every_domain_is_a_polytope(domain: Domain) -> None:
    """Corners satisfy all half-spaces, each of which is tight at d corners; embedding and projecting are inverse."""
    normals, offsets = domain.halfspaces[:, :-1], domain.halfspaces[:, -1]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-14)
    slack = domain.corners @ normals.T + offsets
    assert slack.max() < 1e-12
    assert ((np.abs(slack) < 1e-12).sum(axis=0) >= domain.dimension).all()
    assert (normals @ domain.centre + offsets < 0).all()
    inputs = domain.embed(domain.corners)
    assert inputs.shape == (len(domain.corners), *domain.input_shape)
    np.testing.assert_allclose(domain.project(inputs), domain.corners, atol=1e-12)
    linear = domain.origin + np.tensordot(domain.corners, domain.basis, axes=1)
    np.testing.assert_allclose(inputs, linear, atol=1e-12)


def test_four_points_lie_at_their_anchors() -> None:
    space = Slice.through(*POINTS[:3], margin=0.0, x3=POINTS[3])
    np.testing.assert_allclose(space.embed(space.anchors), POINTS[:4], atol=1e-14)
    flat = space.basis.reshape(3, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(3), atol=1e-14)
    assert space.measure == pytest.approx(space.size**3, rel=1e-13)


def test_fixed_coordinates_of_a_box() -> None:
    box = DOMAINS[1]
    assert isinstance(box, Box)
    assert (box.dimension, box.free.tolist(), box.measure) == (3, [0, 1, 4], 6.0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Segment([0.0, 1], [0.0, 1]), "same point"),
        (lambda: Segment([0.0, 1], [0.0, 1, 2]), "expected one shape"),
        (lambda: Segment([0.0, np.inf], [0.0, 1]), "NaN or infinite"),
        (lambda: Box([0.0, 1], [1.0, 0]), r"1.0 is above 0.0 at \(1,\)"),
        (lambda: Box([0.0, 1], [0.0, 1]), "same point"),
        (lambda: Box([0.0, 1], [0.0, 1, 2]), "expected one shape"),
        (lambda: Box([0.0] * 30, [1.0] * 30).corners, "30 dimensions"),
        (lambda: Slice.through([0.0, 1, 2], dimension=4), "`dimension`: got 4"),
        (lambda: Slice.through(*np.eye(4)[:3], x3=np.eye(4)[:3].mean(axis=0)), "expected four that span a space"),
        (lambda: Slice(np.zeros(3), np.eye(3), np.zeros((4, 3))), "enclose no volume"),
        (lambda: Slice(np.zeros(3), np.eye(3), np.zeros((4, 2))), "for 3 directions"),
        (lambda: Slice(np.zeros(3), np.eye(3)[:1], np.zeros((4, 1))), "or more directions"),
    ],
)
def test_refusals(make: object, text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        make()  # type: ignore[operator]
