"""Which rows of a cell are facets: from cheap proofs to one linear program for each row that is left."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.tessellation.region_graph.programs.simplex import (
    NO_ROW,
    OPTIMAL,
    VIRTUAL,
    maximise,
    replace,
    reset,
    slopes_along,
    upper_bound,
)
from splinescope.tessellation.region_graph.programs.space import (
    FACET,
    REDUNDANT,
    THIN,
    TOUCHING,
    UNDECIDED,
    UNKNOWN,
    Space,
)


@njit(cache=True, nogil=True)
def optimise(s: Space, n: int, rows: int, skip: int, held: int) -> int:
    """Maximise the objective from the present state; see `maximise`."""
    limit = 60 * (n + 1) + 2 * rows
    return maximise(
        s.A, n, rows, s.c, skip, held, s.uncertain, s.slack, s.x, s.active, s.inverse, s.tight, s.rates, s.w, limit,
        s.everywhere[1, 0],
    )  # fmt: skip


@njit(cache=True, nogil=True)
def reach(s: Space, d: int, low: np.ndarray, high: np.ndarray) -> float:
    """What the objective cannot exceed on the cell, which lies between `low` and `high`, by the multipliers."""
    return upper_bound(s.A, d, s.c, s.offsets, low, high, s.active, s.inverse, s.w)


@njit(cache=True, nogil=True)
def multiplied(s: Space, d: int) -> float:
    """How well that is known: the active rows' uncertainties, each times its multiplier."""
    s.steps[:] = 0.0
    return upper_bound(s.A, d, s.c, s.uncertain, s.steps, s.steps, s.active, s.inverse, s.w)


@njit(cache=True, nogil=True)
def _claim(s: Space, d: int, rows: int, row: int) -> bool:
    """Claim a facet if `y`, put onto its row, is inside all other rows by more than these are known."""
    A, offsets, uncertain, y = s.A, s.offsets, s.uncertain, s.y
    distance = offsets[row]
    for j in range(d):
        distance -= A[j, row] * y[j]
    for j in range(d):
        y[j] += distance * A[j, row]
    for i in range(rows):
        distance = offsets[i]
        for j in range(d):
            distance -= A[j, i] * y[j]
        if i != row and not distance > uncertain[i]:
            return False
    s.status[row] = FACET
    for j in range(d):
        s.witnesses[row, j] = y[j]
    return True


@njit(cache=True, nogil=True)
def _claim_by_shots(s: Space, d: int, rows: int) -> None:
    """Claim the rows that a ray from the centre, straight towards them, meets first."""
    for row in range(rows):
        for j in range(d):
            s.y[j] = s.offsets[row] * s.A[j, row]
        _claim(s, d, rows, row)


@njit(cache=True, nogil=True)
def _claim_at_vertex(s: Space, d: int, rows: int) -> None:
    """Claim the rows through a simple vertex: the mean of it and its neighbours along a row is that facet's witness."""
    active, slack, rates, steps, y = s.active, s.slack, s.rates, s.steps, s.y
    settled = True
    for k in range(d):
        if active[k] == VIRTUAL:
            return
        settled = settled and s.status[active[k]] != UNKNOWN
    if settled:
        return
    for i in range(rows):
        if not s.tight[i] and slack[i] <= 2.0 * s.uncertain[i]:
            return
    for k in range(d):
        slopes_along(s.A, d, rows, s.inverse, k, -1.0, rates)
        steps[k] = np.inf
        for i in range(rows):
            if not s.tight[i] and rates[i] > 0.0:
                steps[k] = min(steps[k], slack[i] / rates[i])
        if steps[k] == np.inf:
            return
    for k in range(d):
        if s.status[active[k]] == UNKNOWN:
            for j in range(d):
                y[j] = s.x[j]
                for other in range(d):
                    if other != k:
                        y[j] -= steps[other] * s.inverse[j, other] / d
            _claim(s, d, rows, active[k])


@njit(cache=True, nogil=True)
def _widest(s: Space, d: int, rows: int, row: int) -> None:
    """Put the centre of the largest ball in a facet into `y`, from a point of the facet there.

    In the facet's own space the other rows are at distances divided by the sine of their angle to it.
    """
    A = s.A
    steepest = 0
    for i in range(rows):
        cosine, s.slack[i] = 0.0, s.offsets[i]
        for j in range(d):
            cosine += A[j, i] * A[j, row]
            s.slack[i] -= A[j, i] * s.y[j]
        s.slack[i] = max(s.slack[i], 0.0)
        A[d, i] = np.sqrt(max(1.0 - cosine * cosine, 0.0))
    A[d, row], s.slack[row] = 0.0, 0.0
    for j in range(d):
        s.x[j], s.c[j] = s.y[j], 0.0
        if abs(A[j, row]) > abs(A[steepest, row]):
            steepest = j
    s.x[d], s.c[d] = 0.0, 1.0
    reset(d + 1, s.active, s.inverse, s.tight, rows)
    replace(A, d + 1, row, steepest, s.active, s.inverse, s.w)
    s.tight[row] = True
    optimise(s, d + 1, rows, NO_ROW, row)
    for j in range(d):
        s.y[j] = s.x[j]


@njit(cache=True, nogil=True)
def _decide_without(s: Space, d: int, rows: int, row: int) -> int:
    """Decide a row that the cell meets: how far would the cell reach, if the row were not there?

    The state is not feasible afterwards.
    """
    for k in range(d):
        if s.active[k] == row:
            s.active[k] = VIRTUAL
    s.tight[row] = False
    status = optimise(s, d, rows, row, NO_ROW)
    uncertain = s.uncertain[row]
    beyond = -s.offsets[row]
    for j in range(d):
        beyond += s.A[j, row] * s.x[j]
    if beyond > uncertain:
        share = s.offsets[row] / (s.offsets[row] + beyond)
        for j in range(d):
            s.y[j] = share * s.x[j]
        if _claim(s, d, rows, row):
            return FACET
    if status == OPTIMAL:
        farthest = reach(s, d, s.everywhere[0], s.everywhere[1])
        if farthest - s.offsets[row] <= 2.0 * (uncertain + multiplied(s, d)):
            return TOUCHING
    if beyond > uncertain:
        _widest(s, d, rows, row)
        return FACET if _claim(s, d, rows, row) else THIN
    return UNDECIDED


@njit(cache=True, nogil=True)
def decide_rows(s: Space, d: int, rows: int) -> None:
    """Decide every row of a cell whose bounding box is known, from a vertex of the cell."""
    status = s.status
    for i in range(rows):
        status[i], s.slack[i] = UNKNOWN, s.offsets[i]
        for j in range(d):
            s.slack[i] -= s.A[j, i] * s.x[j]
    _claim_by_shots(s, d, rows)
    _claim_at_vertex(s, d, rows)
    for row in range(rows):
        if status[row] != UNKNOWN:
            continue
        for j in range(d):
            s.c[j] = s.A[j, row]
        optimise(s, d, rows, NO_ROW, NO_ROW)
        farthest = reach(s, d, s.box[0], s.box[1])
        if farthest + multiplied(s, d) < s.offsets[row] - s.uncertain[row]:
            status[row] = REDUNDANT
            continue
        _claim_at_vertex(s, d, rows)
        if status[row] == UNKNOWN:
            s.kept_x[:], s.kept_active[:], s.kept_inverse[:, :] = s.x, s.active, s.inverse
            s.kept_slack[:rows], s.kept_tight[:rows] = s.slack[:rows], s.tight[:rows]
            status[row] = _decide_without(s, d, rows, row)
            s.x[:], s.active[:], s.inverse[:, :] = s.kept_x, s.kept_active, s.kept_inverse
            s.slack[:rows], s.tight[:rows] = s.kept_slack[:rows], s.kept_tight[:rows]
