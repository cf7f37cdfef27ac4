"""ONNX ops that compare, sort, accumulate or have a norm, and those of classical models (`ai.onnx.ml`)."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers import lower_places as at_places
from splinescope.network.importers import lower_sorting as sorting
from splinescope.network.importers import lower_steps as stepping
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.onnx_handlers import Call, Handler, spatial
from splinescope.network.importers.refusals import POWERS, SMOOTH, STATISTICS
from splinescope.network.importers.views import Step, Value

# -- comparisons


def comparison(name: str) -> Handler:
    """The handler of `gt`, `ge`, `lt` or `le`."""

    def compare(b: Builder, c: Call) -> Value:
        """A comparison; continuous where what is chosen by it meets."""
        x, y = c.value(0), c.value(1)
        return stepping.compare(b, *((x, y) if name[0] == "g" else (y, x)), strict=name[1] == "t")

    return compare


def logical(function: Any) -> Handler:
    """The handler of a logical function of one value or of two."""

    def combine(b: Builder, c: Call) -> Value:
        """A logical function of comparisons of the same number."""
        return stepping.logical(b, [value for value in c.inputs if value is not None], function)

    return combine


def finiteness(b: Builder, c: Call) -> Value:
    """What holds of real numbers: none is infinite or NaN."""
    return torch.zeros(tuple(c.value(0).shape), dtype=torch.bool)


def sign(b: Builder, c: Call) -> Value:
    """1 where x is positive, -1 where it is negative."""
    zero = torch.zeros((), dtype=torch.float64)
    pairs = ((c.value(0), zero), (zero, c.value(0)))
    positive, negative = (stepping.compare(b, *pair, strict=True) for pair in pairs)
    return stepping.add(b, positive, negative, -1.0)


def where(b: Builder, c: Call) -> Value:
    """A choice by a constant mask, or by a comparison."""
    mask = c.value(0)
    if not isinstance(mask, Tensor):
        condition = mask if isinstance(mask, Step) else stepping.logical(b, [mask], lambda m: m)
        return stepping.choose(b, condition, c.value(1), c.value(2))
    chosen = mask.bool().numpy()
    return b.rearrange(lambda x, y: np.where(chosen, x, y), c.value(1), c.value(2))[0]


# -- order, sums so far, norms


def top(b: Builder, c: Call) -> Any:
    """The largest or smallest values, and their places."""
    x = b.variable(c.value(0))
    k = int(c.attributes["k"]) if "k" in c.attributes else int(c.integers(b, 1, "k")[0])  # type: ignore[index]
    axis = int(c.attributes.get("axis", -1)) % max(1, len(x.shape))
    ordered = sorting.sort(b, x, axis, descending=bool(c.attributes.get("largest", 1)))
    return b.rearrange(lambda array: np.take(array, range(k), axis=axis), ordered)[0], b.byproduct()


def running_sum(b: Builder, c: Call) -> Value:
    """Sum so far along an axis."""
    x = b.variable(c.value(0))
    axis = c.constant(b, 1)
    assert axis is not None
    place = int(axis) % len(x.shape)
    matrix = torch.ones(x.shape[place], x.shape[place], dtype=torch.float64).tril(-c.attributes.get("exclusive", 0))
    return affine.along_axes(b, x, {place: matrix.T if c.attributes.get("reverse") else matrix})


def norm_pool(b: Builder, c: Call) -> Value:
    """Sums of absolute values over windows, or over all."""
    if int(c.attributes.get("p", 2)) != 1:
        raise b.refusal(POWERS)
    x = folding.absolute(b, b.variable(c.value(0)))
    if c.op == "GlobalLpPool":
        return affine.reduce_sum(b, x, range(2, len(x.shape)), True, False)
    kernel = list(c.attributes["kernel_shape"])
    strides, dilations, pads = spatial(c, kernel, x.shape[2:])
    matrices = {}
    for i, (k, s, step, pad) in enumerate(zip(kernel, strides, dilations, pads, strict=True)):
        windows = folding.pool_windows(x.shape[2 + i], k, s, pad, step, bool(c.attributes.get("ceil_mode")))
        matrix = torch.zeros(len(windows), x.shape[2 + i], dtype=torch.float64)
        for row, window in enumerate(windows):
            matrix[row, window[window >= 0]] = 1.0
        matrices[2 + i] = matrix
    return affine.along_axes(b, x, matrices)


def normalised(b: Builder, c: Call) -> Value:
    """Lengths of one, which are refused by name."""
    raise b.refusal(STATISTICS)


def power(b: Builder, c: Call) -> Value:
    """x to a constant power, where that is affine."""
    exponent = c.get(1)
    if not isinstance(exponent, Tensor):
        raise b.refusal(SMOOTH)
    if bool((exponent == 1).all()):
        return c.value(0)
    raise b.refusal(POWERS)


# -- quantised weights


def dequantize(b: Builder, c: Call) -> Value:
    """(x - zero point) * scale of constants: quantised weights."""
    raise b.refusal("what it takes was rounded to integers, and so it jumps: splinescope reads quantised weights only")


def dequantized(arrays: list[Any], attributes: dict[str, Any]) -> np.ndarray:
    """(x - zero point) * scale of constants: for all numbers, along an axis, or in blocks along it."""
    x, scale = (np.asarray(array, np.float64) for array in arrays[:2])
    zero = np.zeros_like(scale) if len(arrays) < 3 or arrays[2] is None else np.asarray(arrays[2], np.float64)
    if scale.size == 1:
        return (x - zero.reshape(())) * scale.reshape(())
    axis = attributes.get("axis", 1) % x.ndim
    if block := attributes.get("block_size"):
        scale, zero = (np.repeat(t, block, axis=axis).take(range(x.shape[axis]), axis=axis) for t in (scale, zero))
    else:
        scale, zero = (t.reshape(-1, *(1,) * (x.ndim - 1 - axis)) for t in (scale, zero))
    return (x - zero) * scale


# -- classical models


def scaler(b: Builder, c: Call) -> Value:
    """(x - offset) * scale."""
    offset, scale = (torch.tensor(c.attributes[name], dtype=torch.float64) for name in ("offset", "scale"))
    return affine.scaled(b, c.value(0), scale, -offset * scale)


def linear_model(b: Builder, c: Call) -> Any:
    """x @ coefficients.T + intercepts; of a classifier with its probabilities as the head."""
    a = c.attributes
    classifier = c.op == "LinearClassifier"
    x = b.variable(c.value(0))
    weight = torch.tensor(a["coefficients"], dtype=torch.float64).reshape(-1, x.shape[-1])
    bias = torch.tensor(a["intercepts"], dtype=torch.float64) if a.get("intercepts") else None
    transform = a.get("post_transform", "NONE")
    value: Value = affine.linear(b, x, weight, bias)
    if classifier and len(weight) == 1 and len(a.get("classlabels_strings") or a.get("classlabels_ints") or ()) == 2:
        raise b.refusal("splinescope does not know it with one row of coefficients for two classes")
    if transform in ("SOFTMAX", "LOGISTIC"):
        value = b.head("softmax", value, -1) if transform == "SOFTMAX" else b.head("sigmoid", value)
    elif transform != "NONE":
        raise b.refusal(f"splinescope does not know its post_transform {transform}")
    return (b.byproduct(), value) if classifier else value


def imputer(b: Builder, c: Call) -> Value:
    """Nothing, where no number is missing: an input that is NaN is none."""
    missing = c.attributes.get("replaced_value_float", math.nan)
    if not math.isnan(missing):
        raise b.refusal(f"it replaces {missing:g} by another number, and so it jumps: it is not continuous")
    return c.value(0)


# -- places

_MODES = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}


def grid_sample(b: Builder, c: Call) -> Value:
    """Interpolation at fixed places: one matrix for all channels."""
    mode, padding = _MODES[c.attributes.get("mode", "linear")], _PADDINGS[c.attributes.get("padding_mode", "zeros")]
    return affine.sampled(b, b.variable(c.value(0)), c.value(1), mode, padding, bool(c.attributes.get("align_corners")))


def columns_to_image(b: Builder, c: Call) -> Value:
    """Patches added up to an image."""
    sizes, block = (c.integers(b, place, name) or [] for place, name in ((1, "image_shape"), (2, "block_shape")))
    places = at_places.window_places(sizes, block, *spatial(c, block, sizes))
    return at_places.folded(b, b.variable(c.value(0)), places, sizes)


def unpool(b: Builder, c: Call) -> Value:
    """Numbers put at constant places of a larger image, which is zero elsewhere."""
    x, places = b.variable(c.value(0)), c.value(1)
    if not isinstance(places, Tensor):
        raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    kernel = list(c.attributes["kernel_shape"])
    strides, _, pads = spatial(c, kernel, x.shape[2:])
    sides = [(n - 1) * s + k - sum(pad) for n, k, s, pad in zip(x.shape[2:], kernel, strides, pads, strict=True)]
    shape = (*x.shape[:2], *sides) if c.get(2) is None else tuple(c.integers(b, 2, "output_shape") or ())
    flat = b.variable(b.reshape(x, (math.prod(x.shape),)))
    return b.reshape(at_places.added(b, flat, places.reshape(-1).numpy(), math.prod(shape)), shape)


def identity(b: Builder, c: Call) -> Value:
    """A constant: it only looks at the shape."""
    rows, columns = c.value(0).shape
    return torch.from_numpy(np.eye(rows, columns, k=int(c.attributes.get("k", 0))))


# -- padding


def pad(b: Builder, c: Call) -> Value:
    """Padding with a number, a mirrored or a repeated image."""
    x = b.variable(c.value(0))
    pads = c.integers(b, 1, "pads" if "pads" in c.attributes else "paddings") or []
    given = c.constant(b, 2)
    value = float(c.attributes.get("value", 0.0) if given is None else given)
    axes = c.integers(b, 3, "axes") or list(range(len(x.shape)))
    widths = [(0, 0)] * len(x.shape)
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        widths[axis % len(x.shape)] = (low, high)
    cut = tuple(slice(max(0, -low), n - max(0, -high)) for n, (low, high) in zip(x.shape, widths, strict=True))
    grow = [(max(0, low), max(0, high)) for low, high in widths]
    mode: Literal["constant", "reflect", "edge", "wrap"] = c.attributes.get("mode", "constant")

    def function(array: np.ndarray, fill: np.ndarray) -> np.ndarray:
        if mode == "constant":
            return np.pad(array[cut], grow, constant_values=fill)
        return np.pad(array[cut], grow, mode=mode)

    return b.rearrange(function, x, torch.tensor(value, dtype=torch.float64))[0]
