"""Preimages beside enumeration without pruning and random points; verdicts on networks that others made."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import splinescope
from benchmarks.common import ASSETS, mlp_weights, save, to_module
from splinescope import Box, Network
from splinescope.cli.originals import original_of
from splinescope.preimage import ClassTarget, Preimage, Target, preimage_of, read_vnnlib
from splinescope.preimage.boxes import uniform
from splinescope.tessellation.region_graph import region_graph

MODELS = ASSETS / "models"
ACAS = MODELS / "acasxu_open" / "ACASXU_run2a_{}_batch_2000.onnx"
PROPERTIES = MODELS / "acasxu_properties" / "prop_{}.vnnlib.gz"

CONTROLLERS = (
    "rl_cartpole",
    "rl_lunarlander",
    "reach_prob_vdp",
    "reach_prob_gcas",
    "tll_N8_0",
    "tll_N8_2",
    "tll_N16_0",
)
"""Folders with one network and its specifications; that of the quadrotor is not piecewise affine.

"Safe" and "unsafe" in the names of specifications are about the state, not about the verdict.
"""

KNOWN = {
    ("1_1", 1): "holds", ("1_1", 3): "holds", ("1_1", 4): "holds", ("1_7", 3): "violated", ("1_7", 4): "violated",
    ("1_9", 3): "violated", ("1_9", 4): "violated", ("1_1", 5): "holds", ("1_1", 6): "holds", ("1_9", 7): "violated",
    ("3_3", 9): "holds", ("3_3", 3): "holds", ("5_5", 4): "holds",
}  # fmt: skip
"""Verdicts on ACAS Xu as published (Katz et al. 2017, Bak et al. 2021); `instances.csv` lists pairs and time limits."""


def beside(every: bool) -> dict[str, tuple[Network, Target, Box]]:
    """What is measured beside enumeration: networks of a formula, and classes of ACAS Xu in small boxes."""
    found: dict[str, tuple[Network, Target, Box]] = {}
    for inputs, outputs in ((3, 5), (5, 3)):
        network = splinescope.load(to_module(mlp_weights((inputs, 8, 8, outputs))), input_shape=(inputs,))
        box = Box([-1.0] * inputs, [1.0] * inputs)
        classes = network(np.random.default_rng(0).uniform(-1, 1, (20_000, inputs))).argmax(axis=1)
        counts = np.bincount(classes, minlength=outputs)
        rarest = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        found[f"({inputs}, 8, 8, {outputs}), class {rarest}"] = (network, ClassTarget(rarest), box)
    if Path(str(ACAS).format("1_1")).exists():
        network = splinescope.load(str(ACAS).format("1_1"))
        small = Box([-0.02] * 5, [0.02] * 5)
        found["ACAS Xu 1_1, class 1, half-width 0.02"] = (network, ClassTarget(1, smallest=True), small)
        found["ACAS Xu 1_1, class 0, half-width 0.02"] = (network, ClassTarget(0, smallest=True), small)
        for number in (4, 3) if every else (4,):
            (asked,) = read_vnnlib(str(PROPERTIES).format(number))
            found[f"ACAS Xu 1_1, property {number}"] = (network, asked.target, Box(asked.low, asked.high))
        mixed = Box([0.1, -0.05, -0.05, 0.3, 0.3], [0.14, 0.0, 0.0, 0.34, 0.34])
        found["ACAS Xu 1_1, class 4, where it is rare"] = (network, ClassTarget(4, smallest=True), mixed)
    return found


def compared(network: Network, target: Target, domain: Box) -> dict[str, Any]:
    """Cells, processor seconds and volume of the three ways."""
    start = time.process_time()
    found = preimage_of(network, target, domain)
    mine = time.process_time() - start
    start = time.process_time()
    graph = region_graph(network, domain)
    inside = int(target.contains(graph_outputs(network, domain, graph.interior_points)).sum())
    all_cells = time.process_time() - start
    start = time.process_time()
    drawn = found.estimate(100_000, np.random.default_rng(1), level=0.99)
    random = time.process_time() - start
    assert drawn.low <= found.volume_bounds[1] + 1e-300, "random points are outside the bounds"
    assert drawn.high >= found.volume_bounds[0], "random points are outside the bounds"
    return {
        "cells looked at": found.cells,
        "pieces": len(found),
        "processor seconds": mine,
        "volume": found.volume,
        "share": found.volume / domain.measure,
        "all cells": len(graph),
        "of them with the centre in the target": inside,
        "processor seconds of all cells": all_cells,
        "fewer": len(graph) / max(1, found.cells),
        "random points, share": drawn.middle / domain.measure,
        "their interval": [drawn.low / domain.measure, drawn.high / domain.measure],
        "processor seconds of 100,000 points": random,
    }


def graph_outputs(network: Network, domain: Box, points: np.ndarray) -> np.ndarray:
    """Outputs at points of a domain."""
    return np.asarray(network(domain.embed(points))).reshape(len(points), -1)


def specifications() -> list[tuple[str, Path, Path, str | None]]:
    """Name, network, specification and known verdict of what is decided."""
    found: list[tuple[str, Path, Path, str | None]] = []
    for name in CONTROLLERS:
        for spec in sorted((MODELS / name / "specs").glob("*.vnnlib*")):
            (network,) = sorted((MODELS / name).glob("*.onnx*"))
            found.append((spec.name.split(".")[0], network, spec, None))
    for (net, number), verdict in KNOWN.items():
        network, spec = Path(str(ACAS).format(net)), Path(str(PROPERTIES).format(number))
        if network.exists():
            found.append((f"ACAS Xu {net}, property {number}", network, spec, verdict))
    return found


def decided(path: Path, spec: Path, seconds: float) -> dict[str, Any]:
    """Verdict, share of the inputs that violate it, and whether random points agree; within some seconds."""
    network = splinescope.load(path)
    original = original_of(str(path), network) or network
    questions = read_vnnlib(spec)
    start, spent = time.perf_counter(), time.process_time()
    found = [
        preimage_of(
            network,
            asked.target,
            Box(asked.low.reshape(network.input_shape), asked.high.reshape(network.input_shape)),
            time_limit=seconds / len(questions),
        )
        for asked in questions
    ]
    took, busy = time.perf_counter() - start, time.process_time() - spent
    confirmed = [example for answer in found if (example := counterexample(answer, original)) is not None]
    holds = all(answer.complete and not len(answer) for answer in found)
    bounds = np.sum([answer.volume_bounds for answer in found], axis=0) / sum(answer.domain.measure for answer in found)
    return {
        "verdict": "violated" if confirmed else "holds" if holds else "unknown",
        "counterexample": confirmed[0] if confirmed else None,
        "share": bounds.tolist(),
        "complete": all(answer.complete for answer in found),
        "dimension": found[0].dimension,
        "pieces": sum(map(len, found)),
        "cells": sum(answer.cells for answer in found),
        "seconds": took,
        "processor seconds": busy,
        "random points agree": all(agrees(answer) for answer in found),
    }


def counterexample(answer: Preimage, original: Any) -> list[float] | None:
    """An input that the original maps into the target."""
    drawn = uniform(answer.domain, 20_000, np.random.default_rng(0))
    hits = drawn[answer.target.contains(answer.outputs(drawn))]
    order = np.argsort(-np.nan_to_num(answer.measures), kind="stable")[:64]
    inside = (answer.left.low + answer.left.high)[answer.left.inside][:64] / 2
    inputs = answer.domain.embed(np.concatenate([answer.witnesses[order], inside, hits[:64]]))
    if not len(inputs):
        return None
    right = answer.target.contains(np.asarray(original(inputs), np.float64).reshape(len(inputs), -1))
    return inputs[int(right.argmax())].ravel().tolist() if right.any() else None


def agrees(answer: Preimage) -> bool:
    """Whether the interval of random points meets the bounds."""
    drawn, (low, high) = answer.estimate(20_000, np.random.default_rng(2), level=1 - 1e-6), answer.volume_bounds
    return drawn.low <= high + 1e-12 * answer.domain.measure and drawn.high >= low


def show(name: str, row: dict[str, Any]) -> None:
    """One line."""
    parts = [f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()]
    print(f"{name}: " + ", ".join(part for part in parts if not part.startswith("counterexample")), flush=True)


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each specification")
    parser.add_argument("--only", default="", help="part of the names of what is measured")
    parser.add_argument("--every", action="store_true", help="also what takes minutes")
    options = parser.parse_args()
    for d in (2, 3, 4, 5, 8):
        warm = splinescope.load(to_module(mlp_weights((d, 4, 2))), input_shape=(d,))
        compared(warm, ClassTarget(0), Box([-1.0] * d, [1.0] * d))
    results: dict[str, Any] = {"beside": {}, "verdicts": {}, "seconds": options.seconds}
    for name, (network, target, domain) in beside(options.every).items():
        if options.only in name:
            results["beside"][name] = compared(network, target, domain)
            show(name, results["beside"][name])
    for name, path, spec, known in specifications():
        if options.only not in name:
            continue
        row = decided(path, spec, options.seconds)
        row |= {"known": known, "agrees": known is None or row["verdict"] in (known, "unknown")}
        results["verdicts"][name] = row
        show(name, row)
        if not options.only:
            save("preimage", results)


if __name__ == "__main__":
    main()
