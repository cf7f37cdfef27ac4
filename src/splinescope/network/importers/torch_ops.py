"""The table of torch ops: which handler imports which."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.heads import HeadName
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers import torch_comparisons as comparisons
from splinescope.network.importers import torch_further as further
from splinescope.network.importers import torch_handlers as handlers
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.rearrangements import move
from splinescope.network.importers.refusals import COMPARISON, COMPLEX, PRODUCT, UNKNOWN, reason_for
from splinescope.network.importers.torch_handlers import Arguments, Handler
from splinescope.network.importers.views import DEPENDENT, Smooth, Step, Value


def call(target: Any, arguments: Arguments) -> Any:
    """Call an op of torch with arguments by the names of its schema."""
    schema = target._schema.arguments
    positional = [arguments[s.name] for s in schema if not s.kwarg_only and s.name in arguments]
    return target(*positional, **{s.name: arguments[s.name] for s in schema if s.kwarg_only and s.name in arguments})


def rearrange(b: Builder, target: Any, a: Arguments, moved: Sequence[str]) -> Any:
    """An op that only moves numbers: torch itself moves the indices."""
    values = [v for name in moved for v in (a[name] if isinstance(a[name], list | tuple) else [a[name]])]
    rest = {name: _like(b, value) for name, value in a.items() if name not in moved}

    def function(*arrays: np.ndarray) -> np.ndarray | list[np.ndarray]:
        tensors = [torch.from_numpy(np.ascontiguousarray(array)).double() for array in arrays]
        filled = dict(rest)
        for name in moved:
            many = isinstance(a[name], list | tuple)
            filled[name] = [tensors.pop(0) for _ in a[name]] if many else tensors.pop(0)
        result = call(target, filled)
        return result.numpy() if isinstance(result, Tensor) else [part.numpy() for part in result]

    return move(b, function, values)


def _like(b: Builder, value: Any) -> Any:
    """What only gives a shape may depend on the input; positions may not."""
    if isinstance(value, DEPENDENT):
        return torch.zeros(value.shape)
    if isinstance(value, list | tuple) and any(isinstance(v, DEPENDENT) for v in value):
        raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    return value


def _same(b: Builder, a: Arguments) -> Value:
    """Nothing, in eval mode."""
    if a.get("train") is True or a.get("training") is True:
        raise b.refusal("it is a dropout that stays active in eval mode, so that the model is random")
    dtype = a.get("dtype")
    value = a["self"] if "self" in a else a["input"]
    if isinstance(dtype, torch.dtype) and not isinstance(value, Step):
        if dtype.is_complex:
            raise b.refusal(COMPLEX)
        if not dtype.is_floating_point:
            raise b.refusal(f"it rounds to {dtype}, and so it jumps: it is not continuous")
        b.unit = max(b.unit, torch.finfo(dtype).eps)
    return value


def _as_zeros(b: Builder, target: Any, a: Arguments) -> Any:
    """An op that reads only the shape of its argument."""
    return call(target, {name: _like(b, value) for name, value in a.items()})


def _head(name: HeadName) -> Handler:
    def handler(b: Builder, a: Arguments) -> Value:
        """A smooth function as the head, which must come last."""
        return b.head(name, a["self"], a.get("dim"))

    return handler


def _says(text: str, handler: Handler) -> Handler:
    """A handler with the line that the documentation's table has for it."""
    handler.__doc__ = text
    return handler


def _unary(function: Any) -> Handler:
    return _says(function.__doc__, lambda b, a: function(b, b.variable(a["self"])))


def _prelu(b: Builder, a: Arguments) -> Value:
    """x for positive x, else a constant times x."""
    x, weight = b.variable(a["self"]), a["weight"]
    if not isinstance(weight, Tensor):
        raise b.refusal(PRODUCT)
    if weight.numel() > 1 and weight.ndim <= 1:
        weight = weight.reshape(1, -1, *(1,) * (len(x.shape) - 2)) if len(x.shape) > 1 else weight
    return folding.leaky_relu(b, x, weight.reshape(()) if weight.numel() == 1 else weight)


def _leaky_relu(b: Builder, a: Arguments) -> Value:
    """x for positive x, else slope times x."""
    return folding.leaky_relu(b, b.variable(a["self"]), float(a["negative_slope"]))


def _threshold(b: Builder, a: Arguments) -> Value:
    """x above a number, else that number; refused where it jumps."""
    return folding.threshold(b, b.variable(a["self"]), float(a["threshold"]), float(a["value"]))


def _soft_shrink(b: Builder, a: Arguments) -> Value:
    """x moved towards zero by a constant."""
    return folding.soft_shrink(b, b.variable(a["self"]), float(a["lambd"]))


def _rrelu(b: Builder, a: Arguments) -> Any:
    """x for positive x, else the middle slope times x."""
    if a.get("training"):
        raise b.refusal("it is a randomised ReLU in training mode; expected eval mode")
    return folding.leaky_relu(b, b.variable(a["self"]), (float(a["lower"]) + float(a["upper"])) / 2)


def _clip_to(low: float | None, high: float | None) -> Handler:
    return _says(
        "Clip between constants.",
        lambda b, a: folding.clip(b, b.variable(a["self"]), a.get("min_val", low), a.get("max_val", high)),
    )


def _hard_sigmoid(b: Builder, a: Arguments) -> Value:
    """max(0, min(1, x / 6 + 1 / 2))."""
    return folding.activate(b, b.variable(a["self"]), [-3.0, 3.0], [0.0, 1 / 6, 0.0], [0.0, 0.5, 1.0])


def _pad(b: Builder, target: Any, a: Arguments) -> Value:
    """Padding with a number, or with a mirrored or repeated image."""
    mode, value = a.get("mode", "constant"), a.get("value")
    if mode != "constant":
        return rearrange(b, target, a, ("self",))
    x = b.variable(a["self"])
    filled = torch.tensor(float(value or 0.0), dtype=torch.float64)

    def function(array: np.ndarray, fill: np.ndarray) -> np.ndarray:
        return torch.constant_pad_nd(
            torch.from_numpy(np.ascontiguousarray(array)).double(), a["pad"], float(fill)
        ).numpy()

    return b.rearrange(function, x, filled)[0]


def _index_put(b: Builder, target: Any, a: Arguments) -> Any:
    """Values at places, which may be where a comparison holds."""
    masks = [index for index in a["indices"] if isinstance(index, Step)]
    if a.get("accumulate"):
        raise b.refusal("it adds up values at places, which splinescope does not know of this op")
    if not masks:
        return rearrange(b, target, a, ("self", "values"))
    if len(a["indices"]) > 1 or int(np.prod(a["values"].shape)) != 1:
        raise b.refusal(COMPARISON)
    return comparisons.choose(b, masks[0], a["values"], a["self"])


_MOVES = {
    ("self",): (
        "view reshape _unsafe_view flatten unflatten permute transpose t numpy_T mT mH squeeze unsqueeze expand "
        "slice select split split_with_sizes chunk tensor_split hsplit vsplit unbind narrow index_select index gather "
        "take flip fliplr flipud roll rot90 repeat repeat_interleave tile unfold pixel_shuffle pixel_unshuffle "
        "channel_shuffle native_channel_shuffle movedim moveaxis swapaxes swapdims diagonal tril triu diag_embed "
        "expand_as view_as reshape_as broadcast_to atleast_1d atleast_2d atleast_3d upsample_nearest1d "
        "upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d im2col "
        "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d "
        "as_strided view_copy permute_copy slice_copy select_copy expand_copy squeeze_copy unsqueeze_copy narrow_copy"
    ),
    ("input",): "upsample_nearest1d.vec upsample_nearest2d.vec upsample_nearest3d.vec "
    "_upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec",
    ("tensors",): "cat concat concatenate stack hstack vstack dstack column_stack",
    ("self", "src"): "slice_scatter select_scatter diagonal_scatter copy",
}
_IDENTITIES = (
    "clone detach alias contiguous dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout to "
    "_to_copy float double lift_fresh lift_fresh_copy lift positive resolve_conj resolve_neg real type_as view.dtype "
    "detach_copy alias_copy"
)
_SHAPES = (
    "size sym_size sym_numel numel dim zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty "
    "is_floating_point"
)
_COMPARISONS = {"gt": "gt greater", "ge": "ge greater_equal", "lt": "lt less", "le": "le less_equal"}
_HANDLERS: dict[str, Handler] = {
    "linear": handlers.linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner"), handlers.matmul),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), handlers.addmm),
    "einsum": handlers.einsum,
    **dict.fromkeys(
        "conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d conv_transpose3d".split(),
        handlers.convolution,
    ),
    **dict.fromkeys(
        "batch_norm native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit instance_norm "
        "cudnn_batch_norm _batch_norm_with_update".split(),
        handlers.batch_norm,
    ),
    "add": handlers.add,
    "sub": handlers.subtract,
    "subtract": handlers.subtract,
    "rsub": handlers.subtract_reversed,
    "mul": handlers.multiply,
    "multiply": handlers.multiply,
    "div": handlers.divide,
    "divide": handlers.divide,
    "true_divide": handlers.divide,
    "neg": handlers.negate,
    "relu": _unary(folding.relu),
    "abs": _unary(folding.absolute),
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "_prelu_kernel": _prelu,
    "rrelu": _rrelu,
    "clamp": handlers.clamp,
    "clip": handlers.clamp,
    "clamp_min": handlers.clamp,
    "clamp_max": handlers.clamp,
    "hardtanh": _clip_to(-1.0, 1.0),
    "relu6": _clip_to(0.0, 6.0),
    "hardsigmoid": _hard_sigmoid,
    "threshold": _threshold,
    "softshrink": _soft_shrink,
    "maximum": handlers.maximum,
    "fmax": handlers.maximum,
    "minimum": handlers.minimum,
    "fmin": handlers.minimum,
    "max": handlers.reduction(1.0),
    "amax": handlers.reduction(1.0),
    "min": handlers.reduction(-1.0),
    "amin": handlers.reduction(-1.0),
    **dict.fromkeys(
        "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
        "max_pool3d_with_indices".split(),
        handlers.max_pool,
    ),
    **dict.fromkeys("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d".split(), handlers.adaptive_max_pool),
    **dict.fromkeys("avg_pool1d avg_pool2d avg_pool3d".split(), handlers.average_pool),
    **dict.fromkeys(
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d".split(),
        handlers.adaptive_average_pool,
    ),
    **dict.fromkeys(
        "upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa "
        "_upsample_bicubic2d_aa".split(),
        handlers.interpolate,
    ),
    "sum": handlers.reduce_sum,
    "mean": handlers.reduce_sum,
    "masked_fill": comparisons.masked_fill,
    "where": comparisons.where,
    **{name: comparisons.comparison(short) for short, names in _COMPARISONS.items() for name in names.split()},
    **dict.fromkeys(("logical_and", "bitwise_and", "__and__"), comparisons.logical(np.logical_and)),
    **dict.fromkeys(("logical_or", "bitwise_or", "__or__"), comparisons.logical(np.logical_or)),
    **dict.fromkeys(("logical_xor", "bitwise_xor", "__xor__"), comparisons.logical(np.logical_xor)),
    **dict.fromkeys(("logical_not", "bitwise_not"), comparisons.logical(np.logical_not)),
    "eq": comparisons.equality,
    "ne": comparisons.equality,
    **dict.fromkeys(("isnan", "isinf", "isfinite"), comparisons.finiteness),
    "nan_to_num": _says("Nothing: real numbers are finite.", lambda b, a: a["self"]),
    "sign": comparisons.sign,
    "sgn": comparisons.sign,
    "heaviside": comparisons.step,
    "linalg_solve": handlers.solve,
    "softmax": _head("softmax"),
    "_softmax": _head("softmax"),
    "log_softmax": _head("log_softmax"),
    "_log_softmax": _head("log_softmax"),
    "sigmoid": _head("sigmoid"),
    "tanh": _head("tanh"),
    "log_sigmoid": _head("log_sigmoid"),
    "log_sigmoid_forward": _says(
        "A smooth function as the head, which must come last.",
        lambda b, a: (b.head("log_sigmoid", a["self"]), b.byproduct()),
    ),
    "exp": _head("exp"),
    "softplus": further.softplus,
    "sort": further.sort,
    "msort": _says(further.sort.__doc__ or "", lambda b, a: further.sort(b, {**a, "dim": 0})[0]),
    "topk": further.top,
    "median": further.order_statistic,
    "nanmedian": further.order_statistic,
    "kthvalue": further.order_statistic,
    "cummax": further.running_maximum,
    "cummin": further.running_maximum,
    "cumsum": further.running_sum,
    "cdist": further.distances,
    "_cdist_forward": further.distances,
    "dist": further.distance,
    "bilinear": further.bilinear,
    "linalg_vector_norm": further.vector_norm,
    "norm": further.vector_norm,
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), further.grid_sample),
    "pow": further.power,
    "col2im": further.fold,
    "index_add": further.index_add,
    "scatter_add": further.scatter_add,
    **dict.fromkeys("scatter index_copy index_fill".split(), further.scatter),
    "fill": further.fill,
    "zero": further.fill,
    **dict.fromkeys(_IDENTITIES.split(), _same),
}
_TARGETED: dict[str, Callable[..., Any]] = {
    **{name: functools.partial(rearrange, moved=moved) for moved, names in _MOVES.items() for name in names.split()},
    **dict.fromkeys(_SHAPES.split(), _as_zeros),
    "pad": _pad,
    "constant_pad_nd": _pad,
    "index_put": _index_put,
}
IGNORED = frozenset(
    "_assert_tensor_metadata _assert_scalar _assert_async sym_constrain_range sym_constrain_range_for_size "
    "_set_grad_enabled".split()
)
"""Ops without a result."""


def described() -> dict[str, str]:
    """What each op becomes, in a line: the documentation's table."""
    lines = {name: (handler.__doc__ or "").splitlines()[0] for name, handler in _HANDLERS.items()}
    lines.update({name: "Only moves numbers." for names in _MOVES.values() for name in names.split()})
    lines.update(dict.fromkeys(_SHAPES.split(), "Only looks at the shape."))
    lines.update(
        {name: (_TARGETED[name].__doc__ or "").splitlines()[0] for name in ("pad", "constant_pad_nd", "index_put")}
    )
    return lines


def handle(b: Builder, target: Any, arguments: Arguments) -> Any:
    """Import one op of which at least one argument depends on the input.

    Args:
        b: The builder.
        target: The op, an overload of `torch.ops`.
        arguments: Its arguments by the names of its schema.

    Returns:
        What the op returns: values and plain numbers.
    """
    name, overload = target._schema.name.split("::")[-1], target._overloadname
    if target._schema.is_mutable:
        name = name.removesuffix("_")
    for key in (f"{name}.{overload}", name):
        if key in _TARGETED:
            return _TARGETED[key](b, target, arguments)
        if key in _HANDLERS:
            return _HANDLERS[key](b, arguments)
    for value in arguments.values():
        if isinstance(value, Smooth):
            b.variable(value)
    raise b.refusal(reason_for(name))


def knows(target: Any) -> bool:
    """Whether an op has a handler, or a reason why it is refused."""
    name = target._schema.name.split("::")[-1]
    name = name.removesuffix("_") if target._schema.is_mutable else name
    keys = (f"{name}.{target._overloadname}", name)
    return any(key in table for key in keys for table in (_TARGETED, _HANDLERS)) or reason_for(name) != UNKNOWN
