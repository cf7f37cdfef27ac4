"""Networks, floors and clocks that the benchmarks share."""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import splinescope
from splinescope.network.graph import Network
from splinescope.network.ops import Dense

ROOT = Path(__file__).resolve().parent
ASSETS = Path(os.environ.get("SPLINESCOPE_ASSETS", ROOT.parent.parent / "shared" / "assets"))
RESULTS = ROOT / "results"


def mlp_weights(widths: tuple[int, ...], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """He normal weights and uniform biases in [-1, 1]."""
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(widths)
    return [(rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.uniform(-1, 1, m)) for n, m in pairs]


def reference_weights(name: str, widths: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights of a reference net, or of one of the same size where the assets are absent."""
    path = ASSETS / "reference_nets" / f"{name}.npz"
    if not path.exists():
        return mlp_weights(widths)
    with np.load(path) as arrays:
        return [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(sum(key.startswith("W") for key in arrays))]


def to_module(weights: list[tuple[np.ndarray, np.ndarray]]) -> nn.Sequential:
    """A ReLU MLP in float64."""
    layers: list[nn.Module] = []
    for weight, bias in weights:
        linear = nn.Linear(weight.shape[1], weight.shape[0]).double()
        linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def seconds(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call, of the wall's clock or another."""
    start = clock()
    function()
    return clock() - start


def alternate(
    functions: dict[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Times of several functions called in turn, so that noise meets all of them alike."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function, clock))
    return times


def products_needed(network: Network, domain: splinescope.Slice) -> list[tuple[int, Dense]]:
    """The matrix products of a tessellation: each dense layer and the number of vertices when it starts."""
    from splinescope.tessellation.planar import run as engine

    found: list[tuple[int, Dense]] = []
    advance = engine.advance

    def noting(piece: Any, *rest: Any) -> None:
        op = network.nodes[piece.position].op
        if isinstance(op, Dense):
            found.append((piece.subdivision.num_vertices, op))
        advance(piece, *rest)

    engine.advance = noting
    try:
        splinescope.tessellate(network, domain, verify="topology")
    finally:
        engine.advance = advance
    return found


def products_floor(needed: list[tuple[int, Dense]]) -> Callable[[], None]:
    """A function that does those products and nothing else, with torch on its own threads."""
    inputs = [torch.rand(count, op.weight.shape[1], dtype=torch.float64) for count, op in needed]

    def run() -> None:
        for x, (_, op) in zip(inputs, needed, strict=True):
            torch.addmm(op.bias, x, op.weight.T)

    return run


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }


def saved(name: str) -> dict[str, Any]:
    """The results that were written before; none if there are none."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())["results"] if path.exists() else {}
    return found


def save(name: str, results: Any) -> None:
    """Write results as JSON, under a temporary name first."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    temporary.replace(path)


def in_checkout(checkout: Path, program: str, *arguments: str) -> dict[str, Any]:
    """What a program prints as JSON in a process of one thread, with the source of a checkout and these benchmarks."""
    path = os.pathsep.join([str(checkout / "src"), str(ROOT.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT.parent)
    return json.loads(done.stdout.splitlines()[-1])
