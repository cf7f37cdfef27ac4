"""What deciding every sign exactly costs: this checkout beside another one, in turn, and the share of exact signs.

Each measurement is a process of its own on one thread, and what counts is its processor time, so that the two
checkouts may be of different versions and other work on the machine matters little.

    python -m benchmarks.exactness --against ../before --cases N1 N2 --levels topology values
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, in_checkout, save

MLPS = {"N1": (2, 64, 64, 64, 1), "N2": (2, 256, 256, 256, 10), "N5s": (3, 16, 16, 16, 1), "N5": (3, 32, 32, 32, 1)}
CASES = ("N1", "N2", "N3", "N4", "N5s", "N5", "ResNet-20", "ACAS")
ACAS, ACAS_HALF = "acasxu_open/ACASXU_run2a_1_1_batch_2000.onnx", 0.03
"""The network of the assets, and half the side of its box around zero: a region graph of 2,815 cells."""

PROGRAM = """
import json, sys, time
import torch
torch.set_num_threads(1)
import splinescope
from benchmarks.exactness import scene
from splinescope.tessellation.region_graph import region_graph
network, domain = scene(sys.argv[1])
cut = region_graph if domain.dimension > 4 else splinescope.tessellate
times = []
for _ in range(1 + int(sys.argv[3])):
    start = time.process_time()
    cells = cut(network, domain, verify=sys.argv[2])
    times.append(time.process_time() - start)
decisions = getattr(cells, "decisions", None)
signs = None if decisions is None else [decisions.signs, decisions.exact]
print(json.dumps({"cells": len(cells), "seconds": min(times[1:]), "signs": signs}))
"""


def scene(name: str) -> tuple[Any, Any]:
    """A network and a domain by name."""
    import splinescope
    from benchmarks import real
    from benchmarks.common import ASSETS, reference_weights, to_module

    if name in MLPS:
        widths = MLPS[name]
        network = splinescope.load(to_module(reference_weights(name, widths)), input_shape=widths[:1])
        low, high = [-1.0] * widths[0], [1.0] * widths[0]
        return network, splinescope.Slice.box(low, high) if widths[0] == 2 else splinescope.Box(low, high)
    if name == "ACAS":
        network = splinescope.load(ASSETS / "models" / ACAS)
        corner = np.full(network.input_shape, ACAS_HALF)
        return network, splinescope.Box(-corner, corner)
    return real.loaded({"N3": "784-200-200-200-10", "N4": "CIFAR conv"}.get(name, name))


def run(checkout: Path, case: str, level: str, repeats: int) -> dict[str, Any]:
    """One process: the source of a checkout under the benchmarks of this one."""
    return in_checkout(checkout, PROGRAM, case, level, str(repeats))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout; without it, only this one is measured")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--levels", nargs="*", default=["topology", "values"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    rows = []
    for case in options.cases:
        for level in options.levels:
            rows.append(_compared(case, level, options))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    save("exactness", rows)


def _compared(case: str, level: str, options: argparse.Namespace) -> dict[str, Any]:
    """The best of several rounds, both checkouts in turn."""
    here = ROOT.parent
    best: dict[Path, dict[str, Any]] = {}
    for _ in range(options.rounds):
        for checkout in [here, *([options.against.resolve()] if options.against else [])]:
            seen = run(checkout, case, level, options.repeats)
            if checkout not in best or seen["seconds"] < best[checkout]["seconds"]:
                best[checkout] = seen
    row = {"case": case, "level": level, **best[here]}
    if options.against:
        row["before"] = best[options.against.resolve()]["seconds"]
        row["ratio"] = row["seconds"] / row["before"]
    return row


if __name__ == "__main__":
    main()
