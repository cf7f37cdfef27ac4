"""The networks that people use, at 224 x 224: import, and a slice with a limit of cells; seconds and peak memory.

Each one has a process of its own, so that the peaks are its own: `python -m benchmarks.natural [--cells N] [NAME ...]`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.common import RESULTS, save

MAX_CELLS = 100
"""Cells where no other number is asked for."""
BUDGET = 2 << 30
"""Bytes for the values at vertices."""


def main() -> None:
    from tests.network.natural_models import MODELS

    path = RESULTS / "natural.json"
    results = json.loads(path.read_text())["results"] if path.exists() else {}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.natural", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--cells", type=int, default=MAX_CELLS, help="most cells of a slice")
    options = parser.parse_args()
    for name in options.names or MODELS:
        call = f"natural.measure({name!r}, {options.cells})"
        command = [sys.executable, "-c", f"from benchmarks import natural; {call}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            row: dict[str, Any] = {}
            for line in child.stdout:
                row |= json.loads(line)
                print(name, line.strip(), flush=True)
                results[name] = row
                save("natural", {name: results[name] for name in MODELS if name in results})


def measure(name: str, max_cells: int) -> None:
    """Print what a network takes, in lines of JSON: sizes, seconds, and peaks of the process in bytes."""
    import torch
    from tests.network.natural_models import INPUT, seeded

    from splinescope import Slice, tessellate
    from splinescope.network import from_torch

    torch.set_num_threads(1)
    module = seeded(name)
    _tell(parameters=sum(weight.numel() for weight in module.parameters()), module_bytes=_peak())
    started = time.process_time()
    network = from_torch(module, INPUT, output="fine" if name == "YOLO-like" else None)
    _tell(
        import_seconds=time.process_time() - started,
        import_bytes=_peak(),
        units=network.num_units,
        samples=network.import_report.deviations[0].samples,
        deviation=network.import_report.max_relative,
    )
    points = torch.randn(3, *INPUT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    started = time.process_time()
    cells = tessellate(network, Slice.through(*points.numpy()), max_cells=max_cells, memory_budget=BUDGET)
    _tell(
        slice_seconds=time.process_time() - started,
        slice_bytes=_peak(),
        cells=len(cells),
        certificate=cells.certificate.level,
    )


def _tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
