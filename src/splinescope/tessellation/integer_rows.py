"""Weights of an affine op as integers."""

from __future__ import annotations

import numpy as np
from flint import fmpz, fmpz_mat

from splinescope.network.ops import Affine, Dense
from splinescope.tessellation.dyadics import integers


class IntegerRows:
    """Rows of an affine op as integers, each made when it is first asked for."""

    def __init__(self, op: Affine, shape: tuple[int, ...]) -> None:
        self._op, self._shape = op, shape
        flat, self.bias_exponent = integers(op.offsets(shape))
        self._bias = flat
        self._known: dict[int, tuple[np.ndarray, list[fmpz], int]] = {}
        self._matrix: tuple[fmpz_mat, int] | None = None

    @property
    def matrix(self) -> tuple[fmpz_mat, int]:
        """All weights of a dense op, and their power of two."""
        if self._matrix is None:
            assert isinstance(self._op, Dense)
            weight = self._op.weight.numpy()
            flat, exponent = integers(weight)
            self._matrix = fmpz_mat(*weight.shape, flat), exponent
        return self._matrix

    def of(self, unit: int) -> tuple[np.ndarray, list[fmpz], int]:
        """Inputs that a unit reads, its weights, and their power of two."""
        return self._known[unit]

    def bias(self, unit: int) -> fmpz:
        """Offset of a unit."""
        return self._bias[unit]

    def prepare(self, units: np.ndarray) -> None:
        """Make the rows of some units."""
        missing = np.array([unit for unit in units.tolist() if unit not in self._known], np.int64)
        if not len(missing):
            return
        rows = self._op.rows(missing, self._shape)
        rows.eliminate_zeros()
        for i, unit in enumerate(missing.tolist()):
            part = slice(rows.indptr[i], rows.indptr[i + 1])
            self._known[unit] = (rows.indices[part].astype(np.int64), *integers(rows.data[part]))
