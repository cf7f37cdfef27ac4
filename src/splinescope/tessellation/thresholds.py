"""The folds of one layer: where its units have breakpoints, how near to them is in doubt, and what columns are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.ops import Activation
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Columns:
    """What the columns of a layer stand for.

    Attributes:
        node: The folding node.
        units: Columns of one level that stand for something.
        padded: All columns of one level.
        width: Members of a group of a max node; 0 for activations.
        groups: Number of groups that take part.
        names: [groups] numbers of these; None for activations.
        total: Number of all groups of the node.
        standing: [F or 1, candidates * groups] position of each candidate of the tournament, by cell.
    """

    node: int
    units: int
    padded: int
    width: int = 0
    groups: int = 1
    names: np.ndarray | None = None
    total: int = 1
    standing: np.ndarray | None = None

    def group(self, columns: np.ndarray) -> np.ndarray:
        """Groups that columns belong to."""
        assert self.names is not None
        return np.asarray(self.names[columns % self.groups])

    def candidates(self, cells: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the first and of the second candidate of pairs, in some cells."""
        assert self.standing is not None
        pair, group = np.divmod(columns, self.groups)
        rows = cells if len(self.standing) > 1 else np.zeros_like(cells)
        left = self.standing[rows, 2 * pair * self.groups + group]
        right = self.standing[rows, (2 * pair + 1) * self.groups + group]
        return left.astype(np.int64), right.astype(np.int64)

    def folds(self, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Numbers of folds of the node (see `maximum_column`) that columns are, in some cells."""
        if not self.width:
            level, unit = np.divmod(columns, self.padded)
            return np.asarray(level * self.units + unit)
        left, right = self.candidates(cells, columns)
        return pair_columns(right, left, self.group(columns), self.total, self.width)


def pair_columns(first: np.ndarray, second: np.ndarray, group: np.ndarray, groups: int, width: int) -> np.ndarray:
    """`maximum_column` of many pairs of members."""
    return np.asarray((first * width + second) * groups + group)


Crossings = Callable[[np.ndarray], np.ndarray]
"""For columns that are given as bits, how many of them cross each cell."""


@dataclass(frozen=True)
class LayerFolds:
    """The folds of one layer: breakpoints of its units, and how near to them counts as on them.

    Attributes:
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distance from its breakpoint within which the sign of a value is in doubt; infinite where
            nothing folds.
        slopes: [64 * words] typical slope of each unit over an extent of the domain: its magnitude.
        columns: What the columns stand for, 64 * words for each level.
    """

    shifts: np.ndarray
    thresholds: np.ndarray
    slopes: np.ndarray
    columns: Columns

    @property
    def words(self) -> int:
        """Words of 64 bits that hold one sign of every column."""
        return len(self.shifts) * words_for(self.shifts.shape[1])

    @cached_property
    def folding(self) -> np.ndarray:
        """[words] the columns that fold, as bits."""
        levels, units = self.shifts.shape
        mask = np.zeros((levels, 64 * words_for(units)), np.uint8)
        mask[:, :units] = np.isfinite(self.thresholds)
        return np.packbits(mask, bitorder="little").view("<u8").astype(np.uint64)

    @property
    def size(self) -> int:
        """Number of units, or of groups that take part."""
        return self.columns.groups if self.columns.width else self.shifts.shape[1]

    def among(self, places: np.ndarray) -> LayerFolds:
        """Those of some units or groups alone, given by their numbers or as a mask; nothing else folds."""
        inside = np.zeros(self.size, bool)
        inside[places] = True
        if inside.all():
            return self
        inside = np.tile(inside, self.shifts.shape[1] // self.size)
        return replace(self, thresholds=np.where(inside, self.thresholds, np.inf))

    def most_cells(self, places: np.ndarray, crossings: Crossings, dimension: int) -> float:
        """How many cells there may be at most when the folds of some units or groups are in.

        Args:
            places: Numbers of the units or groups.
            crossings: How many of some columns, given as bits, cross each cell.
            dimension: Dimension of the cells: k hyperplanes cut one into at most the sum of k over i for i up to it.

        Returns:
            The number.
        """
        rounds = -(-(self.columns.width - 1) // max(1, self.columns.width // 2)) if self.columns.width else 1
        crossing = rounds * crossings(self.among(places).folding).astype(np.float64)
        parts, cells = np.ones_like(crossing), np.ones_like(crossing)
        for i in range(dimension):
            parts = parts * np.maximum(crossing - i, 0.0) / (i + 1)
            cells += parts
        return float(cells.sum())

    def fitting(self, order: np.ndarray, limit: int, crossings: Crossings, dimension: int) -> np.ndarray:
        """The first units or groups whose folds may be inserted so that there are no more cells than allowed.

        Args:
            order: Numbers of the units or groups that are not in.
            limit: Number of cells. One unit or group is inserted in any case.
            crossings: How many of some columns, given as bits, cross each cell.
            dimension: Dimension of the cells.

        Returns:
            The first ones of `order`.
        """
        while len(order) > 1 and self.most_cells(order, crossings, dimension) > limit:
            order = order[: (len(order) + 1) // 2]
        return order


def activation_folds(op: Activation, bounds: Bounds, node: int) -> LayerFolds:
    """Folds of an elementwise activation, whose signs within the bounds are decided exactly.

    Args:
        op: The activation.
        bounds: Bounds of its input, from `measured_bounds`.
        node: Index of its node.

    Returns:
        One column for each breakpoint and unit, level * padded + unit.
    """
    units = len(bounds.error)
    shifts, flat = _breakpoints(op, units)
    thresholds = np.maximum(bounds.error + 4 * UNIT_ROUNDOFF * np.abs(shifts), _TINY)
    thresholds[flat] = np.inf
    return LayerFolds(shifts, thresholds, padded(bounds.magnitude), Columns(node, units, words_for(units) * WORD))


_known: WeakKeyDictionary[Activation, dict[int, tuple[np.ndarray, np.ndarray]]] = WeakKeyDictionary()


def _breakpoints(op: Activation, units: int) -> tuple[np.ndarray, np.ndarray]:
    """[B, units] breakpoints of an activation, and where it has no fold; found once."""
    known = _known.setdefault(op, {})
    if units not in known:
        tables = op.tables(units)
        known[units] = tables.breakpoints, ~tables.folding
    return known[units]


def padded(vector: np.ndarray) -> np.ndarray:
    """A vector filled up with zeros to whole words of columns."""
    return np.concatenate([vector, np.zeros(words_for(len(vector)) * WORD - len(vector))])
