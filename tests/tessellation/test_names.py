"""Names and units of coordinates are part of a domain, and stay with what is made from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Segment, Slice
from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains import Domain

PLANE = ("x1 (m)", "x2 (m)")


def relu(inputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 3), nn.ReLU(), nn.Linear(3, 2))


def test_every_way_to_make_a_domain() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    made = [
        Slice(np.zeros(2), np.eye(2), corners, names=list(PLANE)),
        Slice.box([-1.0, -1.0], [1.0, 1.0], names=PLANE),
        Slice.through([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], names=PLANE),
        Box([-1.0, -1.0], [1.0, 1.0], names=PLANE),
        Box([-1.0, 5.0, -1.0], [1.0, 5.0, 1.0], names=("x1 (m)", "fixed", "x2 (m)")),
    ]
    assert {domain.names for domain in made} == {PLANE}
    assert Segment([0.0], [1.0], names="dose").names == Segment([0.0], [1.0], names=("dose",)).names == ("dose",)
    assert Slice.box([-1.0, -1.0], [1.0, 1.0]).names is None


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (
            lambda: Slice.box([0, 0], [1, 1], names=("x",)),
            r"`names`: got \['x'\]; expected 2 texts, one for each coord",
        ),
        (lambda: Slice.box([0, 0], [1, 1], names="xy"), r"`names`: got \['xy'\]; expected 2 texts"),
        (lambda: Slice.through(np.zeros(3), names=("a", "b", "c")), "expected 2 texts"),
        (lambda: Segment([0.0], [1.0], names=("a", "b")), "expected 1 text, one for each"),
        (lambda: Box([0.0, 1.0, 0.0], [1.0, 1.0, 1.0], names=("a",)), "expected 2 or 3 texts"),
    ],
)
def test_wrong_names(make: object, what: str) -> None:
    with pytest.raises(InvalidInputError, match=what):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "domain",
    [
        Slice.box([-1.0, -1.0], [1.0, 1.0], names=PLANE),
        Slice.through(np.zeros(4), np.eye(4)[0], np.eye(4)[1], names=PLANE),
        Slice.through(np.zeros(4), dimension=3, names=("a", "b", "c")),
        Segment(np.zeros(4), np.ones(4), names=("t",)),
        Box([-1.0] * 4, [1.0, -1.0, 1.0, -1.0], names=PLANE),
    ],
)
def test_another_input_shape_is_the_same_domain(domain: Domain) -> None:
    shape = (1, domain.origin.size // 2, 2)
    other = domain.reshaped(shape)
    assert (other.input_shape, other.names, other.dimension) == (shape, domain.names, domain.dimension)
    np.testing.assert_array_equal(other.corners, domain.corners)
    np.testing.assert_array_equal(other.halfspaces, domain.halfspaces)
    inputs = domain.embed(domain.corners)
    np.testing.assert_array_equal(other.embed(other.corners), inputs.reshape(-1, *shape))
    with pytest.raises(InvalidInputError, match=r"`input_shape`: got \(7,\) for inputs of shape .*as many numbers"):
        domain.reshaped((7,))


def test_complexes_keep_them() -> None:
    line = splinescope.tessellate(relu(1), Segment([0.0], [1.0], names="dose"))
    plane = splinescope.tessellate(relu(2), Box([-1.0] * 2, [1.0] * 2, names=PLANE))
    space = splinescope.tessellate(relu(3), Box([-1.0] * 3, [1.0] * 3, names=("a", "b", "c")))
    graph = splinescope.region_graph(relu(2), Box([-1.0] * 2, [1.0] * 2, names=PLANE))
    surface = splinescope.level_set(space)
    found = [cells.domain.names for cells in (line, plane, space, graph, surface)]
    assert found == [("dose",), PLANE, ("a", "b", "c"), PLANE, ("a", "b", "c")]
    assert isinstance(plane.domain, Slice)


def test_a_box_of_one_dimension_says_how_far_its_segment_goes() -> None:
    cells = splinescope.tessellate(relu(1), Box([-5.0], [10.0], names=("x (m)",)))
    assert cells.domain.names == ("x (m), from -5 at 0 to 10 at 1",)
