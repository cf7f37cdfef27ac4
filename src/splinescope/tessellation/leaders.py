"""Groups of a max node that one member leads everywhere: they have no folds, and no tournament is held in them."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF, in_ranges
from splinescope.tessellation.rounding import Bounds

_BLOCK = 256
"""Groups that are looked at together: their members stay in the cache from vertex to vertex."""


def leaders_of(values: np.ndarray, members: np.ndarray, bounds: Bounds, uncertainty: np.ndarray) -> np.ndarray:
    """The member of each group that is larger than all others on all cells, beyond doubt.

    Values are affine on cells, so that what is larger at their vertices is larger on them. Where all members are zero
    at all vertices, to the last bit, the first one leads, as in a tournament.

    Args:
        values: [V, n] rows of the node that the groups are of; 0.0 only where that is proved.
        members: [groups, size] members, -1 for none.
        bounds: Magnitudes and doubtful distances of the members.
        uncertainty: [V] how well the positions of the vertices are known.

    Returns:
        [groups] position of the leader in its group; -1 where there is none, and for groups that share a member with
        such a one, since values of members are made to agree where these are equal.
    """
    leaders = np.empty(len(members), np.int64)
    tables = (values, members, bounds.error + 4 * UNIT_ROUNDOFF * bounds.magnitude, bounds.magnitude, uncertainty)
    in_ranges(_leaders, len(members), *tables, leaders)
    contested = np.flatnonzero(leaders < 0)
    if len(contested) and len(contested) < len(members):
        shared = np.zeros(values.shape[1] + 1, bool)
        shared[members[contested]] = True
        shared[-1] = False  # of members that there are not
        leaders[shared[members].any(axis=1)] = -1
    return leaders


@njit(cache=True, nogil=True)
def _leaders(
    start: int,
    stop: int,
    values: np.ndarray,
    members: np.ndarray,
    errors: np.ndarray,
    magnitudes: np.ndarray,
    uncertainty: np.ndarray,
    out: np.ndarray,
) -> None:
    """Leaders of the groups `start:stop`, block by block."""
    zero = np.empty(_BLOCK, np.bool_)
    leads = np.empty(_BLOCK, np.bool_)
    for low in range(start, stop, _BLOCK):
        high = min(low + _BLOCK, stop)
        for group in range(low, high):
            out[group] = _first_leader(values[0], members[group])
            zero[group - low] = leads[group - low] = True
        for vertex in range(values.shape[0]):
            row, blurred = values[vertex], uncertainty[vertex]
            for group in range(low, high):
                if leads[group - low]:
                    leads[group - low] = _is_ahead(row, members[group], out[group], errors, magnitudes, blurred)
                if zero[group - low]:
                    zero[group - low] = _is_zero(row, members[group])
        for group in range(low, high):
            if not (leads[group - low] or zero[group - low]):
                out[group] = -1


@njit(cache=True, nogil=True)
def _first_leader(row: np.ndarray, group: np.ndarray) -> int:
    """Position of the largest member at a vertex, the first one of those."""
    best = -1
    for place in range(group.size):
        if group[place] >= 0 and (best < 0 or row[group[place]] > row[group[best]]):
            best = place
    return best


@njit(cache=True, nogil=True)
def _is_ahead(
    row: np.ndarray, group: np.ndarray, leader: int, errors: np.ndarray, magnitudes: np.ndarray, blurred: float
) -> bool:
    """Whether a member is larger than all others at a vertex, beyond doubt."""
    first = group[leader]
    for place in range(group.size):
        other = group[place]
        if other >= 0 and other != first:
            doubt = errors[first] + errors[other] + blurred * (magnitudes[first] + magnitudes[other])
            if not row[first] - row[other] > doubt:
                return False
    return True


@njit(cache=True, nogil=True)
def _is_zero(row: np.ndarray, group: np.ndarray) -> bool:
    """Whether all members are zero at a vertex."""
    others = 0
    for place in range(group.size):
        others += group[place] >= 0 and row[group[place]] != 0.0
    return others == 0
