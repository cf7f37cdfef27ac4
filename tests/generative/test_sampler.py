"""Samplers over pools, beside exact ones and laws that are known."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, StoreError
from splinescope.generative import (
    Custom,
    Gaussian,
    UniformBall,
    UniformBox,
    VolumeSampler,
    cell_log_volumes,
    expected_log_volume,
    from_determinant_power,
    pool,
    sample,
)
from tests.generative.nets import Uneven, cells_of, formula_net

BOX = UniformBox((-1.0, -1.0), (1.0, 1.0))


@pytest.mark.parametrize("rho", [-1.0, 0.0, 1.0, 2.0])
def test_pools_agree_with_exact_samples(rho: float) -> None:
    module = formula_net([2, 16, 16, 3], 1)
    cells = cells_of(module, 2)
    sampler = VolumeSampler(module, BOX, rho, pool=20_000)
    weights = np.exp(sampler.log_weights)
    spread = math.sqrt(np.sum(weights * (sampler.log_volumes - np.sum(weights * sampler.log_volumes)) ** 2))
    error = spread / math.sqrt(sampler.effective_sample_size)
    assert np.sum(weights * sampler.log_volumes) == pytest.approx(expected_log_volume(cells, rho), abs=5 * error)
    np.testing.assert_allclose(
        sampler.log_volumes[:100], cell_log_volumes(cells)[cells.locate(sampler.latents[:100])], atol=1e-9
    )
    exact = sample(cells, 2_000, rho, 1).latents
    for drawn in (sampler.sample(2_000), sampler.rejection(2_000)):
        for axis in range(2):
            assert stats.ks_2samp(drawn.latents[:, axis], exact[:, axis]).pvalue > 1e-4
    chain = sampler.metropolis(5_000)
    states = cell_log_volumes(cells)[cells.locate(chain.latents)]
    assert states.mean() == pytest.approx(
        expected_log_volume(cells, rho), abs=6 * spread / math.sqrt(chain.effective_sample_size)
    )


def test_a_gaussian_prior_has_to_be_divided_by() -> None:
    """Uniform on the manifold only if weights are divided by the prior's density; the released program never does."""
    prior = Gaussian(1, radius=1.0, deviation=0.5)
    released = VolumeSampler(Uneven().double(), prior, 1.0, pool=40_000)
    uniform = VolumeSampler(Uneven().double(), prior, 1.0, base="uniform", pool=40_000)

    def length(sampler: VolumeSampler) -> np.ndarray:
        x = sampler.sample(3_000).latents[:, 0]
        return np.where(x < 0, x + 1, 1 + math.sqrt(10) * x) / (1 + math.sqrt(10))

    assert stats.kstest(length(uniform), "uniform").pvalue > 1e-3
    assert stats.kstest(length(released), "uniform").pvalue < 1e-6


@pytest.mark.parametrize("prior", [BOX, UniformBall(2, 1.5), Gaussian(2), Gaussian(2, 0.7, radius=1.0)])
def test_priors_draw_from_their_densities(prior: UniformBox) -> None:
    """Densities integrate to 1, and numbers in squares are as the density says."""
    side = np.linspace(-5, 5, 501)
    x, y = np.meshgrid(side[:-1] + 0.01, side[:-1] + 0.01)
    density = np.exp(prior.log_density(np.column_stack([x.ravel(), y.ravel()]))).reshape(x.shape)
    assert density.sum() * 0.02**2 == pytest.approx(1.0, abs=0.02)
    drawn = prior.draw(20_000, np.random.default_rng(0))
    corner = (drawn[:, 0] > 0.2) & (drawn[:, 1] > -0.1)
    share = density[(x > 0.2) & (y > -0.1)].sum() * 0.02**2
    assert corner.mean() == pytest.approx(share, abs=0.02)


def test_stores_are_gone_on_from(tmp_path: Path) -> None:
    module = formula_net([2, 8, 3], 0)
    whole = VolumeSampler(module, BOX, pool=2_500)
    kept = VolumeSampler(module, BOX, pool=2_500, store=tmp_path)
    np.testing.assert_array_equal(kept.log_volumes, whole.log_volumes)
    (tmp_path / "latents-00001.npz").unlink()
    seen: list[int] = []
    again = VolumeSampler(module, BOX, pool=2_500, store=tmp_path, progress=lambda share, count: seen.append(count))
    np.testing.assert_array_equal(again.latents, whole.latents)
    assert min(seen) > 1_500  # one part of three was computed
    with pytest.raises(StoreError, match="another generator, prior"):
        _ = VolumeSampler(formula_net([2, 8, 3], 1), BOX, pool=2_500, store=tmp_path).latents
    with ThreadPoolExecutor(2) as executor:
        threads = VolumeSampler(module, BOX, pool=2_500, executor=executor)
        # Products differ in their last bits with the number of threads that they are given.
        np.testing.assert_allclose(np.exp(threads.log_volumes), np.exp(whole.log_volumes), rtol=1e-10, atol=1e-12)


class Conditional(nn.Module):
    """The class says how far the latent is stretched."""

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return torch.cat([z * (1.0 + 3.0 * label[:, None]), label[:, None] + 0 * z], dim=1)


def test_classes_are_drawn_with_their_volumes() -> None:
    def classes(number: int, rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(rng.integers(0, 2, number)).double()

    sampler = VolumeSampler(Conditional(), UniformBox((0.0,), (1.0,)), 1.0, pool=4_000, condition=classes)
    drawn = sampler.sample(2_000)
    labels = drawn.outputs[:, 1]
    assert labels.mean() == pytest.approx(0.8, abs=0.04)
    np.testing.assert_allclose(drawn.outputs[:, 0], drawn.latents[:, 0] * (1 + 3 * labels))
    np.testing.assert_allclose(drawn.log_volumes, np.log(1 + 3 * labels), atol=1e-12)
    fresh = sampler.rejection(500)
    np.testing.assert_allclose(fresh.outputs[:, 0], fresh.latents[:, 0] * (1 + 3 * fresh.outputs[:, 1]))


def test_batches_and_data_sets() -> None:
    sampler = VolumeSampler(formula_net([2, 8, 3], 0), BOX, pool=500)
    batches = sampler.batches(4)
    one, other = next(batches), next(batches)
    assert one.shape == (4, 3)
    assert not torch.equal(one, other)
    loader = torch.utils.data.DataLoader(sampler.dataset(6), batch_size=None)
    assert next(iter(loader)).shape == (6, 3)


def test_without_replacement_and_few() -> None:
    sampler = VolumeSampler(nn.ReLU(), BOX, 1.0, pool=400)
    drawn = sampler.sample(50, replacement=False)
    assert len(np.unique(drawn.latents, axis=0)) == 50
    with pytest.raises(InvalidInputError, match="without replacement"):
        sampler.sample(399, replacement=False)
    with pytest.warns(UserWarning, match="effective sample size"):
        VolumeSampler(formula_net([2, 16, 16, 3], 1), BOX, 200.0, pool=2_000).sample(1)
    assert from_determinant_power(0.5) == 1.0


def test_bad_input() -> None:
    for call, words in (
        (lambda: VolumeSampler(nn.ReLU(), BOX, math.nan), "rho"),
        (lambda: VolumeSampler(nn.ReLU(), BOX, base="flat"), "base"),
        (lambda: VolumeSampler(nn.ReLU(), BOX, pool=0), "pool"),
        (lambda: VolumeSampler(nn.ReLU(), BOX, latent_shape=(3,)), "expected 3"),
        (lambda: UniformBox((0.0,), (0.0,)), "low < high"),
        (lambda: Gaussian(2, -1.0), "positive"),
        (lambda: VolumeSampler(nn.Linear(2, 1), BOX, 1.0, pool=10).sample(1), "no latent"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            call()
    law = Custom(1, lambda n, rng: rng.exponential(size=(n, 1)), lambda z: -z[:, 0])
    assert VolumeSampler(nn.Identity(), law, 0.0, pool=10).sample(3).latents.shape == (3, 1)


def test_flattened_latents_by_all_ways() -> None:
    """(x, 0) for x < 0: for negative exponents they have all the weight, by pools, by rejection and by chains."""
    sampler = VolumeSampler(nn.ReLU(), UniformBox((-1.0, 0.5), (1.0, 1.0)), rho=-1.0, pool=500)
    for drawn in (sampler.sample(50), sampler.rejection(50), sampler.metropolis(50)):
        assert (drawn.latents[:, 0] < 0).all()
        assert len(np.unique(drawn.latents, axis=0)) > 20
    upright = sampler.with_rho(1.0)
    for drawn in (upright.sample(50), upright.rejection(50), upright.metropolis(50)):
        assert (drawn.latents[:, 0] > 0).all()
    nothing = VolumeSampler(nn.ReLU(), UniformBox((-1.0, 0.5), (-0.5, 1.0)), rho=1.0, pool=50)
    for way in (nothing.sample, nothing.rejection, nothing.metropolis):
        with pytest.raises(InvalidInputError, match=r"no latent (of the pool|among the .*) has volume"):
            way(5)


def test_parts_are_smaller_where_jacobians_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is lost by Ctrl-C is minutes of work; draws and outputs come in these parts, too."""
    monkeypatch.setattr(pool, "NUMBERS", 6 * 40)
    told: list[tuple[float, int]] = []
    prior = UniformBox((-1.0, -1.0), (1.0, 1.0))
    sampler = VolumeSampler(
        Uneven3(), prior, pool=100, store=tmp_path, progress=lambda share, count: told.append((share, count))
    )
    np.testing.assert_allclose(sampler.log_volumes, np.log(4.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"latents-{index:05d}.npz" for index in range(3)]
    assert told[-1] == (1.0, 100)
    assert [count for _, count in told] == sorted(count for _, count in told)
    assert [len(part) for part in sampler.pool_outputs()] == [40, 40, 20]
    assert len(sampler.rejection(90)) == len(sampler.metropolis(90)) == 90
    again = VolumeSampler(Uneven3(), prior, pool=100, store=tmp_path)
    np.testing.assert_array_equal(again.latents, sampler.latents)


class Uneven3(nn.Module):
    """A plane in space, stretched by 4."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([4 * z[:, :1], z[:, 1:], torch.zeros_like(z[:, :1])], dim=1)
