"""Measures of `batch-size`."""

from __future__ import annotations

from functools import partial
from typing import Any

from splinescope.experiments.batch_size.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.spirals import Untangled, untangle
from splinescope.progress import each
from splinescope.topology import betti_profile


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train networks that differ in the size of their batches alone, and follow the spirals through their layers."""
    networks = []
    for batch in each(settings.batches, "size of batches", parts.progress):
        trained = _trained(settings, parts, batch)
        tasks = {f"{batch}-{repeat}": partial(_one, one, batch, repeat) for repeat, one in enumerate(trained)}
        networks += list(parts.each(tasks, "network").values())
        parts.arrays(f"layers-{batch}", trained[0].layers)
    return {"networks": networks}


def _trained(settings: Settings, parts: Parts, batch: int) -> list[Untangled]:
    """The networks with batches of a size."""
    return untangle(
        parts, f"weights-{batch}", "residual", [1000 * settings.seed + repeat for repeat in range(settings.repeats)],
        points=settings.points, turns=0.6, layers=settings.layers, step=1.0, epochs=settings.epochs, batch=batch,
        learning_rate=settings.learning_rate,
    )  # fmt: skip


def _one(found: Untangled, batch: int, repeat: int) -> dict[str, Any]:
    """What becomes of the spirals in one network: largest stretch and components at each layer."""
    profile = betti_profile(found.body, found.data.inputs.double(), found.data.labels)
    return {
        "batch": batch,
        "repeat": repeat,
        "accuracy": found.accuracy,
        "stretches": profile.largest_stretches.max(axis=1).tolist(),
        "components": profile.components().max(axis=1).tolist(),
        "largest_gaps": [max(float(cloud.scales[-1] / cloud.unit) for cloud in row) for row in profile.clouds],
    }
