"""Torch ops that sort, accumulate or scatter, and those that torch itself writes in simpler ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers import lower_places as at_places
from splinescope.network.importers import lower_sorting as sorting
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.refusals import POWERS, PRODUCT, SMOOTH
from splinescope.network.importers.torch_handlers import Arguments, einsum, tensor_of
from splinescope.network.importers.views import Value


def sort(b: Builder, a: Arguments) -> Any:
    """Values in order, and their places."""
    x = b.variable(a["self"])
    return sorting.sort(b, x, a.get("dim", -1), descending=bool(a.get("descending"))), b.byproduct()


def top(b: Builder, a: Arguments) -> Any:
    """The largest or smallest values, and their places."""
    x, k = b.variable(a["self"]), int(a["k"])
    axis = a["dim"] % max(1, len(x.shape))
    ordered = sorting.sort(b, x, axis, descending=bool(a["largest"]))
    return b.rearrange(lambda array: np.take(array, range(k), axis=axis), ordered)[0], b.byproduct()


def order_statistic(b: Builder, a: Arguments) -> Any:
    """The median, which is the lower one of two, or the value of some rank; and its place."""
    x = b.variable(a["self"])
    named = "dim" in a
    if not named:
        x = b.variable(b.reshape(x, (x.size,)))
    axis = a["dim"] % max(1, len(x.shape)) if named else 0
    rank = int(a["k"]) - 1 if "k" in a else (x.shape[axis] - 1) // 2
    ordered = sorting.sort(b, x, axis)

    def taken(array: np.ndarray) -> np.ndarray:
        value = np.take(array, rank, axis=axis)
        return np.expand_dims(value, axis) if a.get("keepdim") else value

    result = b.rearrange(taken, ordered)[0]
    return (result, b.byproduct()) if named else result


def running_maximum(b: Builder, a: Arguments) -> Any:
    """Largest or smallest value so far, and its place."""
    sign = 1.0 if "cummax" in b.op else -1.0
    return sorting.running_maximum(b, b.variable(a["self"]), a["dim"], sign), b.byproduct()


def running_sum(b: Builder, a: Arguments) -> Value:
    """Sum so far along an axis."""
    x = b.variable(a["self"])
    if not x.shape:
        return x
    axis = a["dim"] % len(x.shape)
    return affine.along_axes(b, x, {axis: torch.ones(x.shape[axis], x.shape[axis], dtype=torch.float64).tril()})


def distances(b: Builder, a: Arguments) -> Value:
    """Distances between rows of two matrices, in the norms that are piecewise affine."""
    first, second, p = a["x1"], a["x2"], float(a["p"])
    if p not in (1.0, float("inf")):
        raise b.refusal(POWERS)
    first, second = _unsqueezed(b, first, -2), _unsqueezed(b, second, -3)
    difference = folding.absolute(b, b.variable(affine.add_values(b, first, second, -1.0)))
    last = [len(difference.shape) - 1]
    if p == 1.0:
        return affine.reduce_sum(b, difference, last, False, False)
    return folding.reduce_max(b, difference, last, False)


def _unsqueezed(b: Builder, value: Value, axis: int) -> Value:
    if isinstance(value, Tensor):
        return value.unsqueeze(axis)
    return b.rearrange(lambda array: np.expand_dims(array, axis), b.variable(value))[0]


def vector_norm(b: Builder, a: Arguments) -> Value:
    """The sum, or the largest or least, of absolute values over axes."""
    given = a.get("ord", a.get("p"))
    order = 2.0 if given is None else float(given)
    if order not in (1.0, float("inf"), -float("inf")):
        raise b.refusal(POWERS)
    x = folding.absolute(b, b.variable(a["self"]))
    axes = a.get("dim")
    axes = list(range(len(x.shape))) if axes in (None, []) else [axes] if isinstance(axes, int) else list(axes)
    if order == 1.0:
        return affine.reduce_sum(b, x, axes, bool(a.get("keepdim")), False)
    return folding.reduce_max(b, x, axes, bool(a.get("keepdim")), 1.0 if order > 0 else -1.0)


def distance(b: Builder, a: Arguments) -> Value:
    """The distance between two values, in the norms that are piecewise affine."""
    difference = affine.add_values(b, tensor_of(a["self"]), tensor_of(a["other"]), -1.0)
    return vector_norm(b, {"self": difference, "ord": a.get("p")})


def bilinear(b: Builder, a: Arguments) -> Value:
    """A product of two values with a constant tensor, one of the values being constant."""
    names = "...i,oij,...j->...o"
    result = einsum(b, {"equation": names, "tensors": [a["input1"], a["weight"], a["input2"]]})
    return result if a["bias"] is None else affine.add_values(b, result, a["bias"])


def grid_sample(b: Builder, a: Arguments) -> Value:
    """Interpolation at fixed places: one matrix for all channels."""
    options = (a["interpolation_mode"], a["padding_mode"], a["align_corners"])
    return affine.sampled(b, b.variable(a["input"]), a["grid"], *options)


def power(b: Builder, a: Arguments) -> Value:
    """x to a constant power, where that is affine."""
    exponent = a["exponent"]
    if isinstance(a["self"], Tensor | int | float):
        raise b.refusal(SMOOTH)
    if isinstance(exponent, Tensor) and exponent.numel() == 1:
        exponent = exponent.item()
    if exponent == 1:
        return a["self"]
    raise b.refusal(POWERS)


def softplus(b: Builder, a: Arguments) -> Value:
    """log(1 + exp(beta x)) / beta as the head."""
    beta, threshold = float(a["beta"]), float(a["threshold"])
    if threshold != 20.0:
        raise b.refusal(f"its threshold is {threshold:g}, and splinescope knows 20 only")
    x = affine.scale_and_shift(b, b.variable(a["self"]), b.number(beta), None)
    return affine.scaled(b, b.head("softplus", x), b.number(1.0 / beta), None)


# -- sums into places


def fold(b: Builder, a: Arguments) -> Value:
    """Patches added up to an image."""
    x = b.variable(a["self"])
    height, width = a["output_size"]
    block, steps, padding, strides = (a[name] for name in ("kernel_size", "dilation", "padding", "stride"))
    places = at_places.window_places((height, width), block, strides, steps, [(n, n) for n in padding])
    return at_places.folded(b, x, places, (height, width))


def index_add(b: Builder, a: Arguments) -> Value:
    """Slices added to some places along an axis."""
    if not isinstance(a["index"], Tensor):
        raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    n, axis = a["self"].shape[a["dim"]], a["dim"] % len(a["self"].shape)
    source = a["source"]
    if isinstance(source, Tensor):
        blank = torch.zeros(tuple(a["self"].shape), dtype=torch.float64)
        return affine.add_values(b, a["self"], blank.index_add(axis, a["index"], source.double()), float(a["alpha"]))
    rows = b.rearrange(lambda array: np.moveaxis(array, axis, -1), b.variable(source))[0]
    total = at_places.added(b, rows, a["index"].numpy(), n)
    placed = b.rearrange(lambda array: np.moveaxis(array, -1, axis), total)[0]
    if isinstance(a["self"], Tensor):
        return affine.scaled(b, placed, b.number(float(a["alpha"])), a["self"])
    return affine.add_values(b, a["self"], placed, float(a["alpha"]))


def scatter_add(b: Builder, a: Arguments) -> Value:
    """Numbers added to places that an index names."""
    index = a["index"]
    if not isinstance(index, Tensor):
        raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    shape = tuple(a["self"].shape)
    places = torch.arange(int(np.prod(shape))).reshape(shape).gather(a["dim"], index).reshape(-1).numpy()
    if isinstance(a["src"], Tensor):
        added = torch.zeros(shape, dtype=torch.float64).scatter_add(a["dim"], index, a["src"].double())
        return affine.add_values(b, a["self"], added)
    part = tuple(slice(0, n) for n in index.shape)
    source = b.rearrange(lambda array: array[part].reshape(-1), b.variable(a["src"]))[0]
    placed = b.reshape(at_places.added(b, source, places, int(np.prod(shape))), shape)
    return affine.add_values(b, a["self"], placed)


def scatter(b: Builder, a: Arguments) -> Value:
    """Numbers, or one number, put into places that an index names."""
    index = a["index"]
    if not isinstance(index, Tensor):
        raise b.refusal("it looks up positions that depend on the input, so that its result may jump")
    if a.get("reduce") is not None:
        raise b.refusal(PRODUCT)

    def placed(array: np.ndarray, source: np.ndarray) -> np.ndarray:
        kept, given = (torch.from_numpy(np.ascontiguousarray(v)) for v in (array, source))
        if b.op.split(".")[1] == "index_copy":
            return kept.index_copy(a["dim"], index, given).numpy()
        if b.op.split(".")[1] == "index_fill":
            return kept.index_fill(a["dim"], index, given.reshape(())).numpy()
        return kept.scatter(a["dim"], index, given.expand(index.shape) if source.ndim == 0 else given).numpy()

    source = next(a[name] for name in ("src", "source", "value") if name in a)
    return b.rearrange(placed, *(tensor_of(v) for v in (a["self"], source)))[0]


def fill(b: Builder, a: Arguments) -> Value:
    """One number everywhere."""
    value = tensor_of(a.get("value", 0.0))
    shape = tuple(a["self"].shape)
    return value.expand(shape) if isinstance(value, Tensor) else b.expand(b.variable(value), shape)
