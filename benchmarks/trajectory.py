"""Two networks compared, aligned, and patterns of many inputs: seconds, cells, and checks against sampling."""

from __future__ import annotations

import argparse
import copy
import resource
from typing import Any

import numpy as np
import torch
from tests.network.asset_modules import build
from torch import nn

import splinescope
from benchmarks.common import ASSETS, save, saved, seconds
from splinescope.experiments.shared.cifar import cifar10
from splinescope.landscape import loss_line
from splinescope.trajectory import alignment, compare, decision_tree, feature_maps, loss_barrier


def rounded(module: nn.Module, bits: int) -> nn.Module:
    """A copy with weights of so many bits, evenly spaced for each array."""
    twin = copy.deepcopy(module)
    for parameter in twin.parameters():
        step = parameter.data.abs().max() / (2 ** (bits - 1) - 1)
        parameter.data = (parameter.data / step).round() * step
    return twin


def pruned(module: nn.Module, share: float) -> nn.Module:
    """A copy without the smallest weights of each matrix."""
    twin = copy.deepcopy(module)
    for parameter in twin.parameters():
        if parameter.ndim > 1:
            least = parameter.data.abs().flatten().kthvalue(max(1, int(share * parameter.numel()))).values
            parameter.data *= parameter.data.abs() > least
    return twin


def trained(widths: list[int], seed: int, epochs: int = 15) -> nn.Module:
    """A classifier of digits."""
    data = splinescope.datasets.digits()
    module = splinescope.models.mlp(widths, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    splinescope.models.train_classifier(module, data.inputs, data.labels, generator=generator, epochs=epochs)
    return module


def compared(name: str, a: Any, b: Any, plane: splinescope.Slice, verify: str) -> dict[str, Any]:
    """One comparison, beside 100,000 samples of the plane."""
    found: list[Any] = []
    one = splinescope.load(a, plane.input_shape) if isinstance(a, nn.Module) else a
    other = splinescope.load(b, plane.input_shape) if isinstance(b, nn.Module) else b
    spent = seconds(lambda: found.append(compare(one, other, plane, verify=verify)))
    (result,) = found
    low, high = plane.corners.min(axis=0), plane.corners.max(axis=0)
    t = np.random.default_rng(0).uniform(low, high, (20_000, 2))
    t = t[result.cells.locate(t) >= 0]
    inputs = plane.embed(t)
    first, second = one(inputs), other(inputs)
    return {
        "pair": name,
        "verify": verify,
        "cells": len(result.cells),
        "seconds": round(spent, 2),
        "cells_per_second": round(len(result.cells) / spent),
        "largest_deviation": result.largest_deviation,
        "largest_sampled": float(np.abs(first - second).max()),
        "mean_deviation": result.mean_deviation,
        "mean_sampled": float(np.abs(first - second).mean()),
        "changed_share": result.changed_share,
        "changed_sampled": float((first.argmax(axis=1) != second.argmax(axis=1)).mean()),
    }


def comparisons() -> list[dict[str, Any]]:
    """A digits network and its copies."""
    x = splinescope.datasets.digits().inputs.reshape(-1, 64).numpy()
    plane = splinescope.Slice.through(x[0], x[1], x[2], 0.2)
    net = trained([64, 64, 64, 10], 0)
    head = copy.deepcopy(net)
    head[-1].weight.data += 0.05 * torch.randn(head[-1].weight.shape, generator=torch.Generator().manual_seed(0))
    pairs = {
        "8 bits": rounded(net, 8),
        "4 bits": rounded(net, 4),
        "half pruned": pruned(net, 0.5),
        "another head": head,
        "another training": trained([64, 64, 64, 10], 1),
    }
    return [compared(name, net, b, plane, verify) for name, b in pairs.items() for verify in ("values", "proof")]


def alignments() -> list[dict[str, Any]]:
    """Two trainings of a digits network, before and after."""
    data = splinescope.datasets.digits()
    rows = []
    for width in (32, 128, 512):
        a, b = (trained([64, width, width, 10], seed) for seed in (0, 1))
        before = loss_barrier(a, b, data.inputs, data.labels)
        for name, inputs in (("weights", None), ("activations", data.inputs)):
            found: list[Any] = []
            spent = seconds(lambda a=a, b=b, x=inputs, f=found: f.append(alignment(a, b, x)))
            after = loss_barrier(a, found[0].aligned, data.inputs, data.labels)
            rows.append(
                {
                    "width": width,
                    "by": name,
                    "seconds": round(spent, 2),
                    "distance": [found[0].distance_before, found[0].distance_after],
                    "barrier": [before.barrier, after.barrier],
                }
            )
    return rows


def cifar_images() -> tuple[torch.Tensor, torch.Tensor]:
    """The 4,000 images of the assets, 16 x 16 pixels, mean 0 and deviation 1; random ones where these are absent."""
    path = ASSETS / "data" / "cifar10_train_first4000" / "cifar10_train_first4000.npz"
    if path.exists():
        data = cifar10(path)
        inputs, labels = data.inputs, data.labels
    else:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.rand(400, 3, 32, 32, generator=generator)
        labels = torch.randint(10, (400,), generator=generator)
    inputs = nn.functional.avg_pool2d(inputs, 2)
    return (inputs - inputs.mean()) / inputs.std(), labels


def convolutions(width: int, seed: int) -> nn.Sequential:
    """Two convolutions and two dense layers for images of 3 x 16 x 16."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * width, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip


def residual(width: int, seed: int) -> nn.Sequential:
    """Three residual blocks with batch-norm."""
    generator = torch.Generator().manual_seed(seed)
    return splinescope.models.residual_convnet((3, 16, 16), 10, (width, 2 * width, 4 * width), 1, generator=generator)


def cifar_alignments(epochs: int = 4, images: int = 2000) -> list[dict[str, Any]]:
    """Two trainings of small networks on CIFAR-10: barriers before and after, and where only one layer differs."""
    inputs, labels = (part[:images] for part in cifar_images())
    rows = []
    for name, build_one, width in (("convolutions", convolutions, 16), ("residual", residual, 8)):
        pair = [build_one(width, seed) for seed in (0, 1)]
        for seed, net in enumerate(pair):
            generator = torch.Generator().manual_seed(seed)
            splinescope.models.train_classifier(
                net, inputs, labels, generator=generator, epochs=epochs, batch_size=100, learning_rate=3e-3
            )
            net.eval()
        a, b = pair
        policies = ("keep", "recompute") if name == "residual" else ("keep",)
        seen = inputs[:1000], labels[:1000]
        before = {policy: loss_barrier(a, b, *seen, points=11, statistics=policy) for policy in policies}
        for by, data in (("weights", None), ("activations", inputs[:1000])):
            found: list[Any] = []
            spent = seconds(lambda a=a, b=b, x=data, f=found: f.append(alignment(a, b, x, input_shape=(3, 16, 16))))
            moved = found[0].aligned
            after = {p: loss_barrier(a, moved, *seen, points=11, statistics=p) for p in policies}
            row: dict[str, Any] = {"network": name, "width": width, "by": by, "seconds": round(spent, 2)}
            row["loss"] = [float(before["keep"].losses[0]), float(before["keep"].losses[-1])]
            row["distance"] = [found[0].distance_before, found[0].distance_after]
            row["barrier"] = {policy: [before[policy].barrier, after[policy].barrier] for policy in policies}
            if name == "convolutions":
                rest = inputs[:20], labels[:20]
                row["one layer"] = [one_layer(a, b, layer, *rest) | {"of": "as it is"} for layer in ("7", "9")]
                row["one layer"] += [one_layer(a, moved, layer, *rest) | {"of": "aligned"} for layer in ("7", "9")]
            rows.append(row)
            print(row, flush=True)
    return rows


def one_layer(a: nn.Module, b: nn.Module, layer: str, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """The exact loss from a network to the same one with one layer of the other, beside eleven points of it."""
    one, other = dict(a.named_parameters()), dict(b.named_parameters())
    step = {name: (other[name] - one[name]).detach().double() for name in one if name.startswith(f"{layer}.")}
    line = loss_line(a, step, inputs, labels, "cross-entropy", (0.0, 1.0))
    twin = copy.deepcopy(a)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            if name in step:
                parameter.copy_(other[name])
    sampled = loss_barrier(a, twin, inputs, labels, points=11)
    return {
        "layer": layer,
        "pieces": len(line),
        "minima": len(line.minima),
        "barrier": line.barrier,
        "sampled": sampled.barrier,
        "certified": line.certified,
        "deviation": line.deviation,
        "ends": [float(line(0.0)), float(line(1.0))],
    }


def planted() -> dict[str, Any]:
    """A permutation of ResNet-20 found again by its weights."""
    module, shape = build("resnet20_cifar10", next((ASSETS / "models" / "resnet20_cifar10").glob("*.th")))
    network = splinescope.load(module, shape)
    group = splinescope.trajectory.symmetries(network)
    other = group.apply(group.random(np.random.default_rng(0), 0.0))
    found: list[Any] = []
    spent = seconds(lambda: found.append(alignment(network, other)))
    return {
        "groups": group.groups,
        "log2_permutations": group.log2_permutations,
        "seconds": round(spent, 2),
        "distance": [found[0].distance_before, found[0].distance_after],
    }


def patterns(network: str, inputs: int) -> dict[str, Any]:
    """Patterns of many inputs."""
    images, labels = mnist(inputs)
    if network == "mlp":
        module: nn.Module = splinescope.models.mlp([784, 24, 24, 10], generator=torch.Generator().manual_seed(0))
    else:
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Conv2d(4, 8, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
        )
        images = images.reshape(-1, 1, 28, 28)
    trees: list[Any] = []
    maps: list[Any] = []
    tree_seconds = seconds(lambda: trees.append(decision_tree(module, images)))
    map_seconds = seconds(lambda: maps.append(feature_maps(module, images, labels)))
    tree = trees[0]
    return {
        "network": network,
        "inputs": len(images),
        "nodes": [len(level) for level in tree.levels],
        "chain_error": tree.chain_error,
        "bits": [level.gained for level in tree.levels],
        "about_the_class": maps[0].information.tolist(),
        "parseval_error": maps[0].parseval_error,
        "tree_seconds": round(tree_seconds, 1),
        "map_seconds": round(map_seconds, 1),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def mnist(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Training images of the assets, or random ones where these are absent."""
    folder = ASSETS / "data" / "mnist"
    if folder.exists():
        found = splinescope.datasets.mnist(folder, "train")
        return found.inputs[:count].reshape(-1, 784), found.labels[:count].numpy()
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 784, generator=generator), np.arange(count) % 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=60_000)
    parser.add_argument("--only", choices=["compare", "align", "cifar", "planted", "patterns"])
    chosen = parser.parse_args()
    parts = {
        "compare": comparisons,
        "align": alignments,
        "cifar": cifar_alignments,
        "planted": planted,
        "patterns": lambda: [patterns(network, chosen.inputs) for network in ("mlp", "convolutions")],
    }
    results = {}
    for name, part in parts.items():
        if chosen.only in (None, name):
            results[name] = part()
            print(name, results[name])
    save("trajectory", (saved("trajectory") if chosen.only else {}) | results)


if __name__ == "__main__":
    main()
