r"""A forward pass in float64 that bounds its own rounding errors.

The bound is a running one, and sound: a sum of $n$ products in any order is off by at most
$\gamma_{n+2} (|W| |z| + |b|)$ with $\gamma_m = m u / (1 - m u)$, and passes on at most $|W| e$ of the errors $e$ of its
inputs. Nothing is assumed about signs or independence, and nothing comes from the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from torch import Tensor

from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum, Op
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.stepping import without_gradients

_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)

Range = tuple[Tensor, Tensor]
"""[1, ...] least and largest value of a node over all points."""


@dataclass(frozen=True)
class Passed:
    """One node of a forward pass over some points.

    Attributes:
        index: The node that folds; -1 for the outputs.
        values: [N, n] the values that it reads.
        errors: [1 or N, n] bounds of their errors.
        lowest: [n] least value of each.
        highest: [n] largest value of each.
    """

    index: int
    values: np.ndarray
    errors: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def gamma(operations: int) -> float:
    """The relative error of so many roundings, rounded up itself."""
    product = (operations + 1) * UNIT_ROUNDOFF
    return product / (1.0 - product)


@without_gradients
def forward(
    network: Network,
    inputs: np.ndarray,
    errors: np.ndarray,
    pointwise: bool = False,
    measured: Mapping[int, np.ndarray] | None = None,
    folds: bool = True,
) -> Iterator[Passed]:
    """Values before every folding node, then the outputs, each with bounds of its errors.

    Args:
        network: The network.
        inputs: [N, *input_shape] points.
        errors: [1 or N, n_in] bounds of their errors.
        pointwise: Whether each point has bounds of its own, which are smaller and cost a second pass; otherwise all
            points share one row.
        measured: [1, n] errors of what each folding node reads, taken where they are smaller than the bounds.
        folds: Whether folding nodes are wanted, and not the output alone.

    Yields:
        Folding nodes in order, and last the output.
    """
    values: dict[int, Tensor] = {}
    bounds: dict[int, Tensor] = {}
    ranges: dict[int, Range] = {}
    last = last_uses(network)
    shape = (-1, *network.input_shape)
    for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
        node = network.nodes[index]
        values[index] = value
        if not node.inputs:
            bounds[index] = torch.from_numpy(np.ascontiguousarray(errors)).reshape(shape)
        else:
            if measured is not None and node.fold is not None:
                source = node.inputs[0]
                allowed = torch.from_numpy(measured[index]).reshape(1, *values[source].shape[1:])
                bounds[source] = torch.minimum(bounds[source], allowed)
            read, known = ([table[source] for source in node.inputs] for table in (values, bounds))
            limits = None
            if not pointwise:
                for source in node.inputs:
                    ranges[source] = ranges.get(source) or _range(values[source])
                limits = [ranges[source] for source in node.inputs]
            bounds[index] = bound_of(node.op, read, known, limits)
            if limits and node.fold is not None and node.fold.clamps:
                low, high = limits[0]
                ranges[index] = low.clamp(min=0.0), high.clamp(min=0.0)
        if folds and node.fold is not None:
            source = node.inputs[0]
            yield _passed(index, values[source], bounds[source], ranges.get(source) or _range(values[source]))
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source], bounds[source]
                ranges.pop(source, None)
    yield _passed(-1, values[network.output], bounds[network.output], _range(values[network.output]))


def _passed(index: int, value: Tensor, bound: Tensor, limits: Range) -> Passed:
    errors = bound.reshape(len(bound), -1).numpy()
    lowest, highest = (limit.numpy().ravel() for limit in limits)
    if not (np.isfinite(lowest).all() and np.isfinite(highest).all()):
        fail("overflow", np.arange(0), "values overflow float64")
    flat = value.reshape(len(value), -1).contiguous().numpy()
    return Passed(index, flat, np.nan_to_num(errors, nan=np.inf, posinf=np.inf), lowest, highest)


def _extent(value: Tensor, limits: Range | None) -> Tensor:
    """The largest absolute value over all points as one row, or those of each point."""
    return value.abs() if limits is None else torch.maximum(-limits[0], limits[1])


def _range(value: Tensor) -> Range:
    """Least and largest value over all points."""
    low, high = torch.empty((2, 1, *value.shape[1:]), dtype=torch.float64)
    _extremes(value.reshape(len(value), -1).contiguous().numpy(), low.numpy().ravel(), high.numpy().ravel())
    return low, high


@njit(cache=True, nogil=True)
def _extremes(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Least and largest value of each column; not finite where one of them is not."""
    low[:], high[:] = np.inf, -np.inf
    nothing = np.zeros(low.size)
    for row in range(values.shape[0]):
        for column in range(low.size):
            value = values[row, column]
            low[column] = min(low[column], value)
            high[column] = max(high[column], value)
            nothing[column] += 0.0 * value
    low += nothing
    high += nothing


def bound_of(op: Op, values: list[Tensor], bounds: list[Tensor], ranges: list[Range] | None = None) -> Tensor:
    """Bounds of the errors of one node from those of its inputs: for all points by their ranges, or for each."""
    limits = [None] * len(values) if ranges is None else ranges
    if isinstance(op, Activation):
        return _activation(op, values[0], bounds[0], limits[0])
    if isinstance(op, Maximum):
        return _maximum(op, values[0], bounds[0], limits[0])
    if not op.rounds:
        rows = max(len(part) for part in bounds)  # those of the input may be one row for all points
        return op.carried(*(part.expand(rows, *part.shape[1:]) for part in bounds))
    rate = gamma(op.addends + 2)
    extents = (_extent(value, limit) for value, limit in zip(values, limits, strict=True))
    spread = op.magnitude(*(torch.add(e, b, alpha=1.0 / rate) for e, b in zip(extents, bounds, strict=True)))
    return spread * (rate * (1.0 + 4 * rate)) + op.addends * _SMALLEST


def rounded(op: Op, values: list[Tensor]) -> Tensor:
    """Bounds of what one node adds to the errors of its inputs, at each point."""
    return bound_of(op, values, [torch.zeros_like(value) for value in values])


def _table(parameter: Tensor, like: Tensor) -> Tensor:
    """Breakpoints, slopes or intercepts as [pieces, 1 or n]."""
    return parameter.reshape(len(parameter), -1)


def _activation(op: Activation, value: Tensor, bound: Tensor, limits: Range | None) -> Tensor:
    """An error grows by the steepest slope of the pieces within reach, and by the roundings of the piece."""
    if op.is_relu:
        return bound if limits is not None else torch.where(value >= bound * -(1 + 4 * UNIT_ROUNDOFF), bound, 0.0)
    flat, errors = value.reshape(len(value), -1), bound.reshape(len(bound), -1)
    slopes, breakpoints, intercepts = (_table(p, flat) for p in (op.slopes, op.breakpoints, op.intercepts))
    steep = slopes.abs()
    if limits is None:
        reach = errors * (1 + 4 * UNIT_ROUNDOFF)
        low, high = flat - reach, flat + reach
        slope, several = torch.zeros_like(flat), torch.full_like(flat, -1.0)
        for piece in range(len(steep)):
            near = torch.ones_like(flat, dtype=torch.bool)
            if piece:
                near &= high >= breakpoints[piece - 1]
            if piece < len(breakpoints):
                near &= low <= breakpoints[piece]
            slope = torch.where(near, torch.maximum(slope, steep[piece]), slope)
            several += near
        out = slope * errors
    else:
        out = steep.amax(dim=0) * errors
    # At a breakpoint the two pieces need agree in exact arithmetic only up to the roundings of their parameters.
    gaps = ((slopes[1:] - slopes[:-1]) * breakpoints + (intercepts[1:] - intercepts[:-1])).abs()
    sizes = steep.amax(dim=0) * _extent(value, limits).reshape(-1, flat.shape[1]) + intercepts.abs().amax(dim=0)
    rounding, gap = 4 * UNIT_ROUNDOFF * sizes, gaps.amax(dim=0) if len(gaps) else torch.zeros(1)
    # On a flat piece the value is the intercept as it is, so that two of them tie exactly.
    out = out + (torch.where(slope > 0, rounding, 0.0) + gap * (several > 0) if limits is None else rounding + gap)
    return out.reshape(len(out), *value.shape[1:])


def _maximum(op: Maximum, value: Tensor, bound: Tensor, limits: Range | None) -> Tensor:
    """The largest error of those members that may win: a small candidate does not inherit a large one's error."""
    flat, errors = value.reshape(len(value), -1), bound.reshape(len(bound), -1)
    members = op.members
    low, high = (flat, flat) if limits is None else (limit.reshape(1, -1) for limit in limits)
    best = (low - errors)[:, members].amax(dim=2, keepdim=True)
    reached = torch.where((high + errors)[:, members] >= best, errors[:, members], 0.0)
    out = reached.amax(dim=2)
    return out if op.shape is None else out.reshape(len(out), *op.shape)
