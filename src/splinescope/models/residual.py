"""Networks between a plain one and a residual one: layers with a share of their input added."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError


def residual_mlp(
    widths: Sequence[int],
    *,
    skip: float = 1.0,
    activation: Callable[[], nn.Module] = nn.ReLU,
    norm: float | None = None,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    r"""Layers $z_l = s(W_l z_{l-1} + b_l) + \rho z_{l-1}$ between a first and a last affine layer.

    With $\rho = 0$ it is a plain network, with $\rho = 1$ a residual one (Riedi, Balestriero and Baraniuk, 2023).

    Args:
        widths: Numbers of inputs, of units, of layers, and of outputs.
        skip: The share $\rho$ of a layer's input that is added to what it makes of it, from 0 to 1.
        activation: What makes the activation $s$ of each layer.
        norm: Spectral norm to which the weights of each layer are scaled; as they are drawn if None.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, widths[0]], flattened first. Weights are normal with variance 2 / fan-in, biases
        normal with variance 0.01.

    Raises:
        InvalidInputError: If there are not four positive widths, or a share or norm is out of range.

    Source: Riedi, Balestriero and Baraniuk (2023), arXiv 2203.03099.

    Cost: the weights, layers times the square of the units; a decomposition of each if `norm` is given.

    Example:
        >>> network = residual_mlp([2, 8, 5, 1], skip=0.5, generator=torch.Generator().manual_seed(0))
        >>> len(network), tuple(network(torch.zeros(3, 2)).shape)
        (8, (3, 1))
    """
    if len(widths) != 4 or min(widths) < 1:
        raise InvalidInputError(
            f"`widths`: got {list(widths)}; expected four positive numbers: inputs, units, layers, outputs"
        )
    if norm is not None and not 0 < norm < math.inf:
        raise InvalidInputError(f"`norm`: got {norm}; expected a positive number")
    inputs, units, layers, outputs = widths
    blocks = [_Skipped(nn.utils.skip_init(nn.Linear, units, units, dtype=dtype), activation(), skip)
              for _ in range(_checked(skip, layers))]  # fmt: skip
    first = nn.utils.skip_init(nn.Linear, inputs, units, dtype=dtype)
    last = nn.utils.skip_init(nn.Linear, units, outputs, dtype=dtype)
    with torch.no_grad():
        for layer in (first, *(block.layer for block in blocks), last):
            layer.weight.normal_(0, math.sqrt(2 / layer.in_features), generator=generator)
            layer.bias.normal_(0, 0.1, generator=generator)
        for block in blocks if norm is not None else ():
            block.layer.weight *= norm / torch.linalg.matrix_norm(block.layer.weight, 2)
    return nn.Sequential(nn.Flatten(), first, *blocks, last)


def residual_convnet(
    image_shape: Sequence[int],
    classes: int,
    channels: Sequence[int],
    blocks: int,
    *,
    skip: float = 1.0,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    r"""A residual network of convolutions with batch-norm, or the same one without its skips.

    Each stage is a convolution, with stride 2 in all but the first, and then `blocks` times $z \mapsto
    \mathrm{ReLU}(F(z) + \rho z)$, F being two convolutions. What comes behind is a mean over the image and a linear
    layer. Skips have no parameters, so that networks with and without them have the same ones.

    Args:
        image_shape: [channels, height, width] of one image.
        classes: Number of outputs.
        channels: Channels of each stage.
        blocks: Blocks in each stage.
        skip: The share $\rho$ of a block's input that is added, from 0 to 1.
        generator: Source of randomness; global seeds stay untouched.
        dtype: Type of the weights.

    Returns:
        A module in train mode of inputs of shape [N, *image_shape].

    Raises:
        InvalidInputError: If the shape is not that of an image, a number is not positive, or the share out of range.

    Source: He et al. (2016), arXiv 1512.03385; without skips as in Li et al. (2018), arXiv 1712.09913.

    Cost: the weights, of which each block takes 18 for each two channels.

    Example:
        >>> network = residual_convnet((1, 8, 8), 10, (4, 8), 2, generator=torch.Generator().manual_seed(0))
        >>> tuple(network(torch.zeros(2, 1, 8, 8)).shape)
        (2, 10)
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise InvalidInputError(f"`image_shape`: got {tuple(image_shape)}; expected (channels, height, width)")
    if min([*channels, classes, blocks], default=0) < 1 or not len(channels):
        raise InvalidInputError(
            f"`channels`, `blocks`: got {list(channels)} and {blocks}; expected positive numbers of both"
        )
    before, stages = int(image_shape[0]), []
    for stage, number in enumerate(channels):
        stages += [*_convolution(before, number, 1 + (stage > 0), dtype), nn.ReLU()]
        for _ in range(_checked(skip, blocks)):
            inner = [*_convolution(number, number, 1, dtype), nn.ReLU(), *_convolution(number, number, 1, dtype)]
            stages += [_Skipped(nn.Sequential(*inner), nn.Identity(), skip), nn.ReLU()]
        before = number
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.utils.skip_init(nn.Linear, before, classes, dtype=dtype)]
    module = nn.Sequential(*stages, *head)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.normal_(0, math.sqrt(2 / layer.weight[0].numel()), generator=generator)
            if isinstance(layer, nn.Linear):
                layer.bias.zero_()
    return module


class _Skipped(nn.Module):
    """A layer, its activation, and a share of the input beside them."""

    def __init__(self, layer: nn.Module, activation: nn.Module, skip: float) -> None:
        super().__init__()
        self.layer, self.activation, self.skip = layer, activation, skip

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = self.activation(self.layer(x))
        if self.skip == 0:
            return value
        return value + (x if self.skip == 1 else self.skip * x)


def _convolution(before: int, after: int, stride: int, dtype: torch.dtype) -> list[nn.Module]:
    layer = nn.utils.skip_init(nn.Conv2d, before, after, 3, stride=stride, padding=1, bias=False, dtype=dtype)
    return [layer, nn.BatchNorm2d(after, dtype=dtype)]


def _checked(skip: float, count: int) -> int:
    if not 0 <= skip <= 1:
        raise InvalidInputError(f"`skip`: got {skip}; expected a number from 0 to 1")
    return count
