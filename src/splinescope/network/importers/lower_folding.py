"""Activations and maxima of the original as nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers.builder import Builder
from splinescope.network.importers.lower_affine import scale_and_shift
from splinescope.network.importers.views import Number, Shape, Value, Variable
from splinescope.network.ops import Clip, Maximum, PiecewiseAffine


def activate(
    b: Builder,
    x: Variable,
    breakpoints: Sequence[float | Tensor],
    slopes: Sequence[float | Tensor],
    intercepts: Sequence[float | Tensor],
) -> Variable:
    """An elementwise continuous piecewise affine function; every number may be a tensor that broadcasts with `x`.

    Pieces that continue each other are merged; what is left with one piece is a scale.
    """
    tables = [[b.constant(v) for v in row] for row in (breakpoints, slopes, intercepts)]
    shape = tuple(torch.broadcast_shapes(x.shape, *(v.shape for row in tables for v in row)))
    x = b.materialised(b.expand(x, shape))
    shared = all(v.numel() == 1 or bool((v == v.reshape(-1)[0]).all()) for row in tables for v in row)
    columns = [torch.stack([_column(v, shape, shared) for v in row]) if row else torch.zeros(0) for row in tables]
    breaks, inclines, offsets = columns
    bends = (inclines[1:] != inclines[:-1]).reshape(len(inclines) - 1, -1).any(dim=1)
    if not bool(bends.any()):
        return scale_and_shift(b, x, _first(inclines, shape, shared), _first(offsets, shape, shared))
    kept = torch.cat([torch.tensor([True]), bends])
    op = PiecewiseAffine(breaks[bends], inclines[kept], offsets[kept])
    return b.add(op, [x.node], shape, b.nodes[x.node].shape)


def _column(value: Tensor, shape: Shape, shared: bool) -> Tensor:
    return value.reshape(-1)[0] if shared else value.expand(shape).reshape(-1)


def _first(table: Tensor, shape: Shape, shared: bool) -> Tensor:
    return table[0] if shared else table[0].reshape(shape)


def relu(b: Builder, x: Variable) -> Variable:
    """max(x, 0)."""
    return activate(b, x, [0.0], [0.0, 1.0], [0.0, 0.0])


def leaky_relu(b: Builder, x: Variable, slope: float | Tensor) -> Variable:
    """x for positive x, else slope times x."""
    return activate(b, x, [0.0], [slope, 1.0], [0.0, 0.0])


def absolute(b: Builder, x: Variable) -> Variable:
    """The absolute value."""
    return activate(b, x, [0.0], [-1.0, 1.0], [0.0, 0.0])


def clip(b: Builder, x: Variable, low: Number | Tensor | None, high: Number | Tensor | None) -> Variable:
    """min(max(x, low), high); `high` wins where the two cross. Infinite bounds are none."""
    low, high = _bound(b, low, -math.inf), _bound(b, high, math.inf)
    if low is not None and high is not None:
        low = torch.minimum(low, high)
        if bool((low == high).all()):
            return scale_and_shift(b, x, b.number(0.0), low)
        if not all(bool((bound == bound.reshape(-1)[0]).all()) for bound in (low, high)):
            return _clip_by_unit(b, x, low, high)
        apart = low < high
        middle = torch.where(apart, torch.zeros_like(low), low)
        return activate(b, x, [low, high], [0.0, apart.double(), 0.0], [low, middle, high])
    if low is not None:
        return activate(b, x, [low], [0.0, 1.0], [low, 0.0])
    if high is not None:
        return activate(b, x, [high], [1.0, 0.0], [0.0, high])
    return x


def _clip_by_unit(b: Builder, x: Variable, low: Tensor, high: Tensor) -> Variable:
    """A clip whose bounds differ from unit to unit."""
    shape = tuple(torch.broadcast_shapes(x.shape, low.shape, high.shape))
    x = b.materialised(b.expand(x, shape))
    bounds = (_column(b.constant(bound), shape, shared=False).contiguous() for bound in (low, high))
    return b.add(Clip(*bounds), [x.node], shape, b.nodes[x.node].shape)


LARGE = 3e38
"""Bounds beyond the largest float32 stand for none."""


def _bound(b: Builder, value: Number | Tensor | None, none: float) -> Tensor | None:
    if value is None:
        return None
    bound = b.number(value)
    absent = bound * math.copysign(1.0, none) >= LARGE
    if bool(absent.all()):
        return None
    if bool(absent.any()):
        bound = torch.where(absent, torch.full_like(bound, math.copysign(LARGE, none)), bound)
    return b.constant(bound)


def threshold(b: Builder, x: Variable, at: float, value: float) -> Variable:
    """x above `at`, else `value`; continuous only if the two are one number."""
    if at != value:
        raise b.refusal(f"it jumps from {value} to {at} at {at}: it is not continuous")
    return clip(b, x, at, None)


def soft_shrink(b: Builder, x: Variable, by: float) -> Variable:
    """x moved towards zero by a constant."""
    if by == 0:
        return x
    return activate(b, x, [-by, by], [1.0, 0.0, 1.0], [by, 0.0, -by])


def hard_sigmoid(b: Builder, x: Variable, slope: float, offset: float) -> Variable:
    """max(0, min(1, slope * x + offset)) for a positive slope."""
    if slope <= 0:
        return clip(b, scale_and_shift(b, x, b.number(slope), b.number(offset)), 0.0, 1.0)
    low, high = -offset / slope, (1.0 - offset) / slope
    return activate(b, x, [low, high], [0.0, slope, 0.0], [0.0, offset, 1.0])


def maximum(b: Builder, values: Sequence[Value], sign: float = 1.0) -> Value:
    """Elementwise maximum (minimum for `sign` -1) of values that broadcast, at least one a variable."""
    variables = [b.variable(v) for v in values if not isinstance(v, Tensor)]
    constants = [v.detach().double() for v in values if isinstance(v, Tensor)]
    result = variables[0]
    if len(variables) > 1:
        shape = tuple(torch.broadcast_shapes(*(v.shape for v in variables)))
        expanded = [b.expand(v, shape) for v in variables]
        stacked = b.rearrange(lambda *arrays: np.stack(arrays, axis=-1), *expanded)[0]
        result = reduce_max(b, stacked, [len(shape)], False, sign)
    for constant in constants:
        result = clip(b, result, constant, None) if sign > 0 else clip(b, result, None, constant)
    return result


def reduce_max(b: Builder, x: Variable, axes: Sequence[int], keepdim: bool, sign: float = 1.0) -> Variable:
    """Maximum (minimum for `sign` -1) over axes."""
    dropped = sorted({a % len(x.shape) for a in axes})
    rest = [a for a in range(len(x.shape)) if a not in dropped]
    kept = tuple(1 if a in dropped else n for a, n in enumerate(x.shape))
    shape = kept if keepdim else tuple(x.shape[a] for a in rest)

    def groups(array: np.ndarray) -> np.ndarray:
        return array.transpose([*rest, *dropped]).reshape(*(array.shape[a] for a in rest), -1)

    return _maxima(b, b.rearrange(groups, x)[0], shape, b.own_shape(shape), sign)


def max_pool(
    b: Builder,
    x: Variable,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    ceil: bool,
) -> Variable:
    """Max-pooling of [..., channels, *sizes]; padding never wins."""
    d = len(kernel)
    windows = [
        pool_windows(n, k, s, pads, step, ceil)
        for n, k, s, pads, step in zip(x.shape[-d:], kernel, stride, padding, dilation, strict=True)
    ]
    return max_over_windows(b, x, windows)


def max_over_windows(b: Builder, x: Variable, windows: Sequence[np.ndarray], sign: float = 1.0) -> Variable:
    """Maximum (minimum for `sign` -1) over products of windows [out, size] of positions, -1 for none, of last axes."""
    d = len(windows)
    outside = np.full(1, -math.inf)

    def groups(array: np.ndarray, pad: np.ndarray) -> np.ndarray:
        lead = array.ndim - d
        for axis, window in enumerate(windows):
            at = lead + 2 * axis
            widths = [(0, 1) if a == at else (0, 0) for a in range(array.ndim)]
            array = np.take(np.pad(array, widths, constant_values=pad[0]), window, axis=at)
        order = [*range(lead), *(lead + 2 * a for a in range(d)), *(lead + 2 * a + 1 for a in range(d))]
        array = array.transpose(order)
        return array.reshape(*array.shape[: lead + d], -1)

    stacked = b.rearrange(groups, x, torch.from_numpy(outside))[0]
    shape = stacked.shape[:-1]
    own = shape[-d - 1 :] if math.prod(shape[: -d - 1]) == 1 else b.own_shape(shape)
    return _maxima(b, stacked, shape, own, sign)


def pool_windows(size: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil: bool) -> np.ndarray:
    """Positions [out, kernel] of the windows of a pool along one axis, -1 for padding."""
    reach = dilation * (kernel - 1) + 1
    span = size + sum(pads) - reach
    count = span // stride + 1
    if ceil and span % stride and count * stride < size + pads[0]:
        count += 1
    places = np.arange(count)[:, None] * stride - pads[0] + dilation * np.arange(kernel)
    return np.where((places >= 0) & (places < size), places, -1)


def _maxima(b: Builder, groups: Variable, shape: Shape, own: Shape, sign: float) -> Variable:
    """Maximum over the last axis of `groups`; absent members have the constant -inf."""
    if groups.shape[-1] == 1 and groups.constant is None:
        reshaped = b.reshape(groups, shape)
        return b.variable(reshaped)
    index = groups.positions().reshape(-1, groups.shape[-1])
    constant = groups.offsets().reshape(index.shape)
    if bool(((index >= 0) & ~np.isfinite(constant)).any()):
        raise b.refusal("it takes the maximum of values to which infinity was added")
    absent = (index < 0) & np.isneginf(constant)
    if bool(absent.all(axis=1).any()):
        raise b.refusal("one of its windows lies wholly in the padding")
    source = groups.node
    if bool(constant[~absent].any()) or bool(((index < 0) & ~absent).any()) or sign < 0:
        source, index = _with_constants(b, groups, absent, sign)
    index = np.where(absent, -1, index)
    index = index[:, (index >= 0).any(axis=0)]
    best = b.add(Maximum(torch.from_numpy(np.ascontiguousarray(index)), own), [source], shape, own)
    return best if sign > 0 else scale_and_shift(b, best, b.number(-1.0), None)


def _with_constants(b: Builder, groups: Variable, absent: np.ndarray, sign: float) -> tuple[int, np.ndarray]:
    """A node with the members of groups, times a sign, each once, and their positions in it."""
    index, constant = groups.positions().reshape(-1), groups.offsets().reshape(-1)
    constant = np.where(absent.reshape(-1), 0.0, constant)
    pairs, inverse = np.unique(np.stack([index, constant]), axis=1, return_inverse=True)
    members = Variable(groups.node, (pairs.shape[1],), pairs[0].astype(np.int64), pairs[1])
    if not pairs[1].any() and np.array_equal(pairs[0], np.arange(b.nodes[groups.node].size)):
        members = Variable(groups.node, b.nodes[groups.node].shape)
    signed = scale_and_shift(b, members, b.number(sign), None)
    return signed.node, inverse.reshape(absent.shape)
