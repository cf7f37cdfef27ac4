"""Products with matrices that are nearly all zero, by their other numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges

_LEAST = 1 << 12
"""Numbers of a matrix from which it is worth while to leave out zeros."""
_SHARE = 1 / 64
"""Share of numbers that are not zero, at most: a product of all numbers makes about fifty times as many a second."""
_GRAIN = 1 << 16
"""Products of a block that is worth a thread."""


class SparseRows(NamedTuple):
    """The numbers of a matrix that are not zero, row by row.

    Attributes:
        starts: [rows + 1] where each row starts.
        places: Column of each number.
        weights: The numbers.
    """

    starts: np.ndarray
    places: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> SparseRows | None:
        """Those of a matrix, if it is large and nearly all zero.

        Args:
            matrix: [rows, columns] numbers.
        """
        if matrix.size < _LEAST or np.count_nonzero(matrix) > _SHARE * matrix.size:
            return None
        rows, places = np.nonzero(matrix)
        starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
        return cls(starts, places, np.ascontiguousarray(matrix[rows, places]))

    @property
    def longest(self) -> int:
        """Numbers of the longest row."""
        return int(np.diff(self.starts).max(initial=0))

    def mapped(self, x: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
        """Write `x @ matrix.T + bias`; each output is its offset plus its products, from first to last.

        Args:
            x: [batch, columns] numbers.
            bias: [rows] offsets.
            out: [batch, rows] where the result goes.

        Cost: one multiplication for each number that is not zero and each row of `x`.
        """
        grain = max(1, _GRAIN // max(1, len(self.weights)))
        in_ranges(_mapped, len(x), x, self.starts, self.places, self.weights, bias, out, grain=grain)


@njit(cache=True, nogil=True)
def _mapped(
    start: int,
    stop: int,
    x: np.ndarray,
    starts: np.ndarray,
    places: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(start, stop):
        for j in range(len(starts) - 1):
            total = bias[j]
            for k in range(starts[j], starts[j + 1]):
                total += weights[k] * x[i, places[k]]
            out[i, j] = total
