"""Toy networks: small torch modules with explicit randomness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from splinescope.errors import InvalidInputError


def mlp(
    widths: Sequence[int],
    *,
    activation: Callable[[], nn.Module] = nn.ReLU,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A ReLU network of fully connected layers, initialised as torch does by default.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs: `[2, 16, 16, 1]`.
        activation: What makes the activation of each hidden layer.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, widths[0]]; images are flattened first.

    Raises:
        InvalidInputError: If there are fewer than two widths or one is not positive.

    Cost: the weights, products of neighbouring widths.

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
            layers.append(activation())
        layers.append(nn.utils.skip_init(nn.Linear, fan_in, fan_out, dtype=dtype))
    return _initialise(nn.Sequential(*layers), generator)


def gaussian_mlp(
    widths: Sequence[int],
    *,
    bias_deviation: float = 1.0,
    slope: float = 0.0,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    r"""A ReLU network with normal weights of variance 2 / fan-in (He) and normal biases.

    This is the distribution for which Hanin and Rolnick ("Deep ReLU networks have surprisingly few activation
    patterns", 2019) count cells.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs.
        bias_deviation: Standard deviation of the biases, at least 0.
        slope: Slope of the activation left of zero; a leaky ReLU unless it is 0.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, widths[0]].

    Raises:
        InvalidInputError: If there are fewer than two widths or one is not positive, or the deviation is negative.

    Source: Hanin and Rolnick (2019), arXiv 1906.00904; He et al. (2015), arXiv 1502.01852.

    Cost: the weights, products of neighbouring widths.

    Example:
        >>> network = gaussian_mlp([2, 1000, 1], generator=torch.Generator().manual_seed(0))
        >>> round(float(network[1].weight.data.std()), 1), round(float(network[1].bias.data.std()), 1)  # 2 / 2, and 1
        (1.0, 1.0)
    """
    if not 0 <= bias_deviation < math.inf:
        raise InvalidInputError(f"`bias_deviation`: got {bias_deviation}; expected a number of at least 0")
    module = mlp(widths, generator=generator, dtype=dtype)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, math.sqrt(2 / layer.in_features), generator=generator)
                layer.bias.normal_(0, bias_deviation, generator=generator)
    if slope:
        return nn.Sequential(*(nn.LeakyReLU(slope) if isinstance(layer, nn.ReLU) else layer for layer in module))
    return module


def batchnorm_mlp(
    widths: Sequence[int],
    *,
    bias_deviation: float = 0.0,
    slope: float = 0.0,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    r"""The network of `gaussian_mlp`, weight by weight, with batch-norm before each activation.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs.
        bias_deviation: Standard deviation of the biases; those of hidden layers are undone by the batch-norm.
        slope: Slope of the activation left of zero; a leaky ReLU unless it is 0.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module in train mode of inputs of shape [N, widths[0]].

    Raises:
        InvalidInputError: As `gaussian_mlp`.

    Cost: that of `gaussian_mlp`.

    Example:
        >>> network = batchnorm_mlp([2, 8, 1], generator=torch.Generator().manual_seed(0))
        >>> [type(layer).__name__ for layer in network]
        ['Flatten', 'Linear', 'BatchNorm1d', 'ReLU', 'Linear']
    """
    plain = gaussian_mlp(widths, bias_deviation=bias_deviation, slope=slope, generator=generator, dtype=dtype)
    layers: list[nn.Module] = []
    for layer in plain:
        if isinstance(layer, nn.ReLU | nn.LeakyReLU):
            layers.append(nn.BatchNorm1d(widths[len(layers) // 3 + 1], dtype=dtype))
        layers.append(layer)
    return nn.Sequential(*layers)


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

    Cost: the weights; the last layer has one for each value of the last maps and class.

    Example:
        >>> network = convnet((1, 8, 8), 10, (4, 8), generator=torch.Generator().manual_seed(0))
        >>> tuple(network(torch.zeros(5, 1, 8, 8)).shape)
        (5, 10)
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


def strided_convnet(
    image_shape: Sequence[int],
    classes: int,
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    kernel: int = 5,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A convolutional network that shrinks images by strides: convolution, ReLU, repeated, then one linear layer.

    It has few units for its inputs, so that all cells of a plane can be shown.

    Args:
        image_shape: [channels, height, width] of one image.
        classes: Number of outputs.
        channels: Number of channels of each convolution.
        strides: Stride of each; a stride of s makes ceil(height / s) of a height.
        kernel: Height and width of all filters, odd; the border is padded with zeros.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, *image_shape].

    Raises:
        InvalidInputError: If the shape is not that of an image, the numbers of channels and strides differ, or the
            kernel is even.

    Cost: the weights, of which the filters take kernel x kernel for each two channels.

    Example:
        >>> network = strided_convnet((1, 8, 8), 2, (3, 4), (2, 2), generator=torch.Generator().manual_seed(0))
        >>> tuple(network[:4](torch.zeros(1, 1, 8, 8)).shape)
        (1, 4, 2, 2)
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise InvalidInputError(f"`image_shape`: got {tuple(image_shape)}; expected (channels, height, width)")
    if len(channels) != len(strides) or min([*channels, *strides], default=0) < 1:
        raise InvalidInputError(
            f"`channels`, `strides`: got {list(channels)} and {list(strides)}; expected as many positive numbers"
        )
    if kernel < 1 or kernel % 2 == 0:
        raise InvalidInputError(f"`kernel`: got {kernel}; expected an odd number")
    before, height, width = image_shape
    layers: list[nn.Module] = []
    for number, stride in zip(channels, strides, strict=True):
        convolution = nn.utils.skip_init(
            nn.Conv2d, before, number, kernel, stride=stride, padding=kernel // 2, dtype=dtype
        )
        layers += [convolution, nn.ReLU()]
        before, height, width = number, -(-height // stride), -(-width // stride)
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
