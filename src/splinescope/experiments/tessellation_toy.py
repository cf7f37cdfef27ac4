"""The tessellation of a toy network of two inputs, layer by layer, and the graph of its output above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from splinescope import models
from splinescope.experiments import toy_figures
from splinescope.experiments.base import Claim, Config, Findings, Table
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of, square
from splinescope.tessellation.folds import dihedral_angles, folds
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.regions import interior_edges, linear_regions

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 3"


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer.
        layers: Number of hidden layers.
        bias_deviation: Standard deviation of the biases; weights are He-normal.
        half: Half the side of the square that is looked at.
    """

    width: int
    layers: int
    bias_deviation: float
    half: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Three layers of six units."""
        return cls(seed=seed, width=6, layers=3, bias_deviation=0.5, half=1.0)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's toy network: four layers of width 20."""
        return cls(seed=seed, width=20, layers=4, bias_deviation=0.5, half=1.0)

    def run(self, parts: Parts) -> Findings:
        """Tessellate after each layer; see `Config.run`."""
        module = models.gaussian_mlp(
            [2, *(self.width,) * self.layers, 1],
            bias_deviation=self.bias_deviation,
            generator=torch.Generator().manual_seed(self.seed),
            dtype=torch.float64,
        )
        domain = square(self.half)
        after = [cells_of(module[: 1 + 2 * layer], domain, "proof") for layer in range(1, self.layers + 1)]
        whole = cells_of(module, domain, "proof")
        numbers = parts.each({"numbers": partial(_measure, after, whole)}, "network")["numbers"]
        figures = {"tessellation": partial(toy_figures.draw_toy, after, whole)}
        return Findings(numbers, _claims(numbers), figures, {"layers": _table(numbers)})


def _measure(after: list[PlanarComplex], whole: PlanarComplex) -> dict[str, Any]:
    """Cells after each layer, folds of each layer, and how continuous the whole is."""
    found = folds(whole)
    bends = dihedral_angles(whole)
    nodes = [node for node, _, _ in whole.pattern_nodes]
    values = np.abs(whole.vertex_outputs).max()
    return {
        "cells": [len(cells) for cells in after],
        "cells_refined": [_refines(after[k], after[k + 1]) for k in range(len(after) - 1)],
        "cells_of_network": len(whole),
        "linear_regions": linear_regions(whole).count,
        "edges_of_layer": np.bincount(found.layers, minlength=len(nodes)),
        "turning_points_of_layer": [int(np.count_nonzero(bends.angles[bends.ops == node] > 1e-9)) for node in nodes],
        "largest_jump": _largest_jump(whole) / float(values),
        "certificate": whole.certificate.level if whole.certificate is not None else "none",
        "mean_neighbours": float(whole.adjacency.nnz / len(whole)),
    }


def _refines(coarse: PlanarComplex, fine: PlanarComplex) -> bool:
    """Whether each fine cell has one coarse pattern: that of the coarse cell its interior point is in."""
    columns = coarse.patterns.shape[1]
    return bool(np.array_equal(fine.patterns[:, :columns], coarse.patterns[coarse.locate(fine.interior_points)]))


def _largest_jump(cells: PlanarComplex) -> float:
    """Largest difference of the affine maps of two neighbours at the ends of their common edge."""
    maps = cells.affine_maps()
    inner = interior_edges(cells.edge_cells)
    ends = cells.vertices[cells.edges[inner]]
    left, right = (
        np.einsum("eoi,eki->eko", maps.A[side], ends) + maps.c[side][:, None] for side in cells.edge_cells[inner].T
    )
    return float(np.abs(left - right).max(initial=0.0))


def _claims(numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    cells, turns = numbers["cells"], numbers["turning_points_of_layer"]
    return (
        Claim.judged(
            "Each layer subdivides the cells of the layers before it",
            SOURCE,
            theirs="successive subdivision",
            ours=f"{', '.join(f'{count:,}' for count in cells)} cells after layers 1 to {len(cells)}",
            tolerance="every cell lies in one cell of the layer before, and their number grows",
            holds=all(numbers["cells_refined"]) and all(np.diff(cells) > 0),
        ),
        Claim.judged(
            "Hyperplanes of the first layer are straight, those of deeper layers are folded",
            SOURCE,
            theirs="straight, then folded",
            ours=f"{', '.join(map(str, turns))} turning points of layers 1 to {len(turns)}",
            tolerance="none in layer 1, some in each later layer",
            holds=turns[0] == 0 and min(turns[1:]) > 0,
        ),
        Claim.judged(
            "The network is affine on each cell and continuous across their borders",
            SOURCE,
            theirs="a continuous piecewise affine map",
            ours=f"largest jump at an edge {numbers['largest_jump']:.1e} of the largest value; "
            f"certificate {numbers['certificate']!r}",
            tolerance="1e-12",
            holds=numbers["largest_jump"] < 1e-12 and numbers["certificate"] == "proof",
        ),
        Claim.told(
            "Number of cells of the toy network",
            SOURCE,
            theirs="not given, nor are weights and window",
            ours=f"{numbers['cells_of_network']:,} cells, {numbers['linear_regions']:,} linear regions",
        ),
    )


def _table(numbers: Mapping[str, Any]) -> Table:
    columns = ("layer", "cells_after_it", "edges_of_it", "turning_points_of_it")
    parts = zip(numbers["cells"], numbers["edges_of_layer"], numbers["turning_points_of_layer"], strict=True)
    return Table(columns, tuple((layer, *row) for layer, row in enumerate(parts, 1)))
