"""Measures of `two-phases`: trainings watched by a recorder, and the exact loss from checkpoint to checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from splinescope import datasets, models
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.two_phases.settings import Settings
from splinescope.landscape import loss_line
from splinescope.observers import Accuracy, CodeChurn, Recorder, Snapshot


@dataclass(frozen=True)
class KernelRotation:
    r"""Angle in radians of the tangent kernel $\sum_k \langle \nabla f_k(x), \nabla f_k(x') \rangle$ to that before.

    Attributes:
        points: [n, ...] inputs at which the kernel is taken.
    """

    points: Float[Tensor, "n ..."]

    def observe(self, snapshot: Snapshot) -> Mapping[str, np.ndarray]:
        """The kernel."""
        return {"kernel": tangent_kernel(snapshot.module, self.points).numpy()}

    def compare(self, before: Mapping[str, np.ndarray] | None, now: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """The angle; NaN at the first step."""
        if before is None or "kernel" not in before:
            return {"angle": float("nan")}
        one, other = (kernel / np.linalg.norm(kernel) for kernel in (before["kernel"], now["kernel"]))
        return {"angle": float(2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))}


def tangent_kernel(module: nn.Module, points: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
    """The kernel of all outputs together."""
    weights = {name: value.detach() for name, value in module.named_parameters()}

    def outputs(own: dict[str, Tensor], x: Tensor) -> Tensor:
        value: Tensor = functional_call(module, own, (x[None],))
        return value[0]

    slopes = vmap(jacrev(outputs), in_dims=(None, 0))(weights, points)
    flat = torch.cat([value.reshape(len(points), -1) for value in slopes.values()], dim=1)
    return flat @ flat.T


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train and watch; then follow the loss."""
    tasks = {f"training-{number}": partial(_training, settings, parts, number) for number in range(settings.trainings)}
    return {"trainings": list(parts.each(tasks, "training").values())}


def _training(settings: Settings, parts: Parts, number: int) -> dict[str, Any]:
    data, generator = datasets.digits(), torch.Generator().manual_seed(100 * settings.seed + number)
    module = models.mlp([64, *settings.hidden, 10], generator=generator, dtype=torch.float64)
    inputs, labels = data.inputs.double(), data.labels
    wanted = nn.functional.one_hot(labels, 10).double()
    measures = {
        "codes": CodeChurn(inputs[: settings.probes].numpy()),
        "kernel": KernelRotation(inputs[: settings.kernel_probes]),
        "train": Accuracy(inputs, labels),
    }
    steps = range(0, settings.steps + 1, settings.every)
    log = parts.folder(f"log-{number}") / "run.jsonl"
    recorder, checkpoints = Recorder(measures, steps, log, resume=False), []
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    with recorder.watching(module) as watch:
        for step in range(settings.steps + 1):
            if step in steps:
                checkpoints.append({name: value.detach().clone() for name, value in module.named_parameters()})
            if step == settings.steps:
                break
            batch = torch.randint(len(inputs), (settings.batch,), generator=generator)
            optimizer.zero_grad()
            (module(inputs[batch]) - wanted[batch]).square().sum(dim=1).mean().backward()
            optimizer.step()
            watch.step()
    rows, some = recorder.rows, slice(0, settings.line_samples)
    return {
        "steps": list(steps),
        "churn": [row["codes/units"] for row in rows[1:]],
        "points_churn": [row["codes/points"] for row in rows[1:]],
        "angle": [row["kernel/angle"] for row in rows[1:]],
        "accuracy": [row["train/accuracy"] for row in rows],
        **_along(settings, module, checkpoints, inputs[some], labels[some]),
    }


def _along(
    settings: Settings, module: nn.Module, checkpoints: list[dict[str, Tensor]], inputs: Tensor, labels: Tensor
) -> dict[str, Any]:
    """For each segment between checkpoints how convex the squared loss is on it, and whether it is monotone, exactly.

    `concave` is the share of all change of its slope that is downwards, `convex` whether there is none; `coarse` is
    whether nine equidistant values are convex.
    """
    names = ("convex", "concave", "coarse", "monotone", "pieces", "loss", "barrier")
    found: dict[str, list[Any]] = {name: [] for name in names}
    last = len(checkpoints) - 1
    with torch.no_grad():
        for number, start in enumerate(checkpoints[:-1]):
            end = checkpoints[min(number + settings.reach, last)]
            for name, parameter in module.named_parameters():
                parameter.copy_(start[name])
            direction = {name: end[name] - start[name] for name in start}
            with torch.enable_grad():
                line = loss_line(module, direction, inputs, labels, interval=(0.0, 1.0))
            bends, values = np.diff(_slopes(line)), line(np.linspace(0, 1, 9))
            down = float(-bends[bends < 0].sum() / max(np.abs(bends).sum(), np.finfo(float).tiny))
            found["convex"].append(down < 1e-12)
            found["concave"].append(down)
            found["coarse"].append(bool((np.diff(values, 2) >= -1e-12 * np.ptp(values)).all()))
            found["monotone"].append(not line.minima and not line.maxima)
            found["pieces"].append(len(line))
            found["loss"].append(float(line(0.0)))
            found["barrier"].append(line.barrier)
    return found


def _slopes(line: Any) -> np.ndarray:
    """Derivatives along the line: on both sides of all breakpoints, and between."""
    edges = np.concatenate([[0.0], line.breakpoints, [1.0]])
    places = np.unique(np.concatenate([edges, (edges[1:] + edges[:-1]) / 2, np.linspace(0, 1, 65)]))
    return np.asarray(line.slopes(places)).reshape(-1)[1:-1]
