"""Measures of `precision-recall`: a generator's samples beside held-out images, and what its surface misses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import nn

from splinescope.experiments.precision_recall.settings import Settings
from splinescope.experiments.shared.images import ImageSplit, classifier_of, decoder_of, images_of
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.generative import Gaussian, VolumeSampler, latent_law, quality, sample
from splinescope.tessellation.planar.complex import PlanarComplex

MEASURES = ("precision", "recall", "density", "coverage")
Features = Callable[[np.ndarray], np.ndarray]


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Compare samples with images for each exponent and truncation; the part `plane` is a surface, cell by cell."""
    images = images_of(settings.data, settings.images)
    classifier = classifier_of(images, parts, settings.width, settings.classifier_epochs, settings.seed)
    size = {"epochs": settings.epochs, "seed": settings.seed}
    generator = decoder_of("generator", images.inputs, parts, latents=settings.latents, width=settings.width, **size)
    flat = decoder_of("flat-generator", images.inputs, parts, latents=2, width=settings.plane_width, **size)
    cells = parts.cells("plane", PlanarComplex, partial(cells_of, flat, square(settings.half)))
    features = partial(_features, classifier)
    tasks = {
        "exponents": partial(_exponents, settings, generator, images, features),
        "truncations": partial(_truncations, settings, generator, images, features),
        "surface": partial(_surface, settings, cells, images),
    }
    return parts.each(tasks, "measure")


def _features(classifier: nn.Sequential, outputs: np.ndarray) -> np.ndarray:
    """Activations of the last hidden layer."""
    with torch.no_grad():
        found: np.ndarray = classifier[:-1](torch.from_numpy(np.asarray(outputs, np.float64))).numpy()
    return found


def _compared(
    settings: Settings, images: ImageSplit, features: Features, draw: Callable[[int], np.ndarray]
) -> dict[str, Any]:
    """Means and standard deviations of the measures over repeated draws, on pixels and on features."""
    held = images.held.numpy()[: settings.samples].astype(np.float64)
    kinds: dict[str, Features] = {"pixels": lambda y: np.asarray(y, np.float64), "features": features}
    found: dict[str, Any] = {name: {key: [] for key in MEASURES} for name in kinds}
    for repeat in range(settings.repeats):
        outputs = draw(settings.seed + repeat)
        for name, map_ in kinds.items():
            result = quality(map_(held), map_(outputs), settings.neighbours)
            for key in MEASURES:
                found[name][key].append(getattr(result, key))
    return {
        name: {key: {"mean": np.mean(values), "deviation": np.std(values, ddof=1)} for key, values in one.items()}
        for name, one in found.items()
    }


def _outputs(sampler: VolumeSampler, number: int, seed: int) -> np.ndarray:
    return sampler.sample(number, seed=seed).outputs


def _exponents(settings: Settings, generator: nn.Module, images: ImageSplit, features: Features) -> dict[str, Any]:
    pool = VolumeSampler(generator, Gaussian(settings.latents), 0.0, pool=settings.pool, seed=settings.seed)
    rows = []
    for rho in settings.rhos:
        sampler = pool.with_rho(rho)
        found = _compared(settings, images, features, partial(_outputs, sampler, settings.samples))
        rows.append({"rho": rho, "size": sampler.effective_sample_size, **found})
    return {"rows": rows}


def _truncations(settings: Settings, generator: nn.Module, images: ImageSplit, features: Features) -> dict[str, Any]:
    """Latents of a smaller deviation, as in the truncation of StyleGAN."""

    def draw(deviation: float, seed: int) -> np.ndarray:
        latents = Gaussian(settings.latents, deviation).draw(settings.samples, np.random.default_rng(seed))
        with torch.no_grad():
            outputs: np.ndarray = generator(torch.from_numpy(latents)).numpy()
        return outputs

    rows = [
        {"deviation": deviation, **_compared(settings, images, features, partial(draw, deviation))}
        for deviation in settings.deviations
    ]
    return {"rows": rows}


def _surface(settings: Settings, cells: PlanarComplex, images: ImageSplit) -> dict[str, Any]:
    """The law of latents that held-out images have, and what samples see of the surface's faults.

    A point of the surface is off the data if it is farther from all training images than 95 % of held-out images are.
    """
    train, held = images.inputs.numpy().astype(np.float64), images.held.numpy()[: settings.samples].astype(np.float64)
    law = latent_law(cells, held)
    reach = float(np.quantile(cdist(held, train).min(axis=1), 0.95))

    def off(outputs: np.ndarray) -> float:
        return float((cdist(outputs, train).min(axis=1) > reach).mean())

    draws = {
        "uniform": sample(cells, settings.samples, 1.0, settings.seed).outputs,
        "latents": sample(cells, settings.samples, 0.0, settings.seed).outputs,
        "law": law.sample(settings.samples, settings.seed).outputs,
    }
    return {
        "cells": len(cells),
        "rho": law.rho,
        "rho_error": law.rho_error,
        "distance": float(np.median(law.projection.distances)),
        "between_images": float(np.median(cdist(held, train).min(axis=1))),
        "off": {name: off(outputs) for name, outputs in draws.items()},
        "quality": {
            name: {key: getattr(quality(held, outputs, settings.neighbours), key) for key in MEASURES}
            for name, outputs in draws.items()
        },
    }
