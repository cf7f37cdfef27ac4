"""Measures of `tessellation-toy`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope import models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.experiments.tessellation_toy.settings import Settings
from splinescope.tessellation.folds import dihedral_angles, folds
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.regions import interior_edges, linear_regions


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Tessellate after each layer; the cells are the parts `after-1`, `after-2`, ... and `whole`."""
    module = models.gaussian_mlp(
        [2, *(settings.width,) * settings.layers, 1],
        bias_deviation=settings.bias_deviation,
        generator=torch.Generator().manual_seed(settings.seed),
        dtype=torch.float64,
    )

    def cells(name: str, layers: nn.Module) -> PlanarComplex:
        return parts.cells(name, PlanarComplex, partial(cells_of, layers, square(settings.half), "proof"))

    after = [cells(f"after-{layer}", module[: 1 + 2 * layer]) for layer in range(1, settings.layers + 1)]
    return dict(parts.each({"numbers": partial(_measure, after, cells("whole", module))}, "network")["numbers"])


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
