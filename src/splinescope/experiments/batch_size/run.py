"""Measures of `batch-size`."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from splinescope import datasets, models
from splinescope.experiments.batch_size.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.topology import betti_profile


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train networks that differ in the size of their batches alone, and follow the spirals through their layers."""
    tasks = {
        f"{batch}-{repeat}": partial(_one, settings, batch, repeat)
        for batch in settings.batches
        for repeat in range(settings.repeats)
    }
    found = parts.each(tasks, "network")
    for batch in settings.batches:
        parts.arrays(f"layers-{batch}", partial(_layers, settings, batch))
    return {"networks": [found[name] for name in tasks]}


def _trained(settings: Settings, batch: int, repeat: int) -> tuple[models.DynamicNetwork, datasets.Dataset, float]:
    """The network before its head, the data, and the accuracy that was reached."""
    seed = 1000 * settings.seed + repeat
    data = datasets.spirals(settings.points, noise=0.0, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    body = models.dynamic_network(2, settings.layers, "residual", step=1.0, generator=generator)
    head = nn.utils.skip_init(nn.Linear, 2, 2)
    nn.init.xavier_uniform_(head.weight, generator=generator)
    nn.init.zeros_(head.bias)
    result = models.train_classifier(
        nn.Sequential(body, head), data.inputs, data.labels, generator=generator, epochs=settings.epochs,
        batch_size=batch, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay,
    )  # fmt: skip
    return body, data, result.accuracy


def _one(settings: Settings, batch: int, repeat: int) -> dict[str, Any]:
    """What becomes of the spirals in one network: largest stretch and components at each layer."""
    body, data, accuracy = _trained(settings, batch, repeat)
    profile = betti_profile(body, data.inputs, data.labels)
    return {
        "batch": batch,
        "repeat": repeat,
        "accuracy": accuracy,
        "stretches": profile.largest_stretches.max(axis=1).tolist(),
        "components": profile.components().max(axis=1).tolist(),
        "largest_gaps": [max(float(cloud.scales[-1] / cloud.unit) for cloud in row) for row in profile.clouds],
    }


def _layers(settings: Settings, batch: int) -> dict[str, Any]:
    """Images of the spirals at all layers of the first network."""
    body, data, _ = _trained(settings, batch, 0)
    with torch.no_grad():
        values = torch.stack(body.states(data.inputs))
    return {"values": values.numpy(), "labels": data.labels.numpy()}
