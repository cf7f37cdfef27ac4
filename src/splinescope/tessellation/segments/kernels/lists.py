"""Lists of different lengths in one array, with offsets."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int


def chosen_offsets(offsets: Int[np.ndarray, " _"], which: Int[np.ndarray, " k"]) -> Int[np.ndarray, " _"]:
    """Offsets of some of the lists, in the order given.

    Args:
        offsets: Offsets of all lists.
        which: Numbers of the lists.

    Returns:
        [k + 1] offsets.
    """
    return np.concatenate([[0], np.cumsum(np.diff(offsets)[which])])


def chosen_entries(offsets: Int[np.ndarray, " _"], which: Int[np.ndarray, " k"]) -> Int[np.ndarray, " entries"]:
    """Positions of the entries of some of the lists, list after list.

    Args:
        offsets: Offsets of all lists.
        which: Numbers of the lists.

    Returns:
        Positions in the array of all entries.

    Example:
        >>> chosen_entries(np.array([0, 2, 3, 6]), np.array([2, 0])).tolist()
        [3, 4, 5, 0, 1]
    """
    counts = np.diff(offsets)[which]
    moved = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(np.asarray(offsets)[which] - moved, counts)
