"""Running-error analysis: how large values are on a domain, and how well float64 knows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

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
