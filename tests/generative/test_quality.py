"""Measures of generators, against naive loops, other programs and quadratic programs."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import binomtest
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.generative import (
    Gaussian,
    UniformBox,
    VolumeSampler,
    approach,
    draw_from,
    frequencies,
    frequencies_by_rho,
    latent_law,
    project,
    quality,
    sample,
)
from tests.generative.nets import Roof, Uneven, cells_of, formula_net


def by_loops(data: np.ndarray, samples: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The four measures as they are defined."""

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(np.linalg.norm(points[i] - p) for j, p in enumerate(points) if j != i)[k - 1]

    real, made = ([radius(points, i) for i in range(len(points))] for points in (data, samples))
    inside = [[np.linalg.norm(x - y) <= real[i] for i, x in enumerate(data)] for y in samples]
    recalled = [any(np.linalg.norm(x - y) <= made[j] for j, y in enumerate(samples)) for x in data]
    return (
        float(np.mean([any(row) for row in inside])),
        float(np.mean(recalled)),
        float(np.mean([sum(row) / k for row in inside])),
        float(np.mean(np.any(inside, axis=0))),
    )


def test_quality_by_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    data, samples = rng.standard_normal((60, 3)), 0.5 * rng.standard_normal((45, 3)) + 0.4
    for k in (1, 4):
        found = quality(data, samples, k)
        assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(
            by_loops(data, samples, k)
        )
    monkeypatch.setattr(sys.modules["splinescope.generative.quality"], "_PAIRS", 100)
    assert quality(data, samples, 4) == found


def test_quality_of_modes_dropped_and_made_up() -> None:
    rng = np.random.default_rng(1)
    two = np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 20])
    one = rng.standard_normal((600, 2))
    dropped, added = quality(two, one), quality(one, two)
    assert dropped.precision > 0.95
    assert dropped.recall == pytest.approx(0.5, abs=0.05)
    assert dropped.coverage == pytest.approx(0.5, abs=0.05)
    assert added.precision == pytest.approx(0.5, abs=0.05)
    assert added.density == pytest.approx(0.5, abs=0.1)


def test_frequencies_have_wilson_s_intervals() -> None:
    found = frequencies([0] * 30 + [1] * 70, 3, confidence=0.9)
    for label, count in enumerate((30, 70, 0)):
        interval = binomtest(count, 100).proportion_ci(0.9, "wilson")
        assert (found.low[label], found.high[label]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.imbalance() == pytest.approx(0.5 * (1 / 30 + 11 / 30 + 1 / 3))
    assert found.imbalance([0.3, 0.7, 0.0]) == pytest.approx(0.0)
    weighted = frequencies([0, 1, 1], 2, np.log([2.0, 1.0, 1.0]))
    assert weighted.shares.tolist() == pytest.approx([0.5, 0.5])
    assert weighted.size == pytest.approx(16 / 6)


def test_frequencies_by_rho_are_those_of_exact_masses() -> None:
    """Uniform on the curve (x, 3 max(x, 0)): its bent half has the share sqrt(10) / (1 + sqrt(10))."""
    sampler = VolumeSampler(Uneven(), UniformBox((-1.0,), (1.0,)), pool=5_000)
    found = frequencies_by_rho(sampler, lambda y: (y[:, 0] > 0).astype(int), [0.0, 1.0, -1.0], 2)
    expected = [10 ** (rho / 2) / (1 + 10 ** (rho / 2)) for rho in (0.0, 1.0, -1.0)]
    for one, share in zip(found, expected, strict=True):
        assert one.low[1] - 0.01 < share < one.high[1] + 0.01
    assert found[0].size == pytest.approx(5_000)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_projections_are_the_best_over_all_cells(dimension: int) -> None:
    """A quadratic program on each simplex, started from its centre."""
    cells = cells_of(formula_net([dimension, 5, 4], 2), dimension)
    y = np.random.default_rng(3).standard_normal((6, 4)) * 2
    found = project(cells, y)
    outputs = cells.network(torch.from_numpy(np.asarray(found.latents))).numpy()
    if dimension > 1:
        np.testing.assert_allclose(outputs, found.outputs, atol=1e-9)
    parts = splinescope.tessellation.simplices.simplices(cells)
    for i, point in enumerate(y):
        best = np.inf
        for corners in cells.vertex_outputs[parts.corners]:
            size = len(corners)
            program = minimize(
                lambda w, c=corners, p=point: float(np.sum((w @ c - p) ** 2)),
                np.full(size, 1 / size),
                jac=lambda w, c=corners, p=point: 2 * c @ (w @ c - p),
                bounds=[(0, 1)] * size,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            )
            best = min(best, float(np.sqrt(program.fun)))
        assert found.distances[i] == pytest.approx(best, abs=1e-4)
        assert found.distances[i] <= best + 1e-9


def test_projections_of_points_of_the_manifold() -> None:
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    drawn = sample(cells, 200, generator=4)
    found = project(cells, drawn.outputs)
    assert found.distances.max() < 1e-7
    assert np.linalg.norm(found.latents - drawn.latents, axis=1).max() < 1e-5
    roof = project(cells_of(Roof(), 2), [[0.0, 0.0, -2.0], [3.0, 0.0, 1.0]])
    np.testing.assert_allclose(roof.distances, [2.0, 2.0], atol=1e-12)
    flat = project(cells_of(nn.ReLU(), 2), [[-1.0, -1.0], [0.25, -3.0]])
    np.testing.assert_allclose(flat.distances, [np.sqrt(2), 3.0], atol=1e-12)


def test_descents_find_the_exact_nearest_points() -> None:
    module = formula_net([2, 16, 16, 3], 1)
    cells = cells_of(module, 2)
    y = sample(cells, 20, generator=0).outputs + 0.05
    exact = project(cells, y).distances
    found = approach(module, y, UniformBox((-1.0, -1.0), (1.0, 1.0)), starts=6)
    inside = np.abs(found.latents).max(axis=1) <= 1
    assert inside.mean() > 0.5
    assert (found.distances[inside] >= exact[inside] - 1e-9).all()
    assert np.median(found.distances[inside] - exact[inside]) < 1e-4
    ball = approach(module.float(), y, Gaussian(2), radius=0.5)
    assert np.linalg.norm(ball.latents, axis=1).max() < 0.5 + 1e-6


def test_the_latent_law_is_found_again() -> None:
    cells = cells_of(formula_net([2, 16, 16, 3], 1), 2)
    for rho in (-0.5, 0.0, 1.0, 1.5):
        found = latent_law(cells, sample(cells, 2_000, rho, generator=1).outputs)
        assert found.rho == pytest.approx(rho, abs=4 * found.rho_error)
        assert found.masses.sum() == pytest.approx(1.0)
    again = latent_law(cells, found.sample(4_000, 2).outputs)
    assert 0.5 * np.abs(again.masses - found.masses).sum() < 0.15
    only = np.zeros(len(cells))
    only[3] = 1.0
    assert set(draw_from(cells, only, 50, 0).cells) == {3}


def test_bad_input() -> None:
    cells = cells_of(formula_net([2, 8, 3], 0), 2)
    x = np.zeros((9, 2))
    for call, words in (
        (lambda: quality(x, x, 9), "`neighbours`: got 9; expected an integer of at least 1 and at most 8"),
        (lambda: quality(x, np.zeros((9, 3))), "`samples`: got 3 features; expected 2"),
        (lambda: quality(np.zeros(3), x), "`data`"),
        (lambda: quality(x, np.full((9, 2), np.nan)), "finite"),
        (lambda: frequencies([0, 5], 3), "`labels`"),
        (lambda: frequencies([0.5], 3), "`labels`"),
        (lambda: frequencies([0, 1], 2, [0.0]), "`log_weights`"),
        (lambda: frequencies([0, 1], 2, confidence=1.0), "`confidence`"),
        (lambda: project(cells, np.zeros((2, 4))), "`points`"),
        (lambda: latent_law(cells, np.zeros((0, 3))), "`data`"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            call()
    assert (
        len(list(itertools.islice(VolumeSampler(Uneven(), UniformBox((-1.0,), (1.0,)), pool=1500).pool_outputs(), 9)))
        == 2
    )
