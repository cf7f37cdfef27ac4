r"""Small dense linear programs: the primal simplex method with a warm start, for cells of few dimensions.

It maximises $c \cdot x$ over $\{x : a_i \cdot x \le \sigma_i\}$ from a feasible point. A state is a point with `n`
constraints that hold it: rows of the program, or "virtual" ones, coordinates that no row has fixed yet. What it
answers is never taken on trust: callers check a witness point for what is claimed to be attained, and the multipliers
(`upper_bound`) for what is claimed not to be.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OPTIMAL, UNBOUNDED, GAVE_UP = 0, 1, 2

VIRTUAL = -1
"""An active constraint that is no row: a direction in which the point may still move both ways."""

NO_ROW = np.int64(-1)
"""No row is meant. One of numpy's numbers: a kernel is compiled anew for each of Python's that is handed to it."""

_FLAT = 1e-14
"""Objective per unit of length along an edge below which the edge is not followed; a hundred roundings."""

_PARALLEL = 1e-12
"""Sine of the angle to a row below which an edge is taken to be parallel to it; steers the search only."""


@njit(cache=True, nogil=True)
def reset(n: int, active: np.ndarray, inverse: np.ndarray, tight: np.ndarray, rows: int) -> None:
    """Forget all active rows: every constraint is virtual, and the inverse is the identity."""
    for k in range(n):
        active[k] = VIRTUAL
        for j in range(n):
            inverse[j, k] = 0.0
        inverse[k, k] = 1.0
    for i in range(rows):
        tight[i] = False


@njit(cache=True, nogil=True)
def _entering(
    n: int, c: np.ndarray, held: int, active: np.ndarray, inverse: np.ndarray, bland: bool
) -> tuple[int, float]:
    """The constraint to leave, and the signed factor that gives its edge unit length; -1 at the optimum."""
    best, steepest, chosen = -1, _FLAT, 0.0
    lowest = np.int64(1) << 62
    for k in range(n):
        if active[k] == held and held != VIRTUAL:
            continue
        multiplier, length = 0.0, 0.0
        for j in range(n):
            multiplier += c[j] * inverse[j, k]
            length += inverse[j, k] * inverse[j, k]
        length = np.sqrt(length)
        slope = multiplier / length
        sign = 1.0
        if active[k] != VIRTUAL or slope < 0.0:
            slope, sign = -slope, -1.0
        if slope > _FLAT:
            if bland:
                if active[k] < lowest:
                    best, chosen, lowest = k, sign / length, active[k]
            elif slope > steepest:
                best, chosen, steepest = k, sign / length, slope
    return best, chosen


@njit(cache=True, nogil=True)
def _blocking(
    rows: int, slack: np.ndarray, tie: np.ndarray, rates: np.ndarray, tight: np.ndarray, skip: int, bland: bool
) -> tuple[int, float]:
    """The row that ends a step, and the step: among those that tie, the one met most squarely."""
    limit = np.inf
    for i in range(rows):
        if rates[i] > _PARALLEL and not tight[i] and i != skip:
            step = max(slack[i], 0.0) / rates[i]
            if step < limit:
                limit = step
    if limit == np.inf:
        return -1, limit
    best, squarest = -1, 0.0
    for i in range(rows):
        if rates[i] > _PARALLEL and not tight[i] and i != skip and slack[i] <= limit * rates[i] + tie[i]:
            if bland:
                return i, max(slack[i], 0.0) / rates[i]
            if rates[i] > squarest:
                best, squarest = i, rates[i]
    return best, max(slack[best], 0.0) / rates[best]


@njit(cache=True, nogil=True)
def slopes_along(
    A: np.ndarray, n: int, rows: int, inverse: np.ndarray, k: int, factor: float, rates: np.ndarray
) -> None:
    """How fast each row is approached along an edge, per unit of its length."""
    for i in range(rows):
        rates[i] = 0.0
    for j in range(n):
        p = factor * inverse[j, k]
        for i in range(rows):
            rates[i] += p * A[j, i]


@njit(cache=True, nogil=True)
def replace(A: np.ndarray, n: int, row: int, k: int, active: np.ndarray, inverse: np.ndarray, w: np.ndarray) -> None:
    """Let a row take the place of constraint `k`, by a rank-one change of the inverse."""
    for j in range(n):
        w[j] = 0.0
        for i in range(n):
            w[j] += A[i, row] * inverse[i, j]
    for i in range(n):
        inverse[i, k] /= w[k]
        for j in range(n):
            if j != k:
                inverse[i, j] -= w[j] * inverse[i, k]
    active[k] = row


@njit(cache=True, nogil=True)
def maximise(
    A: np.ndarray,
    n: int,
    rows: int,
    c: np.ndarray,
    skip: int,
    held: int,
    tie: np.ndarray,
    slack: np.ndarray,
    x: np.ndarray,
    active: np.ndarray,
    inverse: np.ndarray,
    tight: np.ndarray,
    rates: np.ndarray,
    w: np.ndarray,
    limit: int,
    reach: float,
) -> int:
    """Go to a maximum of `c @ x`, in place.

    Args:
        A: [n, rows] rows of unit length, by columns.
        n: Number of variables.
        rows: Number of rows.
        c: [n] objective.
        skip: A row that does not count, or -1.
        held: An active row that stays active, or -1.
        tie: [rows] distances within which rows are met at once.
        slack: [rows] distance of the point to each row, kept up to date.
        x: [n] the point.
        active: [n] the rows that hold it, or `VIRTUAL`.
        inverse: [n, n] columns are the directions that leave one active constraint and keep to the others.
        tight: [rows] whether a row is active.
        rates: [rows] space.
        w: [n] space.
        limit: Steps after which to give up; after half of them the rules that cannot cycle are used.
        reach: How far to go where no row is in the way.

    Returns:
        `OPTIMAL`, `UNBOUNDED` or `GAVE_UP`.
    """
    for step_number in range(limit):
        bland = 2 * step_number > limit
        k, factor = _entering(n, c, held, active, inverse, bland)
        if k < 0:
            return OPTIMAL
        slopes_along(A, n, rows, inverse, k, factor, rates)
        row, step = _blocking(rows, slack, tie, rates, tight, skip, bland)
        if row < 0:
            step = reach
        for j in range(n):
            x[j] += step * factor * inverse[j, k]
        for i in range(rows):
            slack[i] -= step * rates[i]
        if row < 0:
            return UNBOUNDED
        if active[k] != VIRTUAL:
            tight[active[k]] = False
        replace(A, n, row, k, active, inverse, w)
        tight[row] = True
        slack[row] = 0.0
    return GAVE_UP


@njit(cache=True, nogil=True)
def upper_bound(
    A: np.ndarray,
    n: int,
    c: np.ndarray,
    offsets: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    active: np.ndarray,
    inverse: np.ndarray,
    w: np.ndarray,
) -> float:
    r"""What `c @ x` cannot exceed, by the multipliers of the active rows.

    With multipliers $\lambda_k \ge 0$ and the rest $r = c - \sum \lambda_k a_k$, $c \cdot x \le \sum \lambda_k
    \sigma_k + \max_{x \in [low, high]} r \cdot x$. It holds whatever led to the multipliers.
    """
    for j in range(n):
        w[j] = c[j]
    bound = 0.0
    for k in range(n):
        if active[k] == VIRTUAL:
            continue
        multiplier = 0.0
        for j in range(n):
            multiplier += c[j] * inverse[j, k]
        if multiplier > 0.0:
            bound += multiplier * offsets[active[k]]
            for j in range(n):
                w[j] -= multiplier * A[j, active[k]]
    for j in range(n):
        bound += max(w[j] * low[j], w[j] * high[j])
    return bound
