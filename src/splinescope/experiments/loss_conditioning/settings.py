"""Sizes of `loss-conditioning`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        activations: Among "relu", "leaky" (slope 0.1) and "absolute".
        skips: Shares of the identity, ascending from 0, a plain network, to 1, a residual one.
        depths: Numbers of layers, ascending.
        width: Units of each layer along depth.
        widths: Units of each layer along width.
        depth: Layers of each network along width and in training.
        norms: Spectral norms to which weights are scaled where bounds are looked at.
        repeats: Networks of each kind.
        points: Inputs for each network.
        epochs: Of training.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "activations": ("relu", "leaky", "absolute"),
    }

    activations: tuple[str, ...]
    skips: tuple[float, ...]
    depths: tuple[int, ...]
    width: int
    widths: tuple[int, ...]
    depth: int
    norms: tuple[float, ...]
    repeats: int
    points: int
    epochs: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Narrow networks of up to eight layers."""
        return cls(
            seed=seed,
            activations=("relu", "leaky", "absolute"),
            skips=(0.0, 0.5, 1.0),
            depths=(1, 2, 4, 8),
            width=16,
            widths=(8, 16, 32),
            depth=4,
            norms=(0.3, 0.9),
            repeats=1,
            points=15,
            epochs=3,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Up to 16 layers of 32 units, three networks of each kind."""
        return cls(
            seed=seed,
            activations=("relu", "leaky", "absolute"),
            skips=(0.0, 0.5, 1.0),
            depths=(1, 2, 4, 8, 16),
            width=32,
            widths=(8, 16, 32, 64),
            depth=8,
            norms=(0.3, 0.6, 0.9),
            repeats=3,
            points=8,
            epochs=10,
        )
