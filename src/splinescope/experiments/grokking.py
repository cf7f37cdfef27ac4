"""Grokking: local complexity, exact slices and adversarial accuracy while a network goes on training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.complexity import boundary_distances, orthonormal_frame
from splinescope.errors import InvalidInputError
from splinescope.experiments import grokking_figures
from splinescope.experiments.base import Config, Findings, Table
from splinescope.experiments.checkpoints import LOSSES, Recipe, train_with_checkpoints
from splinescope.experiments.grokking_claims import claims_of, moments_of
from splinescope.experiments.parts import Parts
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
    saved_frames,
)
from splinescope.plotting import animate
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.files import load_complex

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
"""Activations by name. With GELU there is no exact tessellation: local complexity counts signs of pre-activations."""

CELLS = 400
"""Cells of the slice whose distance to the decision boundary is taken, from a point inside of each."""

SETS = ("train", "test", "random")
"""Points at which local complexity is taken: training images, test images, and uniform noise."""


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        activation: "relu" or "gelu".
        loss: "mse" (of one-hot labels) or "cross-entropy".
        width: Units per hidden layer.
        layers: Number of linear layers.
        initial_scale: Factor of torch's default initial weights and biases.
        learning_rate: Step size of AdamW.
        weight_decay: Decoupled weight decay.
        batch: Images per step.
        steps: Number of steps.
        train_points: Number of training images.
        probes: Number of points of each set at which local complexity is taken.
        directions: Number P of directions of a neighbourhood.
        radii: Radii of the neighbourhoods.
        radius: The radius, one of these, that moments and figures use.
        epsilons: Radii of the adversarial attacks, in the maximum norm.
        attacked: Number of test images that are attacked.
        margin: How far the slice reaches beyond its three training images, by its side.
        per_decade: Recorded steps per factor of ten.
        digits: Whether the images are the small digits.
        data: Where MNIST is; None for the small digits.
    """

    activation: str
    loss: str
    width: int
    layers: int
    initial_scale: float
    learning_rate: float
    weight_decay: float
    batch: int
    steps: int
    train_points: int
    probes: int
    directions: int
    radii: tuple[float, ...]
    radius: float
    epsilons: tuple[float, ...]
    attacked: int
    margin: float
    per_decade: int
    digits: bool
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """The small digits, three hidden layers of 96 units, at a high rate and decay to be quick."""
        return cls(
            seed=seed,
            activation="relu",
            loss="mse",
            width=96,
            layers=4,
            initial_scale=1.0,
            learning_rate=1e-2,
            weight_decay=0.3,
            batch=100,
            steps=4000,
            train_points=300,
            probes=200,
            directions=25,
            radii=(0.05, 0.2, 1.0),
            radius=0.2,
            epsilons=(0.05, 0.1),
            attacked=300,
            margin=0.3,
            per_decade=5,
            digits=True,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's: 1,000 images of MNIST, three hidden layers of 200 units."""
        return cls(
            seed=seed,
            activation="relu",
            loss="mse",
            width=200,
            layers=4,
            initial_scale=1.0,
            learning_rate=1e-3,
            weight_decay=0.01,
            batch=200,
            steps=200000,
            train_points=1000,
            probes=500,
            directions=25,
            radii=(0.005, 0.05, 0.1, 0.5, 1.0, 5.0),
            radius=0.05,
            epsilons=(0.02, 0.05, 0.1),
            attacked=500,
            margin=0.3,
            per_decade=10,
            digits=False,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST; see `Config.with_data`."""
        if self.digits:
            raise InvalidInputError(f"`data`: got {str(path)!r}; the preset smoke uses the small digits")
        return replace(self, data=str(path.resolve()))

    def run(self, parts: Parts) -> Findings:
        """Train and record, then look at three moments; see `Config.run`."""
        _check(self)
        folder = parts.folder("training")
        record = partial(_trained, self, folder, parts.progress)
        rows: list[dict[str, Any]] = parts.each({"log": record}, "training run")["log"]["rows"]
        moments = moments_of(rows, self.epsilons, self.radius)
        numbers = {"moments": moments.numbers(rows), "steps": [row["step"] for row in rows], "rows": rows}
        figures: dict[str, Any] = {"training": partial(grokking_figures.draw_training, self, rows, moments)}
        others: dict[str, Any] = {}
        frames = saved_frames(folder / "frames")
        if frames:
            chosen = {name: cast("PlanarComplex", load_complex(frames[step])) for name, step in moments.steps().items()}
            figures["slices"] = partial(grokking_figures.draw_slices, chosen, moments.captions(rows))
            others["training.gif"] = partial(_animated, frames)
        return Findings(numbers, claims_of(self, rows, moments), figures, {"log": _table(rows)}, others)


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
    for name, choices in (("activation", ACTIVATIONS), ("loss", LOSSES)):
        if getattr(settings, name) not in choices:
            expected = " or ".join(map(repr, choices))
            raise InvalidInputError(f"`set`: got {getattr(settings, name)!r} for {name!r}; expected {expected}")
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


def _animated(frames: Mapping[int, Path], path: Path) -> None:
    animate(frames, path, "norm")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return Table(columns, tuple(tuple(row.get(key) for key in columns) for row in rows))
