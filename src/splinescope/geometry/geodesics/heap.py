"""A binary heap of numbered items by their keys, as arrays that compiled code fills."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def push(keys: np.ndarray, items: np.ndarray, size: int, key: float, item: int) -> int:
    """Add an item; there has to be room.

    Args:
        keys: Keys, the least first.
        items: Their items.
        size: Number of items.
        key: Key of the new one.
        item: The new one.

    Returns:
        The number of items.
    """
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] <= key:
            break
        keys[at], items[at] = keys[above], items[above]
        at = above
    keys[at], items[at] = key, item
    return size + 1


@njit(cache=True, nogil=True)
def pop(keys: np.ndarray, items: np.ndarray, size: int) -> int:
    """Remove the first item, with the least key, which stands at 0 before.

    Args:
        keys: Keys.
        items: Items.
        size: Their number, at least 1.

    Returns:
        The number of those that are left.
    """
    size -= 1
    key, item = keys[size], items[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[at], items[at] = keys[below], items[below]
        at = below
    keys[at], items[at] = key, item
    return size
