"""What space knows of the folds of a layer beyond their breakpoints: bounds at its vertices, and which coincide."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from splinescope.network.graph import Network
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.thresholds import LayerFolds

_SIMILAR = 2.0**-30
"""Relative difference of projections of rows of weights up to which it is worth asking whether they are multiples."""


def measured(bounds: Bounds, values: np.ndarray) -> Bounds:
    """Bounds, made wider where values are larger than they were at the probes.

    Args:
        bounds: Bounds of a node from probes.
        values: [V, n] its values at vertices.

    Returns:
        Bounds for these.
    """
    largest = np.maximum(values.max(axis=0), -values.min(axis=0))
    magnitude = np.maximum(largest, bounds.magnitude)
    seen = bounds.magnitude > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(seen, bounds.error / bounds.magnitude, 0.0)
        typical = float(np.median(share[seen])) if seen.any() else 0.0
        grown = np.where(seen, magnitude / bounds.magnitude, 1.0)
        error = np.maximum(bounds.error * grown, np.where(seen, 0.0, typical * magnitude))
    return Bounds(magnitude, np.maximum(np.nan_to_num(error), np.finfo(np.float64).tiny))


def families(network: Network, folds: LayerFolds) -> np.ndarray:
    """[64 * words] for each column one of whose form its own is a multiple, by weights and offsets to the last bit."""
    shifts, padded = folds.shifts, folds.columns.padded
    found = np.arange(len(shifts) * padded)
    source = network.nodes[folds.columns.node].inputs[0]
    op = network.nodes[source].affine
    if folds.columns.width or op is None or op.matrix is None:
        return found
    rows = np.column_stack([op.matrix.numpy(), op.offsets(network.nodes[network.nodes[source].inputs[0]].shape)])
    scale = np.abs(rows).max(axis=1)
    generator = np.random.default_rng(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = rows / scale[:, None]
        one, other = (unit @ generator.standard_normal(rows.shape[1]) for _ in range(2))
        angle = one / other
    order = np.argsort(angle)
    near = np.abs(np.diff(angle[order])) <= _SIMILAR * np.abs(angle[order[1:]])
    for place in np.flatnonzero(near):
        first, second = sorted((int(order[place]), int(order[place + 1])))
        ratio = _ratio(rows[first], rows[second])
        if ratio is not None:
            for level, shift in enumerate(shifts):
                if shift[first] == shift[second] and (ratio == 1 or shift[first] == 0):
                    low, high = sorted((found[level * padded + first], found[level * padded + second]))
                    found[found == high] = low
    return found


def _ratio(first: np.ndarray, second: np.ndarray) -> Fraction | None:
    """The number that a row has to be multiplied with to give another one, if there is one."""
    place = int(np.abs(first).argmax())
    if first[place] == 0 or ((first == 0) != (second == 0)).any():
        return None
    ratio = Fraction(second[place]) / Fraction(first[place])
    return ratio if all(Fraction(b) == ratio * Fraction(a) for a, b in zip(first, second, strict=True)) else None
