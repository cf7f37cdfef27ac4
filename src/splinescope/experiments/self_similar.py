"""Self-similar functions as networks: pieces counted exactly, errors, and folds that attain lower bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope import models
from splinescope.complexity.theory import bounds
from splinescope.experiments import self_similar_figures
from splinescope.experiments.base import Claim, Config, Findings, Table
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of
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


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        depths: Numbers of hidden layers of the functions of one variable.
        shown: Depths at which they are drawn.
        folded: Number of inputs and hidden widths of the folding networks.
        pictured: Hidden widths of those of two inputs that are drawn.
        random: Random networks of the same sizes, counted in the same cube.
    """

    depths: tuple[int, ...]
    shown: tuple[int, ...]
    folded: tuple[tuple[int, tuple[int, ...]], ...]
    pictured: tuple[int, ...]
    random: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Up to 64 pieces, up to 8,320 cells."""
        return cls(
            seed=seed,
            depths=(1, 2, 3, 4, 5, 6),
            shown=(1, 2, 3),
            folded=((1, (3, 4)), (2, (6, 6)), (2, (7, 8)), (2, (6, 6, 6)), (3, (9, 9))),
            pictured=(6, 6),
            random=2,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Up to 4,096 pieces, up to 1.4 million cells."""
        return cls(
            seed=seed,
            depths=tuple(range(1, 13)),
            shown=(1, 2, 3, 4),
            folded=(
                *((1, (3,) * depth) for depth in (2, 4, 6)),
                *((2, (width, width)) for width in (6, 8, 12, 16)),
                *((2, (width,) * 3) for width in (6, 8, 10)),
                (2, (6,) * 4),
                (2, (6,) * 5),
                (3, (9, 9)),
                (3, (12, 12)),
                (4, (12, 12)),
            ),
            pictured=(6, 6),
            random=10,
        )

    def run(self, parts: Parts) -> Findings:
        """Build, count, compare; see `Config.run`."""
        tasks = {f"{name}-{depth}": partial(_measure, name, depth) for name in FUNCTIONS for depth in self.depths}
        found = parts.each(tasks, "function")
        functions = {name: [found[f"{name}-{depth}"] for depth in self.depths] for name in FUNCTIONS}
        tasks = {
            f"folds-{inputs}-in-{'-'.join(map(str, widths))}": partial(_count_folds, self, inputs, widths)
            for inputs, widths in self.folded
        }
        folds = list(parts.each(tasks, "network").values())
        numbers = {"depths": self.depths, "functions": functions, "folds": folds}
        curves = {name: [_breakpoints(name, depth) for depth in (*self.shown, self.depths[-1])] for name in FUNCTIONS}
        figures = {
            "functions": partial(self_similar_figures.draw_functions, self, numbers, curves),
            "folding": partial(self_similar_figures.draw_folding, _pictures(self)),
        }
        return Findings(numbers, _claims(numbers), figures, {"folds": _table(folds)})


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


def _pictures(settings: Settings) -> dict[str, PlanarComplex]:
    widths, square = settings.pictured, Slice.box([0, 0], [1, 1])
    return {
        "montufar": cells_of(models.montufar_network(2, widths), square),
        "serra": cells_of(models.serra_network(2, widths), square),
        "random": cells_of(_random(settings, 2, widths, 0), square),
    }


def _claims(numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    folds = numbers["folds"]
    return (
        *_pieces(numbers["functions"], numbers["depths"]),
        *_values(numbers["functions"], numbers["depths"]),
        _attained("montufar", "Montufar et al. 2014", folds),
        _attained("serra", "Serra et al. 2018", folds),
    )


def _pieces(functions: Mapping[str, Any], depths: Sequence[int]) -> tuple[Claim, ...]:
    """Claims about numbers of pieces, and of units."""
    pieces, expected = [part["pieces"] for part in functions["hat"]], [2**depth for depth in depths]
    most = bounds.telgarsky_upper(functions["hat"][-1]["widths"])
    everything = [part for parts in functions.values() for part in parts]
    widths = {max(part["widths"]) for part in functions["takagi"]}
    return (
        Claim.judged(
            "The hat composed s times has 2^s affine pieces, from two units per layer",
            "Telgarsky 2016",
            theirs=_few(expected),
            ours=_few(pieces),
            tolerance="equal at every depth",
            holds=pieces == expected,
        ),
        Claim.judged(
            "No network of width m and depth L has more than (2 m)^L pieces on a line",
            "Telgarsky 2016",
            theirs=f"at most {most:,} at depth {depths[-1]}, width 2",
            ours=f"{max(part['cells'] for part in functions['hat']):,}",
            tolerance="none exceeds it",
            holds=all(part["cells"] <= bounds.telgarsky_upper(part["widths"]) for part in everything),
        ),
        Claim.judged(
            "Sums of compositions of one function need a width that does not grow",
            "Daubechies et al. 2022",
            theirs="bounded width, depth m",
            ours=f"width {max(widths)} at every depth",
            tolerance="the same width at every depth",
            holds=len(widths) == 1,
        ),
    )


def _values(functions: Mapping[str, Any], depths: Sequence[int]) -> tuple[Claim, ...]:
    """Claims about errors and maxima."""
    errors, laws = [part["square_error"] for part in functions["square"]], [2.0 ** (-2 * (m + 1)) for m in depths]
    at_breakpoints = max(part["square_error_at_breakpoints"] for part in functions["square"])
    heights = [part["maximum"] for part in functions["takagi"]]
    return (
        Claim.judged(
            "x - sum of m hats / 4^s differs from x^2 by at most 2^(-2 (m + 1)), and reaches it",
            "Yarotsky 2017",
            theirs=_few(laws),
            ours=f"{_few(errors)}; at breakpoints {at_breakpoints:g}",
            tolerance="relative error 1e-12",
            holds=bool(np.allclose(errors, laws, rtol=1e-12, atol=0)),
        ),
        Claim.judged(
            "The maximum of Takagi's function is 2/3; its partial sums reach 2/3 (1 - 4^(-ceil(m/2)))",
            "Kahane 1959, for the limit",
            theirs=_few([2 / 3 * (1 - 4.0 ** -((m + 1) // 2)) for m in depths]),
            ours=_few(heights),
            tolerance="relative error 1e-12",
            holds=bool(np.allclose(heights, [2 / 3 * (1 - 4.0 ** -((m + 1) // 2)) for m in depths], rtol=1e-12)),
        ),
    )


def _attained(name: str, source: str, folds: Sequence[Mapping[str, Any]]) -> Claim:
    inputs = sorted({part["inputs"] for part in folds})
    regions = [part[name] for part in folds if "linear_regions" in part[name]]
    return Claim.judged(
        f"Some network has as many regions as the lower bound says ({inputs[0]} to {inputs[-1]} inputs)",
        source,
        theirs=_few([part[name]["bound"] for part in folds]),
        ours=_few([part[name]["cells"] for part in folds])
        + f" cells of the network built for it; {max(part[name]['cells'] for part in folds):,} at most",
        tolerance="equal for all widths; for two inputs linear regions, too",
        holds=all(part[name]["cells"] == part[name]["bound"] for part in folds)
        and all(part["linear_regions"] == part["cells"] for part in regions),
    )


def _few(values: list[Any]) -> str:
    """The first two and the last two numbers."""
    words = [f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in values]
    return ", ".join(words if len(words) <= 5 else [*words[:2], "...", *words[-2:]])


def _table(folds: list[dict[str, Any]]) -> Table:
    columns = (
        "inputs widths montufar_bound montufar_cells serra_bound serra_cells random_mean random_most serra_upper_bound"
    )
    rows = tuple(
        (
            part["inputs"],
            "-".join(map(str, part["widths"])),
            part["montufar"]["bound"],
            part["montufar"]["cells"],
            part["serra"]["bound"],
            part["serra"]["cells"],
            float(np.mean(part["random"])),
            max(part["random"]),
            part["upper"],
        )
        for part in folds
    )
    return Table(tuple(columns.split()), rows)
