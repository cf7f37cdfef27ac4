"""At least five million cells in one slice within 8 GiB, by finishing parts depth first and streaming them to a "
"folder."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time

import splinescope
from benchmarks.common import mlp_weights, save, to_module


def main() -> None:
    """Tessellate, print cells, seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1130)
    parser.add_argument("--half", type=float, default=10.0)
    parser.add_argument("--budget", type=int, default=1 << 30, help="bytes for values at vertices")
    options = parser.parse_args()
    network = splinescope.load(to_module(mlp_weights((2, *(options.width,) * 3, 10))), input_shape=(2,))
    domain = splinescope.Slice.box([-options.half] * 2, [options.half] * 2)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        cells = splinescope.tessellate(
            network, domain, verify="topology", memory_budget=options.budget, store=folder, progress=True
        )
    row = {
        "cells": len(cells),
        "seconds": time.perf_counter() - start,
        "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "certificate": cells.certificate.to_dict(),
    }
    sys.stdout.write(f"{row}\n")
    save("streaming", row)


if __name__ == "__main__":
    main()
