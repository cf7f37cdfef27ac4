"""What the first call of a fresh process costs, with compiled kernels at hand and without any.

    python -m benchmarks.startup
    python -m benchmarks.startup --compile    with an empty cache of kernels, too: about a minute

Each process imports torch, then splinescope, and cuts a small plane twice. Processor seconds and those of the wall's
clock, the least of some; bytecode is written before, as an installed package has it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.common import ROOT, save

PROGRAM = """
import json, time
clocks = time.process_time, time.perf_counter
marks = [[clock() for clock in clocks]]
def mark():
    marks.append([clock() for clock in clocks])
import torch
mark()
import splinescope
mark()
from torch.nn import Linear, ReLU, Sequential
module = Sequential(Linear(2, 32), ReLU(), Linear(32, 32), ReLU(), Linear(32, 3))
for _ in range(2):
    splinescope.tessellate(module, splinescope.Slice.box([-1, -1], [1, 1]))
    mark()
names = "torch", "splinescope", "first call", "second call"
steps = [[b - a for a, b in zip(*two)] for two in zip(marks, marks[1:])]
print(json.dumps({name: [round(x, 2) for x in step] for name, step in zip(names, steps)}))
"""


def fresh(environment: dict[str, str]) -> dict[str, list[float]]:
    """[processor time, wall clock] of each step in a process of its own."""
    command = [sys.executable, "-c", PROGRAM]
    path = os.pathsep.join([str(ROOT.parent / "src"), str(ROOT.parent)])
    everything = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    everything.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=everything)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def least(runs: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The least of each figure."""
    return {name: [min(both) for both in zip(*(run[name] for run in runs), strict=True)] for name in runs[0]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="with an empty cache of kernels, too")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        bytecode = {"PYTHONPYCACHEPREFIX": folder + "/bytecode"}
        fresh(bytecode)
        rows.append({"kernels": "at hand", **least([fresh(bytecode) for _ in range(options.runs)])})
        if options.compile:
            rows.append({"kernels": "none", **fresh({**bytecode, "NUMBA_CACHE_DIR": folder + "/kernels"})})
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
    save("startup", rows)


if __name__ == "__main__":
    main()
