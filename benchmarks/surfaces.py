"""Exact level sets of signed-distance networks, beside marching cubes on grids of the same network."""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from typing import Any

import numpy as np

import splinescope
from benchmarks.common import ASSETS, alternate, reference_weights, save, saved, seconds, to_module
from splinescope.network import Network
from splinescope.tessellation.surface import level_set
from splinescope.tessellation.surface import pruning as bounds

BOX = splinescope.Box([-1.0] * 3, [1.0] * 3)
FILES = {
    "bunny 3-16x3-1": "models/res_bunny_3d_3x16",
    "fox 3-32x8-1": "models/niq_fox",
    "birdcage 3-64x8-1": "models/niq_birdcage_occ",
}
GRIDS = (64, 128, 256)


def network_of(case: str) -> Network | None:
    """A network of the assets, or None where they are absent."""
    folder = ASSETS / FILES[case]
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    if not found:
        return None
    if found[0].suffix == ".npz":
        return splinescope.load(found[0])
    import torch

    state = torch.load(found[0], map_location="cpu", weights_only=True)
    names = sorted(name.removesuffix(".weight") for name in state if name.endswith(".weight"))
    weights = [(state[f"{n}.weight"].double().numpy(), state[f"{n}.bias"].double().numpy()) for n in names]
    return splinescope.load(to_module(weights), input_shape=(3,))


def measure(case: str, network: Network, level: float, repeats: int) -> dict[str, Any]:
    """All figures of one network."""
    mesh = level_set(network, BOX, level=level)
    times = alternate(
        {
            "topology": lambda: level_set(network, BOX, level=level, verify="topology"),
            "values": lambda: level_set(network, BOX, level=level),
        },
        repeats,
    )
    row: dict[str, Any] = {
        "case": case,
        "polygons": len(mesh),
        "parts": mesh.num_parts,
        "euler_characteristic": mesh.euler_characteristic,
        "watertight": mesh.is_watertight,
        "largest |f| at a vertex": float(np.abs(network(mesh.vertices).reshape(-1) - level).max(initial=0.0)),
        "seconds": {name: min(values) for name, values in times.items()},
        "seconds of bounds": bounds_share(network, level),
        "peak memory (GB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    row["polygons/s (values)"] = len(mesh) / row["seconds"]["values"]
    return row | marching_cubes(network, level)


def bounds_share(network: Network, level: float) -> float:
    """Seconds of one run that go into bounds, on which cells to leave out."""
    spent, ask = [0.0], bounds.may_meet

    def timed(*arguments: Any) -> np.ndarray:
        start = time.perf_counter()
        answer = ask(*arguments)
        spent[0] += time.perf_counter() - start
        return answer

    bounds.may_meet = timed
    try:
        level_set(network, BOX, level=level, verify="topology")
    finally:
        bounds.may_meet = ask
    return spent[0]


def marching_cubes(network: Network, level: float) -> dict[str, Any]:
    """The same surface from grids, if scikit-image is installed: time, triangles, and how far off its vertices are."""
    try:
        measure_module = importlib.import_module("skimage.measure")
    except ImportError:
        return {}
    rows = {}
    for size in GRIDS:
        axis = np.linspace(-1, 1, size)
        values = np.empty((size, size, size))

        def evaluate(values: np.ndarray = values, axis: np.ndarray = axis) -> None:
            for index, x in enumerate(axis):
                y, z = np.meshgrid(axis, axis, indexing="ij")
                points = np.stack([np.full(y.size, x), y.ravel(), z.ravel()], axis=1)
                values[index] = network(points).reshape(y.shape)

        evaluation = seconds(evaluate)
        start = time.perf_counter()
        vertices, faces, _, _ = measure_module.marching_cubes(values, level)
        tracing = time.perf_counter() - start
        places = vertices * (2 / (size - 1)) - 1
        edges = len(np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0))
        rows[f"marching cubes {size}^3"] = {
            "seconds": evaluation + tracing,
            "of which evaluation": evaluation,
            "triangles": len(faces),
            "euler_characteristic": len(vertices) - edges + len(faces),
            "largest |f| at a vertex": float(np.abs(network(places).reshape(-1) - level).max()),
        }
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="the birdcage too: minutes, 2 GB")
    options = parser.parse_args()
    rows = []
    n5 = splinescope.load(to_module(reference_weights("N5", (3, 32, 32, 32, 1))), input_shape=(3,))
    rows.append(measure("N5 3-32x3-1", n5, 0.0, options.repeats))
    for case in FILES:
        network = network_of(case) if options.large or "birdcage" not in case else None
        if network is not None:
            rows.append(measure(case, network, 0.0, options.repeats if "birdcage" not in case else 1))
    for row in rows:
        sys.stdout.write(json.dumps(row, indent=1) + "\n")
    kept = {row["case"]: row for row in saved("surfaces")}
    save("surfaces", list({**kept, **{row["case"]: row for row in rows}}.values()))  # the birdcage stays as measured


if __name__ == "__main__":
    main()
