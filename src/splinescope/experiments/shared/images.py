"""Images for generators: the small digits, or the user's MNIST, with a classifier that names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.training import trained

HELD_OUT = 0.3
"""Share of the images, the last ones, that nothing is trained on."""


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Flat images with labels.

    Attributes:
        inputs: [n, pixels] images to train on, values from 0 to 1.
        labels: Their digits.
        held: [m, pixels] images that are held out.
        held_labels: Their digits.
    """

    inputs: Tensor
    labels: Tensor
    held: Tensor
    held_labels: Tensor


def images_of(data: str, most: int) -> ImageSplit:
    """The images of an experiment.

    Args:
        data: The folder of MNIST; empty for the small digits.
        most: How many of them.

    Returns:
        The images.
    """
    found = datasets.mnist(Path(data), "train") if data else datasets.digits()
    inputs, labels = found.inputs[:most].flatten(1), found.labels[:most]
    train = round(len(inputs) * (1 - HELD_OUT))
    return ImageSplit(inputs[:train], labels[:train], inputs[train:], labels[train:])


def classifier_of(images: ImageSplit, parts: Parts, width: int, epochs: int, seed: int) -> nn.Sequential:
    """A classifier of ten classes with two hidden layers, kept as the part `classifier`.

    Args:
        images: The images.
        parts: The experiment's parts.
        width: Units per layer.
        epochs: Passes over the data.
        seed: Of weights and batches.

    Returns:
        The classifier, in float64.
    """
    rng = torch.Generator().manual_seed(seed)
    module = models.mlp([images.inputs.shape[1], width, width, 10], generator=rng)

    def train() -> None:
        models.train_classifier(module, images.inputs, images.labels, generator=rng, epochs=epochs)

    return trained(parts, "classifier", module, train)


def decoder_of(
    name: str, inputs: Tensor, parts: Parts, *, latents: int, width: int, epochs: int, seed: int
) -> nn.Sequential:
    """The decoder of a variational autoencoder: a generator of standard Gaussian latents, kept as a part.

    Args:
        name: Name of the part.
        inputs: [n, pixels] images.
        parts: The experiment's parts.
        latents: Dimension of the latents.
        width: Units of each of two hidden layers.
        epochs: Passes over the data.
        seed: Of weights, batches and noise.

    Returns:
        The generator, in float64.
    """
    both = autoencoder_of(name, inputs, parts, latents=latents, width=width, epochs=epochs, seed=seed)
    return cast(nn.Sequential, both[1])


def autoencoder_of(
    name: str, inputs: Tensor, parts: Parts, *, latents: int, width: int, epochs: int, seed: int
) -> nn.Sequential:
    """A variational autoencoder, kept as a part.

    Args:
        name: Name of the part.
        inputs: [n, pixels] images.
        parts: The experiment's parts.
        latents: Dimension of the latents.
        width: Units of each of two hidden layers, in both.
        epochs: Passes over the data.
        seed: Of weights, batches and noise.

    Returns:
        The encoder, whose first outputs are means of latents, and the decoder, in float64.
    """
    rng = torch.Generator().manual_seed(seed)
    encoder = models.mlp([inputs.shape[1], width, width, 2 * latents], generator=rng)
    decoder = models.mlp([latents, width, width, inputs.shape[1]], generator=rng)

    def train() -> None:
        models.train_vae(encoder, decoder, inputs, generator=rng, epochs=epochs, deviation=0.1)

    return trained(parts, name, nn.Sequential(encoder, decoder), train)
