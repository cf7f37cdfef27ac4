"""Measures of `contraction-flow`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from splinescope.experiments.contraction_flow.settings import Settings
from splinescope.experiments.shared.chains import Layers, chain, circulant_layers, last_apex
from splinescope.experiments.shared.parts import Parts
from splinescope.network import from_torch
from splinescope.preimage import contraction, flow, nested_cells, nesting
from splinescope.tessellation import tessellate
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Box, Slice
from splinescope.tessellation.planar.complex import PlanarComplex

CHAINS = ("identity", "nested", "arbitrary")


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Three chains of two units, whose cells are the parts `cells-NAME`, and random chains of several sizes."""
    pictures = {}
    for name in CHAINS:
        layers = layers_of(settings, name)
        cells = parts.cells(f"cells-{name}", PlanarComplex, partial(_cells, layers, settings.side))
        pictures[name] = partial(_measure, settings, layers, cells)
        parts.arrays(f"flow-{name}", partial(_flow, settings, layers))
    sizes = list(zip(settings.dimensions, settings.depths, strict=True))
    random = {f"random-{d}-{depth}": partial(_random, settings, d, depth) for d, depth in sizes}
    found = parts.each({**pictures, **random}, "chain")
    return {"chains": {name: found[name] for name in CHAINS}, "random": [found[name] for name in random]}


def layers_of(settings: Settings, name: str) -> Layers:
    """The layers of one of the three chains.

    Args:
        settings: The settings.
        name: "identity", "nested" or "arbitrary".
    """
    rng = np.random.default_rng(settings.seed)
    if name == "identity":
        return circulant_layers([(1.0, 0.0)] * settings.layers, [settings.bias] * settings.layers)
    count = settings.deeper
    diagonal = rng.uniform(0.85, 1.15, count)
    off = -rng.uniform(0.05, 0.3, count) if name == "nested" else rng.uniform(-0.35, 0.25, count)
    return circulant_layers(np.column_stack([diagonal, off]).tolist(), rng.uniform(-0.35, -0.1, count).tolist())


def _cells(layers: Layers, side: float) -> PlanarComplex:
    found = tessellate(chain(layers), Slice.box([0.0, 0.0], [side, side]), verify="proof")
    assert isinstance(found, PlanarComplex)
    return found


def _flow(settings: Settings, layers: Layers) -> dict[str, np.ndarray]:
    """The ways of a grid of points, and the layers."""
    along = (np.arange(settings.grid) + 0.5) * settings.side / settings.grid
    points = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    return {
        "positions": flow(layers, points),
        "W": np.stack([W for W, _ in layers]),
        "b": np.stack([b for _, b in layers]),
    }


def _measure(settings: Settings, layers: Layers, cells: PlanarComplex) -> dict[str, Any]:
    """Shares of the square on each face, exactly and by a fine grid of points; what of it holds of nested layers."""
    found = contraction(cells)
    along = (np.arange(400) + 0.5) * settings.side / 400
    ends = flow(layers, np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2))[-1] > 0
    names = {(): "origin", (0,): "axis-1", (1,): "axis-2", (0, 1): "inside"}
    exact = found.shares()
    counted = {face: float((ends == [0 in face, 1 in face]).all(axis=1).mean()) for face in names}
    return {
        "layers": len(layers),
        "cells": len(cells),
        "nested_layers": [nesting(W, b).complete for W, b in layers],
        "monotone": found.monotone(),
        "shares": {name: exact.get(face, 0.0) for face, name in names.items()},
        "counted": {name: counted[face] for face, name in names.items()},
        "dimension_exceeded": _exceeded(cells),
        "certificate": cells.certificate.level if cells.certificate is not None else "none",
    }


def _random(settings: Settings, d: int, depth: int) -> dict[str, Any]:
    """Cells of random chains in a cube that no fold is beyond: nested ones, and others with as large entries."""
    rng = np.random.default_rng((settings.seed, d, depth))
    nested: list[int] = []
    others: list[int] = []
    monotone: list[bool] = []
    kept: list[bool] = []
    exceeded = 0
    for _ in range(settings.chains):
        layers = [_nested_layer(rng, d) for _ in range(depth)]
        signs = [np.where(rng.random((d, d)) < 0.5, -1.0, 1.0) for _ in range(depth)]
        turned = [(np.where(np.eye(d) > 0, W, sign * W), b) for (W, b), sign in zip(layers, signs, strict=True)]
        side = 2.0 * float(last_apex(layers).max())
        for chosen, counts, stays in ((layers, nested, monotone), (turned, others, kept)):
            cells = tessellate(from_torch(chain(chosen), input_shape=(d,)), Box([0.0] * d, [side] * d), verify="values")
            counts.append(len(cells))
            stays.append(contraction(cells).monotone())
            exceeded += _exceeded(cells) if chosen is layers else 0
    return {
        "dimension": d,
        "layers": depth,
        "theorem": nested_cells(d, depth),
        "nested": nested,
        "others": others,
        "nested_monotone": sum(monotone),
        "others_monotone": sum(kept),
        "dimension_exceeded": exceeded,
    }


def _nested_layer(rng: np.random.Generator, d: int) -> tuple[np.ndarray, np.ndarray]:
    """A diagonally dominant matrix without a positive entry off the diagonal, and negative biases."""
    off = -rng.uniform(0.0, 0.6 / max(1, d - 1), (d, d))
    np.fill_diagonal(off, rng.uniform(0.8, 1.2, d))
    return off, rng.uniform(-0.5, -0.2, d)


def _exceeded(cells: PolyhedralComplex) -> int:
    """Cells whose image has more dimensions than units that are not zero."""
    ranks = np.linalg.matrix_rank(cells.affine_maps("domain").A, tol=1e-9)
    return int((ranks > contraction(cells).dimensions[-1]).sum())
