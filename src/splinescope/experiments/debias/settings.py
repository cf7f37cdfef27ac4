"""Sizes of `debias`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        images: ImageSplit of all classes, before the rare class is thinned out.
        rare: The digit that is made rare.
        kept: Share of it that is kept in the training set of the generator.
        latents: Dimension of the latents.
        width: Units of each hidden layer, of generator and classifier.
        epochs: Epochs of the generator's training.
        classifier_epochs: Epochs of the classifier's training, on all classes.
        pool: Latents of each pool.
        radius: Of the ball in which latents are uniform, and at which Gaussian ones are cut.
        rhos: Exponents.
        tops: Leading singular values that are the volume of a published generator; 0 for all.
        published_pool: Latents of each of its pools.
        generator: File of the weights of a published generator of MNIST, whose images are from -1 to 1: a perceptron
            with ReLU and tanh; empty for none. It needs `data`.
        data: Folder of MNIST; empty for the small digits.
    """

    images: int
    rare: int
    kept: float
    latents: int
    width: int
    epochs: int
    classifier_epochs: int
    pool: int
    radius: float
    rhos: tuple[float, ...]
    tops: tuple[int, ...]
    published_pool: int
    generator: str = ""
    data: str = ""

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """The small digits, four latents, a little training."""
        return cls(
            seed,
            images=1797,
            rare=6,
            kept=0.1,
            latents=4,
            width=64,
            epochs=40,
            classifier_epochs=20,
            pool=3_000,
            radius=3.0,
            rhos=(-1.0, 0.0, 1.0),
            tops=(0, 10),
            published_pool=300,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The small digits, or 12,000 images of the user's MNIST; eight latents."""
        return cls(
            seed,
            images=12_000,
            rare=6,
            kept=0.1,
            latents=8,
            width=128,
            epochs=60,
            classifier_epochs=20,
            pool=50_000,
            radius=4.0,
            rhos=(-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0),
            tops=(0, 30, 10),
            published_pool=5_000,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST; see `Config.with_data`."""
        return replace(self, data=str(path.resolve()))
