"""The star, and the networks with batch-norm that have the weights of those without."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from tests.initialization.nets import seeded


def test_star_is_its_outline() -> None:
    """Points are on the segments from tips to corners, as many on each arm; five turns leave the outline as it is."""
    data = datasets.star(500, generator=seeded())
    assert torch.bincount(data.labels).tolist() == [100] * 5
    radii = data.inputs.norm(dim=1)
    assert float(radii.min()) >= 0.4 - 1e-6
    assert 0.9 < float(radii.max()) <= 1 + 1e-6
    turn = 2 * math.pi / 5 * data.labels
    x, y = data.inputs.T
    across = (x * turn.cos() + y * turn.sin()).abs()  # every arm turned upwards, and its left half reflected
    height = y * turn.cos() - x * turn.sin()
    corner = torch.tensor([0.4 * math.sin(math.pi / 5), 0.4 * math.cos(math.pi / 5)])
    share = across / corner[0]
    assert torch.allclose(height, 1 - share * (1 - corner[1]), atol=1e-5)
    assert torch.equal(data.inputs, datasets.star(500, generator=seeded()).inputs)
    assert not torch.equal(data.inputs, datasets.star(500, noise=0.1, generator=seeded()).inputs)


def test_bad_stars() -> None:
    with pytest.raises(InvalidInputError, match="`n`: got 1"):
        datasets.star(1, generator=seeded())
    with pytest.raises(InvalidInputError, match="`arms`: got 1; expected at least 2"):
        datasets.star(9, arms=1, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`inner`: got 1.0"):
        datasets.star(9, inner=1.0, generator=seeded())


def test_networks_with_and_without_batchnorm_have_the_same_weights() -> None:
    plain, normed = (
        make([2, 5, 4, 1], bias_deviation=0.3, slope=0.2, generator=seeded(), dtype=torch.float64)
        for make in (models.gaussian_mlp, models.batchnorm_mlp)
    )
    kinds = [nn.Flatten, *[nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 2, nn.Linear]
    assert [type(layer) for layer in normed] == kinds
    assert [layer.num_features for layer in normed if isinstance(layer, nn.BatchNorm1d)] == [5, 4]
    without = [layer for layer in normed if not isinstance(layer, nn.BatchNorm1d)]
    x = torch.randn(6, 2, generator=seeded(), dtype=torch.float64)
    assert torch.equal(nn.Sequential(*without)(x), plain(x))
    assert plain[2].negative_slope == 0.2
