"""Measures of `self-similar`: pieces and errors of functions of one variable, cells of folding networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope import models
from splinescope.complexity.theory import bounds
from splinescope.experiments.self_similar.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of
from splinescope.network import from_torch
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Box, Segment, Slice
from splinescope.tessellation.engine import tessellate
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.region_graph import RegionGraph
from splinescope.tessellation.regions import linear_regions

FUNCTIONS: Mapping[str, Callable[[int], nn.Sequential]] = {
    "hat": models.hat,
    "square": models.square,
    "takagi": models.takagi,
}
"""Networks of one input by the number of their hidden layers."""

FOLDINGS = {
    "montufar": (models.montufar_network, bounds.montufar_2014_lower),
    "serra": (models.serra_network, bounds.serra_2018_lower),
}
"""Networks of several inputs by their hidden widths, and the lower bound that each should attain."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Build and count; the part `curves` has breakpoints, and `picture-montufar`, ... are folding networks."""
    tasks = {f"{name}-{depth}": partial(_measure, name, depth) for name in FUNCTIONS for depth in settings.depths}
    found = parts.each(tasks, "function")
    tasks = {
        f"folds-{inputs}-in-{'-'.join(map(str, widths))}": partial(_count_folds, settings, inputs, widths)
        for inputs, widths in settings.folded
    }
    folds = list(parts.each(tasks, "network").values())
    drawn = dict.fromkeys((*settings.shown, settings.depths[-1]))
    parts.arrays("curves", lambda: {f"{name}-{m}": _breakpoints(name, m) for name in FUNCTIONS for m in drawn})
    for name, module in _pictured(settings).items():
        parts.cells(f"picture-{name}", PlanarComplex, partial(cells_of, module, Slice.box([0, 0], [1, 1])))
    functions = {name: [found[f"{name}-{depth}"] for depth in settings.depths] for name in FUNCTIONS}
    return {"functions": functions, "folds": folds}


def _breakpoints(name: str, depth: int) -> np.ndarray:
    """[V, 2] breakpoints of a function on [0, 1] and its values there, in order."""
    network = from_torch(FUNCTIONS[name](depth), input_shape=(1,))
    cells = tessellate(network, Segment([0.0], [1.0]), verify="proof")
    points = np.column_stack([cells.vertices[:, 0], cells.vertex_outputs[:, 0]])
    return points[np.argsort(points[:, 0])]


def _measure(name: str, depth: int) -> dict[str, Any]:
    """Cells, affine pieces and errors of one function."""
    points = _breakpoints(name, depth)
    slopes = np.diff(points[:, 1]) / np.diff(points[:, 0])
    # On a piece f(x) - x^2 is largest where its slope s is 2 x, and least at the ends.
    middles = np.clip(slopes / 2, points[:-1, 0], points[1:, 0])
    values = points[:-1, 1] + slopes * (middles - points[:-1, 0])
    widths = [layer.out_features for layer in FUNCTIONS[name](depth) if isinstance(layer, nn.Linear)]
    return {
        "layers": depth,
        "widths": widths[:-1],
        "cells": len(slopes),
        "pieces": 1 + int(np.count_nonzero(np.diff(slopes))),
        "maximum": float(points[:, 1].max()),
        "square_error": float(np.abs(values - middles**2).max()),
        "square_error_at_breakpoints": float(np.abs(points[:, 1] - points[:, 0] ** 2).max()),
    }


def _count_folds(settings: Settings, inputs: int, widths: tuple[int, ...]) -> dict[str, Any]:
    """Cells of the folding networks and of random ones, in the unit cube."""
    counts: dict[str, Any] = {"inputs": inputs, "widths": widths, "upper": bounds.serra_2018_upper(inputs, widths)}
    for name, (build, bound) in FOLDINGS.items():
        cells = _in_unit_cube(build(inputs, widths), inputs)
        counts[name] = {"cells": len(cells), "bound": bound(inputs, widths)}
        if isinstance(cells, PlanarComplex):
            counts[name]["linear_regions"] = linear_regions(cells).count
    others = (_random(settings, inputs, widths, number) for number in range(settings.random))
    counts["random"] = [len(_in_unit_cube(module, inputs)) for module in others]
    return counts


def _random(settings: Settings, inputs: int, widths: tuple[int, ...], number: int) -> nn.Sequential:
    """A random network whose folds mostly cross the unit cube: the cube [-2, 2]^d moved onto it."""
    generator = torch.Generator().manual_seed(1000 * settings.seed + number)
    module = models.gaussian_mlp([inputs, *widths, 1], generator=generator, dtype=torch.float64)
    first = next(layer for layer in module if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.weight.mul_(4)
        first.bias.sub_(first.weight.sum(dim=1) / 2)
    return module


def _in_unit_cube(module: nn.Module, inputs: int) -> PolyhedralComplex | RegionGraph:
    return tessellate(from_torch(module, input_shape=(inputs,)), Box([0.0] * inputs, [1.0] * inputs), verify="proof")


def _pictured(settings: Settings) -> dict[str, nn.Module]:
    """Three networks of the same widths: two that fold, one at random."""
    widths = settings.pictured
    return {
        "montufar": models.montufar_network(2, widths),
        "serra": models.serra_network(2, widths),
        "random": _random(settings, 2, widths, 0),
    }
