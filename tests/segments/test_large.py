"""Large residual networks in bounded memory: each runs in a process of its own, whose memory is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.seeds import large

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, resource, sys
import splinescope
from tests.segments import graphs

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

name, distance, budget, max_cells = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
small = graphs.tiny()
points = graphs.near(small.input_shape, 1.0)
splinescope.tessellate(small, splinescope.Segment(*points), memory_budget=1 << 14, verify="proof")  # compiles
network = getattr(graphs, name)()
points = graphs.near(network.input_shape, distance)
segment = splinescope.Segment(*points)
network(points)  # the memory of an evaluation is the network's own
before = peak()
cells = splinescope.tessellate(network, segment, memory_budget=budget, max_cells=max_cells, verify="topology")
result = {"cells": len(cells), "grown": peak() - before, "covered": cells.covered[1], "truncated": cells.truncated}
start = splinescope.tessellate(network, segment, memory_budget=budget, max_cells=min(max_cells, 8), verify="proof")
result |= {"checks": start.certificate.vertex_checks, "units": network.num_units}
result["widest"] = 8 * max(node.size for node in network.nodes)
result["weights"] = 8 * sum(node.op.weight.numel() for node in network.nodes if hasattr(node.op, "weight"))
sys.stdout.write(json.dumps(result))
"""


def measured(name: str, distance: float, budget: int, max_cells: int) -> dict[str, float]:
    arguments = [name, str(distance), str(budget), str(max_cells)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(("name", "units", "cells"), [("resnet20", 180_000, 300), large("resnet56", 500_000, 1000)])
def test_residual_networks_on_cifar(name: str, units: int, cells: int) -> None:
    found = measured(name, 1e-2, 1 << 24, 10_000)
    assert found["units"] > units
    assert found["cells"] > cells
    assert not found["truncated"]
    assert found["checks"] == 16
    # Less than the values of one node at all breakpoints; several are alive at a time.
    assert found["grown"] < found["cells"] * found["widest"]


@pytest.mark.parametrize(
    ("name", "units", "distance"), [("resnet50_on_icons", 750_000, 1e-3), large("resnet50", 9_500_000, 1e-4)]
)
def test_resnet50_on_large_images(name: str, units: int, distance: float) -> None:
    found = measured(name, distance, 1 << 26, 24)
    assert found["units"] > units
    assert found["cells"] == 24
    assert found["truncated"]
    assert 0 < found["covered"] < 1
    assert found["checks"] == 16
    # The budget, a copy of the weights with the output channel last, some tables as wide as the widest node, and how
    # large all units are and how well float64 knows them.
    assert found["grown"] < 2**26 + found["weights"] + 64 * found["widest"] + 4 * 8 * found["units"]
