"""Measures of `polarity-toy`: toy generators are trained, cut into their cells, and sampled at each exponent."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import models
from splinescope.experiments.polarity_toy import toys
from splinescope.experiments.polarity_toy.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.experiments.shared.training import trained
from splinescope.generative import (
    UniformBox,
    VolumeSampler,
    cell_log_volumes,
    expected_log_volume,
    law_entropy,
    sample,
)
from splinescope.tessellation.planar.complex import PlanarComplex

HALF = {"wgan": 1.0, "vae": 2.0}
"""Half the side of the square of latents: a WGAN's own, and where 91 % of a VAE's Gaussian latents are."""

SHOWN = 3000
"""Samples of each exponent that figures show."""

WITHIN = 3.0
"""A point is in a mode within so many standard deviations of its centre."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """The parts `cells-KIND-PROBLEM` are the generators' cells, `samples-KIND-PROBLEM` what the figures show."""
    found: dict[str, Any] = {}
    for problem in settings.problems:
        data = toys.draw(problem, settings.points, settings.deviation, settings.seed)
        parts.arrays(f"data-{problem}", partial(_first, data))
        for kind in settings.kinds:
            name = f"{kind}-{problem}"
            module = _generator(settings, parts, kind, problem, torch.from_numpy(data).float())
            cells = parts.cells(f"cells-{name}", PlanarComplex, partial(cells_of, module, square(HALF[kind])))
            parts.arrays(f"samples-{name}", partial(_shown, settings, cells))
            measure = partial(_measure, settings, problem, kind, module, cells)
            found[name] = parts.each({name: measure}, "generator")[name]
    return {"generators": found}


def _generator(settings: Settings, parts: Parts, kind: str, problem: str, data: Tensor) -> nn.Module:
    rng = torch.Generator().manual_seed(settings.seed)
    leaky = partial(nn.LeakyReLU, settings.slope)
    module = models.mlp([2, settings.width, settings.width, 2], activation=leaky, generator=rng)

    def adversarial() -> None:
        critic = models.mlp([2, 64, 64, 1], activation=leaky, generator=rng)
        models.train_wgan(
            module,
            critic,
            data,
            lambda n, g: HALF["wgan"] * (2 * torch.rand(n, 2, generator=g) - 1),
            generator=rng,
            steps=settings.steps,
            penalty=0.3,
            learning_rate=3e-3,
        )

    def variational() -> None:
        encoder = models.mlp([2, 64, 64, 4], activation=leaky, generator=rng)
        models.train_vae(
            encoder, module, data, generator=rng, epochs=settings.epochs, deviation=settings.deviation, batch_size=128
        )

    return trained(parts, f"weights-{kind}-{problem}", module, adversarial if kind == "wgan" else variational)


def _first(data: np.ndarray) -> dict[str, np.ndarray]:
    return {"points": data[:SHOWN]}


def _shown(settings: Settings, cells: PlanarComplex) -> dict[str, np.ndarray]:
    number = min(SHOWN, settings.samples)
    return {f"rho{k}": sample(cells, number, rho, settings.seed).outputs for k, rho in enumerate(settings.rhos)}


def _measure(settings: Settings, problem: str, kind: str, module: nn.Module, cells: PlanarComplex) -> dict[str, Any]:
    """Exact laws of each exponent, samples from them, and the same by a pool."""
    half = HALF[kind]
    pool = VolumeSampler(
        module, UniformBox((-half,) * 2, (half,) * 2), 0.0, pool=settings.pool, method="svd", seed=settings.seed
    )
    logs = cell_log_volumes(cells)
    rows = []
    for rho in settings.rhos:
        outputs = sample(cells, settings.samples, rho, settings.seed).outputs
        near = toys.distances(problem, outputs)
        inside = near.min(axis=1) < WITHIN * settings.deviation
        seen = np.bincount(near.argmin(axis=1)[inside], minlength=near.shape[1])
        densities = toys.log_density(problem, outputs, settings.deviation)
        mean = expected_log_volume(cells, rho)
        weighed = pool.with_rho(rho)
        weights = np.exp(weighed.log_weights)
        estimate = float(np.sum(weights * pool.log_volumes))
        spread = float(np.sum(weights**2 * (pool.log_volumes - estimate) ** 2))
        rows.append(
            {
                "rho": rho,
                "expected_log_volume": mean,
                "entropy": law_entropy(cells, rho) + mean,
                "in_modes": float(inside.mean()),
                "modes_seen": int((seen > 0).sum()),
                "median_log_density": float(np.median(densities)),
                "pool_log_volume": estimate,
                "pool_error": float(np.sqrt(spread)),
                "effective_sample_size": weighed.effective_sample_size,
            }
        )
    return {
        "cells": len(cells),
        "flattened": int(np.isneginf(logs).sum()),
        "modes": len(toys.centres(problem)),
        "by_rho": rows,
    }
