"""Measures of `loss-landscape`: two networks are trained, and the loss around each is evaluated."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.experiments.loss_landscape.settings import Settings
from splinescope.experiments.shared.cifar import cifar10
from splinescope.experiments.shared.parts import Parts
from splinescope.landscape import (
    LossPlane,
    ParameterPlane,
    layer_directions,
    layer_names,
    loss_grid,
    loss_plane,
    random_plane,
)
from splinescope.network import from_torch
from splinescope.tessellation.planar.complex import PlanarComplex

SKIPS = {"residual": 1.0, "plain": 0.0}


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train both, and look around each; the parts `grid-...`, `cells-...` and `loss-...` are for pictures."""
    inputs, labels = _images(settings)
    found = {}
    for name, skip in SKIPS.items():
        module = _trained(settings, parts, name, skip, inputs, labels)
        shown = inputs[: settings.shown], labels[: settings.shown]
        plane = random_plane(module, generator=torch.Generator().manual_seed(settings.seed))
        axis = np.linspace(-settings.reach, settings.reach, settings.grid)
        grid = partial(_grid, module, plane, axis, shown, parts.progress)
        values = parts.arrays(f"grid-{name}", grid)["values"]
        rays = parts.each({f"rays-{name}": partial(_rays, settings, module, plane, shown)}, "network")[f"rays-{name}"]
        with torch.no_grad():
            outputs = module(inputs)
            own = float(nn.functional.cross_entropy(module(shown[0]).double(), shown[1]))
        found[name] = {
            "parameters": sum(value.numel() for value in module.parameters()),
            "convolutions": sum(isinstance(layer, nn.Conv2d) for layer in module.modules()),
            "accuracy": float((outputs.argmax(dim=1) == labels).double().mean()),
            "loss": own,
            "middle": float(values[settings.grid // 2, settings.grid // 2]),
            "largest": float(np.nanmax(values)),
            "rays": rays["values"],
            "exact": _exact(settings, parts, name, module, inputs, labels),
        }
    return {"networks": found}


def _images(settings: Settings) -> tuple[Tensor, Tensor]:
    """Images, with mean 0 and deviation 1, and labels."""
    if not settings.digits and settings.data is None:
        raise InvalidInputError(
            "`data`: got none; expected where CIFAR-10 is, as in `--data cifar-10-batches-bin` (the binary version), "
            "or an .npz file with `images` and `labels`"
        )
    data = datasets.digits() if settings.digits else cifar10(str(settings.data))
    inputs = nn.functional.avg_pool2d(data.inputs[: settings.images], settings.pool)
    return (inputs - inputs.mean()) / inputs.std(), data.labels[: settings.images]


def _trained(settings: Settings, parts: Parts, name: str, skip: float, inputs: Tensor, labels: Tensor) -> nn.Sequential:
    """The network with the share of skips, in eval mode; both start from the same weights."""
    generator = torch.Generator().manual_seed(settings.seed)
    module = models.residual_convnet(
        tuple(inputs.shape[1:]), 10, settings.channels, settings.blocks, skip=skip, generator=generator
    )

    def weights() -> dict[str, np.ndarray]:
        models.train_classifier(
            module,
            inputs,
            labels,
            generator=generator,
            epochs=settings.epochs,
            batch_size=128,
            learning_rate=settings.learning_rate,
        )
        return {key: value.numpy() for key, value in module.state_dict().items()}

    state = parts.arrays(f"weights-{name}", weights)
    module.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    return module.eval()


def _grid(
    module: nn.Module, plane: ParameterPlane, axis: np.ndarray, shown: tuple[Tensor, Tensor], progress: bool
) -> dict[str, np.ndarray]:
    grid = loss_grid(module, plane, "cross-entropy", shown, axes=axis, progress=progress)
    return {"axis": grid.axes[0], "values": grid.values}


def _rays(settings: Settings, module: nn.Module, plane: ParameterPlane, shown: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """The loss along rays in the plane, from the network outwards."""
    radii = np.linspace(0, settings.reach, settings.ray_points)
    values = []
    for angle in 2 * np.pi * np.arange(settings.rays) / settings.rays:
        one, other = plane.directions
        way = {name: np.cos(angle) * one[name] + np.sin(angle) * other[name] for name in one}
        ray = ParameterPlane(plane.origin, (way,), ("",), np.zeros((1, 1)))
        values.append(loss_grid(module, ray, "cross-entropy", shown, axes=radii).values.tolist())
    return {"values": values}


def _exact(
    settings: Settings, parts: Parts, name: str, module: nn.Sequential, inputs: Tensor, labels: Tensor
) -> dict[str, Any]:
    """The exact plane of the last block's first convolution."""
    network = from_torch(module, input_shape=tuple(inputs.shape[1:]))
    layer = layer_names(network)[-3]
    known: dict[str, LossPlane] = {}

    def plane() -> LossPlane:
        if not known:
            rows = slice(0, settings.plane_samples)
            known["plane"] = loss_plane(
                network,
                layer,
                layer_directions(network, layer, generator=torch.Generator().manual_seed(settings.seed)),
                inputs[rows].double(),
                labels[rows],
                "cross-entropy",
                extent=settings.plane_reach,
                max_cells=settings.plane_cells,
                progress=parts.progress,
            )
        return known["plane"]

    def losses() -> dict[str, np.ndarray]:
        found = plane()
        points, least, sides = found.cell_minima
        return {
            "values": found.values, "gradients": found.gradients, "hessians": found.hessians, "points": points,
            "least": least, "sides": sides, "targets": found.targets.numpy(),
        }  # fmt: skip

    def facts() -> dict[str, Any]:
        found = plane()
        return {
            "layer": found.layer,
            "cells": len(found),
            "truncated": bool(found.cells.truncated),
            "minima": len(found.minima),
            "least": found.global_minimum.value,
            "at_network": float(found([[0.0, 0.0]])[0]),
            "deviation": found.deviation,
            "largest_eigenvalue": float(found.eigenvalues.max()),
        }

    parts.cells(f"cells-{name}", PlanarComplex, lambda: plane().cells, limited=True)
    parts.arrays(f"loss-{name}", losses)
    return parts.each({f"exact-{name}": facts}, "plane")[f"exact-{name}"]
