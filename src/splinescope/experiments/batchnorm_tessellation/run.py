"""Measures of `batchnorm-tessellation`: folds at the data, and what batch-norm is equal to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments.batchnorm_tessellation.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.initialization import data_init, fold_batchnorm, total_least_squares
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex

ROWS = ("plain", "batchnorm")


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Count over many networks; the parts `picture-plain`, `picture-batchnorm` and `data` show the first."""
    tasks = {
        f"network-{number}": partial(_measure, settings, settings.seed + number) for number in range(settings.networks)
    }
    networks = list(parts.each(tasks, "network").values())
    same = parts.each({"identities": partial(_identities, settings, settings.seed)}, "check")["identities"]
    data = _data(settings, settings.seed)
    parts.arrays("data", lambda: {"points": data.numpy()})
    for name, module in _modules(settings, settings.seed).items():
        cells = partial(cells_of, fold_batchnorm(module, data), square(settings.half))
        parts.cells(f"picture-{name}", PlanarComplex, cells)
    return {"networks": networks, "identities": same, "layers": _by_layer(networks)}


def _data(settings: Settings, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return datasets.two_moons(settings.points, generator=generator).inputs.double()


def _modules(settings: Settings, seed: int) -> dict[str, nn.Sequential]:
    """Networks of the same weights and biases, without and with batch-norm."""
    makers = dict(zip(ROWS, (models.gaussian_mlp, models.batchnorm_mlp), strict=True))
    return {
        name: make(
            [2, *(settings.width,) * settings.layers, 1],
            bias_deviation=settings.bias_deviation,
            slope=settings.slope,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        for name, make in makers.items()
    }


def _measure(settings: Settings, seed: int) -> dict[str, Any]:
    """Units whose fold crosses the convex hull of the data, cells there, and squared distances."""
    data = _data(settings, seed)
    corners = data.numpy()[ConvexHull(data.numpy()).vertices]
    hull = Slice(np.zeros(2), np.eye(2), corners)
    found = {}
    for name, module in _modules(settings, seed).items():
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


def _identities(settings: Settings, seed: int) -> dict[str, Any]:
    """What the tessellation with batch-norm is equal to, cell by cell."""
    data, domain = _data(settings, seed), square(settings.half)
    modules = _modules(settings, seed)
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
    units = torch.linspace(0.5, 2.0, settings.width, dtype=torch.float64)
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
