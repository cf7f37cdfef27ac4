"""Generators whose condition is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.generative import conditioned, log_volume
from tests.generative.nets import formula_net


def test_modules_and_networks() -> None:
    module = formula_net([5, 12, 9], 0)
    network = splinescope.from_torch(module, input_shape=(5,))
    z = np.random.default_rng(0).standard_normal((8, 3))
    whole = np.stack([z[:, 0], np.full(8, 0.5), z[:, 1], z[:, 2], np.full(8, -2.0)], axis=1)
    with torch.no_grad():
        expected = module(torch.from_numpy(whole)).numpy()
        J = torch.stack([torch.func.jacrev(module)(row) for row in torch.from_numpy(whole)])[:, :, [0, 2, 3]]
        volumes = 0.5 * torch.logdet(J.mT @ J).numpy()
        for given in (conditioned(module, {1: 0.5, 4: -2.0}, (5,)), conditioned(network, {1: 0.5, 4: -2.0})):
            np.testing.assert_allclose(given(torch.from_numpy(z)).numpy(), expected, atol=1e-13)
            np.testing.assert_allclose(log_volume(given, z), volumes, atol=1e-10)


def test_images_of_latents() -> None:
    """Inputs that are no vectors, and modules of float32."""
    module = nn.Sequential(nn.ConvTranspose2d(3, 2, 4), nn.ReLU(), nn.Conv2d(2, 4, 1))
    given = conditioned(module, {2: 1.0}, (3, 1, 1))
    z = torch.randn(4, 2)
    expected = module(torch.cat([z, torch.ones(4, 1)], dim=1)[:, :, None, None])
    torch.testing.assert_close(given(z), expected)
    network = conditioned(splinescope.from_torch(module, input_shape=(3, 1, 1)), {2: 1.0})
    np.testing.assert_allclose(network(z.double().numpy()), expected.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("numbers", [{3: 0.0}, {-1: 0.0}, {0: 0.0, 1: 0.0, 2: 0.0}, {0: float("nan")}])
def test_what_cannot_be_given(numbers: dict[int, float]) -> None:
    with pytest.raises(InvalidInputError, match="`numbers`"):
        conditioned(nn.Linear(3, 2), numbers, (3,))
    with pytest.raises(InvalidInputError, match="`input_shape`: not given"):
        conditioned(nn.Linear(3, 2), {0: 1.0})
