"""Sizes of `nested-by-design`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        networks: Networks of each kind, each of its own seed.
        channels: Channels of the convolutions.
        layers: Convolutions that keep the size, nested or not.
        stride: Stride of the first convolution.
        epochs: Epochs of training.
        learning_rate: Adam's step size.
        images: Images to train on, at most.
        planes: Planes through three held-out images, in which cells are counted.
        data: Where MNIST is; None for the small digits.
    """

    networks: int
    channels: int
    layers: int
    stride: int
    epochs: int
    learning_rate: float
    images: int
    planes: int
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two small networks of each kind on the small digits."""
        return replace(cls.paper(seed), networks=2, channels=4, epochs=6, planes=1)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks of each kind on the small digits, or on the user's MNIST."""
        return cls(
            seed=seed,
            networks=10,
            channels=8,
            layers=2,
            stride=2,
            epochs=40,
            learning_rate=3e-3,
            images=60_000,
            planes=3,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST, with fewer networks and epochs for more images; see `Config.with_data`."""
        return replace(self, networks=min(3, self.networks), epochs=5, data=str(path.resolve()), stride=4)
