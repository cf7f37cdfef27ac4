"""Cost per cell over width and depth: it should grow no faster than their product."""

from __future__ import annotations

import argparse
import sys

import splinescope
from benchmarks.common import alternate, mlp_weights, products_floor, products_needed, save, to_module

TARGET_CELLS = 40_000


def square(width: int, depth: int) -> splinescope.Slice:
    """A square in which a net of this size has some tens of thousands of cells: their number grows as (N half)^2."""
    half = min(1.0, (TARGET_CELLS / 2) ** 0.5 / (width * depth) * 2.2)
    return splinescope.Slice.box([-half, -half], [half, half])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    shapes = [(width, 3) for width in (64, 128, 256, 512, 1024)] + [(128, depth) for depth in (2, 4, 6, 8, 10)]
    rows = []
    sys.stdout.write(
        f"{'width':>6} {'depth':>6} {'cells':>8} {'us/cell':>9} {'ns/(cell width depth)':>22} {'x products':>11}\n"
    )
    for width, depth in shapes:
        network = splinescope.load(to_module(mlp_weights((2, *(width,) * depth, 10))), input_shape=(2,))
        domain = square(width, depth)
        cells = len(splinescope.tessellate(network, domain, verify="topology"))
        functions = {
            "products": products_floor(products_needed(network, domain)),
            "topology": lambda network=network, domain=domain: splinescope.tessellate(
                network, domain, verify="topology"
            ),
        }
        best = {key: min(times) for key, times in alternate(functions, options.repeats).items()}
        per_cell = best["topology"] / cells * 1e6
        unit, ratio = per_cell * 1e3 / (width * depth), best["topology"] / best["products"]
        rows.append({"width": width, "depth": depth, "cells": cells, "us per cell": per_cell, "x products": ratio})
        sys.stdout.write(f"{width:6d} {depth:6d} {cells:8d} {per_cell:9.2f} {unit:22.2f} {ratio:11.2f}\n")
    save("sweep", rows)


if __name__ == "__main__":
    main()
