"""Sizes of `precision-recall`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        images: ImageSplit, of which a part is held out.
        latents: Dimension of the latents.
        width: Units of each hidden layer, of generators and classifier.
        epochs: Epochs of the generators' training.
        classifier_epochs: Epochs of the classifier's training, whose last hidden layer gives the features.
        pool: Latents of the pool.
        samples: Samples, and held-out images, that are compared.
        repeats: How often samples are drawn anew.
        neighbours: Neighbours that make a ball.
        rhos: Exponents.
        deviations: Standard deviations of truncated latents, 1 for none.
        plane_width: Units of each hidden layer of the generator of two latents.
        half: Half the side of its square of latents.
        data: Folder of MNIST; empty for the small digits.
    """

    images: int
    latents: int
    width: int
    epochs: int
    classifier_epochs: int
    pool: int
    samples: int
    repeats: int
    neighbours: int
    rhos: tuple[float, ...]
    deviations: tuple[float, ...]
    plane_width: int
    half: float
    data: str = ""

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """The small digits, four latents, a little training."""
        return cls(
            seed,
            images=1797,
            latents=4,
            width=64,
            epochs=30,
            classifier_epochs=15,
            pool=3_000,
            samples=300,
            repeats=3,
            neighbours=5,
            rhos=(-1.0, -0.5, 0.0, 0.5, 1.0),
            deviations=(0.5, 0.75, 1.0),
            plane_width=16,
            half=2.5,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """The small digits, or 12,000 images of the user's MNIST; eight latents."""
        return cls(
            seed,
            images=12_000,
            latents=8,
            width=128,
            epochs=60,
            classifier_epochs=20,
            pool=30_000,
            samples=500,
            repeats=10,
            neighbours=5,
            rhos=(-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0),
            deviations=(0.3, 0.5, 0.7, 0.85, 1.0),
            plane_width=48,
            half=2.5,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST; see `Config.with_data`."""
        return replace(self, data=str(path.resolve()))
