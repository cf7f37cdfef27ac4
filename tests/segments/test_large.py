"""Large residual networks in bounded memory: each runs in a process of its own, whose memory is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, resource, sys
import splinescope
from tests.segments import graphs

name, distance, budget, max_cells = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
network = getattr(graphs, name)()
points = graphs.near(network.input_shape, distance)
segment = splinescope.Segment(*points)
network(points)  # the memory of one evaluation counts as the network's own
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cells = splinescope.tessellate(network, segment, memory_budget=budget, max_cells=max_cells, verify="topology")
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
cells = splinescope.tessellate(network, segment, memory_budget=budget, max_cells=min(max_cells, 40), verify="proof")
widest = max(node.size for node in network.nodes)
result = {"cells": len(cells), "grown": 1024 * grown, "widest": 8 * widest, "covered": cells.covered[1]}
result |= {"checks": cells.certificate.vertex_checks, "truncated": cells.truncated, "units": network.num_units}
sys.stdout.write(json.dumps(result))
"""


def measured(name: str, distance: float, budget: int, max_cells: int) -> dict[str, float]:
    arguments = [name, str(distance), str(budget), str(max_cells)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_resnet56_on_cifar() -> None:
    found = measured("resnet56", 3e-3, 1 << 24, 10_000)
    assert found["units"] > 500_000
    assert found["cells"] == 40
    assert found["truncated"]
    assert found["checks"] == 80
    assert found["grown"] < 3 * 2**24


def test_resnet50_on_large_images() -> None:
    found = measured("resnet50", 1e-5, 1 << 26, 24)
    assert found["units"] > 9_500_000
    assert 3 < found["cells"] <= 24
    assert 0 < found["covered"] <= 1
    assert found["grown"] < 2**28 + 20 * found["widest"]
