"""Arrays as text: byte planes, differences, gzip and letters, so that a page holds its data."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Packer:
    """Arrays that become one text, with a list that says where each is.

    Every array is stored as byte planes: the lowest bytes of all its numbers first, then the next ones. Planes of
    high bytes are nearly constant and compress to nothing.

    Attributes:
        listing: Name, number of entries, bytes of each and whether differences are stored, in the order of the text.
    """

    listing: list[dict[str, Any]] = field(default_factory=list)
    _parts: list[bytes] = field(default_factory=list)

    def add(self, name: str, values: np.ndarray, width: int, *, differences: bool = False) -> None:
        """Append an array of whole numbers.

        Args:
            name: What the page calls it.
            values: [n] whole numbers that fit into `width` bytes without a sign.
            width: Bytes of each, from 1 to 6.
            differences: Store each number less the one before, modulo `2**(8 * width)`.
        """
        numbers = np.ascontiguousarray(values, dtype=np.uint64)
        if differences:
            numbers = np.diff(numbers, prepend=np.uint64(0))
        planes = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]
        self._parts.append(np.ascontiguousarray(planes.T).tobytes())
        self.listing.append({"name": name, "count": len(numbers), "width": width, "differences": differences})

    def add_floats(self, name: str, values: np.ndarray) -> None:
        """Append an array as float32.

        Args:
            name: What the page calls it.
            values: [n] numbers.
        """
        bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
        self.add(name, bits, 4)
        self.listing[-1]["float"] = True

    def add_doubles(self, name: str, values: np.ndarray) -> None:
        """Append an array as float32 where these are the same numbers, else as the upper five bytes of float64.

        Args:
            name: What the page calls it.
            values: [n] numbers.
        """
        with np.errstate(over="ignore"):
            short = np.asarray(values, np.float32)
        if np.array_equal(short, values, equal_nan=True):
            self.add_floats(name, short)
            return
        bits = np.ascontiguousarray(values, dtype="<f8").view("<u8")
        self.add(name, (bits + np.uint64(1 << 23)) >> np.uint64(24), 5)
        self.listing[-1]["double"] = True

    def add_bytes(self, name: str, values: np.ndarray) -> None:
        """Append bytes as they are.

        Args:
            name: What the page calls them.
            values: [n] bytes.
        """
        self.add(name, values, 1)

    def text(self) -> str:
        """All arrays compressed, behind their bytes without and with that in four bytes each, as text."""
        data = b"".join(self._parts)
        packed = gzip.compress(data, 6, mtime=0)
        return as_text(len(data).to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed)


LETTERS = "".join(chr(code) for code in range(33, 127) if chr(code) not in "<&\\")
"""The 91 letters of which a page's data is written; none means anything in HTML."""


def as_text(data: bytes) -> str:
    """Bytes as text: 13 bits in two of 91 letters, 8 % less than base64 takes.

    Args:
        data: Bytes.

    Returns:
        The text, two letters for each 13 bits that were begun.
    """
    count = -(-8 * len(data) // 13)
    padded = np.zeros(13 * count, np.uint8)
    padded[: 8 * len(data)] = np.unpackbits(np.frombuffer(data, np.uint8))
    numbers = np.zeros(count, np.int64)
    for bit in range(13):
        numbers = 2 * numbers + padded[bit::13]
    letters = np.frombuffer(LETTERS.encode("ascii"), np.uint8)
    return np.stack([letters[numbers // 91], letters[numbers % 91]], axis=1).tobytes().decode("ascii")


def hilbert_order(points: np.ndarray) -> np.ndarray:
    """Order of points along a Hilbert curve, on which neighbours in the order are neighbours in the plane.

    Args:
        points: [n, 2] positions.

    Returns:
        [n] indices.
    """
    low = points.min(axis=0, initial=np.inf)
    extent = np.maximum(points.max(axis=0, initial=-np.inf) - low, np.finfo(float).tiny)
    x, y = (np.clip((points - low) / extent * 65535, 0, 65535)).astype(np.int64).T
    return np.argsort(hilbert_places(x, y, 16), kind="stable")


def hilbert_places(x: np.ndarray, y: np.ndarray, bits: int) -> np.ndarray:
    """Places along a Hilbert curve of points of a grid.

    Args:
        x: [n] whole numbers below `2**bits`.
        y: [n] the same.
        bits: Bits of each.

    Returns:
        [n] whole numbers below `4**bits`.
    """
    place, most = np.zeros(len(x), np.int64), (1 << bits) - 1
    for level in range(bits - 1, -1, -1):
        side = 1 << level
        right, upper = (x & side) > 0, (y & side) > 0
        place += side * side * ((3 * right) ^ upper)
        turned = ~upper
        mirrored = turned & right
        x, y = np.where(mirrored, most - x, x), np.where(mirrored, most - y, y)
        x, y = np.where(turned, y, x), np.where(turned, x, y)
    return place
