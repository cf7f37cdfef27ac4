"""Sizes of `cats`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.errors import InvalidInputError
from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        classes: Numbers of the two classes.
        channels: Channels of each convolution.
        strides: Stride of each.
        epochs: Epochs of training.
        margin: How far the square reaches beyond the images, by its side.
        closer: Side of the part that is shown in detail, relative to the square.
        points: Random points of the plane at which the module's own class is compared.
        data: Where CIFAR-10 is; None for the small digits.
        digits: Whether the images are the small digits.
    """

    classes: tuple[int, int]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    epochs: int
    margin: float
    closer: float
    points: int
    digits: bool
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Digits 3 and 8, 8 x 8 pixels, a ConvNet of 96 units."""
        return cls(
            seed=seed,
            classes=(3, 8),
            channels=(4, 8),
            strides=(2, 2),
            epochs=40,
            margin=0.25,
            closer=0.4,
            points=2000,
            digits=True,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Cats and dogs of CIFAR-10, a ConvNet of five layers of 160 units on average, as in the source."""
        return cls(
            seed=seed,
            classes=(3, 5),
            channels=(4, 10, 10, 32, 96),
            strides=(4, 2, 1, 2, 2),
            epochs=60,
            margin=0.25,
            closer=0.08,
            points=20000,
            digits=False,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's CIFAR-10; see `Config.with_data`."""
        if self.digits:
            raise InvalidInputError(f"`data`: got {str(path)!r}; the preset smoke uses the small digits")
        return replace(self, data=str(path.resolve()))
