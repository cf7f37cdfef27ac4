"""Sizes of `loss-landscape`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.errors import InvalidInputError
from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        channels: Channels of each stage.
        blocks: Blocks in each stage; each has two convolutions.
        pool: Pixels along a side that are averaged to one.
        images: Images to train on, the first ones.
        epochs: Epochs of training.
        learning_rate: Adam's.
        shown: Images whose loss is shown.
        reach: Half the side of the plane, in norms of the filters.
        grid: Points along each side of the plane.
        rays: Rays from the network on which ruggedness is measured.
        ray_points: Points of each.
        plane_samples: Images of the exact plane.
        plane_reach: Half its side.
        plane_cells: Most cells of it.
        data: Where CIFAR-10 is; None for the small digits.
        digits: Whether the images are the small digits.
    """

    channels: tuple[int, ...]
    blocks: int
    pool: int
    images: int
    epochs: int
    learning_rate: float
    shown: int
    reach: float
    grid: int
    rays: int
    ray_points: int
    plane_samples: int
    plane_reach: float
    plane_cells: int
    digits: bool
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Networks of 14 convolutions on the small digits."""
        return cls(
            seed=seed,
            channels=(4, 8),
            blocks=3,
            pool=1,
            images=600,
            epochs=6,
            learning_rate=5e-3,
            shown=100,
            reach=1.0,
            grid=13,
            rays=8,
            ray_points=15,
            plane_samples=1,
            plane_reach=0.5,
            plane_cells=4000,
            digits=True,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Networks of 27 convolutions on images of CIFAR-10, 16 x 16 pixels; plain ones of 57 hardly train so soon."""
        return cls(
            seed=seed,
            channels=(8, 16, 32),
            blocks=4,
            pool=2,
            images=4000,
            epochs=30,
            learning_rate=3e-3,
            shown=300,
            reach=1.0,
            grid=31,
            rays=24,
            ray_points=25,
            plane_samples=2,
            plane_reach=0.5,
            plane_cells=20_000,
            digits=False,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's CIFAR-10; see `Config.with_data`."""
        if self.digits:
            raise InvalidInputError(f"`data`: got {str(path)!r}; the preset smoke uses the small digits")
        return replace(self, data=str(path.resolve()))
