"""Sizes of `self-similar`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        depths: Numbers of hidden layers of the functions of one variable.
        shown: Depths at which they are drawn.
        folded: Number of inputs and hidden widths of the folding networks.
        pictured: Hidden widths of those of two inputs that are drawn.
        random: Random networks of the same sizes, counted in the same cube.
    """

    depths: tuple[int, ...]
    shown: tuple[int, ...]
    folded: tuple[tuple[int, tuple[int, ...]], ...]
    pictured: tuple[int, ...]
    random: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Up to 64 pieces, up to 8,320 cells."""
        return cls(
            seed=seed,
            depths=(1, 2, 3, 4, 5, 6),
            shown=(1, 2, 3),
            folded=((1, (3, 4)), (2, (6, 6)), (2, (7, 8)), (2, (6, 6, 6)), (3, (9, 9))),
            pictured=(6, 6),
            random=2,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Up to 4,096 pieces, up to 1.4 million cells."""
        return cls(
            seed=seed,
            depths=tuple(range(1, 13)),
            shown=(1, 2, 3, 4),
            folded=(
                *((1, (3,) * depth) for depth in (2, 4, 6)),
                *((2, (width, width)) for width in (6, 8, 12, 16)),
                *((2, (width,) * 3) for width in (6, 8, 10)),
                (2, (6,) * 4),
                (2, (6,) * 5),
                (3, (9, 9)),
                (3, (12, 12)),
                (4, (12, 12)),
            ),
            pictured=(6, 6),
            random=10,
        )
