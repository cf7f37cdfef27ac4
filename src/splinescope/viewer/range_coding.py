"""An adaptive binary range coder: bits by how likely they were until now, in about as many bits as that surprises.

The decoder in the page (`source/range.ts`) mirrors every step, so that both sides hold the same probabilities.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LOW, RANGE, CACHE, PENDING, LENGTH = range(5)
"""Places of a coder's state."""

PRECISION = 15
"""Bits of a probability."""

RATE = 5
"""A probability moves by this power of one half of the way to each bit."""

MODEL = 128
"""Probabilities of one kind of number: 64 of its length in bits, its second bit by length, and its sign last."""


def coder(models: int, room: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A fresh coder.

    Args:
        models: How many kinds of numbers there are.
        room: Bytes that are written at most.

    Returns:
        State, probabilities and bytes.
    """
    state = np.array([0, 0xFFFFFFFF, 0, 1, 0], np.int64)
    return state, np.full(MODEL * models, 1 << PRECISION - 1, np.int32), np.zeros(room, np.uint8)


@njit(cache=True, nogil=True)
def _shift(state: np.ndarray, out: np.ndarray) -> None:
    low = state[LOW]
    if low < 0xFF000000 or low > 0xFFFFFFFF:
        carry, byte = low >> 32, state[CACHE]
        for _ in range(state[PENDING]):
            out[state[LENGTH]] = (byte + carry) & 0xFF
            state[LENGTH] += 1
            byte = 0xFF
        state[PENDING] = 0
        state[CACHE] = (low >> 24) & 0xFF
    state[PENDING] += 1
    state[LOW] = (low & 0x00FFFFFF) << 8


@njit(cache=True, nogil=True)
def put_bit(state: np.ndarray, chances: np.ndarray, out: np.ndarray, place: int, bit: int) -> None:
    """Append a bit, and learn how likely such a bit is."""
    chance = chances[place]
    bound = (state[RANGE] >> PRECISION) * chance
    if bit == 0:
        state[RANGE] = bound
        chances[place] = chance + (((1 << PRECISION) - chance) >> RATE)
    else:
        state[LOW] += bound
        state[RANGE] -= bound
        chances[place] = chance - (chance >> RATE)
    while state[RANGE] < 1 << 24:
        state[RANGE] <<= 8
        _shift(state, out)


@njit(cache=True, nogil=True)
def put_plain(state: np.ndarray, out: np.ndarray, value: int, bits: int) -> None:
    """Append bits that are as likely as not, the highest first, up to 12 at once."""
    left = bits
    while left > 0:
        taken = min(left, 12)
        left -= taken
        state[RANGE] >>= taken
        state[LOW] += state[RANGE] * ((value >> left) & ((1 << taken) - 1))
        while state[RANGE] < 1 << 24:
            state[RANGE] <<= 8
            _shift(state, out)


@njit(cache=True, nogil=True)
def put_number(state: np.ndarray, chances: np.ndarray, out: np.ndarray, model: int, value: int) -> None:
    """Append a whole number from 0: its length in bits and the bit behind the first by a model, the rest plainly."""
    length, rest = 0, value
    while rest:
        length += 1
        rest >>= 1
    base, node = MODEL * model, 1
    for level in range(5, -1, -1):
        bit = (length >> level) & 1
        put_bit(state, chances, out, base + node, bit)
        node = 2 * node + bit
    if length > 1:
        put_bit(state, chances, out, base + 64 + length, (value >> (length - 2)) & 1)
        put_plain(state, out, value, length - 2)


@njit(cache=True, nogil=True)
def put_signed(state: np.ndarray, chances: np.ndarray, out: np.ndarray, model: int, value: int) -> None:
    """Append a whole number and its sign."""
    put_number(state, chances, out, model, abs(value))
    if value:
        put_bit(state, chances, out, MODEL * model + MODEL - 1, 1 if value < 0 else 0)


@njit(cache=True, nogil=True)
def finish(state: np.ndarray, out: np.ndarray) -> int:
    """End the bytes; how many there are."""
    for _ in range(5):
        _shift(state, out)
    return state[LENGTH]
