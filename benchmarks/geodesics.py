"""Metrics beside `torch.func.jacrev`, and exact shortest paths of ReLU decoders beside straight lines.

On smooth decoders stochman's method is restated (`benchmarks.splines`), and both are timed in one run, at lengths as
short as its own. With `--peers PYTHON` stochman, geomstats and latent-geometry themselves are asked, each question in a
process of that environment (`geodesics_peer.py` says which versions), for `LIMIT` seconds at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import splinescope
from benchmarks import splines
from benchmarks.common import ROOT, save
from splinescope.riemannian import distances, energy_geodesics, geodesic, metrics

PAIRS = (
    ([2, 16, 16, 3], 1, 0.9),
    ([2, 8, 3], 0, 0.5),
    ([2, 64, 64, 784], 0, 0.9),
)
"""Sizes, seed and reach of each decoder."""


PEERS = {
    "stochman": (
        "metric", "relu:2-16-16-3:1:0.9", "relu:2-8-3:0:0.5", "relu:2-64-64-784:0:0.9", "tanh:2-64-64-784:0:50*",
        "softplus:2-64-64-784:0:50*", "tanh:8-64-64-784:0:50*", "tanh:32-64-64-784:0:50*",
    ),
    "latent-geometry": ("relu:2-16-16-3:1:0.9", "relu:2-8-3:0:0.5", "tanh:2-8-3:0:0.5"),
    "geomstats": ("metric", "relu:2-16-16-3:1:0.9", "relu:2-8-3:0:0.5", "tanh:2-8-3:0:0.5"),
}  # fmt: skip
"""What peers are asked; see `geodesics_peer.py`."""

LIMIT = 120
"""Seconds after which a peer's answer is not waited for."""

SMOOTH = (
    ([2, 64, 64, 784], nn.Tanh, "chain"),
    ([2, 64, 64, 784], nn.Softplus, "chain"),
    ([8, 64, 64, 784], nn.Tanh, "chain"),
    ([32, 64, 64, 784], nn.Tanh, "chain"),
    ([2, 64, 64, 784], nn.Tanh, "residual"),
    ([8, 64, 64, 784], nn.Tanh, "residual"),
)
"""Smooth decoders by formula, on which both methods are timed; residual ones are no chains of layers."""


class Residual(nn.Module):
    """The same network with the identity added around each inner layer, of which only torch knows the Jacobians."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor) -> Tensor:
        z = self.layers[1](self.layers[0](z))
        for affine, function in zip(self.layers[2:-1:2], self.layers[3:-1:2], strict=True):
            z = z + function(affine(z))
        out: Tensor = self.layers[-1](z)
        return out


EQUAL = 1e-6
"""Relative difference up to which two lengths are equal."""


def formula_net(sizes: list[int], seed: int, activation: type[nn.Module]) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in))
        layer.bias.data = torch.from_numpy(rng.uniform(-1, 1, n_out))
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def timed(work: Any, times: int = 2) -> tuple[float, Any]:
    """Seconds of processor time, the best of some, and the result."""
    found = []
    for _ in range(times):
        start = time.process_time()
        result = work()
        found.append(time.process_time() - start)
    return min(found), result


def tensors(count: int) -> dict[str, Any]:
    """Metrics at images beside Jacobians by automatic differentiation."""
    net = formula_net([784, 200, 200, 10], 0, nn.Tanh)
    x = torch.from_numpy(np.random.default_rng(0).random((count, 784)))
    ours, found = timed(lambda: metrics(net, x), 9)
    theirs, jacobians = timed(lambda: torch.func.vmap(torch.func.jacrev(net))(x).detach().numpy(), 9)
    error = float(np.abs(found.factors - jacobians).max())
    return {"points": count, "seconds": ours, "jacrev_seconds": theirs, "products_seconds": products(net, x),
            "difference": error}  # fmt: skip


def products(net: nn.Sequential, x: Tensor) -> float:
    """Seconds of the products of matrices alone that values and Jacobians by this order need, into memory in use."""
    weights = [part.weight.detach() for part in net if isinstance(part, nn.Linear)]
    sizes = [weight.shape[0] for weight in weights]
    values = [x, *(x.new_ones(len(x), size) for size in sizes)]
    rows = [x.new_ones(len(x) * sizes[-1], weight.shape[1]) for weight in weights]

    def work() -> None:
        for k, weight in enumerate(weights):
            torch.mm(values[k], weight.T, out=values[k + 1])
        for k in range(len(weights) - 2, -1, -1):
            torch.mm(rows[k + 1], weights[k], out=rows[k])

    return timed(work, 9)[0]


def paths() -> list[dict[str, Any]]:
    rows = []
    for sizes, seed, reach in PAIRS:
        cells = splinescope.tessellate(formula_net(sizes, seed, nn.ReLU), splinescope.Slice.box([-1, -1], [1, 1]))
        seconds, path = timed(lambda cells=cells, reach=reach: geodesic(cells, [-reach] * 2, [reach] * 2))
        start = time.process_time()
        lower = path.lower_bound
        bound_seconds = time.process_time() - start
        field_seconds, _ = timed(lambda cells=cells, reach=reach: distances(cells, [-reach] * 2))
        rows.append({
            "sizes": sizes, "cells": len(cells), "length": path.length, "lower_bound": lower,
            "straight": path.straight_length, "windows": path.num_windows, "seconds": seconds,
            "bound_seconds": bound_seconds, "field_seconds": field_seconds,
        })  # fmt: skip
    return rows


def energies(pairs: int) -> list[dict[str, Any]]:
    """Curves of little energy of smooth decoders, all pairs at once, beside stochman's method and L-BFGS.

    Ours has as few corners as give a mean length that is no longer than that of stochman's method.
    """
    rows = []
    for sizes, activation, kind in SMOOTH:
        net: nn.Module = formula_net(sizes, 0, activation)
        net = Residual(net) if kind == "residual" and isinstance(net, nn.Sequential) else net
        a, b = np.random.default_rng(0).uniform(-1, 1, (2, pairs, sizes[0]))
        row: dict[str, Any] = {"sizes": sizes, "activation": activation.__name__, "kind": kind, "pairs": pairs}
        row["straight_length"] = float(splines.lengths(net, np.stack([a, b], axis=1)).mean())
        for name, method in (("adam", splines.by_adam), ("lbfgs", splines.by_lbfgs)):
            seconds, points = timed(lambda method=method, net=net, a=a, b=b: method(net, a, b))
            row |= {
                f"{name}_seconds_each": seconds / pairs,
                f"{name}_length": float(splines.lengths(net, points).mean()),
            }
        for corners in (6, 10, 14, 20, 28, 40, 60):
            seconds, found = timed(
                lambda c=corners, net=net, a=a, b=b: energy_geodesics(net, a, b, corners=c, tolerance=1e-5)
            )
            length = float(splines.lengths(net, found.points).mean())
            if length <= row["adam_length"] * (1 + EQUAL):
                break
        row["length_by_4001"] = float(splines.lengths(net, found.points, 4001).mean())
        row |= {"corners": corners, "seconds_each": seconds / pairs, "length": length,
                "times_faster": row["adam_seconds_each"] * pairs / seconds}  # fmt: skip
        rows.append(row)
    return rows


def answers(python: str) -> dict[str, Any]:
    """What peers answer in their environment."""
    found: dict[str, Any] = {}
    for name, questions in PEERS.items():
        for question in questions:
            command = [python, str(ROOT / "geodesics_peer.py"), name, question]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
                answer = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-200:]}
            except subprocess.TimeoutExpired:
                answer = {"error": f"no answer within {LIMIT} s"}
            found[f"{name} {question}"] = answer
            print(name, question, answer, flush=True)
    return found


def markdown(result: dict[str, Any]) -> str:
    """The table of the documentation."""
    lines = [
        "| decoder, pairs | straight line | stochman's method, s a pair | L-BFGS | ours | times faster |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["energies"]:
        kind = ", residual" if row["kind"] == "residual" else ""
        name = f"{'-'.join(map(str, row['sizes']))}, {row['activation'].lower()}{kind}, {row['pairs']}"
        ways = [f"{row[f'{k}length']:.5f}, {row[f'{k}seconds_each']:.4f}" for k in ("adam_", "lbfgs_", "")]
        lines.append(
            f"| {name} | {row['straight_length']:.5f} | {' | '.join(ways)} ({row['corners']} corners) | "
            f"{row['times_faster']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--peers", default="", metavar="PYTHON", help="Python of an environment that has the peers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {"metrics": tensors(arguments.points), "paths": paths()}
    result["energies"] = energies(arguments.pairs)
    if arguments.peers:
        result["peers"] = answers(arguments.peers)
    for name, value in result.items():
        print(name, value)
    print(markdown(result))
    save("geodesics", result)


if __name__ == "__main__":
    main()
