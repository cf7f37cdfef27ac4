"""Sizes of `batchnorm-tessellation`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer.
        layers: Number of hidden layers.
        slope: Slope of the leaky ReLU.
        bias_deviation: Standard deviation of the biases, which batch-norm undoes; weights are He-normal.
        points: Number of data.
        half: Half the side of the square that is looked at.
        networks: Random networks over which the folds at the data are counted.
    """

    width: int
    layers: int
    slope: float
    bias_deviation: float
    points: int
    half: float
    networks: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two layers of six units, three networks."""
        return cls(seed, width=6, layers=2, slope=0.1, bias_deviation=0.5, points=60, half=2.0, networks=3)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's toy network: four layers of six units."""
        return cls(seed, width=6, layers=4, slope=0.1, bias_deviation=0.5, points=100, half=2.0, networks=100)
