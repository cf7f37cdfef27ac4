"""The moments of a run that groks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from splinescope.experiments.shared.experiment import Numbers

GAIN = 0.2
"""Rise of the adversarial accuracy after interpolation from which on a network counts as having grokked."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrainingMoments:
    """Three rows of the log.

    Attributes:
        interpolation: Number of the first row whose training accuracy is 100 %.
        grokked: Number of the row with the least local complexity at training images, of those that are robust: whose
            adversarial accuracy at the largest epsilon is at least `GAIN` above that at interpolation. If none is, the
            last row.
        attack: Key of that adversarial accuracy.
        radius: Radius that the claims are about.
        rows: Steps of the three rows.
    """

    interpolation: int
    grokked: int
    attack: str
    radius: float
    rows: tuple[int, int, int]

    def steps(self) -> dict[str, int]:
        """Step of each moment by its name."""
        return dict(zip(("initialisation", "interpolation", "grokking"), self.rows, strict=True))

    def of(self, rows: Rows) -> dict[str, Mapping[str, Any]]:
        """Row of each moment by its name."""
        found = (rows[0], rows[self.interpolation], rows[self.grokked])
        return dict(zip(self.steps(), found, strict=True))

    def captions(self, rows: Rows) -> dict[str, str]:
        """A line about each moment."""
        key = complexity("train", self.radius)
        return {
            name: f"step {row['step']:,}: {row['tiles/cells']:,} cells, LC {row[key]:.2f}"
            for name, row in self.of(rows).items()
        }


def complexity(points: str, radius: float) -> str:
    """Key of a mean local complexity in a row.

    Args:
        points: "train", "test" or "random".
        radius: Radius of the neighbourhoods.

    Returns:
        The key.
    """
    return f"complexity {points} {radius:g}/mean"


def moments_of(numbers: Numbers) -> TrainingMoments:
    """Find the moments; the last row stands in for one that never came."""
    rows, radius = numbers["rows"], numbers["config"]["radius"]
    attack = f"attacked {max(numbers['config']['epsilons']):g}/accuracy"
    last = len(rows) - 1
    interpolation = next((i for i, row in enumerate(rows) if row["train/accuracy"] == 1), last)
    later = range(interpolation, len(rows))
    robust = [i for i in later if rows[i][attack] >= rows[interpolation][attack] + GAIN]
    grokked = min(robust, key=lambda i: rows[i][complexity("train", radius)], default=last)
    steps = (rows[0]["step"], rows[interpolation]["step"], rows[grokked]["step"])
    return TrainingMoments(interpolation, grokked, attack, radius, steps)
