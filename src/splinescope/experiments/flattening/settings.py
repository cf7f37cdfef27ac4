"""Sizes of `flattening`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        nested: Kernel of the nested layers.
        wide: Kernel of the others.
        bias: Bias of all units.
        layers: Number of layers.
        level: The surface is where the outputs add up to this.
        side: Side of the cube of inputs, from the origin.
        points: Points of the surface that are mapped forward.
    """

    nested: tuple[float, ...]
    wide: tuple[float, ...]
    bias: float
    layers: int
    level: float
    side: float
    points: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """The surfaces of the figure."""
        return cls(seed, (1.0, -0.15, -0.05), (1.0, 0.25, 0.1), bias=-0.3, layers=3, level=1.0, side=6.0, points=2000)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The same, with more points."""
        return cls(seed, (1.0, -0.15, -0.05), (1.0, 0.25, 0.1), bias=-0.3, layers=3, level=1.0, side=6.0, points=50_000)
