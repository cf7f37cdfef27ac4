"""Measures of `regions-vs-depth-width`: cells counted along depth, along width and during training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope import datasets, models
from splinescope.complexity.theory import bounds
from splinescope.experiments.regions_vs_depth_width.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.network import from_torch
from splinescope.tessellation.domains import Segment, Slice
from splinescope.tessellation.engine import tessellate
from splinescope.tessellation.planar.complex import PlanarComplex


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Count, and count while training; the parts `picture-start`, `picture-end` and `picture-data` are pictures."""
    shapes = {_name(widths): _at_start(settings, parts, widths) for widths in settings.shapes}
    sizes = {
        str(depth): [_at_start(settings, parts, (units // depth,) * depth) for units in settings.sizes]
        for depth in settings.depths
    }
    layers = range(1, settings.most_layers + 1)
    along_depth = [_at_start(settings, parts, (settings.width,) * depth) for depth in layers]
    folding = [(settings.width,) * depth for depth in range(1, settings.built_layers + 1)]
    built = parts.each({f"built-{_name(widths)}": partial(_count_folds, widths) for widths in folding}, "network")
    trained = {name: _during_training(settings, parts, name) for name in DATA}
    _keep_pictures(settings, parts)
    return {
        "shapes": shapes,
        "sizes": sizes,
        "along_depth": along_depth,
        "built": list(built.values()),
        "bounds": _bounds(settings),
        "trained": trained,
    }


def _name(widths: Sequence[int]) -> str:
    return f"{len(widths)}x{widths[0]}"


def _generator(settings: Settings, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * settings.seed + number)


def _at_start(settings: Settings, parts: Parts, widths: tuple[int, ...]) -> dict[str, Any]:
    """Cells of random networks of one shape in the large window."""
    tasks = {
        f"start-{_name(widths)}-{number}": partial(_count_random, settings, widths, number)
        for number in range(settings.repeats)
    }
    found = parts.each(tasks, "network")
    units = sum(widths)
    cells = [part["cells"] for part in found.values()]
    return {
        "widths": widths,
        "units": units,
        "cells": cells,
        "ratio": [count / (units**2 / 2) for count in cells],
        "along_a_line": [part["along_a_line"] for part in found.values()],
        "mean_degree": [part["mean_degree"] for part in found.values()],
    }


def _count_random(settings: Settings, widths: tuple[int, ...], number: int) -> dict[str, Any]:
    module = models.gaussian_mlp([2, *widths, 1], generator=_generator(settings, number))
    across = Segment([-settings.window, 0.0], [settings.window, 0.0])
    along = len(tessellate(from_torch(module, input_shape=(2,)), across))
    return _count(module, square(settings.window)) | {"along_a_line": along}


def _count_folds(widths: tuple[int, ...]) -> dict[str, Any]:
    return _count(models.montufar_network(2, widths), Slice.box([0, 0], [1, 1])) | {"layers": len(widths)}


def _count(module: nn.Module, domain: Slice) -> dict[str, Any]:
    cells = cells_of(module, domain)
    return {"cells": len(cells), "mean_degree": float(cells.adjacency.nnz / len(cells))}


@dataclass(frozen=True)
class _Problem:
    """A data set, and where the cells of a network trained on it are counted."""

    data: datasets.Dataset
    near: Slice
    far: Slice


def _plane_problem(make: Callable[..., datasets.Dataset], settings: Settings) -> _Problem:
    data = make(400, generator=_generator(settings, 0))
    return _Problem(data, square(settings.near), square(settings.window))


def _digits_problem(settings: Settings) -> _Problem:
    data = datasets.digits()
    images = [int(torch.nonzero(data.labels == digit)[0]) for digit in (3, 7, 8)]
    one, two, three = data.take(images).numpy()
    near, far = (Slice.through(one, two, three, margin=margin) for margin in (0.2, 10.0))
    return _Problem(data, near, far)


DATA: Mapping[str, Callable[[Settings], _Problem]] = {
    "two moons": partial(_plane_problem, datasets.two_moons),
    "rings": partial(_plane_problem, datasets.rings),
    "digits, a plane": _digits_problem,
}
"""The problems that networks are trained on."""


PICTURED = "rings"
"""The problem whose tessellation is shown before and after training."""


def _during_training(settings: Settings, parts: Parts, name: str) -> dict[str, Any]:
    """Cells at each of the epochs asked for, near the data and in the large window."""
    tasks = {
        f"trained-{name.split(',')[0].replace(' ', '-')}-{number}": partial(_train, settings, name, number)
        for number in range(settings.trained_repeats)
    }
    found = list(parts.each(tasks, "network").values())
    return {key: [part[key] for part in found] for key in ("near", "far", "accuracy")}


def _train(settings: Settings, name: str, number: int) -> dict[str, Any]:
    problem = DATA[name](settings)
    counts: dict[str, list[int]] = {"near": [], "far": []}

    def look(module: nn.Module) -> None:
        for where in counts:
            counts[where].append(_count(module, getattr(problem, where))["cells"])

    accuracy = _train_and_look(settings, problem.data, _generator(settings, number), look)
    return counts | {"accuracy": accuracy}


def _train_and_look(
    settings: Settings, data: datasets.Dataset, generator: torch.Generator, look: Callable[[nn.Module], None]
) -> float:
    """Train a network, show it at each of the epochs asked for, and say how accurate it is at the end."""
    module = models.gaussian_mlp([data.inputs[0].numel(), *settings.trained, len(data.classes)], generator=generator)
    look(module)
    result = models.train_classifier(
        module,
        data.inputs,
        data.labels,
        generator=generator,
        epochs=max(settings.epochs),
        learning_rate=1e-3,
        after_epoch=lambda epoch: look(module) if epoch in settings.epochs else None,
    )
    return result.accuracy


def _keep_pictures(settings: Settings, parts: Parts) -> None:
    """Tessellations close to the data before and after training, and the data."""
    problem = DATA[PICTURED](settings)

    def train() -> dict[str, np.ndarray]:
        seen: list[np.ndarray] = []
        _train_and_look(
            settings,
            problem.data,
            _generator(settings, 0),
            lambda module: seen.append(nn.utils.parameters_to_vector(module.parameters()).detach().numpy().copy()),
        )
        return {"start": seen[0], "end": seen[-1]}

    def cells(weights: np.ndarray) -> PlanarComplex:
        module = models.gaussian_mlp([2, *settings.trained, 2], generator=_generator(settings, 0))
        nn.utils.vector_to_parameters(torch.from_numpy(weights), module.parameters())
        return cells_of(module, problem.near)

    for when, weights in parts.arrays("picture", train).items():
        parts.cells(f"picture-{when}", PlanarComplex, partial(cells, weights))
    data = problem.data
    parts.arrays("picture-data", lambda: {"points": data.inputs.double().numpy(), "labels": data.labels.numpy()})


def _bounds(settings: Settings) -> dict[str, Any]:
    """Bounds for each depth of the networks along depth."""
    shapes = [(settings.width,) * depth for depth in range(1, settings.most_layers + 1)]
    units = [sum(widths) for widths in shapes]
    return {
        "average": [float(bounds.hanin_rolnick_average(count, 2)) for count in units],
        "montufar_2014_lower": [bounds.montufar_2014_lower(2, widths) for widths in shapes],
        "serra_2018_upper": [bounds.serra_2018_upper(2, widths) for widths in shapes],
        "montufar_2017_upper": [bounds.montufar_2017_upper(2, widths) for widths in shapes],
        "trivial_upper": [bounds.trivial_upper([2] * count) for count in units],
    }
