r"""Proof that the recorded facets of a cell are all of its facets, and all facets: by multipliers and by witnesses.

The rows of all units that hold on the cell are made anew from its pattern, around its interior point, each with a bound
of its error. The interior point is inside of all of them by more. Every row that is not recorded as a facet is out of
reach of those that are: multipliers $\lambda \ge 0$ with $\sum \lambda_k a_k$ near $a_i$ show it, whoever found them.
Most rows do not even reach the box around what the facets bound, in which the interior point and the facets' points
lie: these need no further look. Every recorded facet has its point farther inside of all other rows than these are
known. What is not shown so, cell by cell, is left to rational arithmetic.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.programs.cells import BOXED, FLOOR, row_length
from splinescope.tessellation.region_graph.programs.facets import multiplied, optimise, reach
from splinescope.tessellation.region_graph.programs.simplex import NO_ROW, reset
from splinescope.tessellation.region_graph.programs.space import ABSENT, Space

SHOWN, DOUBTFUL, WRONG = 0, 1, 2
"""What became of a cell."""


@njit(cache=True, nogil=True)
def _take(
    s: Space, gradients: np.ndarray, values: np.ndarray, errors: np.ndarray, rows: np.ndarray, count: int
) -> tuple[int, int]:
    """Take in some rows after the first `count`, with unit normals; returns the number and what can be said already."""
    d, verdict = gradients.shape[0], SHOWN
    extent = s.everywhere[1, 0]
    floor = FLOOR * (d + 4) * UNIT_ROUNDOFF * extent
    for i in rows:
        if values[i] == ABSENT:
            continue
        length = row_length(gradients, d, i)
        if length * extent <= errors[i]:
            if values[i] > errors[i]:
                return count, WRONG
            if values[i] >= -errors[i] and errors[i] > 0.0:
                verdict = DOUBTFUL
            continue
        for j in range(d):
            s.A[j, count] = gradients[j, i] / length
        s.offsets[count], s.uncertain[count] = -values[i] / length, errors[i] / length + floor
        if not s.offsets[count] > s.uncertain[count]:
            verdict = DOUBTFUL
        s.ids[count] = i
        count += 1
    return count, verdict


@njit(cache=True, nogil=True)
def _near(s: Space, gradients: np.ndarray, values: np.ndarray, errors: np.ndarray, recorded: np.ndarray) -> int:
    """Put the rows that may reach the box, but for those recorded, into `place`; returns their number."""
    d, rows, count = gradients.shape[0], len(values), 0
    reached, extent = s.rates, s.everywhere[1, 0]
    floor = FLOOR * (d + 4) * UNIT_ROUNDOFF * extent
    for i in range(rows):
        reached[i] = values[i] + errors[i]
    for j in range(d):
        middle, half = 0.5 * (s.box[0, j] + s.box[1, j]), 0.5 * (s.box[1, j] - s.box[0, j]) + floor
        for i in range(rows):
            reached[i] += gradients[j, i] * middle + abs(gradients[j, i]) * half
    for i in recorded:
        reached[i] = ABSENT
    for i in range(rows):
        if not reached[i] < 0.0:
            s.place[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True)
def _bounded(s: Space, d: int, facets: int) -> None:
    """Bounds of each coordinate on what the facets bound; leaves the state at a vertex."""
    low, high, c = s.box[0], s.box[1], s.c
    for i in range(facets):
        s.slack[i] = s.offsets[i]
    if d > BOXED:
        s.box[:, :] = s.everywhere
        s.x[:] = 0.0
        reset(d, s.active, s.inverse, s.tight, facets)
        return
    for j in range(d):
        s.x[j], c[j] = 0.0, 0.0
        low[j], high[j] = s.everywhere[0, j], s.everywhere[1, j]
    reset(d, s.active, s.inverse, s.tight, facets)
    for sign in (1.0, -1.0):
        for j in range(d):
            c[j] = sign
            optimise(s, d, facets, NO_ROW, NO_ROW)
            bound = reach(s, d, low, high) + multiplied(s, d)
            c[j] = 0.0
            if sign > 0:
                high[j] = min(high[j], bound)
            else:
                low[j] = max(low[j], -bound)


@njit(cache=True, nogil=True)
def _passed(s: Space, d: int, facets: int, row: int) -> bool:
    """Whether the way from the interior point to `x` leaves a row behind while it is inside of the facets for sure."""
    beyond = 0.0
    for j in range(d):
        beyond += s.A[j, row] * s.x[j]
    if not beyond > s.offsets[row]:
        return False
    share = 0.5 * (1.0 + s.offsets[row] / beyond)
    if not share * beyond - s.offsets[row] > s.uncertain[row]:
        return False
    for i in range(facets):
        room = s.offsets[i]
        for j in range(d):
            room -= share * s.A[j, i] * s.x[j]
        if not room > s.uncertain[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _implied(s: Space, d: int, facets: int, rows: int) -> int:
    """Whether all other rows are out of reach of the facets."""
    verdict = SHOWN
    for i in range(facets, rows):
        farthest = 0.0
        for j in range(d):
            farthest += max(s.A[j, i] * s.box[0, j], s.A[j, i] * s.box[1, j])
        if farthest < s.offsets[i] - s.uncertain[i]:
            continue
        for j in range(d):
            s.c[j] = s.A[j, i]
        optimise(s, d, facets, NO_ROW, NO_ROW)
        if not reach(s, d, s.box[0], s.box[1]) + multiplied(s, d) < s.offsets[i] - s.uncertain[i]:
            if _passed(s, d, facets, i):
                return WRONG
            verdict = DOUBTFUL
    return verdict


@njit(cache=True, nogil=True)
def _witnessed(s: Space, d: int, facets: int, rows: int, points: np.ndarray, centre: np.ndarray) -> int:
    """Whether each facet's point, put onto it, is inside of all other rows."""
    verdict = SHOWN
    for f in range(facets):
        distance = s.offsets[f]
        for j in range(d):
            s.y[j] = points[f, j] - centre[j]
            distance -= s.A[j, f] * s.y[j]
        far = 0.0
        for j in range(d):
            far = max(far, abs(points[f, j]))
            s.y[j] += distance * s.A[j, f]
        if not abs(distance) <= 4.0 * s.uncertain[f] + 8.0 * d * UNIT_ROUNDOFF * far:
            return WRONG
        for i in range(rows):
            room = s.offsets[i]
            for j in range(d):
                room -= s.A[j, i] * s.y[j]
            if i != f and not room > s.uncertain[i]:
                verdict = DOUBTFUL
    return verdict


@njit(cache=True, nogil=True)
def _straight(
    s: Space, d: int, facets: int, planes: np.ndarray, centre: np.ndarray, slack: np.ndarray, crooked: np.ndarray
) -> float:
    """Note which recorded half-spaces are not those of their rows; returns the largest error of a row."""
    extent, largest = s.everywhere[1, 0], 0.0
    for f in range(facets):
        largest = max(largest, s.uncertain[f])
        turned, away = 0.0, planes[f, d] + s.offsets[f]
        for j in range(d):
            turned = max(turned, abs(planes[f, j] - s.A[j, f]))
            away += planes[f, j] * centre[j]
        off = slack[0] * s.uncertain[f] + slack[1]
        crooked[f] = not (abs(away) <= off and turned * extent <= off)
    return largest


@njit(cache=True, nogil=True)
def _checked(
    s: Space, gradients: np.ndarray, values: np.ndarray, errors: np.ndarray, centre: np.ndarray,
    recorded: np.ndarray, points: np.ndarray, planes: np.ndarray, slack: np.ndarray, crooked: np.ndarray,
) -> tuple[int, float]:  # fmt: skip
    """What becomes of one cell, and how well its facets are known; see `check_cells`."""
    d, facets = gradients.shape[0], len(recorded)
    taken, verdict = _take(s, gradients, values, errors, recorded, np.int64(0))
    if taken < facets:
        return max(verdict, DOUBTFUL), np.inf
    known = _straight(s, d, facets, planes, centre, slack, crooked)
    if verdict != SHOWN:
        return verdict, known
    _bounded(s, d, facets)
    near = _near(s, gradients, values, errors, recorded)
    rows, verdict = _take(s, gradients, values, errors, s.place[:near], facets)
    if verdict == SHOWN:
        verdict = _witnessed(s, d, facets, rows, points, centre)
    return (_implied(s, d, facets, rows) if verdict == SHOWN else verdict), known


@njit(cache=True, nogil=True)
def check_cells(
    s: Space,
    gradients: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    centres: np.ndarray,
    recorded: np.ndarray,
    offsets: np.ndarray,
    points: np.ndarray,
    planes: np.ndarray,
    slack: np.ndarray,
    verdicts: np.ndarray,
    known: np.ndarray,
    crooked: np.ndarray,
) -> None:
    """Check some cells.

    Args:
        s: Room to work.
        gradients: [cells, d, rows] gradients of all rows.
        values: [cells, rows] their values at the cells' interior points, or `ABSENT`.
        errors: [cells, rows] what they are off on the domain.
        centres: [cells, d] the interior points.
        recorded: [facets] the row that each facet is, cell after cell.
        offsets: [cells + 1] where the facets of each cell start.
        points: [facets, d] the point of each.
        planes: [facets, d + 1] its half-space.
        slack: [2] how far half-spaces may be off: a multiple of the row's error, and what rounding adds.
        verdicts: [cells] out: `SHOWN`, `DOUBTFUL` or `WRONG`.
        known: [cells] out: largest error of a facet's row, with a unit normal.
        crooked: [facets] out: whether the half-space is another one than its row.
    """
    for cell in range(len(values)):
        mine = slice(offsets[cell], offsets[cell + 1])
        verdicts[cell], known[cell] = _checked(
            s, gradients[cell], values[cell], errors[cell], centres[cell],
            recorded[mine], points[mine], planes[mine], slack, crooked[mine],
        )  # fmt: skip
