"""Exact measures of manifolds, against closed forms, published numbers, triangulations and random points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.generative import (
    cell_log_volumes,
    entropy,
    expected_log_volume,
    law_entropy,
    log_density,
    moments,
    overlap,
    sample,
    volume,
)
from splinescope.tessellation.simplices import simplices
from tests.generative.nets import Folded, Roof, Uneven, cells_of, formula_net

GOLD = [
    ([2, 8, 3], 0, 2.857701165374, 0.664256263568,
     (-1.741427169, -1.455033153, -0.722038098, -0.03243381, 0.218795023)),
    ([2, 16, 16, 3], 1, 1.363710504544, -0.245391302928,
     (-3.481268939, -2.822865848, -1.631685664, -0.607677689, -0.075408179)),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "seed", "area", "nats", "means"), GOLD)
def test_gold(sizes: list[int], seed: int, area: float, nats: float, means: tuple[float, ...]) -> None:
    cells = cells_of(formula_net(sizes, seed), 2)
    assert volume(cells) == pytest.approx(area, rel=1e-11)
    assert entropy(cells) == pytest.approx(nats, rel=1e-11)
    assert [expected_log_volume(cells, rho) for rho in (-2.0, -1.0, 0.0, 1.0, 2.0)] == pytest.approx(means, rel=1e-8)


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
def test_simplices_tile_the_cells(dimension: int) -> None:
    cells = cells_of(formula_net([dimension, 6, 6, 4], 3), dimension)
    parts = simplices(cells)
    measures = np.bincount(parts.cells, parts.measures, len(cells))
    np.testing.assert_allclose(measures, cells.measures, rtol=1e-9, atol=1e-15)
    for k in range(0, len(parts), max(1, len(parts) // 50)):
        own = cells.cell_vertices[cells.cell_offsets[parts.cells[k]] : cells.cell_offsets[parts.cells[k] + 1]]
        assert set(parts.corners[k]) <= set(own.tolist())


def test_area_by_triangulation() -> None:
    """A surface in space measured by the triangles of its polygons' images."""
    cells = cells_of(formula_net([2, 8, 3], 5), 2)
    total = 0.0
    for number in range(len(cells)):
        loop = cells.vertex_outputs[cells.cell_vertices[cells.cell_offsets[number] : cells.cell_offsets[number + 1]]]
        total += 0.5 * np.linalg.norm(np.cross(loop[1:-1] - loop[0], loop[2:] - loop[0]), axis=1).sum()
    assert volume(cells) == pytest.approx(total, rel=1e-12)


def test_volumes_do_not_depend_on_coordinates() -> None:
    """A segment's parameter and a slice's skew basis measure the same manifold."""
    module = formula_net([2, 8, 3], 0)
    box = cells_of(module, 2)
    basis = np.array([[2.0, 0.0], [1.0, 0.5]])
    skew = splinescope.Slice(np.array([-1.0, -1.0]), basis, np.array([[0.0, 0.0], [0.9, 0.0], [0.0, 0.9]]))
    wide = splinescope.tessellate(module, skew)
    points = wide.interior_points @ basis - 1.0
    there = box.locate(points)
    inside = there >= 0
    assert inside.any()
    np.testing.assert_allclose(cell_log_volumes(wide)[inside], cell_log_volumes(box)[there[inside]], rtol=1e-9)
    line = cells_of(formula_net([1, 8, 3], 0), 1)
    ends = np.diff(line.vertex_outputs, axis=0)
    assert volume(line) == pytest.approx(np.linalg.norm(ends, axis=1).sum(), rel=1e-12)
    assert expected_log_volume(line, 0.0) == pytest.approx(entropy(line) - math.log(2.0), abs=1e-12)


def test_the_mean_log_volume_never_decreases() -> None:
    cells = cells_of(formula_net([2, 12, 12, 4], 2), 2)
    values = [expected_log_volume(cells, rho) for rho in np.linspace(-3, 3, 25).tolist()]
    assert (np.diff(values) > 0).all()
    entropies = [law_entropy(cells, rho) for rho in (-1.0, 0.0, 1.0)]
    assert max(entropies) == entropies[1] == pytest.approx(math.log(4.0))


@pytest.mark.parametrize("dimension", [2, 3])
def test_samples_are_in_cells_by_their_masses(dimension: int) -> None:
    cells = cells_of(formula_net([dimension, 8, 6], 1), dimension)
    for rho in (-1.0, 0.0, 1.0, 2.0):
        if dimension == 3 and rho < 0:
            continue  # flattened cells carry all mass: tested below
        drawn = sample(cells, 20_000, rho, generator=7)
        logs = cell_log_volumes(cells)
        weights = np.where(
            np.isneginf(logs) & (rho > 0), 0.0, cells.measures * np.exp(rho * np.where(np.isfinite(logs), logs, 0))
        )
        expected = 20_000 * weights / weights.sum()
        big = expected > 5
        seen = np.bincount(drawn.cells, minlength=len(cells))
        chi = (((seen - expected) ** 2)[big] / expected[big]).sum()
        assert stats.chi2.sf(chi, big.sum() - 1) > 1e-4
        assert (cells.locate(drawn.latents) == drawn.cells).mean() > 0.9999
        outputs = cells.network(torch.from_numpy(drawn.latents)).numpy()
        np.testing.assert_allclose(drawn.outputs, outputs, atol=1e-12)


def test_uniform_on_known_manifolds() -> None:
    """Arc length of a bent line, and a roof whose two sheets are as large: Kolmogorov-Smirnov on both coordinates."""
    line = cells_of(Uneven(), 1)
    x = sample(line, 5_000, generator=1).latents[:, 0] * 2 - 1
    length = np.where(x < 0, x + 1, 1 + math.sqrt(10) * x) / (1 + math.sqrt(10))
    assert stats.kstest(length, "uniform").pvalue > 1e-3
    roof = cells_of(Roof(), 2)
    assert volume(roof) == pytest.approx(4 * math.sqrt(2), rel=1e-14)
    points = sample(roof, 5_000, generator=2).outputs
    assert stats.kstest((points[:, 0] + 1) / 2, "uniform").pvalue > 1e-3
    assert stats.kstest((points[:, 1] + 1) / 2, "uniform").pvalue > 1e-3
    assert stats.kstest((sample(line, 5_000, 0.0, 3).latents[:, 0]), "uniform").pvalue > 1e-3


def test_moments_are_those_of_many_samples() -> None:
    for dimension in (1, 2, 3):
        cells = cells_of(formula_net([dimension, 8, 4], 4), dimension)
        for rho in (0.0, 1.0):
            found, drawn = moments(cells, rho), sample(cells, 40_000, rho, generator=5).outputs
            spread = np.sqrt(np.diag(found.covariance))
            assert (np.abs(drawn.mean(0) - found.mean) < 5 * spread / 200).all()
            assert np.abs(np.cov(drawn.T) - found.covariance).max() < 0.05 * np.abs(found.covariance).max()


def test_moments_of_a_line_in_closed_form() -> None:
    found = moments(cells_of(Uneven(), 1))
    np.testing.assert_allclose(found.mean, [0.0, 0.75], atol=1e-15)
    np.testing.assert_allclose(found.covariance, [[1 / 3, 0.5], [0.5, 1.5 - 0.5625]], atol=1e-15)


def test_density_is_constant_on_the_manifold() -> None:
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    np.testing.assert_allclose(log_density(cells, points, 1.0), -math.log(volume(cells)), atol=1e-9)
    assert log_density(cells, np.array([[3.0, 0.0]]))[0] == -np.inf


def test_flattened_cells() -> None:
    cells = cells_of(nn.ReLU(), 2)
    assert volume(cells) == pytest.approx(1.0)
    assert entropy(cells) == -np.inf
    assert (sample(cells, 200, 1.0, 0).latents > 0).all()
    assert (sample(cells, 200, -1.0, 0).latents < 0).any(axis=1).all()
    none = cells_of(nn.Linear(2, 1).double(), 2)
    assert volume(none) == 0.0
    with pytest.raises(InvalidInputError, match="no volume"):
        sample(none, 1)


def test_a_sheet_that_lies_on_itself() -> None:
    pytest.importorskip("shapely", reason="areas of overlaps are measured with shapely, the extra `geo`")
    found = overlap(cells_of(Folded(), 2))
    assert (found.volume, found.counted) == (pytest.approx(2.0), pytest.approx(4.0))
    assert found.entropy == pytest.approx(math.log(2.0))
    np.testing.assert_allclose(found.multiplicities, [0.0, 2.0], atol=1e-12)
    proper = cells_of(formula_net([2, 8, 3], 0), 2)
    alone = overlap(proper)
    assert alone.volume == pytest.approx(alone.counted, rel=1e-9)
    assert alone.entropy == pytest.approx(entropy(proper), rel=1e-9)
    # a map of the plane into itself, by a fine grid of its image
    flat = cells_of(formula_net([2, 6, 2], 8), 2)
    found, outputs = overlap(flat), sample(flat, 400_000, 0.0, 0).outputs
    low, high = outputs.min(0), outputs.max(0)
    counts = np.histogram2d(*outputs.T, bins=200, range=list(zip(low, high, strict=True)))[0]
    area = (counts > 0).mean() * np.prod(high - low)
    assert found.volume == pytest.approx(area, rel=0.05)


def test_bad_input() -> None:
    cells = splinescope.tessellate(formula_net([2, 30, 3], 0), splinescope.Slice.box([-1, -1], [1, 1]), max_cells=10)
    with pytest.raises(InvalidInputError, match="max_cells"):
        volume(cells)
    with pytest.raises(InvalidInputError, match="vertices"):
        sample(splinescope.tessellate(formula_net([5, 4, 6], 0), splinescope.Box([-1] * 5, [1] * 5)), 3)
