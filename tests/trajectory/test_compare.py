"""Two networks compared: against closed forms, dense samples, rational arithmetic, and the shapes of both alone."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.trajectory import compare
from splinescope.trajectory.comparison.integrals import mean_absolute
from splinescope.trajectory.comparison.joint import join
from tests.trajectory.nets import formula_module, rational_outputs

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), dtype=torch.float64)
    layer.weight.data, layer.bias.data = (torch.tensor(values, dtype=torch.float64) for values in (weight, bias))
    return layer


def test_closed_form_of_a_moved_border() -> None:
    """Class 1 where y > 0, and where y > x / 2: on the square the classes differ on a quarter."""
    a, b = linear([[0, 0], [0, 1]], [0, 0]), linear([[0, 0], [-0.5, 1]], [0, 0])
    found = compare(a, b, SQUARE, verify="proof")
    assert found.certificate.level == "proof"
    assert found.largest_deviation == 0.5
    np.testing.assert_array_equal(found.deviations, [0.0, 0.5])
    assert abs(found.where[0]) == 1.0
    np.testing.assert_allclose(found.mean_deviations, [0.0, 0.25], rtol=1e-14)
    assert found.changed_measure == pytest.approx(0.5, rel=1e-14)  # two triangles of base 1 and height 1 / 2
    table = found.class_measures()
    np.testing.assert_allclose(table, [[1.75, 0.25], [0.25, 1.75]], rtol=1e-14)


def test_one_output_is_classified_by_its_sign() -> None:
    found = compare(linear([[1, 0]], [0]), linear([[1, 0]], [-0.25]), SQUARE)
    assert found.changed_measure == pytest.approx(0.5, rel=1e-14)
    assert found.changed_share == pytest.approx(0.125, rel=1e-14)
    assert found.largest_deviation == found.mean_deviation == 0.25


@pytest.mark.parametrize("seed", [0, 1])
def test_against_dense_samples_and_rational_arithmetic(seed: int) -> None:
    a, b = formula_module([2, 12, 8, 3], seed), formula_module([2, 12, 8, 3], seed + 10)
    found = compare(a, b, SQUARE, verify="proof")
    points = np.random.default_rng(0).uniform(-1, 1, (200_000, 2))
    one, other = splinescope.load(a)(points), splinescope.load(b)(points)
    deviation = np.abs(one - other)
    assert (found.deviations >= deviation.max(axis=0) - 1e-12).all()
    np.testing.assert_allclose(found.deviations, deviation.max(axis=0), rtol=0.02)
    spread = 5 * deviation.std(axis=0) / math.sqrt(len(points))
    assert (np.abs(found.mean_deviations - deviation.mean(axis=0)) < spread).all()
    share = (one.argmax(axis=1) != other.argmax(axis=1)).mean()
    assert abs(found.changed_share - share) < 5 * math.sqrt(share * (1 - share) / len(points)) + 1e-9
    assert math.fsum(np.diag(found.class_measures())) + found.changed_measure == pytest.approx(4.0, rel=1e-12)
    for k, point in enumerate(found.points):
        x = [Fraction(float(value)) for value in point]
        exact = rational_outputs(a, x)[k] - rational_outputs(b, x)[k]
        assert float(abs(exact)) == pytest.approx(found.deviations[k], rel=1e-12)
    cells = found.cells.locate(points[:2000])
    np.testing.assert_array_equal(found.classes_a[cells], one[:2000].argmax(axis=1))
    np.testing.assert_array_equal(found.classes_b[cells], other[:2000].argmax(axis=1))


def test_areas_of_classes_are_those_of_each_network_alone() -> None:
    a, b = formula_module([2, 10, 10, 4], 3), formula_module([2, 10, 10, 4], 4)
    table = compare(a, b, SQUARE).class_measures()
    for module, sums in ((a, table.sum(axis=1)), (b, table.sum(axis=0))):
        alone = splinescope.tessellation.boundary.class_areas(splinescope.tessellate(module, SQUARE))
        np.testing.assert_allclose(sums, alone, atol=1e-12)


def test_an_equal_network_differs_nowhere_and_costs_nothing() -> None:
    a = formula_module([2, 10, 10, 4], 3)
    found = compare(a, copy.deepcopy(a), SQUARE, verify="proof")
    assert found.largest_deviation == found.mean_deviation == found.changed_measure == 0.0
    units = splinescope.load(a).num_units
    assert found.cells.network.num_units == units + 1  # one contest
    assert len(found.cells) == len(compare(a, a, SQUARE).cells)


def test_shared_layers_are_one_layer() -> None:
    a = formula_module([2, 10, 10, 4], 3)
    b = copy.deepcopy(a)
    b[4].bias.data[0] += 1e-9
    joint = join(splinescope.load(a), splinescope.load(b))
    assert joint.network.num_units == 20 + 2
    found = compare(a, b, SQUARE)
    np.testing.assert_allclose(found.deviations, [1e-9, 0, 0, 0], rtol=1e-6)


def test_units_that_coincide_in_both() -> None:
    """One weight changed: all other folds lie on top of each other, and signs are decided exactly."""
    a = formula_module([2, 8, 8, 2], 5)
    b = copy.deepcopy(a)
    b[2].weight.data[0, 0] += 0.5
    found = compare(a, b, SQUARE, verify="proof")
    points = np.random.default_rng(0).uniform(-1, 1, (100_000, 2))
    deviation = np.abs(splinescope.load(a)(points) - splinescope.load(b)(points))
    assert found.largest_deviation == pytest.approx(deviation.max(), rel=0.02)
    assert found.largest_deviation >= deviation.max()
    assert found.mean_deviation == pytest.approx(deviation.mean(), rel=0.02)


@pytest.mark.parametrize("dimension", [1, 3, 4, 5])
def test_other_dimensions(dimension: int) -> None:
    a, b = formula_module([dimension, 3, 2], 1), formula_module([dimension, 3, 2], 2)
    box = splinescope.Box([-1.0] * dimension, [1.0] * dimension)
    domain = splinescope.Segment([-1.0], [1.0]) if dimension == 1 else box
    found = compare(a, b, domain)
    points = np.random.default_rng(0).uniform(-1, 1, (100_000, dimension))
    corners = np.array(list(product([-1.0, 1.0], repeat=dimension)))
    points = np.concatenate([points, corners])
    one, other = splinescope.load(a)(points), splinescope.load(b)(points)
    deviation = np.abs(one - other)
    assert (found.deviations >= deviation.max(axis=0) - 1e-9).all()
    np.testing.assert_allclose(found.deviations, deviation.max(axis=0), rtol=0.1)
    at = np.abs(splinescope.load(a)(found.points) - splinescope.load(b)(found.points))
    np.testing.assert_allclose(np.diag(at), found.deviations, rtol=1e-9)
    share = (one.argmax(axis=1) != other.argmax(axis=1)).mean()
    assert found.changed_share == pytest.approx(share, abs=0.01)
    if dimension <= 4:
        np.testing.assert_allclose(found.mean_deviations, deviation.mean(axis=0), rtol=0.02)
    else:
        assert np.isnan(found.mean_deviation)
        with pytest.raises(InvalidInputError, match="region graph has no vertices"):
            found.cell_deviations()


def test_a_convolution_and_its_float32_copy_on_a_slice() -> None:
    generator = torch.Generator().manual_seed(0)
    a = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3))
    for parameter in a.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    b = copy.deepcopy(a)
    for parameter in b.parameters():
        parameter.data = parameter.data.bfloat16().float()
    points = torch.randn(3, 1, 8, 8, generator=generator)
    plane = splinescope.Slice.through(*points.numpy())
    found = compare(a, b, plane)
    inside = np.random.default_rng(0).dirichlet(np.ones(len(plane.corners)), 3000) @ plane.corners
    inputs = plane.embed(inside)
    deviation = np.abs(splinescope.load(a, (1, 8, 8))(inputs) - splinescope.load(b, (1, 8, 8))(inputs))
    assert 0.5 * found.largest_deviation < deviation.max() <= found.largest_deviation
    assert found.where.shape == (1, 8, 8)
    assert (found.cell_deviations() <= found.largest_deviation).all()
    assert found.cell_deviations(1).max() == found.deviations[1]


def test_flat_and_shaped_inputs_of_one_size(tmp_path) -> None:
    weights = np.random.default_rng(0).standard_normal((3, 16))
    np.savez(tmp_path / "flat.npz", W0=weights, b0=np.zeros(3))
    shaped = nn.Sequential(nn.Flatten(), linear(weights.tolist(), [0.0] * 3))
    segment = splinescope.Segment(np.zeros((1, 4, 4)), np.ones((1, 4, 4)))
    found = compare(splinescope.load(shaped, (1, 4, 4)), tmp_path / "flat.npz", segment)
    assert found.largest_deviation == 0.0


def test_images_have_no_classes() -> None:
    a = nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (2, 2)))
    found = compare(a, copy.deepcopy(a), SQUARE)
    assert math.isnan(found.changed_measure)
    assert found.classes_a is None
    with pytest.raises(InvalidInputError, match="have no classes; give `classes=`"):
        _ = found.changed


def test_a_truncated_comparison_says_so() -> None:
    found = compare(formula_module([2, 30, 2], 1), formula_module([2, 30, 2], 2), SQUARE, max_cells=50)
    assert found.truncated
    assert "truncated" in repr(found)


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match=r"`b`: its outputs have shape \(3,\), those of `a` \(2,\)"):
        compare(nn.Linear(2, 2), nn.Linear(2, 3), SQUARE)
    with pytest.raises(InvalidInputError, match="`classes`"):
        compare(nn.Linear(2, 2), nn.Linear(2, 2), SQUARE, classes=[0, 7])


def test_mean_absolute_against_the_divided_difference() -> None:
    r"""Hermite and Genocchi: the mean of $f_+$ is $\sum_i (v_i)_+^{d+1} / \prod_j (v_i - v_j) / (d+1)$."""
    rng = np.random.default_rng(0)
    for d in range(1, 6):
        values = [[Fraction(int(v), 64) for v in row] for row in rng.choice(999, (20, d + 1), replace=False) - 500]
        for row in values:
            mean = Fraction(0)
            for sign in (1, -1):
                signed = [sign * v for v in row]
                for i, v in enumerate(signed):
                    if v > 0:
                        below = math.prod((v - w for j, w in enumerate(signed) if j != i), start=Fraction(1))
                        mean += v ** (d + 1) / below / (d + 1)
            got = mean_absolute(np.array([[float(v) for v in row]]))[0]
            assert got == pytest.approx(float(mean), rel=1e-12)
