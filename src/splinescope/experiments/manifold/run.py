"""Measures of `manifold`: surfaces are cut into their facets, measured in several ways, and sampled."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2
from torch import nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.experiments.manifold.settings import Settings
from splinescope.experiments.shared.generator_files import read_generator
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.experiments.shared.training import trained
from splinescope.generative import cell_log_volumes, entropy, expected_log_volume, log_volume, sample, volume
from splinescope.network import Network, from_torch
from splinescope.network.evaluate import forward
from splinescope.plotting.manifold import principal_components
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.engine import tessellate_slice

RHOS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Measure both surfaces; the parts `toy` and `slice` are their cells."""
    toy = models.gaussian_mlp(
        [2, settings.width, settings.width, 3],
        bias_deviation=settings.bias_deviation,
        generator=torch.Generator().manual_seed(settings.seed),
        dtype=torch.float64,
    )
    network = _generator(settings, parts)
    surface = parts.cells("toy", PlanarComplex, partial(cells_of, toy, square(settings.half), "proof"))
    plane = _plane(settings, network.input_shape)
    through = parts.cells("slice", PlanarComplex, partial(tessellate_slice, network, plane))
    tasks = {
        "toy": partial(_measure, settings, toy, surface, square(settings.half)),
        "slice": partial(_measure, settings, partial(forward, network), through, plane),
        "components": partial(_components, through),
    }
    return parts.each(tasks, "surface")


def _generator(settings: Settings, parts: Parts) -> Network:
    """The user's, or a decoder trained on the small digits."""
    if settings.data:
        return read_generator(settings.data, layer=settings.layer, condition=settings.condition, fixed=settings.fixed)
    if settings.layer or settings.condition or settings.fixed:
        raise InvalidInputError("`set`: got a layer or a condition; expected `data`, the generator that has it")
    rng = torch.Generator().manual_seed(settings.seed)
    images = datasets.digits().inputs.flatten(1)
    width = settings.decoder_width
    encoder = models.mlp([images.shape[1], width, 2 * settings.latents], generator=rng)
    layers = models.mlp([settings.latents, width, width, images.shape[1]], generator=rng)
    decoder = nn.Sequential(*list(layers)[1:])
    train = partial(models.train_vae, encoder, decoder, images, generator=rng, epochs=settings.epochs, deviation=0.2)
    return from_torch(trained(parts, "weights", decoder, train))


def _plane(settings: Settings, shape: tuple[int, ...]) -> Slice:
    """A square around the origin in two random orthonormal directions of the latent space."""
    random = np.random.default_rng(settings.seed).standard_normal((math.prod(shape), 2))
    corners = settings.reach * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Slice(np.zeros(shape), np.linalg.qr(random)[0].T.reshape(2, *shape), corners)


def _measure(
    settings: Settings, generator: Callable[[torch.Tensor], torch.Tensor], cells: PlanarComplex, plane: Slice
) -> dict[str, Any]:
    """Area by the formula, by triangles of the facets, and by Jacobians at random latents; uniformity of samples."""
    areas = _facet_areas(cells)
    logs = cell_log_volumes(cells)
    rng = np.random.default_rng(settings.seed)
    low, high = cells.domain.polygon.min(axis=0), cells.domain.polygon.max(axis=0)
    origin, basis = (torch.from_numpy(np.asarray(part, np.float64)) for part in (plane.origin, plane.basis))

    def on_the_plane(t: torch.Tensor) -> torch.Tensor:
        return generator(origin + torch.tensordot(t, basis, 1))

    factors = np.exp(log_volume(on_the_plane, rng.uniform(low, high, (2_000, 2)), "svd"))
    area = float(np.prod(high - low))
    return {
        "cells": len(cells),
        "flattened": int(np.isneginf(logs).sum()),
        "volume": volume(cells),
        "triangulated": float(areas.sum()),
        "random": float(factors.mean() * area),
        "random_error": float(factors.std() * area / np.sqrt(len(factors))),
        "entropy": entropy(cells),
        "latent_entropy": float(np.log(area)),
        "expected_log_volume": {str(rho): _mean(cells, rho) for rho in RHOS},
        "log_volume_quantiles": np.quantile(logs[np.isfinite(logs)], [0.05, 0.5, 0.95]),
        "certificate": cells.certificate.level if cells.certificate is not None else "none",
        "p_uniform": _p_value(settings, cells, areas, 1.0),
        "p_plain": _p_value(settings, cells, areas, 0.0),
    }


def _mean(cells: PlanarComplex, rho: float) -> float | None:
    found = expected_log_volume(cells, rho)
    return found if np.isfinite(found) else None


def _facet_areas(cells: PlanarComplex) -> np.ndarray:
    """Areas of the images of cells by triangles between their corners, without any affine map."""
    found = np.zeros(len(cells))
    for number in range(len(cells)):
        corners = cells.cell_vertices[cells.cell_offsets[number] : cells.cell_offsets[number + 1]]
        loop = cells.vertex_outputs[corners]
        one, two = loop[1:-1] - loop[0], loop[2:] - loop[0]
        lengths = np.linalg.norm(one, axis=1, keepdims=True)
        along = one / np.where(lengths > 0, lengths, 1.0)
        heights = np.linalg.norm(two - (two * along).sum(1, keepdims=True) * along, axis=1)
        found[number] = 0.5 * float(lengths[:, 0] @ heights)
    return found


def _p_value(settings: Settings, cells: PlanarComplex, areas: np.ndarray, rho: float) -> float:
    """Of the chi-square test that exact samples fall into facets by their areas; small facets count together."""
    drawn = sample(cells, settings.samples, rho, settings.seed)
    seen = np.bincount(drawn.cells, minlength=len(cells))
    expected = settings.samples * areas / areas.sum()
    large = expected >= 10
    seen = np.append(seen[large], seen[~large].sum())
    expected = np.append(expected[large], expected[~large].sum())
    used = expected > 0
    statistic = float(((seen - expected)[used] ** 2 / expected[used]).sum())
    return float(chi2.sf(statistic, used.sum() - 1))


def _components(cells: PlanarComplex) -> dict[str, Any]:
    return {"outputs": cells.vertex_outputs.shape[1], "shares": principal_components(cells)[1]}
