"""Inputs along segments."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges


def embedded(starts: np.ndarray, ends: np.ndarray, which: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Inputs at parameters of segments; both ends are met exactly, and so are coordinates that don't change.

    Args:
        starts: [S, n] flat starts.
        ends: [S, n] flat ends.
        which: [P] number of the segment of each point.
        t: [P] its parameter.

    Returns:
        [P, n] flat inputs.
    """
    out = np.empty((len(t), starts.shape[1]))
    in_ranges(_embed, len(t), starts, ends, which, t, out, grain=256)
    return out


@njit(cache=True, nogil=True)
def _embed(
    start: int, stop: int, starts: np.ndarray, ends: np.ndarray, which: np.ndarray, t: np.ndarray, out: np.ndarray
) -> None:
    for point in range(start, stop):
        a, b, at = starts[which[point]], ends[which[point]], t[point]
        if at <= 0.5:
            for k in range(out.shape[1]):
                out[point, k] = a[k] + at * (b[k] - a[k])
        else:
            for k in range(out.shape[1]):
                out[point, k] = b[k] + (at - 1.0) * (b[k] - a[k])
