"""The ops that fold: elementwise continuous piecewise affine activations, and maxima."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from splinescope.network.ops.base import Op, flat


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

    @abstractmethod
    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """[batch, levels * units] zeros and ones that stand for pieces.

        Args:
            pieces: [batch, units] piece of each unit.

        Returns:
            [batch, levels * units] bits, level by level.
        """

    @abstractmethod
    def taken(self, units: Int[Tensor, " some"]) -> Fold:
        """The op of some of its units alone; an activation reads as many numbers then.

        Args:
            units: Flat indices of the wanted units.

        Returns:
            The smaller op.
        """


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
        slope, intercept = (self._at(table, pieces) for table in (self.slopes, self.intercepts))
        return slope * flat(x) + intercept

    def along_pieces(
        self, pieces: Integer[Tensor, "batch _"], slopes: Float[Tensor, "b directions _"]
    ) -> Float[Tensor, "batch directions _"]:
        """See `Fold`."""
        return slopes * self._at(self.slopes, pieces)[:, None]

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: one bit for each breakpoint, 1 above it."""
        return torch.cat([(pieces > level).to(torch.uint8) for level in range(self.levels)], dim=1)

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

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: binary digits, the last one first."""
        return torch.cat([((pieces.long() >> digit) & 1).to(torch.uint8) for digit in range(self.levels)], dim=1)

    def taken(self, units: Int[Tensor, " some"]) -> Maximum:
        """See `Fold`."""
        return Maximum(self.index[units])

    def chosen(self, pieces: Integer[Tensor, "batch _"]) -> Int[Tensor, "batch _"]:
        """[batch, units] places in the flat input of the members that pieces name.

        Args:
            pieces: [batch, units] place of a member in its group.

        Returns:
            [batch, units] places in the flat input.
        """
        return self.index[torch.arange(pieces.shape[1]), pieces.long()]

    def by_member(self, x: Float[Tensor, "batch _"], absent: float) -> Float[Tensor, "batch units size"]:
        """[batch, units, size] the members of each group; `absent` where it has fewer.

        Args:
            x: [batch, inputs] flat values that the op reads.
            absent: What stands for members that a group does not have.

        Returns:
            [batch, units, size] values.
        """
        return x[:, self.index.clamp(min=0)].masked_fill(self.index < 0, absent)
