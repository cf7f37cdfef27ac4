"""Measures of `flattening`."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from splinescope.experiments.flattening.settings import Settings
from splinescope.experiments.shared.chains import chain, circulant_layers
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Network, from_torch
from splinescope.preimage import (
    PolytopeTarget,
    Preimage,
    intermediate_preimages,
    nested_cells,
    nested_pieces,
    nesting,
    preimage_of,
)
from splinescope.preimage.faces import faces_of
from splinescope.tessellation import tessellate
from splinescope.tessellation.domains import Box

KINDS = ("nested", "wide")
"""Names of the two kernels among the settings."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """The surfaces of both chains; their patches at each layer are the parts `patches-KIND-LAYER`."""
    found = parts.each({kind: partial(_measure, settings, kind) for kind in KINDS}, "chain")
    for kind in KINDS:
        for layer in range(settings.layers + 1):
            parts.arrays(f"patches-{kind}-{layer}", partial(_patches, settings, kind, layer))
    return {kind: found[kind] for kind in KINDS}


def _network(settings: Settings, kind: str) -> Network:
    layers = circulant_layers([getattr(settings, kind)] * settings.layers, [settings.bias] * settings.layers)
    return from_torch(chain(layers), input_shape=(len(settings.nested),))


def _target(settings: Settings) -> PolytopeTarget:
    """The plane of outputs with one sum; outputs are never negative, so that it is a triangle in space."""
    d = len(settings.nested)
    return PolytopeTarget(np.empty((0, d)), np.empty(0), np.ones((1, d)), np.array([settings.level]))


def _surface(settings: Settings, kind: str) -> Preimage:
    d = len(settings.nested)
    return preimage_of(_network(settings, kind), _target(settings), Box([0.0] * d, [settings.side] * d), verify="proof")


def _measure(settings: Settings, kind: str) -> dict[str, Any]:
    """Counts, and whether it is a surface on which the outputs add up as they should."""
    network, found = _network(settings, kind), _surface(settings, kind)
    d = len(settings.nested)
    box = Box([0.0] * d, [settings.side] * d)
    cells = tessellate(network, box, verify="values")
    corners = np.concatenate([piece.polytope.vertices for piece in found])
    sums = network(corners).sum(axis=1)
    zeros = np.array([_zeros(piece, d) for piece in found])
    layer = circulant_layers([getattr(settings, kind)], [settings.bias])[0]
    return {
        "nested": nesting(*layer).complete,
        "cells": len(cells),
        "theorem_cells": nested_cells(d, settings.layers),
        "patches": len(found),
        "theorem_patches": nested_pieces(d, settings.layers),
        "by_zeros": [int((zeros == count).sum()) for count in range(d)],
        "dimensions": sorted(set(found.dimensions.tolist())),
        "level_error": float(np.abs(sums - settings.level).max()),
        "area": float(found.measures.sum()),
        "complete": found.complete,
        "certified_points": found.certify(samples=settings.points).samples,
        **_edges(found, settings.side),
    }


def _zeros(piece: Any, d: int) -> int:
    """Units of the last layer that are zero on a patch."""
    return d - int(np.unpackbits(piece.pattern[-d:, None], axis=1)[:, -1].sum())


def _edges(found: Preimage, side: float) -> dict[str, int]:
    """How many patches meet in each edge; at the cube's sides one, elsewhere two if it is a manifold."""
    counts: Counter[frozenset[tuple[float, ...]]] = Counter()
    for piece in found:
        (face,) = faces_of(piece.polytope)
        loop = [tuple((np.round(corner, 7) + 0.0).tolist()) for corner in face]
        counts.update(frozenset(pair) for pair in zip(loop, [*loop[1:], loop[0]], strict=True))
    border = inner = bad = 0
    for edge, count in counts.items():
        points = np.array(list(edge))
        outside = bool(((np.abs(points) < 1e-6) | (np.abs(points - side) < 1e-6)).all(axis=0).any())
        border += outside
        inner += not outside
        bad += count != (1 if outside else 2)
    corners = {corner for edge in counts for corner in edge}
    return {
        "corners": len(corners),
        "inner_edges": inner,
        "border_edges": border,
        "bad_edges": bad,
        "euler": len(corners) - len(counts) + len(found),
    }


def _patches(settings: Settings, kind: str, layer: int) -> dict[str, np.ndarray]:
    """Corners of all patches behind some layers, of which 0 is the input, with their numbers of zeros."""
    d = len(settings.nested)
    if layer == 0:
        found = _surface(settings, kind)
    else:
        box = Box([0.0] * d, [settings.side] * d)
        (stage,) = intermediate_preimages(_network(settings, kind), _target(settings), box, at=[2 * layer])
        found = stage.preimage
    faces = [faces_of(piece.polytope)[0] for piece in found]
    zeros = [_zeros(piece, d) if layer < settings.layers else 0 for piece in found]
    return {
        "corners": np.concatenate(faces),
        "offsets": np.cumsum([0, *map(len, faces)]),
        "zeros": np.array(zeros, np.int64),
    }
