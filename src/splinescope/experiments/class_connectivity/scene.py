"""What `class-connectivity` asks about: images, a network, its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.experiments.class_connectivity.joins import Bending
from splinescope.experiments.class_connectivity.problems import (
    Images,
    Pairs,
    correct_pairs,
    in_batches,
    layers_of,
    mixed_pairs,
)
from splinescope.experiments.class_connectivity.settings import KINDS, Settings
from splinescope.network import Boundary, Network

_PAIRS = dict(zip(KINDS, (correct_pairs, mixed_pairs), strict=True))


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that questions are asked about.

    Attributes:
        images: The images.
        network: The network.
        inputs: [N, *input_shape] images as the network takes them.
        leading: [N] the class that leads at each that is held out; -1 for the others.
        layers: Boundary of each layer, by the words of the setting.
        box: Least and largest value of an input.
        bending: How paths are bent.
    """

    images: Images
    network: Network
    inputs: np.ndarray
    leading: np.ndarray
    layers: Mapping[str, Boundary]
    box: tuple[np.ndarray, np.ndarray]
    bending: Bending

    @property
    def held_out(self) -> np.ndarray:
        """Numbers of the images that nothing was trained on."""
        return np.arange(self.images.train, len(self.inputs))

    def pairs(self, kind: str, count: int, seed: int) -> Pairs:
        """Pairs of images that are held out."""
        rows = self.held_out
        labels = self.images.labels.numpy()[rows]
        found = _PAIRS[kind](self.leading[rows], labels, count, np.random.default_rng(seed))
        return Pairs(rows[found.ends], found.targets)

    def bending_at(self, layer: Boundary) -> Bending:
        """How paths are bent at a layer: at the input in the box of the images."""
        return replace(self.bending, box=self.box if layer.index == 0 else None)


def scene_of(settings: Settings, images: Images, network: Network) -> Scene:
    """Look at the images through a network.

    Args:
        settings: Sizes of the experiment.
        images: The images.
        network: The network.

    Returns:
        Everything that questions are asked about.
    """
    channels = images.inputs.shape[1]
    for name, values in (("mean", settings.mean), ("std", settings.std)):
        if len(values) not in (1, channels):
            raise InvalidInputError(f"`{name}`: got {len(values)} numbers for {channels} channels")
    mean, std = (np.asarray(values).reshape(-1, 1, 1) for values in (settings.mean, settings.std))
    shape = network.input_shape
    inputs = ((images.inputs.numpy().astype(np.float64) - mean) / std).reshape(-1, *shape)
    ones = np.ones(tuple(images.inputs.shape[1:]))
    box = tuple(((value * ones - mean) / std).reshape(shape) for value in (0.0, 1.0))
    leading = np.full(len(inputs), -1)  # of images that were trained on, nothing is asked
    leading[images.train :] = (
        in_batches(network, inputs[images.train :]).reshape(len(inputs) - images.train, -1).argmax(1)
    )
    layers = layers_of(network, settings.layers)
    bending = Bending(settings.pivots, settings.steps, settings.budget)
    return Scene(images, network, inputs, leading, layers, (box[0], box[1]), bending)
