"""Measures of `pulled-back-balls`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope.experiments.pulled_back_balls.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.spirals import Untangled, untangle
from splinescope.riemannian import LayerMetrics, layer_metrics

SMALL = 1e-6
"""Radius of balls that are as good as linear, as a share of the extent of the outputs."""
_TURN = np.linspace(0, 2 * np.pi, 65)


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train residual networks and pull their metric back to every layer; the part `balls` is drawn."""
    trained = untangle(
        parts, "weights", "residual", [1000 * settings.seed + repeat for repeat in range(settings.repeats)],
        points=settings.points, turns=settings.turns, layers=settings.layers, step=settings.step,
        epochs=settings.epochs, batch=settings.batch, learning_rate=settings.learning_rate,
    )  # fmt: skip
    tasks = {f"network-{repeat}": partial(_one, settings, one) for repeat, one in enumerate(trained)}
    found = parts.each(tasks, "network")
    parts.arrays("balls", partial(_balls, settings, trained[0]))
    return {"networks": [found[name] for name in tasks]}


def _one(settings: Settings, found: Untangled) -> dict[str, Any]:
    """How far the pulled-back balls are from what they should be, and their shapes by layer."""
    x = found.data.inputs.double()
    layers = layer_metrics(found.body, x)
    extent = float(np.ptp(layers[-1].metrics.points, axis=0).max())
    forward = [J.detach().numpy() for J in found.body.jacobians(x)]
    axes = [layer.metrics.axes(1.0) for layer in layers]
    return {
        "accuracy": found.accuracy,
        "product_error": max(_product_error(layer, J, forward[-1]) for layer, J in zip(layers, forward, strict=True)),
        "form_error": max(_form_error(layer) for layer in layers),
        "output_error": float(np.abs(np.linalg.norm(axes[-1], axis=2) - 1).max()),
        "roundness_error": max(_roundness(found, layer, SMALL * extent) for layer in layers),
        "roundness_of_drawn": [_roundness(found, layer, settings.radius * extent) for layer in layers],
        "long_axes": [float(np.median(np.linalg.norm(one[:, -1], axis=1))) for one in axes],
        "short_axes": [float(np.median(np.linalg.norm(one[:, 0], axis=1))) for one in axes],
        "ratios": [float(np.median(np.sqrt(layer.metrics.conditions))) for layer in layers],
        "least_rank": min(int(layer.metrics.ranks.min()) for layer in layers),
    }


def _product_error(layer: LayerMetrics, before: np.ndarray, whole: np.ndarray) -> float:
    """How much the factor at a layer, times the Jacobian up to it, differs from the Jacobian of all."""
    return float(np.abs(layer.metrics.factors @ before - whole).max() / np.abs(whole).max())


def _form_error(layer: LayerMetrics) -> float:
    """How much v^T g v differs from 1 on the semi-axes v of balls of radius one."""
    axes = layer.metrics.axes(1.0)
    lengths = np.linalg.norm(np.einsum("nkd,nmd->nmk", layer.metrics.factors, axes), axis=2)
    return float(np.abs(lengths - 1).max())


def _roundness(found: Untangled, layer: LayerMetrics, radius: float) -> float:
    """Median over points of how much the images of an ellipse's boundary differ from a circle, relative to its radius.

    The ellipse goes through the layers that follow, without being made linear.
    """
    axes, centres = layer.metrics.axes(radius), layer.metrics.points
    rings = centres[:, None] + np.einsum("tk,nkd->ntd", np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1), axes)
    rest = nn.Sequential(*list(found.body)[layer.index :])
    with torch.no_grad():
        images, middles = (rest(torch.from_numpy(part)).numpy() for part in (rings.reshape(-1, 2), centres))
    away = np.linalg.norm(images.reshape(rings.shape) - middles[:, None], axis=2)
    return float(np.median(np.abs(away / radius - 1).max(axis=1)))


def _balls(settings: Settings, found: Untangled) -> dict[str, np.ndarray]:
    """Centres and semi-axes of the balls of the picture at all layers, and the spirals."""
    layers = found.layers()
    order = np.argsort(np.linalg.norm(layers["values"][0], axis=1))
    rows = order[np.linspace(0, len(order) - 1, settings.shown).round().astype(int)]
    own = layer_metrics(found.body, found.data.inputs.double()[rows])
    radius = settings.radius * float(np.ptp(layers["values"][-1], axis=0).max())
    return {
        **layers,
        "rows": rows,
        "axes": np.stack([layer.metrics.axes(radius) for layer in own]),
    }
