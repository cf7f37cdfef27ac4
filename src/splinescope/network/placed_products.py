"""Products of convolutions with Jacobians, in which units of slope zero cost nothing."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.network.masked_products import add_to_rows


@njit(cache=True, nogil=True)
def _alive(slopes: np.ndarray, begins: np.ndarray, channels: np.ndarray) -> None:
    """Channels with slope, place by place, and where those of each place begin."""
    at = 0
    for place in range(slopes.shape[0]):
        begins[place] = at
        for channel in range(slopes.shape[1]):
            if slopes[place, channel] != 0:
                channels[at] = channel
                at += 1
    begins[slopes.shape[0]] = at


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def multiply_at_places(
    start: int,
    stop: int,
    weight: np.ndarray,
    offsets: np.ndarray,
    taps: np.ndarray,
    places: np.ndarray,
    before: np.ndarray,
    given: np.ndarray,
    after: np.ndarray,
    out: np.ndarray,
) -> None:
    """`diag(after) @ W @ given` for some Jacobians and a convolution W; rows of units without slope are left out.

    Args:
        start: First Jacobian.
        stop: One past the last.
        weight: [taps, channels_out, channels] matrices.
        offsets: [places_out + 1] where the terms of each output place begin.
        taps: [terms] which matrix each is multiplied with.
        places: [terms] which place it reads.
        before: [rows, places, channels] slopes of the units that are read; those of slope 0 are left out.
        given: [rows, most, d] rows of the Jacobian for the units that are read, the others left out.
        after: [rows, places_out, channels_out] what rows of the result are multiplied with; those of 0 are left out.
        out: [rows, most, d] where the result is written.
    """
    d = given.shape[2]
    channels = np.empty(before.shape[1] * before.shape[2], np.int64)
    begins = np.empty(before.shape[1] + 1, np.int64)
    chosen = np.empty(after.shape[2] + 3, np.int64)
    sums = np.empty((4, d), given.dtype)
    for row in range(start, stop):
        _alive(before[row], begins, channels)
        source, result = given[row], out[row]
        at = 0
        for place in range(after.shape[1]):
            most = 0
            for channel in range(after.shape[2]):
                if after[row, place, channel] != 0:
                    chosen[most] = channel
                    most += 1
            if most:
                chosen[most : most + 3] = chosen[most - 1]  # where rows are left over, the last one is done again
            for i in range(0, most, 4):
                sums[:] = 0
                for term in range(offsets[place], offsets[place + 1]):
                    low, high = begins[places[term]], begins[places[term] + 1]
                    add_to_rows(weight[taps[term]], chosen[i : i + 4], channels[low:high], source[low:high], sums)
                for j in range(min(4, most - i)):
                    slope = after[row, place, chosen[i + j]]
                    for c in range(d):
                        result[at, c] = slope * sums[j, c]
                    at += 1
        result[at:] = 0
