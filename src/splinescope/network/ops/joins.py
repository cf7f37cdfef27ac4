"""Ops of several variables: sums and concatenations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, hstack
from torch import Tensor

from splinescope.network.ops.base import AffineOp, Op, copies


@dataclass(frozen=True, eq=False)
class Sum(AffineOp):
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

    @property
    def addends(self) -> int:
        """See `Op`."""
        return len(self.coefficients)

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return torch.tensor(self.coefficients, dtype=torch.float64)

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return Sum(tuple(weights.tolist()))

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        one = copies(np.asarray(units), math.prod(shapes[0]))
        return csr_array(hstack([float(coefficient) * one for coefficient in self.coefficients]))


@dataclass(frozen=True, eq=False)
class Concatenate(AffineOp):
    """Inputs side by side along one axis.

    Attributes:
        axis: The axis, counted without the batch.
    """

    axis: int

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The concatenated inputs."""
        return torch.cat(inputs, dim=self.axis + 1)

    @property
    def addends(self) -> int:
        """See `Op`."""
        return 1

    @property
    def rounds(self) -> bool:
        """See `Op`; not."""
        return False

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        return Concatenate(self.axis + 1)

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        sizes = [math.prod(shape) for shape in shapes]
        places = torch.arange(sum(sizes), dtype=torch.float64).split(sizes)
        origin = self.evaluate(*(part.reshape(1, *shape) for part, shape in zip(places, shapes, strict=True)))
        return copies(origin.reshape(-1).numpy()[units].astype(np.int64), sum(sizes))
