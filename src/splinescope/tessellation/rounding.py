"""Running-error analysis: how large values are on a domain, and how well float64 knows them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Affine, Concatenate, Maximum, Reshape, Sum
from splinescope.numerics import UNIT_ROUNDOFF


@dataclass(frozen=True)
class Bounds:
    """Magnitude and rounding error of the elements of a node.

    Attributes:
        magnitude: [n] largest absolute value on the domain.
        error: [n] estimated absolute rounding error.
    """

    magnitude: np.ndarray
    error: np.ndarray


def input_bounds(inputs: np.ndarray) -> Bounds:
    """Bounds of inputs given at the corners of the domain: [k, n]."""
    magnitude = np.abs(inputs).max(axis=0)
    return Bounds(magnitude, 2 * UNIT_ROUNDOFF * np.full_like(magnitude, magnitude.max(initial=0.0)))


_SOUND = 2.0**-33
"""Share of a unit's magnitude up to which a proved bound is small enough to route its signs by."""


_HIDDEN = 2.0**-20
"""Share of an activation's values from which an error that it may pass on is not hidden among the others."""


def measured_bounds(network: Network, inputs: np.ndarray, safety: float) -> tuple[Bounds, ...]:
    """How near to zero a value of each node may be for its sign to be in doubt.

    Two estimates. A running error bound, which adds up magnitudes and holds for sure; it grows with each layer by the
    norm of the weights' absolute values, and is useless behind some fifteen. And a measured error: the network is
    evaluated twice, the second time with every op's rounding error made anew at random, and the difference is taken
    `safety` times. Neither decides a sign: what is nearer to zero is decided in exact arithmetic.

    Args:
        network: The network.
        inputs: [k, *input_shape] points of the domain.
        safety: Multiple of the measured error.

    Returns:
        Magnitude and doubtful distance of each node: the proved bound where it is small, else the measured one.
    """
    x = torch.from_numpy(np.ascontiguousarray(inputs, np.float64))
    magnitudes, proved = _proved_errors(network, x)
    proved = [np.maximum(error, np.finfo(np.float64).tiny) for error in proved]  # products may underflow
    bounds = [Bounds(m, e) for m, e in zip(magnitudes, proved, strict=True)]
    small = [e <= _SOUND * m for m, e in zip(magnitudes, proved, strict=True)]
    if all(part.all() for part in small):
        return tuple(bounds)
    measured = _measured_errors(network, x)
    for index, part in enumerate(small):
        error = np.maximum(np.minimum(proved[index], safety * measured[index]), np.finfo(np.float64).tiny)
        bounds[index] = Bounds(magnitudes[index], np.where(part, proved[index], error))
    return tuple(bounds)


def _proved_errors(network: Network, x: torch.Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Magnitude of each node at some inputs, and a bound of its rounding error where no value is larger."""
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    tops: dict[int, torch.Tensor] = {}
    proved: dict[int, torch.Tensor] = {}
    magnitudes, errors = [], []
    with torch.no_grad():
        for index, node in enumerate(network.nodes):
            value = node.op.evaluate(*(values[source] for source in node.inputs)) if node.inputs else x
            top = value.abs().amax(dim=0, keepdim=True)
            error = _carried(node.op, [tops[s] for s in node.inputs], [proved[s] for s in node.inputs], top)
            values[index], proved[index] = value, error
            tops[index] = torch.where(top > 0, top, top.max())  # a unit that no input wakes may be large elsewhere
            magnitudes.append(top.reshape(-1).numpy())
            errors.append(error.reshape(-1).numpy())
            for source in set(node.inputs):
                if last[source] == index:
                    del values[source], proved[source], tops[source]
    return magnitudes, errors


def _measured_errors(network: Network, x: torch.Tensor) -> list[np.ndarray]:
    """Largest difference of each node between two evaluations, the second one with rounding errors made anew."""
    generator = np.random.default_rng(0)
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    twins: dict[int, torch.Tensor] = {}
    errors: list[np.ndarray] = []
    with torch.no_grad():
        for index, node in enumerate(network.nodes):
            sources = [values[source] for source in node.inputs]
            value = node.op.evaluate(*sources) if sources else x
            size = _terms(node.op, sources, value)
            twin = node.op.evaluate(*(twins[source] for source in node.inputs)) if sources else x
            if isinstance(node.op, Activation):
                size = size + _hidden(node.op, errors[node.inputs[0]], value) / (2 * UNIT_ROUNDOFF)
            noise = torch.from_numpy(generator.uniform(-1.0, 1.0, tuple(size.shape))) * (2 * UNIT_ROUNDOFF) * size
            values[index], twins[index] = value, twin + noise
            local = 2 * UNIT_ROUNDOFF * size.abs().amax(dim=0)
            difference = (twins[index] - value).abs().amax(dim=0)
            errors.append(torch.maximum(difference, local).reshape(-1).numpy())
            for source in set(node.inputs):
                if last[source] == index:
                    del values[source], twins[source]
    return errors


def _hidden(op: Activation, before: np.ndarray, value: torch.Tensor) -> torch.Tensor:
    """Errors that an activation passes on near its breakpoints, but not where it is flat, as at all inputs tried.

    Elsewhere the difference of two evaluations shows what is passed on. Here it would miss a unit that is dead or
    saturated but for a place of the width of its own rounding error.
    """
    passed = torch.from_numpy(before).reshape(1, -1) * op.slopes.abs().amax(dim=0).reshape(1, -1)
    seen = value.abs().amax(dim=0).reshape(1, -1)
    return torch.where(passed > _HIDDEN * seen, passed, 0.0).reshape(1, *value.shape[1:])


def _terms(op: object, inputs: list[torch.Tensor], value: torch.Tensor) -> torch.Tensor:
    """Sums of the absolute values of the terms that an op adds up."""
    if isinstance(op, Affine):
        return op.magnitude(inputs[0].abs())
    if isinstance(op, Sum):
        return sum(abs(c) * x.abs() for c, x in zip(op.coefficients, inputs, strict=True))  # type: ignore[return-value]
    if isinstance(op, Activation) and not op.is_relu:
        return value.abs() + float(np.abs(op.intercepts.numpy()).max(initial=0.0))
    if isinstance(op, Activation | Maximum | Concatenate | Reshape):
        return torch.zeros_like(value)
    return value.abs()


def _carried(op: object, tops: list[torch.Tensor], errors: list[torch.Tensor], top: torch.Tensor) -> torch.Tensor:
    """A bound on the rounding error of an op's value, from the sizes and errors of its inputs.

    Sums may be taken in any order.
    """
    if not errors:
        return 2 * UNIT_ROUNDOFF * top
    if isinstance(op, Affine):
        size, carried, offset = op.magnitude(torch.cat([tops[0], errors[0], torch.zeros_like(errors[0])])).split(1)
        terms = math.prod(errors[0].shape[1:])
        return (carried - offset).clamp_(min=0.0) * (1 + _SOUND) + (terms + 3) * UNIT_ROUNDOFF * size
    size = _terms(op, tops, top)
    if isinstance(op, Sum):
        total = sum(abs(c) * e for c, e in zip(op.coefficients, errors, strict=True))
        return total + (len(errors) + 1) * UNIT_ROUNDOFF * size
    if isinstance(op, Activation):
        if op.is_relu:
            return errors[0]
        slope = op.slopes.abs().amax(dim=0)
        out = errors[0].reshape(1, -1) * slope.reshape(1, -1)
        return out.reshape(errors[0].shape) + 2 * UNIT_ROUNDOFF * size
    return op.evaluate(*errors)  # type: ignore[attr-defined]


def probes(corners: np.ndarray, count: int = 16) -> np.ndarray:
    """Points of the convex hull of some corners: the corners, and others at random.

    Args:
        corners: [m, d] coordinates.
        count: Number of others.

    Returns:
        [m + count, d] coordinates.
    """
    weights = np.random.default_rng(0).dirichlet(np.full(len(corners), 0.7), count)
    return np.concatenate([corners, weights @ corners])


def _flat(vector: torch.Tensor) -> np.ndarray:
    return vector.reshape(-1).numpy()


def propagate(op: object, inputs: list[Bounds], shapes: list[tuple[int, ...]], magnitude: np.ndarray) -> Bounds:
    """Bounds of a node's output from those of its inputs.

    Args:
        op: The node's op.
        inputs: Bounds of its inputs.
        shapes: Shapes of its inputs.
        magnitude: [n] measured magnitude of the output.

    Returns:
        The output's bounds. Independent errors add in squares.
    """

    def shaped(vector: np.ndarray, index: int = 0) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(vector)).reshape(1, *shapes[index])

    if isinstance(op, Affine):
        local = 2 * UNIT_ROUNDOFF * _flat(op.magnitude(shaped(inputs[0].magnitude)))
        carried = _flat(op.spread(shaped(inputs[0].error ** 2)))
        return Bounds(magnitude, np.sqrt(carried + local**2))
    if isinstance(op, Sum):
        coefficients = np.abs(np.asarray(op.coefficients, np.float64))
        carried = sum(c * c * b.error**2 for c, b in zip(coefficients, inputs, strict=True))
        scale = sum(c * b.magnitude for c, b in zip(coefficients, inputs, strict=True))
        return Bounds(magnitude, np.sqrt(carried + (2 * UNIT_ROUNDOFF * scale) ** 2))
    if isinstance(op, Activation):
        slope = np.abs(_table(op.slopes)).max(axis=0)
        intercept = np.abs(_table(op.intercepts)).max(axis=0)
        return Bounds(magnitude, slope * inputs[0].error + UNIT_ROUNDOFF * intercept)
    if isinstance(op, Maximum):
        index = np.asarray(op.index)
        return Bounds(magnitude, np.where(index >= 0, inputs[0].error[np.maximum(index, 0)], 0.0).max(axis=1))
    if isinstance(op, Concatenate | Reshape):
        tensors = [shaped(bounds.error, i) for i, bounds in enumerate(inputs)]
        return Bounds(magnitude, _flat(op.evaluate(*tensors)))
    raise TypeError(f"no rounding-error rule for {type(op).__name__}")


def _table(parameter: object) -> np.ndarray:
    """Breakpoints, slopes or intercepts of an activation as [pieces, 1 or n]."""
    table = np.asarray(parameter, np.float64)
    return table.reshape(len(table), -1)


def largest(values: np.ndarray) -> np.ndarray:
    """Largest absolute value of each column."""
    return np.maximum(values.max(axis=0), -values.min(axis=0))
