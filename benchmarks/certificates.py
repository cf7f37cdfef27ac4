"""The proof on real networks: the level that is reached, beside another checkout.

Each network is cut in a plane through three random inputs, near one another where a max-pool makes millions of cells,
in a process of its own on one thread.

    python -m benchmarks.certificates --against ../before
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, save

NETWORKS = (
    "vnncomp_mnist_fc_256x2",
    "vnncomp_mnist_fc_256x6",
    "eran_mnist_9_100_pth",
    "marabou_mnist10x10_nnet",
    "eran_mnist_conv_small_pth",
    "verivital_convnet_maxpool",
    "marabou_cifar10_small",
    "captum_cifar_lenet",
    "vnncomp_resnet_2b",
    "acasxu_open",
    "rl_lunarlander",
    "tll_N8_0",
    "marabou_coav_0",
    "csinva_mnist_mlp_generator",
)

NEAR = {"verivital_convnet_maxpool": 0.5, "captum_cifar_lenet": 0.01}
"""Size of the planes that are not as large as the range of the inputs."""

PROGRAM = """
import json, sys, time, warnings
import numpy as np, torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
import splinescope
from tests.network.assets import assets, imported
asset = next(asset for asset in assets() if asset.name == sys.argv[1])
network = imported(asset, asset.paths[0])
points = 0.5 + float(sys.argv[2]) * (np.random.default_rng(0).uniform(size=(3, *network.input_shape)) - 0.5)
domain = splinescope.Slice.through(*points, margin=0.2)
start = time.process_time()
try:
    cells = splinescope.tessellate(network, domain, verify="proof", max_cells=20_000)
    found = {"cells": len(cells), "level": cells.certificate.level}
except splinescope.errors.SplinescopeError as error:
    found = {"cells": 0, "level": type(error).__name__}
print(json.dumps({**found, "seconds": round(time.process_time() - start, 2)}))
"""


def run(checkout: Path, name: str) -> dict[str, Any]:
    """One network with the source of a checkout."""
    path = os.pathsep.join([str(checkout / "src"), str(ROOT.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, name, str(NEAR.get(name, 1.0))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT.parent)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout; without it, only this one is measured")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    options = parser.parse_args()
    rows = []
    for name in options.networks:
        row = {"network": name, **run(ROOT.parent, name)}
        if options.against:
            row["before"] = run(options.against.resolve(), name)
        rows.append(row)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
    save("certificates", rows)


if __name__ == "__main__":
    main()
