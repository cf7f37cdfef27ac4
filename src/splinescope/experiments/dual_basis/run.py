"""Measures of `dual-basis`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from splinescope.experiments.dual_basis.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.preimage import Circulant, dual_basis, layer_preimage

PLANES = (((1.0, -0.3, 0.25), (0.15, 1.0, -0.4), (-0.45, 0.2, 1.0)), (0.15, -0.25, 0.1))
"""The three planes in general position of the figure; the source does not give its own."""

CONE = ((1.0, -0.15, -0.05), -0.3)
"""Kernel and bias of its circulant cone."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Random layers of each size, circulant layers, singular ones, and a large one."""
    tasks = {f"layers-{size}": partial(_layers, settings, size) for size in settings.sizes}
    others: dict[str, Callable[[], Mapping[str, Any]]] = {
        "circulant": partial(_circulants, settings),
        "singular": _singular,
        "fourier": partial(_fourier, settings),
        "angles": _angles,
    }
    found = parts.each({**tasks, **others}, "measure")
    measured = {name: found[name] for name in others}
    return {"layers": [found[name] for name in tasks], **measured, "planes": PLANES, "cone": CONE}


def _layers(settings: Settings, size: int) -> dict[str, Any]:
    """Preimages of random layers: where their points go, and whether inputs are in the preimages of their outputs."""
    rng = np.random.default_rng((settings.seed, size))
    mapped = missed = duality = 0.0
    dimensions, polyhedra = [], []
    for _ in range(settings.layers):
        W, b = rng.standard_normal((size, size)) / math.sqrt(size), rng.standard_normal(size)
        basis = dual_basis(W, b)
        x = rng.standard_normal(size)
        before = W @ x + b
        y = np.maximum(before, 0.0)
        fan = basis.preimage(y)
        scale = np.abs(basis.rays).max() * np.abs(W).max()
        points = fan.sample(settings.samples, rng)
        mapped = max(mapped, float(np.abs(np.maximum(points @ W.T + b, 0.0) - y).max()) / scale)
        missed = max(missed, float(np.abs(fan.point - before[fan.zeros] @ fan.rays - x).max()) / scale)
        duality = max(duality, float(np.abs(W @ basis.rays.T + np.eye(size)).max()) / scale)
        dimensions.append(fan.dimension == int((y == 0).sum()) == np.linalg.matrix_rank(fan.rays.reshape(-1, size)))
        by_rows = layer_preimage(W, b, y, clipped=False)
        polyhedra.append(by_rows is not None and by_rows.dimension == fan.dimension)
    return {
        "size": size,
        "preimages": settings.layers,
        "mapped_error": mapped,
        "missed_error": missed,
        "duality_error": duality,
        "dimensions_right": int(sum(dimensions)),
        "polyhedra_agree": int(sum(polyhedra)),
    }


def _circulants(settings: Settings) -> dict[str, Any]:
    """Angles and apex of circulant cones beside those of their planes and rays one by one."""
    rng = np.random.default_rng((settings.seed, 0))
    plane = ray = apex = shift = 0.0
    for size in settings.sizes:
        for _ in range(settings.layers):
            layer = Circulant(rng.standard_normal(size) + np.eye(size)[0] * size, float(rng.standard_normal()))
            basis = dual_basis(layer.matrix, layer.bias)
            line = np.full(size, 1 / math.sqrt(size))
            rows = layer.matrix @ line / np.linalg.norm(layer.matrix, axis=1)
            rays = basis.rays @ line / np.linalg.norm(basis.rays, axis=1)
            plane = max(plane, float(np.abs(np.arcsin(np.abs(rows)) - layer.plane_angle).max()))
            ray = max(ray, float(np.abs(np.arccos(np.abs(rays)) - layer.ray_angle).max()))
            apex = max(apex, float(np.abs(basis.apex - layer.apex).max() / (1 + np.abs(layer.apex).max())))
            x = rng.standard_normal(size)
            shift = max(shift, float(np.abs(layer(np.roll(x, 1)) - np.roll(layer(x), 1)).max() / size))
    return {
        "layers": settings.layers * len(settings.sizes),
        "plane_angle_error": plane,
        "ray_angle_error": ray,
        "apex_error": apex,
        "shift_error": shift,
    }


def _singular() -> dict[str, Any]:
    """Kernels whose transform has zeros."""
    kernels = ((1.0, 2.0, 1.0, 0.0), (1.0, 1.0, 1.0, 0.0, 0.0, 0.0), (1.0, -1.0, 0.0))
    rows = []
    for kernel in kernels:
        layer = Circulant(np.array(kernel), 0.0)
        null = layer.lineality()
        rows.append(
            {
                "kernel": kernel,
                "rank": layer.rank,
                "rank_of_matrix": int(np.linalg.matrix_rank(layer.matrix)),
                "lineality_error": float(np.abs(layer.matrix @ null.T).max(initial=0.0)),
                "least_singular_value": float(layer.singular_values.min()),
            }
        )
    return {"kernels": rows}


def _fourier(settings: Settings) -> dict[str, Any]:
    """A large circulant layer by Fourier transforms and by a dense solution."""
    rng = np.random.default_rng((settings.seed, 1))
    size = settings.largest
    layer = Circulant.of([1.0, -0.2, -0.1, -0.05], size, -0.1)
    y = np.maximum(layer(rng.standard_normal(size)), 0.0)
    started = time.perf_counter()
    quick = layer.preimage(y)
    rays = quick.rays
    middle = time.perf_counter()
    slow = dual_basis(layer.matrix, layer.bias).preimage(y)
    ended = time.perf_counter()
    return {
        "size": size,
        "dimension": quick.dimension,
        "point_difference": float(np.abs(quick.point - slow.point).max()),
        "ray_difference": float(np.abs(rays - slow.rays).max(initial=0.0)),
        "seconds": middle - started,
        "dense_seconds": ended - middle,
    }


def _angles() -> dict[str, Any]:
    """Angles of cones in space along the kernel (1, q, q), of which (1, 0, 0) is the coordinate cone."""
    values = np.linspace(-0.45, 0.45, 61)
    cones = [Circulant(np.array([1.0, q, q]), 0.0) for q in values]
    return {
        "entry": values,
        "plane": [math.degrees(cone.plane_angle) for cone in cones],
        "ray": [math.degrees(cone.ray_angle) for cone in cones],
    }
