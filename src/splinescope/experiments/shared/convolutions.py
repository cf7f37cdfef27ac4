"""Images and small convolutional networks whose inner layers keep the size, for experiments on nesting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from splinescope import datasets
from splinescope.preimage import nested_


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled images, some of which are held out.

    Attributes:
        inputs: [N, channels, height, width] those to train on.
        labels: [N] class of each.
        held_out: [M, channels, height, width] the others.
        held_out_labels: [M] class of each.
        name: What the images are called.
    """

    inputs: Tensor
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    name: str


def read_examples(data: str | None, most: int, share: float = 0.3) -> Examples:
    """Scikit-learn's digits, or the user's MNIST.

    Args:
        data: None for the digits; a folder of MNIST's IDX files.
        most: Images to train on, at most.
        share: Share of the digits that is held out, the last ones.

    Returns:
        The images; MNIST's with its test images held out.
    """
    if data is not None:
        train, test = datasets.mnist(data, "train"), datasets.mnist(data, "test")
        return Examples(train.inputs[:most], train.labels[:most], test.inputs, test.labels, "MNIST")
    digits = datasets.digits()
    count = len(digits) - round(share * len(digits))
    first = min(most, count)
    return Examples(
        digits.inputs[:first], digits.labels[:first], digits.inputs[count:], digits.labels[count:], "digits"
    )


def conv_chain(
    shape: tuple[int, ...], channels: int, layers: int, stride: int, generator: torch.Generator, *, nested: bool = False
) -> nn.Sequential:
    """A strided convolution, some that keep the size, and a linear layer; 3 x 3 windows, ReLUs between them.

    Args:
        shape: [channels, height, width] of one image.
        channels: Channels of all layers.
        layers: Layers that keep the size.
        stride: Stride of the first one.
        generator: Source of the weights.
        nested: Whether layers that keep the size are kept completely nested.

    Returns:
        The module, in float32, with He-normal weights and biases uniform up to one by the root of the window. With the
        same generator the weights are the same, nested or not, before they are projected.
    """
    parts: list[nn.Module] = [_conv(shape[0], channels, stride, generator), nn.ReLU()]
    for _ in range(layers):
        conv = _conv(channels, channels, 1, generator)
        parts += [nested_(conv) if nested else conv, nn.ReLU()]
    units = channels * -(-shape[1] // stride) * -(-shape[2] // stride)
    last = nn.utils.skip_init(nn.Linear, units, 10)
    nn.init.normal_(last.weight, std=units**-0.5, generator=generator)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*parts, nn.Flatten(), last)


def _conv(inputs: int, outputs: int, stride: int, generator: torch.Generator) -> nn.Conv2d:
    conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, stride=stride, padding=1)
    nn.init.normal_(conv.weight, std=(2 / (9 * inputs)) ** 0.5, generator=generator)
    assert conv.bias is not None
    nn.init.uniform_(conv.bias, -((9 * inputs) ** -0.5), (9 * inputs) ** -0.5, generator=generator)
    return conv


def accuracy(module: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Share of the images whose largest output is that of their class.

    Args:
        module: The classifier.
        inputs: Images.
        labels: Class of each.
    """
    with torch.no_grad():
        found = torch.cat([module(batch).argmax(dim=1) for batch in inputs.split(1000)])
    return float((found == labels).double().mean())
