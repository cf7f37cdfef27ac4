"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn import functional

from splinescope.network.ops.base import Affine, AffineOp, is_plain
from splinescope.network.ops.convolution_plan import Geometry
from splinescope.network.ops.devices import convolved, worth_moving
from splinescope.network.ops.direct_convolution import LANES, Weights, convolve

CHUNK = 1 << 16
"""Numbers that one call of a convolution may produce; larger batches are taken in parts.

In float64 torch is up to five times faster on parts that fit in a processor's cache than on large batches.
"""

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)


@dataclass(frozen=True, eq=False)
class Convolution(Affine):
    """A convolution, in the sense of deep learning, with zero padding.

    Attributes:
        weight: [out, in / groups, *kernel].
        bias: [out].
        stride: One for each dimension.
        padding: Zeros put before and after, for each dimension.
        dilation: One for each dimension.
        groups: Number of groups of channels.
    """

    weight: Float[Tensor, "out _ *kernel"]
    bias: Float[Tensor, " out"]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """[batch, ..., in, *sizes] to [batch, ..., out, *sizes]."""
        (x,) = inputs
        if not is_plain(x, self.weight, self.bias) or _is_narrow(self.weight.shape[0], self.groups):
            return self._convolve(x, self.weight, self.bias)
        return self._pointwise(x) if self._is_pointwise else _direct(x, self._weights, self._geometry)

    @property
    def _is_pointwise(self) -> bool:
        """Whether each output pixel is a product with one input pixel."""
        return self.groups == 1 and self.weight[0, 0].numel() == 1 and not any(map(any, self.padding))

    def _pointwise(self, x: Tensor) -> Tensor:
        """The matrix products that it is."""
        axes = len(self.stride)
        pixels = x
        for axis, step in enumerate(self.stride):
            pixels = pixels[(slice(None),) * (x.ndim - axes + axis) + (slice(None, None, step),)]
        flat = pixels.reshape(-1, pixels.shape[-axes - 1], math.prod(pixels.shape[-axes:]))
        products = torch.baddbmm(self.bias[:, None], self.weight.flatten(1).expand(len(flat), -1, -1), flat)
        return products.reshape(*pixels.shape[: -axes - 1], -1, *pixels.shape[-axes:])

    @cached_property
    def _weights(self) -> Weights:
        return Weights(self.weight, self.bias, self.groups, transposed=False)

    def _geometry(self, sizes: tuple[int, ...]) -> Geometry:
        kernel = self.weight.shape[2:]
        sizes_out = [
            (size + sum(pad) - dilation * (width - 1) - 1) // stride + 1
            for size, pad, dilation, width, stride in zip(
                sizes, self.padding, self.dilation, kernel, self.stride, strict=True
            )
        ]
        before = [before for before, _ in self.padding]
        axes = (sizes, sizes_out, kernel, self.stride, before, self.dilation)
        return Geometry.of(*axes, transposed=False)

    @property
    def parameters(self) -> tuple[str, ...]:
        """See `Op`."""
        return ("weight", "bias")

    @property
    def addends(self) -> int:
        """See `Op`."""
        return int(self.weight[0].numel()) + 1

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.weight

    @property
    def offset(self) -> Tensor | None:
        """See `AffineOp`."""
        return _spatial(self.bias, self.stride)

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return replace(self, weight=weights, bias=torch.zeros_like(self.bias))

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`: the kernel of each unit's channel, at the places that it lies on."""
        shape, d = shapes[0], self.weight.ndim - 2
        lead, channels, sizes = shape[: -d - 1], shape[-d - 1], shape[-d:]
        weight = self.weight.flatten(2).numpy()
        out, per_group, taps = weight.shape
        steps = np.indices(self.weight.shape[2:]).reshape(d, taps)
        kernel = zip(sizes, self.padding, self.dilation, self.weight.shape[2:], self.stride, strict=True)
        grid = [(n + sum(pads) - step * (k - 1) - 1) // stride + 1 for n, pads, step, k, stride in kernel]
        image, channel, *place = np.unravel_index(units, (math.prod(lead), out, *grid))
        inside = np.ones((len(units), taps), np.bool_)
        spot = np.zeros((len(units), taps), np.int64)
        for i, n in enumerate(sizes):
            at = place[i][:, None] * self.stride[i] - self.padding[i][0] + steps[i] * self.dilation[i]
            inside &= (at >= 0) & (at < n)
            spot = spot * n + at
        first = image * channels + channel // (out // self.groups) * per_group
        return _kernel_rows(weight, channel, first, spot, inside, shape, math.prod(sizes))

    @property
    def is_local(self) -> bool:
        """See `AffineOp`; it is."""
        return True

    def stencils(self, units: Int[np.ndarray, " k"], shape: tuple[int, ...]) -> csr_array:
        """See `AffineOp`: the rows of its transpose."""
        axes = len(self.stride)
        sizes, geometry = shape[-axes:], self._geometry(shape[-axes:])
        sizes_out = geometry.sizes_out[3 - axes :]
        full = _spread_sizes(sizes_out, self.weight.shape[2:], self.stride, self.dilation)
        crop = tuple(
            (before, n - size - before) for (before, _), n, size in zip(self.padding, full, sizes, strict=True)
        )
        nothing = self.weight.new_zeros(shape[-axes - 1])
        transpose = TransposedConvolution(self.weight, nothing, self.stride, crop, self.dilation, self.groups)
        return transpose.rows(units, (*shape[: -axes - 1], len(self.weight), *sizes_out))

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        function = _CONVOLUTIONS[weight.ndim - 3]
        symmetric = all(before == after for before, after in self.padding)
        padding = tuple(before for before, _ in self.padding) if symmetric else 0

        def part(rows: Tensor) -> Tensor:
            padded = rows if symmetric else functional.pad(rows, _reversed(self.padding))
            return function(padded, weight, bias, self.stride, padding, self.dilation, self.groups)

        return _in_parts(part, x, weight.ndim - 1)


@dataclass(frozen=True, eq=False)
class TransposedConvolution(Affine):
    """The transpose of a convolution, plus a bias.

    Attributes:
        weight: [in, out / groups, *kernel].
        bias: [out].
        stride: One for each dimension.
        crop: Numbers cut off before and after, for each dimension; negative ones are filled with zeros.
        dilation: One for each dimension.
        groups: Number of groups of channels.
    """

    weight: Float[Tensor, "in _ *kernel"]
    bias: Float[Tensor, " out"]
    stride: tuple[int, ...]
    crop: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """[batch, ..., in, *sizes] to [batch, ..., out, *sizes]."""
        (x,) = inputs
        if not is_plain(x, self.weight, self.bias) or _is_narrow(self.weight.shape[1], self.groups):
            return self._convolve(x, self.weight) + _spatial(self.bias, self.stride)
        return _direct(x, self._weights, self._geometry)

    @cached_property
    def _weights(self) -> Weights:
        return Weights(self.weight, self.bias, self.groups, transposed=True)

    def _geometry(self, sizes: tuple[int, ...]) -> Geometry:
        kernel = self.weight.shape[2:]
        full = _spread_sizes(sizes, kernel, self.stride, self.dilation)
        sizes_out = [n - sum(crop) for n, crop in zip(full, self.crop, strict=True)]
        before = [before for before, _ in self.crop]
        axes = (sizes, sizes_out, kernel, self.stride, before, self.dilation)
        return Geometry.of(*axes, transposed=True)

    @property
    def parameters(self) -> tuple[str, ...]:
        """See `Op`."""
        return ("weight", "bias")

    @property
    def addends(self) -> int:
        """See `Op`."""
        return int(self.weight.numel()) // int(self.weight.shape[1]) + 1

    @property
    def weights(self) -> Tensor | None:
        """See `AffineOp`."""
        return self.weight

    @property
    def offset(self) -> Tensor | None:
        """See `AffineOp`."""
        return _spatial(self.bias, self.stride)

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        """See `AffineOp`."""
        assert weights is not None
        return replace(self, weight=weights, bias=torch.zeros_like(self.bias))

    def rows(self, units: Int[np.ndarray, " k"], *shapes: tuple[int, ...]) -> csr_array:
        """See `AffineOp`: for each unit the taps of its channel, at the places that they are spread from."""
        shape, d = shapes[0], self.weight.ndim - 2
        lead, channels, sizes = shape[: -d - 1], shape[-d - 1], shape[-d:]
        per_group, out, taps = channels // self.groups, self.weight.shape[1], self.weight[0, 0].numel()
        weight = self.weight.reshape(self.groups, per_group, out, taps).transpose(1, 2).flatten(0, 1).numpy()
        steps = np.indices(self.weight.shape[2:]).reshape(d, taps)
        full = _spread_sizes(sizes, self.weight.shape[2:], self.stride, self.dilation)
        grid = [n - sum(crop) for n, crop in zip(full, self.crop, strict=True)]
        image, channel, *place = np.unravel_index(units, (math.prod(lead), len(weight), *grid))
        inside = np.ones((len(units), taps), np.bool_)
        spot = np.zeros((len(units), taps), np.int64)
        for i, n in enumerate(sizes):
            at, left = np.divmod(place[i][:, None] + self.crop[i][0] - steps[i] * self.dilation[i], self.stride[i])
            inside &= (left == 0) & (at >= 0) & (at < n)
            spot = spot * n + at
        first = image * channels + channel // out * per_group
        return _kernel_rows(weight, channel, first, spot, inside, shape, math.prod(sizes))

    @property
    def is_local(self) -> bool:
        """See `AffineOp`; it is."""
        return True

    def stencils(self, units: Int[np.ndarray, " k"], shape: tuple[int, ...]) -> csr_array:
        """See `AffineOp`: the rows of its transpose."""
        axes = len(self.stride)
        channels, sizes_out = self.groups * self.weight.shape[1], self._geometry(shape[-axes:]).sizes_out[3 - axes :]
        nothing = self.weight.new_zeros(shape[-axes - 1])
        transpose = Convolution(self.weight, nothing, self.stride, self.crop, self.dilation, self.groups)
        return transpose.rows(units, (*shape[: -axes - 1], channels, *sizes_out))

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        function = _TRANSPOSED[weight.ndim - 3]
        pads = tuple((-before, -after) for before, after in self.crop)

        def part(rows: Tensor) -> Tensor:
            grown = function(rows, weight, None, self.stride, 0, 0, self.groups, self.dilation)
            return functional.pad(grown, _reversed(pads))

        return _in_parts(part, x, weight.ndim - 1)


def _spread_sizes(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """How far kernels reach that are put down on each pixel of an image, a stride apart."""
    axes = zip(sizes, kernel, stride, dilation, strict=True)
    return [(size - 1) * step + gap * (width - 1) + 1 for size, width, step, gap in axes]


def _kernel_rows(
    weight: np.ndarray,
    channel: np.ndarray,
    first: np.ndarray,
    spot: np.ndarray,
    inside: np.ndarray,
    shape: tuple[int, ...],
    pixels: int,
) -> csr_array:
    """[k, n_in] rows of weights, of channels from the first one on, at spots of an image, where these are inside."""
    width, most = math.prod(shape), inside.size * weight.shape[1]
    kind = np.int32 if max(width, most) < 2**31 else np.int64
    starts, columns, numbers = np.zeros(len(channel) + 1, kind), np.empty(most, kind), np.empty(most)
    count = _write_rows(np.ascontiguousarray(weight), channel, first, spot, inside, pixels, starts, columns, numbers)
    rows = csr_array((numbers[:count], columns[:count], starts), shape=(len(channel), width))
    rows.sort_indices()
    return rows


@njit(cache=True, nogil=True)
def _write_rows(
    weight: np.ndarray,
    channel: np.ndarray,
    first: np.ndarray,
    spot: np.ndarray,
    inside: np.ndarray,
    pixels: int,
    starts: np.ndarray,
    columns: np.ndarray,
    numbers: np.ndarray,
) -> int:
    """Write rows without zeros one after another; their length."""
    count = 0
    for row in range(len(channel)):
        kernel = weight[channel[row]]
        for before in range(kernel.shape[0]):
            base = (first[row] + before) * pixels
            for tap in range(kernel.shape[1]):
                if inside[row, tap] and kernel[before, tap] != 0.0:
                    columns[count] = base + spot[row, tap]
                    numbers[count] = kernel[before, tap]
                    count += 1
        starts[row + 1] = count
    return count


def _is_narrow(channels_out: int, groups: int) -> bool:
    """Whether torch is as fast: the compiled sums take several channels at once."""
    return groups == 1 and channels_out < LANES


def _direct(x: Tensor, weights: Weights, geometry: Callable[[tuple[int, ...]], Geometry]) -> Tensor:
    """Convolve batches of any shape."""
    axes = weights.axes
    lead, image = x.shape[: x.ndim - axes - 1], x.shape[x.ndim - axes - 1 :]
    images, plan = x.reshape(-1, *image), geometry(tuple(image[1:]))
    device = worth_moving(len(images) * weights.flat.size * math.prod(plan.coarse))
    result = convolve(images, weights, plan) if device is None else convolved(images, weights, plan, device).cpu()
    return result.reshape(*lead, *result.shape[1:])


def _spatial(bias: Tensor, stride: tuple[int, ...]) -> Tensor:
    """One number for each channel, as it broadcasts with images."""
    return bias.reshape(-1, *(1,) * len(stride))


def _reversed(pads: tuple[tuple[int, int], ...]) -> list[int]:
    """Padding in the order of `torch.nn.functional.pad`: last axis first."""
    return [number for pair in reversed(pads) for number in pair]


def _in_parts(function: Callable[[Tensor], Tensor], x: Tensor, image: int) -> Tensor:
    """Apply a function of batches of images, whose number of axes is given, to parts of a large batch."""
    lead = x.shape[: x.ndim - image]
    result = _rows_in_parts(function, x.reshape(-1, *x.shape[len(lead) :]))
    return result.reshape(*lead, *result.shape[1:])


def _rows_in_parts(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if len(x) <= 1:
        return function(x)
    first = function(x[:1])  # says how large an image becomes
    rows = max(1, CHUNK // max(1, first.numel(), x[:1].numel()))
    if torch.is_grad_enabled() and x.requires_grad:
        return torch.cat([first, *(function(part) for part in x[1:].split(rows))])
    out = x.new_empty(len(x), *first.shape[1:])
    out[:1] = first
    for start in range(1, len(x), rows):
        out[start : start + rows] = function(x[start : start + rows])
    return out
