"""Elementwise functions of one node's numbers that may jump, joined piece by piece.

Comparisons return such functions, and products and choices make continuous ones of them again. Each number is a
function of one number t of a node, affine between breakpoints. What is continuous in the end becomes an activation; the
rest is refused where something else takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from splinescope.network.importers.views import Shape, Step


def constant_step(value: Tensor, like: Step) -> Step:
    """A constant as a function of what another one depends on."""
    array = value.detach().double().numpy()
    shape = np.broadcast_shapes(array.shape, like.shape)
    flat = np.broadcast_to(array, shape)[None]
    positions = np.broadcast_to(like.positions, shape)
    return Step(like.node, positions, np.zeros((0, *shape)), np.zeros_like(flat), flat, like.origin)


def on_one_argument(steps: Sequence[Step]) -> list[Step] | None:
    """Functions broadcast to one shape, if each number of all of them depends on one and the same argument."""
    if len({step.node for step in steps if step.varies.any()}) > 1:
        return None
    shape = np.broadcast_shapes(*(step.shape for step in steps))
    full = [step.moved(lambda array: np.broadcast_to(array, shape)) for step in steps]
    node = next((step.node for step in full if step.varies.any()), full[0].node)
    positions = np.zeros(shape, np.int64)
    taken = np.zeros(shape, np.bool_)
    for step in full:
        if (taken & step.varies & (positions != step.positions)).any():
            return None
        positions = np.where(step.varies & ~taken, step.positions, positions)
        taken |= step.varies
    return [replace(step, node=node, positions=positions) for step in full]


def joined(
    steps: Sequence[Step], function: Callable[..., tuple[np.ndarray, np.ndarray]], extra: np.ndarray | None = None
) -> Step:
    """A function of functions of one argument, piece by piece.

    Args:
        steps: The functions, of one argument and shape.
        function: Takes [P, *shape] middles of the pieces, and for each function its [P, *shape] slopes and offsets on
            them; returns slopes and offsets.
        extra: [B, *shape] further breakpoints.

    Returns:
        The result.
    """
    parts = [step.breaks for step in steps] + ([] if extra is None else [extra])
    breaks = np.sort(np.concatenate(parts), axis=0)
    middles = _middles(breaks, steps[0].shape)
    tables = []
    for step in steps:
        piece = np.zeros(middles.shape, np.int64)
        for row in step.breaks:
            piece += row < middles
        tables += [np.take_along_axis(table, piece, axis=0) for table in (step.slopes, step.offsets)]
    slopes, offsets = (np.array(table, np.float64) for table in function(middles, *tables))
    for place in range(len(breaks) - 1, 0, -1):  # a piece of no length is as the next one
        empty = breaks[place - 1] == breaks[place]
        for table in (slopes, offsets):
            table[place] = np.where(empty, table[place + 1], table[place])
    return replace(steps[0], breaks=breaks, slopes=slopes, offsets=offsets)


def _middles(breaks: np.ndarray, shape: Shape) -> np.ndarray:
    """A point inside each piece."""
    if not len(breaks):
        return np.zeros((1, *shape))
    first, last = breaks[:1] - np.abs(breaks[:1]) - 1.0, breaks[-1:] + np.abs(breaks[-1:]) + 1.0
    return np.concatenate([first, breaks[:-1] + (breaks[1:] - breaks[:-1]) / 2, last])


def above(step: Step, strict: bool) -> Step:
    """1 where a function is positive (not negative, unless `strict`), else 0."""

    def sign(middles: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.where(slope == 0, offset, slope * middles + offset)
        return np.zeros_like(value), (value > 0 if strict else value >= 0).astype(np.float64)

    return joined([step], sign, _crossings(step, np.zeros(step.shape)))


def composed(step: Step, breaks: np.ndarray, slopes: np.ndarray, offsets: np.ndarray) -> Step:
    """An elementwise function, given by tables like those of a step, of a function."""

    def apply(middles: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.where(slope == 0, offset, slope * middles + offset)
        piece = np.zeros(value.shape, np.int64)
        for row in breaks:
            piece += row < value
        outer, constant = (np.take_along_axis(table, piece, axis=0) for table in (slopes, offsets))
        return outer * slope, outer * offset + constant

    return joined([step], apply, np.concatenate([_crossings(step, row) for row in breaks]))


def _crossings(step: Step, level: np.ndarray) -> np.ndarray:
    """[P, *shape] arguments at which a function passes a level inside each piece.

    Where it does not, a breakpoint that is there already stands for one, or zero where there is none.
    """
    slopes, offsets = step.slopes, step.offsets - level
    rising = slopes != 0
    with np.errstate(over="ignore"):
        zeros = np.where(rising, -offsets / np.where(rising, slopes, 1.0), 0.0)
    ends = np.full((1, *step.shape), np.inf)
    low, high = np.concatenate([-ends, step.breaks]), np.concatenate([step.breaks, ends])
    spare = step.breaks[:1] if len(step.breaks) else np.zeros((1, *step.shape))
    return np.where(rising & (zeros > low) & (zeros < high), zeros, spare) + 0.0  # of -0.0 it makes 0.0


def combined(steps: Sequence[Step], function: Callable[..., np.ndarray]) -> Step:
    """A function of functions that have the values 0 and 1."""

    def values(_: np.ndarray, *tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = function(*(table != 0 for table in tables[1::2])).astype(np.float64)
        return np.zeros_like(result), result

    return joined(steps, values)


def chosen(condition: Step, x: Step, y: Step) -> Step:
    """x where a condition holds, else y."""

    def pick(_: np.ndarray, __: np.ndarray, c: np.ndarray, *tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(c != 0, tables[0], tables[2]), np.where(c != 0, tables[1], tables[3])

    return joined([condition, x, y], pick)


def product(x: Step, y: Step) -> Step | None:
    """x times y; None where on some piece neither is constant."""
    curved = []

    def multiply(
        _: np.ndarray, s: np.ndarray, o: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        curved.append(bool((s * t != 0).any()))
        return s * p + t * o, o * p

    result = joined([x, y], multiply)
    return None if curved[0] else result


def total(x: Step, y: Step, alpha: float) -> Step:
    """x plus a multiple of y."""

    def add(_: np.ndarray, s: np.ndarray, o: np.ndarray, t: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return s + alpha * t, o + alpha * p

    return joined([x, y], add)


def tables(step: Step) -> list[list[Tensor]]:
    """Breakpoints, slopes and offsets as tensors, one for each row."""
    rows = (step.breaks, step.slopes, step.offsets)
    return [[torch.from_numpy(np.ascontiguousarray(row)) for row in table] for table in rows]
