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
from benchmarks.common import ASSETS, save, seconds
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
    parser.add_argument("--only", choices=["compare", "align", "planted", "patterns"])
    chosen = parser.parse_args()
    parts = {
        "compare": comparisons,
        "align": alignments,
        "planted": planted,
        "patterns": lambda: [patterns(network, chosen.inputs) for network in ("mlp", "convolutions")],
    }
    results = {}
    for name, part in parts.items():
        if chosen.only in (None, name):
            results[name] = part()
            print(name, results[name])
    if chosen.only is None:
        save("trajectory", results)


if __name__ == "__main__":
    main()
