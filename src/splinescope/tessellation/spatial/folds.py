"""The folds of one layer, as tables for the kernels that insert them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.graph import Network
from splinescope.network.ops import Activation
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.spatial.judge import Columns

_SIMILAR = 2.0**-30
"""Relative difference of projections of rows of weights up to which it is worth asking whether they are multiples."""


@dataclass(frozen=True)
class Folds:
    """The folds of one layer.

    Attributes:
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance within which the sign of a value is in doubt; infinite where nothing folds.
        magnitudes: [n] how much each unit varies over the domain.
        families: [B * 64 * words] a column of whose form this column's one is a multiple.
        columns: What columns stand for.
    """

    shifts: np.ndarray
    thresholds: np.ndarray
    magnitudes: np.ndarray
    families: np.ndarray
    columns: Columns

    @property
    def words(self) -> int:
        """Words of 64 bits that hold one sign of every column."""
        return len(self.shifts) * words_for(self.shifts.shape[1])


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
        error = np.where(seen, bounds.error * (magnitude / bounds.magnitude), typical * magnitude)
    return Bounds(magnitude, np.maximum(np.nan_to_num(error), np.finfo(np.float64).tiny))


def activation_folds(network: Network, index: int, op: Activation, bounds: Bounds) -> Folds:
    """Folds of an elementwise activation.

    Args:
        network: The network.
        index: Index of the activation.
        op: The activation.
        bounds: Bounds of its input.

    Returns:
        One column for each breakpoint and unit.
    """
    units = len(bounds.error)
    tables = op.tables(units)
    shifts = tables.breakpoints
    thresholds = bounds.error + 4 * UNIT_ROUNDOFF * np.abs(shifts)
    thresholds[~tables.folding] = np.inf
    padded = WORD * words_for(units)
    families = _families(network, network.nodes[index].inputs[0], shifts, padded)
    return Folds(shifts, thresholds, bounds.magnitude, families, Columns(index, units, padded))


def _families(network: Network, source: int, shifts: np.ndarray, padded: int) -> np.ndarray:
    """Columns of dense units whose weights and offsets are multiples of those of a unit before, to the last bit."""
    families = np.arange(len(shifts) * padded)
    op = network.nodes[source].affine
    if op is None or op.matrix is None:
        return families
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
                    low, high = sorted((families[level * padded + first], families[level * padded + second]))
                    families[families == high] = low
    return families


def _ratio(first: np.ndarray, second: np.ndarray) -> Fraction | None:
    """The number that a row has to be multiplied with to give another one, if there is one."""
    place = int(np.abs(first).argmax())
    if first[place] == 0 or ((first == 0) != (second == 0)).any():
        return None
    ratio = Fraction(second[place]) / Fraction(first[place])
    return ratio if all(Fraction(b) == ratio * Fraction(a) for a, b in zip(first, second, strict=True)) else None
