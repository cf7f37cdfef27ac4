"""What each torch op becomes, when its argument depends on the input.

Every handler takes the builder and the op's arguments by the names of its schema, and returns a value or several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers import lower_steps as stepping
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.refusals import PRODUCT, QUOTIENT, STATISTICS
from splinescope.network.importers.views import DEPENDENT, Number, Value, Variable

Arguments: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Builder, Arguments], Any]


def _tuple(value: int | Sequence[int], d: int) -> tuple[int, ...]:
    """One number for each of `d` dimensions."""
    values = (value,) if isinstance(value, int) else tuple(int(v) for v in value)
    return values * d if len(values) == 1 else values


def _constant(b: Builder, value: Value | None, reason: str = PRODUCT) -> Tensor | None:
    """A weight, which must not depend on the input."""
    if value is None or isinstance(value, Tensor):
        return value
    raise b.refusal(reason)


def _x(b: Builder, a: Arguments, name: str = "self") -> Variable:
    value = a[name] if name in a else a["input"]
    if isinstance(value, Tensor):
        raise b.refusal(PRODUCT)
    return b.variable(value)


# -- linear layers


def linear(b: Builder, a: Arguments) -> Value:
    """x @ weight.T + bias."""
    weight = _constant(b, a["weight"])
    assert weight is not None
    result = affine.linear(b, _x(b, a), weight, None) if isinstance(a["bias"], Variable) else None
    if result is not None:
        return affine.add_values(b, result, a["bias"])
    return affine.linear(b, _x(b, a), weight, a["bias"])


def matmul(b: Builder, a: Arguments) -> Value:
    """x @ y."""
    other = next(a[name] for name in ("other", "mat2", "vec", "tensor") if name in a)
    return affine.matrix_product(b, a["self"], other, PRODUCT)


def solve(b: Builder, a: Arguments) -> Value:
    """The inverse of a constant matrix @ x."""
    matrix, x = _constant(b, a["A"]), b.variable(a["B"])
    assert matrix is not None
    inverse = torch.linalg.inv(matrix)
    if not a.get("left", True):
        return affine.matrix_product(b, x, inverse, PRODUCT)
    return affine.matrix_product(b, inverse, x, PRODUCT)


def addmm(b: Builder, a: Arguments) -> Value:
    """beta * x + alpha * (y @ z)."""
    names = next(n for n in (("mat1", "mat2"), ("batch1", "batch2"), ("mat", "vec")) if n[0] in a)
    factors = [a[name] for name in names]
    product = torch.matmul(*factors) if all(isinstance(f, Tensor) for f in factors) else None
    value = affine.matrix_product(b, factors[0], factors[1], PRODUCT) if product is None else product
    scaled = affine.multiply(b, value, b.number(a["alpha"]), PRODUCT) if a["alpha"] != 1 else value
    offset = a["self"]
    if a["beta"] != 1:
        offset = (
            offset * a["beta"]
            if isinstance(offset, Tensor)
            else affine.multiply(b, offset, b.number(a["beta"]), PRODUCT)
        )
    return affine.add_values(b, scaled, offset)


def einsum(b: Builder, a: Arguments) -> Value:
    """A sum of products with constants; of one factor alone a rearrangement or a sum."""
    operands = a["tensors"]
    which = [i for i, value in enumerate(operands) if not isinstance(value, Tensor)]
    if len(which) > 1:
        raise b.refusal(PRODUCT)
    x = b.variable(operands[which[0]])

    def function(values: Tensor) -> Tensor:
        return torch.einsum(a["equation"], *(values if i == which[0] else v.double() for i, v in enumerate(operands)))

    inputs, _, output = a["equation"].replace(" ", "").partition("->")
    if len(operands) == 1 and sorted(inputs) == sorted(output) and len(set(output)) == len(output):
        return b.rearrange(lambda array: function(torch.from_numpy(array).double()).numpy(), x)[0]
    return affine.probe(b, x, function)


def convolution(b: Builder, a: Arguments) -> Value:
    """A convolution, transposed or not, of any dimension."""
    weight, bias = _constant(b, a["weight"]), _constant(b, a["bias"])
    assert weight is not None
    d = weight.ndim - 2
    x = _x(b, a)
    stride, dilation = _tuple(a["stride"], d), _tuple(a["dilation"], d)
    if a.get("transposed", "output_padding" in a and "transposed" not in a):
        extra = _tuple(a["output_padding"], d)
        crop = [(p, p - e) for p, e in zip(_tuple(a["padding"], d), extra, strict=True)]
        return affine.convolve_transposed(b, x, weight, bias, stride, crop, dilation, a["groups"])
    if isinstance(a["padding"], str):
        reach = [step * (k - 1) for step, k in zip(dilation, weight.shape[2:], strict=True)]
        pads = [(r // 2, r - r // 2) if a["padding"] == "same" else (0, 0) for r in reach]
    else:
        pads = [(p, p) for p in _tuple(a["padding"], d)]
    return affine.convolve(b, x, weight, bias, stride, pads, dilation, a["groups"])


def batch_norm(b: Builder, a: Arguments) -> Any:
    """Batch-norm with running statistics."""
    mean, variance = a["running_mean"], a["running_var"]
    if a.get("training") or a.get("use_input_stats") or mean is None:
        raise b.refusal(STATISTICS + "; batch-norm is supported in eval mode with running statistics")
    weight, bias = _constant(b, a["weight"]), _constant(b, a["bias"])
    result = affine.batch_norm(b, _x(b, a), weight, bias, mean, variance, a["eps"])
    return (result, b.byproduct(), b.byproduct()) if "legit" in b.op or "native" in b.op else result


# -- arithmetic


def add(b: Builder, a: Arguments) -> Value:
    """x + alpha * y."""
    return stepping.add(b, tensor_of(a["self"]), tensor_of(a["other"]), float(a.get("alpha", 1)))


def subtract(b: Builder, a: Arguments) -> Value:
    """x - alpha * y."""
    return stepping.add(b, tensor_of(a["self"]), tensor_of(a["other"]), -float(a.get("alpha", 1)))


def subtract_reversed(b: Builder, a: Arguments) -> Value:
    """y - alpha * x."""
    return stepping.add(b, tensor_of(a["other"]), tensor_of(a["self"]), -float(a.get("alpha", 1)))


def multiply(b: Builder, a: Arguments) -> Value:
    """x * y."""
    return stepping.multiply(b, tensor_of(a["self"]), tensor_of(a["other"]))


def divide(b: Builder, a: Arguments) -> Value:
    """x / y."""
    if a.get("rounding_mode") is not None:
        raise b.refusal("it rounds, and so it jumps: it is not continuous")
    divisor = tensor_of(a["other"])
    if not isinstance(divisor, Tensor):
        raise b.refusal(QUOTIENT)
    return stepping.multiply(b, a["self"], divisor.double().reciprocal())


def negate(b: Builder, a: Arguments) -> Value:
    """-x."""
    return stepping.multiply(b, a["self"], b.number(-1.0))


def tensor_of(value: Value | Number) -> Value:
    """Numbers as tensors."""
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, int | float) else value


# -- activations and maxima


def clamp(b: Builder, a: Arguments) -> Value:
    """Clamp between constants, or by variables."""
    x, low, high = a["self"], a.get("min"), a.get("max")
    if not any(isinstance(bound, DEPENDENT) for bound in (low, high)):
        return folding.clip(b, b.variable(x), low, high)
    for bound, sign in ((low, 1.0), (high, -1.0)):
        if bound is not None:
            x = extreme(b, [x, tensor_of(bound)], sign)
    return x


def extreme(b: Builder, values: list[Value], sign: float) -> Value:
    """Elementwise maximum, or minimum for `sign` -1."""
    if all(isinstance(v, Tensor) for v in values):
        return torch.maximum(*values) if sign > 0 else torch.minimum(*values)  # type: ignore[arg-type]
    return folding.maximum(b, values, sign)


def maximum(b: Builder, a: Arguments) -> Value:
    """max(x, y)."""
    return extreme(b, [a["self"], a["other"]], 1.0)


def minimum(b: Builder, a: Arguments) -> Value:
    """min(x, y)."""
    return extreme(b, [a["self"], a["other"]], -1.0)


def reduction(sign: float) -> Handler:
    """The handler of maxima, or minima for `sign` -1, over axes or of two values."""

    def reduce(b: Builder, a: Arguments) -> Any:
        """Maximum or minimum over axes, or of two values."""
        if "other" in a:
            return extreme(b, [a["self"], a["other"]], sign)
        x = _x(b, a)
        axes = a.get("dim")
        named = isinstance(axes, int) and "a" + ("max" if sign > 0 else "min") not in b.op
        axes = range(len(x.shape)) if axes is None or axes == [] else [axes] if isinstance(axes, int) else axes
        result = folding.reduce_max(b, x, list(axes), bool(a.get("keepdim", False)), sign)
        return (result, b.byproduct()) if named else result

    return reduce


def max_pool(b: Builder, a: Arguments) -> Any:
    """Max-pooling."""
    d = int(next(c for c in b.op if c.isdigit()))
    kernel = _tuple(a["kernel_size"], d)
    stride = _tuple(a["stride"], d) if a["stride"] else kernel
    pads = [(p, p) for p in _tuple(a["padding"], d)]
    x = folding.max_pool(b, _x(b, a), kernel, stride, pads, _tuple(a["dilation"], d), a["ceil_mode"])
    return (x, b.byproduct()) if "indices" in b.op else x


def adaptive_max_pool(b: Builder, a: Arguments) -> Any:
    """Max-pooling to a given size."""
    sizes = a["output_size"]
    sizes = [sizes] if isinstance(sizes, int) else sizes
    x = _x(b, a)
    windows = []
    for n, m in zip(x.shape[-len(sizes) :], sizes, strict=True):
        starts, stops = [i * n // m for i in range(m)], [-(-(i + 1) * n // m) for i in range(m)]
        width = max(stop - start for start, stop in zip(starts, stops, strict=True))
        rows = [
            [p if p < stop else -1 for p in range(start, start + width)]
            for start, stop in zip(starts, stops, strict=True)
        ]
        windows.append(torch.tensor(rows).numpy())
    return folding.max_over_windows(b, x, windows), b.byproduct()


# -- averages and interpolation


def average_pool(b: Builder, a: Arguments) -> Value:
    """Average pooling: a product of one matrix for each axis."""
    x = _x(b, a)
    d = int(next(c for c in b.op if c.isdigit()))
    kernel = _tuple(a["kernel_size"], d)
    stride = _tuple(a["stride"], d) if a["stride"] else kernel
    padding = _tuple(a["padding"], d)
    matrices = {}
    for i in range(d):
        options = (kernel[i], stride[i], padding[i], a["ceil_mode"], a["count_include_pad"])
        axis = len(x.shape) - d + i
        matrices[axis] = affine.pooling_matrix(x.shape[axis], lambda rows, o=options: functional.avg_pool1d(rows, *o))
    result = affine.along_axes(b, x, matrices)
    if a.get("divisor_override"):
        factor = float(torch.tensor(kernel).prod()) / a["divisor_override"]
        if (any(padding) and not a["count_include_pad"]) or a["ceil_mode"]:
            raise b.refusal("its divisor is overridden together with ceil_mode or uncounted padding")
        result = affine.scale_and_shift(b, result, torch.tensor(factor, dtype=torch.float64), None)
    return result


def adaptive_average_pool(b: Builder, a: Arguments) -> Value:
    """Average pooling to a given size."""
    x = _x(b, a)
    sizes = a["output_size"]
    sizes = [sizes] if isinstance(sizes, int) else sizes
    matrices = {}
    for i, m in enumerate(sizes):
        axis = len(x.shape) - len(sizes) + i
        size = x.shape[axis] if m is None else m
        matrices[axis] = affine.pooling_matrix(
            x.shape[axis], lambda rows, s=size: functional.adaptive_avg_pool1d(rows, s)
        )
    return affine.along_axes(b, x, matrices)


_SCALES = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}


def interpolate(b: Builder, a: Arguments) -> Value:
    """Linear and cubic interpolation: a product of one matrix for each axis."""
    x = _x(b, a)
    d = len(x.shape) - 2
    function = getattr(torch.ops.aten, b.op.split(".")[1])
    matrices = {}
    for i in range(d):

        def along(rows: Tensor, i: int = i) -> Tensor:
            # Along the other axes the images are constant, of two numbers: torch errs where smoothed images have one.
            images = rows.reshape(len(rows), 1, *(rows.shape[-1] if j == i else 1 for j in range(d)))
            images = images.expand(-1, -1, *(rows.shape[-1] if j == i else 2 for j in range(d))).contiguous()
            sizes = None if a["output_size"] is None else [a["output_size"][j] if j == i else 2 for j in range(d)]
            if "scale_factors" in a:
                factors = a["scale_factors"] and [a["scale_factors"][j] if j == i else 1.0 for j in range(d)]
                result = function(images, sizes, a["align_corners"], factors)
            else:
                factors = [a.get(name) if j == i else None for j, name in enumerate(_SCALES[d])]
                result = function(images, sizes, a["align_corners"], *factors)
            for j in range(d):
                result = result if j == i else result.narrow(2 + j, 0, 1)
            return result.reshape(len(rows), 1, -1)

        matrices[2 + i] = affine.pooling_matrix(x.shape[2 + i], along)
    return affine.along_axes(b, x, matrices)


def reduce_sum(b: Builder, a: Arguments) -> Value:
    """Sum or mean over axes."""
    x = _x(b, a)
    axes = a.get("dim")
    axes = range(len(x.shape)) if axes is None or axes == [] else [axes] if isinstance(axes, int) else axes
    return affine.reduce_sum(b, x, list(axes), bool(a.get("keepdim", False)), ".mean" in b.op)
