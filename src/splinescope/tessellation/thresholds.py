"""The folds of one layer: where its units have breakpoints, and how near to them counts as on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.ops import Activation
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds


@dataclass(frozen=True)
class Folds:
    """The folds of one layer: breakpoints of its units, and how near to them counts as on them.

    Attributes:
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance from its breakpoint within which the sign of a value is in doubt; infinite where
            nothing folds.
        slopes: [64 * words] typical slope of each unit over an extent of the domain: its magnitude.
        label: Node that the folds belong to.
        units: [B * 64 * words] number of the fold that each column stands for.
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


def activation_folds(op: Activation, bounds: Bounds, label: int) -> Folds:
    """Folds of an elementwise activation, whose signs within the bounds are decided exactly.

    Args:
        op: The activation.
        bounds: Bounds of its input, from `measured_bounds`.
        label: Index of its node.

    Returns:
        One column for each breakpoint and unit, level * units + unit.
    """
    units = len(bounds.error)
    tables = op.tables(units)
    shifts = tables.breakpoints
    thresholds = np.maximum(bounds.error + 2 * UNIT_ROUNDOFF * np.abs(shifts), np.finfo(np.float64).tiny)
    thresholds[~tables.folding] = np.inf
    width = words_for(units) * WORD
    columns = (np.arange(len(shifts))[:, None] * units + np.arange(width)).ravel().astype(np.int32)
    return Folds(shifts, thresholds, padded(bounds.magnitude), label, columns)


def padded(vector: np.ndarray) -> np.ndarray:
    """A vector filled up with zeros to whole words of columns."""
    return np.concatenate([vector, np.zeros(words_for(len(vector)) * WORD - len(vector))])
