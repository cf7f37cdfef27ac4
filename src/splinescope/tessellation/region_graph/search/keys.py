"""Patterns as short rows of bytes, by which cells are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Keys:
    """How patterns are packed: one bit for each unit with two pieces, then one byte for each other unit.

    Attributes:
        pieces: [columns] largest number of pieces of each unit.
    """

    pieces: np.ndarray

    @cached_property
    def _bits(self) -> np.ndarray:
        return np.flatnonzero(self.pieces <= 2)

    @cached_property
    def _bytes(self) -> np.ndarray:
        return np.flatnonzero(self.pieces > 2)

    @cached_property
    def _place(self) -> np.ndarray:
        """[columns] index among the bits, or among the bytes."""
        place = np.empty(len(self.pieces), np.int64)
        place[self._bits] = np.arange(len(self._bits))
        place[self._bytes] = np.arange(len(self._bytes))
        return place

    @property
    def width(self) -> int:
        """Bytes of a key, at least one."""
        return max(1, -(-len(self._bits) // 8) + len(self._bytes))

    def pack(self, patterns: np.ndarray) -> np.ndarray:
        """[n, columns] patterns to [n, width] bytes."""
        out = np.zeros((len(patterns), self.width), np.uint8)
        packed = -(-len(self._bits) // 8)
        out[:, :packed] = np.packbits(patterns[:, self._bits], axis=1, bitorder="little")
        out[:, packed : packed + len(self._bytes)] = patterns[:, self._bytes]
        return out

    def unpack(self, keys: np.ndarray) -> np.ndarray:
        """[n, width] bytes to [n, columns] patterns."""
        out = np.empty((len(keys), len(self.pieces)), np.uint8)
        packed = -(-len(self._bits) // 8)
        bits = np.unpackbits(keys[:, :packed], axis=1, bitorder="little", count=len(self._bits))
        if not len(self._bytes):
            return bits
        out[:, self._bits] = bits
        out[:, self._bytes] = keys[:, packed : packed + len(self._bytes)]
        return out

    def changed(self, keys: np.ndarray, columns: np.ndarray, pieces: np.ndarray) -> np.ndarray:
        """Keys [n, width] with the piece of one unit each, in column [n], changed to another, [n]."""
        out = keys.copy()
        rows = np.arange(len(keys))
        place, narrow = self._place[columns], self.pieces[columns] <= 2
        at = np.where(narrow, place // 8, -(-len(self._bits) // 8) + place)
        mask = np.where(narrow, 1 << (place % 8), 255).astype(np.uint8)
        value = np.where(narrow, pieces << (place % 8), pieces).astype(np.uint8)
        out[rows, at] = (out[rows, at] & ~mask) | (value & mask)
        return out


def as_bytes(keys: np.ndarray) -> list[bytes]:
    """The rows of an array of bytes as hashable values."""
    joined = np.ascontiguousarray(keys)
    rows: list[bytes] = joined.view(np.dtype((np.void, joined.shape[1]))).ravel().tolist()  # type: ignore[assignment]
    return rows
