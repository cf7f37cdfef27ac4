"""The few ops that every continuous piecewise affine network is made of.

Each op is a frozen value with float64 weights on the CPU and `evaluate(*inputs)`, which maps batches [batch, *shape] to a
batch and is differentiable. Affine ops also say how large a sum they form (`magnitude`) and how squared errors pass
through them (`spread`), from which the engine derives its tolerances.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as functional
from torch import Tensor


class Op(ABC):
    """One node's function."""

    @abstractmethod
    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Outputs [batch, *shape_out] for inputs [batch, *shape_in]."""


@dataclass(frozen=True, eq=False)
class Input(Op):
    """The network's input."""

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The input itself."""
        return inputs[0]


class Affine(Op):
    """A linear map plus an offset, of one variable input."""

    @abstractmethod
    def magnitude(self, x: Tensor) -> Tensor:
        """|W| x + |b| for x >= 0: the size of the terms whose sum an output is."""

    @abstractmethod
    def spread(self, v: Tensor) -> Tensor:
        """(W * W) v for v >= 0, or an upper bound: how squared input errors add up in an output."""


@dataclass(frozen=True, eq=False)
class Dense(Affine):
    """y = W x + b along the last axis, row-major; `weight` is [out, in], `bias` is [out], `shape` the output's."""

    weight: Tensor
    bias: Tensor
    shape: tuple[int, ...]

    def _rows(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.weight.shape[1])

    def evaluate(self, *inputs: Tensor, out: Tensor | None = None) -> Tensor:
        """Outputs; they can be written to `out`, [rows, out]."""
        result = torch.addmm(self.bias, self._rows(inputs[0]), self.weight.t(), out=out)
        return result.reshape(len(inputs[0]), *self.shape)

    def magnitude(self, x: Tensor) -> Tensor:
        """|W| x + |b|."""
        return functional.linear(self._rows(x), self.weight.abs(), self.bias.abs()).reshape(len(x), *self.shape)

    def spread(self, v: Tensor) -> Tensor:
        """(W * W) v."""
        return functional.linear(self._rows(v), self.weight**2).reshape(len(v), *self.shape)


@dataclass(frozen=True, eq=False)
class Convolution(Affine):
    """Cross-correlation in one to three dimensions with zero padding.

    Attributes:
        weight: [out, in / groups, *kernel].
        bias: [out].
        stride: Step along each dimension.
        padding: (before, after) zeros along each dimension.
        dilation: Spacing of the kernel along each dimension.
        groups: Groups of channels.
        shape_in: (channels, *extent) of the input.
    """

    weight: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    shape_in: tuple[int, ...]

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.reshape(len(x), *self.shape_in)
        function = (functional.conv1d, functional.conv2d, functional.conv3d)[weight.dim() - 3]
        padding = tuple(before for before, _ in self.padding)
        if any(before != after for before, after in self.padding):
            x = functional.pad(x, [side for pair in reversed(self.padding) for side in pair])
            padding = (0,) * len(padding)
        return function(x, weight, bias, self.stride, padding, self.dilation, self.groups)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The convolution."""
        return self._apply(inputs[0], self.weight, self.bias)

    def magnitude(self, x: Tensor) -> Tensor:
        """The convolution with absolute weights."""
        return self._apply(x, self.weight.abs(), self.bias.abs())

    def spread(self, v: Tensor) -> Tensor:
        """The convolution with squared weights."""
        return self._apply(v, self.weight**2, None)


@dataclass(frozen=True, eq=False)
class TransposedConvolution(Affine):
    """The adjoint of a convolution in one to three dimensions, as `torch.nn.ConvTranspose`.

    Attributes:
        weight: [in, out / groups, *kernel].
        bias: [out].
        stride: Step along each dimension.
        padding: Rows removed at both ends of each dimension.
        output_padding: Rows added at the end of each dimension.
        dilation: Spacing of the kernel along each dimension.
        groups: Groups of channels.
        shape_in: (channels, *extent) of the input.
    """

    weight: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    shape_in: tuple[int, ...]

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.reshape(len(x), *self.shape_in)
        dimensions = weight.dim() - 2
        function = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[dimensions - 1]
        return function(x, weight, bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The transposed convolution."""
        return self._apply(inputs[0], self.weight, self.bias)

    def magnitude(self, x: Tensor) -> Tensor:
        """With absolute weights."""
        return self._apply(x, self.weight.abs(), self.bias.abs())

    def spread(self, v: Tensor) -> Tensor:
        """With squared weights."""
        return self._apply(v, self.weight**2, None)


@dataclass(frozen=True, eq=False)
class Scale(Affine):
    """y = scale * x + shift elementwise (batch-norm, constant factors, offsets); both broadcast to `shape`."""

    scale: Tensor
    shift: Tensor
    shape: tuple[int, ...]

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Scaled and shifted."""
        return inputs[0].reshape(len(inputs[0]), *self.shape) * self.scale + self.shift

    def magnitude(self, x: Tensor) -> Tensor:
        """|scale| x + |shift|."""
        return x.reshape(len(x), *self.shape) * self.scale.abs() + self.shift.abs()

    def spread(self, v: Tensor) -> Tensor:
        """scale^2 v."""
        return v.reshape(len(v), *self.shape) * self.scale**2


@dataclass(frozen=True, eq=False)
class Select(Affine):
    """Copy elements: output `i` is input `index[i]` (nothing where it is -1) plus `constant[i]`, row-major.

    Transposition, slices, gathers, padding and nearest-neighbour upsampling are all of this kind.

    Attributes:
        index: [n_out] flat positions in the input, or -1.
        constant: [n_out] what is added.
        shape: Shape of the output.
    """

    index: Tensor
    constant: Tensor
    shape: tuple[int, ...]

    @cached_property
    def _present(self) -> Tensor | None:
        return None if bool((self.index >= 0).all()) else (self.index >= 0).to(torch.float64)

    @cached_property
    def _has_constant(self) -> bool:
        return bool((self.constant != 0).any())

    def _take(self, x: Tensor) -> Tensor:
        taken = x.reshape(len(x), -1)[:, self.index.clamp(min=0)]
        return taken if self._present is None else taken * self._present

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The selected elements."""
        taken = self._take(inputs[0])
        return (taken + self.constant if self._has_constant else taken).reshape(len(inputs[0]), *self.shape)

    def magnitude(self, x: Tensor) -> Tensor:
        """The selected elements; a copy rounds nothing."""
        return (self._take(x) + self.constant.abs()).reshape(len(x), *self.shape)

    def spread(self, v: Tensor) -> Tensor:
        """The selected elements."""
        return self._take(v).reshape(len(v), *self.shape)


@dataclass(frozen=True, eq=False)
class SparseMap(Affine):
    """y = M x for a sparse matrix on the flattened input (average pooling, means and sums, bilinear upsampling).

    Attributes:
        matrix: [n_out, n_in] sparse CSR.
        shape: Shape of the output.
    """

    matrix: Tensor
    shape: tuple[int, ...]

    @staticmethod
    def _apply(matrix: Tensor, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return torch.sparse.mm(matrix, x.reshape(len(x), -1).t()).t().reshape(len(x), *shape)

    def _mapped(self, values: Tensor) -> Tensor:
        rows, columns = self.matrix.crow_indices(), self.matrix.col_indices()
        return torch.sparse_csr_tensor(rows, columns, values, self.matrix.shape, check_invariants=False)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The image."""
        return self._apply(self.matrix, inputs[0], self.shape)

    def magnitude(self, x: Tensor) -> Tensor:
        """|M| x."""
        return self._apply(self._mapped(self.matrix.values().abs()), x, self.shape)

    def spread(self, v: Tensor) -> Tensor:
        """(M * M) v."""
        return self._apply(self._mapped(self.matrix.values() ** 2), v, self.shape)


@dataclass(frozen=True, eq=False)
class Sum(Op):
    """sum_i coefficients[i] * x_i of variable inputs of one size (skip connections), with the given shape."""

    coefficients: tuple[float, ...]
    shape: tuple[int, ...]

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The weighted sum."""
        shaped = [x.reshape(len(x), *self.shape) for x in inputs]
        total = shaped[0] if self.coefficients[0] == 1 else shaped[0] * self.coefficients[0]
        for coefficient, x in zip(self.coefficients[1:], shaped[1:], strict=True):
            total = torch.add(total, x, alpha=coefficient)
        return total


@dataclass(frozen=True, eq=False)
class Concatenate(Op):
    """Variable inputs, taken with the given shapes, one after the other along an axis (the batch is not counted)."""

    axis: int
    shapes: tuple[tuple[int, ...], ...]

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Concatenated."""
        shaped = [x.reshape(len(x), *shape) for x, shape in zip(inputs, self.shapes, strict=True)]
        return torch.cat(shaped, dim=self.axis + 1)


@dataclass(frozen=True, eq=False)
class Activation(Op):
    """A continuous piecewise affine function of each element: slope_i x + intercept_i on its piece i.

    Attributes:
        breakpoints: [B] or [B, n] ascending.
        slopes: [B + 1] or [B + 1, n].
        intercepts: [B + 1] or [B + 1, n].
    """

    breakpoints: Tensor
    slopes: Tensor
    intercepts: Tensor

    @cached_property
    def is_relu(self) -> bool:
        """Whether it is max(x, 0)."""
        tables = (self.breakpoints, self.slopes, self.intercepts)
        return [table.tolist() for table in tables] == [[0.0], [0.0, 1.0], [0.0, 0.0]]

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The function of each element."""
        x = inputs[0]
        if self.is_relu:
            return torch.relu(x)
        flat = x.reshape(len(x), -1)
        result = self.slopes[0] * flat + self.intercepts[0]
        for piece in range(1, len(self.slopes)):
            beyond = flat > self.breakpoints[piece - 1]
            result = torch.where(beyond, self.slopes[piece] * flat + self.intercepts[piece], result)
        return result.reshape(x.shape)


@dataclass(frozen=True, eq=False)
class Maximum(Op):
    """Largest element of each group (max-pool, maximum of variables).

    Attributes:
        index: [n_out, r] flat positions in the input; -1 for an absent member, as padding.
        shape: Shape of the output.
    """

    index: Tensor
    shape: tuple[int, ...]

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The maxima."""
        x = inputs[0].reshape(len(inputs[0]), -1)
        members = x[:, self.index.clamp(min=0)]
        if bool((self.index < 0).any()):
            members = members.masked_fill(self.index < 0, -torch.inf)
        return members.max(dim=2).values.reshape(len(x), *self.shape)
