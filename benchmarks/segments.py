"""Segments: seconds per segment beside evaluations of the network at its breakpoints, and the peak memory."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from tests.network.asset_modules import build
from torch import nn

import splinescope
from benchmarks.common import ASSETS, ROOT, alternate, reference_weights, save, seconds, to_module
from splinescope.network.evaluate import forward
from splinescope.numerics import Tolerance, in_blocks
from splinescope.tessellation.segments import SegmentBatch, tessellate_segments
from splinescope.tessellation.segments.run import SegmentsRun
from splinescope.tessellation.segments.steps import SegmentsPlan

SYRENN = {"N3": 0.2, "N4": 39.0}
"""Milliseconds per segment of SyReNN's ExactLine in float32 on two cores, as reported for these two segments."""


@dataclass(frozen=True)
class Case:
    """Segments of one network.

    Attributes:
        network: The network.
        starts: [S, *input_shape].
        ends: [S, *input_shape].
    """

    network: splinescope.Network
    starts: np.ndarray
    ends: np.ndarray


def around(points: np.ndarray, count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Segments between neighbours of three points; the first one is between the first two points themselves."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 3, count)
    other = (one + rng.integers(1, 3, count)) % 3
    starts, ends = (points[which] + spread * rng.normal(size=points[which].shape) for which in (one, other))
    starts[0], ends[0] = points[0], points[1]
    return starts, ends


def perceptron() -> Case:
    """N3: 784-200-200-200-10, trained on digits."""
    network = splinescope.load(to_module(reference_weights("N3full", (784, 200, 200, 200, 10))), input_shape=(784,))
    path = ASSETS / "reference_nets" / "N3full.npz"
    points = np.load(path)["P"] if path.exists() else np.random.default_rng(1).uniform(size=(3, 784))
    return Case(network, *around(points, 2048, 0.01))


def convolutions() -> Case:
    """N4: two convolutions of stride 2 and two dense layers on 3 x 32 x 32."""
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    folder = ASSETS / "reference_nets"
    points = np.random.default_rng(1).normal(size=(3, 3, 32, 32))
    if (folder / "N4_conv.pt").exists():
        module.load_state_dict(torch.load(folder / "N4_conv.pt", weights_only=True))
        points = np.load(folder / "N4_plane.npz")["P"].reshape(-1, 3, 32, 32).astype(np.float64)
    return Case(splinescope.load(module.double().eval(), input_shape=(3, 32, 32)), *around(points, 64, 0.01))


def mnist_pairs() -> Case:
    """10,000 pairs of MNIST digits on a perceptron with two hidden layers of 256."""
    network = splinescope.load(ASSETS / "models" / "vnncomp_mnist_fc_256x2" / "mnist-net_256x2.onnx")
    digits = splinescope.datasets.mnist(ASSETS / "data" / "mnist")
    pairs = np.random.default_rng(0).permutation(10_000)
    images = digits.take(pairs.tolist()).numpy().reshape(-1, *network.input_shape)
    return Case(network, images, np.roll(images, 1, axis=0))


def cifar_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """[count, 3, 32, 32] images from 0 to 1, and their labels."""
    with np.load(ASSETS / "data" / "cifar10_train_first4000" / "cifar10_train_first4000.npz") as arrays:
        images, labels = arrays["images"][:count], arrays["labels"][:count]
    return images.transpose(0, 3, 1, 2) / 255.0, labels


def residual() -> Case:
    """300 pairs of CIFAR images on the residual network of the VNN competition, from end to end."""
    network = splinescope.load(next((ASSETS / "models" / "vnncomp_resnet_2b_onnx").glob("*.onnx*")))
    images, _ = cifar_images(600)
    return Case(network, images[:300], images[300:])


def resnet20() -> Case:
    """ResNet-20: 200 random perturbations of images by 1/5100 of the range, a twentieth of a grey level."""
    module, shape = build("resnet20_cifar10", next((ASSETS / "models" / "resnet20_cifar10").glob("*.th")))
    network = splinescope.from_torch(module, input_shape=shape)
    images, _ = cifar_images(200)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=images.shape)
    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return Case(network, (images - mean) / std, (images + signs / 5100 - mean) / std)


CASES: dict[str, Callable[[], Case]] = {
    "N3": perceptron,
    "N4": convolutions,
    "MNIST 10,000 pairs": mnist_pairs,
    "ResNet-2b 300 pairs": residual,
    "ResNet-20 200 perturbations": resnet20,
}


def evaluations(network: splinescope.Network, batch: SegmentBatch, most: int) -> tuple[Callable[[], None], float]:
    """Evaluate the network at breakpoints, in blocks that fit in cache; and the share of them that this is."""
    chosen = np.arange(len(batch.t))
    if len(chosen) > most:
        chosen = chosen[:: len(chosen) // most]
    block = max(1, (1 << 17) // max(node.size for node in network.nodes))
    inputs = torch.from_numpy(batch.domain.embed(np.column_stack([batch.vertex_segments, batch.t])[chosen]))

    def part(start: int, stop: int) -> None:
        with torch.no_grad():
            for low in range(start, stop, block):
                forward(network, inputs[low : min(low + block, stop)])

    return lambda: _run(part, len(inputs), block), len(chosen) / len(batch.t)


def without_kinks(case: Case, count: int) -> Callable[[], None]:
    """Some of the segments with every layer evaluated at all breakpoints, blocks of segments on each thread."""
    plan = replace(SegmentsPlan.of(case.network, Tolerance()), transposed={}, stencils={})
    starts, ends = (points[:count].reshape(count, -1) for points in (case.starts, case.ends))

    def part(start: int, stop: int) -> None:
        for low in range(start, stop, 64):
            high = min(low + 64, stop)
            SegmentsRun(plan, 1 << 28).through_network(starts[low:high], ends[low:high], low)

    return lambda: _run(part, count, min(64, count // 2))


def _run(part: Callable[[int, int], None], count: int, grain: int) -> None:
    in_blocks(part, count, grain=grain)


def measure(name: str, slow: bool, repeats: int) -> dict[str, Any]:
    """All figures of one case; of a slow one some from a part of the segments, once."""
    case = CASES[name]()
    count = len(case.starts)
    some = max(4, count // 25) if slow else count
    tessellate_segments(case.network, case.starts[:2], case.ends[:2])  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(segments: int, verify: str) -> SegmentBatch:
        return tessellate_segments(case.network, case.starts[:segments], case.ends[:segments], verify=verify)

    found: list[SegmentBatch] = []
    whole = seconds(lambda: found.append(run(count, "topology")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    part = run(some, "topology") if slow else found[0]
    floor, share = evaluations(case.network, part, 2048 if slow else 1 << 16)
    functions = {
        "topology": lambda: run(some, "topology"),
        "evaluations": floor,
        "without kinks": without_kinks(case, some),
        "values": lambda: run(some, "values"),
    }
    times = alternate(functions, repeats) if not slow else {key: [seconds(work)] for key, work in functions.items()}
    best = {key: min(values) / some for key, values in times.items()}
    best["evaluations"] /= share
    one = splinescope.Segment(case.starts[0], case.ends[0])
    best["one alone"] = min(
        seconds(lambda: splinescope.tessellate(case.network, one, verify="topology")) for _ in "123"
    )
    row = {
        "case": name,
        "segments": count,
        "cells": int(found[0].cells_per_segment.sum()),
        "cells of the first": len(found[0][0]),
        "seconds for all (topology, first run)": whole,
        "segments timed": some,
        "ms per segment": {key: 1e3 * value for key, value in best.items()},
        "topology / evaluations": best["topology"] / best["evaluations"],
        "topology / without kinks": best["topology"] / best["without kinks"],
        "values / evaluations": best["values"] / best["evaluations"],
        "share of breakpoints evaluated": share,
        "peak MiB over the loaded network": (peak - before) / 1024,
    }
    if name in SYRENN:
        row["x SyReNN float32, as reported"] = SYRENN[name] / row["ms per segment"]["topology"]
    return row


def main() -> None:
    """Measure each case in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", choices=list(CASES))
    options = parser.parse_args()
    if options.case:
        sys.stdout.write(json.dumps(measure(options.case, options.case.startswith("ResNet"), options.repeats)) + "\n")
        return
    rows = []
    for name in CASES:
        command = [sys.executable, "-m", "benchmarks.segments", "--case", name, "--repeats", str(options.repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT.parent)
        rows.append(json.loads(done.stdout) if done.returncode == 0 else {"case": name, "error": done.stderr[-300:]})
        sys.stdout.write(json.dumps(rows[-1], indent=1) + "\n")
        sys.stdout.flush()
    save("segments", rows)


if __name__ == "__main__":
    main()
