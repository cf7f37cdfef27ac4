"""What each ONNX op becomes, when its argument depends on the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from splinescope.network.heads import HeadName
from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers import lower_steps as stepping
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.refusals import PRODUCT, QUOTIENT, STATISTICS
from splinescope.network.importers.views import DEPENDENT, Number, Smooth, Step, Value, Variable


@dataclass(frozen=True, eq=False)
class Call:
    """One node of an ONNX graph with its arguments.

    Attributes:
        op: The op's name.
        inputs: Values, None where an optional one is left out.
        attributes: Attributes by name.
        opset: Version of the default operator set.
        outputs: Number of outputs that the node names.
    """

    op: str
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    opset: int
    outputs: int

    def get(self, index: int) -> Value | None:
        """An input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def value(self, index: int) -> Value:
        """An input that must be there."""
        value = self.get(index)
        assert value is not None
        return value

    def constant(self, b: Builder, index: int, reason: str = PRODUCT) -> Tensor | None:
        """An input that must not depend on the network's input."""
        value = self.get(index)
        if isinstance(value, DEPENDENT):
            raise b.refusal(reason)
        return value

    def integers(self, b: Builder, index: int, attribute: str) -> list[int] | None:
        """Integers that older versions have as an attribute and newer ones as an input."""
        if attribute in self.attributes:
            return [int(n) for n in self.attributes[attribute]]
        given = self.constant(b, index)
        return None if given is None else [int(n) for n in given.reshape(-1).tolist()]


Handler: TypeAlias = Callable[[Builder, Call], Any]


def gemm(b: Builder, c: Call) -> Value:
    """alpha * A' @ B' + beta * C."""
    left, right = c.value(0), c.value(1)
    if c.attributes.get("transA"):
        left = _transposed(b, left)
    if c.attributes.get("transB"):
        right = _transposed(b, right)
    alpha, beta = float(c.attributes.get("alpha", 1.0)), float(c.attributes.get("beta", 1.0))
    offset = c.get(2)
    if isinstance(right, Tensor) and isinstance(left, Variable) and (offset is None or _is_row(offset, right)):
        bias = None if offset is None else offset.double().reshape(-1) * beta  # type: ignore[union-attr]
        return affine.linear(b, left, right.double().T * alpha, bias)
    product = left @ right if isinstance(left, Tensor) and isinstance(right, Tensor) else None
    value = affine.matrix_product(b, left, right, PRODUCT) if product is None else product
    value = affine.multiply(b, value, b.number(alpha), PRODUCT) if not isinstance(value, Tensor) else value * alpha
    if offset is None:
        return value
    if isinstance(offset, Tensor):
        return affine.add_values(b, value, offset.double() * beta)
    return affine.add_values(b, value, offset, beta)


def _is_row(offset: Value, matrix: Tensor) -> bool:
    return isinstance(offset, Tensor) and offset.numel() in (1, matrix.shape[1]) and offset.ndim <= 1


def _transposed(b: Builder, value: Value) -> Value:
    if isinstance(value, Tensor):
        return value.T
    return b.rearrange(lambda array: array.T, b.variable(value))[0]


def matmul(b: Builder, c: Call) -> Value:
    """A @ B."""
    return affine.matrix_product(b, c.value(0), c.value(1), PRODUCT)


def einsum(b: Builder, c: Call) -> Value:
    """A sum of products, with one factor that depends on the input."""
    which = [i for i, value in enumerate(c.inputs) if not isinstance(value, Tensor)]
    if len(which) > 1:
        raise b.refusal(PRODUCT)
    operands = [value.double() if isinstance(value, Tensor) else None for value in c.inputs]

    def function(values: Tensor) -> Tensor:
        return torch.einsum(c.attributes["equation"], *(values if v is None else v for v in operands))

    return affine.probe(b, b.variable(c.value(which[0])), function)


def add(b: Builder, c: Call) -> Value:
    """A + B."""
    return stepping.add(b, c.value(0), c.value(1))


def subtract(b: Builder, c: Call) -> Value:
    """A - B."""
    return stepping.add(b, c.value(0), c.value(1), -1.0)


def multiply(b: Builder, c: Call) -> Value:
    """A * B."""
    return stepping.multiply(b, c.value(0), c.value(1))


def divide(b: Builder, c: Call) -> Value:
    """A / B."""
    divisor = c.constant(b, 1, QUOTIENT)
    assert divisor is not None
    return stepping.multiply(b, c.value(0), divisor.double().reciprocal())


def negate(b: Builder, c: Call) -> Value:
    """-A."""
    return stepping.multiply(b, c.value(0), b.number(-1.0))


def total(b: Builder, c: Call) -> Value:
    """Sum or mean of several values."""
    result = c.value(0)
    for value in c.inputs[1:]:
        assert value is not None
        both = isinstance(result, Tensor) and isinstance(value, Tensor)
        result = result + value if both else affine.add_values(b, result, value)  # type: ignore[operator]
    return affine.multiply(b, result, b.number(1.0 / len(c.inputs)), PRODUCT) if c.op == "Mean" else result


def spatial(c: Call, kernel: Sequence[int], sizes: Sequence[int]) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Strides, dilations and pads of a convolution or a pool, whose windows have the size of a kernel."""
    d = len(kernel)
    strides = list(c.attributes.get("strides") or [1] * d)
    dilations = list(c.attributes.get("dilations") or [1] * d)
    pads = list(c.attributes.get("pads") or [0] * (2 * d))
    automatic = c.attributes.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        missing = [
            max(0, (-(-n // s) - 1) * s + step * (k - 1) + 1 - n)
            for n, s, step, k in zip(sizes, strides, dilations, kernel, strict=True)
        ]
        upper = automatic == "SAME_UPPER"
        return strides, dilations, [(m // 2, m - m // 2) if upper else (m - m // 2, m // 2) for m in missing]
    if automatic == "VALID":
        pads = [0] * (2 * d)
    return strides, dilations, list(zip(pads[:d], pads[d:], strict=True))


def convolution(b: Builder, c: Call) -> Value:
    """A convolution."""
    x = b.variable(c.value(0))
    weight, bias = c.constant(b, 1), c.constant(b, 2)
    assert weight is not None
    strides, dilations, pads = spatial(c, weight.shape[2:], x.shape[2:])
    return affine.convolve(b, x, weight, bias, strides, pads, dilations, int(c.attributes.get("group", 1)))


def convolution_transposed(b: Builder, c: Call) -> Value:
    """A transposed convolution."""
    x = b.variable(c.value(0))
    weight, bias = c.constant(b, 1), c.constant(b, 2)
    assert weight is not None
    kernel, d = weight.shape[2:], weight.ndim - 2
    strides = list(c.attributes.get("strides") or [1] * d)
    dilations = list(c.attributes.get("dilations") or [1] * d)
    extra = list(c.attributes.get("output_padding") or [0] * d)
    pads = list(c.attributes.get("pads") or [0] * (2 * d))
    crop = list(zip(pads[:d], pads[d:], strict=True))
    automatic = c.attributes.get("auto_pad", "NOTSET")
    full = [
        s * (n - 1) + e + step * (k - 1) + 1
        for n, s, e, step, k in zip(x.shape[2:], strides, extra, dilations, kernel, strict=True)
    ]
    wanted = c.attributes.get("output_shape")
    if wanted is None and automatic.startswith("SAME"):
        wanted = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if wanted is not None:
        cut = [f - int(w) for f, w in zip(full, list(wanted)[-d:], strict=True)]
        lower = automatic != "SAME_UPPER"
        crop = [(m - m // 2, m // 2) if lower else (m // 2, m - m // 2) for m in cut]
    crop = [(low, high - e) for (low, high), e in zip(crop, extra, strict=True)]
    groups = int(c.attributes.get("group", 1))
    return affine.convolve_transposed(b, x, weight, bias, strides, crop, dilations, groups)


def batch_norm(b: Builder, c: Call) -> Value:
    """Batch-norm in inference mode."""
    if c.attributes.get("training_mode"):
        raise b.refusal(STATISTICS + "; batch-norm is supported in inference mode")
    if c.attributes.get("spatial", 1) != 1:
        raise b.refusal("it has the attribute spatial=0 of old files, which splinescope does not know")
    if c.outputs > 1 and c.opset < 14 and not (c.opset < 7 and c.attributes.get("is_test")):
        raise b.refusal(STATISTICS + "; batch-norm is supported in inference mode")
    weight, bias, mean, variance = (c.constant(b, i) for i in range(1, 5))
    assert mean is not None
    assert variance is not None
    return affine.batch_norm(b, b.variable(c.value(0)), weight, bias, mean, variance, c.attributes.get("epsilon", 1e-5))


def average_pool(b: Builder, c: Call) -> Value:
    """Average pooling: a product of one matrix for each axis."""
    x = b.variable(c.value(0))
    kernel = list(c.attributes["kernel_shape"])
    strides, dilations, pads = spatial(c, kernel, x.shape[2:])
    ceil, counted = bool(c.attributes.get("ceil_mode")), bool(c.attributes.get("count_include_pad"))
    matrices = {}
    for i, (k, s, step, pad) in enumerate(zip(kernel, strides, dilations, pads, strict=True)):
        n = x.shape[2 + i]
        windows = folding.pool_windows(n, k, s, pad, step, ceil)
        matrix = torch.zeros(len(windows), n, dtype=torch.float64)
        for row, window in enumerate(windows):
            places = row * s - pad[0] + step * np.arange(k)
            count = int((places < n + pad[1]).sum()) if counted else int((window >= 0).sum())
            matrix[row, window[window >= 0]] = 1.0 / count
        matrices[2 + i] = matrix
    return affine.along_axes(b, x, matrices)


def global_average(b: Builder, c: Call) -> Value:
    """Mean over all spatial axes."""
    x = b.variable(c.value(0))
    return affine.reduce_sum(b, x, range(2, len(x.shape)), True, True)


def max_pool(b: Builder, c: Call) -> Any:
    """Max-pooling."""
    x = b.variable(c.value(0))
    kernel = list(c.attributes["kernel_shape"])
    strides, dilations, pads = spatial(c, kernel, x.shape[2:])
    result = folding.max_pool(b, x, kernel, strides, pads, dilations, bool(c.attributes.get("ceil_mode")))
    return (result, b.byproduct()) if c.outputs > 1 else result


def global_max(b: Builder, c: Call) -> Value:
    """Maximum over all spatial axes."""
    x = b.variable(c.value(0))
    return folding.reduce_max(b, x, range(2, len(x.shape)), True)


def _axes(b: Builder, c: Call, x: Variable) -> list[int] | None:
    """Axes of a reduction; None if nothing is reduced."""
    axes = c.integers(b, 1, "axes")
    if axes:
        return axes
    return None if c.attributes.get("noop_with_empty_axes") else list(range(len(x.shape)))


def reduce_linear(b: Builder, c: Call) -> Value:
    """Sum or mean over axes, or the sum of absolute values."""
    x = b.variable(c.value(0))
    if c.op == "ReduceL1":
        x = folding.absolute(b, x)
    axes = _axes(b, c, x)
    return (
        x
        if axes is None
        else affine.reduce_sum(b, x, axes, bool(c.attributes.get("keepdims", 1)), c.op == "ReduceMean")
    )


def reduce_extreme(b: Builder, c: Call) -> Value:
    """Maximum or minimum over axes."""
    x = b.variable(c.value(0))
    axes = _axes(b, c, x)
    sign = 1.0 if c.op == "ReduceMax" else -1.0
    return x if axes is None else folding.reduce_max(b, x, axes, bool(c.attributes.get("keepdims", 1)), sign)


def extreme(b: Builder, c: Call) -> Value:
    """Elementwise maximum or minimum of several values."""
    return folding.maximum(b, [v for v in c.inputs if v is not None], 1.0 if c.op == "Max" else -1.0)


def clip(b: Builder, c: Call) -> Value:
    """Clip to constants."""
    low: Value | Number | None = c.attributes.get("min", c.get(1))
    high: Value | Number | None = c.attributes.get("max", c.get(2))
    x = b.variable(c.value(0))
    if isinstance(low, DEPENDENT) or isinstance(high, DEPENDENT):
        result: Value = x
        for bound, sign in ((low, 1.0), (high, -1.0)):
            if bound is not None:
                other = bound if isinstance(bound, Tensor | Variable | Smooth | Step) else b.number(bound)
                result = folding.maximum(b, [result, other], sign)
        return result
    return folding.clip(b, x, low, high)


def relu(b: Builder, c: Call) -> Value:
    """max(x, 0)."""
    return folding.relu(b, b.variable(c.value(0)))


def absolute(b: Builder, c: Call) -> Value:
    """The absolute value."""
    return folding.absolute(b, b.variable(c.value(0)))


def prelu(b: Builder, c: Call) -> Value:
    """x for positive x, else a constant times x."""
    x, slope = b.variable(c.value(0)), c.constant(b, 1)
    assert slope is not None
    if slope.ndim == 1 and slope.numel() not in (1, x.shape[-1]) and x.shape.count(slope.numel()) == 1:
        # The standard has no such slope, but files do, and its reference implementation takes it so.
        slope = slope.reshape(-1, *(1,) * (len(x.shape) - 1 - x.shape.index(slope.numel())))
    return folding.leaky_relu(b, x, slope)


def leaky_relu(b: Builder, c: Call) -> Value:
    """x for positive x, else alpha * x."""
    return folding.leaky_relu(b, b.variable(c.value(0)), c.attributes.get("alpha", float(np.float32(0.01))))


def hard_sigmoid(b: Builder, c: Call) -> Value:
    """max(0, min(1, alpha * x + beta))."""
    slope, offset = c.attributes.get("alpha", 0.2), c.attributes.get("beta", 0.5)
    return folding.hard_sigmoid(b, b.variable(c.value(0)), slope, offset)


def thresholded_relu(b: Builder, c: Call) -> Value:
    """x above alpha, else 0."""
    return folding.threshold(b, b.variable(c.value(0)), c.attributes.get("alpha", 1.0), 0.0)


def shrink(b: Builder, c: Call) -> Value:
    """Zero near zero, else x moved by the bias."""
    bias, at = c.attributes.get("bias", 0.0), c.attributes.get("lambd", 0.5)
    if bias != at:
        raise b.refusal(f"it jumps at {at}, because its bias is {bias}: it is not continuous")
    return folding.soft_shrink(b, b.variable(c.value(0)), at)


def head(name: HeadName) -> Handler:
    """The handler of a smooth function."""

    def handler(b: Builder, c: Call) -> Value:
        """A smooth function as the head, which must come last."""
        x = b.variable(c.value(0))
        if name not in ("softmax", "log_softmax"):
            return b.head(name, x)
        axis = c.attributes.get("axis", -1 if c.opset >= 13 else 1) % len(x.shape)
        if c.opset >= 13 or math.prod(x.shape[axis + 1 :]) == 1:
            return b.head(name, x, axis)
        rows = b.variable(b.reshape(x, (math.prod(x.shape[:axis]), -1)))
        return b.reshape(b.head(name, rows, 1), x.shape)

    return handler


def same(b: Builder, c: Call) -> Any:
    """Nothing, in inference mode."""
    training = c.constant(b, 2) if c.op == "Dropout" else None
    if training is not None and bool(training):
        raise b.refusal("it is a dropout in training mode, so that the model is random")
    return (c.value(0), b.byproduct()) if c.outputs > 1 else c.value(0)
