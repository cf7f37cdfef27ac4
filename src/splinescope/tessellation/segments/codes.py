"""Patterns along segments: that of each first cell, and the bits that change at each breakpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from splinescope.geometry.bits import unpack
from splinescope.tessellation.codes import Codes, NodeCodes
from splinescope.tessellation.segments.kernels.lists import chosen_entries, chosen_offsets

_WORDS = 1 << 22
"""Words that are held at once."""


@dataclass(frozen=True)
class FlipCodes(Codes):
    """Codes of the cells of segments at one node; a network with a million units takes a few bits per cell.

    Attributes:
        node: Index of the node.
        base: [n] bits of the first cell of the first segment.
        first: [S, words] bits of the first cell of each segment, packed.
        starts: [S + 1] first cell of each segment.
        flip_offsets: [F + 1] bits that change between the cell before and each cell; none at first cells.
        flips: [N] the bits.
    """

    node: int
    base: np.ndarray
    first: np.ndarray
    starts: np.ndarray
    flip_offsets: np.ndarray
    flips: np.ndarray

    @cached_property
    def columns(self) -> np.ndarray:  # type: ignore[override]
        """[n] columns of `words`, all of them."""
        return np.arange(len(self.base), dtype=np.int32)

    @cached_property
    def words(self) -> np.ndarray:  # type: ignore[override]
        """[F, words] bits of all cells, packed."""
        return self.full(np.arange(len(self.flip_offsets) - 1))

    def full(self, cells: np.ndarray) -> np.ndarray:
        """[k, words] all bits of some cells, packed: column `c` in bit `c`. Quick if the cells are ascending."""
        out = np.empty((len(cells), self.first.shape[1]), np.uint64)
        segments = np.searchsorted(self.starts, cells, side="right") - 1
        _follow(cells, segments, self.first, self.starts, self.flip_offsets, self.flips, out)
        return out

    def at(self, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """[k] bits, as uint8, at pairs of a cell and a column: words of a part of the cells at a time."""
        out, order = np.zeros(len(cells), np.uint8), np.argsort(cells, kind="stable")
        for part in np.array_split(order, max(1, len(order) * self.first.shape[1] // _WORDS)):
            which, row = np.unique(cells[part], return_inverse=True)
            column = columns[part]
            out[part] = (self.full(which)[row, column >> 6] >> (column & 63).astype(np.uint64)) & np.uint64(1)
        return out

    def taken(self, cells: np.ndarray) -> NodeCodes:
        """The codes of some cells (repeats allowed)."""
        return NodeCodes(self.node, self.base, self.columns, self.full(cells))

    def of_segments(self, segments: np.ndarray) -> FlipCodes:
        """The codes of the cells of some segments, in the order given."""
        cells = chosen_entries(self.starts, segments)
        first = self.first[segments]
        return FlipCodes(
            self.node,
            unpack(first[:1], len(self.base))[0],
            first,
            chosen_offsets(self.starts, segments),
            chosen_offsets(self.flip_offsets, cells),
            self.flips[chosen_entries(self.flip_offsets, cells)],
        )

    def unpacked(self, columns: np.ndarray) -> np.ndarray:
        """[F, len(columns)] bits of the given columns as uint8."""
        return unpack(self.words, len(self.base))[:, columns]


@njit(cache=True, nogil=True)
def _follow(
    cells: np.ndarray,
    segments: np.ndarray,
    first: np.ndarray,
    starts: np.ndarray,
    flip_offsets: np.ndarray,
    flips: np.ndarray,
    out: np.ndarray,
) -> None:
    """Bits of some cells: from the row before if that is on the way, else from the segment's first cell."""
    for row in range(cells.size):
        here = segments[row]
        if row and segments[row - 1] == here and cells[row - 1] <= cells[row]:
            out[row] = out[row - 1]
            low = cells[row - 1] + 1
        else:
            out[row] = first[here]
            low = starts[here] + 1
        for at in range(flip_offsets[low], flip_offsets[cells[row] + 1]):
            out[row, flips[at] >> 6] ^= np.uint64(1) << np.uint64(flips[at] & 63)
