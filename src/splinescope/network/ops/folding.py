"""What every op that folds answers."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from splinescope.network.ops.base import Op
from splinescope.network.ops.walls import CellWalls


class Reads(NamedTuple):
    """What units are on their pieces: $y = s x_k + t$, of one number of the flat input each.

    Attributes:
        places: Place $k$ of the number.
        slopes: Slope $s$.
        intercepts: Intercept $t$.
    """

    places: Int[np.ndarray, "..."]
    slopes: Float[np.ndarray, "..."]
    intercepts: Float[np.ndarray, "..."]


class Walls(NamedTuple):
    """Where units fold: $x_p = x_m$, or $x_p = c$ where there is no second number.

    Attributes:
        plus: Place $p$ in the flat input.
        minus: Place $m$ there, or -1.
        shift: The breakpoint $c$; 0 where there is a second number.
    """

    plus: Int[np.ndarray, " walls"]
    minus: Int[np.ndarray, " walls"]
    shift: Float[np.ndarray, " walls"]


class Fold(Op):
    """An op that folds: each of its units is affine on pieces, and a pattern says on which one it is.

    Every unit's piece is a small number: of an activation that of breakpoints below, of a maximum the place of the
    largest member in its group. It is written in `levels` bits. An engine cuts in one of two ways, where a number
    passes breakpoints or where two numbers are equal; so a fold is an `Activation` or a `Maximum`.
    """

    @property
    @abstractmethod
    def levels(self) -> int:
        """Bits of one unit in a pattern; a pattern has those of the first level for all units, then of the second."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of pieces of a unit, at most."""

    @abstractmethod
    def piece_counts(self, units: int) -> Int[np.ndarray, " units"]:
        """Number of pieces of each unit.

        Args:
            units: Number of units.

        Returns:
            Numbers; of a maximum those of the members of each group.
        """

    @property
    @abstractmethod
    def homogeneous(self) -> bool:
        """Whether it commutes with positive factors that all numbers of a unit share."""

    @property
    @abstractmethod
    def elementwise(self) -> bool:
        """Whether a unit reads one number and its pieces follow each other along it; else it picks a number."""

    @property
    def clamps(self) -> bool:
        """Whether it is $y = max(x, 0)$ for all units."""
        return False

    @abstractmethod
    def pieces(self, x: Float[Tensor, "batch ..."]) -> Int[Tensor, "batch ..."]:
        """Piece on which each unit is.

        Args:
            x: Inputs of the op.

        Returns:
            [batch, *units] pieces.
        """

    @abstractmethod
    def on_pieces(self, pieces: Integer[Tensor, "batch _"], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch _"]:
        """The affine maps of given pieces, wherever the inputs are.

        Args:
            pieces: [batch, units] piece of each unit.
            x: Inputs of the op.

        Returns:
            [batch, units] values.
        """

    @abstractmethod
    def along_pieces(
        self, pieces: Integer[Tensor, "batch _"], slopes: Float[Tensor, "b directions _"]
    ) -> Float[Tensor, "batch directions _"]:
        """The linear parts of given pieces: how slopes of the inputs come out.

        Args:
            pieces: [batch, units] piece of each unit.
            slopes: [batch, directions, inputs] slopes of the inputs; one row may stand for all.

        Returns:
            [batch, directions, units] slopes of the units.
        """

    @abstractmethod
    def reads(self, pieces: Integer[np.ndarray, "*batch k"], units: Int[np.ndarray, " k"] | None = None) -> Reads:
        """What the affine maps of given pieces are, as numbers.

        Args:
            pieces: Piece of each of some units.
            units: These units; all by default.

        Returns:
            Place, slope and intercept of each, in the shape of `pieces`.
        """

    @property
    @abstractmethod
    def convex(self) -> bool:
        """Whether every unit is a convex function, which is the largest of its pieces."""

    @abstractmethod
    def cell_walls(self, units: int) -> CellWalls:
        """What keeps so many units, those of a node, on the pieces of a pattern.

        Args:
            units: Number of units.

        Returns:
            What answers for them.
        """

    @abstractmethod
    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """[batch, levels * units] zeros and ones that stand for pieces.

        Args:
            pieces: [batch, units] piece of each unit.

        Returns:
            [batch, levels * units] bits, level by level.
        """

    @abstractmethod
    def named(
        self, bits: Integer[np.ndarray, "*batch levels k"], units: Int[np.ndarray, " k"] | None = None
    ) -> Int[np.ndarray, "*batch k"]:
        """The pieces that bits stand for: the inverse of `bits`.

        Args:
            bits: Zeros and ones, by level.
            units: The units whose bits they are; all by default.

        Returns:
            Piece of each; of a damaged pattern, one that need not be there.
        """

    @abstractmethod
    def between(
        self, units: Int[np.ndarray, " walls"], one: Integer[np.ndarray, " walls"], other: Integer[np.ndarray, " walls"]
    ) -> Walls:
        """What vanishes where units go from one piece to another one.

        Args:
            units: The units.
            one: Piece of each on one side.
            other: Piece of each on the other side.

        Returns:
            One wall for each; of several the first.
        """

    @abstractmethod
    def walls(self, folds: Int[np.ndarray, " walls"], units: int) -> Walls:
        """What vanishes on folds, by their numbers.

        Args:
            folds: Of an activation `level * units + unit`; of a maximum `(first * size + second) * groups + group`, by
                places of two members in a group.
            units: Number of units of the op.

        Returns:
            One wall for each, whose positive side is above a breakpoint, or where the first member is larger.
        """

    @abstractmethod
    def taken(self, units: Int[Tensor, " some"]) -> Fold:
        """The op of some of its units alone; an activation reads as many numbers then.

        Args:
            units: Flat indices of the wanted units.

        Returns:
            The smaller op.
        """

    @abstractmethod
    def open_bits(
        self, x: Float[np.ndarray, "batch n"], errors: Float[np.ndarray, "batch n"]
    ) -> Bool[np.ndarray, "batch columns"]:
        """[batch, levels * units] bits of patterns that inputs known up to some errors leave open.

        Args:
            x: [batch, numbers] flat inputs.
            errors: By how much they may be off.

        Returns:
            [batch, levels * units] whether each bit may be either.
        """
