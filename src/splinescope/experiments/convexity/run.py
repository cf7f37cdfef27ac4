"""Measures of `convexity`: how often the image of a mean of weights is no larger than the mean of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from splinescope import datasets, models
from splinescope.experiments.convexity.settings import Settings
from splinescope.experiments.shared.parts import Parts

_AT_ONCE = 2000
"""Trials that are held in memory together."""


@dataclass(frozen=True)
class Regime:
    """One reading of the experiment; `scale` is in units of Xavier's standard deviation."""

    activation: str = "affine"
    weights: str = "normal"
    scale: float = 1.0
    places: str = "uniform"
    inputs: str = "normal"
    points: int = 1


REGIMES: Mapping[str, Regime] = {
    "affine": Regime(),
    "relu": Regime("relu"),
    "relu, all t": Regime("relu", places="all"),
    "affine, 20 points": Regime(points=20),
    "relu, 20 points": Regime("relu", points=20),
    "affine, weights / 3": Regime(scale=1 / math.sqrt(3)),
    "affine, weights N(0, 1)": Regime(scale=math.sqrt(3)),
    "affine, uniform": Regime(weights="uniform"),
    "relu, uniform": Regime("relu", "uniform"),
    "affine, all t": Regime(places="all"),
}
"""Readings that are always run; the first seven are those that were measured before, with three units."""

ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "affine": lambda z: z,
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky": lambda z: np.maximum(z, 0.1 * z),
    "absolute": np.abs,
}


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Count over random chains, and over trained networks."""
    own = Regime(*(getattr(settings, name) for name in Regime.__dataclass_fields__))
    regimes = {**REGIMES, "your own": own}
    chains = {
        name: parts.each(
            {f"chain-{number}-{depth}": partial(_chains, settings, regime, number, depth) for depth in settings.depths},
            "depth",
        )
        for number, (name, regime) in enumerate(regimes.items())
    }
    tasks = {
        f"trained-{depth}-{pair}": partial(_trained, settings, depth, pair)
        for depth in settings.trained_depths
        for pair in range(settings.pairs)
    }
    trained = parts.each(tasks, "pair")
    return {
        "regimes": {name: asdict(regime) for name, regime in regimes.items()},
        "holds": {name: [part["holds"] for part in found.values()] for name, found in chains.items()},
        "trained": {
            str(depth): {
                key: [trained[f"trained-{depth}-{pair}"][key] for pair in range(settings.pairs)]
                for key in ("start", "end", "one_training", "accuracy")
            }
            for depth in settings.trained_depths
        },
    }


def _chains(settings: Settings, regime: Regime, number: int, depth: int) -> dict[str, Any]:
    """In how many of the trials the inequality holds, for every t and x of the trial."""
    rng = np.random.default_rng([settings.seed, number, depth])
    holds, left = 0, settings.trials
    while left > 0:
        count = min(left, _AT_ONCE)
        holds += int(_hold(settings, regime, depth, count, rng).sum())
        left -= count
    return {"holds": holds}


def _hold(settings: Settings, regime: Regime, depth: int, count: int, rng: np.random.Generator) -> np.ndarray:
    shape, deviation = (count, depth, settings.width, settings.width), regime.scale / math.sqrt(settings.width)

    def draw() -> np.ndarray:
        if regime.weights == "normal":
            return deviation * rng.standard_normal(shape)
        return rng.uniform(-math.sqrt(3) * deviation, math.sqrt(3) * deviation, shape)

    one, other = draw(), draw()
    points = (count, regime.points, settings.width)
    if regime.inputs == "ones":
        x = np.ones(points)
    else:
        x = rng.standard_normal(points) if regime.inputs == "normal" else rng.uniform(-1, 1, points)
    places = (
        rng.uniform(size=(1, count)) if regime.places == "uniform" else np.tile(np.arange(1, 10)[:, None] / 10, count)
    )
    activation = ACTIVATIONS[regime.activation]

    def through(weights: np.ndarray) -> np.ndarray:
        z = x
        for layer in range(depth):
            z = activation(z @ weights[:, layer].transpose(0, 2, 1) + settings.offset)
        return z

    a, b = through(one), through(other)
    held = np.ones(count, bool)
    for t in places[:, :, None, None]:
        mixed = through(t[..., None] * one + (1 - t[..., None]) * other)
        left, right = np.abs(mixed).max(axis=2), np.abs(t * a + (1 - t) * b).max(axis=2)
        held &= (left <= right * (1 + settings.tolerance)).all(axis=1)
    return held


def _trained(settings: Settings, depth: int, pair: int) -> dict[str, Any]:
    """Shares of t and images at which it holds: between two networks at the start, trained, and along one training."""
    data = datasets.digits()
    found = []
    for member in (0, 1):
        generator = torch.Generator().manual_seed(10_000 * settings.seed + 100 * depth + 2 * pair + member)
        module = models.mlp([64, *(settings.trained_width,) * depth, 10], generator=generator, dtype=torch.float64)
        start = _weights(module)
        result = models.train_classifier(
            module, data.inputs.double(), data.labels, generator=generator, epochs=settings.epochs
        )
        found.append((module, start, _weights(module), result.accuracy))
    (module, start, end, accuracy), (_, other_start, other_end, _) = found
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(pair))[: settings.trained_inputs]
    x = data.inputs[rows].double()
    share = partial(_share, module, x, settings.tolerance)
    return {
        "start": share(start, other_start),
        "end": share(end, other_end),
        "one_training": share(start, end),
        "accuracy": accuracy,
    }


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


@torch.no_grad()
def _share(module: nn.Module, x: Tensor, tolerance: float, one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    a, b = (functional_call(module, weights, (x,)) for weights in (one, other))
    held = []
    for t in np.arange(1, 10) / 10:
        mixed = functional_call(module, {name: t * one[name] + (1 - t) * other[name] for name in one}, (x,))
        left, right = mixed.abs().amax(dim=1), (t * a + (1 - t) * b).abs().amax(dim=1)
        held.append(float((left <= right * (1 + tolerance)).double().mean()))
    return float(np.mean(held))
