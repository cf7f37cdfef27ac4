"""Sizes of `volume-boundary`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        points: Points of each problem of the plane.
        units: Units of the two hidden layers.
        repeats: Networks of each problem.
        epochs: Passes over the points of the plane.
        digit_epochs: Passes over the images.
        images: Images of digits that networks are trained on.
    """

    points: int
    units: int
    repeats: int
    epochs: int
    digit_epochs: int
    images: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two small networks of each problem."""
        return cls(seed, 200, 12, 2, 60, 8, 500)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Twelve networks of each problem; the source has one hidden layer of 2 to 250 units."""
        return cls(seed, 400, 32, 12, 150, 25, 1797)
