"""Tessellations of three-dimensional domains beside edge subdivision, and what they take."""

from __future__ import annotations

import argparse
import resource
import sys
import time

import splinescope
from benchmarks.common import ASSETS, alternate, mlp_weights, reference_weights, save, to_module
from benchmarks.edge_subdivision import cells_of, subdivide

NETS = {"N5s": (3, 16, 16, 16, 1), "N5": (3, 32, 32, 32, 1)}
LARGE = {"fox": "niq_fox/fox.npz"}


def reference(name: str, repeats: int) -> dict[str, object]:
    """Times on one reference net: ours, with all faces and certificate; edge subdivision, without and with cells."""
    weights = reference_weights(name, NETS[name])
    network = splinescope.load(to_module(weights), input_shape=(3,))
    domain = splinescope.Box([-1.0] * 3, [1.0] * 3)
    ours = splinescope.tessellate(network, domain, verify="proof")
    points, signs, edges = subdivide(weights)
    assert (len(ours.vertices), len(ours.edges), len(ours)) == (len(points), len(edges), cells_of(signs, 3))

    def with_cells() -> int:
        return cells_of(subdivide(weights)[1], 3)

    functions = {
        **{
            level: lambda level=level: splinescope.tessellate(network, domain, verify=level)
            for level in ("topology", "values", "proof")
        },
        "edges only": lambda: subdivide(weights),
        "edges, then cells": with_cells,
    }
    best = {key: min(times) for key, times in alternate(functions, repeats).items()}
    return {
        "net": name,
        "cells": len(ours),
        "vertices": len(ours.vertices),
        "seconds": best,
        "cells per second": {key: len(ours) / time for key, time in best.items()},
        "times faster than edges, then cells": best["edges, then cells"] / best["topology"],
        "times faster than edges only": best["edges only"] / best["topology"],
    }


def large(name: str, max_cells: int) -> dict[str, object] | None:
    """One signed-distance network of the assets in the cube, with its peak memory."""
    path = ASSETS / "models" / LARGE[name]
    if not path.exists():
        return None
    network = splinescope.load(path)
    start = time.perf_counter()
    cells = splinescope.tessellate(
        network, splinescope.Box([-1.0] * 3, [1.0] * 3), verify="topology", max_cells=max_cells
    )
    return {
        "net": name,
        "cells": len(cells),
        "truncated": cells.truncated,
        "seconds": time.perf_counter() - start,
        "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def streamed(width: int, half: float, budget: int) -> dict[str, object]:
    """Ten million cells, finished part by part, with the peak memory of the process."""
    network = splinescope.load(to_module(mlp_weights((3, width, width, width, 1))), input_shape=(3,))
    domain = splinescope.Box([-half] * 3, [half] * 3)
    start, processor = time.perf_counter(), time.process_time()
    cells = splinescope.tessellate(network, domain, verify="topology", memory_budget=budget, progress=True)
    return {
        "net": f"3-{width}-{width}-{width}-1",
        "half width": half,
        "memory budget (GiB)": budget / 2**30,
        "cells": len(cells),
        "vertices": len(cells.vertices),
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - processor,
        "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "certificate": cells.certificate.to_dict(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--max-cells", type=int, default=3_000_000, help="for the large network")
    parser.add_argument("--streamed", action="store_true", help="only this: ten million cells in parts; minutes, 8 GiB")
    parser.add_argument("--width", type=int, default=146, help="of the streamed network")
    parser.add_argument("--half", type=float, default=10.0, help="half width of its box")
    parser.add_argument("--budget", type=int, default=1 << 30, help="bytes for its cells under way")
    options = parser.parse_args()
    if options.streamed:
        row = streamed(options.width, options.half, options.budget)
        sys.stdout.write(f"{row}\n")
        save("spatial_streaming", row)
        return
    rows: list[dict[str, object]] = [reference(name, options.repeats) for name in NETS]
    for row in rows:
        times = "  ".join(f"{key} {1e3 * value:.1f} ms" for key, value in row["seconds"].items())  # type: ignore[attr-defined]
        sys.stdout.write(
            f"{row['net']}: {row['cells']} cells  {times}  faster than edges, then cells: "
            f"{row['times faster than edges, then cells']:.1f} x, than edges only: "
            f"{row['times faster than edges only']:.1f} x\n"
        )
    for name in LARGE:
        row_of = large(name, options.max_cells)
        if row_of is not None:
            sys.stdout.write(f"{row_of}\n")
            rows.append(row_of)
    save("spatial", rows)


if __name__ == "__main__":
    main()
