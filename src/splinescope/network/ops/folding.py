"""The ops that fold: elementwise continuous piecewise affine activations, and maxima."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.ops.base import Op, flat


@dataclass(frozen=True, eq=False)
class Activation(Op):
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
        piece = self.pieces(x)
        if self.slopes.ndim == 1:
            return self.slopes[piece] * x + self.intercepts[piece]
        rows = piece.reshape(len(x), -1)
        slope, intercept = self.slopes.gather(0, rows), self.intercepts.gather(0, rows)
        return (slope * flat(x) + intercept).reshape(x.shape)

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


@dataclass(frozen=True, eq=False)
class Maximum(Op):
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
