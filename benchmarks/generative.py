"""Volumes of generators: seconds per 1,000 latents beside the source's formula and stochman; exact samples."""

from __future__ import annotations

import argparse
import json
import math
import time
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

import splinescope
from benchmarks.common import RESULTS, alternate, mlp_weights, save, seconds, to_module
from splinescope.generative import UniformBox, VolumeSampler, expected_log_volume, log_volume, sample, sketch_bias

SHAPES = [(d, outputs) for outputs in (784, 3072) for d in (16, 64, 128)]
HIDDEN = (512, 1024)
"""Units of the hidden layers, enough for full rank at all latents."""


def released(module: nn.Module, latents: torch.Tensor) -> np.ndarray:
    """The source's formula: the product of the singular values of the whole Jacobian, in float64, for each latent."""
    found = []
    for z in latents:
        J = torch.func.jacfwd(module)(z)
        found.append(float(torch.linalg.svdvals(J.detach()).log().sum()))
    return np.array(found)


def released_batched(module: nn.Module, latents: torch.Tensor) -> np.ndarray:
    """The same with Jacobians and decompositions of ten latents at a time, as TensorFlow's `batch_jacobian` does."""
    found = []
    for z in latents.split(10):
        J = torch.func.vmap(torch.func.jacfwd(module))(z)
        found.append(torch.linalg.svdvals(J.detach()).log().sum(dim=1).numpy())
    return np.concatenate(found)


def stochman_volume(module: nn.Sequential) -> Any:
    """`log_volume` of stochman's embedded manifold for the same network; None where it is not installed."""
    try:
        from stochman import nnj
        from stochman.manifold import EmbeddedManifold
    except ImportError:
        return None
    layers = []
    for layer in module:
        twin = nnj.ReLU() if isinstance(layer, nn.ReLU) else nnj.Linear(layer.in_features, layer.out_features)
        if isinstance(layer, nn.Linear):
            twin.load_state_dict(layer.state_dict())
        layers.append(twin.double())
    whole = nnj.Sequential(*layers)

    class Manifold(EmbeddedManifold):
        def embed(self, points: torch.Tensor, jacobian: bool = False) -> Any:
            return whole(points, jacobian=jacobian)

    return lambda z: Manifold().log_volume(z).detach().numpy()


MORE = 5
"""So many times as many latents for what is quicker than the formula, so that what is done once weighs as in use."""


def volumes(d: int, outputs: int, number: int, repeats: int) -> dict[str, Any]:
    """All ways for one size, called in turn; processor's seconds per 1,000 latents and differences from the formula."""
    module = to_module(mlp_weights((d, *HIDDEN, outputs)))
    single = to_module(mlp_weights((d, *HIDDEN, outputs))).float()
    network = splinescope.from_torch(module, input_shape=(d,))
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((number, d)))
    many = torch.from_numpy(np.random.default_rng(1).standard_normal((MORE * number, d)))
    theirs = {
        "released formula": partial(released, module),
        "released formula, batched": partial(released_batched, module),
    }
    peer = stochman_volume(module)
    if peer is not None:
        theirs["stochman"] = peer
    ours = {
        "auto": partial(log_volume, module),
        "gram": partial(log_volume, module, method="gram"),
        "svd": partial(log_volume, module, method="svd"),
        "affine": partial(log_volume, network, method="affine"),
        "auto float32": partial(log_volume, single),
        "sketch": partial(log_volume, module, method="sketch"),
    }
    truth = released(module, z)
    apart = {name: float(np.abs(way(z) - truth).max()) for name, way in (theirs | ours).items()}
    ways = {name: partial(way, z) for name, way in theirs.items()}
    times = alternate(ways | {name: partial(way, many) for name, way in ours.items()}, repeats, time.process_time)
    counts = {name: number if name in theirs else len(many) for name in times}
    spent = {name: 1000 / counts[name] * float(np.median(values)) for name, values in times.items()}
    return {
        "latents": d,
        "outputs": outputs,
        "seconds_per_1000": spent,
        "largest_difference": apart,
        "times_faster": {name: spent["released formula"] / value for name, value in spent.items()},
        "times_faster_than_batched": {
            name: spent["released formula, batched"] / value for name, value in spent.items()
        },
    }


def samplers() -> dict[str, Any]:
    """100,000 exact samples, and a pool that is as accurate in the mean log volume as these are."""
    module = to_module(mlp_weights((3, 16, 16, 8)))
    spent = {}
    cells: Any = None

    def tessellate() -> None:
        nonlocal cells
        cells = splinescope.tessellate(module, splinescope.Box([-1.0] * 3, [1.0] * 3))

    tessellate()
    spent["cells"] = seconds(tessellate)
    sample(cells, 10, generator=0)
    drawn: list[Any] = []
    spent["exact samples"] = seconds(lambda: drawn.append(sample(cells, 100_000, 1.0, 0)))
    truth = expected_log_volume(cells, 1.0)
    log_volume(module, np.zeros((10, 3)), "gram")  # so that kernels are loaded
    pool = VolumeSampler(module, UniformBox((-1.0,) * 3, (1.0,) * 3), 1.0, pool=20_000, method="gram")
    spent["pool of 20,000"] = seconds(lambda: pool.log_volumes)
    spent["pooled samples"] = seconds(lambda: pool.sample(100_000))
    weights = np.exp(pool.log_weights)
    known = np.isfinite(pool.log_volumes) & (weights > 0)
    mean = float(np.sum(weights[known] * pool.log_volumes[known]))
    spread = math.sqrt(float(np.sum(weights[known] ** 2 * (pool.log_volumes[known] - mean) ** 2)))
    exact_error = float(drawn[0].log_volumes.std()) / math.sqrt(100_000)
    needed = 20_000 * (spread / exact_error) ** 2
    return {
        "cells": len(cells),
        "seconds": spent,
        "mean log volume": {
            "exact": truth,
            "of exact samples": float(drawn[0].log_volumes.mean()),
            "of the pool": mean,
        },
        "standard error": {"of 100,000 exact samples": exact_error, "of the pool": spread},
        "pool for equal accuracy": needed,
        "its seconds": spent["pool of 20,000"] * needed / 20_000,
    }


IMAGES = ((100, 32, 32, 10), (100, 64, 32, 3), (128, 256, 32, 1))
"""Latents, pixels of a side, channels of the last hidden layer, and how many latents the formula gets."""


def image_generator(d: int, pixels: int, channels: int) -> nn.Sequential:
    """Transposed convolutions with batch normalisation and ReLU, as of DCGAN, with statistics of its own outputs."""
    steps = int(math.log2(pixels // 4))
    widths = [channels * 2 ** (steps - 1 - i) for i in range(steps)]
    first = nn.ConvTranspose2d(d, widths[0], 4, bias=False)
    layers: list[nn.Module] = [nn.Unflatten(1, (d, 1, 1)), first, nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for before, after in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    module = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1, bias=False), nn.Tanh())
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in module:
            if isinstance(part, nn.ConvTranspose2d):
                part.weight.normal_(0.0, 0.02, generator=rng)
        module.train()
        for _ in range(3):
            module(torch.randn(8, d, generator=rng))
    return module.eval()


def images(d: int, pixels: int, channels: int, number: int) -> dict[str, Any]:
    """Volumes of a generator of images: seconds of the processor for each latent, and largest differences."""
    single = image_generator(d, pixels, channels)
    module = image_generator(d, pixels, channels).double()
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((number, d)))
    ours = {
        "auto": partial(log_volume, module),
        "auto float32": partial(log_volume, single),
        "sketch": partial(log_volume, module, method="sketch"),
        "sketch float32": partial(log_volume, single, method="sketch"),
    }
    for way in ours.values():
        way(z[:1])  # so that kernels are loaded
    spent, values = {}, {}
    for name, way in ({"released formula": partial(released, lambda x: module(x[None]).flatten())} | ours).items():
        started = time.process_time()
        values[name] = way(z)
        spent[name] = (time.process_time() - started) / number
    truth = values["released formula"]
    return {
        "latents": d,
        "outputs": 3 * pixels**2,
        "seconds_for_each": spent,
        "largest_difference": {name: float(np.abs(found - truth).max()) for name, found in values.items()},
        "deviation_of_sketches": sketch_bias(3 * pixels**2, max(128, 2 * d), d).deviation,
        "times_faster": {name: spent["released formula"] / value for name, value in spent.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", action="store_true", help="measure generators of images anew, and keep the rest")
    parser.add_argument("--outputs", type=int, help="measure perceptrons of so many outputs anew, and keep the rest")
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samplers", action="store_true", help="measure samplers anew, and keep the rest")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.images:
        kept = json.loads((RESULTS / "generative.json").read_text())["results"]
        for shape in IMAGES:
            kept[f"{shape[0]} latents, images of {shape[1]} x {shape[1]}"] = found = images(*shape)
            print(found, flush=True)
        save("generative", kept)
        return
    if chosen.outputs:
        kept = json.loads((RESULTS / "generative.json").read_text())["results"]
        for d, outputs in SHAPES:
            if outputs == chosen.outputs:
                kept[f"{d} latents, {outputs} outputs"] = found = volumes(d, outputs, chosen.number, chosen.repeats)
                print(found, flush=True)
        save("generative", kept)
        return
    results: dict[str, Any] = {"samplers": samplers()}
    print("samplers", results["samplers"])
    if chosen.samplers:
        kept = json.loads((RESULTS / "generative.json").read_text())["results"]
        save("generative", kept | results)
        return
    for d, outputs in SHAPES:
        found = volumes(d, outputs, chosen.number, chosen.repeats)
        results[f"{d} latents, {outputs} outputs"] = found
        print(found)
    for shape in IMAGES:
        results[f"{shape[0]} latents, images of {shape[1]} x {shape[1]}"] = found = images(*shape)
        print(found, flush=True)
    save("generative", results)


if __name__ == "__main__":
    main()
