"""Metrics beside `torch.func.jacrev`, and exact shortest paths of ReLU decoders beside straight lines.

Peers (stochman, geomstats) are not run: stochman's lengths on these networks are in the table. geomstats integrates the
equation of geodesics, which returns the straight line on a ReLU decoder.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

import splinescope
from benchmarks.common import save
from splinescope.riemannian import distances, energy_geodesics, geodesic, metrics

PAIRS = (
    ([2, 16, 16, 3], 1, 0.9, 2.323188),
    ([2, 8, 3], 0, 0.5, None),
    ([2, 64, 64, 784], 0, 0.9, 63.348910),
)
"""Sizes, seed and reach of each decoder, and the length that stochman 0.3.0 ends with."""


def formula_net(sizes: list[int], seed: int, activation: type[nn.Module]) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in))
        layer.bias.data = torch.from_numpy(rng.uniform(-1, 1, n_out))
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def timed(work: Any) -> tuple[float, Any]:
    """Seconds of processor time, the better of two, and the result."""
    found = []
    for _ in range(2):
        start = time.process_time()
        result = work()
        found.append(time.process_time() - start)
    return min(found), result


def tensors(count: int) -> dict[str, Any]:
    """Metrics at images beside Jacobians by automatic differentiation."""
    net = formula_net([784, 200, 200, 10], 0, nn.Tanh)
    x = torch.from_numpy(np.random.default_rng(0).random((count, 784)))
    ours, found = timed(lambda: metrics(net, x))
    theirs, jacobians = timed(lambda: torch.func.vmap(torch.func.jacrev(net))(x).detach().numpy())
    error = float(np.abs(found.factors - jacobians).max())
    return {"points": count, "seconds": ours, "jacrev_seconds": theirs, "difference": error}


def paths() -> list[dict[str, Any]]:
    rows = []
    for sizes, seed, reach, peer in PAIRS:
        cells = splinescope.tessellate(formula_net(sizes, seed, nn.ReLU), splinescope.Slice.box([-1, -1], [1, 1]))
        seconds, path = timed(lambda cells=cells, reach=reach: geodesic(cells, [-reach] * 2, [reach] * 2))
        start = time.process_time()
        lower = path.lower_bound
        bound_seconds = time.process_time() - start
        field_seconds, _ = timed(lambda cells=cells, reach=reach: distances(cells, [-reach] * 2))
        rows.append({
            "sizes": sizes, "cells": len(cells), "length": path.length, "lower_bound": lower,
            "straight": path.straight_length, "stochman": peer, "windows": path.num_windows, "seconds": seconds,
            "bound_seconds": bound_seconds, "field_seconds": field_seconds,
        })  # fmt: skip
    return rows


def energies(pairs: int) -> dict[str, Any]:
    """Curves of least energy of a smooth decoder, many at once."""
    net = formula_net([2, 64, 64, 784], 0, nn.Tanh)
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, pairs, 2))
    seconds, found = timed(lambda: energy_geodesics(net, a, b))
    shorter = float(np.mean(1 - found.lengths / found.straight_lengths))
    return {
        "pairs": pairs,
        "seconds_each": seconds / pairs,
        "shorter": shorter,
        "converged": float(found.converged.mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {"metrics": tensors(arguments.points), "paths": paths(), "energies": energies(arguments.pairs)}
    for name, value in result.items():
        print(name, value)
    save("geodesics", result)


if __name__ == "__main__":
    main()
