"""Measures of `nested-cones`."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from splinescope.experiments.nested_cones.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.preimage import Circulant, layer_preimage, nesting

KERNELS = {"identity": (1.0, 0.0, 0.0), "narrow": (1.0, -0.25, -0.1), "wide": (1.0, 0.35, 0.15)}
"""Kernels of the three cones in space."""

ENTRIES = (-0.2, 0.0, 0.2, 0.4)
"""Entries off the diagonal of layers of two units."""

DEGREES = (2, 3, 5)
"""Units of layers whose degree of nesting is plotted."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """The theorem by the definition, the lengths of preimages along an axis, degrees of nesting, and contraction."""
    theorem = {f"theorem-{size}": partial(_theorem, settings, size) for size in settings.sizes}
    others = {
        "axis": partial(_axis, settings),
        "degrees": partial(_degrees, settings),
        "faces": partial(_faces, settings),
    }
    found = parts.each({**theorem, **others}, "measure")
    return {"theorem": [found[name] for name in theorem], **{name: found[name] for name in others}}


def _theorem(settings: Settings, size: int) -> dict[str, Any]:
    """Random layers by the criterion, and by the definition: do preimages of a face meet that face of the orthant?"""
    rng = np.random.default_rng((settings.seed, size))
    counts = {"nested_both": 0, "neither": 0, "refuted_nested": 0, "unrefuted_other": 0}
    for number in range(settings.matrices):
        W, b = _layer(rng, size, number)
        by_theorem, met = nesting(W, b).complete, _meets(W, b, settings.outputs, rng)
        name = {(True, True): "nested_both", (False, False): "neither", (True, False): "refuted_nested"}
        counts[name.get((by_theorem, met), "unrefuted_other")] += 1
    return {"size": size, "matrices": settings.matrices, **counts}


def _layer(rng: np.random.Generator, size: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Layers near the criterion's border, on both sides: one in four breaks a sign, another one in four a bias."""
    W = -rng.uniform(0.05, 1.6 / size, (size, size))
    np.fill_diagonal(W, 1.0)
    b = -rng.uniform(0.05, 1.0, size)
    if number % 4 == 1:
        i, j = rng.permutation(size)[:2]
        W[i, j] = rng.uniform(0.02, 0.5)
    if number % 4 == 2:
        b[rng.integers(size)] = rng.uniform(0.02, 0.5)
    return W, b


def _meets(W: np.ndarray, b: np.ndarray, outputs: int, rng: np.random.Generator) -> bool:
    """Whether the preimage of every output tried, on all faces, meets the orthant's face of its zeros."""
    size = len(W)
    for chosen in itertools.chain.from_iterable(itertools.combinations(range(size), k) for k in range(size + 1)):
        zeros = list(chosen)
        for _ in range(outputs):
            y = 10.0 ** rng.uniform(-3, 3, size)
            y[zeros] = 0.0
            found = layer_preimage(W, b, y)
            if found is not None and zeros:
                found = found.cut(np.empty((0, size + 1)), np.eye(size, size + 1)[zeros])
            if found is None:
                return False
    return True


def _axis(settings: Settings) -> dict[str, Any]:
    """Two units: how long the preimage of (t, 0) is in the quadrant, and where it no longer reaches the axis."""
    t = np.linspace(0.02, 3.0, 50)
    rows = []
    for q in ENTRIES:
        W, b = np.array([[1.0, q], [q, 1.0]]), np.full(2, settings.bias)
        found = [layer_preimage(W, b, [value, 0.0]) for value in t]
        lengths = [0.0 if shape is None or shape.dimension == 0 else shape.measure for shape in found]
        reached = [shape is not None and shape.cut(np.empty((0, 3)), [[0.0, 1.0, 0.0]]) is not None for shape in found]
        expected = t - settings.bias <= (-settings.bias / q if q > 0 else np.inf)
        rows.append(
            {
                "entry": q,
                "crossing": float(nesting(W, b).crossings[1, 0]),
                "lengths": lengths,
                "reached": reached,
                "differences": int((np.array(reached) != expected).sum()),
            }
        )
    return {"outputs": t, "entries": rows}


def _degrees(settings: Settings) -> dict[str, Any]:
    """Degree of nesting along the entry off the diagonal, all being equal."""
    values = np.linspace(-0.6, 0.6, settings.steps)
    degrees = {}
    for size in DEGREES:
        layers = [np.full((size, size), q) + (1 - q) * np.eye(size) for q in values]
        degrees[str(size)] = [nesting(W, settings.bias).degree for W in layers]
    return {"entry": values, "degrees": degrees}


def _faces(settings: Settings) -> dict[str, Any]:
    """Preimages of outputs on the faces, in space: their dimensions, and whether they reach the orthant's face."""
    grid = np.linspace(0.25, 2.5, 8)
    found: dict[str, Any] = {}
    for name, kernel in KERNELS.items():
        layer = Circulant(np.array(kernel), settings.bias)
        row: dict[str, Any] = {"kernel": kernel, "complete": nesting(layer.matrix, settings.bias).complete}
        for zeros, outputs in ((1, [(s, t, 0.0) for s in grid for t in grid]), (2, [(t, 0.0, 0.0) for t in grid])):
            shapes = [layer_preimage(layer.matrix, settings.bias, y) for y in outputs]
            planes = np.eye(3, 4)[3 - zeros :]
            reach = [shape is not None and shape.cut(np.empty((0, 4)), planes) is not None for shape in shapes]
            row[f"outputs_{zeros}"] = len(outputs)
            row[f"preimages_{zeros}"] = sum(shape is not None for shape in shapes)
            row[f"reached_{zeros}"] = sum(reach)
            row[f"measure_{zeros}"] = float(np.mean([_size(shape, zeros) for shape in shapes]))
            row[f"dimensions_{zeros}"] = sorted({shape.dimension for shape in shapes if shape is not None})
        found[name] = row
    return found


def _size(shape: Any, dimension: int) -> float:
    return 0.0 if shape is None or shape.dimension < dimension else float(shape.measure)
