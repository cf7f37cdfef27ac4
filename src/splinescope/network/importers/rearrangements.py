"""Ops that only move numbers: applied to indices, and behind smooth heads where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from splinescope.network.importers.builder import Builder, Rearrangement
from splinescope.network.importers.views import Smooth, Step, Value, Variable


def move(b: Builder, function: Rearrangement, values: Sequence[Value]) -> Value | list[Variable] | list[Step]:
    """Apply a function that only moves numbers.

    Args:
        b: The builder.
        function: Takes one array for each value and returns an array or a list of arrays; where it makes zeros of
            positions, there is no number.
        values: Variables and constants, at least one of which depends on the input.

    Returns:
        One value, or a list if the function returns a list.
    """
    first = values[0]
    if len(values) == 1 and isinstance(first, Step):
        return _moved_step(function, first)
    if any(isinstance(value, Smooth) for value in values):
        return _behind_head(b, function, values)
    if len(values) == 1 and isinstance(first, Variable) and first.index is None and first.constant is None:
        result = function(np.arange(first.size).reshape(first.shape))
        if isinstance(result, np.ndarray) and _in_order(result, first.size):
            return b.reshape(first, tuple(result.shape))
    several = not isinstance(function(*(np.zeros(tuple(value.shape), np.int64) for value in values)), np.ndarray)
    results = b.rearrange(function, *values)
    return results if several else results[0]


def _moved_step(function: Rearrangement, step: Step) -> Step | list[Step]:
    """One function of numbers, or several, rearranged."""
    result = function(step.positions)
    if isinstance(result, np.ndarray):
        return step.moved(function)  # type: ignore[arg-type]
    return [step.moved(lambda array, place=place: function(array)[place]) for place in range(len(result))]  # type: ignore[misc]


def _in_order(array: np.ndarray, size: int) -> bool:
    return array.size == size and bool((array.reshape(-1) == np.arange(size)).all())


def _behind_head(b: Builder, function: Rearrangement, values: Sequence[Value]) -> Value:
    """Behind a head numbers may be reshaped, and behind an elementwise head also moved."""
    head = next(value for value in values if isinstance(value, Smooth))
    if len(values) == 1:
        result = function(np.arange(1, head.source.size + 1).reshape(head.shape))
        if isinstance(result, np.ndarray) and _in_order(result - 1, head.source.size):
            return b.reshape(head, tuple(result.shape))
        if isinstance(result, np.ndarray) and bool((result > 0).all()):
            axis = None if head.axis is None else _axis_behind(result - 1, head.source.shape, head.axis)
            if head.axis is None or axis is not None:
                source = b.rearrange(function, b.reshape(head.source, head.shape))[0]
                scale, shift = (None if t is None else np.asarray(function(t)) for t in (head.scale, head.shift))
                return replace(head, source=source, shape=source.shape, axis=axis, scale=scale, shift=shift)
    if head.axis is None and all(isinstance(v, Smooth) and (v.name, v.axis) == (head.name, None) for v in values):
        heads = [value for value in values if isinstance(value, Smooth)]
        sources = b.rearrange(function, *(b.reshape(value.source, value.shape) for value in heads))
        scales = function(*(np.ones(v.shape) if v.scale is None else v.scale for v in heads))
        shifts = function(*(np.zeros(v.shape) if v.shift is None else v.shift for v in heads))
        if len(sources) == 1 and isinstance(scales, np.ndarray) and bool((sources[0].positions() >= 0).all()):
            shape = sources[0].shape
            return replace(head, source=sources[0], shape=shape, scale=scales, shift=np.asarray(shifts))
    return b.variable(head)


def _axis_behind(positions: np.ndarray, shape: tuple[int, ...], axis: int) -> int | None:
    """The axis along which moved numbers still are whole groups of a softmax, if there is one.

    Args:
        positions: Where each number comes from, in a flat array of `shape`.
        shape: Shape in which the softmax was taken.
        axis: Its axis.

    Returns:
        The axis of `positions` that has every group of the softmax as a whole, or None.
    """
    inner = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    groups = positions // (inner * shape[axis]) * inner + positions % inner
    for candidate, size in enumerate(positions.shape):
        lines = np.moveaxis(positions, candidate, -1).reshape(-1, size)
        one_group = (
            groups.take(0, candidate).reshape(-1) == np.moveaxis(groups, candidate, -1).reshape(-1, size).T
        ).all()
        if size == shape[axis] and one_group and all(len(set(line)) == size for line in lines.tolist()):
            return candidate
    return None
