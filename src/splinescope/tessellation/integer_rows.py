"""Weights of an affine op as integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpz, fmpz_mat

from splinescope.network.ops import AffineOp
from splinescope.tessellation.dyadics import integers

_REMEMBERED = 1 << 22
"""Numbers of a matrix up to which its integers are remembered, and that are made at once of a larger one."""


def _matrix(weight: np.ndarray) -> tuple[fmpz_mat, int]:
    flat, exponent = integers(weight)
    return fmpz_mat(*weight.shape, flat), exponent


@dataclass(frozen=True)
class IntegerRow:
    """One row of an affine op.

    Attributes:
        reads: For each input the places there that the row reads; rows of equal ones share the list.
        weights: Their weights, input by input; rows of equal ones share the list.
        exponent: Power of two of the weights.
    """

    reads: list[np.ndarray]
    weights: list[fmpz]
    exponent: int

    @property
    def copies(self) -> bool:
        """Whether the row is one number as it is."""
        return len(self.weights) == 1 and self.exponent == 0 and self.weights[0] == 1


class IntegerRows:
    """Rows of an affine op as integers, each made when it is first asked for."""

    def __init__(self, op: AffineOp, shapes: list[tuple[int, ...]]) -> None:
        self._op, self._shapes = op, shapes
        self._starts = np.cumsum([0, *(np.prod(shape, dtype=np.int64) for shape in shapes)])
        self._known: dict[int, IntegerRow] = {}
        self._weights: dict[bytes, tuple[list[fmpz], int]] = {}  # many rows of a convolution have the same ones
        self._reads: dict[bytes, list[np.ndarray]] = {}
        self._matrix: tuple[fmpz_mat, int] | None = None
        self._products: dict[tuple[int, ...], fmpz_mat] = {}
        self._held = 0

    def blocks(self, units: np.ndarray) -> Iterator[tuple[fmpz_mat, int]]:
        """Rows of an op that keeps its weights as a matrix, block by block, each with its power of two.

        All rows of a matrix that is not too large are remembered.

        Args:
            units: Which rows.
        """
        assert self._op.matrix is not None
        weight = self._op.matrix.numpy()
        count, width = weight.shape
        if weight.size <= _REMEMBERED:
            if self._matrix is None:
                self._matrix = _matrix(weight)
            matrix, power = self._matrix
            if len(units) < count:
                matrix = fmpz_mat(len(units), width, [matrix[u, j] for u in units.tolist() for j in range(width)])
            yield matrix, power
            return
        step = max(1, _REMEMBERED // max(1, width))
        for start in range(0, len(units), step):
            yield _matrix(weight[units[start : start + step]])

    def of(self, unit: int) -> IntegerRow:
        """The row of a unit that was prepared."""
        return self._known[unit]

    def bias(self, unit: int) -> fmpz:
        """Offset of a unit."""
        return self._offsets[0][unit]

    @property
    def bias_exponent(self) -> int:
        """Power of two of the offsets."""
        return self._offsets[1]

    @cached_property
    def _offsets(self) -> tuple[list[fmpz], int]:
        """The offsets as integers, for those who evaluate."""
        return integers(self._op.offsets(*self._shapes))

    def reads(self, units: np.ndarray) -> list[np.ndarray]:
        """For each input, the places there that some units read."""
        alike = [self._known[members[0]].reads for members in self.alike(units)]
        return [np.unique(np.concatenate(parts)) for parts in zip(*alike, strict=True)]

    def alike(self, units: np.ndarray) -> list[list[int]]:
        """Units in groups that read the same places, such as all channels of a convolution at one place."""
        self.prepare(units)
        groups: dict[int, list[int]] = {}
        for unit in units.tolist():
            groups.setdefault(id(self._known[unit].reads), []).append(unit)
        return list(groups.values())

    def matrix(self, units: list[int]) -> fmpz_mat:
        """The weights of units that read the same places, each row times its own power of two.

        Matrices that are not too large are remembered: other places have the same one.
        """
        rows = [self._known[unit].weights for unit in units]
        key = tuple(map(id, rows))
        if key not in self._products:
            matrix = fmpz_mat(len(rows), len(rows[0]), [weight for row in rows for weight in row])
            if self._held + len(rows) * len(rows[0]) > _REMEMBERED:
                return matrix
            self._held += len(rows) * len(rows[0])
            self._products[key] = matrix
        return self._products[key]

    def prepare(self, units: np.ndarray) -> None:
        """Make the rows of some units."""
        missing = np.array([unit for unit in units.tolist() if unit not in self._known], np.int64)
        if not len(missing):
            return
        rows = self._op.rows(missing, *self._shapes)
        rows.eliminate_zeros()
        rows.sort_indices()
        for i, unit in enumerate(missing.tolist()):
            part = slice(rows.indptr[i], rows.indptr[i + 1])
            reads = self._shared(rows.indices[part].astype(np.int64))
            self._known[unit] = IntegerRow(reads, *self._integers(rows.data[part]))

    def _shared(self, places: np.ndarray) -> list[np.ndarray]:
        """Places among all inputs, input by input; made once for rows that read the same ones."""
        key = places.tobytes()
        if key not in self._reads:
            cuts = np.searchsorted(places, self._starts)
            self._reads[key] = [places[a:b] - start for a, b, start in zip(cuts, cuts[1:], self._starts, strict=False)]
        return self._reads[key]

    def _integers(self, weights: np.ndarray) -> tuple[list[fmpz], int]:
        """The integers of a row, made once for rows with the same weights."""
        key = weights.tobytes()
        if key not in self._weights:
            self._weights[key] = integers(weights)
        return self._weights[key]
