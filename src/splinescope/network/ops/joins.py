"""Ops of several variables: sums and concatenations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.network.ops.base import Op


@dataclass(frozen=True, eq=False)
class Sum(Op):
    r"""A linear combination $\sum_i c_i x_i$ of inputs of one shape.

    Attributes:
        coefficients: One factor for each input.
    """

    coefficients: Sequence[float]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The linear combination."""
        total = inputs[0] if self.coefficients[0] == 1 else inputs[0] * self.coefficients[0]
        for coefficient, x in zip(self.coefficients[1:], inputs[1:], strict=True):
            total = torch.add(total, x, alpha=coefficient)
        return total


@dataclass(frozen=True, eq=False)
class Concatenate(Op):
    """Inputs side by side along one axis.

    Attributes:
        axis: The axis, counted without the batch.
    """

    axis: int

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The concatenated inputs."""
        return torch.cat(inputs, dim=self.axis + 1)
