"""Toy networks: shapes, initialisation, training, and no touch of global seeds."""

from __future__ import annotations

import math

import pytest
import torch

from splinescope import datasets, models
from splinescope.errors import InvalidInputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mlp_is_repeatable_and_leaves_global_seeds() -> None:
    before = torch.random.get_rng_state()
    one, two, three = (models.mlp([3, 5, 4], generator=seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.ones(2, 3)
    assert torch.equal(one(x), two(x))
    assert not torch.equal(one(x), three(x))
    assert one(x).shape == (2, 4)
    assert float(one[1].weight.detach().abs().max()) <= 1 / math.sqrt(3)


def test_mlp_flattens_images_and_takes_a_dtype() -> None:
    network = models.mlp([64, 8, 10], generator=seeded(), dtype=torch.float64)
    assert network(torch.zeros(2, 1, 8, 8, dtype=torch.float64)).dtype == torch.float64


def test_convnet_shapes() -> None:
    network = models.convnet((3, 9, 8), 5, channels=(4, 6), generator=seeded())
    assert network(torch.zeros(2, 3, 9, 8)).shape == (2, 5)


def test_bad_sizes() -> None:
    with pytest.raises(InvalidInputError, match=r"`widths`: got \[3\]; expected two or more"):
        models.mlp([3], generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`image_shape`: got \(8, 8\)"):
        models.convnet((8, 8), 10, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`channels`: 3 layers halve 4 x 4 pixels to nothing"):
        models.convnet((1, 4, 4), 10, channels=(2, 2, 2), generator=seeded())


def test_training_learns_two_moons() -> None:
    generator = seeded()
    data = datasets.two_moons(200, generator=generator)
    network = models.mlp([2, 24, 24, 2], generator=generator)
    before = torch.random.get_rng_state()
    result = models.train_classifier(network, data.inputs, data.labels, generator=generator, epochs=60)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert result.accuracy > 0.97
    assert result.losses[-1] < result.losses[0]


def test_training_needs_a_label_per_input() -> None:
    network = models.mlp([2, 2], generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`labels`: got 3 for 2 inputs"):
        models.train_classifier(network, torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64), generator=seeded())
