"""Planes with cells far thinner than coordinates: gluing of parts, and interior points of needles."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import splinescope
from splinescope import Slice
from splinescope.tessellation.planar.complex import measure_cells


def _cancelling(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a layer half of which nearly cancel, with some units that are multiples of others, or nothing."""
    weight, half = rng.normal(size=(rows, columns)), columns // 2
    if columns < 4:
        weight, bias = weight / np.sqrt(columns), rng.normal(size=rows) * 0.3
    else:
        small = 10.0 ** rng.integers(-14, -4)
        weight[:, half : 2 * half] = -weight[:, :half] + small * rng.normal(size=(rows, half))
        bias = rng.normal(size=rows) * 10.0 ** rng.integers(-8, 0)
    if rng.random() < 0.4:
        number = int(rng.integers(1, rows // 2))
        source, target = rng.integers(rows, size=number), rng.integers(rows, size=number)
        factor = rng.choice([1.0, 1.0, -1.0, 2.0, 0.5, 3.0], number)
        weight[target], bias[target] = factor[:, None] * weight[source], factor * bias[source]
    if rng.random() < 0.2:
        nothing = rng.integers(rows, size=3)
        weight[nothing], bias[nothing] = 0.0, 0.0
    return weight, bias


def test_borders_whose_ends_round_to_one_point() -> None:
    """Parts of a plane are glued along borders without length, as they were along those that have one."""
    rng = np.random.default_rng(21)
    rng.choice(5), rng.choice(8), rng.integers(2, 6), rng.choice(9)  # the plane and the kind of network, as they were
    layers, width = list[nn.Module](), 2
    for _ in range(3):
        weight, bias = _cancelling(rng, int(rng.integers(48, 70)), width)
        layer = nn.Linear(width, len(weight)).double()
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
        layers += [layer, nn.ReLU()]
        width = len(weight)
    network = splinescope.from_torch(nn.Sequential(*layers), input_shape=(2,))
    domain = Slice.box([-1, -1], [1, 1])
    whole = splinescope.tessellate(network, domain, verify="topology")
    parts = splinescope.tessellate(network, domain, verify="topology", memory_budget=10**6)
    assert {row.tobytes() for row in parts.packed_patterns} == {row.tobytes() for row in whole.packed_patterns}
    assert [len(parts), len(parts.edges), len(parts.vertices)] == [len(whole), len(whole.edges), len(whole.vertices)]


def test_interior_points_of_needles() -> None:
    """Four corners rounded to either side of a line: triangles of both signs cancel, and their centroid was outside."""
    corners = np.array(
        [
            [-0.052268799561292205, -1.2352027673430545e-06],
            [-0.052268799029675544, -1.235202754614259e-06],
            [-0.052268799029695404, -1.2352027546147345e-06],
            [-0.052268799561295244, -1.2352027673431274e-06],
        ]
    )
    areas, centroids = np.empty(1), np.empty((1, 2))
    measure_cells(0, 1, corners, np.arange(4, dtype=np.int32), np.array([0, 4]), areas, centroids)
    assert (corners.min(axis=0) <= centroids[0]).all()
    assert (centroids[0] <= corners.max(axis=0)).all()
