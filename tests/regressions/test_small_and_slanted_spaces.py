"""Domains of three and four dimensions that were refused or measured wrong: small boxes, polytopes, thin cells."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from torch import nn

import splinescope
from splinescope import Box, Slice
from splinescope.tessellation.certificate.elimination import hyperplane_through
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Builder
from tests.fixtures.single_layers import one_layer
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells


def test_a_fold_that_is_what_is_left_of_two() -> None:
    """A unit a millionth of its terms: its vertices are placed exactly, or a thin cell's volume is off by 1e-6."""
    builder = Builder(3)
    builder.dense(np.diag([0.0, 0, 1, 0])[:, :3], [0, 0, 0, 1e-9])
    builder.dense([[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1.0000014, -8e-07], [0, 0, 0, 0]])
    builder.total((1, 2), (1.0, -1.0))
    builder.layer([[0, 1, 0, 0], [0, 0, 1, 0]])
    half = np.array([4.933013080593664e-05, 2.175833562938983e-06, 4.653799897148813e-05])
    network, domain = to_network(builder.build()), Box(-half, half)
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


def test_a_small_box_of_four_dimensions() -> None:
    """Inputs of 1e-6 are no powers of two: a corner is above a fold by a rounding, and edges there have no length."""
    weight = np.array([[-2.0, -1, -1, 1], [0, -1, 1, 2], [-2, 2, -1, 1]])
    network = splinescope.from_torch(one_layer(1e6 * weight, [1.0, 0, 0]), input_shape=(4,))
    cells = splinescope.tessellate(network, Box(np.full(4, -1e-6), np.full(4, 1e-6)), verify="proof")
    assert np.isfinite(cells.vertices).all()
    assert len(cells) == 8
    large = splinescope.from_torch(one_layer(weight, [1.0, 0, 0]), input_shape=(4,))
    expected = splinescope.tessellate(large, Box(-np.ones(4), np.ones(4)), verify="proof").measures
    np.testing.assert_allclose(np.sort(cells.measures), np.sort(expected) * 1e-24, rtol=1e-12)


def test_a_unit_on_its_breakpoint_all_over_a_cell() -> None:
    """An edge of a polytope is on four sides and more, which meet there if they go through corners."""
    rng = np.random.default_rng(0)
    corners = 2 * rng.normal(size=(8, 4))
    rng.normal(size=(5, 4))
    first, bias = rng.normal(size=(3, 4)), (rng.integers(-2, 3, (3, 4)), rng.normal(size=3))[1]
    second = one_layer(np.array([[1.0, -1, 0]]), [0.0])
    network = splinescope.from_torch(nn.Sequential(*one_layer(first, bias.tolist()), *second), input_shape=(4,))
    domain = Slice(np.zeros(4), np.eye(4), corners)
    assert splinescope.tessellate(network, domain, verify="proof").certificate.level == "proof"


@pytest.mark.parametrize("seed", range(4))
def test_slanted_cross_polytopes(seed: int) -> None:
    """Eight corners, sixteen sides, four of them along each edge."""
    rng = np.random.default_rng(seed)
    frame = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    layers = [*one_layer(rng.normal(size=(4, 4)), [0.0] * 4), *one_layer(rng.integers(-1, 2, (3, 4)) + 0.0, [0.0] * 3)]
    network = splinescope.from_torch(nn.Sequential(*layers), input_shape=(4,))
    domain = Slice(np.zeros(4), np.eye(4), np.vstack([frame, -frame]))
    cells = splinescope.tessellate(network, domain, verify="proof")
    assert cells.certificate.level == "proof"
    assert cells.measures.sum() == pytest.approx(2 / 3, rel=1e-12)  # 2^4 / 4!


def test_hyperplanes_through_points() -> None:
    """The form is zero at all points, and there is none where it is not the only one."""
    rng = np.random.default_rng(1)
    normal = [Fraction(int(x)) for x in rng.integers(1, 9, 4)]
    points = []
    for row in rng.integers(-9, 10, (6, 3)).tolist():
        last = -(sum(n * x for n, x in zip(normal[1:], row, strict=True)) + 5) / normal[0]
        points.append([last, *(Fraction(x) for x in row), Fraction(1)])
    form = hyperplane_through(points)
    assert form is not None
    scale = normal[0] / form[0]
    assert [scale * x for x in form] == [*normal, 5]
    assert hyperplane_through(points[:3]) is None
    assert hyperplane_through([*points, [Fraction(0)] * 4 + [Fraction(1)]]) is None
