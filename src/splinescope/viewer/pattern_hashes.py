"""32 bits of the pattern of each cell, straight from packed bits."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer.page_record import mixed


def hashes_of_bits(cells: PlanarComplex) -> np.ndarray | None:
    """The exclusive or of `mixed(unit)` over the units of each cell that are on their second piece.

    Args:
        cells: A planar complex.

    Returns:
        [F] uint32; None where units have more than two pieces.

    Cost: a table of 256 numbers for each eight units, and one look for each eight units of each cell.
    """
    if any(cells.network.folds[codes.node].levels != 1 for codes in cells.codes):
        return None
    found = np.zeros(len(cells), np.uint32)
    for codes, (_, start, stop) in zip(cells.codes, cells.pattern_nodes, strict=True):
        marks = mixed(np.arange(start, stop))
        constant = np.ones(len(marks), bool)
        constant[codes.columns] = False
        found ^= np.bitwise_xor.reduce(marks[constant & (codes.base > 0)], initial=np.uint32(0))
        padded = np.zeros(64 * codes.words.shape[1], np.uint32)
        padded[: len(codes.columns)] = marks[codes.columns]
        table = np.zeros((len(padded) // 8, 256), np.uint32)
        for bit in range(8):
            has = (np.arange(256) >> bit) & 1 > 0
            table[:, has] ^= padded.reshape(-1, 8)[:, bit, None]
        in_ranges(_add_words, len(cells), codes.words, table, found)
    return found


@njit(cache=True, nogil=True)
def _add_words(start: int, stop: int, words: np.ndarray, table: np.ndarray, found: np.ndarray) -> None:
    for cell in range(start, stop):
        mark = found[cell]
        for word in range(words.shape[1]):
            bits = words[cell, word]
            for byte in range(8):
                mark ^= table[8 * word + byte, (bits >> np.uint64(8 * byte)) & np.uint64(255)]
        found[cell] = mark
