"""Sizes of `grokking`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from splinescope.errors import InvalidInputError
from splinescope.experiments.shared.config import Config


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

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "activation": ("relu", "gelu"),
        "loss": ("mse", "cross-entropy"),
    }

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
