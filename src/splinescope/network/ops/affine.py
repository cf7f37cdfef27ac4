"""Affine ops without spatial structure: dense layers, scales, selections, linear maps along axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.ops.base import Affine, Op, flat


@dataclass(frozen=True, eq=False)
class Dense(Affine):
    """A fully connected layer: flat in, flat out.

    Attributes:
        weight: [out, in] matrix.
        bias: [out] offset.
    """

    weight: Float[Tensor, "out in"]
    bias: Float[Tensor, " out"]

    def evaluate(
        self, *inputs: Float[Tensor, "batch ..."], out: Float[Tensor, "batch out"] | None = None
    ) -> Float[Tensor, "batch out"]:
        """One matrix product.

        Args:
            *inputs: The one input.
            out: Where to write the result; autograd does not go through it then.

        Returns:
            The result, which is `out` if given.
        """
        (x,) = inputs
        if out is None:
            return torch.addmm(self.bias, flat(x), self.weight.T)
        return torch.addmm(self.bias, flat(x), self.weight.T, out=out)

    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return torch.addmm(self.bias.abs(), flat(x), self.weight.abs().T)

    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return flat(v) @ self.weight.square().T


@dataclass(frozen=True, eq=False)
class SharedDense(Affine):
    """One dense layer on each row of a matrix, as a linear layer that is applied to the last axis.

    Attributes:
        weight: [out, in] matrix.
        bias: [out] offset.
    """

    weight: Float[Tensor, "out in"]
    bias: Float[Tensor, " out"]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """[batch, ..., in] to [batch, ..., out]."""
        (x,) = inputs
        return torch.nn.functional.linear(x, self.weight, self.bias)

    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return torch.nn.functional.linear(x, self.weight.abs(), self.bias.abs())

    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return torch.nn.functional.linear(v, self.weight.square())


@dataclass(frozen=True, eq=False)
class Scale(Affine):
    """Elementwise `x * scale + shift`; both factors broadcast over the shape of one input.

    Attributes:
        scale: Factor.
        shift: Offset.
    """

    scale: Float[Tensor, "..."]
    shift: Float[Tensor, "..."]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The scaled and shifted input."""
        (x,) = inputs
        return torch.addcmul(self.shift, x, self.scale)

    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return torch.addcmul(self.shift.abs(), x, self.scale.abs())

    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return v * self.scale.square()


@dataclass(frozen=True, eq=False)
class Select(Affine):
    """A rearrangement: every output is one of the inputs, or zero, plus a constant.

    Transposition, slices, gathers, padding, repetition and nearest-neighbour upsampling are of this kind.

    Attributes:
        index: Position in the flat input of each output, in the output's shape; -1 for none.
        constant: Offset in the output's shape; None for zero.
    """

    index: Int[Tensor, "*shape"]
    constant: Float[Tensor, "*shape"] | None = None

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The chosen inputs plus the constant."""
        (x,) = inputs
        chosen = self._choose(x)
        return chosen if self.constant is None else chosen + self.constant

    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return self._choose(x) if self.constant is None else self._choose(x) + self.constant.abs()

    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return self._choose(v)

    def _choose(self, x: Tensor) -> Tensor:
        values, size = flat(x), self.index.numel()
        if self._start is not None:
            return values[:, self._start : self._start + size].reshape(len(x), *self.index.shape)
        chosen = values.index_select(1, self._places)
        if self._absent is not None:
            chosen = chosen.masked_fill(self._absent, 0.0)
        return chosen.reshape(len(x), *self.index.shape)

    @cached_property
    def _start(self) -> int | None:
        """First position, where the positions follow each other, so that the outputs are a slice."""
        index = self.index.reshape(-1)
        start = int(index[0]) if len(index) else 0
        return start if start >= 0 and bool((index == torch.arange(start, start + len(index))).all()) else None

    @cached_property
    def _places(self) -> Tensor:
        return self.index.reshape(-1).clamp(min=0)

    @cached_property
    def _absent(self) -> Tensor | None:
        absent = self.index.reshape(-1) < 0
        return absent if bool(absent.any()) else None


@dataclass(frozen=True, eq=False)
class AxisMap(Affine):
    """Linear maps along single axes, one after the other.

    Sums, means, average pooling and linear interpolation are of this kind, since their weights are products of one
    factor for each axis.

    Attributes:
        matrices: [out, in] matrix of each axis that changes.
        axes: The axes, counted without the batch.
    """

    matrices: tuple[Float[Tensor, "_ _"], ...]
    axes: tuple[int, ...]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The mapped input."""
        (x,) = inputs
        return self._map(x, self.matrices)

    def magnitude(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return self._map(x, tuple(matrix.abs() for matrix in self.matrices))

    def spread(self, v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Affine`."""
        return self._map(v, tuple(matrix.square() for matrix in self.matrices))

    def _map(self, x: Tensor, matrices: tuple[Tensor, ...]) -> Tensor:
        for matrix, axis in zip(matrices, self.axes, strict=True):
            x = torch.movedim(torch.movedim(x, axis + 1, -1) @ matrix.T, -1, axis + 1)
        return x.contiguous()


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same numbers, in row-major order, in another shape.

    Attributes:
        shape: The new shape, without the batch.
    """

    shape: tuple[int, ...]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The reshaped input, a view where possible."""
        (x,) = inputs
        return x.reshape(len(x), *self.shape)
