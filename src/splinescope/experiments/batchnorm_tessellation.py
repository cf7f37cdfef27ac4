"""The folds of a toy network layer by layer, without and with batch-norm, around the data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments import batchnorm_tessellation_figures as figures
from splinescope.experiments.base import Claim, Config, Findings, Table
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of, square
from splinescope.initialization import data_init, fold_batchnorm, total_least_squares
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 7"
THEOREM = "Balestriero and Baraniuk 2022, arXiv 2209.14778"
ROWS = ("plain", "batchnorm")


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer.
        layers: Number of hidden layers.
        slope: Slope of the leaky ReLU.
        bias_deviation: Standard deviation of the biases, which batch-norm undoes; weights are He-normal.
        points: Number of data.
        half: Half the side of the square that is looked at.
        networks: Random networks over which the folds at the data are counted.
    """

    width: int
    layers: int
    slope: float
    bias_deviation: float
    points: int
    half: float
    networks: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two layers of six units, three networks."""
        return cls(seed, width=6, layers=2, slope=0.1, bias_deviation=0.5, points=60, half=2.0, networks=3)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's toy network: four layers of six units."""
        return cls(seed, width=6, layers=4, slope=0.1, bias_deviation=0.5, points=100, half=2.0, networks=100)

    def run(self, parts: Parts) -> Findings:
        """Draw one network, count over many; see `Config.run`."""
        tasks = {f"network-{number}": partial(self._measure, self.seed + number) for number in range(self.networks)}
        networks = list(parts.each(tasks, "network").values())
        same = parts.each({"identities": partial(self._identities, self.seed)}, "check")["identities"]
        numbers = {"networks": networks, "identities": same, "layers": _by_layer(networks)}
        data = self._data(self.seed)
        draw = partial(figures.draw_layers, self._pictures(data), data.numpy())
        return Findings(
            numbers, _claims(numbers, self.layers * self.width), {"layers": draw}, {"layers": _table(numbers)}
        )

    def _data(self, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return datasets.two_moons(self.points, generator=generator).inputs.double()

    def _modules(self, seed: int) -> dict[str, nn.Sequential]:
        """Networks of the same weights and biases, without and with batch-norm."""
        makers = dict(zip(ROWS, (models.gaussian_mlp, models.batchnorm_mlp), strict=True))
        return {
            name: make(
                [2, *(self.width,) * self.layers, 1],
                bias_deviation=self.bias_deviation,
                slope=self.slope,
                generator=torch.Generator().manual_seed(seed),
                dtype=torch.float64,
            )
            for name, make in makers.items()
        }

    def _pictures(self, data: Tensor) -> dict[str, PlanarComplex]:
        modules, domain = self._modules(self.seed), square(self.half)
        return {name: cells_of(fold_batchnorm(module, data), domain) for name, module in modules.items()}

    def _measure(self, seed: int) -> dict[str, Any]:
        """Units whose fold crosses the convex hull of the data, cells there, and squared distances."""
        data = self._data(seed)
        corners = data.numpy()[ConvexHull(data.numpy()).vertices]
        hull = Slice(np.zeros(2), np.eye(2), corners)
        found = {}
        for name, module in self._modules(seed).items():
            cells = cells_of(fold_batchnorm(module, data), hull, "topology")
            inner = cells.edge_op >= 0
            made = np.unique(np.column_stack([cells.edge_op, cells.edge_unit])[inner], axis=0)
            nodes = [node for node, _, _ in cells.pattern_nodes]
            fits = total_least_squares(cells.network, data)[:-1]
            found[name] = {
                "cells_in_hull": int(cells.resolved.sum()),
                "crossing": [int((made[:, 0] == node).sum()) for node in nodes],
                "excess": [fit.excess for fit in fits],
                "both_sides": [int(fit.both_sides.sum()) for fit in fits],
            }
        return found

    def _identities(self, seed: int) -> dict[str, Any]:
        """What the tessellation with batch-norm is equal to, cell by cell."""
        data, domain = self._data(seed), square(self.half)
        modules = self._modules(seed)
        normed = modules["batchnorm"]
        norms = [layer for layer in normed if isinstance(layer, nn.BatchNorm1d)]
        theirs = cells_of(fold_batchnorm(normed, data), domain, "proof")
        found: dict[str, Any] = {
            "data_init": _same(theirs, cells_of(data_init(modules["plain"], data, scaling=True), domain))
        }
        found |= {"certificate": theirs.certificate.level if theirs.certificate is not None else "none"}
        for norm in norms:
            norm.eps = float(torch.finfo(torch.float64).tiny)  # the usual one is no part of the identities
        theirs = cells_of(fold_batchnorm(normed, data), domain)
        units = torch.linspace(0.5, 2.0, self.width, dtype=torch.float64)
        changes = {
            "gamma_of_last_layer": {norms[-1].weight: units},
            "one_gamma_per_layer": {norm.weight: torch.full_like(units, 3.0) for norm in norms},
            "gamma_of_each_unit": {norm.weight: units for norm in norms},
            "beta": {norms[-1].bias: units - 1},
        }
        for name, change in changes.items():
            found[name] = _same(theirs, cells_of(fold_batchnorm(_changed(normed, change), data), domain))
        return found


def _changed(module: nn.Sequential, values: Mapping[nn.Parameter, Tensor]) -> nn.Sequential:
    """A copy of a module with some parameters replaced."""
    memo: dict[int, Any] = {id(parameter): nn.Parameter(value) for parameter, value in values.items()}
    return copy.deepcopy(module, memo)


def _same(one: PlanarComplex, two: PlanarComplex) -> bool:
    """Whether two tessellations have the same cells: as many, with the same patterns in the same places.

    Cells that coordinates don't resolve are left out: folds meet up to rounding at the mean of a layer's inputs.
    """
    seen = one.resolved
    there = two.locate(one.interior_points[seen])
    return bool(seen.sum() == two.resolved.sum() and np.array_equal(one.patterns[seen], two.patterns[there]))


def _by_layer(networks: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the networks."""
    return {
        name: {
            key: np.mean([network[name][key] for network in networks], axis=0)
            for key in ("cells_in_hull", "crossing", "excess", "both_sides")
        }
        for name in ROWS
    }


def _claims(numbers: Mapping[str, Any], units: int) -> tuple[Claim, ...]:
    networks, same, layers = numbers["networks"], numbers["identities"], numbers["layers"]
    crossing = {name: [sum(network[name]["crossing"]) for network in networks] for name in ROWS}
    excess = max(max(network["batchnorm"]["excess"]) for network in networks)
    plain = ", ".join(f"{value:.1f}" for value in layers["plain"]["excess"])
    return (
        Claim.judged(
            "Batch-norm moves the folds of every layer to the data",
            SOURCE,
            theirs="all folds cross the data",
            ours=f"with it {min(crossing['batchnorm'])} of {units} units fold within the convex hull of the data in "
            f"each of {len(networks)} networks; without it {np.mean(crossing['plain']):.1f} on average",
            tolerance="all units with batch-norm, fewer without",
            holds=min(crossing["batchnorm"]) == units > float(np.mean(crossing["plain"])),
        ),
        Claim.judged(
            "Batch-norm puts each hyperplane where the squared distance to the layer's inputs is least",
            THEOREM,
            theirs="total least squares",
            ours=f"largest ratio to the least {excess:.15f}; without batch-norm {plain} in layers 1 to "
            f"{len(layers['plain']['excess'])} on average",
            tolerance="1 + 1e-12",
            holds=excess < 1 + 1e-12,
        ),
        Claim.judged(
            "Gamma moves no fold of its own layer, nor, if all units share it, of deeper layers; beta does",
            THEOREM,
            theirs="the hyperplanes are those of the statistics",
            ours=f"same cells with other gammas in the last layer: {same['gamma_of_last_layer']}; with one gamma in "
            f"each layer: {same['one_gamma_per_layer']}; with another beta: {same['beta']}",
            tolerance="the same patterns in the same places with gammas, not with beta",
            holds=same["gamma_of_last_layer"] and same["one_gamma_per_layer"] and not same["beta"],
        ),
        Claim.told(
            "Gammas that differ from unit to unit move no fold",
            "a reading of the above that goes too far",
            theirs="said of the layer itself",
            ours=f"same cells with such gammas in all layers: {same['gamma_of_each_unit']}: they turn the hyperplanes "
            "of the layers behind",
        ),
        Claim.judged(
            "Biases and scales set from the data give the tessellation of batch-norm without its layers",
            THEOREM,
            theirs="batch-norm acts by its statistics alone",
            ours=f"same cells: {same['data_init']}; certificate {same['certificate']!r}",
            tolerance="the same patterns in the same places",
            holds=same["data_init"] and same["certificate"] == "proof",
        ),
        Claim.told(
            "Number of cells at the data",
            SOURCE,
            theirs="not given, nor are weights, biases and data",
            ours=f"{layers['batchnorm']['cells_in_hull']:.0f} cells within the convex hull with batch-norm, "
            f"{layers['plain']['cells_in_hull']:.0f} without, on average of {len(networks)} networks",
        ),
    )


def _table(numbers: Mapping[str, Any]) -> Table:
    columns = ("network", "layer", "units_that_fold_at_the_data", "squared_distance_over_least")
    rows = [
        (name, layer, float(crossing), float(excess))
        for name in ROWS
        for layer, (crossing, excess) in enumerate(
            zip(numbers["layers"][name]["crossing"], numbers["layers"][name]["excess"], strict=True), 1
        )
    ]
    return Table(columns, tuple(rows))
