"""Sizes of `topology-layers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        sets: Which sets of data: "circles", "rings", "spheres".
        points: Points of each class.
        units: Units of each layer.
        layers: Layers between the first affine one and the last.
        repeats: Networks of each kind on each set.
        epochs: Passes over the data.
        batch: Points in a batch.
        learning_rate: Of Adam.
        landmarks: Points of each class whose homology is taken; half as many where it is of degree two.
        neighbours: Of each landmark, in the graph of which distances are steps.
        steps: Scale at which homology is counted, in steps of that graph.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "sets": ("circles", "rings", "spheres"),
    }

    sets: tuple[str, ...]
    points: int
    units: int
    layers: int
    repeats: int
    epochs: int
    batch: int
    learning_rate: float
    landmarks: int
    neighbours: int
    steps: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two sets, two networks of each kind, three layers."""
        return cls(seed, ("circles", "rings"), 200, 15, 3, 2, 60, 100, 0.01, landmarks=100, neighbours=6, steps=2)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """All sets and twenty networks of each kind, of fifteen units, as narrow as those of Naitzat et al."""
        sets = ("circles", "rings", "spheres")
        return cls(seed, sets, 600, 15, 5, 20, 240, 200, 0.01, landmarks=120, neighbours=6, steps=2)
