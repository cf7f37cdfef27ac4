"""Region graphs: splinescope beside relucent on the same boxes, in one run; then cost per cell over the dimension."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import splinescope
from benchmarks.common import ASSETS, ROOT, mlp_weights, reference_weights, save, to_module
from benchmarks.planes import peer_python
from splinescope.network.ops import Dense
from splinescope.tessellation.region_graph import RegionGraph, region_graph

ACAS = ASSETS / "models" / "acasxu_open" / "ACASXU_run2a_1_1_batch_2000.onnx"
DIMENSIONS = (2, 3, 4, 5, 6, 8, 12, 16, 24, 32)


def cases() -> dict[str, tuple[splinescope.Network, list[tuple[np.ndarray, np.ndarray]], float]]:
    """Networks with their weights and half the side of the box around zero."""
    found = {}
    for name, widths in (("N5s", (3, 16, 16, 16, 1)), ("N5", (3, 32, 32, 32, 1))):
        weights = reference_weights(name, widths)
        found[name] = (splinescope.load(to_module(weights), input_shape=(3,)), weights, 1.0)
    if ACAS.exists():
        network = splinescope.load(ACAS)
        dense = [node.op for node in network.nodes if isinstance(node.op, Dense)]
        weights = [(op.weight.numpy(), op.bias.numpy()) for op in dense]
        found["ACAS Xu 1-1"] = (network, weights, 0.03)
    return found


def timed(network: splinescope.Network, domain: splinescope.Box, **options: Any) -> tuple[float, RegionGraph]:
    """Seconds of one graph."""
    start = time.perf_counter()
    graph = region_graph(network, domain, **options)
    return time.perf_counter() - start, graph


def run_peer(weights: list[tuple[np.ndarray, np.ndarray]], half: float, limit: float) -> dict[str, Any]:
    """What relucent takes, or why it did not finish."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        np.savez(path, **{f"{kind}{i}": pair[j] for i, pair in enumerate(weights) for j, kind in enumerate("Wb")})
        command = [str(peer_python()), str(ROOT / "region_graph_peer.py"), str(path), str(half), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, repeats: int, limit: float) -> dict[str, Any]:
    """All figures of one network."""
    network, weights, half = cases()[name]
    domain = splinescope.Box(np.full(network.input_shape, -half), np.full(network.input_shape, half))
    region_graph(network, domain, max_cells=10, verify="proof")
    best: dict[str, float] = {}
    graph = None
    for verify in ("topology", "values", "proof"):
        runs = [timed(network, domain, verify=verify) for _ in range(repeats)]
        best[verify], graph = min(seconds for seconds, _ in runs), runs[0][1]
    assert graph is not None
    row: dict[str, Any] = {
        "case": name,
        "cells": len(graph),
        "complete": graph.complete,
        "mean degree": graph.mean_degree,
        "seconds": best,
        "cells/s (values)": len(graph) / best["values"],
    }
    if limit > 0:
        peer = run_peer(weights, half, limit)
        row["relucent"] = peer
        if "seconds" in peer:
            rate = peer["cells"] / peer["seconds"]
            row["relucent cells/s"] = rate
            row |= {f"x relucent ({verify})": len(graph) / best[verify] / rate for verify in best}
    return row


def dimensions() -> list[dict[str, Any]]:
    """Cost per cell of d-24-24-2 networks in the cube, without certificate."""
    rows = []
    for d in DIMENSIONS:
        network = splinescope.load(to_module(mlp_weights((d, 24, 24, 2))), input_shape=(d,))
        domain = splinescope.Box([-1.0] * d, [1.0] * d)
        seconds, graph = timed(network, domain, max_cells=2000, time_limit=20.0, verify="topology")
        facets = len(graph.facet_op) / len(graph)
        row = {"d": d, "cells": len(graph), "us/cell": 1e6 * seconds / len(graph), "facets/cell": facets}
        rows.append(row | {"mean degree": graph.mean_degree})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-seconds", type=float, default=30.0, help="0 leaves relucent out")
    options = parser.parse_args()
    rows = [measure(name, options.repeats, options.peer_seconds) for name in cases()]
    results = {"boxes": rows, "dimensions": dimensions()}
    sys.stdout.write(json.dumps(results, indent=1) + "\n")
    save("region_graph", results)


if __name__ == "__main__":
    main()
