"""Sizes of `nested-cones`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        matrices: Random layers of each size for the theorem.
        sizes: Their units.
        outputs: Outputs on each face whose preimages are looked at.
        steps: Entries off the diagonal along which the degree of nesting is plotted.
        bias: Bias of the layers of the figures.
    """

    matrices: int
    sizes: tuple[int, ...]
    outputs: int
    steps: int
    bias: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A few small layers."""
        return cls(seed=seed, matrices=24, sizes=(2, 3), outputs=4, steps=21, bias=-0.4)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Hundreds of layers."""
        return cls(seed=seed, matrices=200, sizes=(2, 3, 4), outputs=8, steps=41, bias=-0.4)
