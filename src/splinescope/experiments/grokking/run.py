"""Measures of `grokking`: a network trains and is looked at from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.complexity import boundary_distances, orthonormal_frame
from splinescope.errors import InvalidInputError
from splinescope.experiments.grokking.checkpoints import Recipe, train_with_checkpoints
from splinescope.experiments.grokking.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.observers import (
    Accuracy,
    AdversarialAccuracy,
    AffineNorm,
    CellCount,
    MeanLocalComplexity,
    Recorder,
    SliceFrames,
    Snapshot,
    log_spaced_steps,
)
from splinescope.tessellation.domains import Slice

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
"""Activations by name. With GELU there is no exact tessellation: local complexity counts signs of pre-activations."""

CELLS = 400
"""Cells of the slice whose distance to the decision boundary is taken, from a point inside of each."""

SETS = ("train", "test", "random")
"""Points at which local complexity is taken: training images, test images, and uniform noise."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train and record; the part `training` is a folder whose `frames` are the slice at each recorded step."""
    _check(settings)
    record = partial(_trained, settings, parts.folder("training"), parts.progress)
    return {"rows": parts.each({"log": record}, "training run")["log"]["rows"]}


@dataclass(frozen=True, eq=False)
class _Problem:
    """Images to train on, images to test with, and noise.

    Attributes:
        inputs: Training images.
        labels: Their classes.
        test: Test images.
        test_labels: Their classes.
        noise: Uniform points of the cube.
        classes: Number of classes.
    """

    inputs: Tensor
    labels: Tensor
    test: Tensor
    test_labels: Tensor
    noise: Tensor
    classes: int


def _check(settings: Settings) -> None:
    if settings.radius not in settings.radii:
        raise InvalidInputError(f"`set`: got {settings.radius:g} for 'radius'; expected one of 'radii'")
    if not settings.digits and settings.data is None:
        raise InvalidInputError(
            "`data`: got none; expected the folder of MNIST's IDX files, or that of torchvision, as in `--data mnist`"
        )


def _problem(settings: Settings, generator: torch.Generator) -> _Problem:
    if settings.digits:
        everything = datasets.digits()
        order = torch.randperm(len(everything.labels), generator=generator)
        halves = order[: settings.train_points], order[settings.train_points :]
        (inputs, labels), (test, test_labels) = ((everything.inputs[h], everything.labels[h]) for h in halves)
        classes = len(everything.classes)
    else:
        train, held_out = (datasets.mnist(str(settings.data), part) for part in ("train", "test"))
        chosen = torch.randperm(len(train.labels), generator=generator)[: settings.train_points]
        inputs, labels, test, test_labels = train.inputs[chosen], train.labels[chosen], held_out.inputs, held_out.labels
        classes = len(train.classes)
    noise = torch.rand(settings.probes, *inputs.shape[1:], generator=generator)
    return _Problem(inputs, labels, test, test_labels, noise, classes)


def _trained(settings: Settings, folder: Path, progress: bool) -> dict[str, Any]:
    """Rows of the log of a whole run, which goes on from its newest checkpoint."""
    problem = _problem(settings, torch.Generator().manual_seed(settings.seed))
    generator = torch.Generator().manual_seed(settings.seed + 1)
    widths = [problem.inputs[0].numel(), *(settings.width,) * (settings.layers - 1), problem.classes]
    module = models.mlp(widths, activation=ACTIVATIONS[settings.activation], generator=generator)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(settings.initial_scale)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recorder = Recorder(
        _measures(settings, problem, folder),
        log_spaced_steps(settings.steps, settings.per_decade),
        folder / "log.jsonl",
    )
    recipe = Recipe(settings.loss, settings.steps, settings.batch, settings.learning_rate, settings.weight_decay)
    train_with_checkpoints(
        module.to(device), problem.inputs.to(device), problem.labels.to(device), recipe, recorder,
        folder / "checkpoint.pt", generator=generator, progress=progress,
    )  # fmt: skip
    return {"rows": [{key: value for key, value in row.items() if key != "time"} for row in recorder.rows]}


def _measures(settings: Settings, problem: _Problem, folder: Path) -> dict[str, Any]:
    """What is recorded."""
    exact = settings.activation == "relu"
    test, labels = problem.test[: settings.attacked], problem.test_labels[: settings.attacked]
    measures: dict[str, Any] = {
        "train": Accuracy(problem.inputs, problem.labels),
        "test": Accuracy(problem.test, problem.test_labels),
    }
    for epsilon in settings.epsilons:
        measures[f"attacked {epsilon:g}"] = AdversarialAccuracy(test, labels, epsilon, loss=settings.loss)
    shape = tuple(problem.inputs.shape[1:])
    frame = orthonormal_frame(shape, settings.directions, generator=torch.Generator().manual_seed(settings.seed))
    sets = dict(zip(SETS, (problem.inputs, problem.test, problem.noise), strict=True))
    for radius in settings.radii:
        for name, points in sets.items():
            measures[f"complexity {name} {radius:g}"] = MeanLocalComplexity(
                points[: settings.probes], radius, frame, logits=True, network=exact
            )
    if exact:
        plane = _plane(settings, problem)
        measures["tiles"] = CellCount(plane)
        measures["frames"] = SliceFrames(plane, folder / "frames")
        measures["norm train"] = AffineNorm(problem.inputs[: settings.probes])
        measures["norm test"] = AffineNorm(problem.test[: settings.probes])
        measures["distance"] = partial(_distance, plane)
    return measures


def _plane(settings: Settings, problem: _Problem) -> Slice:
    """The plane through the first training images of three classes."""
    firsts = [int(torch.nonzero(problem.labels == label)[0]) for label in torch.unique(problem.labels)[[0, 3, 7]]]
    one, two, three = (problem.inputs[i].double().numpy() for i in firsts)
    return Slice.through(one, two, three, margin=settings.margin)


def _distance(plane: Slice, snapshot: Snapshot) -> dict[str, float]:
    """Median distance of a cell of the slice to the decision boundary there, over evenly chosen cells."""
    cells = snapshot.cells(plane)
    chosen = np.linspace(0, len(cells) - 1, min(CELLS, len(cells))).astype(np.int64)
    found = boundary_distances(cells, cells.interior_points[chosen])
    known = found.exact[found.known]
    return {"median": float(np.median(known)) if len(known) else math.nan}
