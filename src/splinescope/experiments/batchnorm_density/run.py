"""Measures of `batchnorm-density`: how dense folds are in a window and at the data, by a formula and exactly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments.batchnorm_density.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.initialization import (
    boundary_jitter,
    fold_batchnorm,
    fold_density,
    local_fold_density,
    total_least_squares,
)
from splinescope.network import from_torch

ROWS = ("zero", "random", "batchnorm")
DISC_POINTS = 40
"""Random points of the disc around each of the data at which the local formula is averaged."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Measure three networks of one kind of weights; the parts `map-zero`, ... and `data` are pictures."""
    star = _star(settings)
    parts.arrays("data", lambda: {"points": star.numpy()})
    maps = {row: parts.arrays(f"map-{row}", partial(_map, settings, row, settings.width, star)) for row in ROWS}
    measures = {"exact": _exact, "fits": _fits, "away": _away}
    tasks = {f"{what}-{row}": partial(measure, settings, row) for what, measure in measures.items() for row in ROWS}
    found = parts.each({**tasks, "radial": partial(_radial, settings), "jitter": partial(_jitter, settings)})
    return {
        "local": {row: _densities(maps[row]) for row in ROWS},
        **{what: {row: found[f"{what}-{row}"] for row in ROWS} for what in measures},
        "radial": found["radial"],
        "jitter": found["jitter"],
    }


def _star(settings: Settings) -> Tensor:
    return datasets.star(settings.points, generator=torch.Generator().manual_seed(settings.seed)).inputs.double()


def _module(settings: Settings, row: str, width: int, data: Tensor) -> nn.Module:
    """The network of a row; batch-norm with the statistics of the data folded in."""
    widths = [2, *(width,) * settings.layers, 1]
    make = models.batchnorm_mlp if row == "batchnorm" else models.gaussian_mlp
    deviation = settings.bias_deviation if row == "random" else 0.0
    # another seed than the data's
    generator = torch.Generator().manual_seed(settings.seed + 1)
    module = make(widths, bias_deviation=deviation, generator=generator, dtype=torch.float64)
    return fold_batchnorm(module, data)


def _map(settings: Settings, row: str, width: int, data: Tensor) -> dict[str, np.ndarray]:
    """Densities by the local formula on the grid, and at random points of the discs around the data."""
    generator = np.random.default_rng(settings.seed)
    centres = settings.half * (2 * np.arange(settings.grid) + 1 - settings.grid) / settings.grid
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    angles = generator.uniform(0, 2 * np.pi, (len(data), DISC_POINTS))
    radii = settings.radius * np.sqrt(generator.uniform(size=angles.shape))
    around = data.numpy()[:, None] + radii[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    network = from_torch(_module(settings, row, width, data), input_shape=(2,))
    window, near = (local_fold_density(network, p, settings.reach) for p in (grid, around.reshape(-1, 2)))
    return {"density": window.density, "near": near.density}


def _away(settings: Settings, row: str) -> dict[str, Any]:
    """The same where the data are away from the origin, for the narrower network."""
    return _densities(_map(settings, row, settings.exact_width, _star(settings) + torch.tensor(settings.away)))


def _exact(settings: Settings, row: str) -> dict[str, Any]:
    """Exact densities of the narrower network, beside those of the local formula."""
    data = _star(settings)
    cells = cells_of(_module(settings, row, settings.exact_width, data), square(settings.half), "topology")
    found = fold_density(cells, data.numpy(), settings.radius)
    local = _densities(_map(settings, row, settings.exact_width, data))
    return {
        "cells": int(cells.resolved.sum()),
        "window": found.window,
        "near": found.near.mean(axis=0),
        "ratio": found.ratio,
        "local": local,
    }


def _fits(settings: Settings, row: str) -> dict[str, Any]:
    """Squared distance of each layer's inputs to its hyperplanes over the least possible; units on both sides."""
    fits = total_least_squares(_module(settings, row, settings.width, _star(settings)), _star(settings))[:-1]
    return {"excess": [fit.excess for fit in fits], "both_sides": [float(fit.both_sides.mean()) for fit in fits]}


def _radial(settings: Settings) -> dict[str, Any]:
    """Units that differ between inputs and their multiples, without biases; powers of two multiply exactly."""
    module, data = _module(settings, "zero", settings.exact_width, _star(settings)), _star(settings)
    hidden = [_signs(module, factor * data) for factor in (1.0, 0.25, 8.0)]
    return {"units": hidden[0].numel(), "different": sum(int((signs != hidden[0]).sum()) for signs in hidden[1:])}


def _jitter(settings: Settings) -> dict[str, Any]:
    """Movement of hyperplanes between mini-batches, layer by layer, relative to the formula; medians over units."""
    widths = [2, *(settings.exact_width,) * settings.layers, 1]
    seeds = (torch.Generator().manual_seed(settings.seed + offset) for offset in (1, 2))
    module = models.batchnorm_mlp(widths, generator=next(seeds), dtype=torch.float64)
    found = boundary_jitter(
        module, _star(settings), settings.batch, generator=next(seeds), resamples=settings.resamples, replacement=True
    )
    return {
        "alone": [float(np.median(layer.alone / layer.predicted)) for layer in found],
        "together": [float(np.median(layer.together / layer.predicted)) for layer in found],
    }


def _densities(maps: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Mean density in the window and near the data, and their ratio, layer by layer."""
    window, near = maps["density"].mean(axis=0), maps["near"].mean(axis=0)
    return {"window": window, "near": near, "ratio": near / window}


def _signs(module: nn.Module, x: Tensor) -> Tensor:
    """Which units of all hidden layers are positive."""
    assert isinstance(module, nn.Sequential)
    signs = []
    for layer in module:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            signs.append(x > 0)
    return torch.cat(signs, dim=1)
