"""Sizes of `manifold`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: Units of each of two hidden layers of the toy generator, from two latents to three outputs.
        bias_deviation: Standard deviation of its biases; weights are He-normal.
        half: Half the side of the square of latents.
        samples: Samples whose uniformity is tested.
        latents: Latents of the trained generator.
        decoder_width: Units of each of its two hidden layers.
        epochs: Epochs of its training.
        reach: Half the side of the slice through latents of the trained generator.
        layer: Node at which the user's generator ends, where more follows; empty for its output.
        condition: Numbers of its input that are a condition, as in "0=0.5"; several are joined by semicolons.
        fixed: A further input of it and the file of its value, as in "input=seven.npy".
        data: File of a generator, instead of training: the weights of an MLP with ReLU, or a network; empty for none.
    """

    width: int
    bias_deviation: float
    half: float
    samples: int
    latents: int
    decoder_width: int
    epochs: int
    reach: float
    layer: str = ""
    condition: str = ""
    fixed: str = ""
    data: str = ""

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A toy generator of 2 x 8 units; a decoder of the small digits, little trained."""
        return cls(
            seed,
            width=8,
            bias_deviation=0.5,
            half=1.0,
            samples=5_000,
            latents=4,
            decoder_width=16,
            epochs=5,
            reach=2.0,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """A toy generator of 2 x 20 units; a decoder of the small digits, or the user's generator."""
        return cls(
            seed,
            width=20,
            bias_deviation=0.5,
            half=1.0,
            samples=200_000,
            latents=8,
            decoder_width=64,
            epochs=60,
            reach=2.0,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's generator; see `Config.with_data`."""
        return replace(self, data=str(path.resolve()))
