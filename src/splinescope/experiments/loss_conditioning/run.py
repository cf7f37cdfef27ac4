"""Measures of `loss-conditioning`: singular values of the maps between layers, and whether bounds hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.experiments.loss_conditioning.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.landscape import Conditioning, conditioning
from splinescope.network import Network, boundaries, from_torch


class _Absolute(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


ACTIVATIONS: Mapping[str, tuple[Callable[[], nn.Module], float]] = {
    "relu": (nn.ReLU, 0.0),
    "leaky": (partial(nn.LeakyReLU, 0.1), 0.1),
    "absolute": (_Absolute, 1.0),
}
"""What makes each activation, and the least size of its slopes; the largest is 1."""


@dataclass(frozen=True)
class _Kind:
    """One kind of networks."""

    activation: str
    skip: float
    width: int
    depth: int
    norm: float | None = None

    @property
    def name(self) -> str:
        scale = "he" if self.norm is None else f"{self.norm:g}"
        return f"{self.activation}-{self.skip:g}-{self.width}x{self.depth}-{scale}"


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Measure random networks along depth, width and norm, and networks before and after training."""
    pairs = [(activation, skip) for activation in settings.activations for skip in settings.skips]
    along_depth = [_Kind(*pair, settings.width, depth) for pair in pairs for depth in settings.depths]
    along_width = [_Kind(*pair, width, settings.depth) for pair in pairs for width in settings.widths]
    along_norm = [
        _Kind(activation, skip, settings.width, depth, norm)
        for activation in settings.activations
        for skip in (0.0, 1.0)
        for norm in settings.norms
        for depth in settings.depths
    ]
    trained = [_Kind(*pair, settings.width, settings.depth) for pair in pairs]
    return {
        "along_depth": _each(settings, parts, along_depth, "start", _at_start),
        "along_width": _each(settings, parts, along_width, "start", _at_start),
        "along_norm": _each(settings, parts, along_norm, "start", _at_start),
        "trained": _each(settings, parts, trained, "trained", _in_training),
    }


def _each(
    settings: Settings,
    parts: Parts,
    kinds: Iterable[_Kind],
    what: str,
    measure: Callable[[Settings, _Kind, int], Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """For each kind what its networks have in common, and what was found of all of them."""
    found = []
    for kind in kinds:
        tasks = {
            f"{what}-{kind.name}-{number}": partial(measure, settings, kind, number)
            for number in range(settings.repeats)
        }
        own = list(parts.each(tasks, "network").values())
        found.append({**kind.__dict__, **{key: [part[key] for part in own] for key in own[0]}})
    return found


def _at_start(settings: Settings, kind: _Kind, number: int) -> dict[str, Any]:
    return _measured(settings, kind, number, _network(settings, kind, number))


def _in_training(settings: Settings, kind: _Kind, number: int) -> dict[str, Any]:
    module, data = _network(settings, kind, number), datasets.digits()
    before = _measured(settings, kind, number, module)
    result = models.train_classifier(
        module,
        data.inputs.double(),
        data.labels,
        generator=_generator(settings, number),
        epochs=settings.epochs,
        learning_rate=1e-3,
    )
    after = _measured(settings, kind, number, module)
    return {"before": before, "after": after, "accuracy": result.accuracy}


def _generator(settings: Settings, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * settings.seed + number)


def _network(settings: Settings, kind: _Kind, number: int) -> nn.Sequential:
    return models.residual_mlp(
        [64, kind.width, kind.depth, 10],
        skip=kind.skip,
        activation=ACTIVATIONS[kind.activation][0],
        norm=kind.norm,
        generator=_generator(settings, number),
        dtype=torch.float64,
    )


def _measured(settings: Settings, kind: _Kind, number: int, module: nn.Sequential) -> dict[str, Any]:
    """Condition numbers of maps from the end of each layer to that of the last one, and from the first to the outputs.

    The first number of each list is that of the map through all layers, the last that of the last layer alone.
    """
    network, data = from_torch(module, input_shape=(64,)), datasets.digits()
    rows = torch.randperm(len(data), generator=_generator(settings, number + 500))[: settings.points]
    inputs = data.inputs[rows].reshape(len(rows), 64).double()
    ends = _ends(network, kind.depth)
    found = conditioning(network, inputs, places=ends, skip=kind.skip)
    out = conditioning(network, inputs, places=(ends[0], network.nodes[network.output].name))
    slopes = _slopes(module, kind, found)
    return {
        "condition": np.median(found.condition_numbers, axis=0).tolist(),
        "singular_share": np.isinf(found.condition_numbers).mean(axis=0).tolist(),
        "largest_condition": float(found.condition_numbers[:, 0].max()),
        "rank": np.median(found.ranks[:, 0]).item() / kind.width,
        "bound": np.median(found.bounds, axis=0).tolist(),
        "norms": float(np.median([rest[:, 0] for rest in found.rests])),
        "to_outputs": float(np.median(out.condition_numbers[:, 0])),
        "checked": found.checked + slopes[0],
        "violations": found.violations + slopes[1],
    }


def _ends(network: Network, depth: int) -> list[str]:
    """Names of the places before the first layer and behind each."""
    gates = [gate.name for gate in boundaries(network)]
    return ["1", *([name for name in gates if name.startswith(f"{2 + layer}.")][-1] for layer in range(depth))]


def _slopes(module: nn.Sequential, kind: _Kind, found: Conditioning) -> tuple[int, int]:
    r"""How many $\eta s_j(W) \le s_j(D W) \le s_j(W)$ are looked at and fail, slopes being from $\eta$ to 1."""
    least, checked, failed = ACTIVATIONS[kind.activation][1], 0, 0
    for layer, rest in zip(list(module)[2:-1], found.rests, strict=True):
        own = torch.linalg.svdvals(layer.layer.weight.detach()).numpy()  # type: ignore[union-attr, operator]
        slack = 1e-12 * own[0]
        checked += 2 * rest.size
        failed += int((rest > own + slack).sum() + (rest < least * own - slack).sum())
    return checked, failed
