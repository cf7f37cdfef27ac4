"""Densities of folds: closed forms of lines, shapely, autograd, and the local formula against exact lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
import torch
from torch import nn

import splinescope
from splinescope import datasets, models
from splinescope.complexity import local_complexity
from splinescope.errors import InvalidInputError
from splinescope.initialization import fold_batchnorm, fold_density, local_fold_density
from splinescope.initialization.discs import areas_in_polygon, lengths_inside
from splinescope.tessellation.folds import folds
from tests.initialization.nets import seeded
from tests.seeds import large


@pytest.mark.parametrize("count", [10, large(40)])
def test_discs_against_shapely(count: int) -> None:
    generator = np.random.default_rng(0)
    corners = generator.normal(size=(12, 2))
    polygon = shapely.geometry.polygon.orient(shapely.MultiPoint(corners).convex_hull)
    centres, segments = generator.normal(size=(count, 2)), generator.normal(size=(count, 2, 2))
    for radius in (0.05, 0.7, 5.0):
        discs = [shapely.Point(centre).buffer(radius, quad_segs=4000) for centre in centres]
        found = areas_in_polygon(centres, radius, np.array(polygon.exterior.coords[:-1]))
        assert found == pytest.approx([disc.intersection(polygon).area for disc in discs], rel=1e-6, abs=1e-6)
        lines = shapely.linestrings(segments)
        expected = [[disc.intersection(line).length for line in lines] for disc in discs]
        assert lengths_inside(centres, radius, segments) == pytest.approx(np.array(expected), rel=1e-5, abs=1e-5)


def test_degenerate_segments_and_discs_around_corners() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    centres = np.array([[0.0, 0.0], [0.5, 0.5], [0.5, 0.0], [3.0, 3.0]])
    expected = [math.pi / 100, 4 * math.pi / 100, 2 * math.pi / 100, 0.0]
    assert areas_in_polygon(centres, 0.2, square) == pytest.approx(expected, abs=1e-15)
    assert lengths_inside(np.zeros((1, 2)), 1.0, np.zeros((1, 2, 2)))[0, 0] == 0.0


def one_line(offset: float) -> nn.Module:
    """One unit, whose fold is x = offset, and one that never folds."""
    first, last = nn.Linear(2, 2).double(), nn.Linear(2, 1).double()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
        first.bias.copy_(torch.tensor([-2.0 * offset, 1.0]))
    return nn.Sequential(first, nn.ReLU(), last)


def test_one_line() -> None:
    network = splinescope.load(one_line(0.25))
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    found = fold_density(cells, [[0.25, 0.0], [0.2, 0.0], [-0.5, 0.0]], 0.1)
    chord = 2 * math.sqrt(0.01 - 0.0025)
    assert found.near[:, 0] == pytest.approx([0.2 / (0.01 * math.pi), chord / (0.01 * math.pi), 0.0], abs=1e-12)
    assert found.window == pytest.approx([2 / 4])
    assert found.ratio[0] == pytest.approx(found.near.mean() / 0.5)
    counted = local_fold_density(network, [[0.25, 0.0], [0.16, 0.7], [0.14, 0.7]], 0.1)
    assert counted.counts.tolist() == [[1], [1], [0]]
    assert counted.density[0, 0] == pytest.approx(5.0)


def test_density_does_not_depend_on_the_coordinates_of_the_slice() -> None:
    """The same square of a three-dimensional input space, with a skew basis of another orientation."""
    module = models.gaussian_mlp([3, 9, 9, 1], bias_deviation=0.5, generator=seeded(), dtype=torch.float64)
    network = splinescope.load(module)
    first = np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]])
    skew = np.array([[0.5, -1.0], [2.0, 0.3]])
    polygon = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    points = np.array([[0.1, 0.2], [0.9, -0.95], [-0.3, 0.5]])
    straight = splinescope.Slice(np.zeros(3), first, polygon)
    bent = np.linalg.solve(skew.T, polygon.T).T
    if np.linalg.det(skew) < 0:
        bent = bent[::-1]
    other = splinescope.Slice(np.zeros(3), skew @ first, bent)
    one = fold_density(splinescope.tessellate(network, straight), points, 0.3)
    two = fold_density(splinescope.tessellate(network, other), np.linalg.solve(skew.T, points.T).T, 0.3)
    assert one.near == pytest.approx(two.near, rel=1e-9)
    assert one.window == pytest.approx(two.window, rel=1e-9)
    local = local_fold_density(network, points, 0.3, straight).counts
    again = local_fold_density(network, np.linalg.solve(skew.T, points.T).T, 0.3, other).counts
    assert np.array_equal(local, again)


def naive_counts(module: nn.Module, layers: list[int], points: torch.Tensor, radius: float) -> list[list[int]]:
    """Unit by unit with autograd."""
    rows = []
    for point in points:
        row = []
        for end in layers:
            jacobian = torch.autograd.functional.jacobian(lambda x, e=end: module[:e](x[None])[0].flatten(), point)
            values = module[:end](point[None])[0].flatten()
            norms = jacobian.reshape(len(values), -1).norm(dim=1)
            row.append(int(((values.abs() <= radius * norms) & (norms > 0)).sum()))
        rows.append(row)
    return rows


def test_local_formula_against_autograd() -> None:
    generator = seeded(5)
    module = models.gaussian_mlp(
        [4, 12, 11, 10, 2], bias_deviation=0.4, slope=0.1, generator=generator, dtype=torch.float64
    )
    points = torch.randn(25, 4, generator=generator, dtype=torch.float64)
    found = local_fold_density(module, points, 0.3)
    assert found.counts.tolist() == naive_counts(module, [2, 4, 6], points, 0.3)
    assert found.counts.sum() > 50


def test_local_formula_with_max_pooling_and_clips() -> None:
    """A unit folds at a rival of a maximum, or at either breakpoint of a clip."""
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU6(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2)).double()
    points = 6 * torch.rand(20, 1, 6, 6, generator=seeded(), dtype=torch.float64)
    radius = 0.2
    found = local_fold_density(module, points, radius)
    for point, row in zip(points, found.counts, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: module[:1](x[None])[0].flatten(), point).flatten(1)
        z, norms = module[:1](point[None]).flatten(), jacobian.norm(dim=1)
        assert int((torch.minimum(z.abs(), (z - 6).abs()) <= radius * norms).sum()) == row[0]
        slopes = torch.autograd.functional.jacobian(lambda x: module[:2](x[None])[0], point).reshape(3, 2, 2, 2, 2, 36)
        slopes = slopes.permute(0, 1, 3, 2, 4, 5).reshape(12, 4, 36)
        values = module[:2](point[None])[0].reshape(3, 2, 2, 2, 2).permute(0, 1, 3, 2, 4).reshape(12, 4)
        count = 0
        for value, slope in zip(values, slopes, strict=True):
            best = int(value.argmax())
            gaps, across = value[best] - value, (slope[best] - slope).norm(dim=1)
            count += bool(((gaps <= radius * across) & (across > 0)).any())
        assert count == row[1]


@pytest.mark.parametrize("pooled", [False, True])
def test_local_formula_is_the_affine_local_complexity_in_the_ball(pooled: bool) -> None:
    first = [nn.Conv2d(1, 3, 3), nn.Hardtanh(), nn.MaxPool2d(2)] if pooled else [nn.Conv2d(1, 3, 3), nn.LeakyReLU()]
    module = nn.Sequential(
        *first, nn.Flatten(), nn.Linear(12 if pooled else 48, 5), nn.ReLU(), nn.Linear(5, 2)
    ).double()
    points = 2 * torch.randn(30, 1, 6, 6, generator=seeded(), dtype=torch.float64)
    found = local_fold_density(module, points, 0.1)
    affine = local_complexity(
        splinescope.load(module, input_shape=(1, 6, 6)), points, 0.1, mode="affine", neighbourhood="ball"
    )
    assert found.layers == affine.layers
    assert np.array_equal(found.counts, affine.counts)
    assert (found.counts.sum(axis=0) > 0).all()


def test_mean_of_the_local_formula_is_the_exact_length_per_area() -> None:
    star = datasets.star(50, generator=seeded()).inputs.double()
    module = fold_batchnorm(models.batchnorm_mlp([2, 16, 16, 16, 1], generator=seeded(), dtype=torch.float64), star)
    network = splinescope.load(module)
    cells = splinescope.tessellate(network, splinescope.Slice.box([-2, -2], [2, 2]))
    exact = fold_density(cells, star.numpy(), 0.1)
    made = folds(cells)
    for layer in range(3):
        assert exact.window[layer] == pytest.approx(made.lengths[made.layers == layer].sum() / 16, rel=1e-12)
    points = np.random.default_rng(0).uniform(-2, 2, (60_000, 2))
    estimate = local_fold_density(network, points, 0.01).density.mean(axis=0)
    assert estimate == pytest.approx(exact.window, rel=0.05)
    assert (exact.ratio > 1.5).all()


def test_layers_without_folds_and_points_outside() -> None:
    cells = splinescope.tessellate(splinescope.load(one_line(5.0)), splinescope.Slice.box([-1, -1], [1, 1]))
    found = fold_density(cells, [[0.0, 0.0], [9.0, 9.0]], 0.1)
    assert np.isnan(found.ratio[0])
    assert np.isnan(found.near[1, 0])


def test_bad_points_and_radii() -> None:
    network = splinescope.load(one_line(0.0))
    domain = splinescope.Slice.box([-1, -1], [1, 1])
    cells = splinescope.tessellate(network, domain)
    with pytest.raises(InvalidInputError, match=r"`points`: got the shape \(2,\)"):
        fold_density(cells, [0.0, 0.0], 0.1)
    with pytest.raises(InvalidInputError, match="`radius`: got 0"):
        fold_density(cells, [[0.0, 0.0]], 0.0)
    with pytest.raises(InvalidInputError, match="`radius`: got -1"):
        local_fold_density(network, [[0.0, 0.0]], -1.0)
    with pytest.raises(InvalidInputError, match=r"expected coordinates \[n, 2\]"):
        local_fold_density(network, [[0.0, 0.0, 0.0]], 0.1, domain)
    with pytest.raises(InvalidInputError, match="`model`: it takes inputs of shape"):
        local_fold_density(network, [[0.0, 0.0, 0.0]], 0.1)
    with pytest.raises(InvalidInputError, match="expected finite inputs"):
        local_fold_density(network, [[0.0, math.nan]], 0.1)
