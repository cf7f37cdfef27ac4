"""Sizes of `folded-hyperplanes`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        widths: Hidden widths of the networks that are trained.
        repeats: Networks per data set.
        epochs: Epochs of training.
        half: Half the side of the square that is looked at.
        checked: Networks of two layers, and of absolute values, on which the closed forms are checked.
        checked_widths: Hidden widths of the former.
        folds: Layers of the latter.
        along_width: Widths of random networks of two layers whose angles are compared.
        along_width_repeats: Networks per width.
    """

    widths: tuple[int, ...]
    repeats: int
    epochs: int
    half: float
    checked: int
    checked_widths: tuple[int, int]
    folds: int
    along_width: tuple[int, ...]
    along_width_repeats: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """One network per data set, twelve epochs."""
        return cls(
            seed=seed,
            widths=(12, 12, 12),
            repeats=1,
            epochs=12,
            half=1.5,
            checked=2,
            checked_widths=(8, 8),
            folds=2,
            along_width=(8, 16, 32),
            along_width_repeats=3,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks per data set, 200 epochs."""
        return cls(
            seed=seed,
            widths=(32, 32, 32, 32),
            repeats=10,
            epochs=200,
            half=1.5,
            checked=20,
            checked_widths=(24, 24),
            folds=4,
            along_width=(8, 16, 32, 64, 128),
            along_width_repeats=10,
        )
