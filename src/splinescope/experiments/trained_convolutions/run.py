"""Measures of `trained-convolutions`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope import models
from splinescope.experiments.shared.convolutions import Examples, accuracy, conv_chain, read_examples
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.trained_convolutions.settings import Settings
from splinescope.network import Network, boundaries, from_torch, load, split
from splinescope.preimage import network_nesting

_LARGEST = 1024
"""Units up to which a layer of somebody's network is written out."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Networks before, during and after training; and those that are given."""
    examples = read_examples(settings.data, settings.images)
    tasks = {f"network-{number}": partial(_trained, settings, examples, number) for number in range(settings.networks)}
    files = [name for name in settings.models.split(",") if name]
    given = {f"given-{number}": partial(_given, settings, Path(name)) for number, name in enumerate(files)}
    found = parts.each({**tasks, **given}, "network")
    return {
        "images": examples.name,
        "networks": [found[name] for name in tasks],
        "given": [found[name] for name in given],
    }


def _trained(settings: Settings, examples: Examples, number: int) -> dict[str, Any]:
    """One network at some moments of its training."""
    generator = torch.Generator().manual_seed(1000 * settings.seed + number)
    shape = tuple(examples.inputs.shape[1:])
    module = conv_chain(shape, settings.channels, settings.layers, settings.stride, generator)
    moments = [_moment(settings, module, examples, 0)] if 0 in settings.epochs else []

    def look(epoch: int) -> None:
        if epoch in settings.epochs:
            moments.append(_moment(settings, module, examples, epoch))

    models.train_classifier(
        module,
        examples.inputs,
        examples.labels,
        generator=generator,
        epochs=max(settings.epochs),
        learning_rate=settings.learning_rate,
        after_epoch=look,
    )
    return {"moments": moments}


def _moment(settings: Settings, module: nn.Module, examples: Examples, epoch: int) -> dict[str, Any]:
    network = from_torch(module, input_shape=tuple(examples.inputs.shape[1:]))
    points = examples.held_out[:300].double().numpy()
    rows = [row for row in network_nesting(network, sets=settings.sets) if row.from_circulant is not None]
    return {
        "epoch": epoch,
        "accuracy": accuracy(module, examples.held_out, examples.held_out_labels),
        "layers": [
            {
                "complete": row.nesting.complete,
                "degree": row.nesting.degree,
                "along_axes": row.along_axes,
                "held_back": row.held_back,
                "from_circulant": row.from_circulant,
                "shape": row.shape,
            }
            for row in rows
            if row.nesting is not None
        ],
        "supports": _supports(network, points),
    }


def _supports(network: Network, points: np.ndarray) -> list[dict[str, Any]]:
    """Behind each ReLU: the share of units that are not zero, and how many of those that were zero stay so."""
    found: list[dict[str, Any]] = []
    before: np.ndarray | None = None
    for place in boundaries(network):
        fold = network.nodes[place.node].fold
        if fold is None or not fold.clamps:
            continue
        values = split(network, place.index).before(points).reshape(len(points), -1) > 0
        stay: float | None = None
        if before is not None and before.shape == values.shape:
            stay = float((~values & ~before).sum() / max(1, (~before).sum()))
        found.append({"active": float(values.mean()), "stay_zero": stay, "units": values.shape[1]})
        before = values
    return found


def _given(settings: Settings, path: Path) -> dict[str, Any]:
    """A network that somebody trained: signs of its layers, and supports at random inputs."""
    network = load(path)
    rng = np.random.default_rng(settings.seed)
    weights = [node.affine.weights for node in network.nodes if node.affine is not None]
    offsets = [
        node.affine.offset for node in network.nodes if node.affine is not None and node.affine.weights is not None
    ]
    rows = network_nesting(network, most=_LARGEST, sets=settings.sets)
    return {
        "name": path.stem,
        "units": network.num_units,
        "not_positive": [float((w <= 0).double().mean()) for w in weights if w is not None],
        "held_back": [float((b <= 0).double().mean()) for b in offsets if b is not None],
        "square": [
            {"along_axes": row.along_axes, "held_back": row.held_back, "from_circulant": row.from_circulant,
             "complete": row.nesting.complete, "degree": row.nesting.degree}
            for row in rows
            if row.nesting is not None
        ],
        "supports": _supports(network, rng.random((100, *network.input_shape))),
    }  # fmt: skip
