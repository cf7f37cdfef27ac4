"""How dense the folds of a deep, wide network are around the data: zero biases, random biases, batch-norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments import batchnorm_density_figures as figures
from splinescope.experiments.base import Config, Findings, Table
from splinescope.experiments.batchnorm_density_claims import claims_of
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of, square
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


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer of the network of the figure.
        exact_width: Units per hidden layer of the one that is tessellated exactly.
        layers: Number of hidden layers.
        shown: Layers that are shown, counted from 1.
        bias_deviation: Standard deviation of the random biases; weights are He-normal.
        points: Number of data, on a star whose tips are at a distance of 1 from the origin.
        away: Where the star is moved to, to see what zero biases owe to the origin.
        half: Half the side of the square that is looked at.
        grid: Points along each side of it.
        reach: Distance at which a hyperplane counts in the local formula.
        radius: Radius of the disc around each of the data.
        batch: Size of the mini-batches that jitter.
        resamples: Number of mini-batches.
    """

    width: int
    exact_width: int
    layers: int
    shown: tuple[int, ...]
    bias_deviation: float
    points: int
    away: tuple[float, float]
    half: float
    grid: int
    reach: float
    radius: float
    batch: int
    resamples: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Five layers of 48 units, and of 12."""
        return cls(
            seed,
            width=48,
            exact_width=12,
            layers=5,
            shown=(3, 4, 5),
            bias_deviation=1.0,
            points=50,
            away=(1.5, 0.75),
            half=3.0,
            grid=40,
            reach=0.05,
            radius=0.1,
            batch=16,
            resamples=20,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's network: 11 layers of 1,024 units; and one of 64."""
        return cls(
            seed,
            width=1024,
            exact_width=64,
            layers=11,
            shown=(3, 7, 11),
            bias_deviation=1.0,
            points=50,
            away=(1.5, 0.75),
            half=3.0,
            grid=150,
            reach=0.005,
            radius=0.1,
            batch=16,
            resamples=200,
        )

    def run(self, parts: Parts) -> Findings:
        """Measure three networks of one kind of weights; see `Config.run`."""
        maps = {row: parts.arrays(f"map-{row}", partial(self._map, row, self.width, self._star())) for row in ROWS}
        tasks = {f"exact-{row}": partial(self._exact, row) for row in ROWS}
        tasks |= {f"fits-{row}": partial(self._fits, row) for row in ROWS}
        tasks |= {f"away-{row}": partial(self._away, row) for row in ROWS}
        found = parts.each({**tasks, "radial": self._radial, "jitter": self._jitter})
        numbers = {
            "local": {row: _densities(maps[row]) for row in ROWS},
            **{what: {row: found[f"{what}-{row}"] for row in ROWS} for what in ("exact", "fits", "away")},
            "radial": found["radial"],
            "jitter": found["jitter"],
        }
        images = {row: maps[row]["density"].reshape(self.grid, self.grid, -1) for row in ROWS}
        drawn = {
            "density": partial(figures.draw_maps, images, self.shown, self._star().numpy(), self.half),
            "ratios": partial(figures.draw_ratios, numbers),
            "least-squares": partial(figures.draw_fits, numbers),
        }
        return Findings(numbers, claims_of(self, numbers), drawn, {"density": self._table(numbers)})

    def _star(self) -> Tensor:
        return datasets.star(self.points, generator=torch.Generator().manual_seed(self.seed)).inputs.double()

    def _module(self, row: str, width: int, data: Tensor) -> nn.Module:
        """The network of a row; batch-norm with the statistics of the data folded in."""
        widths = [2, *(width,) * self.layers, 1]
        make = models.batchnorm_mlp if row == "batchnorm" else models.gaussian_mlp
        deviation = self.bias_deviation if row == "random" else 0.0
        # another seed than the data's
        generator = torch.Generator().manual_seed(self.seed + 1)
        module = make(widths, bias_deviation=deviation, generator=generator, dtype=torch.float64)
        return fold_batchnorm(module, data)

    def _map(self, row: str, width: int, data: Tensor) -> dict[str, np.ndarray]:
        """Densities by the local formula on the grid, and at random points of the discs around the data."""
        generator = np.random.default_rng(self.seed)
        centres = self.half * (2 * np.arange(self.grid) + 1 - self.grid) / self.grid
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        angles = generator.uniform(0, 2 * np.pi, (len(data), DISC_POINTS))
        radii = self.radius * np.sqrt(generator.uniform(size=angles.shape))
        around = data.numpy()[:, None] + radii[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        network = from_torch(self._module(row, width, data), input_shape=(2,))
        window, near = (local_fold_density(network, p, self.reach) for p in (grid, around.reshape(-1, 2)))
        return {"density": window.density, "near": near.density}

    def _away(self, row: str) -> dict[str, Any]:
        """The same where the data are away from the origin, for the narrower network."""
        return _densities(self._map(row, self.exact_width, self._star() + torch.tensor(self.away)))

    def _exact(self, row: str) -> dict[str, Any]:
        """Exact densities of the narrower network, beside those of the local formula."""
        data = self._star()
        cells = cells_of(self._module(row, self.exact_width, data), square(self.half), "topology")
        found = fold_density(cells, data.numpy(), self.radius)
        local = _densities(self._map(row, self.exact_width, data))
        return {
            "cells": int(cells.resolved.sum()),
            "window": found.window,
            "near": found.near.mean(axis=0),
            "ratio": found.ratio,
            "local": local,
        }

    def _fits(self, row: str) -> dict[str, Any]:
        """Squared distance of each layer's inputs to its hyperplanes over the least possible; units on both sides."""
        fits = total_least_squares(self._module(row, self.width, self._star()), self._star())[:-1]
        return {"excess": [fit.excess for fit in fits], "both_sides": [float(fit.both_sides.mean()) for fit in fits]}

    def _radial(self) -> dict[str, Any]:
        """Units that differ between inputs and their multiples, without biases; powers of two multiply exactly."""
        module, data = self._module("zero", self.exact_width, self._star()), self._star()
        hidden = [_signs(module, factor * data) for factor in (1.0, 0.25, 8.0)]
        return {"units": hidden[0].numel(), "different": sum(int((signs != hidden[0]).sum()) for signs in hidden[1:])}

    def _jitter(self) -> dict[str, Any]:
        """Movement of hyperplanes between mini-batches, layer by layer, relative to the formula; medians over units."""
        widths = [2, *(self.exact_width,) * self.layers, 1]
        seeds = (torch.Generator().manual_seed(self.seed + offset) for offset in (1, 2))
        module = models.batchnorm_mlp(widths, generator=next(seeds), dtype=torch.float64)
        found = boundary_jitter(
            module, self._star(), self.batch, generator=next(seeds), resamples=self.resamples, replacement=True
        )
        return {
            "alone": [float(np.median(layer.alone / layer.predicted)) for layer in found],
            "together": [float(np.median(layer.together / layer.predicted)) for layer in found],
        }

    def _table(self, numbers: Mapping[str, Any]) -> Table:
        columns = ("biases", "width", "layer", "window_per_length", "at_data_per_length", "ratio")
        kinds = ((self.width, numbers["local"]), (self.exact_width, numbers["exact"]))
        rows = [
            (row, width, layer, *(float(found[row][key][layer - 1]) for key in ("window", "near", "ratio")))
            for width, found in kinds
            for row in ROWS
            for layer in range(1, self.layers + 1)
        ]
        return Table(columns, tuple(rows))


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
