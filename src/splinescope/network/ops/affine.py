"""Affine ops without spatial structure: dense layers, scales, selections, linear maps along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from torch import Tensor

from splinescope.network.ops.base import Affine, AffineOp, Op, copies, flat, is_plain, places_of_slices
from splinescope.network.ops.devices import multiplied, worth_moving
from splinescope.network.ops.sparse_products import SparseRows

_BLOCK = 1 << 22
"""Numbers of a weight that are copied at once."""


@dataclass(frozen=True, eq=False)
class _Matrix(Affine):
    """A matrix and an offset, and whatever they are applied to."""

    weight: Float[Tensor, "out in"]
    bias: Float[Tensor, " out"]

    @property
    def parameters(self) -> tuple[str, ...]:
        """See `Op`."""
        return ("weight", "bias")

    @property
    def addends(self) -> int:
        """See `Op`."""
        return int(self.weight.shape[1]) + 1

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.weight

    @property
    def offset(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.bias

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return replace(self, weight=weights, bias=torch.zeros_like(self.bias))


@dataclass(frozen=True, eq=False)
class Dense(_Matrix):
    """A fully connected layer: flat in, flat out.

    Attributes:
        weight: [out, in] matrix.
        bias: [out] offset.
    """

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
        if is_plain(x, self.weight, self.bias):
            if self.nonzeros is not None:
                out = torch.empty(len(x), len(self.weight), dtype=torch.float64) if out is None else out
                self.nonzeros.mapped(flat(x).detach().contiguous().numpy(), self.bias.detach().numpy(), out.numpy())
                return out
            if (device := worth_moving(len(x) * self.weight.numel())) is not None:
                found = multiplied(flat(x), self, self.weight, self.bias, device)
                return found.cpu() if out is None else out.copy_(found)
        return torch.addmm(self.bias, flat(x), self.weight.T, out=out)

    @property
    def addends(self) -> int:
        """See `Op`; a product with a zero adds nothing."""
        return super().addends if self.nonzeros is None else self.nonzeros.longest + 1

    @cached_property
    def nonzeros(self) -> SparseRows | None:
        """See `AffineOp`."""
        return SparseRows.of(self.weight.detach().numpy()) if self.weight.is_cpu else None

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        return csr_array(self.weight.detach()[torch.from_numpy(np.asarray(units, np.int64))].numpy())

    @property
    def matrix(self) -> Float[Tensor, "out in"] | None:
        """See `AffineOp`."""
        return self.weight

    @property
    def reads_flat(self) -> bool:
        """See `Op`; it does."""
        return True

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`; of slices that are flat."""
        return SharedDense(self.weight, self.bias)

    def write(self, out: Float[Tensor, "batch _"], *inputs: Float[Tensor, "batch ..."]) -> None:
        """See `Op`: the product is made where it is wanted."""
        self.evaluate(*inputs, out=out)

    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `AffineOp`."""
        if self.nonzeros is not None:
            return Dense(self.weight.abs(), self.bias.abs()).evaluate(*x)
        if self._absolute is not None and self._absolute.weights is not None:
            return torch.addmm(self.bias.abs(), flat(x[0]), self._absolute.weights.T)
        return self._by_rows(lambda weight, bias: torch.addmm(bias.abs(), flat(x[0]), weight.abs().T))

    def spread(self, *v: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `AffineOp`."""
        return self._by_rows(lambda weight, _: flat(v[0]) @ weight.square().T)

    def _by_rows(self, function: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, "batch out"]:
        """A function of blocks of rows and their offsets: what it makes of large weights needs little room."""
        rows = max(1, _BLOCK // max(1, self.weight.shape[1]))
        if rows >= len(self.weight):
            return function(self.weight, self.bias)
        blocks = zip(self.weight.split(rows), self.bias.split(rows), strict=True)
        return torch.cat([function(weight, bias) for weight, bias in blocks], dim=1)


@dataclass(frozen=True, eq=False)
class SharedDense(_Matrix):
    """One dense layer on each row of a matrix, as a linear layer that is applied to the last axis.

    Attributes:
        weight: [out, in] matrix.
        bias: [out] offset.
    """

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """[batch, ..., in] to [batch, ..., out]."""
        (x,) = inputs
        return torch.nn.functional.linear(x, self.weight, self.bias)


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

    @property
    def parameters(self) -> tuple[str, ...]:
        """See `Op`."""
        return ("scale", "shift")

    @property
    def addends(self) -> int:
        """See `Op`."""
        return 2

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.scale

    @property
    def offset(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.shift

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return Scale(weights, torch.zeros_like(self.shift))

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        (shape,) = shapes
        factors = torch.broadcast_to(self.scale, shape).reshape(-1).numpy()[units]
        kept = factors != 0
        starts = np.concatenate([[0], np.cumsum(kept)])
        return csr_array((factors[kept], np.asarray(units)[kept], starts), shape=(len(units), math.prod(shape)))


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

    @property
    def addends(self) -> int:
        """See `Op`."""
        return 1

    @property
    def offset(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.constant

    @property
    def rounds(self) -> bool:
        """See `Op`; not without a constant."""
        return self.constant is not None

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is None
        return Select(self.index)

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        return copies(self.index.reshape(-1).numpy()[units], math.prod(shapes[0]))

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        constant = None if self.constant is None else self.constant.expand(count, *self.constant.shape).contiguous()
        return Select(places_of_slices(self.index, count, size), constant)

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
        for matrix, axis in zip(self.matrices, self.axes, strict=True):
            x = torch.movedim(torch.movedim(x, axis + 1, -1) @ matrix.T, -1, axis + 1)
        return x.contiguous()

    @property
    def addends(self) -> int:
        """See `Op`."""
        return sum(int(matrix.shape[1]) + 1 for matrix in self.matrices)

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.matrices[0] if len(self.matrices) == 1 else None

    @property
    def stages(self) -> tuple[AffineOp, ...]:
        """See `AffineOp`; one for each axis."""
        return tuple(AxisMap((matrix,), (axis,)) for matrix, axis in zip(self.matrices, self.axes, strict=True))

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return AxisMap((weights,), self.axes)

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`: products of one factor for each axis, the last factor first."""
        ((*sizes,),) = shapes
        factors = {axis: _sparse_rows(matrix) for matrix, axis in zip(self.matrices, self.axes, strict=True)}
        lengths = [len(factors[axis][0]) if axis in factors else size for axis, size in enumerate(sizes)]
        where = np.unravel_index(np.asarray(units), lengths)
        count = len(units)
        places = np.zeros((count, 1), np.int64)
        parts: dict[int, np.ndarray] = {}
        for axis, size in enumerate(sizes):
            chosen, weights = where[axis][:, None], np.ones((count, 1))
            if axis in factors:
                chosen, weights = (table[where[axis]] for table in factors[axis])
            width = places.shape[1]
            places = (places[:, :, None] * size + chosen[:, None, :]).reshape(count, width * chosen.shape[1])
            parts = {a: np.repeat(part, chosen.shape[1], axis=1) for a, part in parts.items()}
            parts[axis] = np.tile(weights, (1, width))
        data = np.ones(places.shape)
        for axis in reversed(self.axes):
            data = data * parts[axis]
        starts = np.arange(count + 1) * places.shape[1]
        found = csr_array((data.ravel(), places.ravel(), starts), shape=(count, math.prod(sizes)))
        found.sum_duplicates()
        found.eliminate_zeros()
        return found

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        return AxisMap(self.matrices, tuple(axis + 1 for axis in self.axes))


def _sparse_rows(matrix: Float[Tensor, "out _"]) -> tuple[np.ndarray, np.ndarray]:
    """[out, k] places and weights of the nonzeros of each row; weights of what fills a row up are zero."""
    table = matrix.numpy()
    width = max(1, int((table != 0).sum(axis=1).max(initial=0)))
    order = np.argsort(table == 0, axis=1, kind="stable")[:, :width]
    return order, np.take_along_axis(table, order, axis=1)


@dataclass(frozen=True, eq=False)
class Reshape(AffineOp):
    """The same numbers, in row-major order, in another shape.

    Attributes:
        shape: The new shape, without the batch.
    """

    shape: tuple[int, ...]

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The reshaped input, a view where possible."""
        (x,) = inputs
        return x.reshape(len(x), *self.shape)

    @property
    def addends(self) -> int:
        """See `Op`."""
        return 1

    @property
    def rounds(self) -> bool:
        """See `Op`; not."""
        return False

    @property
    def keeps_order(self) -> bool:
        """See `AffineOp`; it does."""
        return True

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        return Reshape((count, *self.shape))

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`."""
        return copies(np.asarray(units), math.prod(self.shape))
