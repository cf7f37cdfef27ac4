"""The folds of one layer: where its units have breakpoints, and how near to them counts as on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.ops import Activation
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance
from splinescope.tessellation.rounding import Bounds


@dataclass(frozen=True)
class Folds:
    """The folds of one layer: breakpoints of its units, and how near to them counts as on them.

    Attributes:
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance within which a value is on its breakpoint; infinite where nothing folds.
        slopes: [64 * words] typical slope of each unit over the domain.
        label: Node that the folds belong to.
        units: [B * 64 * words] unit of that node that each column stands for.
    """

    shifts: np.ndarray
    thresholds: np.ndarray
    slopes: np.ndarray
    label: int
    units: np.ndarray

    @property
    def words(self) -> int:
        """Words of 64 bits that hold one sign of every column."""
        return len(self.shifts) * words_for(self.shifts.shape[1])

    @property
    def folding(self) -> np.ndarray:
        """[words] the columns that fold, as bits."""
        levels, units = self.shifts.shape
        mask = np.zeros((levels, 64 * words_for(units)), np.uint8)
        mask[:, :units] = np.isfinite(self.thresholds)
        return np.packbits(mask, bitorder="little").view("<u8").astype(np.uint64)


def _tables(op: Activation, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Breakpoints [B, n], slopes [B + 1, n] and intercepts [B + 1, n] of an activation."""
    return tuple(
        np.ascontiguousarray(np.broadcast_to(np.asarray(p, np.float64).reshape(len(p), -1), (len(p), units)))
        for p in (op.breakpoints, op.slopes, op.intercepts)
    )  # type: ignore[return-value]


def activation_folds(op: Activation, bounds: Bounds, label: int, size: float, tolerance: Tolerance) -> Folds:
    """Folds of an elementwise activation.

    Args:
        op: The activation.
        bounds: Bounds of its input.
        label: Index of its node.
        size: Extent of the domain.
        tolerance: What counts as zero.

    Returns:
        One column for each breakpoint and unit.
    """
    units = len(bounds.error)
    shifts, slopes, _ = _tables(op, units)
    thresholds = tolerance.safety * (bounds.error + UNIT_ROUNDOFF * np.abs(shifts))
    thresholds[np.diff(slopes, axis=0) == 0] = np.inf
    thresholds = np.maximum(thresholds, np.finfo(np.float64).tiny)
    columns = np.tile(np.arange(words_for(units) * WORD, dtype=np.int32), len(shifts))
    return Folds(shifts, thresholds, padded(bounds.magnitude / size), label, columns)


def folds_of(op: Activation, bounds: Bounds, label: int, size: float) -> Folds:
    """Folds of an elementwise activation, whose signs within the bounds are decided exactly.

    Args:
        op: The activation.
        bounds: Bounds of its input, from `measured_bounds`.
        label: Index of its node.
        size: Extent of the domain.

    Returns:
        One column for each breakpoint and unit, named as `activation_column` does.
    """
    units = len(bounds.error)
    shifts, slopes, _ = _tables(op, units)
    thresholds = np.maximum(bounds.error + 2 * UNIT_ROUNDOFF * np.abs(shifts), np.finfo(np.float64).tiny)
    thresholds[np.diff(slopes, axis=0) == 0] = np.inf
    width = words_for(units) * WORD
    columns = (np.arange(len(shifts))[:, None] * units + np.arange(width)).ravel().astype(np.int32)
    return Folds(shifts, thresholds, padded(bounds.magnitude / size), label, columns)


def padded(vector: np.ndarray) -> np.ndarray:
    """A vector filled up with zeros to whole words of columns."""
    return np.concatenate([vector, np.zeros(words_for(len(vector)) * WORD - len(vector))])


def pair_folds(
    errors: tuple[np.ndarray, np.ndarray],
    magnitudes: tuple[np.ndarray, np.ndarray],
    groups: int,
    label: int,
    size: float,
    tolerance: Tolerance,
) -> Folds:
    """Folds where the two candidates of each pair are equal, in one round of a tournament of maxima.

    Args:
        errors: Rounding errors of the first and of the second candidates.
        magnitudes: Their magnitudes.
        groups: Number of groups; pair `i` belongs to group `i % groups`.
        label: Index of the node.
        size: Extent of the domain.
        tolerance: What counts as zero.

    Returns:
        One column for each pair, at which the difference of the candidates vanishes.
    """
    pairs = len(errors[0])
    thresholds = tolerance.safety * (np.hypot(*errors) + UNIT_ROUNDOFF * np.maximum(*magnitudes))
    return Folds(
        np.zeros((1, pairs)),
        np.maximum(thresholds, np.finfo(np.float64).tiny)[None],
        padded(np.maximum(*magnitudes) / size),
        label,
        (np.arange(words_for(pairs) * WORD) % groups).astype(np.int32),
    )
