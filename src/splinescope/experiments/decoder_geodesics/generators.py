"""Generators that others trained: short ways between latents of any dimension, beside straight lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.experiments.decoder_geodesics.away import nearest_distances
from splinescope.experiments.decoder_geodesics.settings import Settings
from splinescope.experiments.shared.generator_files import read_generator
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.perceptrons import read_perceptron
from splinescope.experiments.shared.planes import cells_of
from splinescope.network import Network
from splinescope.network.evaluate import forward
from splinescope.riemannian import energy_geodesics, geodesic
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.engine import tessellate_slice

DRAWN, HELD = 4_000, 1_000
"""Outputs that a generator makes of Gaussian latents, and how many more say what is near to them."""
PLACES = 7
"""Points on each way at which outputs are looked at, at equal distances in the space of outputs."""
_NEAREST = 2.0**-10
"""How far apart the latents of the first plane are, as a share of the distance of a pair."""
_FINE, _CORNERS = 200, 24
"""Points by which ways are divided evenly; inner corners of curves of little energy."""


def measured(name: str, settings: Settings, parts: Parts) -> dict[str, Any]:
    """Lengths of both ways between pairs of latents, in a plane exactly and in all directions by their energy.

    Args:
        name: The file of the generator; with `+tanh` behind it if its outputs go through tanh.
        settings: How many pairs, of which latents, and cells of planes.
        parts: The experiment's parts; the outputs along the ways are `generator-STEM`.

    Returns:
        The measures, as plain values.
    """
    before, module, squashed = read(name)
    d = _latents_of(before)
    rng, pairs = np.random.default_rng(settings.seed), settings.generator_pairs

    def draw(*sizes: int) -> np.ndarray:
        return rng.uniform(-1, 1, sizes) if isinstance(before, Network) else rng.normal(size=sizes)

    drawn, held = (_outputs(module, draw(n, d)) for n in (DRAWN, HELD))
    limit = float(np.quantile(nearest_distances(held, drawn), 0.95))
    ends = draw(pairs, 3, d)  # two that are joined, and a third one for the plane
    curves = parts.arrays(f"curves-{stem(name)}", partial(_curves, module, ends))
    tasks = {
        f"{stem(name)}-plane-{k}": partial(_in_plane, before, ends[k], settings.plane_cells, parts.progress)
        for k in range(pairs)
    }
    planes = list(parts.each(tasks, "plane").values())
    ways = [
        {
            "curve": _evenly(module, curves["points"][k]),
            "straight": _evenly(module, ends[k, :2]),
        }
        for k in range(pairs)
    ]
    away = [
        {way: float((nearest_distances(values, drawn) > limit).mean()) for way, values in row.items()} for row in ways
    ]
    best = int(np.argmin(curves["lengths"] / curves["straight"]))
    parts.arrays(f"generator-{stem(name)}", lambda: ways[best])
    return {
        "name": stem(name),
        "title": _title(name),
        "latents": d,
        "outputs": drawn.shape[1],
        "squashed": squashed,
        "limit": limit,
        "planes": planes,
        "curves": [
            {"length": length, "straight_length": straight, "converged": done, "curve_away": far["curve"],
             "straight_away": far["straight"]}
            for length, straight, done, far in zip(*(curves[key].tolist() for key in ("lengths", "straight", "done")),
                                                   away, strict=True)
        ],
        "shown": best,
    }  # fmt: skip


def _latents_of(before: nn.Sequential | Network) -> int:
    if isinstance(before, Network):
        return before.input_shape[0]
    first = before[0]
    assert isinstance(first, nn.Linear)
    return first.in_features


def read(name: str) -> tuple[nn.Sequential | Network, Callable[[Tensor], Tensor], bool]:
    """A generator as it is before its last function, as it is behind it, and whether there is one.

    One with a condition is a network of the latents alone.

    Args:
        name: The file, as in the settings.

    Returns:
        The three.

    Raises:
        InvalidInputError: If the file is of something else.
    """
    if "@" in name:
        network = _with_condition(name)
        return network, partial(_flat, network), False
    path, _, function = name.partition("+")
    if function not in ("", "tanh"):
        raise InvalidInputError(f"`generators`: got {name!r}; expected FILE or FILE+tanh, or FILE@LAYER@PLACE=NUMBER")
    before = read_perceptron("generators", path)
    return before, nn.Sequential(*before, nn.Tanh()) if function else before, bool(function)


def _with_condition(name: str) -> Network:
    """A model file up to a layer, with one number of its input given."""
    try:
        path, layer, condition = name.split("@")
    except ValueError:
        raise InvalidInputError(f"`generators`: got {name!r}; expected FILE@LAYER@PLACE=NUMBER") from None
    return read_generator(path, layer=layer, condition=condition)


def _flat(network: Network, latents: Tensor) -> Tensor:
    return forward(network, latents).flatten(1)


def stem(name: str) -> str:
    """What a generator is called: its file's name without its ending, and without what no part's name may have.

    Args:
        name: The file, as in the settings.
    """
    path = Path(name.partition("+")[0].partition("@")[0])
    condition = name.rpartition("@")[2] if "@" in name else ""
    words = f"{path.parent.name}-{path.stem}-{condition}"
    return "".join(c if c.isalnum() else "-" for c in words).strip("-")


def _title(name: str) -> str:
    """What stands over its figures: the file with its folder, and the number of its input that is given."""
    path = Path(name.partition("+")[0].partition("@")[0])
    given = f", {name.rpartition('@')[2]}" if "@" in name else ""
    return f"{path.parent.name}/{path.stem}{given}"


def _outputs(module: Callable[[Tensor], Tensor], latents: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = module(torch.from_numpy(np.ascontiguousarray(latents))).numpy()
    return found


def _curves(module: Callable[[Tensor], Tensor], ends: np.ndarray) -> dict[str, np.ndarray]:
    found = energy_geodesics(module, ends[:, 0], ends[:, 1], corners=_CORNERS, steps=30, tolerance=1e-6)
    return {
        "points": found.points,
        "lengths": found.lengths,
        "straight": found.straight_lengths,
        "done": found.converged,
    }


def _in_plane(before: nn.Sequential | Network, ends: np.ndarray, most: int, progress: bool) -> dict[str, Any]:
    """The shortest path in the plane through two latents and a third one, or through nearer ones in its direction.

    Whole planes of convolutions have millions of cells, so the plane grows until it is whole or has a quarter of the
    cells that it may have.
    """
    share = _NEAREST
    while True:
        one, two, third = ends[0] + share * (ends - ends[0])
        plane = Slice.through(one, two, third)
        if isinstance(before, Network):
            cells = tessellate_slice(before, plane, progress=progress)
        else:
            cells = cells_of(before, plane)
        if cells.truncated:
            raise KeyboardInterrupt
        if share == 1 or 4 * len(cells) > most:
            break
        share *= 2
    path = geodesic(cells, *np.asarray(plane.anchors)[:2])
    return {
        "cells": len(cells),
        "share": share,
        "length": path.length,
        "network_length": path.network_length,
        "straight_length": path.straight_length,
        "chord": path.chord,
    }


def _evenly(module: Callable[[Tensor], Tensor], corners: np.ndarray) -> np.ndarray:
    """Outputs at equal distances of each other along a way."""
    places = np.linspace(0, len(corners) - 1, _FINE + 1)
    line = np.stack([np.interp(places, np.arange(len(corners)), column) for column in corners.T], axis=1)
    values = _outputs(module, line)
    reached = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(values, axis=0), axis=1))])
    wanted = np.linspace(0, reached[-1], PLACES)
    return _outputs(module, np.stack([np.interp(wanted, reached, column) for column in line.T], axis=1))
