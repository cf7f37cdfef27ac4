"""Measures of `topology-layers`."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from splinescope import models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.training import trained_together
from splinescope.experiments.topology_layers.sets import BETTI, two_classes
from splinescope.experiments.topology_layers.settings import Settings
from splinescope.progress import each
from splinescope.topology import betti_profile

KINDS = {"relu": (nn.ReLU, 0.0), "tanh": (nn.Tanh, 0.0), "residual": (nn.ReLU, 1.0)}
"""The networks: what their activation is, and the share of a layer's input that is added to its output."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train networks on each set from the same data, and count parts and holes at all layers."""
    networks: list[dict[str, Any]] = []
    pairs = [(name, kind) for name in settings.sets for kind in KINDS]
    for name, kind in each(pairs, "kind of network", parts.progress):
        sets = [two_classes(name, settings.points, _seeded(settings, repeat)) for repeat in range(settings.repeats)]
        modules = _trained(settings, parts, name, kind, sets)
        tasks = {
            f"{name}-{kind}-{repeat}": partial(_one, settings, name, kind, repeat, module, *own)
            for repeat, (module, own) in enumerate(zip(modules, sets, strict=True))
        }
        networks += list(parts.each(tasks, "network").values())
    for name in settings.sets:
        points, labels = two_classes(name, settings.points, _seeded(settings, 0))
        parts.arrays(f"data-{name}", partial(dict, points=points, labels=labels))
    return {"networks": networks, "betti": {name: BETTI[name] for name in settings.sets}}


def _seeded(settings: Settings, repeat: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * settings.seed + repeat)


def _trained(
    settings: Settings, parts: Parts, name: str, kind: str, sets: list[tuple[Tensor, Tensor]]
) -> list[nn.Sequential]:
    """Networks of a kind, one for each draw of the data."""
    activation, skip = KINDS[kind]
    widths = (sets[0][0].shape[1], settings.units, settings.layers, 2)
    whole = [
        models.residual_mlp(widths, skip=skip, activation=activation, generator=_seeded(settings, repeat))
        for repeat in range(len(sets))
    ]
    modules = [nn.Sequential(*list(module)[1:]) for module in whole]  # without the affine layer that comes first

    def train() -> None:
        models.train_classifiers(
            modules, torch.stack([x for x, _ in sets]), torch.stack([y for _, y in sets]),
            generator=_seeded(settings, 0), epochs=settings.epochs, batch_size=settings.batch,
            learning_rate=settings.learning_rate,
        )  # fmt: skip

    return list(trained_together(parts, f"weights-{name}-{kind}", modules, train))


def _one(
    settings: Settings, name: str, kind: str, repeat: int, module: nn.Sequential, points: Tensor, labels: Tensor
) -> dict[str, Any]:
    """Betti numbers of both classes at each layer of one network."""
    degree = len(BETTI[name][0]) - 1
    profile = betti_profile(
        module, points.double(), labels, degree=degree, distances="hops", neighbours=settings.neighbours,
        landmarks=settings.landmarks // (2 if degree > 1 else 1),
    )  # fmt: skip
    with torch.no_grad():
        right = (module(points.double()).argmax(dim=1) == labels).double().mean()
    betti = profile.betti(float(settings.steps))
    return {"data": name, "kind": kind, "repeat": repeat, "accuracy": float(right), "betti": betti}
