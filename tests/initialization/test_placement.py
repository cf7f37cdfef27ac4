"""Total least squares against numerical minimisation, patches cut out by hand, and what batch-norm promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import nn

import splinescope
from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.initialization import fold_batchnorm, total_least_squares
from tests.initialization.nets import case, seeded


def squared(weight: np.ndarray, rows: np.ndarray, offset: float) -> float:
    """Mean squared distance of rows to the hyperplane with that offset along the unit normal."""
    return float(np.mean((rows @ weight / np.linalg.norm(weight) - offset) ** 2))


def test_closed_form_is_the_numerical_minimum() -> None:
    module = models.gaussian_mlp([3, 6, 5, 2], generator=seeded(), dtype=torch.float64)
    batch = torch.randn(40, 3, generator=seeded(1), dtype=torch.float64) + 2.0
    fits = total_least_squares(module, batch)
    rows = [batch, module[:3](batch), module[:5](batch)]
    assert [fit.folds for fit in fits] == [True, True, False]
    for fit, inputs, layer in zip(fits, rows, (module[1], module[3], module[5]), strict=True):
        x, weights = inputs.detach().numpy(), layer.weight.detach().numpy()
        assert fit.samples == 40
        for unit, weight in enumerate(weights):
            found = minimize_scalar(lambda m, w=weight, x=x: squared(w, x, m), tol=1e-14)
            assert fit.least[unit] == pytest.approx(found.fun, rel=1e-10)
            assert fit.best[unit] == pytest.approx(found.x, rel=1e-6, abs=1e-6)
            own = -float(layer.bias[unit].detach()) / np.linalg.norm(weight)
            assert fit.offsets[unit] == pytest.approx(own, rel=1e-12)
            assert fit.mean_squared[unit] == pytest.approx(squared(weight, x, own), rel=1e-10)


def test_patches_of_a_convolution() -> None:
    layer = nn.Conv2d(2, 3, 3, stride=2, padding=1).double()
    batch = torch.randn(7, 2, 5, 6, generator=seeded(), dtype=torch.float64)
    (fit,) = total_least_squares(nn.Sequential(layer, nn.ReLU()), batch)
    patches = nn.functional.unfold(batch, 3, stride=2, padding=1).movedim(1, 2).reshape(-1, 18).numpy()
    assert fit.samples == len(patches) == 7 * 9
    for unit, weight in enumerate(layer.weight.detach().flatten(1).numpy()):
        assert fit.best[unit] == pytest.approx((patches @ weight).mean() / np.linalg.norm(weight), rel=1e-10)
        assert fit.mean_squared[unit] == pytest.approx(squared(weight, patches, fit.offsets[unit]), rel=1e-10)


@pytest.mark.parametrize("name", ["mlp", "sequence"])
def test_batchnorm_attains_the_minimum_where_it_has_no_beta(name: str) -> None:
    module, batch = case(name)
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm1d):
                norm.bias.zero_()
    fits = total_least_squares(fold_batchnorm(module, batch), batch)
    for fit in fits[:2]:
        assert fit.excess == pytest.approx(1.0, abs=1e-12)
        assert fit.both_sides.all()
    assert total_least_squares(module, batch)[0].excess > 1.01  # running statistics are of other data


def test_beta_costs_what_the_formula_says() -> None:
    r"""Mean squared distance (sigma^2 + beta^2 nu^2 / gamma^2) / |w|^2, of the layer without the norm folded in."""
    module, batch = case("mlp")
    fit = total_least_squares(fold_batchnorm(module, batch), batch)[0]
    weight, norm = module[1].weight.detach(), module[2]
    variance = (batch @ weight.T).var(dim=0, correction=0)
    shifts = norm.bias**2 * (variance + norm.eps) / norm.weight**2
    expected = ((variance + shifts) / weight.square().sum(dim=1)).detach().numpy()
    assert fit.mean_squared == pytest.approx(expected, rel=1e-10)


def test_every_unit_has_samples_on_both_sides_and_cuts_the_convex_hull() -> None:
    star = datasets.star(50, generator=seeded()).inputs.double() + torch.tensor([4.0, -3.0])
    module = models.batchnorm_mlp([2, *(32,) * 6, 1], generator=seeded(), dtype=torch.float64)
    assert all(fit.both_sides.all() for fit in total_least_squares(fold_batchnorm(module, star), star)[:-1])
    plain = models.gaussian_mlp([2, *(32,) * 6, 1], bias_deviation=0.0, generator=seeded(), dtype=torch.float64)
    assert not all(fit.both_sides.all() for fit in total_least_squares(plain, star)[:-1])


def test_zero_bias_makes_patterns_radial() -> None:
    """pattern(lambda x) = pattern(x) for lambda > 0: one cell on each ray of an exact tessellation."""
    module = models.gaussian_mlp([2, 9, 8, 7, 1], bias_deviation=0.0, generator=seeded(), dtype=torch.float64)
    cells = splinescope.tessellate(splinescope.load(module), splinescope.Slice.box([-1, -1], [1, 1]))
    rays = np.random.default_rng(0).normal(size=(300, 2))
    rays /= np.abs(rays).max(axis=1, keepdims=True)
    far, near = (cells.patterns[cells.locate(scale * rays)] for scale in (0.99, 0.013))
    assert np.array_equal(far, near)


def test_constant_units_and_bad_batches() -> None:
    layer = nn.Linear(2, 2).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    (fit,) = total_least_squares(layer, torch.eye(2, dtype=torch.float64))
    assert np.isnan(fit.mean_squared[0])
    assert not fit.both_sides[0]
    assert fit.least[1] == 0.25
    assert np.isfinite(fit.excess)
    with pytest.raises(InvalidInputError, match=r"`batch`: got the shape \(2,\)"):
        total_least_squares(layer, torch.zeros(2))
    with pytest.raises(InvalidInputError, match=r"`model`: it takes inputs of shape \(2,\); got some of \(3,\)"):
        total_least_squares(splinescope.load(layer), torch.zeros(2, 3))
