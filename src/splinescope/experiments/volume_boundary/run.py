"""Measures of `volume-boundary`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.experiments.shared.training import trained_together
from splinescope.experiments.volume_boundary.settings import Settings
from splinescope.progress import each
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.factors import cell_factors, log_volumes_of
from splinescope.tessellation.planar.complex import PlanarComplex

PROBLEMS = ("moons", "spirals", "digits")
BINS = 8
"""Distances from the boundary that are told apart, up to a quarter of the plane's width."""
_GRID = 60
"""Points along each side of a plane at which distances from the boundary are taken."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train classifiers, and measure the volume element of their last hidden layer in planes, before and after."""
    networks: list[dict[str, Any]] = []
    for problem in each(PROBLEMS, "problem", parts.progress):
        data = [_data(settings, problem, repeat) for repeat in range(settings.repeats)]
        before, after = ([_network(settings, x, y, repeat) for repeat, (x, y) in enumerate(data)] for _ in range(2))
        trained_together(parts, f"weights-{problem}", after, partial(_train, settings, problem, after, data))
        planes = [_plane(problem, x, y) for x, y in data]
        tasks = {
            f"{problem}-{repeat}": partial(_one, problem, repeat, *three, data[repeat])
            for repeat, three in enumerate(zip(before, after, planes, strict=True))
        }
        networks += list(parts.each(tasks, "network").values())
        for name, module in (("before", before[0].double()), ("after", after[0])):
            parts.cells(f"{name}-{problem}", PlanarComplex, partial(cells_of, module[:-1], planes[0]))
        parts.arrays(f"boundary-{problem}", partial(_boundary, after[0], planes[0]))
    return {"networks": networks}


def _data(settings: Settings, problem: str, repeat: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 * settings.seed + repeat)
    if problem == "digits":
        images = datasets.digits()
        rows = torch.randperm(len(images), generator=generator)[: settings.images]
        return images.inputs[rows].flatten(1), images.labels[rows]
    make = datasets.two_moons if problem == "moons" else datasets.spirals
    found = make(settings.points, generator=generator)
    return found.inputs, found.labels


def _network(settings: Settings, x: Tensor, y: Tensor, repeat: int) -> nn.Sequential:
    """The features, and the last layer behind them."""
    generator = torch.Generator().manual_seed(1000 * settings.seed + repeat)
    widths = [x.shape[1], settings.units, settings.units, int(y.max()) + 1]
    return models.mlp(widths, generator=generator)


def _train(settings: Settings, problem: str, modules: list[nn.Sequential], data: list[tuple[Tensor, Tensor]]) -> None:
    models.train_classifiers(
        modules, torch.stack([x for x, _ in data]), torch.stack([y for _, y in data]),
        generator=torch.Generator().manual_seed(settings.seed),
        epochs=settings.digit_epochs if problem == "digits" else settings.epochs, learning_rate=5e-3,
    )  # fmt: skip


def _plane(problem: str, x: Tensor, y: Tensor) -> Slice:
    """The square of a problem in the plane; of images the plane through the first ones of three digits."""
    if problem != "digits":
        return square(1.2)
    first, second, third = (x[(y == label).nonzero()[0, 0]].double().numpy() for label in (0, 1, 2))
    return Slice.through(first, second, third, margin=0.3)


def _boundary(module: nn.Sequential, plane: Slice) -> dict[str, np.ndarray]:
    found = cells_of(module, plane).decision_boundary()
    return {"segments": found.segments}


def volumes(cells: PlanarComplex) -> np.ndarray:
    """Output area per input area of each cell; zero where it is flattened.

    Args:
        cells: The cells of a network's features.

    Returns:
        One number for each cell.
    """
    return np.asarray(np.exp(log_volumes_of(cell_factors(cells))))


def _one(
    problem: str, repeat: int, before: nn.Sequential, after: nn.Sequential, plane: Slice, data: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Volume elements at the boundary of the trained network and away from it, of both networks."""
    x, y = data
    boundary = cells_of(after, plane).decision_boundary()
    segments, lengths = boundary.segments, boundary.lengths
    middles, grid = segments.mean(axis=1), _grid(plane)
    away = _distances(grid, segments) / float(np.ptp(grid[:, 0]))
    bins = np.minimum((away / 0.25 * BINS).astype(int), BINS)
    found: dict[str, Any] = {"problem": problem, "repeat": repeat, "boundary_length": float(lengths.sum())}
    for name, module in (("before", before.double()), ("after", after)):
        cells = cells_of(module[:-1], plane)
        own, areas = volumes(cells), np.asarray(cells.measures)
        mean = float((own * areas).sum() / areas.sum())
        near = own[cells.locate(middles)]
        profile = np.bincount(bins, own[cells.locate(grid)], BINS + 1)[:BINS], np.bincount(bins, None, BINS + 1)[:BINS]
        found[name] = {
            "ratio": float((near * lengths).sum() / lengths.sum() / mean) if mean > 0 and lengths.sum() > 0 else None,
            "mean": mean,
            "profile": [v / n / mean if n > 0 and mean > 0 else None for v, n in zip(*profile, strict=True)],
            "flattened": float(areas[own == 0].sum() / areas.sum()),
            "cells": len(cells),
        }
    with torch.no_grad():
        found["accuracy"] = float((after(x.double()).argmax(dim=1) == y).double().mean())
    return found


def _grid(plane: Slice) -> np.ndarray:
    """Middles of small squares that fill a plane."""
    low, high = np.asarray(plane.polygon).min(axis=0), np.asarray(plane.polygon).max(axis=0)
    lines = [low[k] + (high[k] - low[k]) * (np.arange(_GRID) + 0.5) / _GRID for k in range(2)]
    return np.stack([line.ravel() for line in np.meshgrid(*lines)], axis=1)


def _distances(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Distance of each point from the nearest segment."""
    if not len(segments):
        return np.full(len(points), np.inf)
    start, step = segments[:, 0], segments[:, 1] - segments[:, 0]
    square_of = np.maximum((step**2).sum(axis=1), np.finfo(np.float64).tiny)
    found = np.full(len(points), np.inf)
    for a, u, size in zip(start, step, square_of, strict=True):
        share = np.clip((points - a) @ u / size, 0.0, 1.0)
        found = np.minimum(found, np.linalg.norm(points - a - share[:, None] * u, axis=1))
    return found
