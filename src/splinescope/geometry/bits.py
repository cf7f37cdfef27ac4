"""Rows of bits: the signs of many units at many vertices, packed into 64-bit words."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WORD = 64


def words_for(columns: int) -> int:
    """Number of 64-bit words that hold `columns` bits."""
    return (columns + WORD - 1) // WORD


@intrinsic
def count_ones(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a uint64 (one machine instruction)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic
def lowest_one(typing_context: Any, word: Any) -> Any:
    """Position of the lowest set bit of a non-zero uint64 (one machine instruction)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@njit(cache=True, nogil=True, inline="always")
def bit_at(row: np.ndarray, column: int) -> bool:
    """Whether bit `column` of a row of words is set."""
    return ((row[column >> 6] >> np.uint64(column & 63)) & np.uint64(1)) != np.uint64(0)


@njit(cache=True, nogil=True)
def pack_signs(
    start: int,
    stop: int,
    values: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    slopes: np.ndarray,
    uncertainty: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
) -> int:
    """Write the signs of `values - shifts` at vertices `start:stop` as bits, where float64 tells them.

    A value sets neither bit, it is in doubt, within its threshold of the shift, and what the uncertainty of the
    vertex's position makes of the unit. Returns the number of words with a doubt.
    Column `b * 64 * words + k` stands for unit `k` and breakpoint `b`.
    """
    units = values.shape[1]
    words = words_of(units)
    doubts = 0
    for vertex in range(start, stop):
        blurred = uncertainty[vertex]
        for level in range(shifts.shape[0]):
            for word in range(words):
                above = np.uint64(0)
                below = np.uint64(0)
                first = word * 64
                for bit in range(min(64, units - first)):
                    unit = first + bit
                    value = values[vertex, unit] - shifts[level, unit]
                    threshold = thresholds[level, unit] + blurred * slopes[unit]
                    above |= np.uint64(value > threshold) << np.uint64(bit)
                    below |= np.uint64(value < -threshold) << np.uint64(bit)
                positive[vertex, level * words + word] = above
                negative[vertex, level * words + word] = below
                doubts += count_ones(above | below) < min(64, units - first)
    return doubts


@njit(cache=True, nogil=True)
def count_bits(rows: np.ndarray) -> np.ndarray:
    """Number of set bits in each row of words."""
    counts = np.zeros(rows.shape[0], np.int64)
    for row in range(rows.shape[0]):
        for word in range(rows.shape[1]):
            counts[row] += count_ones(rows[row, word])
    return counts


@njit(cache=True, nogil=True, inline="always")
def words_of(columns: int) -> int:
    """Compiled twin of `words_for`."""
    return (columns + 63) >> 6


@njit(cache=True, nogil=True)
def unpack(words: np.ndarray, columns: int) -> np.ndarray:
    """Rows of words to a uint8 array of their first `columns` bits."""
    out = np.empty((words.shape[0], columns), np.uint8)
    for row in range(words.shape[0]):
        for column in range(columns):
            out[row, column] = np.uint8((words[row, column >> 6] >> np.uint64(column & 63)) & np.uint64(1))
    return out
