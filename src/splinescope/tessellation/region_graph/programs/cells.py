"""Cells from their half-spaces: interior point, radius and facets, each decided with a proof.

A cell is given by rows `g @ x + v <= 0`, one for each way in which a unit could change its piece, in coordinates
around a point of the cell. Most rows are far away. In order, from cheap to dear:

1. rows without a gradient go; the others get unit normals and an uncertainty, that of the unit's value divided by the
   length of its gradient; those that the domain's bounding box does not reach go too;
2. the largest ball in the cell gives the interior point;
3. the cell's bounding box, by two programs for each coordinate, shows that most rows are out of reach;
4. rows that cannot be told apart on that box are one facet with several units;
5. a ray from the interior point straight towards a row that meets no other row before proves a facet;
6. a vertex of the cell that lies on exactly `d` rows proves that all of these are facets;
7. what is left is decided by one program for each row: does the cell reach it, and how far would it reach beyond?

A facet is claimed only with a witness: a point on it that is farther from every other row than that row's uncertainty.
A row is dropped only if multipliers prove that it is out of reach. What lies between is counted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.programs.facets import decide_rows, optimise, reach
from splinescope.tessellation.region_graph.programs.simplex import NO_ROW, OPTIMAL, VIRTUAL, reset
from splinescope.tessellation.region_graph.programs.space import (
    ABSENT,
    CONTRADICTED,
    FACET,
    SLIVER,
    SOUND,
    THIN,
    TOUCHING,
    UNDECIDED,
    UNSOLVED,
    Space,
)

FLOOR = 4.0
"""Roundings of a row in the programs themselves, as a multiple of those of one product with a point."""

BOXED = 12
"""Dimension up to which cells are put in a box first: beyond it most rows are facets, and the box costs more than it
saves."""


@njit(cache=True, nogil=True)
def _normalise(
    s: Space, gradients: np.ndarray, values: np.ndarray, thresholds: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[int, int, bool, bool]:
    """Take in the rows that the domain, between `low` and `high`, can meet.

    Returns their number, that of rows that vanish on the cell, whether one cannot hold, and whether one that seems to
    vanish may not.
    """
    d, count, vanishing, contradicted, doubtful = gradients.shape[0], 0, 0, False, False
    extent = s.everywhere[1, 0]
    floor = FLOOR * (d + 4) * UNIT_ROUNDOFF * extent
    A, offsets, uncertain, ids = s.A, s.offsets, s.uncertain, s.ids
    for i in range(values.size):
        value = values[i]
        if value == ABSENT:
            continue
        length = row_length(gradients, d, i)
        if length * extent <= thresholds[i]:
            if value > thresholds[i]:
                contradicted = True
            elif value >= -thresholds[i]:
                vanishing += 1
                doubtful = doubtful or thresholds[i] > 0.0
            continue
        farthest = 0.0
        for j in range(d):
            A[j, count] = gradients[j, i] / length
            farthest += max(A[j, count] * low[j], A[j, count] * high[j])
        if farthest < (-value - thresholds[i]) / length:
            continue
        offsets[count] = -value / length
        uncertain[count] = thresholds[i] / length + floor
        if offsets[count] < -4.0 * uncertain[count]:
            contradicted = True
        ids[count] = i
        count += 1
    return count, vanishing, contradicted, doubtful


@njit(cache=True, nogil=True)
def row_length(gradients: np.ndarray, d: int, i: int) -> float:
    """Euclidean length of a gradient, whatever its scale."""
    largest, square = 0.0, 0.0
    for j in range(d):
        largest = max(largest, abs(gradients[j, i]))
    if largest == 0.0:
        return 0.0
    for j in range(d):
        share = gradients[j, i] / largest
        square += share * share
    return largest * np.sqrt(square)


@njit(cache=True, nogil=True)
def _move_to_centre(s: Space, d: int, rows: int) -> tuple[int, float]:
    """Take the centre of the largest ball in the cell, left in `x`, as the origin; returns status and radius."""
    A, offsets, uncertain, slack, x = s.A, s.offsets, s.uncertain, s.slack, s.x
    for i in range(rows):
        A[d, i] = 1.0
        slack[i] = max(offsets[i], 0.0)
    for j in range(d + 1):
        x[j] = 0.0
        s.c[j] = 0.0
    s.c[d] = 1.0
    reset(d + 1, s.active, s.inverse, s.tight, rows)
    status = optimise(s, d + 1, rows, NO_ROW, NO_ROW)
    radius = np.inf
    sliver = False
    for i in range(rows):
        for j in range(d):
            offsets[i] -= A[j, i] * x[j]
        radius = min(radius, offsets[i])
        sliver = sliver or offsets[i] <= uncertain[i]
    if status != OPTIMAL and sliver:
        return UNSOLVED, radius
    return (SLIVER if sliver else SOUND), radius


@njit(cache=True, nogil=True)
def _find_box(s: Space, d: int, rows: int) -> None:
    """Bounds of each coordinate on the cell, proved by multipliers; leaves the state at a vertex of the cell."""
    low, high, c = s.box[0], s.box[1], s.c
    for i in range(rows):
        s.slack[i] = s.offsets[i]
    for j in range(d):
        s.x[j], c[j] = 0.0, 0.0
        low[j], high[j] = s.everywhere[0, j], s.everywhere[1, j]
    reset(d, s.active, s.inverse, s.tight, rows)
    for sign in (1.0, -1.0):
        for j in range(d):
            c[j] = sign
            optimise(s, d, rows, NO_ROW, NO_ROW)
            bound = reach(s, d, low, high)
            c[j] = 0.0
            if sign > 0:
                high[j] = min(high[j], bound)
            else:
                low[j] = max(low[j], -bound)


@njit(cache=True, nogil=True)
def _keep_near(s: Space, d: int, rows: int) -> int:
    """Move the rows that the box does not rule out to the front, in order; returns their number."""
    A, offsets, uncertain, tight, place = s.A, s.offsets, s.uncertain, s.tight, s.place
    low, high = s.box[0], s.box[1]
    kept = 0
    for i in range(rows):
        farthest = 0.0
        for j in range(d):
            farthest += max(A[j, i] * low[j], A[j, i] * high[j])
        if farthest < offsets[i] - uncertain[i] and not tight[i]:
            continue
        place[i] = kept
        for j in range(d):
            A[j, kept] = A[j, i]
        offsets[kept], uncertain[kept], s.ids[kept], tight[kept] = offsets[i], uncertain[i], s.ids[i], tight[i]
        kept += 1
    for k in range(d):
        if s.active[k] != VIRTUAL:
            s.active[k] = place[s.active[k]]
    return kept


@njit(cache=True, nogil=True)
def near_rows(
    s: Space, gradients: np.ndarray, values: np.ndarray, thresholds: np.ndarray, low: np.ndarray, high: np.ndarray
) -> int:
    """Put the numbers of the rows that a cell may meet into `ids`; see `decide_cells` for the arguments, of one cell.

    Returns:
        How many there are. Where the cell is thinner than the rows are known, those that the domain meets.
    """
    d = gradients.shape[0]
    rows, _, _, _ = _normalise(s, gradients, values, thresholds, low, high)
    state, _ = _move_to_centre(s, d, rows)
    if state != SOUND or d > BOXED:
        return rows
    _find_box(s, d, rows)
    return _keep_near(s, d, rows)


@njit(cache=True, nogil=True)
def _indistinct(s: Space, d: int, p: int, q: int, within: float) -> bool:
    """Whether two rows differ nowhere on the box by more than they are known."""
    least = most = s.offsets[q] - s.offsets[p]
    for j in range(d):
        difference = s.A[j, p] - s.A[j, q]
        at_low, at_high = difference * s.box[0, j], difference * s.box[1, j]
        least += min(at_low, at_high)
        most += max(at_low, at_high)
    return most <= within and least >= -within


@njit(cache=True, nogil=True)
def _group(s: Space, d: int, rows: int) -> int:
    """Let rows that cannot be told apart be led by the first, and move leaders to the front; returns their number."""
    offsets, uncertain, leader, tight, place = s.offsets, s.uncertain, s.leader, s.tight, s.place
    for q in range(rows):
        leader[q] = q
        for p in range(q):
            within = uncertain[p] + uncertain[q]
            if leader[p] == p and abs(offsets[p] - offsets[q]) <= within and _indistinct(s, d, p, q, within):
                leader[q] = p
                tight[p] = tight[p] or tight[q]
                break
    kept = 0
    for i in range(rows):
        if leader[i] != i:
            place[i] = place[leader[i]]
            continue
        place[i] = kept
        for j in range(d):
            s.A[j, kept] = s.A[j, i]
        offsets[kept], uncertain[kept], tight[kept] = offsets[i], uncertain[i], tight[i]
        kept += 1
    for k in range(d):
        if s.active[k] != VIRTUAL:
            s.active[k] = place[s.active[k]]
    return kept


@njit(cache=True, nogil=True)
def decide_cells(
    s: Space,
    gradients: np.ndarray,
    values: np.ndarray,
    thresholds: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    state: np.ndarray,
    counts: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    facet_rows: np.ndarray,
    facet_planes: np.ndarray,
    facet_witnesses: np.ndarray,
    facet_uncertainties: np.ndarray,
    member_facets: np.ndarray,
    member_rows: np.ndarray,
) -> tuple[int, int]:
    """Decide all rows of some cells.

    Args:
        s: Room to work.
        gradients: [cells, d, rows] gradients of the rows.
        values: [cells, rows] their values at each cell's own origin, or `ABSENT`.
        thresholds: [cells, rows] how well the values are known, anywhere in the domain.
        low: [cells, d] lower ends of a box around the domain, relative to each cell's origin.
        high: [cells, d] its upper ends.
        state: [cells] out: `SOUND`, ...
        counts: [cells, FIELDS] out: facets, rows that vanish on the cell, touching, thin and undecided rows, rows that
            the bounding box did not rule out, and whether any of this is in doubt.
        centres: [cells, d] out: centre of the largest ball, relative to the cell's origin.
        radii: [cells] out: its radius.
        facet_rows: [capacity] out: row of each facet.
        facet_planes: [capacity, d + 1] out: unit normal and offset of each facet, relative to the cell's origin.
        facet_witnesses: [capacity, d] out: a point on each facet, relative to the cell's origin.
        facet_uncertainties: [capacity] out: how well the place of each facet is known.
        member_facets: [capacity] out: facet of each further row of a facet.
        member_rows: [capacity] out: that row.

    Returns:
        Number of facets, and of further rows.
    """
    d = gradients.shape[1]
    facets = members = 0
    for cell in range(len(values)):
        counts[cell, :] = 0
        rows, vanishing, contradicted, doubtful = _normalise(
            s, gradients[cell], values[cell], thresholds[cell], low[cell], high[cell]
        )
        counts[cell, 1], counts[cell, 6] = vanishing, doubtful
        state[cell], radii[cell] = _move_to_centre(s, d, rows)
        if contradicted:
            state[cell] = CONTRADICTED
        centres[cell, :] = s.x[:d]
        if state[cell] != SOUND:
            counts[cell, 6] = 1
            continue
        if d <= BOXED:
            _find_box(s, d, rows)
            rows = _keep_near(s, d, rows)
        else:
            s.box[:, :] = s.everywhere
            s.x[:] = 0.0
            reset(d, s.active, s.inverse, s.tight, rows)
        leaders = _group(s, d, rows)
        decide_rows(s, d, leaders)
        counts[cell, 5] = leaders
        first = facets
        for i in range(rows):
            at, leads = s.place[i], s.leader[i] == i
            if leads:
                counts[cell, 2] += s.status[at] == TOUCHING
                counts[cell, 3] += s.status[at] == THIN
                counts[cell, 4] += s.status[at] == UNDECIDED
            if s.status[at] == FACET and not leads:
                member_facets[members], member_rows[members] = s.leader[s.leader[i]], s.ids[i]
                members += 1
            elif s.status[at] == FACET:
                facet_rows[facets], facet_uncertainties[facets] = s.ids[i], s.uncertain[at]
                _write_facet(s, d, at, centres[cell], facet_planes[facets], facet_witnesses[facets])
                s.leader[i] = facets
                facets += 1
        counts[cell, 0] = facets - first
        if leaders < rows or counts[cell, 2] + counts[cell, 3] + counts[cell, 4] > 0:
            counts[cell, 6] = 1
    return facets, members


@njit(cache=True, nogil=True)
def _write_facet(s: Space, d: int, row: int, centre: np.ndarray, plane: np.ndarray, witness: np.ndarray) -> None:
    """Plane and point of a facet in the coordinates in which the centre is given."""
    shift = s.offsets[row]
    for j in range(d):
        plane[j], witness[j] = s.A[j, row], centre[j] + s.witnesses[row, j]
        shift += s.A[j, row] * centre[j]
    plane[d] = -shift
