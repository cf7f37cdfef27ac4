"""Sizes of `regions-vs-depth-width`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        repeats: Networks per size.
        window: Half the side of the large square in which cells are counted.
        shapes: Hidden widths of networks with the same number of units.
        sizes: Numbers of units, multiples of all depths.
        depths: Numbers of hidden layers that share them evenly.
        width: Hidden width of the networks along depth.
        most_layers: Largest depth of these.
        built_layers: Largest depth of the folding network that is built and counted beside them.
        trained: Hidden widths of the networks that are trained.
        trained_repeats: Networks trained per data set.
        epochs: Epochs after which cells are counted; the first is 0.
        near: Half the side of the square around the data in the plane problems.
    """

    repeats: int
    window: float
    shapes: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]
    depths: tuple[int, ...]
    width: int
    most_layers: int
    built_layers: int
    trained: tuple[int, ...]
    trained_repeats: int
    epochs: tuple[int, ...]
    near: float

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Two networks per size, twelve epochs."""
        return cls(
            seed=seed,
            repeats=2,
            window=30.0,
            shapes=((60,), (30, 30), (10,) * 6),
            sizes=(12, 24, 48),
            depths=(1, 3),
            width=8,
            most_layers=3,
            built_layers=2,
            trained=(12, 12),
            trained_repeats=2,
            epochs=(0, 3, 12),
            near=1.5,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Twenty networks per size, 256 epochs."""
        return cls(
            seed=seed,
            repeats=20,
            window=30.0,
            shapes=((60,), (30, 30), (20,) * 3, (15,) * 4, (10,) * 6),
            sizes=(12, 24, 48, 96, 192),
            depths=(1, 2, 3, 6),
            width=8,
            most_layers=8,
            built_layers=4,
            trained=(32, 32, 32),
            trained_repeats=5,
            epochs=(0, 1, 2, 4, 8, 16, 32, 64, 128, 256),
            near=1.5,
        )
