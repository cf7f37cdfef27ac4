"""Decoders of activations: their shapes, the source's sizes, and that they learn what can be learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from splinescope import datasets
from splinescope.errors import InvalidInputError
from splinescope.paths.decoders import decoded, decoder_for, flat_decoder, map_decoder, train_decoder


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("activation", [(10,), (2048,), (3, 1, 1), (16, 8, 8), (4, 7, 5)])
@pytest.mark.parametrize("image", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 20, 31)])
def test_shapes(activation: tuple[int, ...], image: tuple[int, ...]) -> None:
    decoder = decoder_for(activation, image, width=6, generator=seeded())
    images = decoder(torch.randn(4, *activation, generator=seeded())).detach()
    assert tuple(images.shape) == (4, *image)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1


def test_the_last_layer_of_the_source_has_its_sizes() -> None:
    decoder = flat_decoder((2048,), (3, 32, 32), generator=seeded())
    assert not [layer for layer in decoder if isinstance(layer, nn.Linear)]
    found = [tuple(layer.weight.shape) for layer in decoder if isinstance(layer, nn.ConvTranspose2d)]
    wide, narrow = [(128, 512, 3, 3), *[(512, 512, 3, 3)] * 2], [(256, 256, 3, 3)] * 8
    assert found == [*wide, (512, 256, 3, 3), *narrow]
    assert len([layer for layer in decoder if isinstance(layer, nn.Upsample)]) == 3
    assert {layer.negative_slope for layer in decoder if isinstance(layer, nn.LeakyReLU)} == {0.3}


def test_the_first_layer_keeps_its_size_and_has_colours() -> None:
    decoder = map_decoder((256, 56, 56), (3, 224, 224), width=256, generator=seeded())
    kernels = [layer.kernel_size[0] for layer in decoder if isinstance(layer, nn.ConvTranspose2d)]
    assert kernels == [5, 3, 3, 5, 3, 3, *[3] * 6]
    small = map_decoder((2, 6, 6), (3, 6, 6), width=3, generator=seeded())
    assert not [layer for layer in small if isinstance(layer, nn.Upsample)]


def test_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (decoder_for((9,), (1, 8, 8), width=4, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    vectors = [nn.utils.parameters_to_vector(decoder.parameters()) for decoder in (one, two, other)]
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])
    deviation = one[1].weight.detach().std(correction=0)
    assert float(deviation) == pytest.approx((2 / 9) ** 0.5, rel=0.15)  # He: variance 2 / fan-in


def test_it_learns_to_invert_an_invertible_layer() -> None:
    """A rotation loses nothing: the error falls far below that of the best constant image."""
    images = datasets.digits().inputs[:600]
    rotation = torch.linalg.qr(torch.randn(64, 64, generator=seeded(3)))[0]
    activations = images.flatten(1) @ rotation
    decoder = decoder_for((64,), (1, 8, 8), width=16, generator=seeded())
    training = train_decoder(decoder, activations, images, epochs=15, batch_size=64, generator=seeded(4))
    constant = float((images - images.mean(dim=0)).square().mean().sqrt())
    assert training.error < 0.45 * constant
    assert training.losses[-1] < 0.25 * training.losses[0]
    assert not decoder.training
    found = decoded(decoder, activations.numpy())
    assert float(np.sqrt(np.mean((found - images.numpy()) ** 2))) == pytest.approx(training.error, rel=1e-6)
    # The error is that of images that it has not seen, too, up to some overfitting.
    unseen = datasets.digits().inputs[600:900]
    errors = decoded(decoder, unseen.flatten(1) @ rotation) - unseen.numpy()
    assert float(np.sqrt(np.mean(errors**2))) < 0.6 * constant


def test_training_is_repeatable_and_takes_a_last_batch_of_one() -> None:
    images = datasets.digits().inputs[:33]
    results = []
    for _ in range(2):
        decoder = decoder_for((1, 8, 8), (1, 8, 8), width=3, generator=seeded())
        results.append(train_decoder(decoder, images, images, epochs=2, batch_size=32, generator=seeded(1)))
    assert results[0] == results[1]


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match=r"`image_shape`: got \(8, 8\); expected \(channels, height, width\)"):
        decoder_for((4,), (8, 8), generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`activation_shape`: got \(\); expected positive sizes"):
        decoder_for((), (1, 8, 8), generator=seeded())
    with pytest.raises(InvalidInputError, match="`width`: got 0; expected a positive number"):
        decoder_for((4,), (1, 8, 8), width=0, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`activation_shape`: got \(4,\); expected feature maps"):
        map_decoder((4,), (1, 8, 8), generator=seeded())
    decoder = decoder_for((4,), (1, 8, 8), width=2, generator=seeded())
    with pytest.raises(InvalidInputError, match="`images`: got 3 for 2 activations"):
        train_decoder(decoder, torch.zeros(2, 4), torch.zeros(3, 1, 8, 8), generator=seeded())
