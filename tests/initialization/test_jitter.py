"""Jitter of batch-norm's hyperplanes: the formula against resampling, and against all mini-batches there are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.initialization import boundary_jitter
from tests.initialization.nets import case, seeded


def test_formula_is_exact_over_all_minibatches() -> None:
    """All 126 mini-batches of 4 out of 9, without replacement."""
    module = models.batchnorm_mlp([2, 6, 1], generator=seeded(), dtype=torch.float64)
    data = torch.randn(9, 2, generator=seeded(1), dtype=torch.float64)
    (found,) = boundary_jitter(module, data, 4, generator=seeded(2), resamples=2)
    weight = module[1].weight.detach()
    values = (data @ weight.T).detach() / weight.norm(dim=1)
    means = torch.stack([values[list(rows)].mean(dim=0) for rows in itertools.combinations(range(9), 4)])
    assert (found.layer, found.norm) == ("1", "2")
    assert found.predicted == pytest.approx(means.std(dim=0, correction=0).numpy(), rel=1e-12)


@pytest.mark.parametrize("replacement", [False, True])
def test_measured_and_predicted_agree(replacement: bool) -> None:
    module = models.batchnorm_mlp([2, 24, 24, 24, 1], generator=seeded(), dtype=torch.float64)
    data = datasets.star(200, generator=seeded()).inputs.double()
    settings = {"generator": seeded(4), "resamples": 400, "replacement": replacement}
    first, *deeper = boundary_jitter(module, data, 16, **settings)
    noise = 4 / math.sqrt(2 * 400)  # four standard errors of a standard deviation of 400 samples
    assert np.abs(first.alone / first.predicted - 1).max() < noise
    assert first.together == pytest.approx(first.alone, rel=1e-9)  # nothing moves before the first layer
    for layer in deeper:
        assert np.abs(layer.alone / layer.predicted - 1).max() < noise
        assert np.abs(layer.together / layer.predicted - 1).max() > noise


def test_samples_of_a_convolution_are_images() -> None:
    module, batch = case("sequence")
    found = boundary_jitter(module, batch, 4, generator=seeded(), replacement=True)
    layer = module[0]
    means = layer(batch).mean(dim=2).detach()
    expected = means.std(dim=0, correction=0) / 2 / layer.weight.detach().flatten(1).norm(dim=1)
    assert found[0].predicted == pytest.approx(expected.numpy(), rel=1e-10)
    assert [entry.norm for entry in found] == ["1", "4"]


def test_bad_sizes_and_modules_without_norms() -> None:
    module, batch = case("mlp")
    with pytest.raises(InvalidInputError, match="`batch_size`: got 13; expected a number from 2 to 12"):
        boundary_jitter(module, batch, 13, generator=seeded())
    with pytest.raises(InvalidInputError, match="`batch_size`: got 1"):
        boundary_jitter(module, batch, 1, generator=seeded())
    with pytest.raises(InvalidInputError, match="`resamples`: got 1"):
        boundary_jitter(module, batch, 2, generator=seeded(), resamples=1)
    assert boundary_jitter(nn.Linear(2, 3).double(), batch, 4, generator=seeded()) == ()
