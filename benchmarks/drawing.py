"""Seconds to draw 131,696 cells as PNG, SVG and PDF."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import matplotlib

import splinescope
from benchmarks.common import reference_weights, save, to_module
from splinescope.plotting import plot_tessellation, save_figure


def main() -> None:
    """Draw, save, print."""
    matplotlib.use("Agg")
    network = splinescope.load(to_module(reference_weights("N2", (2, 256, 256, 256, 10))), input_shape=(2,))
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
    rows = {"cells": len(cells)}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("png", "svg", "pdf"):
            start = time.perf_counter()
            axes = plot_tessellation(cells, "pattern")
            save_figure(axes.figure, Path(folder) / f"cells.{kind}")
            rows[f"{kind} seconds"] = time.perf_counter() - start
    sys.stdout.write(f"{rows}\n")
    save("drawing", rows)


if __name__ == "__main__":
    main()
