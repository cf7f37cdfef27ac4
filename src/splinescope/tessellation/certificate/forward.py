r"""A forward pass in float64 that bounds its own rounding errors.

The bound is a running one, and sound: a sum of $n$ products in any order is off by at most
$\gamma_{n+2} (|W| |z| + |b|)$ with $\gamma_m = m u / (1 - m u)$, and passes on at most $|W| e$ of the errors $e$ of its
inputs. Nothing is assumed about signs or independence, and nothing comes from the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import (
    Activation,
    Affine,
    AxisMap,
    Concatenate,
    Convolution,
    Dense,
    Maximum,
    Op,
    Reshape,
    Scale,
    Select,
    SharedDense,
    Sum,
    TransposedConvolution,
)
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.stepping import without_gradients

_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


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


def terms(op: Op) -> int:
    """Largest number of products that one output of an affine op sums, the bias counted as one."""
    if isinstance(op, Dense | SharedDense):
        return int(op.weight.shape[1]) + 1
    if isinstance(op, Convolution):
        return int(op.weight[0].numel()) + 1
    if isinstance(op, TransposedConvolution):
        return int(op.weight.numel()) // int(op.weight.shape[1]) + 1
    if isinstance(op, AxisMap):
        return sum(int(matrix.shape[1]) + 1 for matrix in op.matrices)
    if isinstance(op, Scale):
        return 2
    if isinstance(op, Select):
        return 1
    raise TypeError(f"no rounding-error rule for {type(op).__name__}")


@without_gradients
def forward(network: Network, inputs: np.ndarray, errors: np.ndarray, pointwise: bool = False) -> Iterator[Passed]:
    """Values before every folding node, then the outputs, each with bounds of its errors.

    Args:
        network: The network.
        inputs: [N, *input_shape] points.
        errors: [1 or N, n_in] bounds of their errors.
        pointwise: Whether each point has bounds of its own, which are smaller and cost a second pass; otherwise all
            points share one row.

    Yields:
        Folding nodes in order, and last the output.
    """
    points = len(inputs)
    values: dict[int, Tensor] = {}
    bounds: dict[int, Tensor] = {}
    last = last_uses(network)
    shape = (-1, *network.input_shape)
    for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
        node = network.nodes[index]
        values[index] = value
        if node.inputs:
            sources = [values[source] for source in node.inputs]
            bounds[index] = _bound(node.op, sources, [bounds[source] for source in node.inputs], pointwise)
        else:
            bounds[index] = torch.from_numpy(np.ascontiguousarray(errors)).reshape(shape)
        if isinstance(node.op, Activation | Maximum):
            yield _passed(index, values[node.inputs[0]], bounds[node.inputs[0]], points)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source], bounds[source]
    yield _passed(-1, values[network.output], bounds[network.output], points)


def _passed(index: int, value: Tensor, bound: Tensor, points: int) -> Passed:
    flat, errors = value.reshape(points, -1).numpy(), bound.reshape(len(bound), -1).numpy()
    lowest, highest = flat.min(axis=0), flat.max(axis=0)
    if not (np.isfinite(lowest).all() and np.isfinite(highest).all()):
        fail("overflow", np.arange(0), "values overflow float64")
    return Passed(index, flat, np.nan_to_num(errors, nan=np.inf, posinf=np.inf), lowest, highest)


def _extent(value: Tensor, pointwise: bool) -> Tensor:
    """Absolute values at each point, or the largest one over all points as one row."""
    if pointwise:
        return value.abs()
    low, high = _range(value)
    return torch.maximum(-low, high)


def _range(value: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest value over all points, as one row each (by numpy, which is ten times as fast as torch here)."""
    numbers = value.numpy()
    low, high = numbers.min(axis=0, keepdims=True), numbers.max(axis=0, keepdims=True)
    return torch.from_numpy(low), torch.from_numpy(high)


def _bound(op: Op, values: list[Tensor], bounds: list[Tensor], pointwise: bool) -> Tensor:
    """Bounds of the errors of one node from those of its inputs."""
    value, bound = values[0], bounds[0]
    if isinstance(op, Select) and op.constant is None:
        return op.magnitude(bound)
    if isinstance(op, Affine):
        rate = gamma(terms(op) + 2)
        spread = op.magnitude(torch.add(_extent(value, pointwise), bound, alpha=1.0 / rate))
        return spread * (rate * (1.0 + 4 * rate)) + terms(op) * _SMALLEST
    if isinstance(op, Sum):
        rate = gamma(len(values) + 2)
        total = sum(
            abs(float(c)) * ((1.0 + rate) * b + rate * _extent(v, pointwise))
            for c, v, b in zip(op.coefficients, values, bounds, strict=True)
        )
        assert isinstance(total, Tensor)
        return total * (1.0 + 4 * rate)
    if isinstance(op, Activation):
        return _activation(op, value, bound, pointwise)
    if isinstance(op, Maximum):
        return _maximum(op, value, bound, pointwise)
    if isinstance(op, Concatenate | Reshape):
        rows = max(len(part) for part in bounds)  # those of the input may be one row for all points
        return op.evaluate(*(part.expand(rows, *part.shape[1:]) for part in bounds))
    raise TypeError(f"no rounding-error rule for {type(op).__name__}")


def rounded(op: Op, values: list[Tensor]) -> Tensor:
    """Bounds of what one node adds to the errors of its inputs, at each point."""
    return _bound(op, values, [torch.zeros_like(value) for value in values], True)


def _table(parameter: Tensor, like: Tensor) -> Tensor:
    """Breakpoints, slopes or intercepts as [pieces, 1 or n]."""
    return parameter.reshape(len(parameter), -1)


def _activation(op: Activation, value: Tensor, bound: Tensor, pointwise: bool) -> Tensor:
    """An error grows by the steepest slope of the pieces within reach, and by the roundings of the piece."""
    flat, errors = value.reshape(len(value), -1), bound.reshape(len(bound), -1)
    slopes, breakpoints, intercepts = (_table(p, flat) for p in (op.slopes, op.breakpoints, op.intercepts))
    steep = slopes.abs()
    if pointwise:
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
    if op.is_relu:
        return out.reshape(len(out), *value.shape[1:])
    # At a breakpoint the two pieces need agree in exact arithmetic only up to the roundings of their parameters.
    gaps = ((slopes[1:] - slopes[:-1]) * breakpoints + (intercepts[1:] - intercepts[:-1])).abs()
    sizes = steep.amax(dim=0) * _extent(flat, pointwise) + intercepts.abs().amax(dim=0)
    rounding, gap = 4 * UNIT_ROUNDOFF * sizes, gaps.amax(dim=0) if len(gaps) else torch.zeros(1)
    # On a flat piece the value is the intercept as it is, so that two of them tie exactly.
    out = out + (torch.where(slope > 0, rounding, 0.0) + gap * (several > 0) if pointwise else rounding + gap)
    return out.reshape(len(out), *value.shape[1:])


def _maximum(op: Maximum, value: Tensor, bound: Tensor, pointwise: bool) -> Tensor:
    """The largest error of those members that may win: a small candidate does not inherit a large one's error."""
    flat, errors = value.reshape(len(value), -1), bound.reshape(len(bound), -1)
    members = op.members
    if pointwise:
        low, high = flat, flat
    else:
        low, high = _range(flat)
    best = (low - errors)[:, members].amax(dim=2, keepdim=True)
    reached = torch.where((high + errors)[:, members] >= best, errors[:, members], 0.0)
    out = reached.amax(dim=2)
    return out if op.shape is None else out.reshape(len(out), *op.shape)
