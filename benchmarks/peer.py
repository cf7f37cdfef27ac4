"""Run a peer on one ReLU MLP in its own environment: `python peer.py NAME weights.npz HALF SECONDS`, prints JSON.

Uses nothing of splinescope.
"""

import json
import sys
import time

import numpy as np


def layers(path):
    """Weights and biases."""
    with np.load(path) as arrays:
        return [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(sum(key.startswith("W") for key in arrays))]


def run_regioncam(weights, half, limit):
    """All cells in the square [-half, half]^2."""
    import regioncam

    best, cells, spent = float("inf"), 0, 0.0
    while spent < limit:
        start = time.perf_counter()
        camera = regioncam.Regioncam(size=half)
        for index, (weight, bias) in enumerate(weights):
            camera.linear(np.ascontiguousarray(weight.T, np.float32), np.asarray(bias, np.float32))
            if index + 1 < len(weights):
                camera.relu()
        cells = camera.num_faces
        elapsed = time.perf_counter() - start
        best, spent = min(best, elapsed), spent + elapsed
        corners = np.abs(np.asarray(camera.vertex_inputs)).max()
    return {"seconds": best, "cells": cells, "half": float(corners), "precision": "float32"}


def run_relucent(weights, half, limit):
    """Cells per second of its breadth-first search from the centre, as many as fit in the time."""
    import relucent
    import torch

    modules = []
    for weight, bias in weights:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0]).double()
        linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        modules += [linear, torch.nn.ReLU()]
    count = 25
    while True:
        complex_ = relucent.Complex(torch.nn.Sequential(*modules[:-1]))
        start = time.perf_counter()
        complex_.bfs(start=torch.full((1, 2), 1e-3, dtype=torch.float64), max_polys=count, nworkers=2, cube_radius=half)
        elapsed = time.perf_counter() - start
        if elapsed > limit / 3 or len(complex_) < count:
            return {"seconds": elapsed, "cells": len(complex_), "precision": "float64"}
        count *= 2


if __name__ == "__main__":
    name, path, half, limit = sys.argv[1:]
    run = {"regioncam": run_regioncam, "relucent": run_relucent}[name]
    print(json.dumps(run(layers(path), float(half), float(limit))))
