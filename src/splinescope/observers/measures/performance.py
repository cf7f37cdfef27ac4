"""How often a classifier is right, as it is and under attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.observers.attacks import check_attack, class_scores, pgd
from splinescope.observers.snapshot import BATCH, Snapshot, logits_of, placed


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Share of points whose class is the label: `accuracy`.

    The class is the largest output; with one output f it is 1 where f > 0.

    Attributes:
        points: [n, *input_shape] inputs.
        labels: [n] classes.
    """

    points: Any
    labels: Any

    def __post_init__(self) -> None:
        _check_labels(self.points, self.labels)

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        labels = torch.as_tensor(self.labels)
        return {"accuracy": _share_right(snapshot.outputs(self.points), labels)}


@dataclass(frozen=True, eq=False)
class AdversarialAccuracy:
    """Share of points whose class is the label after an attack by `pgd`: `accuracy`.

    It is an upper bound on the share of points that no attack of this size moves.

    Attributes:
        points: [n, *input_shape] inputs.
        labels: [n] classes.
        epsilon: Radius of the attack in the maximum norm.
        steps: Steps of the attack.
        step_size: Length of a step; 2.5 epsilon / steps if None.
        low: Least value of an input; None for no bound.
        high: Greatest value.
        loss: "cross-entropy" or "mse".
        seed: Start at random, the same at every recorded step; at the points if None.
    """

    points: Any
    labels: Any
    epsilon: int | float
    steps: int = 10
    step_size: int | float | None = None
    low: int | float | None = 0.0
    high: int | float | None = 1.0
    loss: str = "cross-entropy"
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_labels(self.points, self.labels)
        check_attack(self.epsilon, self.steps, self.loss)

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        points = placed(snapshot.module, self.points)
        labels = torch.as_tensor(self.labels, device=points.device).long()
        generator = None if self.seed is None else torch.Generator(points.device).manual_seed(self.seed)
        options: dict[str, Any] = {"low": self.low, "high": self.high, "loss": self.loss, "generator": generator}
        options |= {"steps": self.steps, "step_size": self.step_size}
        outputs = []
        for x, y in zip(points.split(BATCH), labels.split(BATCH), strict=True):
            found = pgd(snapshot.module, x, y, self.epsilon, **options)
            with torch.no_grad():
                outputs.append(logits_of(snapshot.module, found))
        return {"accuracy": _share_right(torch.cat(outputs), labels)}


def _share_right(outputs: Shaped[Tensor, "n outputs"], labels: Shaped[Tensor, " n"]) -> float:
    found = class_scores(outputs).argmax(dim=1)
    return float((found == labels.to(found.device)).double().mean())


def _check_labels(points: Any, labels: Any) -> None:
    if len(points) != len(labels) or not len(points):
        raise InvalidInputError(f"`labels`: got {len(labels)} for {len(points)} points; expected one for each")
