"""Networks of width two that untangle two spirals, as in Hauser and Ray 2017."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from splinescope import datasets, models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.training import trained_together


@dataclass(frozen=True, eq=False)
class Untangled:
    """A trained network and what it was trained on.

    Attributes:
        body: The network before its head, in float64.
        head: The last affine layer.
        data: Two spirals without noise.
    """

    body: models.DynamicNetwork
    head: nn.Linear
    data: datasets.Dataset

    @property
    def accuracy(self) -> float:
        """Share of the points that are classified rightly."""
        with torch.no_grad():
            found = self.head(self.body(self.data.inputs.double())).argmax(dim=1)
        return float((found == self.data.labels).double().mean())

    def layers(self) -> dict[str, np.ndarray]:
        """Images of the spirals at all layers, and the classes of their points.

        Returns:
            `values` of shape [layers, points, 2], the input first, and `labels`.
        """
        with torch.no_grad():
            values = torch.stack(self.body.states(self.data.inputs.double()))
        return {"values": values.numpy(), "labels": self.data.labels.numpy()}


def untangle(
    parts: Parts,
    key: str,
    kind: str,
    seeds: Sequence[int],
    *,
    points: int,
    turns: float,
    layers: int,
    step: float,
    epochs: int,
    batch: int,
    learning_rate: float,
    without_identity: Sequence[int] = (),
) -> list[Untangled]:
    """Train networks of steps of a differential equation, of width two, with linear heads, on two spirals each.

    Args:
        parts: The experiment's parts.
        key: Name of the part that keeps the weights.
        kind: As in `dynamic_network`.
        seeds: One for each network: of its data and its weights.
        points: Points of the two spirals.
        turns: How often each goes around.
        layers: Layers of each network.
        step: Its step.
        epochs: Passes over the data.
        batch: Points in a batch.
        learning_rate: Of Adam.
        without_identity: Layers, counted from 1, that leave the identity out.

    Returns:
        The trained networks, one for each seed.
    """
    data = [
        datasets.spirals(points, noise=0.0, turns=turns, generator=torch.Generator().manual_seed(seed))
        for seed in seeds
    ]
    modules = [_network(kind, layers, step, without_identity, seed) for seed in seeds]

    def train() -> None:
        models.train_classifiers(
            modules, torch.stack([one.inputs for one in data]), torch.stack([one.labels for one in data]),
            generator=torch.Generator().manual_seed(seeds[0]), epochs=epochs, batch_size=batch,
            learning_rate=learning_rate,
        )  # fmt: skip

    found = trained_together(parts, key, modules, train)
    pairs = [cast(tuple[models.DynamicNetwork, nn.Linear], tuple(module)) for module in found]
    return [Untangled(network, head, own) for (network, head), own in zip(pairs, data, strict=True)]


def _network(kind: str, layers: int, step: float, without_identity: Sequence[int], seed: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    body = models.dynamic_network(
        2, layers, kind, step=step, without_identity=without_identity, generator=generator
    )  # fmt: skip
    head = nn.utils.skip_init(nn.Linear, 2, 2)
    nn.init.xavier_uniform_(head.weight, generator=generator)
    nn.init.zeros_(head.bias)
    return nn.Sequential(body, head)
