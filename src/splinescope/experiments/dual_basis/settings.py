"""Sizes of `dual-basis`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        sizes: Units of the random layers.
        layers: Random layers of each size.
        samples: Points drawn from each preimage.
        largest: Units of the circulant layer that is done by Fourier transforms and by a dense solution.
    """

    sizes: tuple[int, ...]
    layers: int
    samples: int
    largest: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A few layers."""
        return cls(seed=seed, sizes=(2, 3, 5, 8), layers=10, samples=20, largest=128)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Thousands of preimages, and a circulant layer of 1,024 units."""
        return cls(seed=seed, sizes=(2, 3, 5, 8, 16, 32), layers=200, samples=100, largest=1024)
