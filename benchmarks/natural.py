"""The networks that people use, at 224 x 224: import, and a slice with a limit of cells; seconds and peak memory.

Each one has a process of its own, so that the peaks are its own: `python -m benchmarks.natural [NAME ...]`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.common import RESULTS, save

MAX_CELLS = 20
BUDGET = 2 << 30
"""Bytes for the values at vertices."""


def measured(name: str) -> dict[str, Any]:
    """What a network takes: sizes, seconds and peaks of the process in bytes."""
    import torch
    from tests.network.natural_models import INPUT, seeded

    from splinescope import Slice, tessellate
    from splinescope.network import from_torch

    torch.set_num_threads(1)
    module = seeded(name)
    before = _peak()
    started = time.perf_counter()
    network = from_torch(module, INPUT, output="fine" if name == "YOLO-like" else None)
    imported, after = time.perf_counter() - started, _peak()
    points = torch.randn(3, *INPUT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    started = time.perf_counter()
    cells = tessellate(network, Slice.through(*points.numpy()), max_cells=MAX_CELLS, memory_budget=BUDGET)
    return {
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "nodes": len(network.nodes),
        "units": network.num_units,
        "deviation": network.import_report.max_relative,
        "module_bytes": before,
        "import_seconds": imported,
        "import_bytes": after,
        "cells": len(cells),
        "certificate": cells.certificate.level,
        "slice_seconds": time.perf_counter() - started,
        "slice_bytes": _peak(),
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    from tests.network.natural_models import MODELS

    path = RESULTS / "natural.json"
    results = json.loads(path.read_text())["results"] if path.exists() else {}
    for name in sys.argv[1:] or MODELS:
        command = [sys.executable, "-c", f"from benchmarks import natural; natural.tell({name!r})"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr}")
        row = results[name] = json.loads(done.stdout.splitlines()[-1])
        print(
            name,
            *(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()),
        )
        save("natural", {name: results[name] for name in MODELS if name in results})


def tell(name: str) -> None:
    """Print what a network takes, for the process that asks."""
    print(json.dumps(measured(name)))


if __name__ == "__main__":
    main()
