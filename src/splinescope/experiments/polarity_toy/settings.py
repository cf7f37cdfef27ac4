"""Sizes of `polarity-toy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        problems: Names of the toy data: "ring", "grid", "spiral".
        kinds: How generators are trained: "wgan", "vae".
        width: Units of each of two hidden layers of the generators.
        slope: Slope of the leaky ReLU; with 0, negative exponents put all mass on cells that are flattened.
        points: Number of data.
        deviation: Standard deviation of the data around their modes.
        steps: Steps of the WGANs.
        epochs: Epochs of the VAEs.
        rhos: Exponents.
        samples: Exact samples for each exponent.
        pool: Latents of the pool that is compared with the exact law.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "problems": ("ring", "grid", "spiral"),
        "kinds": ("wgan", "vae"),
    }

    problems: tuple[str, ...]
    kinds: tuple[str, ...]
    width: int
    slope: float
    points: int
    deviation: float
    steps: int
    epochs: int
    rhos: tuple[float, ...]
    samples: int
    pool: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """The ring alone, a few hundred steps."""
        return cls(
            seed=seed,
            problems=("ring",),
            kinds=("wgan", "vae"),
            width=16,
            slope=0.2,
            points=2000,
            deviation=0.05,
            steps=250,
            epochs=12,
            rhos=(-2.0, -1.0, 0.0, 1.0, 2.0),
            samples=2000,
            pool=3000,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Eight Gaussians on a ring, 25 on a grid, and a spiral."""
        return cls(
            seed=seed,
            problems=("ring", "grid", "spiral"),
            kinds=("wgan", "vae"),
            width=48,
            slope=0.2,
            points=10000,
            deviation=0.05,
            steps=2500,
            epochs=60,
            rhos=(-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0),
            samples=20000,
            pool=50000,
        )
