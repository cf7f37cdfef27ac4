"""Sizes of `contraction-flow`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        side: Side of the square of inputs, from the origin.
        bias: Bias of the chain of identities.
        layers: Its number of layers.
        deeper: Layers of the other two chains.
        grid: Points along each side whose way is drawn.
        dimensions: Dimensions of random chains; the same place of `depths` has their layers.
        depths: Layers of random chains.
        chains: Random chains of each kind and size.
    """

    side: float
    bias: float
    layers: int
    deeper: int
    grid: int
    dimensions: tuple[int, ...]
    depths: tuple[int, ...]
    chains: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Few random chains."""
        return cls(seed, 2.4, -0.5, 3, 6, 9, dimensions=(2, 2, 3), depths=(1, 3, 2), chains=2)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Chains of two to four dimensions."""
        return cls(seed, 2.4, -0.5, 3, 6, 9, dimensions=(2, 2, 2, 3, 3, 4), depths=(1, 3, 5, 2, 4, 2), chains=10)
