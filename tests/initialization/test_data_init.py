"""Biases that place folds: against batch-norm itself, numerical minimisation, and the module left as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

import splinescope
from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.initialization import (
    Midrange,
    Quantile,
    ThroughSamples,
    data_init,
    fold_batchnorm,
    total_least_squares,
)
from splinescope.tessellation.planar.complex import PlanarComplex
from tests.initialization.nets import case, seeded

WIDTHS = [2, 9, 8, 7, 1]


def data() -> Tensor:
    return datasets.star(60, generator=seeded()).inputs.double() + torch.tensor([0.7, 0.2])


def plain() -> nn.Sequential:
    return models.gaussian_mlp(WIDTHS, generator=seeded(), dtype=torch.float64)


def normed() -> nn.Sequential:
    return models.batchnorm_mlp(WIDTHS, bias_deviation=1.0, generator=seeded(), dtype=torch.float64)


def cells_of(module: nn.Module) -> PlanarComplex:
    domain = splinescope.Slice.box([-1.5, -2.0], [2.5, 2.0])
    return splinescope.tessellate(splinescope.load(module, input_shape=(2,)), domain)


def same_cells(one: PlanarComplex, two: PlanarComplex, units: int | None = None) -> bool:
    """Whether the cells are the same but for slivers of rounding where all folds of a layer meet."""
    seen, there = one.resolved, two.resolved
    if seen.sum() != there.sum():
        return False
    where = two.locate(one.interior_points[seen])
    areas = np.allclose(np.sort(one.measures[seen]), np.sort(two.measures[there]), rtol=1e-8, atol=1e-12)
    return areas and np.array_equal(one.patterns[seen][:, :units], two.patterns[where][:, :units])


def test_with_scaling_the_tessellation_is_that_of_batchnorm() -> None:
    ours, theirs = cells_of(data_init(plain(), data(), scaling=True)), cells_of(fold_batchnorm(normed(), data()))
    assert len(ours) > 100
    assert same_cells(ours, theirs)


def test_without_scaling_only_the_first_layer_is_the_same() -> None:
    ours, theirs = data_init(plain(), data()), fold_batchnorm(normed(), data())
    assert same_cells(cells_of(ours[:3]), cells_of(theirs[:4]))
    assert not same_cells(cells_of(ours), cells_of(theirs))
    assert all(fit.excess == pytest.approx(1.0, abs=1e-12) for fit in total_least_squares(ours, data())[:-1])


def test_convolutions_are_placed_as_batchnorm_would() -> None:
    module = nn.Sequential(nn.Conv1d(2, 4, 3, bias=False), nn.ReLU(), nn.Conv1d(4, 3, 2, stride=2), nn.ReLU()).double()
    batch = case("sequence")[1]
    placed = data_init(module, batch, scaling=True, layers=["0", "2"])
    with_norms = nn.Sequential(
        module[0], nn.BatchNorm1d(4), nn.ReLU(), module[2], nn.BatchNorm1d(3), nn.ReLU()
    ).double()
    assert torch.allclose(placed(batch), with_norms.train()(batch), rtol=1e-12, atol=1e-12)
    assert placed[0].bias.requires_grad


@pytest.mark.parametrize(("rule", "power"), [("batchnorm", 2.0), ("median", 1.0), ("midrange", 60.0)])
def test_rules_minimise_powers_of_distances(rule: str, power: float) -> None:
    """Least squares, least distances, and nearly the least of the largest distance (power 60)."""
    module = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    batch = data()[:31]
    layer = data_init(module, batch, rule)[0]
    for weight, bias in zip(layer.weight.detach().numpy(), layer.bias.detach().numpy(), strict=True):
        z = batch.numpy() @ weight
        span = np.ptp(z)
        best = minimize_scalar(lambda m, z=z, s=span: np.sum(np.abs((z - m) / s) ** power), (z.min(), z.max())).x
        assert -bias == pytest.approx(best, abs=0.03 * span if power > 2 else 1e-6 * span)
    if rule == "midrange":
        z = (batch @ module[0].weight.T).detach()
        assert torch.allclose(-layer.bias, (z.max(dim=0).values + z.min(dim=0).values) / 2, atol=1e-12)


def test_quantiles_leave_their_share_on_each_side() -> None:
    batch = torch.randn(400, 2, generator=seeded(), dtype=torch.float64)
    module = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 1)).double()
    spread = data_init(module, batch, "quantile")[0](batch)
    assert (spread < 0).double().mean(dim=0).numpy() == pytest.approx((np.arange(10) + 0.5) / 10, abs=1 / 200)
    quarter = data_init(module, batch, Quantile(0.25))[0](batch)
    assert (quarter < 0).double().mean(dim=0).numpy() == pytest.approx(np.full(10, 0.25), abs=1 / 200)
    z = (batch @ module[0].weight.T).detach()
    expected = torch.quantile(z, 0.25, dim=0)
    assert torch.allclose(-data_init(module, batch, Quantile(0.25))[0].bias, expected, rtol=1e-12, atol=1e-12)


def test_through_samples_and_callables() -> None:
    batch = data()
    through = data_init(plain(), batch, ThroughSamples(seeded(3)))
    assert float(through[1](batch).detach().abs().min(dim=0).values.max()) < 1e-12
    again = data_init(plain(), batch, ThroughSamples(seeded(3)))
    assert torch.equal(through[3].bias, again[3].bias)
    own = data_init(plain(), batch, lambda z: (z.mean(0).numpy() + 1.0, np.ones(z.shape[1])))
    assert torch.allclose(own[1](batch).mean(dim=0), torch.full((9,), -1.0, dtype=torch.float64))
    exact = data_init(plain(), batch, Midrange(), layers=["3"])
    assert torch.equal(exact[1].bias, plain()[1].bias)
    assert not torch.equal(exact[3].bias, plain()[3].bias)


def test_module_stays_as_it_was_and_the_copy_can_be_trained() -> None:
    module = plain().train()
    module[1].weight.requires_grad_(False)
    before, state = copy.deepcopy(module.state_dict()), torch.random.get_rng_state()
    placed = data_init(module, data(), scaling=True)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert placed.training
    assert [p.requires_grad for p in placed.parameters()] == [p.requires_grad for p in module.parameters()]
    placed(data()).sum().backward()
    assert placed[3].weight.grad is not None
    assert module[3].weight.grad is None


def test_what_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="its layer '2' is batch-norm, whose statistics place the folds"):
        data_init(normed(), data())
    with pytest.raises(
        InvalidInputError, match="`rule`: got 'mean'; expected 'batchnorm', 'median', 'midrange', 'quantile'"
    ):
        data_init(plain(), data(), "mean")
    with pytest.raises(InvalidInputError, match=r"`rule`: got numbers of shape \(3,\) for the layer '1'; expected 9"):
        data_init(plain(), data(), lambda z: (np.zeros(3), np.ones(3)))
    with pytest.raises(InvalidInputError, match="`rule`: a scale of the layer '1' is -0"):
        data_init(plain(), data(), lambda z: (z.mean(0), 0 * z.mean(0)), scaling=True)
    with pytest.raises(InvalidInputError, match="`layers`: '9' is not used; expected some of"):
        data_init(plain(), data(), layers=["1", "9"])
    with pytest.raises(InvalidInputError, match="`level`: got 2"):
        Quantile(2.0)
    shared = nn.Linear(2, 2).double()
    with pytest.raises(InvalidInputError, match="its layer '0' is used more than once"):
        data_init(nn.Sequential(shared, nn.ReLU(), shared), data())
    computed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2).double())
    with pytest.raises(InvalidInputError, match="weights of its layer '0' are computed from others"):
        data_init(nn.Sequential(computed, nn.ReLU(), nn.Linear(2, 1).double()), data())
