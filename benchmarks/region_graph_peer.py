"""Run relucent on one ReLU MLP in a cube: `python region_graph_peer.py weights.npz HALF SECONDS`, prints JSON.

Uses nothing of splinescope. relucent explores the cells of the cube [-half, half]^d, clipped to it, on two workers,
with its closing certification left out; as many cells as fit in the time.
"""

import json
import sys
import time

import numpy as np
import relucent
import torch


def module_of(path):
    """The network."""
    modules = []
    with np.load(path) as arrays:
        for i in range(sum(key.startswith("W") for key in arrays)):
            weight, bias = arrays[f"W{i}"], arrays[f"b{i}"]
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0]).double()
            linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
            modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def explored(module, half, count):
    """Seconds, and the complex with up to so many cells."""
    graph = relucent.Complex(module)
    start = torch.full((1, module[0].in_features), 1e-3 * half, dtype=torch.float64)
    began = time.perf_counter()
    graph.bfs(start=start, max_polys=count, nworkers=2, cube_radius=half, cube_mode="clipped", verify=False, verbose=0)
    return time.perf_counter() - began, graph


if __name__ == "__main__":
    path, half, limit = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    module, count = module_of(path), 25
    while True:
        seconds, graph = explored(module, half, count)
        if seconds > limit / 3 or len(graph) < count:
            break
        count *= 2
    print(json.dumps({"seconds": seconds, "cells": len(graph), "all": len(graph) < count}))
