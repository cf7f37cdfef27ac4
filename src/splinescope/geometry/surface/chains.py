"""Segments joined end to end into chains."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numba import njit


def join_segments(ends: Int[np.ndarray, "segments 2"]) -> list[Int[np.ndarray, " steps"]]:
    """Join segments that share an end into maximal chains, each segment in one of them.

    A chain goes through an end that exactly two segments share, and stops at any other.

    Args:
        ends: Number, from 0, of the point at the first and second end of each segment.

    Returns:
        For each chain its segments in order: `s` for segment `s` taken forwards and `-1 - s` for it taken
        backwards. Open chains come first.
    """
    count = int(ends.max(initial=-1)) + 1
    degree = np.bincount(ends.ravel(), minlength=count)
    order = np.argsort(ends.ravel(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(degree)])
    steps = np.empty(len(ends), dtype=np.int64)
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    chains = _join(np.ascontiguousarray(ends), degree, order, starts, steps, offsets)
    return np.split(steps, offsets[1:chains]) if chains else []


@njit(cache=True, nogil=True)
def _join(
    ends: np.ndarray, degree: np.ndarray, order: np.ndarray, starts: np.ndarray, steps: np.ndarray, offsets: np.ndarray
) -> int:
    used = np.zeros(len(ends), dtype=np.bool_)
    chains, count = 0, 0
    for closed in range(2):
        for slot in range(2 * len(ends)):
            first = order[slot]
            if used[first >> 1] or (closed == 0 and degree[ends[first >> 1, first & 1]] == 2):
                continue
            entry = first
            while entry >= 0:
                segment, side = entry >> 1, entry & 1
                used[segment] = True
                steps[count] = segment if side == 0 else -1 - segment
                count += 1
                end = ends[segment, 1 - side]
                entry = -1
                if degree[end] == 2:
                    for other in order[starts[end] : starts[end + 1]]:
                        if not used[other >> 1]:
                            entry = other
            chains += 1
            offsets[chains] = count
    return chains
