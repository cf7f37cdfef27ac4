"""Measures of `spirals`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from splinescope import datasets
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.spirals import Untangled, untangle
from splinescope.experiments.spirals.settings import Settings
from splinescope.progress import each
from splinescope.topology import curve_crossings

KINDS = {"plain": "plain", "residual": "residual", "second-order": "second-order", "absent": "residual"}
"""The four networks, and what they are but for the identity that the last one lacks."""
CORNERS = 1000
"""Corners of each spiral where it is asked whether their images cross."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train networks of four kinds from the same weights, and follow the spirals; `layers-NAME` is for pictures."""
    networks: list[dict[str, Any]] = []
    for name in each(KINDS, "kind of network", parts.progress):
        trained = _trained(settings, parts, name)
        tasks = {f"{name}-{repeat}": partial(_one, settings, one, name, repeat) for repeat, one in enumerate(trained)}
        found = list(parts.each(tasks, "network").values())
        parts.arrays(f"layers-{name}", trained[_shown(found)].layers)
        networks += found
    return {"networks": networks}


def _trained(settings: Settings, parts: Parts, name: str) -> list[Untangled]:
    return untangle(
        parts, f"weights-{name}", KINDS[name], [1000 * settings.seed + repeat for repeat in range(settings.repeats)],
        points=settings.points, turns=settings.turns, layers=settings.layers, step=settings.step,
        epochs=settings.epochs, batch=settings.batch, learning_rate=settings.learning_rate,
        without_identity=(settings.absent,) if name == "absent" else (),
    )  # fmt: skip


def _shown(networks: list[dict[str, Any]]) -> int:
    """The first network without an error, or the best one."""
    return int(max(networks, key=lambda one: (one["accuracy"], -one["repeat"]))["repeat"])


def _one(settings: Settings, found: Untangled, name: str, repeat: int) -> dict[str, Any]:
    """The way of the spirals through one network: lengths of steps and of their changes, and crossings of classes."""
    layers = found.layers()
    values = layers["values"]
    steps = np.diff(values, axis=0)
    lengths, changes = (np.linalg.norm(part, axis=2).mean(axis=1) for part in (steps, np.diff(steps, axis=0)))
    return {
        "name": name,
        "repeat": repeat,
        "accuracy": found.accuracy,
        "steps": lengths.tolist(),
        "changes": changes.tolist(),
        "displacement": float(np.linalg.norm(values[-1] - values[0], axis=1).mean()),
        "crossings": [curve_crossings(*pair) for pair in _curves(settings, found)],
    }


def _curves(settings: Settings, found: Untangled) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images of both spirals at all layers, as polylines of many more corners than there are data."""
    dense = datasets.spirals(2 * CORNERS, noise=0.0, turns=settings.turns, generator=torch.Generator().manual_seed(0))
    order = dense.inputs.norm(dim=1).argsort()
    with torch.no_grad():
        values = [found.body.states(dense.inputs[order[dense.labels[order] == label]].double()) for label in (0, 1)]
    return [(one.numpy(), other.numpy()) for one, other in zip(*values, strict=True)]
