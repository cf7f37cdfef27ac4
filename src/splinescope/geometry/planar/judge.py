"""Who decides what float64 cannot tell in a planar subdivision: the interface to exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

End = tuple[int, int]
"""A vertex as (vertex, -1), or the place where a column cuts an edge as (edge, column)."""


@runtime_checkable
class Judge(Protocol):
    """Exact answers about the folds of the layer that is being inserted; a column is one fold of one unit."""

    def positions(self, edge: int, columns: np.ndarray) -> Sequence[Any]:
        """Where columns cut an edge, as rational shares of the way from its tail to its head."""

    def names(self, edge: int, columns: np.ndarray) -> np.ndarray:
        """Numbers of columns on an edge, the same for those that are known to vanish together there."""

    def sides(self, face: int, first: int, second: int, third: int) -> tuple[int, int, int]:
        """For three columns that cross each other in a face the sign of each at the crossing of the other two.

        In this order: of the third at first x second, of the first at second x third, of the second at first x third.
        """

    def share(self, face: int, base: int, other: int, tail: End, head: End) -> float:
        """Where a column crosses the chord of another one, as a share of the way between the chord's two ends."""
