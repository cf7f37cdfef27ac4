"""Sizes of `batch-size`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        points: Points of the two spirals.
        layers: Layers of the network, all of width two.
        batches: The two sizes of batches, the small one first.
        repeats: Networks trained with each.
        epochs: Passes over the data.
        learning_rate: Of Adam.
    """

    points: int
    layers: int
    batches: tuple[int, int]
    repeats: int
    epochs: int
    learning_rate: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two networks for each size, hardly trained."""
        return cls(seed, 200, 6, (60, 200), repeats=2, epochs=60, learning_rate=0.02)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's batches of 300 and 1,000; all else it does not say."""
        return cls(seed, 1000, 10, (300, 1000), repeats=20, epochs=800, learning_rate=0.01)
