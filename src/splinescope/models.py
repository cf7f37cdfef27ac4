"""Toy networks: small torch modules with explicit randomness, and a training loop of a few seconds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splinescope.errors import InvalidInputError


def mlp(widths: Sequence[int], *, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """A ReLU network of fully connected layers, initialised as torch does by default.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs: `[2, 16, 16, 1]`.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, widths[0]]; images are flattened first.

    Raises:
        InvalidInputError: If there are fewer than two widths or one is not positive.

    Example:
        >>> network = mlp([2, 16, 1], generator=torch.Generator().manual_seed(0))
        >>> tuple(network(torch.zeros(5, 2)).shape)
        (5, 1)
    """
    if len(widths) < 2 or min(widths) < 1:
        raise InvalidInputError(f"`widths`: got {list(widths)}; expected two or more positive numbers")
    layers: list[nn.Module] = [nn.Flatten()]
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        if number:
            layers.append(nn.ReLU())
        layers.append(nn.utils.skip_init(nn.Linear, fan_in, fan_out, dtype=dtype))
    return _initialise(nn.Sequential(*layers), generator)


def convnet(
    image_shape: Sequence[int],
    classes: int,
    channels: Sequence[int] = (8, 16),
    *,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A small convolutional network: 3x3 convolution, ReLU and 2x2 max-pool, repeated, then one linear layer.

    Args:
        image_shape: [channels, height, width] of one image.
        classes: Number of outputs.
        channels: Number of channels of each convolution; every one halves height and width.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, *image_shape].

    Raises:
        InvalidInputError: If the shape is not that of an image, or the image is too small for so many layers.
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise InvalidInputError(f"`image_shape`: got {tuple(image_shape)}; expected (channels, height, width)")
    before, height, width = image_shape
    if min(height, width) < 2 ** len(channels):
        raise InvalidInputError(
            f"`channels`: {len(channels)} layers halve {height} x {width} pixels to nothing; give fewer layers"
        )
    layers: list[nn.Module] = []
    for number in channels:
        layers += [
            nn.utils.skip_init(nn.Conv2d, before, number, 3, padding=1, dtype=dtype),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        before, height, width = number, height // 2, width // 2
    layers += [nn.Flatten(), nn.utils.skip_init(nn.Linear, before * height * width, classes, dtype=dtype)]
    return _initialise(nn.Sequential(*layers), generator)


def _initialise(module: nn.Sequential, generator: torch.Generator) -> nn.Sequential:
    """Fill weights and biases with torch's default distribution, uniform in +-1/sqrt(fan-in), from the generator."""
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                bound = 1 / math.sqrt(layer.weight[0].numel())
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=generator)
    return module


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        losses: Mean cross-entropy in nats of each epoch.
        accuracy: Fraction of the training inputs that the trained module classifies correctly.
    """

    losses: tuple[float, ...]
    accuracy: float


def train_classifier(
    module: nn.Module,
    inputs: Float[Tensor, "n ..."],
    labels: Int[Tensor, " labels"],
    *,
    generator: torch.Generator,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
) -> TrainingResult:
    """Train a classifier in place with Adam on the cross-entropy.

    Args:
        module: Maps [N, *shape] to [N, classes]; its parameters change, its mode does not.
        inputs: Training inputs.
        labels: Class of each input.
        generator: Source of the order of the batches; global seeds stay untouched.
        epochs: Number of passes over the data.
        batch_size: Inputs per step.
        learning_rate: Adam's step size.
        weight_decay: Decoupled weight decay per unit of learning rate.

    Returns:
        The losses and the accuracy reached.

    Raises:
        InvalidInputError: If inputs and labels differ in number, or there are none.
    """
    if len(inputs) != len(labels) or not len(inputs):
        raise InvalidInputError(f"`labels`: got {len(labels)} for {len(inputs)} inputs; expected one per input")
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(inputs), generator=generator).split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(inputs[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(inputs))
    with torch.no_grad():
        correct = module(inputs).argmax(dim=1) == labels
    return TrainingResult(tuple(losses), float(correct.float().mean()))
