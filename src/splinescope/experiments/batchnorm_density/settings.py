"""Sizes of `batchnorm-density`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units per hidden layer of the network of the figure.
        exact_width: Units per hidden layer of the one that is tessellated exactly.
        layers: Number of hidden layers.
        shown: Layers that are shown, counted from 1.
        bias_deviation: Standard deviation of the random biases; weights are He-normal.
        points: Number of data, on a star whose tips are at a distance of 1 from the origin.
        away: Where the star is moved to, to see what zero biases owe to the origin.
        half: Half the side of the square that is looked at.
        grid: Points along each side of it.
        reach: Distance at which a hyperplane counts in the local formula.
        radius: Radius of the disc around each of the data.
        batch: Size of the mini-batches that jitter.
        resamples: Number of mini-batches.
    """

    width: int
    exact_width: int
    layers: int
    shown: tuple[int, ...]
    bias_deviation: float
    points: int
    away: tuple[float, float]
    half: float
    grid: int
    reach: float
    radius: float
    batch: int
    resamples: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Five layers of 48 units, and of 12."""
        return cls(
            seed,
            width=48,
            exact_width=12,
            layers=5,
            shown=(3, 4, 5),
            bias_deviation=1.0,
            points=50,
            away=(1.5, 0.75),
            half=3.0,
            grid=40,
            reach=0.05,
            radius=0.1,
            batch=16,
            resamples=20,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The source's network: 11 layers of 1,024 units; and one of 64."""
        return cls(
            seed,
            width=1024,
            exact_width=64,
            layers=11,
            shown=(3, 7, 11),
            bias_deviation=1.0,
            points=50,
            away=(1.5, 0.75),
            half=3.0,
            grid=150,
            reach=0.005,
            radius=0.1,
            batch=16,
            resamples=200,
        )
