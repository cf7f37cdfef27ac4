"""Sizes of `spirals`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        points: Points of the two spirals.
        turns: How often each goes around.
        layers: Layers of each network, all of width two.
        step: Step of the networks that are differential equations.
        absent: Layer of the fourth network, counted from 1, that leaves the identity out.
        repeats: Networks of each kind.
        epochs: Passes over the data.
        batch: Points in a batch.
        learning_rate: Of Adam.
    """

    points: int
    turns: float
    layers: int
    step: float
    absent: int
    repeats: int
    epochs: int
    batch: int
    learning_rate: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two networks of each kind with seven layers, hardly trained."""
        return cls(seed, 200, 1.0, 7, 0.5, 6, repeats=2, epochs=60, batch=100, learning_rate=0.03)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks of each kind with ten layers; the source names the sixth one, and gives no other size."""
        return cls(seed, 400, 1.0, 10, 0.5, 6, repeats=10, epochs=600, batch=100, learning_rate=0.02)
