"""Maxima over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from splinescope.network.ops.base import Op, flat, places_of_slices
from splinescope.network.ops.folding import Fold, Reads, Walls
from splinescope.network.ops.rivals import Rivals


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

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        index = places_of_slices(self.index, count, size)
        shape = self.shape or (len(self.index),)
        return Maximum(index.reshape(-1, self.index.shape[1]), (count, *shape))

    @property
    def levels(self) -> int:
        """Binary digits of a place in a group."""
        return max(1, int(self.count - 1).bit_length())

    @property
    def count(self) -> int:
        """See `Fold`; members of a group."""
        return self.index.shape[1]

    def piece_counts(self, units: int) -> Int[np.ndarray, " units"]:
        """See `Fold`."""
        return np.asarray((self.index >= 0).sum(dim=1).numpy())

    @property
    def homogeneous(self) -> bool:
        """See `Fold`; it is."""
        return True

    @property
    def elementwise(self) -> bool:
        """See `Fold`; it is not."""
        return False

    @property
    def rounds(self) -> bool:
        """See `Op`; not."""
        return False

    @property
    def label(self) -> str:
        """See `Op`."""
        return f"Maximum (of {self.count})"

    def terms(
        self, inputs: Sequence[Float[Tensor, "batch ..."]], value: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch ..."]:
        """See `Op`: none."""
        return torch.zeros_like(value)

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

    def reads(self, pieces: Integer[np.ndarray, "*batch k"], units: Int[np.ndarray, " k"] | None = None) -> Reads:
        """See `Fold`: the members as they are."""
        groups = np.arange(pieces.shape[-1]) if units is None else units
        places = self.members.numpy()[groups, pieces]
        return Reads(places, np.ones(places.shape), np.zeros(places.shape))

    @property
    def convex(self) -> bool:
        """See `Fold`."""
        return True

    def cell_walls(self, units: int) -> Rivals:
        """See `Fold`."""
        return Rivals(units, self.index)

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: binary digits, the last one first."""
        return torch.cat([((pieces.long() >> digit) & 1).to(torch.uint8) for digit in range(self.levels)], dim=1)

    def named(
        self, bits: Integer[np.ndarray, "*batch levels k"], units: Int[np.ndarray, " k"] | None = None
    ) -> Int[np.ndarray, "*batch k"]:
        """See `Fold`."""
        digits = np.arange(bits.shape[-2])[:, None]
        return np.minimum((bits.astype(np.int64) << digits).sum(axis=-2), self.count - 1)

    def between(
        self, units: Int[np.ndarray, " walls"], one: Integer[np.ndarray, " walls"], other: Integer[np.ndarray, " walls"]
    ) -> Walls:
        """See `Fold`."""
        index = self.index.numpy()
        return Walls(index[units, one], index[units, other], np.zeros(len(units)))

    def walls(self, folds: Int[np.ndarray, " walls"], units: int) -> Walls:
        """See `Fold`."""
        pair, group = np.divmod(folds, units)
        first, second = np.divmod(pair, self.count)
        members = self.members.numpy()
        return Walls(members[group, first], members[group, second], np.zeros(len(folds)))

    def taken(self, units: Int[Tensor, " some"]) -> Maximum:
        """See `Fold`."""
        return Maximum(self.index[units])

    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`."""
        return self.evaluate(*x)

    def carried(self, *errors: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`: the largest error of a member."""
        return self.evaluate(*errors)

    def open_bits(
        self, x: Float[np.ndarray, "batch n"], errors: Float[np.ndarray, "batch n"]
    ) -> Bool[np.ndarray, "batch columns"]:
        """See `Fold`: all of a group in which several members may be the largest."""
        groups = self.index.numpy()
        low, high = (
            np.where(groups >= 0, bound[:, np.maximum(groups, 0)], -np.inf) for bound in (x - errors, x + errors)
        )
        several = (high >= low.max(axis=2, keepdims=True)).sum(axis=2) > 1
        return np.tile(several, self.levels)

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
