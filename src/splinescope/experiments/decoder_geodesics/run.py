"""Measures of `decoder-geodesics`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.experiments.decoder_geodesics.away import nearest_distances
from splinescope.experiments.decoder_geodesics.generators import measured
from splinescope.experiments.decoder_geodesics.settings import Settings
from splinescope.experiments.shared.images import ImageSplit, autoencoder_of, images_of
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of
from splinescope.riemannian import geodesic
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex

_FINE = 400
"""Points by which the straight line's length is divided evenly."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train an autoencoder of two latents, and join the latents of held-out images in both ways."""
    images = images_of(settings.data, settings.images)
    both = autoencoder_of(
        "autoencoder", images.inputs, parts, latents=2, width=settings.width, epochs=settings.epochs,
        seed=settings.seed,
    )  # fmt: skip
    encoder, decoder = both[0], both[1]
    known, held = _latents(encoder, images.inputs), _latents(encoder, images.held)
    cells = parts.cells("cells", PlanarComplex, lambda: cells_of(decoder, _domain(np.concatenate([known, held]))))
    data = images.inputs.double().numpy(), known
    law = {
        "image": nearest_distances(_decoded(decoder, held), data[0]),
        "latent": nearest_distances(held, data[1]),
    }
    limits = {name: float(np.quantile(away, 0.95)) for name, away in law.items()}
    rows = np.random.default_rng(settings.seed).permutation(len(held))[: 2 * settings.pairs].reshape(-1, 2)
    tasks = {
        f"pair-{number}": partial(_one, settings, number, decoder, cells, held[pair], data, limits)
        for number, pair in enumerate(rows)
    }
    found = list(parts.each(tasks, "pair").values())
    parts.arrays("latents", lambda: {"known": known, "labels": images.labels.numpy()})
    saved = [one["length"] / one["straight_length"] for one in found]
    shown = np.argsort(saved, kind="stable")[: settings.shown]
    parts.arrays("paths", partial(_paths, decoder, cells, held[rows[shown]]))
    return {
        "pairs": found,
        "shown": shown.tolist(),
        "cells": len(cells),
        "limits": limits,
        "images": "MNIST" if settings.data else "digits",
        "generators": [measured(name, settings, parts) for name in settings.generators.split(",") if name],
        **_quality(images, decoder, held),
    }


def _latents(encoder: nn.Module, inputs: Tensor) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = encoder(inputs.double())[:, :2].numpy()
    return found


def _decoded(decoder: nn.Module, latents: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = decoder(torch.from_numpy(np.ascontiguousarray(latents))).numpy()
    return found


def _domain(latents: np.ndarray) -> Slice:
    """The smallest square around all latents, and a tenth more."""
    low, high = latents.min(axis=0), latents.max(axis=0)
    half = 0.55 * float((high - low).max())
    return Slice.box((low + high) / 2 - half, (low + high) / 2 + half)


def _quality(images: ImageSplit, decoder: nn.Module, held: np.ndarray) -> dict[str, float]:
    error = np.linalg.norm(_decoded(decoder, held) - images.held.double().numpy(), axis=1)
    spread = np.linalg.norm(images.held.double().numpy() - images.inputs.double().mean(dim=0).numpy(), axis=1)
    return {"reconstruction": float(error.mean()), "spread": float(spread.mean())}


def _even(decoder: nn.Module, ends: np.ndarray, places: int) -> np.ndarray:
    """Points on a straight line at equal distances in the space of images."""
    line = np.linspace(ends[0], ends[1], _FINE + 1)
    reached = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(_decoded(decoder, line), axis=0), axis=1))])
    wanted = np.linspace(0, reached[-1], places)
    return np.stack([np.interp(wanted, reached, line[:, k]) for k in range(2)], axis=1)


def _one(
    settings: Settings,
    number: int,
    decoder: nn.Module,
    cells: PlanarComplex,
    ends: np.ndarray,
    data: tuple[np.ndarray, np.ndarray],
    limits: dict[str, float],
) -> dict[str, Any]:
    """Lengths of both ways between two latents, and how much of them is farther from data than held-out images are."""
    path = geodesic(cells, *ends)
    found: dict[str, Any] = {
        "length": path.length,
        "network_length": path.network_length,
        "straight_length": path.straight_length,
        "chord": path.chord,
        "pieces": len(path.cells),
        "lower_bound": path.lower_bound if number < settings.proved else None,
    }
    ways = {"geodesic": path.along(settings.places), "straight": _even(decoder, ends, settings.places)}
    for name, points in ways.items():
        image = nearest_distances(_decoded(decoder, points), data[0])
        latent = nearest_distances(points, data[1])
        found[name] = {
            "image_away": float((image > limits["image"]).mean()),
            "latent_away": float((latent > limits["latent"]).mean()),
            "mean_image_distance": float(image.mean()),
            "mean_latent_distance": float(latent.mean()),
        }
    return found


def _paths(decoder: nn.Module, cells: PlanarComplex, pairs: np.ndarray) -> dict[str, np.ndarray]:
    """Both ways of some pairs, with nine images along each."""
    found = {}
    for number, ends in enumerate(pairs):
        path = geodesic(cells, *ends)
        found[f"path-{number}"] = path.points
        found[f"geodesic-{number}"] = _decoded(decoder, path.along(9))
        found[f"straight-{number}"] = _decoded(decoder, _even(decoder, ends, 9))
    return found
