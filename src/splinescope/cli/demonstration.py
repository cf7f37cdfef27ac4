"""The demonstration: a digits network, trained on the spot, and the plane through three digits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from splinescope import datasets, models
from splinescope.network import Network, load
from splinescope.storage import write_arrays
from splinescope.tessellation.domains import Slice

WIDTHS = (64, 64, 64, 10)
DIGITS = (3, 7, 8)
"""The plane goes through the first image of each of these digits."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and where it is looked at.

    Attributes:
        module: The torch module.
        network: The same, imported.
        plane: The plane through three digits.
        indices: Which images the plane goes through.
        accuracy: Fraction of the training images that are classified correctly.
    """

    module: nn.Sequential
    network: Network
    plane: Slice
    indices: tuple[int, ...]
    accuracy: float


def train(seed: int) -> Trained:
    """Train the network.

    Args:
        seed: Seed of its weights and of the order of the images.

    Returns:
        The network and the plane.
    """
    generator = torch.Generator().manual_seed(seed)
    data = datasets.digits()
    module = models.mlp(WIDTHS, generator=generator)
    result = models.train_classifier(module, data.inputs, data.labels, generator=generator, epochs=40, batch_size=128)
    indices = tuple(int(torch.nonzero(data.labels == digit)[0]) for digit in DIGITS)
    network = load(module, input_shape=(1, 8, 8))
    plane = Slice.through(*data.take(list(indices)).numpy())
    return Trained(module, network, plane, indices, result.accuracy)


def save(trained: Trained, out: Path) -> Path:
    """Leave the network as arrays W0, b0, W1, b1, ... of its layers.

    Args:
        trained: The trained network.
        out: Folder.

    Returns:
        The file.
    """
    layers = [layer for layer in trained.module if isinstance(layer, nn.Linear)]
    arrays: dict[str, Any] = {f"W{number}": layer.weight.detach().numpy() for number, layer in enumerate(layers)}
    arrays |= {f"b{number}": layer.bias.detach().numpy() for number, layer in enumerate(layers)}
    return write_arrays(out / "network.npz", arrays)


def go_on(out: Path) -> str:
    """What to try next.

    Args:
        out: The folder of the demonstration.

    Returns:
        A hint with a command.
    """
    return (
        f"\nOpen {out / 'picture.png'}. The same network in another plane:\n"
        f"  splinescope slice {out / 'network.npz'} --data digits --indices 0,1,2 --out {out / 'another'}"
    )
