"""Measures of `debias`: a generator is trained on data with a rare class, and its samples are classified."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.experiments.debias.settings import Settings
from splinescope.experiments.shared.images import ImageSplit, classifier_of, decoder_of, images_of
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.perceptrons import read_perceptron
from splinescope.generative import (
    Frequencies,
    Gaussian,
    Prior,
    UniformBall,
    VolumeSampler,
    frequencies,
    frequencies_by_rho,
)

SHOWN = 24
"""Samples of each law that the figure shows."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train both networks, weigh pools, classify; the part `samples` has images of each law."""
    images = images_of(settings.data, settings.images)
    classifier = classifier_of(images, parts, settings.width, settings.classifier_epochs, settings.seed)
    chosen = _unbalanced(images, settings)
    size = {"latents": settings.latents, "width": settings.width, "epochs": settings.epochs, "seed": settings.seed}
    generator = decoder_of("generator", images.inputs[chosen], parts, **size)
    gaussian = Gaussian(settings.latents, radius=settings.radius)
    samplers = {"gaussian": _sampler(settings, generator, gaussian)}
    samplers["uniform"] = _sampler(settings, generator, UniformBall(settings.latents, settings.radius))
    parts.arrays("samples", partial(_shown, samplers))
    tasks = {name: partial(_measure, settings, sampler, classifier) for name, sampler in samplers.items()}
    tasks["data"] = partial(_data, settings, images, chosen, classifier)
    if settings.generator:
        tasks["published"] = partial(_published, settings, published_of(settings, images), classifier)
    return parts.each(tasks, "law")


def _unbalanced(images: ImageSplit, settings: Settings) -> torch.Tensor:
    """Positions of training images, of the rare class the first few only."""
    rare = (images.labels == settings.rare).nonzero()[:, 0]
    others = (images.labels != settings.rare).nonzero()[:, 0]
    return torch.cat([others, rare[: round(settings.kept * len(rare))]]).sort().values


def _sampler(settings: Settings, generator: nn.Module, law: Prior) -> VolumeSampler:
    return VolumeSampler(generator, law, 0.0, pool=settings.pool, seed=settings.seed)


def _classes(classifier: nn.Module, outputs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = classifier(torch.from_numpy(outputs).double()).argmax(dim=1).numpy()
    return found


def _classes_of_signed(classifier: nn.Module, outputs: np.ndarray) -> np.ndarray:
    """The same of images from -1 to 1."""
    return _classes(classifier, (outputs + 1) / 2)


def _plain(found: Frequencies) -> dict[str, Any]:
    return {
        "shares": found.shares,
        "low": found.low,
        "high": found.high,
        "size": found.size,
        "imbalance": found.imbalance(),
    }


def _measure(settings: Settings, sampler: VolumeSampler, classifier: nn.Module) -> dict[str, Any]:
    """Class frequencies at each exponent, by the weights of the whole pool."""
    found = frequencies_by_rho(sampler, partial(_classes, classifier), settings.rhos, 10)
    return {
        "rhos": settings.rhos,
        "frequencies": [_plain(one) for one in found],
        "deficient": float(np.isneginf(sampler.log_volumes).mean()),
        "log_volume_deviation": float(np.std(sampler.log_volumes[np.isfinite(sampler.log_volumes)])),
    }


def published_of(settings: Settings, images: ImageSplit) -> nn.Sequential:
    """The published generator, whose images are from -1 to 1.

    Args:
        settings: The sizes.
        images: The images that it was trained on.

    Returns:
        The generator, in float64.

    Raises:
        InvalidInputError: If it makes no such images.
    """
    perceptron = read_perceptron("generator", settings.generator)
    made, wanted = perceptron[-1].out_features, images.inputs.shape[1]
    if made != wanted:
        raise InvalidInputError(
            f"`generator`: {settings.generator} makes images of {made} pixels; expected {wanted}: give `data`, too"
        )
    return nn.Sequential(perceptron, nn.Tanh())


def _published(settings: Settings, generator: nn.Sequential, classifier: nn.Module) -> dict[str, Any]:
    """Class frequencies of the published generator: by its own law, of latents uniform in a ball, and by volume."""
    latents = next(layer.in_features for layer in generator.modules() if isinstance(layer, nn.Linear))
    laws: dict[str, Prior] = {"gaussian": Gaussian(latents), "uniform": UniformBall(latents, np.sqrt(latents))}
    rows: list[dict[str, Any]] = []
    deficient = {}
    for name, law in laws.items():
        for top in settings.tops:
            sampler = VolumeSampler(
                generator, law, 0.0, pool=settings.published_pool, top=top or None, seed=settings.seed
            )
            if not top:
                deficient[name] = float(np.isneginf(sampler.log_volumes).mean())
            # exponent 0 needs no volume, so that it is the same for all; of exponent 1 there may be none
            rhos = [0.0] if top == settings.tops[0] else []
            rhos += [1.0] if np.isfinite(sampler.log_volumes).any() else []
            found = frequencies_by_rho(sampler, partial(_classes_of_signed, classifier), rhos, 10)
            for rho, one in zip(rhos, found, strict=True):
                rows.append({"latents": name, "rho": rho, "top": top if rho else 0, **_plain(one)})
    return {"laws": rows, "deficient": deficient, "latents": latents}


def _data(settings: Settings, images: ImageSplit, chosen: torch.Tensor, classifier: nn.Module) -> dict[str, Any]:
    """The truth: frequencies in the training set of the generator, and how well the classifier tells digits."""
    right = _classes(classifier, images.held.numpy()) == images.held_labels.numpy()
    rare = images.held_labels.numpy() == settings.rare
    return {
        **_plain(frequencies(images.labels[chosen].numpy(), 10)),
        "accuracy": float(right.mean()),
        "accuracy_of_rare": float(right[rare].mean()),
    }


def _shown(samplers: dict[str, VolumeSampler]) -> dict[str, np.ndarray]:
    laws = {"own": ("gaussian", 0.0), "published": ("gaussian", 1.0), "latents": ("uniform", 0.0)}
    laws["manifold"] = ("uniform", 1.0)
    return {name: samplers[law].with_rho(rho).sample(SHOWN).outputs for name, (law, rho) in laws.items()}
