"""Paths inside a class: seconds per pair, straight and bent, beside bands whose pivots go one by one, and ASE."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from tests.network.asset_modules import build
from torch import Tensor, nn

import splinescope
from benchmarks.common import ASSETS, save
from benchmarks.segments import cifar_images
from splinescope.network.copies import placed
from splinescope.network.evaluate import walk
from splinescope.paths import straight
from splinescope.paths.bending import search as search_module
from splinescope.paths.bending.elastic import nudged_elastic_band, string_method
from splinescope.paths.bending.insertion import insert_highest
from splinescope.paths.proof.certify import Check, certify_polylines
from splinescope.paths.proof.refinement import margins_at

PIVOTS = 9


@dataclass(frozen=True)
class Case:
    """Pairs of one class that a network gets right.

    Attributes:
        network: The network.
        x: [S, *shape] first points.
        y: [S, *shape] second points.
        labels: [S] their classes.
        box: Range of the inputs.
        peers: How many of the pairs that need a bend the sequential bands are run on.
    """

    network: splinescope.Network
    x: np.ndarray
    y: np.ndarray
    labels: np.ndarray
    box: tuple[Any, Any]
    peers: int


def pairs(
    network: splinescope.Network, images: np.ndarray, labels: np.ndarray, count: int, box: Any, peers: int
) -> Case:
    """Random pairs of one class."""
    outputs = np.concatenate(
        [network(part).reshape(len(part), -1) for part in np.array_split(images, 1 + len(images) // 100)]
    )
    right = np.flatnonzero(outputs.argmax(1) == labels)
    rng = np.random.default_rng(0)
    first = rng.choice(right, count)
    other = [rng.choice(right[(labels[right] == labels[i]) & (right != i)]) for i in first]
    return Case(network, images[first], images[other], labels[first].astype(np.int64), box, peers)


def mnist_mlp() -> Case:
    """784-100x6-10, trained with cross-entropy."""
    folder = ASSETS / "models" / "eran_mnist_6_100_pth"
    module, shape = build(
        "eran_mnist_6_100_pth", next(path for path in folder.iterdir() if path.suffix in (".pth", ".pt"))
    )
    network = splinescope.from_torch(module, input_shape=shape)
    digits = splinescope.datasets.mnist(ASSETS / "data" / "mnist")
    images = digits.inputs.numpy().astype(np.float64).reshape(-1, *shape)
    return pairs(network, images, digits.labels.numpy(), 2000, (0.0, 1.0), 40)


def cifar_convnet() -> Case:
    """A small convolutional network."""
    network = splinescope.load(next((ASSETS / "models" / "oval21_cifar_base_kw").glob("*.onnx*")))
    images, labels = cifar_images(2000)
    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.225, 0.225, 0.225]))
    return pairs(network, (images - mean) / std, labels, 100, (-mean / std, (1 - mean) / std), 8)


def resnet20() -> Case:
    """ResNet-20 from the input on: two pairs whose lines look joined at 33 points, and two whose lines do not."""
    module, shape = build("resnet20_cifar10", next((ASSETS / "models" / "resnet20_cifar10").glob("*.th")))
    network = splinescope.from_torch(module, input_shape=shape)
    images, labels = cifar_images(600)
    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    found = pairs(network, (images - mean) / std, labels, 60, (-mean / std, (1 - mean) / std), 2)
    path, t = np.repeat(np.arange(60), 33), np.tile(np.linspace(0, 1, 33), 60)
    margin, _ = margins_at(network, found.x, found.y, found.labels, path, t)
    leaves = margin.reshape(60, 33).min(axis=1) <= 0
    rows = np.concatenate([np.flatnonzero(~leaves)[:2], np.flatnonzero(leaves)[:2]])
    return replace(found, x=found.x[rows], y=found.y[rows], labels=found.labels[rows])


CASES: dict[str, Callable[[], Case]] = {"MNIST MLP": mnist_mlp, "CIFAR ConvNet": cifar_convnet, "ResNet-20": resnet20}


OURS = (
    ("band, values", nudged_elastic_band, "values"),
    ("band, topology", nudged_elastic_band, "topology"),
    ("insertion, values", insert_highest, "values"),
    ("insertion, topology", insert_highest, "topology"),
)
"""Searches that are timed beside the sequential bands, with the level of their certificates."""


def sequential_band(
    loss: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, box: tuple[Tensor, Tensor], steps: int, rate: float
) -> tuple[Tensor, int]:
    """An elastic band as commonly written: one pivot after the other in Python, then a redistribution.

    Restated from the descriptions of AutoNEB (Draxler et al. 2018, arXiv 1803.00885): gradient descent with momentum
    0.9 across the path, tangent towards the higher neighbour, infinitely stiff springs. It stops when all pivots are in
    the class and 9 points between each two of them are, the way such programs do.
    """
    pivots = [x + (y - x) * i / (PIVOTS + 1) for i in range(PIVOTS + 2)]
    speed = [torch.zeros_like(x) for _ in pivots]
    evaluations = 0
    for _ in range(steps):
        values, slopes = [], []
        for pivot in pivots:
            here = pivot.clone().requires_grad_(True)
            value = loss(here[None])[0]
            (slope,) = torch.autograd.grad(value, here)
            values.append(float(value.detach()))
            slopes.append(slope)
        evaluations += PIVOTS
        if max(values) < 0.69 and _sampled(loss, pivots):  # below log 2 the class leads
            break
        for i in range(1, PIVOTS + 1):
            tangent = pivots[i + 1] - pivots[i] if values[i + 1] > values[i - 1] else pivots[i] - pivots[i - 1]
            tangent = tangent / tangent.norm()
            across = slopes[i] - (slopes[i] * tangent).sum() * tangent
            speed[i] = 0.9 * speed[i] - rate * across
        for i in range(1, PIVOTS + 1):
            pivots[i] = torch.minimum(torch.maximum(pivots[i] + speed[i], box[0]), box[1])
        pivots = _redistributed(pivots)
    return torch.stack(pivots), evaluations


def _sampled(loss: Callable[[Tensor], Tensor], pivots: list[Tensor]) -> bool:
    with torch.no_grad():
        for a, b in pairwise(pivots):
            for t in range(1, 10):
                if float(loss((a + (b - a) * t / 10)[None])[0]) >= 0.69:
                    return False
    return True


def _redistributed(pivots: list[Tensor]) -> list[Tensor]:
    """Equal arc length."""
    lengths = torch.stack([(b - a).norm() for a, b in pairwise(pivots)])
    travelled = torch.cat([torch.zeros(1), lengths.cumsum(0)])
    out = [pivots[0]]
    for i in range(1, len(pivots) - 1):
        wanted = travelled[-1] * i / (len(pivots) - 1)
        k = min(int(torch.searchsorted(travelled, wanted, right=True)) - 1, len(pivots) - 2)
        out.append(pivots[k] + (pivots[k + 1] - pivots[k]) * ((wanted - travelled[k]) / lengths[k].clamp(min=1e-12)))
    return [*out, pivots[-1]]


def with_ase(loss: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, steps: int) -> tuple[Tensor, int]:
    """ASE's improved-tangent band with a climbing image and FIRE; numbers are positions of atoms, three by three."""
    from ase import Atoms
    from ase.calculators.calculator import Calculator, all_changes
    from ase.mep import NEB
    from ase.optimize import FIRE

    shape, size = x.shape, x.numel()
    padded = -(-size // 3) * 3
    count = [0]

    class Loss(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(
            self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
        ) -> None:
            super().calculate(atoms, properties, system_changes)
            here = (
                torch.from_numpy(atoms.positions.ravel()[:size].astype(np.float32)).reshape(shape).requires_grad_(True)
            )
            value = loss(here[None])[0]
            (slope,) = torch.autograd.grad(value, here)
            count[0] += 1
            flat = np.zeros(padded)
            flat[:size] = -slope.numpy().ravel()
            self.results = {"energy": float(value.detach()), "forces": flat.reshape(-1, 3)}

    images = []
    for i in range(PIVOTS + 2):
        flat = np.zeros(padded)
        flat[:size] = (x + (y - x) * i / (PIVOTS + 1)).numpy().ravel()
        image = Atoms(f"H{padded // 3}", positions=flat.reshape(-1, 3))
        image.calc = Loss()
        images.append(image)
    band = NEB(images, k=0.1, climb=True, method="improvedtangent")
    optimiser = FIRE(band, logfile=None, maxstep=1.0)
    for _ in optimiser.irun(fmax=0.0, steps=steps):
        energies = [image.calc.results.get("energy", np.inf) for image in images[1:-1]]
        points = [
            torch.from_numpy(image.positions.ravel()[:size].astype(np.float32)).reshape(shape) for image in images
        ]
        if max(energies) < 0.69 and _sampled(loss, points):
            break
    return torch.stack(points), count[0]


def peer_loss(network: splinescope.Network, label: int) -> Callable[[Tensor], Tensor]:
    """Cross-entropy of a class in float32."""

    def loss(x: Tensor) -> Tensor:
        outputs = next(value for index, value in walk(network, x) if index == network.output).flatten(1)
        return nn.functional.cross_entropy(outputs, torch.full((len(x),), label), reduction="none")

    return loss


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


@contextmanager
def proofs_timed() -> Iterator[list[float]]:
    """Collects the seconds that searches spend on checks of whole polylines."""
    spent: list[float] = []
    check = search_module.certify_polylines

    def checked(*args: Any) -> Any:
        seconds, known = timed(lambda: check(*args))
        spent.append(seconds)
        return known

    search_module.certify_polylines = checked
    try:
        yield spent
    finally:
        search_module.certify_polylines = check


def measure(name: str, steps: int) -> dict[str, Any]:
    """All figures of one case."""
    case = CASES[name]()
    args = (case.network, case.x, case.y, case.labels)
    straight(case.network, case.x[:1], case.y[:1], case.labels[:1])  # compiles
    seconds_straight, lines = timed(lambda: straight(*args))
    row: dict[str, Any] = {
        "case": name,
        "pairs": len(case.x),
        "units": case.network.num_units,
        "straight": {
            "seconds per pair": seconds_straight / len(case.x),
            "method": lines.method,
            "certified": int(lines.certified.sum()),
            "refuted": int(lines.refuted.sum()),
        },
    }
    bend = np.flatnonzero(lines.refuted)
    chosen = tuple(array[bend] for array in args[1:])
    if not len(bend):
        return row
    for label, search in (("band", nudged_elastic_band), ("string", string_method), ("insertion", insert_highest)):
        taken, found = timed(lambda search=search: search(case.network, *chosen, box=case.box))
        row[label] = {
            "pairs": len(bend),
            "seconds per pair": taken / len(bend),
            "certified": int(found.certified.sum()),
            "median steps": float(np.median([path.steps for path in found])),
            "median largest loss": float(np.median(found.max_loss)),
            "gradients per pair": float(np.mean([path.evaluations for path in found])),
        }
    row["peers"] = beside_peers(case, bend[: case.peers], steps)
    return row


def beside_peers(case: Case, which: np.ndarray, steps: int) -> dict[str, Any]:
    """Sequential bands on some pairs, and ours on all of these at once until no largest loss is higher."""
    single = placed(case.network, dtype=torch.float32)
    low, high = (
        torch.as_tensor(np.broadcast_to(side, case.x.shape[1:]).copy(), dtype=torch.float32) for side in case.box
    )
    peers: dict[str, Callable[..., tuple[Tensor, int]]] = {
        "sequential": lambda loss, x, y: sequential_band(loss, x, y, (low, high), steps, 0.05)
    }
    if importlib.util.find_spec("ase"):
        peers["ASE"] = lambda loss, x, y: with_ase(loss, x, y, steps)
    out: dict[str, Any] = {}
    for name, peer in peers.items():
        taken, counts, ends = [], [], []
        for i in which:
            x, y = (torch.from_numpy(points[i]).float() for points in (case.x, case.y))
            seconds, (points, count) = timed(
                lambda x=x, y=y, i=i, peer=peer: peer(peer_loss(single, int(case.labels[i])), x, y)
            )
            taken.append(seconds)
            counts.append(count)
            ends.append(points.double().numpy())
        ends = [
            np.concatenate([case.x[i][None], points[1:-1], case.y[i][None]])
            for i, points in zip(which, ends, strict=True)
        ]
        offsets = (PIVOTS + 2) * np.arange(len(which) + 1)
        known = certify_polylines(case.network, np.concatenate(ends), offsets, case.labels[which], Check())
        goals = np.array([one.max_loss for one in known])
        same = (case.network, case.x[which], case.y[which], case.labels[which])
        own: dict[str, Any] = {}
        for label, search, level in OURS:
            if level != "values" and not Check().exact(case.network):
                continue  # there are no cells to verify
            options = {"box": case.box, "until": goals, "verify": level}
            with proofs_timed() as spent:
                seconds, ours = timed(lambda search=search, options=options, same=same: search(*same, **options))
            own[label] = {
                "seconds per pair": seconds / len(which),
                "of these for proofs": sum(spent) / len(which),
                "times faster without proofs": float(np.sum(taken) / max(seconds - sum(spent), 1e-9)),
                "times faster": float(np.sum(taken) / seconds),
                "no higher": int((ours.max_loss <= goals * (1 + 1e-3)).sum()),
                "median largest loss": float(np.median(ours.max_loss)),
            }
        out[name] = {
            "pairs": len(which),
            "seconds per pair": float(np.mean(taken)),
            "gradients per pair": float(np.mean(counts)),
            "median largest loss": float(np.median(goals)),
            "claimed but not certified": sum(not one.certified for one in known),
            "ours, until no higher": own,
        }
    return out


def main() -> None:
    """Measure all cases and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--steps", type=int, default=300, help="steps after which the sequential bands stop")
    options = parser.parse_args()
    rows = []
    for name in [options.case] if options.case else CASES:
        rows.append(measure(name, options.steps))
        sys.stdout.write(json.dumps(rows[-1], indent=1) + "\n")
        sys.stdout.flush()
    if not options.case:
        save("paths", rows)


if __name__ == "__main__":
    main()
