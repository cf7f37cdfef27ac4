"""Many slices at once beside one after the other; small slices alone, here and in another checkout, in turn."""

from __future__ import annotations

import argparse
import itertools
import json
import os
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
from benchmarks.common import ROOT, reference_weights, save, to_module
from splinescope.complexity import local_complexity

LEVELS = ("topology", "values", "proof")
SINGLE = {"N1, the whole": 1.0, "N1, a third": 0.3, "N1, a tenth": 0.1, "N1, a thirtieth": 0.03}
"""Squares of N1: from minus this number to a fifth of it, the first one from minus to plus."""


def processor(function: Callable[[], Any]) -> float:
    """Processor seconds of one call: other work on the machine counts less than in wall-clock time."""
    start = time.process_time()
    function()
    return time.process_time() - start


def in_turn(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least processor seconds of several functions called in turn."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(processor(function))
    return {name: min(values) for name, values in times.items()}


def module(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network and the shape of its inputs; parameters as torch draws them."""
    torch.manual_seed(0)
    if name == "convolutions":
        conv = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1))
        return (conv + nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(128, 10))).double(), (1, 8, 8)
    widths = {"6-32-32-3": (6, 32, 32, 3), "64-64-64-64-10": (64, 64, 64, 64, 10)}[name]
    layers = [layer for n, m in itertools.pairwise(widths) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers[:-1]).double(), widths[:1]


BATCHES = {"6-32-32-3": (0.15, 1000), "64-64-64-64-10": (0.05, 1000), "convolutions": (0.02, 20)}
"""Size and number of the planes through three points each."""


def planes(name: str, shape: tuple[int, ...]) -> list[splinescope.Slice]:
    """Planes through three points near one another."""
    size, count = BATCHES[name]
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(count, 1, *shape))
    return [splinescope.Slice.through(*points) for points in centres + size * rng.normal(size=(count, 3, *shape))]


def batches(repeats: int) -> list[dict[str, Any]]:
    """Milliseconds per slice, at once and one after the other, at each level."""
    rows = []
    for name in BATCHES:
        net, shape = module(name)
        network, given = splinescope.load(net, input_shape=shape), planes(name, shape)
        for level in LEVELS:
            found = splinescope.tessellate_slices(network, given, verify=level)
            some = given[:: max(1, len(given) // 50)]

            def loop(network: Any = network, some: Any = some, level: str = level) -> list[int]:
                return [len(splinescope.tessellate(network, domain, verify=level)) for domain in some]

            assert loop() == found.cells_per_slice[:: max(1, len(given) // 50)].tolist()
            at_once = lambda: splinescope.tessellate_slices(network, given, verify=level)  # noqa: B023, E731
            best = in_turn({"at once": at_once, "loop": loop}, repeats)
            row = {"network": name, "slices": len(given), "cells per slice": float(found.cells_per_slice.mean())}
            row |= {"verify": level, "ms at once": 1e3 * best["at once"] / len(given)}
            row |= {"ms one after the other": 1e3 * best["loop"] / len(some)}
            row |= {"ratio": row["ms one after the other"] / row["ms at once"]}
            sys.stderr.write(json.dumps(row) + "\n")
            rows.append(row)
    return rows


def single(repeats: int) -> dict[str, Any]:
    """Milliseconds of slices of N1 alone, and of exact local complexity at a thousand points, in this checkout."""
    network = splinescope.load(to_module(reference_weights("N1", (2, 64, 64, 64, 1))), input_shape=(2,))
    rows: dict[str, Any] = {}
    for name, half in SINGLE.items():
        domain = splinescope.Slice.box([-half, -half], [half if half == 1.0 else half / 5] * 2)
        cells = len(splinescope.tessellate(network, domain))
        calls = {
            level: lambda domain=domain, level=level: splinescope.tessellate(network, domain, verify=level)
            for level in LEVELS
        }
        rows[name] = {"cells": cells, **{level: 1e3 * t for level, t in in_turn(calls, repeats).items()}}
    net, _ = module("64-64-64-64-10")
    points = torch.from_numpy(np.random.default_rng(2).normal(size=(300, 64)))

    def count() -> Any:
        return local_complexity(net, points, 0.1, mode="exact")

    count()
    rows["local complexity, ms per point"] = 1e3 * processor(count) / len(points)
    return rows


def elsewhere(source: Path, repeats: int) -> dict[str, Any]:
    """The same in the checkout whose `src` folder is given."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT.parent)])}
    command = [sys.executable, "-m", "benchmarks.slices", "--single", "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT.parent)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(before: Path, rounds: int, repeats: int) -> dict[str, Any]:
    """Both checkouts in turn; the least of each figure."""
    found: dict[str, list[dict[str, Any]]] = {"before": [], "now": []}
    for _ in range(rounds):
        found["before"].append(elsewhere(before, repeats))
        found["now"].append(elsewhere(ROOT.parent / "src", repeats))

    def least(values: list[Any]) -> Any:
        if isinstance(values[0], dict):
            return {key: least([value[key] for value in values]) for key in values[0]}
        return min(values)

    both: dict[str, Any] = {key: least(values) for key, values in found.items()}

    def ratio(before: Any, now: Any) -> Any:
        return {key: ratio(before[key], now[key]) for key in now} if isinstance(now, dict) else before / now

    return {**both, "before / now": ratio(both["before"], both["now"])}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each checkout")
    parser.add_argument("--before", type=Path, help="the `src` folder of another checkout, to compare with")
    parser.add_argument("--single", action="store_true", help="slices alone, as one line of JSON")
    options = parser.parse_args()
    if options.single:
        sys.stdout.write(json.dumps(single(options.repeats)) + "\n")
        return
    results: dict[str, Any] = {"seconds of": "the processor", "at once": batches(max(1, options.repeats // 2))}
    if options.before is not None:
        results["alone"] = compared(options.before, options.rounds, options.repeats)
    sys.stdout.write(json.dumps(results, indent=1) + "\n")
    save("slices", results)


if __name__ == "__main__":
    main()
