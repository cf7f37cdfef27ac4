"""What a certificate takes, and the level that is reached, beside another checkout.

Each network is cut in a process of its own on one thread. Those of the benchmarks and a wide one are certified at
"values" and at "proof", apart from being cut. Others are cut in a plane through three random inputs, near one another
where a max-pool makes millions of cells, and proved in one go.

    python -m benchmarks.certificates --against ../before
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, in_checkout, save, saved

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

LEVELS = ("N2", "784-200-200-200-10", "CIFAR conv", "ResNet-20", "2-2048-2048-10")
"""Networks whose cells are certified level by level."""

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

LEVEL_PROGRAM = """
import json, resource, sys, time, warnings
import numpy as np, torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
import splinescope
from splinescope.tessellation import certify
from benchmarks.common import mlp_weights, reference_weights, to_module
from benchmarks.real import loaded

def mlp(weights, half):
    box = splinescope.Slice.box([-half, -half], [half, half])
    return splinescope.load(to_module(weights), input_shape=(2,)), box

made = {
    "N2": lambda: mlp(reference_weights("N2", (2, 256, 256, 256, 10)), 1.0),
    "2-2048-2048-10": lambda: mlp(mlp_weights((2, 2048, 2048, 10)), 0.06),
}
network, domain = made[sys.argv[1]]() if sys.argv[1] in made else loaded(sys.argv[1])
cells = splinescope.tessellate(network, domain, verify="topology")
row = {"cells": len(cells)}
for level in ("values", "proof"):
    seconds = []
    while len(seconds) < 3 and sum(seconds) < 20:
        start = time.process_time()
        found = certify(cells, level)
        seconds.append(time.process_time() - start)
    row[level] = {
        "seconds": round(min(seconds), 2),
        "level": found.level,
        "undecided": found.undecided_signs,
        "output error": found.output_error,
        "output tolerance": found.tolerances["output"],
        "own passes": getattr(found, "own_passes", 1.0),
        "peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
print(json.dumps(row))
"""


def run(checkout: Path, name: str) -> dict[str, Any]:
    """One network with the source of a checkout."""
    program = LEVEL_PROGRAM if name in LEVELS else PROGRAM
    return in_checkout(checkout, program, name, str(NEAR.get(name, 1.0)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout; without it, only this one is measured")
    parser.add_argument("--networks", nargs="*", default=[*LEVELS, *NETWORKS])
    options = parser.parse_args()
    for name in options.networks:
        row = {"network": name, **run(ROOT.parent, name)}
        if options.against:
            row["before"] = run(options.against.resolve(), name)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        kept = {known["network"]: known for known in saved("certificates")}
        save("certificates", list({**kept, name: row}.values()))  # others stay as they were measured


if __name__ == "__main__":
    main()
