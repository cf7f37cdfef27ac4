"""Landscapes of the loss: eigenvalues, blocks, lines, planes and grids, beside peers that are installed apart.

Peers run in an environment of their own, `.venv-landscape` beside this repository's, if it is there:

    python -m venv .venv-landscape && .venv-landscape/bin/pip install --pre curvlinops-for-pytorch hessian-eigenthings \
        pyhessian loss-landscapes landscaper

or any other Python that has some of them, by `--peers`. What is absent is left out and named.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import ASSETS, ROOT, mlp_weights, save, saved, to_module
from splinescope import datasets
from splinescope.landscape import LossLine, hessian, layer_hessian, loss_grid, loss_line, loss_plane, random_plane
from splinescope.network import from_torch

PEERS = ROOT.parent / ".venv-landscape" / "bin" / "python"
GOLD = {
    "eigenvalues": [10.875646020570137, 7.60462944716164, 5.217753142354715, 1.7045953545009074],
    "trace": 74.84408186034526,
}


def mnist(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images and labels; random ones of the same size where the assets are absent."""
    folder = ASSETS / "data" / "mnist"
    if not folder.is_dir():
        rng = np.random.default_rng(0)
        return rng.uniform(size=(count, 784)), rng.integers(10, size=count)
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 784 * count)[16:], np.uint8).reshape(count, 784) / 255
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(8 + count)[8:], np.uint8)


def formula_net(widths: tuple[int, ...], *, biases: bool = True) -> nn.Sequential:
    """The networks of the gold numbers."""
    return to_module([(weight, bias * biases) for weight, bias in mlp_weights(widths)])


def spent(function: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of the second call, and what it returned."""
    function()
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def eigenvalues() -> dict[str, Any]:
    """Top ten eigenvalues of a 784-32-10 network, and its trace."""
    net, (x, y) = formula_net((784, 32, 10)), mnist(200)

    def top() -> tuple[np.ndarray, int]:
        operator = hessian(net, "cross-entropy", (x, y))
        return operator.eigenvalues(10), operator.products

    seconds, (values, products) = spent(top)
    errors = np.abs(values[[0, 1, 2, 9]] / GOLD["eigenvalues"] - 1)
    trace = hessian(net, "cross-entropy", (x, y)).trace()
    return {
        "processor seconds": seconds,
        "products": products,
        "largest relative error": float(errors.max()),
        "relative error of the trace": abs(trace / GOLD["trace"] - 1),
    }


def blocks() -> list[dict[str, Any]]:
    """Blocks of a 784-200-200-10 network."""
    net, (x, y) = formula_net((784, 200, 200, 10)), mnist(200)
    rows = []
    for layer, loss in (("0", "squared"), ("2", "squared"), ("0", "cross-entropy")):

        def block(layer: str = layer, loss: str = loss) -> tuple[float, float, int]:
            found = layer_hessian(net, layer, x, y, loss)
            return float(found.eigenvalues(1)[0]), found.trace(), found.rank()

        seconds, (largest, trace, rank) = spent(block)
        rows.append({"layer": layer, "loss": loss, "processor seconds": seconds, "largest": largest, "trace": trace})
        rows[-1]["rank"] = rank
    return rows


def lines() -> list[dict[str, Any]]:
    """The exact line with all layers moving, by number of samples."""
    net, rows = formula_net((784, 200, 200, 10), biases=False), []
    rng, direction = np.random.default_rng(1), {}
    for layer in (0, 2, 4):
        weight = net[layer].weight.detach().numpy()
        step = rng.standard_normal(weight.shape)
        step *= np.linalg.norm(weight, axis=1, keepdims=True) / np.linalg.norm(step, axis=1, keepdims=True)
        direction[f"{layer}.weight"] = step
    for count in (100, 300, 1000):
        data = mnist(count)
        seconds, line = spent(lambda data=data: loss_line(net, direction, *data))
        rows.append(_line(line, count, seconds))
    for count in (100, 1000):
        data = mnist(count)
        seconds, line = spent(lambda data=data: loss_line(net, direction, *data, "cross-entropy"))
        rows.append(_line(line, count, seconds))
    return rows


def _line(line: LossLine, samples: int, seconds: float) -> dict[str, Any]:
    """What is said of any exact line."""
    return {
        "samples": samples,
        "loss": line.loss,
        "processor seconds": seconds,
        "pieces": len(line),
        "flips": line.flips,
        "minima": [list(minimum) for minimum in line.minima],
        "certified": line.certified,
        "decided": line.decided,
        "deviation": line.deviation,
    }


def convolutional_line() -> dict[str, Any]:
    """The same for a small ConvNet with max-pooling on the digits."""
    data, generator = datasets.digits(), torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = small_convnet(1, 4).double()
    direction = random_plane(net, dimension=1, generator=generator).directions[0]
    seconds, line = spent(lambda: loss_line(net, direction, data.inputs[:50], data.labels[:50]))
    return _line(line, 50, seconds)


def planes() -> list[dict[str, Any]]:
    """Cells of the exact plane of a hidden layer by number of samples."""
    data, rows = datasets.digits(), []
    net = formula_net((64, 8, 8, 10))
    weight = net[2].weight.detach()
    generator = torch.Generator().manual_seed(0)
    steps = [torch.randn(weight.shape, generator=generator).double() for _ in range(2)]
    x = data.inputs.flatten(1)
    for count in (5, 10, 20, 40):
        seconds, plane = spent(lambda count=count: loss_plane(net, "2", steps, x[:count], data.labels[:count]))
        rows.append({"samples": count, "processor seconds": seconds, "cells": len(plane), "minima": len(plane.minima)})
    return rows


def small_convnet(channels: int, width: int) -> nn.Sequential:
    """Two convolutions, each with max-pooling, and a dense layer, for images of 8 x 8 upwards."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.LazyLinear(10) if channels != 1 else nn.Linear(8 * width, 10),
    )  # fmt: skip


def grid_question() -> tuple[nn.Sequential, tuple[torch.Tensor, torch.Tensor]]:
    """A small ConvNet and 500 digits."""
    data = datasets.digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = small_convnet(1, 8)
    return net, (data.inputs[:500], data.labels[:500])


def grids() -> dict[str, Any]:
    """A 41 x 41 plane of a small ConvNet, and how far each value is from a direct evaluation."""
    net, (x, y) = grid_question()
    plane, axes = random_plane(net), np.linspace(-1, 1, 41)
    start = time.process_time()
    grid = loss_grid(net, plane, nn.functional.cross_entropy, (x, y), axes=axes)
    seconds = time.process_time() - start
    worst = 0.0
    with torch.no_grad():
        for i, j in np.random.default_rng(0).integers(41, size=(40, 2)):
            moved = {name: value.float() for name, value in plane.at(axes[i], axes[j]).items()}
            direct = nn.functional.cross_entropy(torch.func.functional_call(net, moved, (x,)), y).item()
            worst = max(worst, abs(grid.values[i, j] - direct))
    return {"points": grid.values.size, "processor seconds": seconds, "largest difference": worst}


def peers() -> dict[str, Any]:
    """The same questions to peers, in their own environment."""
    if not PEERS.exists():
        return {"absent": f"no {PEERS}; see the first lines of this script"}
    with tempfile.TemporaryDirectory() as folder:
        top = _asked_mlp(Path(folder) / "eigenvalues.npz", (784, 32, 10))
        block = _asked_mlp(Path(folder) / "block.npz", (784, 200, 200, 10))
        found: dict[str, Any] = {"eigenvalues": {}, "block": {}, "grid": {}}
        for name in ("curvlinops", "hessian_eigenthings", "pyhessian"):
            row = _answer("eigenvalues", name, top)
            if "eigenvalues" in row:
                values = np.array(row.pop("eigenvalues"))
                row["largest relative error"] = float(np.abs(values[[0, 1, 2, 9]] / GOLD["eigenvalues"] - 1).max())
            found["eigenvalues"][name] = row
        found["block"]["curvlinops"] = _compared_block(_answer("block", "curvlinops", block))
        net, (x, y) = grid_question()
        arrays = {f"p:{name}": value.numpy() for name, value in net.state_dict().items()}
        np.savez(Path(folder) / "grid.npz", grid=1, x=x.numpy(), y=y.numpy(), **arrays)
        for name in ("loss_landscapes", "landscaper"):
            found["grid"][name] = _answer("grid", name, Path(folder) / "grid.npz")
    return found


def _asked_mlp(path: Path, widths: tuple[int, ...]) -> Path:
    """A network and data as a file."""
    net, (x, y) = formula_net(widths), mnist(200)
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    arrays = {f"W{i}": layer.weight.detach().numpy() for i, layer in enumerate(linear)}
    np.savez(path, x=x, y=y, **arrays, **{f"b{i}": layer.bias.detach().numpy() for i, layer in enumerate(linear)})
    return path


def _answer(kind: str, name: str, path: Path) -> dict[str, Any]:
    command = [str(PEERS), str(ROOT / "landscape_peer.py"), kind, name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"absent": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _compared_block(row: dict[str, Any]) -> dict[str, Any]:
    """A peer's block beside ours: the product with one vector, and the largest eigenvalue."""
    if "product" not in row:
        return row
    net, (x, y) = formula_net((784, 200, 200, 10)), mnist(200)
    theirs = np.array(row.pop("product"))
    vector = np.random.default_rng(0).standard_normal(len(theirs))
    block = layer_hessian(net, "2", x, y, "cross-entropy")
    seconds, product = spent(lambda: block @ vector)
    made, _ = spent(lambda: layer_hessian(net, "2", x, y, "cross-entropy").eigenvalues(1))
    ours = {"product seconds": seconds, "processor seconds": made}
    difference = float(np.abs(product - theirs).max() / np.abs(theirs).max())
    largest = abs(float(block.eigenvalues(1)[0]) / row["largest"] - 1)
    return row | {"ours": ours, "largest relative difference": difference, "of the largest eigenvalue": largest}


PARTS: dict[str, Callable[[], Any]] = {
    "eigenvalues": eigenvalues,
    "peers": peers,
    "blocks": blocks,
    "lines": lines,
    "convolutional line": convolutional_line,
    "planes": planes,
    "grid": grids,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=list(PARTS))
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment with the peers")
    options = parser.parse_args()
    globals()["PEERS"] = options.peers
    from_torch(formula_net((784, 32, 10)))  # the first import is that of torch.export itself
    results = {}
    for name in [options.part] if options.part else PARTS:
        results[name] = PARTS[name]()
        sys.stdout.write(json.dumps({name: results[name]}, indent=1) + "\n")
        sys.stdout.flush()
    save("landscape", (saved("landscape") if options.part else {}) | results)


if __name__ == "__main__":
    main()
