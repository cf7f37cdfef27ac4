"""Sizes of `trained-convolutions`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        networks: Networks, each of its own seed.
        channels: Channels of the convolutions.
        layers: Convolutions that keep the size, of which nesting is asked.
        stride: Stride of the first convolution.
        epochs: Epochs after which the networks are looked at.
        learning_rate: Adam's step size.
        images: Images to train on, at most.
        sets: Index sets that are drawn for the degree of nesting of a layer.
        models: Files of trained networks to look at as well, separated by commas; "" for none.
        data: Where MNIST is; None for the small digits.
    """

    networks: int
    channels: int
    layers: int
    stride: int
    epochs: tuple[int, ...]
    learning_rate: float
    images: int
    sets: int
    models: str
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two small networks on the small digits."""
        return replace(cls.paper(seed), networks=2, channels=4, epochs=(0, 1, 5))

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks on the small digits, or on the user's MNIST."""
        return cls(
            seed=seed,
            networks=10,
            channels=8,
            layers=2,
            stride=2,
            epochs=(0, 1, 2, 5, 10, 20, 40),
            learning_rate=3e-3,
            images=60_000,
            sets=64,
            models="",
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST, with fewer networks and epochs for more images; see `Config.with_data`."""
        return replace(self, networks=min(3, self.networks), epochs=(0, 1, 2), data=str(path.resolve()), stride=4)
