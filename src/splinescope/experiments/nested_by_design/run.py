"""Measures of `nested-by-design`."""

from __future__ import annotations

import itertools
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
    """Networks of each kind; the first plane of the first networks is the part `plane-KIND`."""
    examples = read_examples(settings.data, settings.images)
    tasks = {
        f"{kind.replace(' ', '-')}-{number}": partial(_network, settings, examples, kind, number, parts)
        for number in range(settings.networks)
        for kind in KINDS
    }
    found = parts.each(tasks, "network")
    rows = {
        kind: [found[f"{kind.replace(' ', '-')}-{number}"] for number in range(settings.networks)] for kind in KINDS
    }
    return {"images": examples.name, "kinds": rows}


def _network(settings: Settings, examples: Examples, kind: str, number: int, parts: Parts) -> dict[str, Any]:
    """Train one network and look at it."""
    generator = torch.Generator().manual_seed(1000 * settings.seed + number)
    module = _module(settings, tuple(examples.inputs.shape[1:]), kind, generator)
    models.train_classifier(
        module,
        examples.inputs,
        examples.labels,
        generator=generator,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
    )
    network = from_torch(module, input_shape=tuple(examples.inputs.shape[1:]))
    inner = [row for row in network_nesting(network, sets=1) if row.from_circulant is not None]
    planes = [_cells(network, plane) for plane in _planes(settings, examples)]
    if number == 0:
        parts.cells(f"plane-{kind.replace(' ', '-')}", PlanarComplex, lambda: planes[0])
    return {
        "accuracy": accuracy(module, examples.held_out, examples.held_out_labels),
        "train_accuracy": accuracy(module, examples.inputs, examples.labels),
        "nested": [row.nesting is not None and row.nesting.complete for row in inner],
        "stay_zero": [_stay_zero(cells, settings.layers) for cells in planes],
        "cells": [len(cells) for cells in planes],
        "units": network.num_units,
    }


def _module(settings: Settings, shape: tuple[int, ...], kind: str, generator: torch.Generator) -> nn.Sequential:
    """A network of one kind; all have the same weights before any are projected."""
    layers = 0 if kind == "stem" else settings.layers
    nested = kind in ("nested", "same start")
    module = conv_chain(shape, settings.channels, layers, settings.stride, generator, nested=nested)
    if kind == "same start":
        for part in module:
            for name in list(getattr(part, "parametrizations", {})):
                parametrize.remove_parametrizations(part, name)
    return module


def _planes(settings: Settings, examples: Examples) -> list[Slice]:
    """Planes through three held-out images of different classes, the same for all networks."""
    rng = np.random.default_rng(settings.seed)
    labels, planes = examples.held_out_labels.numpy(), []
    for _ in range(settings.planes):
        classes = rng.choice(10, 3, replace=False)
        images = [examples.held_out[int(rng.choice(np.flatnonzero(labels == label)))] for label in classes]
        planes.append(Slice.through(*(image.double().numpy() for image in images)))
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
