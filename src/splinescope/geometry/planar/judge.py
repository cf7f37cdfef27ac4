"""Who decides what float64 cannot tell in a planar subdivision: the interface to exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

End = tuple[int, int]
"""A vertex as (vertex, -1), or the place where a column cuts an edge as (edge, column)."""


class Crossed(NamedTuple):
    """Where a column crosses the chord of another one in a face.

    Attributes:
        face: The face.
        base: The column whose chord it is.
        other: The one that crosses it.
        tail: Where the chord starts.
        head: Where it ends.
    """

    face: int
    base: int
    other: int
    tail: End
    head: End


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

    def cut_shares(self, edges: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """[2, k] where a column cuts each of some edges, as shares of it from its tail on, and how far off they are."""

    def chord_shares(self, crossings: Sequence[Crossed]) -> np.ndarray:
        """[2, k] where columns cross chords of others, as shares of these, and how far off they are at most."""
