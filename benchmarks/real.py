"""Where the time goes on real networks, beside the floor: torch's own forward pass at a point of each cell.

Processor seconds, those of both threads together: other work on the machine counts less than in wall-clock time.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from tests.network.asset_modules import build
from torch import nn

import splinescope
from benchmarks.common import ASSETS, reference_weights, save, saved, seconds, to_module

PARTS = {
    "evaluation": [("piece", "streamed"), ("piece", "evaluated")],
    "splitting": [("folding", "refine")],
    "certificate": [("engine", "certified")],
}
"""Functions of `splinescope.tessellation.planar`, loaded when they are timed: scenes serve other versions, too."""


@contextmanager
def split_clock() -> Iterator[Counter[str]]:
    """Seconds spent in each part."""
    parts: Counter[str] = Counter()
    originals = []
    for part, places in PARTS.items():
        for file, name in places:
            module = import_module(f"splinescope.tessellation.planar.{file}")
            function = getattr(module, name)
            originals.append((module, name, function))
            setattr(module, name, _timed(function, part, parts))
    try:
        yield parts
    finally:
        for module, name, function in originals:
            setattr(module, name, function)


def _timed(function: Callable[..., Any], part: str, parts: Counter[str]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            parts[part] += time.process_time() - start

    return run


def square(origin: np.ndarray, basis: np.ndarray, half: float) -> splinescope.Slice:
    """A square of a plane."""
    return splinescope.Slice(origin, basis, half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]))


def mnist_mlp() -> tuple[nn.Module, splinescope.Slice]:
    """784-200-200-200-10 and the plane of the reference count."""
    path = ASSETS / "reference_nets" / "N3full.npz"
    with np.load(path) as arrays:
        domain = square(arrays["c"], arrays["U"].T, float(arrays["half"]))
    return to_module(reference_weights("N3full", (784, 200, 200, 200, 10))), domain


def cifar_conv() -> tuple[nn.Module, splinescope.Slice]:
    """The CIFAR-sized convolutional reference net and its plane."""
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    folder = ASSETS / "reference_nets"
    module.load_state_dict(torch.load(folder / "N4_conv.pt", weights_only=True))
    with np.load(folder / "N4_plane.npz") as arrays:
        shape = (3, 32, 32)
        domain = square(arrays["c"].reshape(shape), arrays["U"].T.reshape(2, *shape), float(arrays["half"]))
    return module.eval(), domain


def resnet20(scale: float = 3e-4) -> tuple[nn.Module, splinescope.Slice]:
    """ResNet-20 and a small square around the centre of three CIFAR-10 test images."""
    folder = ASSETS / "models" / "resnet20_cifar10"
    module, _ = build("resnet20_cifar10", next(folder.glob("*.th")))
    with np.load(ASSETS / "data" / "cifar10_test_subset" / "cifar10_test_subset.npz") as arrays:
        images = next(arrays[name] for name in arrays if arrays[name].ndim == 4)[:3].transpose(0, 3, 1, 2) / 255.0
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = (images - mean[:, None, None]) / deviation[:, None, None]
    whole = splinescope.Slice.through(*images)
    centre = whole.polygon.mean(axis=0)
    polygon = centre + scale * (whole.polygon - centre)
    return module.eval(), splinescope.Slice(whole.origin, whole.basis, polygon)


CASES = {"784-200-200-200-10": mnist_mlp, "CIFAR conv": cifar_conv, "ResNet-20": resnet20}


def loaded(name: str) -> tuple[splinescope.Network, splinescope.Slice]:
    """The network of a case, imported, and its plane."""
    module, domain = CASES[name]()
    return splinescope.from_torch(module, input_shape=domain.input_shape), domain


def one_pass(module: nn.Module, cells: splinescope.PolyhedralComplex) -> Callable[[], None]:
    """Torch's own forward pass in float64 at one point of each cell, some hundred at a time."""
    module = copy.deepcopy(module).double()
    inputs = torch.from_numpy(cells.domain.embed(cells.interior_points))

    def run() -> None:
        with torch.no_grad():
            for rows in inputs.split(128):
                module(rows)

    return run


def measure(name: str, repeats: int) -> dict[str, Any]:
    """The best of several runs, split into parts, in turn with passes."""
    network, domain = loaded(name)
    passed = one_pass(CASES[name]()[0], splinescope.tessellate(network, domain))
    best, least = {"seconds": math.inf}, math.inf
    for _ in range(repeats):
        with split_clock() as parts:
            start = time.process_time()
            cells = splinescope.tessellate(network, domain)
            total = time.process_time() - start
        least = min(least, seconds(passed, time.process_time))
        if total < best["seconds"]:
            best = {"case": name, "cells": len(cells), "seconds": total, **{part: parts[part] for part in PARTS}}
    best["forward pass"] = least
    best["total / forward pass"] = best["seconds"] / least
    best["total / evaluation (without certificate)"] = (best["seconds"] - best["certificate"]) / best["evaluation"]
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()
    for name in options.cases:
        row = measure(name, options.repeats)
        sys.stdout.write(
            ", ".join(f"{k}: {v:.3f}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items()) + "\n"
        )
        sys.stdout.flush()
        kept = {known["case"]: known for known in saved("real")}
        save("real", list({**kept, name: row}.values()))  # others stay as they were measured


if __name__ == "__main__":
    main()
