"""How near to zero the values of each node may come along segments before exact arithmetic is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.network.ops import AffineOp
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance
from splinescope.tessellation.rounding import Bounds, measured_bounds
from splinescope.tessellation.segments.grouping import terms_of

_SEGMENTS = 32
"""Segments on which errors are measured."""
_PER_SEGMENT = 3
_AT_LEAST = 16
"""Points on each of them, and in all."""


def doubt_safety(tolerance: Tolerance) -> float:
    """Multiple of measured errors."""
    return 16 * tolerance.safety


def doubtful_distances(
    network: Network, starts: np.ndarray, ends: np.ndarray, tolerance: Tolerance
) -> tuple[Bounds, ...]:
    """Magnitudes, and distances from zero within which signs are in doubt, of all nodes.

    Args:
        network: The network.
        starts: [s, n] flat inputs at the starts of segments.
        ends: [s, n] flat inputs at their ends.
        tolerance: Its `safety`, sixteen times, multiplies measured errors.

    Returns:
        One for each node.
    """
    rows = np.unique(np.linspace(0, len(starts) - 1, _SEGMENTS).astype(np.int64))
    amount = max(_PER_SEGMENT, -(-_AT_LEAST // len(rows)))
    t = np.random.default_rng(0).uniform(size=(len(rows), amount))
    t[:, 0], t[:, 1] = 0.0, 1.0
    low, high = starts[rows][:, None], ends[rows][:, None]
    points = (1.0 - t[:, :, None]) * low + t[:, :, None] * high
    safety = doubt_safety(tolerance)
    with np.errstate(over="ignore"):
        measured = measured_bounds(network, points.reshape(-1, *network.input_shape), terms_of(starts, ends), safety)
    return tuple(_with_local(network, index, measured, safety) for index in range(len(network.nodes)))


def _with_local(network: Network, index: int, measured: tuple[Bounds, ...], safety: float) -> Bounds:
    """Bounds of a node plus some roundings of its own terms: values at breakpoints are interpolated, not evaluated."""
    node, bounds = network.nodes[index], measured[index]
    magnitudes = [measured[source].magnitude for source in node.inputs]
    size = bounds.magnitude
    if node.affine is not None:
        size = local_size(node.affine, magnitudes, [network.nodes[source].shape for source in node.inputs])
    return Bounds(bounds.magnitude, bounds.error + safety * UNIT_ROUNDOFF * size)


def local_size(op: AffineOp, magnitudes: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Sums of the absolute values of the terms of an affine op.

    Args:
        op: The op.
        magnitudes: [n] absolute values of each input.
        shapes: Shape of each input.

    Returns:
        [m] the sums.
    """
    with torch.no_grad():
        inputs = (torch.from_numpy(m.reshape(1, *shape)) for m, shape in zip(magnitudes, shapes, strict=True))
        return np.asarray(op.magnitude(*inputs).reshape(-1).numpy())
