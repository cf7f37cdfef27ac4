"""Cells counted along depth, along width and during training, beside what theory says of their number."""

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
from splinescope.experiments import regions_claims, regions_figures
from splinescope.experiments.base import Config, Findings, Table
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of, square
from splinescope.network import from_torch
from splinescope.tessellation.domains import Segment, Slice
from splinescope.tessellation.engine import tessellate
from splinescope.tessellation.planar.complex import PlanarComplex


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        repeats: Networks per size.
        window: Half the side of the large square in which cells are counted.
        shapes: Hidden widths of networks with the same number of units.
        sizes: Numbers of units, multiples of all depths.
        depths: Numbers of hidden layers that share them evenly.
        width: Hidden width of the networks along depth.
        most_layers: Largest depth of these.
        built_layers: Largest depth of the folding network that is built and counted beside them.
        trained: Hidden widths of the networks that are trained.
        trained_repeats: Networks trained per data set.
        epochs: Epochs after which cells are counted; the first is 0.
        near: Half the side of the square around the data in the plane problems.
    """

    repeats: int
    window: float
    shapes: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]
    depths: tuple[int, ...]
    width: int
    most_layers: int
    built_layers: int
    trained: tuple[int, ...]
    trained_repeats: int
    epochs: tuple[int, ...]
    near: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two networks per size, twelve epochs."""
        return cls(
            seed=seed,
            repeats=2,
            window=30.0,
            shapes=((60,), (30, 30), (10,) * 6),
            sizes=(12, 24, 48),
            depths=(1, 3),
            width=8,
            most_layers=3,
            built_layers=2,
            trained=(12, 12),
            trained_repeats=2,
            epochs=(0, 3, 12),
            near=1.5,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Twenty networks per size, 256 epochs."""
        return cls(
            seed=seed,
            repeats=20,
            window=30.0,
            shapes=((60,), (30, 30), (20,) * 3, (15,) * 4, (10,) * 6),
            sizes=(12, 24, 48, 96, 192),
            depths=(1, 2, 3, 6),
            width=8,
            most_layers=8,
            built_layers=4,
            trained=(32, 32, 32),
            trained_repeats=5,
            epochs=(0, 1, 2, 4, 8, 16, 32, 64, 128, 256),
            near=1.5,
        )

    def run(self, parts: Parts) -> Findings:
        """Count, train, compare; see `Config.run`."""
        shapes = {_name(widths): _at_start(self, parts, widths) for widths in self.shapes}
        sizes = {
            depth: [_at_start(self, parts, (units // depth,) * depth) for units in self.sizes] for depth in self.depths
        }
        layers = range(1, self.most_layers + 1)
        along_depth = [_at_start(self, parts, (self.width,) * depth) for depth in layers]
        built = parts.each(
            {
                f"built-{_name((self.width,) * depth)}": partial(_count_folds, (self.width,) * depth)
                for depth in range(1, self.built_layers + 1)
            },
            "network",
        )
        trained = {name: _during_training(self, parts, name) for name in DATA}
        numbers = {
            "reference_ratios": regions_claims.REFERENCE,
            "shapes": shapes,
            "sizes": {str(depth): counts for depth, counts in sizes.items()},
            "along_depth": along_depth,
            "built": list(built.values()),
            "bounds": _bounds(self),
            "trained": trained,
        }
        pictures = _pictures(self, parts)
        figures = {
            "counts": partial(regions_figures.draw_counts, self, numbers),
            "training": partial(regions_figures.draw_training, self, numbers),
            "moved-folds": partial(regions_figures.draw_moved, pictures, DATA[PICTURED](self).data),
        }
        return Findings(numbers, regions_claims.claims_of(self, numbers), figures, {"bounds": _table(self, numbers)})


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


def _pictures(settings: Settings, parts: Parts) -> tuple[PlanarComplex, ...]:
    """Tessellations close to the data before and after training."""
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

    module = models.gaussian_mlp([2, *settings.trained, 2], generator=_generator(settings, 0))
    pictures = []
    for weights in parts.arrays("picture", train).values():
        nn.utils.vector_to_parameters(torch.from_numpy(weights), module.parameters())
        pictures.append(cells_of(module, problem.near))
    return tuple(pictures)


def _bounds(settings: Settings) -> dict[str, list[float]]:
    """Bounds for each depth of the networks along depth; integers beyond float's range become infinite."""
    depths = range(1, settings.most_layers + 1)
    return {
        kind: [float(bound(2, (settings.width,) * depth)) for depth in depths]
        for kind, bound in (("serra_2018_upper", bounds.serra_2018_upper), ("lower", bounds.montufar_2014_lower))
    } | {"average": [float(bounds.hanin_rolnick_average(settings.width * depth, 2)) for depth in depths]}


def _table(settings: Settings, numbers: Mapping[str, Any]) -> Table:
    built = {part["layers"]: part["cells"] for part in numbers["built"]}
    rows = [
        (
            depth,
            settings.width,
            float(np.mean(numbers["along_depth"][depth - 1]["cells"])),
            max(numbers["along_depth"][depth - 1]["cells"]),
            numbers["bounds"]["average"][depth - 1],
            built.get(depth, ""),
            bounds.montufar_2014_lower(2, (settings.width,) * depth),
            bounds.serra_2018_upper(2, (settings.width,) * depth),
            bounds.montufar_2017_upper(2, (settings.width,) * depth),
            bounds.trivial_upper([2] * (settings.width * depth)),
        )
        for depth in range(1, settings.most_layers + 1)
    ]
    columns = "layers width mean_cells most_cells half_units_squared cells_of_folding_network montufar_2014_lower "
    columns += "serra_2018_upper montufar_2017_upper trivial_upper"
    return Table(tuple(columns.split()), tuple(rows))
