"""Affine ops of the original as nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers.builder import Builder
from splinescope.network.importers.views import Shape, Smooth, Value, Variable
from splinescope.network.ops import AxisMap, Convolution, Dense, Scale, SharedDense, Sum, TransposedConvolution

MAX_PROBED = 1 << 25
"""Entries that the matrix of an op without a structure of its own may have: 256 MiB."""


def scale_and_shift(b: Builder, x: Variable, scale: Tensor | None, shift: Tensor | None) -> Variable:
    """`x * scale + shift` for constants that broadcast with `x`."""
    factors = [b.constant(1.0 if scale is None else scale), b.constant(0.0 if shift is None else shift)]
    shape = tuple(torch.broadcast_shapes(x.shape, *(f.shape for f in factors)))
    x = b.materialised(b.expand(x, shape))
    if bool((factors[0] == 1).all()) and bool((factors[1] == 0).all()):
        return x
    own = b.nodes[x.node].shape
    aligned = [_aligned(b, factor, shape, own) for factor in factors]
    return b.add(Scale(*aligned), [x.node], shape, own)


def _aligned(b: Builder, factor: Tensor, shape: Shape, own: Shape) -> Tensor:
    """A factor that broadcasts with `shape`, such that it broadcasts with the node's own shape."""
    if factor.numel() == 1:
        return factor.reshape(())
    if own == b.own_shape(shape):
        factor = factor.reshape((1,) * (len(shape) - factor.ndim) + tuple(factor.shape))
        return factor.reshape(factor.shape[len(shape) - len(own) :])
    return factor.expand(shape).reshape(own).contiguous()


def behind_head(b: Builder, x: Smooth, scale: Tensor | None, shift: Tensor | None) -> Smooth:
    """`x * scale + shift` for what a smooth head returns, in which it stays the last thing but constants."""
    factors = [None if factor is None else b.constant(factor).numpy() for factor in (scale, shift)]
    if any(f is not None and np.broadcast_shapes(f.shape, x.shape) != x.shape for f in factors):
        b.variable(x)  # refuses it
    slope, offset = (None if f is None else np.array(np.broadcast_to(f, x.shape)) for f in factors)
    before = x.shift if slope is None or x.shift is None else x.shift * slope
    if slope is not None:
        x = replace(x, scale=slope if x.scale is None else x.scale * slope)
    return replace(x, shift=before if offset is None else offset if before is None else before + offset)


def scaled(b: Builder, x: Value, scale: Tensor | None, shift: Tensor | None) -> Variable | Smooth:
    """`x * scale + shift` for a variable, or for what a head returns."""
    return behind_head(b, x, scale, shift) if isinstance(x, Smooth) else scale_and_shift(b, b.variable(x), scale, shift)


def add_values(b: Builder, x: Value, y: Value, alpha: float = 1.0) -> Variable | Smooth:
    """`x + alpha * y`, at least one of which depends on the input."""
    if isinstance(y, Tensor):
        return scaled(b, x, None, y.double() * alpha)
    if isinstance(x, Tensor):
        return scaled(b, y, torch.tensor(alpha, dtype=torch.float64), x)
    return combine(b, [b.variable(x), b.variable(y)], [1.0, alpha])


def combine(b: Builder, values: Sequence[Variable], coefficients: Sequence[float]) -> Variable:
    """A linear combination of variables that broadcast."""
    shape = tuple(torch.broadcast_shapes(*(v.shape for v in values)))
    nodes = [b.node_of(b.expand(v, shape)) for v in values]
    return b.add(Sum(tuple(float(c) for c in coefficients)), nodes, shape)


def multiply(b: Builder, x: Value, y: Value, product: str) -> Variable | Smooth:
    """A product with a constant."""
    if isinstance(x, Tensor):
        x, y = y, x
    if not isinstance(y, Tensor):
        b.variable(x), b.variable(y)
        raise b.refusal(product)
    return scaled(b, x, y, None)


def linear(b: Builder, x: Variable, weight: Tensor, bias: Tensor | None) -> Variable:
    """`x @ weight.T + bias` along the last axis; `weight` is [out, in]."""
    weight = b.constant(weight)
    offset = torch.zeros(len(weight), dtype=torch.float64) if bias is None else b.constant(bias)
    offset = offset.expand(len(weight)).contiguous()
    shape = (*x.shape[:-1], len(weight))
    if math.prod(x.shape[:-1]) != 1:
        own = b.own_shape(x.shape)
        source = b.node_of(x)
        own_result = (*own[:-1], len(weight))
        return b.add(SharedDense(weight, offset), [source], shape, own_result)
    if x.constant is None and x.index is not None and b.nodes[x.node].size == x.size:
        columns = torch.from_numpy(x.index.reshape(-1))
        if bool((columns >= 0).all()):
            weight = torch.zeros_like(weight).index_add_(1, columns, weight)
            x = Variable(x.node, x.shape)
    if x.index is not None or x.constant is not None:
        x = b.materialised(x)
    return b.add(Dense(weight, offset), [x.node], shape, (len(weight),))


def matrix_product(b: Builder, x: Value, y: Value, product: str) -> Value:
    """`x @ y` in the sense of `torch.matmul`, where one of the two is constant."""
    if isinstance(y, Tensor) and not isinstance(x, Tensor):
        variable = b.variable(x)
        if y.ndim == 2:
            return linear(b, _as_rows(b, variable), y.T, None) if variable.shape[:-1] else _vector(b, variable, y)
        if y.ndim == 1:
            result = linear(b, _as_rows(b, variable), y[None], None)
            return b.reshape(result, variable.shape[:-1])
        return probe(b, variable, lambda rows: torch.matmul(rows, y.double()))
    if isinstance(x, Tensor) and not isinstance(y, Tensor):
        variable = b.variable(y)
        if x.ndim == 2 and len(variable.shape) >= 2:
            return along_axes(b, variable, {len(variable.shape) - 2: x})
        if x.ndim <= 2 and len(variable.shape) == 1:
            row = b.reshape(variable, (1, variable.shape[0]))
            matrix = x if x.ndim == 2 else x[None]
            return b.reshape(linear(b, b.variable(row), matrix, None), tuple(x.shape[:-1]))
        return probe(b, variable, lambda rows: torch.matmul(x.double(), rows))
    b.variable(x), b.variable(y)
    raise b.refusal(product)


def _as_rows(b: Builder, x: Variable) -> Variable:
    """A matrix; a vector becomes its only row."""
    return b.variable(b.reshape(x, (1, *x.shape))) if len(x.shape) == 1 else x


def _vector(b: Builder, x: Variable, matrix: Tensor) -> Value:
    return b.reshape(linear(b, _as_rows(b, x), matrix.T, None), (matrix.shape[1],))


def along_axes(b: Builder, x: Variable, matrices: dict[int, Tensor]) -> Variable:
    """Apply a matrix along each of some axes."""
    matrices = {axis: b.constant(matrix) for axis, matrix in sorted(matrices.items())}
    shape = tuple(matrices[a].shape[0] if a in matrices else size for a, size in enumerate(x.shape))
    changing = {a: m for a, m in matrices.items() if m.shape != (1, 1) or float(m) != 1.0}
    if not changing:
        return x
    trivial = any(b.own_axis(x.shape, a) < 0 for a in changing)
    lead = x.shape if trivial else b.own_shape(x.shape)
    own = shape if trivial else shape[len(shape) - len(lead) :]
    axes = tuple(a - (len(x.shape) - len(lead)) for a in changing)
    return b.add(AxisMap(tuple(changing.values()), axes), [b.node_of(x, lead)], shape, own)


def reduce_sum(b: Builder, x: Variable, axes: Sequence[int], keepdim: bool, mean: bool) -> Variable | Smooth:
    """Sum or mean over axes."""
    axes = sorted({a % len(x.shape) for a in axes})
    sizes = {a: x.shape[a] for a in axes}
    rows = {a: torch.full((1, n), 1.0 / n if mean else 1.0, dtype=torch.float64) for a, n in sizes.items()}
    result = along_axes(b, x, rows)
    kept = tuple(1 if a in sizes else n for a, n in enumerate(x.shape))
    return b.reshape(result, kept if keepdim else tuple(n for a, n in enumerate(kept) if a not in sizes))


def convolve(
    b: Builder,
    x: Variable,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Variable:
    """A convolution of [..., channels, *sizes]."""
    weight = b.constant(weight)
    offset = torch.zeros(len(weight), dtype=torch.float64) if bias is None else b.constant(bias)
    d = weight.ndim - 2
    sizes = [
        (n + sum(pads) - step * (k - 1) - 1) // s + 1
        for n, pads, step, k, s in zip(x.shape[-d:], padding, dilation, weight.shape[2:], stride, strict=True)
    ]
    shape = (*x.shape[: -d - 1], len(weight), *sizes)
    source, own = _images(b, x, d, shape)
    op = Convolution(weight, offset, tuple(stride), tuple(padding), tuple(dilation), groups)
    return b.add(op, [source], shape, own)


def convolve_transposed(
    b: Builder,
    x: Variable,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    crop: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Variable:
    """A transposed convolution of [..., channels, *sizes]."""
    weight = b.constant(weight)
    channels, d = weight.shape[1] * groups, weight.ndim - 2
    offset = torch.zeros(channels, dtype=torch.float64) if bias is None else b.constant(bias)
    sizes = [
        s * (n - 1) + step * (k - 1) + 1 - sum(cut)
        for n, cut, step, k, s in zip(x.shape[-d:], crop, dilation, weight.shape[2:], stride, strict=True)
    ]
    shape = (*x.shape[: -d - 1], channels, *sizes)
    source, own = _images(b, x, d, shape)
    op = TransposedConvolution(weight, offset, tuple(stride), tuple(crop), tuple(dilation), groups)
    return b.add(op, [source], shape, own)


def _images(b: Builder, x: Variable, d: int, shape: Shape) -> tuple[int, Shape]:
    """A node with images [..., channels, *sizes], and the shape of the result: at least one axis for channels."""
    lead = x.shape[: -d - 1]
    if math.prod(lead) == 1:
        return b.node_of(x, x.shape[-d - 1 :]), shape[-d - 1 :]
    return b.node_of(x), b.own_shape(shape)


def batch_norm(
    b: Builder,
    x: Variable,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
) -> Variable:
    """Batch-norm in eval mode: a scale and a shift of each channel."""
    scale = (variance.double() + epsilon).rsqrt()
    if weight is not None:
        scale = scale * weight.double()
    shift = -mean.double() * scale
    if bias is not None:
        shift = shift + bias.double()
    broadcast = (1, -1, *(1,) * (len(x.shape) - 2))
    return scale_and_shift(b, x, scale.reshape(broadcast), shift.reshape(broadcast))


def probe(b: Builder, x: Variable, function: object) -> Variable:
    """A linear function of no special structure, as the matrix that it has."""
    assert callable(function)
    with torch.no_grad():
        result = function(torch.zeros(x.shape, dtype=torch.float64))
        shape, rows = tuple(result.shape), result.numel()
        if x.size * rows > MAX_PROBED:
            raise b.refusal(f"its matrix would have {rows} x {x.size} entries, which is more than {MAX_PROBED}")
        matrix = torch.empty(rows, x.size, dtype=torch.float64)
        for column in range(x.size):
            unit = torch.zeros(x.size, dtype=torch.float64)
            unit[column] = 1.0
            matrix[:, column] = function(unit.reshape(x.shape)).reshape(-1)
    source = b.materialised(x).node
    offset = torch.zeros(rows, dtype=torch.float64)
    return b.add(Dense(b.constant(matrix), offset), [source], shape, (rows,))


def pooling_matrix(size: int, function: object) -> Tensor:
    """The matrix of a linear function of vectors of a length, given on batches [n, 1, n]."""
    assert callable(function)
    return function(torch.eye(size, dtype=torch.float64)[:, None])[:, 0].T.contiguous()


def sampled(b: Builder, x: Variable, grid: Value, mode: int, padding: int, align_corners: bool) -> Value:
    """Numbers at fixed places of a grid, as one matrix for all channels.

    Args:
        b: The builder.
        x: [batch, channels, ...] the grid's numbers.
        grid: [1, ..., axes] places, from -1 to 1.
        mode: Linear, nearest or cubic interpolation: 0, 1 or 2.
        padding: Beyond the border zeros, the border or a reflection: 0, 1 or 2.
        align_corners: Whether -1 and 1 are the centres of the outermost numbers, or their outer sides.

    Returns:
        [batch, channels, ...] the numbers.
    """
    if not isinstance(grid, Tensor) or len(grid) != 1:
        raise b.refusal("the places at which it samples depend on the input")
    sizes, results = x.shape[2:], tuple(grid.shape[1:-1])
    n = math.prod(sizes)
    images = torch.eye(n, dtype=torch.float64).reshape(1, n, *sizes)
    matrix = torch.ops.aten.grid_sampler(images, grid.double(), mode, padding, align_corners).reshape(n, -1)
    rows = b.variable(b.reshape(x, (*x.shape[:2], n)))
    return b.reshape(linear(b, rows, matrix.T, None), (*x.shape[:2], *results))
