"""Sizes of `pulled-back-balls`."""

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
        step: Step of the networks.
        repeats: Networks that are measured; the first one is drawn.
        epochs: Passes over the data.
        batch: Points in a batch.
        learning_rate: Of Adam.
        radius: Radius of the balls that are drawn, as a share of the extent of the outputs.
        shown: Balls that are drawn at each layer.
    """

    points: int
    turns: float
    layers: int
    step: float
    repeats: int
    epochs: int
    batch: int
    learning_rate: float
    radius: float
    shown: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two networks, hardly trained."""
        return cls(seed, 200, 0.6, 7, 0.5, 2, 60, 100, 0.03, radius=0.025, shown=30)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks of ten layers; the source gives no sizes."""
        return cls(seed, 400, 0.6, 10, 0.5, 10, 300, 100, 0.02, radius=0.025, shown=40)
