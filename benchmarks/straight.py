"""Straight paths inside a class: all breakpoints beside refinement, in seconds per pair, and what samples miss."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests.network.assets import assets, imported

import splinescope
from benchmarks.common import ASSETS, save
from benchmarks.paths import Case, pairs
from benchmarks.segments import cifar_images
from splinescope.network import split
from splinescope.network.copies import placed
from splinescope.network.evaluate import forward
from splinescope.paths import straight
from splinescope.paths.components import false_verdicts
from splinescope.paths.proof.marching import March
from splinescope.paths.proof.refinement import BUDGET

SCALINGS = ((0.0, 1.0), (0.1307, 0.3081), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)))  # fmt: skip
"""Means and deviations that such networks are trained with; the one of the best accuracy is taken."""


def case(name: str, images: np.ndarray, labels: np.ndarray, count: int, layer: str | None = None) -> Case:
    """Pairs of one class, at the input or at a layer."""
    asset = next(found for found in assets() if found.name == name)
    network = imported(asset, asset.paths[0])
    best: tuple[float, np.ndarray] = (-1.0, images)
    for mean, std in SCALINGS:
        columns = (np.reshape(value, (-1, 1, 1)) for value in (mean, std))
        if np.size(mean) in (1, images.shape[1]):
            x = ((images - next(columns)) / next(columns)).reshape(-1, *network.input_shape)
            right = float((network(x[:300]).reshape(len(x[:300]), -1).argmax(1) == labels[:300]).mean())
            best = max(best, (right, x), key=lambda pair: pair[0])
    if layer is None:
        return pairs(network, best[1], labels, count, None, 0)
    parts = split(network, layer)
    return pairs(parts.after, parts.before(best[1]), labels, count, None, 0)


def mnist(name: str, count: int) -> Callable[[], Case]:
    """A network for MNIST."""

    def build() -> Case:
        digits = splinescope.datasets.mnist(ASSETS / "data" / "mnist")
        return case(name, digits.inputs[:2000].double().numpy(), digits.labels[:2000].numpy(), count)

    return build


def cifar(name: str, count: int, layer: str | None = None) -> Callable[[], Case]:
    """A network for CIFAR-10."""
    return lambda: case(name, *cifar_images(600), count, layer)


CASES = {
    "MNIST 2x256": mnist("vnncomp_mnist_fc_256x2", 1000),
    "MNIST 6x256": mnist("vnncomp_mnist_fc_256x6", 200),
    "MNIST conv": mnist("eran_mnist_conv_small_pth", 100),
    "CIFAR conv": cifar("eran_cifar_conv_small_pgd", 40),
    "ResNet-2b": cifar("vnncomp_resnet_2b", 30),
    "ResNet-20 from layer3.0": cifar("resnet20_cifar10", 3, "layer3.0"),
    "ResNet-20 from layer2": cifar("resnet20_cifar10", 3, "layer2"),
    "ResNet-20": cifar("resnet20_cifar10", 3),
    "ResNet-44": cifar("resnet44_cifar10", 1),
}
REFINED_ONLY = ("ResNet-20 from layer2", "ResNet-20", "ResNet-44")
SHARE = 1 / 32
"""Share of a path on which marching is held against plain forward passes."""


def measure(name: str, budget: int) -> dict[str, Any]:
    """One row."""
    found = CASES[name]()
    given = (found.network, found.x, found.y, found.labels)
    row: dict[str, Any] = {"case": name, "pairs": len(found.x)}
    verdicts = {}
    for method in ("refine",) if name in REFINED_ONLY else ("exact", "refine"):
        straight(found.network, found.x[:1], found.y[:1], found.labels[:1], method=method, budget=budget)
        start = time.process_time()
        paths = straight(*given, method=method, budget=budget)
        row[method] = {
            "seconds per pair": (time.process_time() - start) / len(found.x),
            "evaluations": float(np.mean(paths.evaluations)),
            "certified": int(paths.certified.sum()),
            "refuted": int(paths.refuted.sum()),
        }
        verdicts[method] = paths.verdicts
        if method == "exact":
            row["falsely seen in class, of those that leave it"] = {
                count: (false.successes, false.trials)
                for count in (10, 20, 50)
                for false in [false_verdicts(paths, count).of_refuted]
            }
    if name in REFINED_ONLY:
        row["marching"] = floor(found)
    row["verdicts that differ"] = int((verdicts["exact"] != verdicts["refine"]).sum()) if len(verdicts) == 2 else None
    return row


def floor(found: Case) -> dict[str, float]:
    """Marching along a part of the first path: breakpoints, passes, and its time by that of plain passes in float32."""
    march, single = March(found.network, torch.float32), placed(found.network, dtype=torch.float32)
    start, end = torch.from_numpy(found.x[0]), torch.from_numpy(found.y[0])
    batch = torch.lerp(start, end, torch.linspace(0, 1, 64).double().reshape(-1, *(1,) * start.ndim)).float()
    passes, points = 0.0, 0
    clock = time.process_time()
    for part in march(start, end, 0.5, 0.5 + SHARE):
        passes, points = passes + part.passes, points + len(part.t) - 1
    seconds = time.process_time() - clock
    with torch.no_grad():
        forward(single, batch)
        clock = time.process_time()
        forward(single, batch)
    plain = (time.process_time() - clock) / len(batch)
    return {
        "breakpoints per path": points / SHARE,
        "passes per path": passes / SHARE,
        "milliseconds per plain pass": 1000 * plain,
        "time by that of as many plain passes": seconds / (passes * plain),
    }


def main() -> None:
    """Measure all cases and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--case", choices=list(CASES), action="append")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.case or CASES:
        rows.append(measure(name, options.budget))
        print(rows[-1], flush=True)
        if not options.case:
            save("straight", rows)


if __name__ == "__main__":
    main()
