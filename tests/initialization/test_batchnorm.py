"""Batch-norm folded: the same outputs as the original in eval and in train mode, which stays untouched."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.initialization import BatchStatistics, batch_statistics, fold_batchnorm
from tests.initialization.nets import CASES, Untraceable, case, seeded


def norms_of(module: nn.Module) -> int:
    return sum(isinstance(child, nn.modules.batchnorm._BatchNorm) for child in module.modules())


def relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float(((found - truth).abs().max() / truth.abs().max()).detach())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("training", [False, True])
def test_folded_module_equals_the_original(name: str, training: bool) -> None:
    module, batch = case(name)
    module.train(training)
    before = copy.deepcopy(module.state_dict())
    folded = fold_batchnorm(module, batch if training else "running")
    assert module.training is training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert norms_of(folded) == 0
    with torch.no_grad():
        assert relative(folded(batch), module(batch)) < 1e-12
        if not training:
            other = torch.randn(5, *batch.shape[1:], generator=seeded(9), dtype=torch.float64)
            assert relative(folded(other), module(other)) < 1e-12


@pytest.mark.parametrize(("name", "folded_away"), [("mlp", 2), ("residual", 2), ("sequence", 2), ("untraceable", 0)])
def test_norms_are_folded_into_the_layers_they_follow(name: str, folded_away: int) -> None:
    module, _ = case(name)
    folded = fold_batchnorm(module)
    scales = sum(type(child).__name__ == "ChannelScale" for child in folded.modules())
    assert norms_of(module) - scales == folded_away


@pytest.mark.parametrize("name", ["mlp", "residual", "sequence"])
def test_folded_module_can_be_loaded(name: str) -> None:
    module, batch = case(name)
    network = splinescope.load(fold_batchnorm(module, batch), input_shape=tuple(batch.shape[1:]))
    with torch.no_grad():
        assert relative(network(batch), module.train()(batch)) < 1e-12


def test_statistics_are_those_that_training_adds_to_the_running_ones() -> None:
    """With momentum 1 the running statistics become those of the batch; the running variance is unbiased."""
    module, batch = case("residual")
    found = batch_statistics(module, batch)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    module.train()(batch)
    for name, statistics in found.items():
        norm = module.get_submodule(name)
        unbiased = statistics.variance * statistics.count / (statistics.count - 1)
        assert torch.allclose(statistics.mean, norm.running_mean, rtol=1e-12, atol=1e-12)
        assert torch.allclose(unbiased, norm.running_var, rtol=1e-12)
    assert list(found) == ["norm", "block.1", "after_sum", "beside"]


def test_statistics_by_name_and_the_running_ones_for_the_rest() -> None:
    module, batch = case("mlp")
    found = batch_statistics(module, batch)
    assert torch.equal(fold_batchnorm(module, found)(batch), fold_batchnorm(module, batch)(batch))
    first = next(iter(found))
    mixed = fold_batchnorm(module, {first: found[first]})(batch)
    module.get_submodule(first).train()
    with torch.no_grad():
        half = module.eval()
        half.get_submodule(first).train()
        assert relative(mixed, half(batch)) < 1e-12


def test_gamma_does_not_move_the_tessellation_and_beta_does() -> None:
    module, batch = case("mlp")
    domain = splinescope.Slice.box([-2, -2], [2, 2])
    with torch.no_grad():
        for norm in (module[2], module[5]):
            norm.weight.abs_()
            norm.bias.zero_()
        start = splinescope.tessellate(splinescope.load(fold_batchnorm(module, batch)), domain)
        module[2].weight.mul_(3.0)
        module[5].weight.mul_(torch.linspace(0.5, 4.0, 7))
        scaled = splinescope.tessellate(splinescope.load(fold_batchnorm(module, batch)), domain)
        module[2].bias.add_(0.3)
        moved = splinescope.tessellate(splinescope.load(fold_batchnorm(module, batch)), domain)
    # the epsilon beside the variance of the second layer does not scale with gamma, and moves nothing either
    # (but for slivers of rounding where all folds of a layer meet, at the mean of the data)
    before, after, elsewhere = (np.sort(cells.measures[cells.resolved]) for cells in (start, scaled, moved))
    where = start.locate(scaled.interior_points[scaled.resolved])
    assert np.array_equal(start.patterns[where], scaled.patterns[scaled.resolved])
    assert len(before) == len(after)
    assert np.allclose(before, after, rtol=1e-9, atol=1e-12)
    assert len(elsewhere) != len(before) or not np.allclose(before, elsewhere, rtol=1e-3)


def test_beta_translates_the_hyperplanes_of_its_layer() -> None:
    r"""The fold of unit k is at w.x = mu - beta nu / gamma."""
    module, batch = case("mlp")
    statistics = next(iter(batch_statistics(module, batch).values()))
    norm, weight, bias = module[2], module[1].weight.detach(), module[1].bias.detach()
    nu = (statistics.variance + norm.eps).sqrt()
    offsets = statistics.mean - norm.bias.detach() * nu / norm.weight.detach()
    normal = weight / weight.norm(dim=1, keepdim=True)
    points = normal * ((offsets - bias) / weight.norm(dim=1))[:, None]  # one on the hyperplane of each unit
    hidden = fold_batchnorm(module, batch)[:3](points)
    assert float(hidden.diagonal().abs().max()) < 1e-12


def test_what_is_refused() -> None:
    module, batch = case("mlp")
    with pytest.raises(InvalidInputError, match="`statistics`: got 'batch'; expected 'running', a batch"):
        fold_batchnorm(module, "batch")
    with pytest.raises(InvalidInputError, match="there is no batch-norm layer 'bn'; the module has"):
        fold_batchnorm(module, {"bn": BatchStatistics(torch.zeros(1), torch.ones(1), 0)})
    with pytest.raises(InvalidInputError, match="`statistics`: '2' got 1 channels; expected 8"):
        fold_batchnorm(module, {"2": BatchStatistics(torch.zeros(1), torch.ones(1), 0)})
    with pytest.raises(InvalidInputError, match="sees one value of each channel"):
        fold_batchnorm(module, batch[:1])
    with pytest.raises(InvalidInputError, match="`batch`: some numbers are NaN"):
        fold_batchnorm(module, batch * float("nan"))
    with pytest.raises(InvalidInputError, match="keeps no running statistics; expected a batch"):
        fold_batchnorm(nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(InvalidInputError, match="divides by zero"):
        fold_batchnorm(nn.BatchNorm1d(2, eps=0.0), {"": BatchStatistics(torch.zeros(2), torch.zeros(2), 0)})
    norm = nn.BatchNorm1d(3)
    with pytest.raises(InvalidInputError, match="'0' is applied twice, each time with other statistics"):
        fold_batchnorm(nn.Sequential(norm, nn.ReLU(), norm), torch.rand(4, 3))


@pytest.mark.parametrize("layer", [nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm1d(3), nn.LocalResponseNorm(2)])
def test_norms_of_single_inputs_are_refused(layer: nn.Module) -> None:
    with pytest.raises(UnsupportedOpError, match=r"1 \(\w+\) divides by a deviation of each single input"):
        fold_batchnorm(nn.Sequential(nn.Linear(3, 3), layer))


def test_linear_layers_along_channels_are_not_mistaken() -> None:
    """As many channels as features: whether the norm follows the features is seen when inputs come."""
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).double().eval()
    folded = fold_batchnorm(module)
    vectors = torch.randn(3, 4, generator=seeded(), dtype=torch.float64)
    assert relative(folded(vectors), module(vectors)) < 1e-12
    with pytest.raises(
        InvalidInputError, match=r"folded into it for inputs \[N, features\]; got the shape \(3, 5, 5\)"
    ):
        folded(torch.zeros(3, 5, 4, dtype=torch.float64))


def test_weights_computed_from_others_are_left_alone() -> None:
    generator = seeded()
    linear = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4).double())
    module = nn.Sequential(linear, nn.BatchNorm1d(4).double()).train()
    batch = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    assert relative(fold_batchnorm(module, batch)(batch), module(batch)) < 1e-12


def test_tied_weights_and_float32() -> None:
    """A norm is folded into one of two layers with the same weights; float32 modules stay float32."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    module = nn.Sequential(first, nn.BatchNorm1d(4), nn.ReLU(), second).train()
    batch = torch.randn(20, 4, generator=seeded())
    folded = fold_batchnorm(module, batch)
    assert {p.dtype for p in folded.parameters()} == {torch.float32}
    assert relative(folded(batch), module(batch)) < 1e-5
    assert torch.equal(folded[3].weight, module[3].weight)


def test_random_states_and_hooks_stay() -> None:
    module = Untraceable().double()
    seen: list[int] = []
    module.register_forward_hook(lambda *_: seen.append(1))
    state = torch.random.get_rng_state()
    fold_batchnorm(module, torch.randn(5, 3, generator=seeded(), dtype=torch.float64))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert seen == []
