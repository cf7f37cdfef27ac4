"""Measures of `nested-by-design`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from splinescope import models
from splinescope.experiments.nested_by_design.settings import Settings
from splinescope.experiments.shared.convolutions import Examples, accuracy, conv_chain, read_examples
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Network, from_torch
from splinescope.preimage import contraction, network_nesting
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.engine import tessellate_slice

KINDS = ("nested", "same start", "free", "stem")


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Networks of each kind; their weights are the parts `weights-KIND-NUMBER`, the first planes `plane-KIND`."""
    examples = read_examples(settings.data, settings.images)
    tasks: dict[str, Callable[[], Mapping[str, Any]]] = {}
    for number in range(settings.networks):
        for kind in KINDS:
            name = f"{kind.replace(' ', '-')}-{number}"
            weights = parts.arrays(f"weights-{name}", partial(_trained, settings, examples, kind, number))
            module = _with_weights(settings, examples, kind, weights)
            tasks[name] = partial(_measure, settings, examples, module)
            if number == 0:
                plane = partial(_cells, _network(module, examples), _planes(settings, examples)[0])
                parts.cells(f"plane-{name.removesuffix('-0')}", PlanarComplex, plane)
    found = parts.each(tasks, "network")
    rows = {
        kind: [found[name] for name in tasks if name.rpartition("-")[0] == kind.replace(" ", "-")] for kind in KINDS
    }
    return {"images": examples.name, "kinds": rows}


def _trained(settings: Settings, examples: Examples, kind: str, number: int) -> dict[str, np.ndarray]:
    """Weights of a trained network; all kinds start from the same ones, before any are projected."""
    generator = torch.Generator().manual_seed(1000 * settings.seed + number)
    module = _module(settings, examples, kind, generator, nested=kind in ("nested", "same start"))
    if kind == "same start":
        _plain(module)
    models.train_classifier(
        module,
        examples.inputs,
        examples.labels,
        generator=generator,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
    )
    _plain(module)
    return {name: value.numpy() for name, value in module.state_dict().items()}


def _module(
    settings: Settings, examples: Examples, kind: str, generator: torch.Generator, *, nested: bool = False
) -> nn.Sequential:
    shape, layers = tuple(examples.inputs.shape[1:]), 0 if kind == "stem" else settings.layers
    return conv_chain(shape, settings.channels, layers, settings.stride, generator, nested=nested)


def _plain(module: nn.Sequential) -> None:
    """Take the projections off, with the weights of now."""
    for part in module:
        for name in list(getattr(part, "parametrizations", {})):
            parametrize.remove_parametrizations(part, name)


def _with_weights(settings: Settings, examples: Examples, kind: str, weights: dict[str, np.ndarray]) -> nn.Sequential:
    module = _module(settings, examples, kind, torch.Generator())
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return module


def _network(module: nn.Sequential, examples: Examples) -> Network:
    return from_torch(module, input_shape=tuple(examples.inputs.shape[1:]))


def _measure(settings: Settings, examples: Examples, module: nn.Sequential) -> dict[str, Any]:
    """Accuracy, nesting and cells of a network."""
    network = _network(module, examples)
    inner = [row for row in network_nesting(network, sets=1) if row.from_circulant is not None]
    planes = [_cells(network, plane) for plane in _planes(settings, examples)]
    return {
        "accuracy": accuracy(module, examples.held_out, examples.held_out_labels),
        "train_accuracy": accuracy(module, examples.inputs, examples.labels),
        "nested": [row.nesting is not None and row.nesting.complete for row in inner],
        "stay_zero": [_stay_zero(cells, settings.layers) for cells in planes],
        "cells": [len(cells) for cells in planes],
        "units": network.num_units,
    }


def _planes(settings: Settings, examples: Examples) -> list[Slice]:
    """Planes through three held-out images of different classes, the same for all networks."""
    rng = np.random.default_rng(settings.seed)
    labels, planes = examples.held_out_labels.numpy(), []
    for _ in range(settings.planes):
        classes = rng.choice(10, 3, replace=False)
        rows = [int(rng.choice(np.flatnonzero(labels == label))) for label in classes]
        first, second, third = (examples.held_out[row].double().numpy() for row in rows)
        planes.append(Slice.through(first, second, third))
    return planes


def _cells(network: Network, plane: Slice) -> PlanarComplex:
    return tessellate_slice(network, plane)


def _stay_zero(cells: PlanarComplex, layers: int) -> float | None:
    """Share of the plane and of its zero units that are still zero behind the next layer, if layers have one size."""
    supports = contraction(cells).supports
    kept = total = 0.0
    for before, after in itertools.pairwise(supports):
        kept += float(((~before & ~after) * cells.measures[:, None]).sum())
        total += float((~before * cells.measures[:, None]).sum())
    return kept / total if layers and total else None
