"""What comparisons of cells with forward passes showed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from splinescope.tessellation.certificate.evaluators import SMALL
from splinescope.tessellation.certificate.facts import Facts

SHOWN = ("output_error", "output_tolerance", "sign_error", "resolution")
"""What both kinds of passes show, the largest of which counts."""


@dataclass
class Proved:
    """What shared passes showed.

    Attributes:
        output_error: See `Seen`.
        output_tolerance: See `Seen`.
        sign_error: See `Seen`.
        resolution: See `Seen`.
        left: Cells about which something is not proved.
    """

    output_error: float = 0.0
    output_tolerance: float = 0.0
    sign_error: float = 0.0
    resolution: float = 0.0
    left: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @staticmethod
    def joined(parts: list[Proved], left: np.ndarray) -> Proved:
        """The worst of all of them, with the cells that are left."""
        worst = {name: max((getattr(part, name) for part in parts), default=0.0) for name in SHOWN}
        return Proved(**worst, left=left)


@dataclass
class Seen:
    """What one chunk, or all of them, showed.

    Attributes:
        output_error: Largest error of an output, relative to the largest output.
        output_tolerance: What it was held to.
        sign_error: Largest distance from a fold as a share of what it was held to.
        resolution: Largest bound of an error, relative to the size of its unit's values.
        open: Facts that are not decided yet.
        sifted: Number of facts that bounds of each point's own have decided since.
        own: Number of points that had a forward pass of their own.
        off: Facts about corners that are not on a fold through them, and how far they may be.
        apart: Outputs that are not those of the forward pass: their cells, the points, what is recorded there, how far
            that may be off, and is.
    """

    output_error: float = 0.0
    output_tolerance: float = 0.0
    sign_error: float = 0.0
    resolution: float = 0.0
    open: list[Facts] = field(default_factory=list)
    sifted: int = 0
    own: int = 0
    off: list[tuple[Facts, np.ndarray]] = field(default_factory=list)
    apart: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    @property
    def blunt(self) -> bool:
        """Whether errors are too large for the level to count as reached without more."""
        return bool(self.resolution > SMALL or self.output_tolerance > 8 * SMALL)

    def take(self, other: Seen | Proved) -> None:
        """The worst of what this and another look showed."""
        for name in SHOWN:
            setattr(self, name, max(getattr(self, name), getattr(other, name)))


def together(parts: list[Seen]) -> Seen:
    """What several chunks showed."""
    seen = Seen()
    for part in parts:
        seen.take(part)
        seen.open += part.open
        seen.sifted += part.sifted
        seen.own += part.own
        seen.off += part.off
        seen.apart += part.apart
    return seen
