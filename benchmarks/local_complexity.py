"""Local complexity: splinescope beside a restatement of the source's procedure, and both proxies beside the truth."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

import splinescope
from benchmarks.common import ROOT, reference_weights, save, to_module
from splinescope.complexity import local_complexity, orthonormal_frame

RADII = (0.005, 0.02, 0.05, 0.1, 0.3, 1.0)


def restated(module: nn.Module, points: Tensor, frame: Tensor, radius: float) -> Tensor:
    """[n, layers] counts as the source's programs take them: the whole hull at once, hooks, signs beside the first."""
    hull = torch.cat([points[:, None] + radius * frame, points[:, None] - radius * frame], dim=1)
    n, many = hull.shape[:2]
    kept: list[Tensor] = []
    handles = [
        child.register_forward_hook(lambda _, inputs, __: kept.append(inputs[0].clone()))
        for child in module.modules()
        if isinstance(child, nn.ReLU)
    ]
    with torch.no_grad():
        module(hull.flatten(0, 1))
    for handle in handles:
        handle.remove()
    counts = []
    for values in kept:
        signs = torch.sign(values).reshape(n, many, -1)
        counts.append((signs != signs[:, :1]).any(dim=1).sum(dim=1))
    return torch.stack(counts, dim=1)


def networks() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """The MLP of the source's study on MNIST, a deeper one, and a small ConvNet."""
    torch.manual_seed(0)
    mlp = [layer for width in (784, 200, 200) for layer in (nn.Linear(width, 200), nn.ReLU())]
    deep = [layer for width in (784, 200, 200, 200, 200) for layer in (nn.Linear(width, 200), nn.ReLU())]
    return {
        "mlp 784-200-200-200-10": (nn.Sequential(*mlp, nn.Linear(200, 10)), (784,)),
        "mlp 784-5x200-10": (nn.Sequential(*deep, nn.Linear(200, 10)), (784,)),
        "convnet 1-16-32 on 28x28": (
            nn.Sequential(
                nn.Conv2d(1, 16, 4, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2), nn.ReLU(), nn.Flatten(),
                nn.Linear(32 * 25, 10),
            ),
            (1, 28, 28),
        ),
    }  # fmt: skip


def work(name: str, how: str, points: int, dtype: str, repeats: int) -> dict[str, float]:
    """Least processor time of one way on one thread, and how far it raises the peak of memory, in its own process."""
    torch.set_num_threads(1)
    module, shape = networks()[name]
    kind = getattr(torch, dtype)
    module = module.to(kind)
    x = torch.rand(points, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    frame = orthonormal_frame(shape, 25, generator=torch.Generator().manual_seed(2))
    network = splinescope.from_torch(module, input_shape=shape)
    small = slice(0, 8)
    calls = {
        "restated": lambda rows: restated(module, x[rows].to(kind), frame.to(kind), 0.05).double().mean(dim=0),
        "reference": lambda rows: local_complexity(network, x[rows], 0.05, frame=frame, dtype=kind).layer_means,
        "module": lambda rows: local_complexity(module, x[rows], 0.05, frame=frame).layer_means,
        "affine": lambda rows: (
            local_complexity(network, x[rows], 0.05, frame=frame, dtype=kind, mode="affine").layer_means
        ),
    }
    calls[how](small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times, means = [], None
    for _ in range(repeats):
        start = time.process_time()
        means = calls[how](slice(None))
        times.append(time.process_time() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(times), "MiB": (after - before) / 1024, "mean": float(np.asarray(means).sum())}


def in_process(name: str, how: str, points: int, dtype: str, repeats: int) -> dict[str, float]:
    """The same in a new process, so that peaks are its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.local_complexity",
        "--worker",
        name,
        how,
        str(points),
        dtype,
        str(repeats),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    return json.loads(done.stdout.splitlines()[-1])


def beside(name: str, points: int, dtype: str, repeats: int) -> dict[str, Any]:
    """All ways on one network."""
    row: dict[str, Any] = {"network": name, "points": points, "dtype": dtype}
    for how in ("restated", "reference", "module", "affine"):
        row[how] = in_process(name, how, points, dtype, repeats)
    theirs = row["restated"]
    for how in ("reference", "module"):
        mine = row[how]
        row[f"{how}: time / restated"] = mine["seconds"] / theirs["seconds"]
        row[f"{how}: memory / restated"] = mine["MiB"] / theirs["MiB"]
        print(
            f"{name:26} {points:6} {dtype} {how:10}: {mine['seconds']:.2f} s of {theirs['seconds']:.2f}, "
            f"{mine['MiB']:.0f} MiB of {theirs['MiB']:.0f}, mean {mine['mean']:.3f} and {theirs['mean']:.3f}; "
            f"affine {row['affine']['seconds']:.2f} s, {row['affine']['mean']:.3f}"
        )
    return row


def truth(name: str, network: splinescope.Network, points: np.ndarray, radius: float, frame: Tensor) -> dict[str, Any]:
    """Bias and rank correlation of both proxies beside exact folds and cells in the same plane sections."""
    exact = local_complexity(network, points, radius, mode="exact", frame=frame[:2])
    assert exact.cells is not None
    row: dict[str, Any] = {"network": name, "radius": radius, "folds": exact.mean, "cells": float(exact.cells.mean())}
    for mode in ("reference", "affine"):
        found = local_complexity(network, points, radius, mode=mode, frame=frame[:2])
        constant = len(np.unique(found.total)) == 1 or len(np.unique(exact.total)) == 1
        row[mode] = {
            "mean": found.mean,
            "bias": found.mean / exact.mean - 1 if exact.mean else float("nan"),
            "layers": (found.layer_means - exact.layer_means).tolist(),
            "rank with folds": float("nan") if constant else float(spearmanr(found.total, exact.total).statistic),
            "rank with cells": float("nan") if constant else float(spearmanr(found.total, exact.cells).statistic),
        }
    print(
        f"{name:24} r {radius:<6}: folds {exact.mean:7.2f}, cells {row['cells']:8.2f}; "
        + "; ".join(
            "{} {bias:+.1%}, rank {rank with folds:.3f}, {rank with cells:.3f}".format(mode, **row[mode])
            for mode in ("reference", "affine")
        )
    )
    return row


def truths(points: int) -> list[dict[str, Any]]:
    """The same for nets of two inputs, and in random planes of one with 784."""
    rng = np.random.default_rng(3)
    rows = []
    for name, widths in (("N1", (2, 64, 64, 64, 1)), ("N2", (2, 256, 256, 256, 10))):
        network = splinescope.load(to_module(reference_weights(name, widths)), input_shape=(2,))
        frame = orthonormal_frame((2,), 2, generator=torch.Generator().manual_seed(4))
        where = rng.uniform(-1, 1, (points, 2))
        rows += [truth(name, network, where, radius, frame) for radius in RADII if not (name == "N2" and radius > 0.3)]
    module, shape = networks()["mlp 784-200-200-200-10"]
    network = splinescope.load(module, input_shape=shape)
    frame = orthonormal_frame(shape, 2, generator=torch.Generator().manual_seed(5))
    where = rng.uniform(0, 1, (min(points, 200), *shape))
    rows += [truth("mlp 784-200-200-200-10", network, where, radius, frame) for radius in (0.05, 0.3, 1.0, 5.0)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="fewer points")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        name, how, points, dtype, repeats = given.worker
        print(json.dumps(work(name, how, int(points), dtype, int(repeats))))
        return
    results: dict[str, Any] = {"beside the restatement": [], "truth": []}
    for name in networks():
        for dtype in ("float32", "float64"):
            large = not given.quick and name.startswith("mlp")  # the restatement of a ConvNet would take 20 GiB
            for points in (1024, 4096) if large else (1024,):
                results["beside the restatement"].append(beside(name, points, dtype, given.repeats))
    if not given.quick:
        whole = in_process("mlp 784-200-200-200-10", "reference", 60000, "float64", 1)
        print(f"60,000 points x 25 directions, float64: {whole['seconds']:.1f} s, {whole['MiB']:.0f} MiB")
        results["60000 points"] = whole
    results["truth"] = truths(60 if given.quick else 200)
    save("local_complexity", results)


if __name__ == "__main__":
    main()
