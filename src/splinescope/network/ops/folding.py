"""The ops that fold: elementwise continuous piecewise affine activations, and maxima."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from splinescope.network.ops.base import Op, flat
from splinescope.network.ops.kinks import Kinks
from splinescope.network.ops.rivals import Rivals
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


class Fold(Op):
    """An op that folds: each of its units is affine on pieces, and a pattern says on which one it is.

    Every unit's piece is a small number: of an activation that of breakpoints below, of a maximum the place of the
    largest member in its group. It is written in `levels` bits.
    """

    @property
    @abstractmethod
    def levels(self) -> int:
        """Bits of one unit in a pattern; a pattern has those of the first level for all units, then of the second."""

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

    @property
    @abstractmethod
    def elementwise(self) -> bool:
        """Whether a unit reads one number and its pieces follow each other along it; else it picks a number."""

    @property
    def clamps(self) -> bool:
        """Whether it is $y = max(x, 0)$ for all units."""
        return False

    @property
    @abstractmethod
    def convex(self) -> bool:
        """Whether every unit is a convex function, which is the largest of its pieces."""

    @property
    @abstractmethod
    def rounds(self) -> bool:
        """Whether its numbers are rounded. Else each of them is a copy of an input or of a constant."""

    @abstractmethod
    def reads(self, pieces: Integer[np.ndarray, "*batch k"]) -> Reads:
        """What the affine maps of given pieces are, as numbers.

        Args:
            pieces: Piece of each unit.

        Returns:
            Place, slope and intercept of each, in the shape of `pieces`.
        """

    @abstractmethod
    def cell_walls(self, units: int) -> CellWalls:
        """What keeps so many units, those of a node, on the pieces of a pattern."""

    @abstractmethod
    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """[batch, levels * units] zeros and ones that stand for pieces."""

    @abstractmethod
    def named(self, bits: Integer[np.ndarray, "*batch levels k"]) -> Int[np.ndarray, "*batch k"]:
        """The pieces that bits stand for: the inverse of `bits`.

        Args:
            bits: Zeros and ones, by level.

        Returns:
            Piece of each unit; of a damaged pattern, one that need not be there.
        """

    @abstractmethod
    def taken(self, units: Int[Tensor, " some"]) -> Fold:
        """The op of some of its units alone; an activation reads as many numbers then."""


@dataclass(frozen=True, eq=False)
class Activation(Fold):
    r"""An elementwise continuous piecewise affine function.

    On piece $i$, between breakpoints $i - 1$ and $i$, it is $y = s_i x + t_i$. A breakpoint itself belongs to the
    piece before it. All three tables are either shared by the units, or have one column for each unit (where a unit
    needs fewer pieces, neighbouring pieces of it have one slope, and it does not fold between them).

    Attributes:
        breakpoints: [B] or [B, units], ascending.
        slopes: [B + 1] or [B + 1, units].
        intercepts: [B + 1] or [B + 1, units].
    """

    breakpoints: Float[Tensor, "B ..."]
    slopes: Float[Tensor, "B+1 ..."]
    intercepts: Float[Tensor, "B+1 ..."]

    @cached_property
    def is_relu(self) -> bool:
        """Whether it is $y = max(x, 0)$ for all units."""
        return (
            self.breakpoints.ndim == 1
            and self.breakpoints.tolist() == [0.0]
            and self.slopes.tolist() == [0.0, 1.0]
            and self.intercepts.tolist() == [0.0, 0.0]
        )

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The function of each number."""
        (x,) = inputs
        if self.is_relu:
            return x.clamp(min=0.0)
        return self.on_pieces(self.pieces(flat(x)), x).reshape(x.shape)

    def pieces(self, x: Float[Tensor, "batch ..."]) -> Int[Tensor, "batch ..."]:
        """Piece on which each number lies.

        Args:
            x: Arguments of the function.

        Returns:
            Indices from 0 to B, in the shape of `x`.
        """
        values = flat(x.detach())
        piece = torch.zeros(values.shape, dtype=torch.int64, device=values.device)
        for breakpoint in self.breakpoints:
            piece += values > breakpoint
        return piece.reshape(x.shape)

    @property
    def levels(self) -> int:
        """Number of breakpoints."""
        return len(self.breakpoints)

    def on_pieces(self, pieces: Integer[Tensor, "batch _"], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch _"]:
        """See `Fold`."""
        if self.is_relu:
            return flat(x) * pieces.to(x.dtype)
        slope, intercept = (self._at(table, pieces) for table in (self.slopes, self.intercepts))
        return slope * flat(x) + intercept

    def along_pieces(
        self, pieces: Integer[Tensor, "batch _"], slopes: Float[Tensor, "b directions _"]
    ) -> Float[Tensor, "batch directions _"]:
        """See `Fold`."""
        return slopes * (pieces.to(slopes.dtype) if self.is_relu else self._at(self.slopes, pieces))[:, None]

    @property
    def elementwise(self) -> bool:
        """See `Fold`: it is."""
        return True

    @property
    def clamps(self) -> bool:
        """See `Fold`."""
        return self.is_relu

    @property
    def convex(self) -> bool:
        """See `Fold`."""
        return bool((self.slopes[1:] >= self.slopes[:-1]).all())

    @cached_property
    def rounds(self) -> bool:
        """See `Fold`: not where pieces are flat, or of slope one through the origin."""
        exact = (self.slopes == 0) | ((self.slopes.abs() == 1) & (self.intercepts == 0))
        return not bool(exact.all())

    def reads(self, pieces: Integer[np.ndarray, "*batch k"]) -> Reads:
        """See `Fold`."""
        chosen, units = pieces.astype(np.int64), np.arange(pieces.shape[-1])
        slopes, intercepts = self.slopes.numpy(), self.intercepts.numpy()
        at = (chosen,) if slopes.ndim == 1 else (chosen, units)
        return Reads(np.broadcast_to(units, chosen.shape), slopes[at], intercepts[at])

    def cell_walls(self, units: int) -> Kinks:
        """See `Fold`."""
        bends = self.slopes[1:] != self.slopes[:-1]
        return Kinks(units, *(table.reshape(len(bends), -1).expand(-1, units) for table in (self.breakpoints, bends)))

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: one bit for each breakpoint, 1 above it."""
        return torch.cat([(pieces > level).to(torch.uint8) for level in range(self.levels)], dim=1)

    def named(self, bits: Integer[np.ndarray, "*batch levels k"]) -> Int[np.ndarray, "*batch k"]:
        """See `Fold`; where nothing folds, a bit may be either, and is taken for the next one above."""
        slopes = self.slopes.numpy().reshape(len(self.slopes), -1)
        folding = np.diff(slopes, axis=0) != 0
        total = above = bits[..., -1, :].astype(np.int64)
        for level in range(self.levels - 2, -1, -1):
            above = np.where(folding[level], bits[..., level, :], above)
            total = total + above
        return np.asarray(total)

    def taken(self, units: Int[Tensor, " some"]) -> Activation:
        """See `Fold`."""
        tables = (self.breakpoints, self.slopes, self.intercepts)
        return Activation(*(table if table.ndim == 1 else table[:, units] for table in tables))

    @staticmethod
    def _at(table: Tensor, pieces: Tensor) -> Tensor:
        """Entries of a table by piece and unit."""
        return table[pieces.long()] if table.ndim == 1 else table.gather(0, pieces.long())


@dataclass(frozen=True, eq=False)
class Maximum(Fold):
    r"""Maxima over groups of inputs, $y_j = \max_k x_{g(j, k)}$.

    Max-pooling, and the maximum of variables, are of this kind.

    Attributes:
        index: [out, size] positions in the flat input; -1 is none. Every group has a member.
        shape: Shape of the output without batch; [out] by default.
    """

    index: Int[Tensor, "out size"]
    shape: tuple[int, ...] | None = None

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The maximum of each group."""
        (x,) = inputs
        values, members = flat(x), self.members
        best = values.index_select(1, members[:, 0])
        for column in range(1, members.shape[1]):
            best = torch.maximum(best, values.index_select(1, members[:, column]))
        return best if self.shape is None else best.reshape(len(x), *self.shape)

    @cached_property
    def members(self) -> Int[Tensor, "out size"]:
        """The index with absent members replaced by present ones of the same group."""
        present = self.index >= 0
        first = self.index.gather(1, present.to(torch.int8).argmax(dim=1, keepdim=True))
        return torch.where(present, self.index, first)

    @property
    def levels(self) -> int:
        """Binary digits of a place in a group."""
        return max(1, int(self.index.shape[1] - 1).bit_length())

    def pieces(self, x: Float[Tensor, "batch ..."]) -> Int[Tensor, "batch ..."]:
        """See `Fold`: the place of the first largest member of each group."""
        return self.by_member(flat(x.detach()), -torch.inf).argmax(dim=2)

    def on_pieces(self, pieces: Integer[Tensor, "batch _"], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch _"]:
        """See `Fold`."""
        return flat(x).gather(1, self.chosen(pieces))

    def along_pieces(
        self, pieces: Integer[Tensor, "batch _"], slopes: Float[Tensor, "b directions _"]
    ) -> Float[Tensor, "batch directions _"]:
        """See `Fold`."""
        places = self.chosen(pieces)[:, None].expand(-1, slopes.shape[1], -1)
        return slopes.expand(len(pieces), -1, -1).gather(2, places)

    @property
    def elementwise(self) -> bool:
        """See `Fold`: it is not."""
        return False

    @property
    def convex(self) -> bool:
        """See `Fold`: it is."""
        return True

    @property
    def rounds(self) -> bool:
        """See `Fold`: not."""
        return False

    def reads(self, pieces: Integer[np.ndarray, "*batch k"]) -> Reads:
        """See `Fold`: the members as they are."""
        places = self.members.numpy()[np.arange(pieces.shape[-1]), pieces]
        return Reads(places, np.ones(places.shape), np.zeros(places.shape))

    def cell_walls(self, units: int) -> Rivals:
        """See `Fold`."""
        return Rivals(units, self.index)

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: binary digits, the last one first."""
        return torch.cat([((pieces.long() >> digit) & 1).to(torch.uint8) for digit in range(self.levels)], dim=1)

    def named(self, bits: Integer[np.ndarray, "*batch levels k"]) -> Int[np.ndarray, "*batch k"]:
        """See `Fold`."""
        digits = np.arange(bits.shape[-2])[:, None]
        return np.asarray(np.minimum((bits.astype(np.int64) << digits).sum(axis=-2), self.index.shape[1] - 1))

    def taken(self, units: Int[Tensor, " some"]) -> Maximum:
        """See `Fold`."""
        return Maximum(self.index[units])

    def chosen(self, pieces: Integer[Tensor, "batch _"]) -> Int[Tensor, "batch _"]:
        """[batch, units] places in the flat input of the members that pieces name."""
        return self.index[torch.arange(pieces.shape[1]), pieces.long()]

    def by_member(self, x: Float[Tensor, "batch _"], absent: float) -> Float[Tensor, "batch units size"]:
        """[batch, units, size] the members of each group; `absent` where it has fewer."""
        return x[:, self.index.clamp(min=0)].masked_fill(self.index < 0, absent)
