"""Sizes of `convexity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from splinescope.experiments.shared.config import Config

DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50)


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment, and a regime of one's own beside those that are always run.

    Attributes:
        depths: Numbers of layers, ascending from 1.
        trials: Pairs of chains for each regime and depth.
        width: Units of a layer.
        offset: What is added in each.
        activation: Of one's own regime: "relu", "affine", "leaky" or "absolute".
        weights: Its weights: "normal" or "uniform".
        scale: Standard deviation of these, times the root of the width; Xavier's is 1.
        places: Its t: "uniform" for one at random, "all" for 0.1 to 0.9 at once.
        inputs: Its x: "normal", "uniform" (in [-1, 1]) or "ones".
        points: Inputs that have to hold at once.
        tolerance: Share of the right side that counts as rounding.
        trained_depths: Hidden layers of trained networks.
        trained_width: Units of these.
        pairs: Pairs of trainings of each depth.
        epochs: Of training.
        trained_inputs: Images at which a pair is tried.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "activation": ("affine", "relu", "leaky", "absolute"),
        "weights": ("normal", "uniform"),
        "places": ("uniform", "all"),
        "inputs": ("normal", "uniform", "ones"),
    }

    depths: tuple[int, ...]
    trials: int
    width: int
    offset: float
    activation: str
    weights: str
    scale: float
    places: str
    inputs: str
    points: int
    tolerance: float
    trained_depths: tuple[int, ...]
    trained_width: int
    pairs: int
    epochs: int
    trained_inputs: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A thousand trials of chains of up to ten layers."""
        return cls(
            seed=seed,
            depths=DEPTHS[:8],
            trials=1000,
            width=3,
            offset=0.1,
            activation="leaky",
            weights="normal",
            scale=1.0,
            places="uniform",
            inputs="normal",
            points=1,
            tolerance=1e-12,
            trained_depths=(1, 2, 4),
            trained_width=16,
            pairs=2,
            epochs=2,
            trained_inputs=100,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten thousand trials of chains of up to fifty layers."""
        return cls(
            seed=seed,
            depths=DEPTHS,
            trials=10_000,
            width=3,
            offset=0.1,
            activation="leaky",
            weights="normal",
            scale=1.0,
            places="uniform",
            inputs="normal",
            points=1,
            tolerance=1e-12,
            trained_depths=(1, 2, 3, 4, 6, 8),
            trained_width=32,
            pairs=6,
            epochs=10,
            trained_inputs=500,
        )
