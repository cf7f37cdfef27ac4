"""Imports of the networks that people use at their natural sizes, each in a process of its own; writes the table of them.

`python -m tests.network.natural_sizes` writes the page; with a name it imports one network and prints what it found.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.network.natural_models import INPUT, MODELS, seeded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
HEAD = """# Networks of natural size

Convolutional networks written anew from their papers, with random weights, at inputs of 3 x 224 x 224: the import with its
comparison, and a slice through three random inputs that is stopped at 100 cells. The deviation is the largest from the
module in float32, relative to the largest output. Memory is the peak of the whole process, torch and the module with it.
`python -m tests.network.natural_sizes` writes this page; `tests/network/test_natural_sizes.py` repeats it with
`--thorough`, and one of them in every run.

"""
COLUMNS = ("Network", "Parameters", "Units", "Deviation", "Import", "100 cells", "Memory")
CELLS, RADIUS = 100, 1e-5


def measured(name: str) -> dict[str, Any]:
    """What another process finds out about one of the networks."""
    command = [sys.executable, "-m", "tests.network.natural_sizes", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str) -> dict[str, Any]:
    """Import one of the networks and cut a slice."""
    import torch

    import splinescope

    torch.set_num_threads(1)
    module = seeded(name)
    started = time.perf_counter()
    network = splinescope.load(module, INPUT, output="fine" if name == "YOLO-like" else None)
    imported = time.perf_counter()
    generator = np.random.default_rng(0)
    center, sides = generator.normal(size=INPUT), RADIUS * generator.normal(size=(2, *INPUT))
    plane = splinescope.Slice.through(center, center + sides[0], center + sides[1])
    cells = splinescope.tessellate(network, plane, verify="topology", max_cells=CELLS)
    return {
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "units": network.num_units,
        "deviation": network.import_report.max_relative,
        "seconds": imported - started,
        "cells": len(cells),
        "slice_seconds": time.perf_counter() - imported,
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def row(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    cells = (
        name, f"{found['parameters']:,}", f"{found['units']:,}", f"{found['deviation']:.1e}",
        f"{found['seconds']:.0f} s", f"{found['slice_seconds']:.0f} s", f"{found['bytes'] / 2**30:.1f} GiB",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Write the page, or measure one network."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(sys.argv[1])) + "\n")
        return
    text = HEAD + f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
    for name in MODELS:
        text += row(name, measured(name))
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
