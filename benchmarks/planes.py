"""Planar slices of MLPs: splinescope beside its floor, regioncam and relucent, in one run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import splinescope
from benchmarks.common import ROOT, alternate, products_floor, products_needed, reference_weights, save, to_module

PEERS = ROOT.parent / ".venv-bench"
CASES = {
    "N1 [-1, 1]": ("N1", (2, 64, 64, 64, 1), 1.0),
    "N1 [-10, 10]": ("N1", (2, 64, 64, 64, 1), 10.0),
    "N2 [-1, 1]": ("N2", (2, 256, 256, 256, 10), 1.0),
}


def peer_python() -> Path:
    """Python of the environment with the peers, made if it is not there."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        constraints = ["-c", str(ROOT.parent / "constraints.txt")]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *constraints, "torch", "numpy"], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "regioncam==0.5.2", "relucent"], check=True)
    return python


def run_peer(name: str, weights: list[tuple[np.ndarray, np.ndarray]], half: float, limit: float) -> dict[str, Any]:
    """What a peer takes, or why it did not finish."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        arrays = {f"{kind}{i}": pair[j] for i, pair in enumerate(weights) for j, kind in enumerate("Wb")}
        np.savez(path, **arrays)
        command = [str(peer_python()), str(ROOT / "peer.py"), name, str(path), str(half), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure(case: str, repeats: int, peers: bool) -> dict[str, Any]:
    """All figures of one network."""
    name, widths, half = CASES[case]
    weights = reference_weights(name, widths)
    module = to_module(weights)
    network = splinescope.load(module, input_shape=(2,))
    domain = splinescope.Slice.box([-half, -half], [half, half])
    cells = splinescope.tessellate(network, domain)
    inside = torch.from_numpy(domain.embed(cells.interior_points))

    def forward() -> None:
        with torch.no_grad():
            module(inside)

    times = alternate(
        {
            "products": products_floor(products_needed(network, domain)),
            "topology": lambda: splinescope.tessellate(network, domain, verify="topology"),
            "forward": forward,
            "values": lambda: splinescope.tessellate(network, domain),
            "proof": lambda: splinescope.tessellate(network, domain, verify="proof"),
        },
        repeats,
    )
    best = {key: min(values) for key, values in times.items()}
    row: dict[str, Any] = {"case": case, "cells": len(cells), "seconds": best}
    decisions = cells.decisions
    row["signs"], row["signs decided exactly"] = decisions.signs, decisions.exact
    row["topology / products"] = best["topology"] / best["products"]
    row["values / (products + forward)"] = best["values"] / (best["products"] + best["forward"])
    row["M cells/s (topology)"] = len(cells) / best["topology"] / 1e6
    if peers:
        row["regioncam"] = run_peer("regioncam", weights, half, 5.0)
        row["relucent"] = run_peer("relucent", weights, half, 30.0)
        row |= _ratios(row)
    return row


def _ratios(row: dict[str, Any]) -> dict[str, float]:
    """How much faster than each peer."""
    ratios = {}
    for level in ("topology", "values"):
        rate = row["cells"] / row["seconds"][level]
        for peer in ("regioncam", "relucent"):
            if "seconds" in row[peer]:
                ratios[f"x {peer} ({level})"] = rate / (row[peer]["cells"] / row[peer]["seconds"])
    return ratios


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    rows = [measure(case, options.repeats, not options.no_peers) for case in CASES]
    for row in rows:
        sys.stdout.write(json.dumps(row, indent=1) + "\n")
    save("planes", rows)


if __name__ == "__main__":
    main()
