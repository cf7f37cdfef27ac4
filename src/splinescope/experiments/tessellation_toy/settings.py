"""Sizes of `tessellation-toy`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer.
        layers: Number of hidden layers.
        bias_deviation: Standard deviation of the biases; weights are He-normal.
        half: Half the side of the square that is looked at.
    """

    width: int
    layers: int
    bias_deviation: float
    half: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Three layers of six units."""
        return cls(seed=seed, width=6, layers=3, bias_deviation=0.5, half=1.0)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's toy network: four layers of width 20."""
        return cls(seed=seed, width=20, layers=4, bias_deviation=0.5, half=1.0)
