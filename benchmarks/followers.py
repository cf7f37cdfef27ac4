"""Rows of dense layers that follow from others, beside products at all vertices: layer by layer, and in whole runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

import splinescope
from benchmarks.common import products_floor, products_needed, reference_weights, save, saved, to_module
from splinescope.network.graph import Network
from splinescope.tessellation.planar import piece
from splinescope.tessellation.planar.followers import anchors_of
from splinescope.tessellation.planar.streaming import streamed

CASES = {
    "2-256-256-256-10 (N2)": ("N2", (2, 256, 256, 256, 10), 1.0),
    "2-512-512-512-10": ("S512", (2, 512, 512, 512, 10), 1.0),
    "2-1024-1024-10": ("W1024", (2, 1024, 1024, 10), 0.15),
    "2-128-128-128-128-10": ("D128", (2, 128, 128, 128, 128, 10), 0.5),
}


@contextmanager
def least(saved: int) -> Iterator[None]:
    """Rows follow from others where that saves so many products."""
    before, piece.MANY = piece.MANY, saved
    try:
        yield
    finally:
        piece.MANY = before


def seconds(function: Any) -> float:
    """Processor seconds of one call, when torch's threads have gone to sleep after the one before."""
    time.sleep(0.3)
    start = time.process_time()
    function()
    return time.process_time() - start


def layers(network: Network, domain: splinescope.Slice) -> list[dict[str, Any]]:
    """What each layer's fold made, and processor seconds of the next layer's rows, with and without products at all."""
    rows: list[dict[str, Any]] = []

    def both(op: Any, size: int, before: Any, *rest: Any) -> Any:
        if not rest[-1]:
            return streamed(op, size, before, *rest)
        grown = before.grown()
        cut = np.diff(grown.cuts.cut_offsets[grown.cuts.group_offsets])
        chords = np.diff(grown.chords.offsets)
        inside = len(grown.fractions) - len(grown.cuts.tails)
        row = {
            "inputs": before.columns,
            "outputs": size,
            "vertices before": grown.old,
            "on edges": len(grown.cuts.tails),
        }
        row |= {"inside": inside, "anchors": len(anchors_of(grown)), "units per cut edge": float(cut[cut > 0].mean())}
        row |= {"units per cut cell": float(chords[chords > 0].mean())}
        for name, follow in (("follow", True), ("products", False)):
            row[name] = min(seconds(partial(streamed, op, size, before, *rest[:-1], follow)) for _ in range(3))
        rows.append(row)
        return streamed(op, size, before, *rest)

    piece.streamed = both
    try:
        with least(1):
            splinescope.tessellate(network, domain, verify="topology")
    finally:
        piece.streamed = streamed
    return rows


def measure(case: str, repeats: int) -> dict[str, Any]:
    """All figures of one network: least processor seconds of calls in turn."""
    name, widths, half = CASES[case]
    network = splinescope.load(to_module(reference_weights(name, widths)), input_shape=(2,))
    domain = splinescope.Slice.box([-half, -half], [half, half])
    tessellate = partial(splinescope.tessellate, network, domain, verify="topology")
    floor = products_floor(products_needed(network, domain))
    times: dict[str, list[float]] = {"products alone": [], "topology": [], "dense products": []}
    for _ in range(repeats):
        times["topology"].append(seconds(tessellate))
        with least(1 << 62):
            times["products alone"].append(seconds(tessellate))
        times["dense products"].append(seconds(floor))
    best = {key: min(values) for key, values in times.items()}
    row = {"case": case, "cells": len(tessellate()), "seconds": best, "layers": layers(network, domain)}
    return row | {
        "topology / dense products": best["topology"] / best["dense products"],
        "products alone / topology": best["products alone"] / best["topology"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    rows = {row["case"]: row for row in saved("followers").get("cases", [])}
    for case in options.cases:
        rows[case] = measure(case, options.repeats)
        sys.stdout.write(json.dumps(rows[case], indent=1) + "\n")
        sys.stdout.flush()
    save("followers", {"seconds of": "the processor", "cases": [rows[case] for case in CASES if case in rows]})


if __name__ == "__main__":
    main()
