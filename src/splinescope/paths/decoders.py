r"""Decoders: networks that are trained to turn a layer's activations back into images.

They show what lies on a path between activations, which are no images themselves. Architectures after Gu and Borovykh
(arXiv 2311.06816, tables 2 to 4), with sizes that follow the activations and the images.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.progress import each

_SMALLEST_SIDE = 4
"""Side of the first feature maps of a decoder of flat activations, at most."""
_SLOPE = 0.3
"""Slope of the leaky ReLUs for negative values, as in the source."""
_BATCH = 256


@dataclass(frozen=True)
class DecoderTraining:
    """What the training of a decoder came to.

    Attributes:
        losses: Mean squared error per pixel of each epoch, in training mode.
        error: Root of the mean squared error per pixel of the trained decoder on its training images.
    """

    losses: tuple[float, ...]
    error: float


def decoder_for(
    activation_shape: Sequence[int], image_shape: Sequence[int], *, width: int = 256, generator: torch.Generator
) -> nn.Sequential:
    """A new decoder: `map_decoder` of feature maps, `flat_decoder` of all else.

    Args:
        activation_shape: Shape of one activation, without the batch.
        image_shape: [channels, height, width] of one image.
        width: Number of channels inside.
        generator: Source of the weights; global seeds stay untouched.

    Returns:
        A module from [N, *activation_shape] to [N, *image_shape], with values from 0 to 1.

    Raises:
        InvalidInputError: If a shape is not one, or the width not positive.

    Cost: its weights, which grow with the square of the width.

    Example:
        >>> import torch
        >>> decoder = decoder_for((64,), (1, 8, 8), width=8, generator=torch.Generator().manual_seed(0))
        >>> tuple(decoder(torch.zeros(5, 64)).shape)
        (5, 1, 8, 8)
    """
    maps = len(activation_shape) == 3 and min(activation_shape[1:]) > 1
    make = map_decoder if maps else flat_decoder
    return make(activation_shape, image_shape, width=width, generator=generator)


def flat_decoder(
    activation_shape: Sequence[int], image_shape: Sequence[int], *, width: int = 256, generator: torch.Generator
) -> nn.Sequential:
    """A decoder of the last layer, where activations have no places.

    Three transposed convolutions 3 x 3 with leaky ReLU and batch-norm at each size, which doubles until it is the
    image's; then a convolution and a sigmoid. With 2048 activations and images of 32 x 32 it is the source's: these
    are reshaped to 128 channels of 4 x 4. Other numbers of activations are brought there by a linear layer.

    Args:
        activation_shape: Shape of one activation; flattened first.
        image_shape: [channels, height, width] of one image.
        width: Number of channels; twice as many at the first size.
        generator: Source of the weights.

    Returns:
        The module.

    Raises:
        InvalidInputError: As `decoder_for`.

    Cost: that of `decoder_for`.

    Example:
        >>> import torch
        >>> decoder = flat_decoder((64,), (1, 8, 8), width=4, generator=torch.Generator().manual_seed(0))
        >>> tuple(decoder(torch.zeros(5, 64)).shape)
        (5, 1, 8, 8)
    """
    _check(activation_shape, image_shape, width)
    sides = _sides(image_shape)
    inputs, first = math.prod(activation_shape), max(1, width // 2)
    with torch.device("meta"):
        layers: list[nn.Module] = [nn.Flatten()]
        if inputs != first * math.prod(sides[0]):
            layers.append(nn.Linear(inputs, first * math.prod(sides[0])))
        layers.append(nn.Unflatten(1, (first, *sides[0])))
        before = first
        for number, side in enumerate(sides):
            if number:
                layers.append(nn.Upsample(size=side))
            channels = width if number else 2 * width
            layers += _stage(before, channels, nn.LeakyReLU(_SLOPE))
            before = channels
        layers += [nn.Conv2d(before, image_shape[0], 3, padding=1), nn.Sigmoid()]
        module = nn.Sequential(*layers)
    return _initialised(module, generator)


def map_decoder(
    activation_shape: Sequence[int], image_shape: Sequence[int], *, width: int = 256, generator: torch.Generator
) -> nn.Sequential:
    """A decoder of an early layer, where activations are feature maps.

    Twice a transposed convolution 5 x 5 and two of 3 x 3, then six of 3 x 3, all with ReLU and batch-norm. The
    source's table is incomplete: as printed its maps grow by 8 pixels and stay 256 channels. Here the first ones keep
    their size, are then resized to that of the image, and a convolution with a sigmoid makes colours of the channels.

    Args:
        activation_shape: [channels, height, width] of one activation.
        image_shape: [channels, height, width] of one image.
        width: Number of channels inside.
        generator: Source of the weights.

    Returns:
        The module.

    Raises:
        InvalidInputError: As `decoder_for`.

    Cost: that of `decoder_for`.

    Example:
        >>> import torch
        >>> decoder = map_decoder((3, 4, 4), (1, 8, 8), width=4, generator=torch.Generator().manual_seed(0))
        >>> tuple(decoder(torch.zeros(5, 3, 4, 4)).shape)
        (5, 1, 8, 8)
    """
    _check(activation_shape, image_shape, width)
    if len(activation_shape) != 3:
        raise InvalidInputError(f"`activation_shape`: got {tuple(activation_shape)}; expected feature maps [C, H, W]")
    with torch.device("meta"):
        layers: list[nn.Module] = []
        before = activation_shape[0]
        for _ in range(2):
            layers += [nn.ConvTranspose2d(before, width, 5, padding=2), nn.ReLU(), nn.BatchNorm2d(width)]
            layers += _stage(width, width, nn.ReLU(), 2)
            before = width
        if tuple(activation_shape[1:]) != tuple(image_shape[1:]):
            layers.append(nn.Upsample(size=(image_shape[1], image_shape[2]), mode="bilinear"))
        layers += _stage(width, width, nn.ReLU(), 6)
        layers += [nn.Conv2d(width, image_shape[0], 3, padding=1), nn.Sigmoid()]
        module = nn.Sequential(*layers)
    return _initialised(module, generator)


def train_decoder(
    decoder: nn.Module,
    activations: Float[Tensor, "n ..."],
    images: Float[Tensor, "m ..."],
    *,
    generator: torch.Generator,
    epochs: int = 5,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    progress: bool = False,
) -> DecoderTraining:
    """Train a decoder in place with Adam on the mean squared error; it is then in evaluation mode.

    Args:
        decoder: Maps activations to images.
        activations: [n, *activation_shape] activations.
        images: [n, channels, height, width] the images that they come from, with values from 0 to 1.
        generator: Source of the order of the batches; global seeds stay untouched.
        epochs: Number of passes over the data; the source takes 5 for the last layer, 10 for the first.
        batch_size: Activations per step.
        learning_rate: Adam's step size.
        progress: Whether to show a bar on long work.

    Returns:
        The losses, and the error reached.

    Raises:
        InvalidInputError: If activations and images differ in number, or there are fewer than two.

    Cost: one forward and one backward pass of the decoder for each activation and epoch.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> decoder = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 2, 2)))
        >>> x = torch.rand(32, 2, generator=generator)
        >>> images = x.repeat_interleave(2, dim=1).reshape(-1, 1, 2, 2)
        >>> training = train_decoder(decoder, x, images, generator=generator, epochs=50, learning_rate=0.01)
        >>> training.losses[-1] < training.losses[0]
        True
    """
    if len(activations) != len(images) or len(images) < 2:
        raise InvalidInputError(
            f"`images`: got {len(images)} for {len(activations)} activations; expected as many, >= 2"
        )
    inputs, wanted = activations.float(), images.float()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=learning_rate)
    decoder.train()
    losses = []
    for _ in each(range(epochs), "epochs", progress):
        total = 0.0
        for batch in _batches(len(inputs), batch_size, generator):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(decoder(inputs[batch]), wanted[batch])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(inputs))
    decoder.eval()
    found = decoded(decoder, inputs)
    return DecoderTraining(tuple(losses), float(np.sqrt(np.mean((found - wanted.numpy()) ** 2))))


def decoded(decoder: nn.Module, activations: Any) -> Float[np.ndarray, "n channels height width"]:
    """Images of activations.

    Args:
        decoder: A trained decoder, in evaluation mode.
        activations: [n, *activation_shape] activations, as an array or tensor.

    Returns:
        [n, channels, height, width] images with values from 0 to 1.

    Cost: one forward pass of the decoder, in parts of bounded memory.

    Example:
        >>> import torch
        >>> decoder = torch.nn.Sequential(torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 1, 2)))
        >>> decoded(decoder, [[0.0, 0.0]]).tolist()
        [[[[0.5, 0.5]]]]
    """
    inputs = torch.as_tensor(activations).float()
    with torch.no_grad():
        return torch.cat([decoder(part) for part in inputs.split(_BATCH)]).numpy()


def _check(activation_shape: Sequence[int], image_shape: Sequence[int], width: int) -> None:
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise InvalidInputError(f"`image_shape`: got {tuple(image_shape)}; expected (channels, height, width)")
    if not activation_shape or min(activation_shape) < 1:
        raise InvalidInputError(f"`activation_shape`: got {tuple(activation_shape)}; expected positive sizes")
    if width < 1:
        raise InvalidInputError(f"`width`: got {width}; expected a positive number of channels")


def _sides(image_shape: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes of the feature maps, from the smallest one to the image's: each is half of the next one, rounded up."""
    sides = [(image_shape[1], image_shape[2])]
    while max(sides[0]) > _SMALLEST_SIDE:
        sides.insert(0, (-(-sides[0][0] // 2), -(-sides[0][1] // 2)))
    return sides


def _stage(before: int, channels: int, activation: nn.Module, count: int = 3) -> list[nn.Module]:
    """Transposed convolutions 3 x 3 at one size, each with an activation and batch-norm."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise([before, *[channels] * count]):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 3, padding=1), activation, nn.BatchNorm2d(fan_out)]
    return layers


def _initialised(module: nn.Sequential, generator: torch.Generator) -> nn.Sequential:
    """Give a module without storage its weights: He-uniform from the generator, biases zero."""
    module = module.to_empty(device="cpu")
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()
            elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                weight = layer.weight
                taps = math.prod(weight.shape[2:])
                fan_in = taps * weight.shape[0 if isinstance(layer, nn.ConvTranspose2d) else 1]
                weight.uniform_(-math.sqrt(6 / fan_in), math.sqrt(6 / fan_in), generator=generator)
                assert layer.bias is not None
                layer.bias.zero_()
    return module


def _batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """A pass over the data; a last batch of one, which has no variance, joins the one before."""
    batches = list(torch.randperm(count, generator=generator).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
