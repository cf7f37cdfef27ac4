"""Weights of an affine op as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpz, fmpz_mat

from splinescope.network.ops import AffineOp
from splinescope.tessellation.dyadics import integers


@dataclass(frozen=True)
class IntegerRow:
    """One row of an affine op.

    Attributes:
        reads: For each input the places there that the row reads.
        weights: Their weights, input by input.
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
        self._bias, self.bias_exponent = integers(op.offsets(*shapes))
        self._known: dict[int, IntegerRow] = {}
        self._matrix: tuple[fmpz_mat, int] | None = None

    @property
    def matrix(self) -> tuple[fmpz_mat, int] | None:
        """All weights of an op that keeps them as a matrix, and their power of two."""
        if self._matrix is None and self._op.matrix is not None:
            weight = self._op.matrix.numpy()
            flat, exponent = integers(weight)
            self._matrix = fmpz_mat(*weight.shape, flat), exponent
        return self._matrix

    def of(self, unit: int) -> IntegerRow:
        """The row of a unit that was prepared."""
        return self._known[unit]

    def bias(self, unit: int) -> fmpz:
        """Offset of a unit."""
        return self._bias[unit]

    def reads(self, units: np.ndarray) -> list[np.ndarray]:
        """For each input, the places there that some units read."""
        self.prepare(units)
        rows = [self._known[unit].reads for unit in units.tolist()]
        return [np.unique(np.concatenate(parts)) for parts in zip(*rows, strict=True)]

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
            places = rows.indices[part].astype(np.int64)
            cuts = np.searchsorted(places, self._starts)
            reads = [places[a:b] - start for a, b, start in zip(cuts, cuts[1:], self._starts, strict=False)]
            self._known[unit] = IntegerRow(reads, *integers(rows.data[part]))
