"""Values of a node at all vertices: one row for each vertex, with room for the vertices still to come."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit

from splinescope.geometry.cuts import EdgeCuts
from splinescope.geometry.subdivision import NewVertices
from splinescope.numerics import in_ranges


@njit(cache=True, nogil=True)
def _interpolate(
    start: int, stop: int, values: np.ndarray, base: int, tails: np.ndarray, heads: np.ndarray, fractions: np.ndarray
) -> None:
    for index in range(start, stop):
        tail, head, fraction = tails[index], heads[index], fractions[index]
        for unit in range(values.shape[1]):
            at_tail = values[tail, unit]
            values[base + index, unit] = at_tail + fraction * (values[head, unit] - at_tail)


@njit(cache=True, nogil=True)
def _vanish(start: int, stop: int, values: np.ndarray, base: int, shifts: np.ndarray, cuts: EdgeCuts) -> None:
    """Put the units that cut an edge exactly on their breakpoint at the new vertex."""
    padded = (values.shape[1] + 63) // 64 * 64
    for group in range(start, stop):
        for at in range(cuts.cut_offsets[group], cuts.cut_offsets[group + 1]):
            level = cuts.columns[at] // padded
            unit = cuts.columns[at] - level * padded
            values[base + group, unit] = shifts[level, unit]


class Rows:
    """A growable float64 matrix; pages of the spare room cost nothing until they are written."""

    def __init__(self, values: np.ndarray, length: int | None = None) -> None:
        self._buffer = values
        self.length = len(values) if length is None else length

    @classmethod
    def empty(cls, length: int, columns: int) -> Rows:
        """Uninitialised rows, with room for about twice as many more."""
        return cls(np.empty((3 * length + 4096, columns)), length)

    @property
    def values(self) -> np.ndarray:
        """[length, n] the rows in use."""
        return self._buffer[: self.length]

    @property
    def nbytes(self) -> int:
        """Bytes of the rows in use."""
        return self.length * self._buffer.shape[1] * 8

    def tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        """The rows as a batch of tensors."""
        return torch.from_numpy(self.values).reshape(self.length, *shape)

    def extend(self, new: NewVertices, shifts: np.ndarray | None = None, cuts: EdgeCuts | None = None) -> None:
        """Add rows for new vertices, each interpolated on the segment that it lies on.

        With `cuts`, the units that made a vertex on an edge are put exactly on their breakpoint there.
        """
        base, count = self.length, len(new.tails)
        if base + count > len(self._buffer):
            larger = np.empty((base + count, self._buffer.shape[1]))
            larger[:base] = self.values
            self._buffer = larger
        on = new.on_edges
        in_ranges(_interpolate, on, self._buffer, base, new.tails, new.heads, new.fractions)
        if cuts is not None and shifts is not None:
            in_ranges(_vanish, on, self._buffer, base, shifts, cuts)
        inner = (new.tails[on:], new.heads[on:], new.fractions[on:])
        in_ranges(_interpolate, count - on, self._buffer, base + on, *inner)
        self.length = base + count

    def taken(self, vertices: np.ndarray) -> Rows:
        """A copy of some rows."""
        return Rows(self.values[vertices])
