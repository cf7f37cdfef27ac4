r"""The walls of units that fold: the affine forms that keep each unit on its piece.

On a piece a unit is bounded by walls $x_a - x_b - c \le 0$, where $x$ is the input of its op: towards the next
breakpoints above and below, or towards each rival of the largest member of a group. A wall that is none, at the end of
a line or of the winner itself, is $-\infty$.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

ABSENT = -np.inf
"""Value of a wall that is none."""


class Comparisons(NamedTuple):
    """The walls of one pattern, as what is compared with what: `x[over] - x[under] - constant <= 0`.

    Attributes:
        walls: Number of each wall.
        over: A place in the flat input; -1 for none.
        under: Likewise.
        constant: What is taken away.
    """

    walls: Int[np.ndarray, " k"]
    over: Int[np.ndarray, " k"]
    under: Int[np.ndarray, " k"]
    constant: Float[np.ndarray, " k"]


@dataclass(frozen=True, eq=False)
class CellWalls(ABC):
    """The walls of all units of one op: so many for each unit, those of one kind after the other.

    Attributes:
        units: Number of units.
    """

    units: int

    @property
    @abstractmethod
    def kinds(self) -> int:
        """Number of walls of one unit, those that are none among them."""

    @property
    @abstractmethod
    def pieces(self) -> int:
        """Largest number of pieces that a unit has."""

    def __len__(self) -> int:
        """Number of walls."""
        return self.kinds * self.units

    @cached_property
    def owners(self) -> Int[np.ndarray, " walls"]:
        """The unit of each wall."""
        return np.tile(np.arange(self.units), self.kinds)

    @abstractmethod
    def values(
        self, pieces: Integer[Tensor, "n units"], x: Float[Tensor, "n inputs"], out: Tensor | None = None
    ) -> Float[Tensor, "n walls"]:
        """Value of each wall's form at inputs of the op, which need not lie on the pieces.

        Args:
            pieces: Piece of each unit.
            x: The inputs.
            out: Where to write.

        Returns:
            Values, at most zero on the pieces.
        """

    @abstractmethod
    def slopes(
        self,
        pieces: Integer[Tensor, "n units"],
        slopes: Float[Tensor, "b directions inputs"],
        scale: float = 1.0,
        out: Tensor | None = None,
    ) -> Float[Tensor, "n directions walls"]:
        """Slope of each wall's form, from slopes of the op's input; any number where there is no wall.

        Args:
            pieces: Piece of each unit.
            slopes: The slopes; one row may stand for all.
            scale: What they are multiplied by.
            out: Where to write.

        Returns:
            Slopes.
        """

    @abstractmethod
    def errors(
        self, pieces: Integer[Tensor, "n units"], error: Float[Tensor, "n inputs"], size: Callable[[], Tensor]
    ) -> Float[Tensor, "n walls"]:
        """What the forms are off, their own roundings included; any number where there is no wall.

        Args:
            pieces: Piece of each unit.
            error: What the op's input is off.
            size: Asked for what the op's input does not exceed, [n, inputs], if that matters.

        Returns:
            Bounds.
        """

    @abstractmethod
    def beyond(self, pieces: Integer[np.ndarray, "*k"], walls: Int[np.ndarray, "*k"]) -> Int[np.ndarray, "*k"]:
        """Piece of the unit of a wall on the other side of it.

        Args:
            pieces: Piece of that unit on this side.
            walls: Numbers of walls.

        Returns:
            Pieces, of those that continue each other the first.
        """

    @abstractmethod
    def pieces_beyond(
        self,
        x: Float[Tensor, "n inputs"],
        slopes: Float[Tensor, "_ inputs"],
        error: Float[Tensor, "_ inputs"],
        extent: float,
    ) -> Integer[Tensor, "n units"]:
        """The piece of each unit just beyond points, in directions in which the input of the op has a slope.

        Args:
            x: Input of the op at the points.
            slopes: Its slopes.
            error: What both together are off, as far as `extent`.
            extent: A length.

        Returns:
            Pieces as uint8, of those that continue each other the first.
        """

    @property
    @abstractmethod
    def counts(self) -> Int[np.ndarray, " units"]:
        """Number of affine pieces of each unit."""

    @abstractmethod
    def excess(self, pieces: Integer[Tensor, "n units"], x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n units"]:
        """By how much inputs of the op are beyond given pieces; negative on them.

        This is for checks: it is made from what a piece is, and shares nothing with `values`.

        Args:
            pieces: Piece of each unit.
            x: The inputs.

        Returns:
            The largest excess over all ends of the unit's piece.
        """

    @abstractmethod
    def varies(self, x: Float[Tensor, "n points inputs"]) -> Bool[Tensor, "n units"]:
        """Whether each unit is on several pieces at some points; a breakpoint, where it bends, counts for itself.

        Args:
            x: Inputs of the op.

        Returns:
            Truth values.
        """

    @property
    @abstractmethod
    def first(self) -> Int[np.ndarray, " units"]:
        """The lowest piece of each unit, from which crossing walls that are not kept leads to any other one."""

    @abstractmethod
    def comparisons(self, pieces: Integer[np.ndarray, " units"]) -> Comparisons:
        """The walls that there are on given pieces, for arithmetic other than that of tensors.

        Args:
            pieces: Piece of each unit.

        Returns:
            What is compared with what, in ascending order of the walls.
        """
