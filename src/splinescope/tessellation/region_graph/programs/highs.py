"""The same decisions as in `cells`, by linear programs solved with HiGHS: slower by far, and sure.

Cells that the small programs give up on are decided here. The tests decide whole networks both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeResult, linprog

from splinescope.tessellation.region_graph.programs.space import (
    ABSENT,
    CONTRADICTED,
    FACET,
    FIELDS,
    REDUNDANT,
    SLIVER,
    SOUND,
    THIN,
    TOUCHING,
    UNDECIDED,
)


@dataclass(frozen=True, eq=False)
class Decided:
    """What was decided of some cells; see `decide_cells` for the arrays.

    Attributes:
        state: [cells].
        counts: [cells, FIELDS].
        centres: [cells, d].
        radii: [cells].
        facet_rows: [K].
        facet_planes: [K, d + 1].
        facet_witnesses: [K, d].
        facet_uncertainties: [K].
        member_facets: [M].
        member_rows: [M].
    """

    state: np.ndarray
    counts: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    facet_rows: np.ndarray
    facet_planes: np.ndarray
    facet_witnesses: np.ndarray
    facet_uncertainties: np.ndarray
    member_facets: np.ndarray
    member_rows: np.ndarray

    def cut(self, facets: int, members: int) -> Decided:
        """The first so many facets and further rows; the rest is room that was not used."""
        return replace(
            self,
            facet_rows=self.facet_rows[:facets].copy(),
            facet_planes=self.facet_planes[:facets].copy(),
            facet_witnesses=self.facet_witnesses[:facets].copy(),
            facet_uncertainties=self.facet_uncertainties[:facets].copy(),
            member_facets=self.member_facets[:members].copy(),
            member_rows=self.member_rows[:members].copy(),
        )


def decide_cell(gradients: np.ndarray, values: np.ndarray, thresholds: np.ndarray, extent: float) -> Decided:
    """Decide all rows of one cell.

    Args:
        gradients: [d, rows] gradients of the rows.
        values: [rows] their values at the cell's origin, or `ABSENT`.
        thresholds: [rows] how well the values are known.
        extent: Largest distance that matters.

    Returns:
        What was decided, of one cell.
    """
    lengths = np.linalg.norm(gradients, axis=0)
    flat = (lengths * extent <= thresholds) & (values != ABSENT)
    counts = np.zeros(FIELDS, np.int64)
    counts[1] = int(np.sum(flat & (np.abs(values) <= thresholds)))
    ids = np.flatnonzero(~flat & (values != ABSENT))
    A, offsets = (gradients[:, ids] / lengths[ids]).T, -values[ids] / lengths[ids]
    known = thresholds[ids] / lengths[ids]
    centre, solved = _centre(A, offsets)
    offsets = offsets - A @ centre
    state = SOUND if solved and (offsets > known).all() else SLIVER
    if (flat & (values > thresholds)).any() or (-values[ids] / lengths[ids] < -4 * known).any():
        state = CONTRADICTED
    cell = _Cell(A, offsets, known, ids, extent)
    if state != SOUND:
        return cell.decided(state, counts, centre, np.empty(0, np.int64), {})
    near, box = cell.near()
    leaders = cell.leaders(near, box)
    first = np.unique(leaders)
    found = {int(row): cell.decide(int(row), first) for row in first}
    for field, status in ((2, TOUCHING), (3, THIN), (4, UNDECIDED)):
        counts[field] = sum(decision.status == status for decision in found.values())
    counts[5] = len(first)
    return cell.decided(state, counts, centre, np.stack([near, leaders]), found)


@dataclass(frozen=True)
class _Row:
    """What became of one row, with a witness if it is a facet."""

    status: int
    witness: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class _Cell:
    """One cell around its centre: rows of unit length, their distances, how well these are known, their numbers."""

    A: np.ndarray
    offsets: np.ndarray
    known: np.ndarray
    ids: np.ndarray
    extent: float

    def near(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows that the bounding box [2, d] does not rule out, and the box."""
        axes = np.eye(self.A.shape[1])
        box = np.array([[sign * self._most(sign * axis) for axis in axes] for sign in (-1.0, 1.0)])
        reach = np.maximum(self.A * box[0], self.A * box[1]).sum(axis=1)
        return np.flatnonzero(reach >= self.offsets - self.known), box

    def _most(self, objective: np.ndarray) -> float:
        solved = maximum(objective, self.A, self.offsets)
        return float(-solved.fun) if solved.status == 0 else self.extent

    def leaders(self, near: np.ndarray, box: np.ndarray) -> np.ndarray:
        """For each near row the first near row that it cannot be told from on the box."""
        out = near.copy()
        for at, row in enumerate(near):
            for other in near[:at][out[:at] == near[:at]]:
                difference = self.A[other] - self.A[row]
                ends = np.stack([difference * box[0], difference * box[1]])
                middle = self.offsets[row] - self.offsets[other]
                within = self.known[row] + self.known[other]
                if middle + ends.max(axis=0).sum() <= within and middle + ends.min(axis=0).sum() >= -within:
                    out[at] = other
                    break
        return out

    def decide(self, row: int, rows: np.ndarray) -> _Row:
        """Whether a row is a facet of the cell that some rows bound, by how far it would reach without it."""
        others = rows[rows != row]
        limits = np.append(self.offsets[others], self.offsets[row] + self.extent)
        solved = maximum(self.A[row], np.vstack([self.A[others], self.A[row]]), limits)
        if solved.status != 0:
            return _Row(UNDECIDED)
        beyond = -float(solved.fun) - self.offsets[row]
        doubt = self.known[row] + float(np.abs(solved.ineqlin.marginals[:-1]) @ self.known[others])
        if beyond < -doubt:
            return _Row(REDUNDANT)
        if beyond <= 2 * doubt:
            return _Row(TOUCHING)
        witness = self._widest(row, others)
        if witness is None:
            return _Row(UNDECIDED)
        inside = (self.offsets[others] - self.A[others] @ witness > self.known[others]).all()
        return _Row(FACET, witness) if inside else _Row(THIN)

    def _widest(self, row: int, others: np.ndarray) -> np.ndarray | None:
        """Centre of the largest ball in a facet."""
        normal = self.A[row]
        sines = np.sqrt(np.maximum(1.0 - (self.A[others] @ normal) ** 2, 0.0))
        solved = linprog(
            np.append(np.zeros(len(normal)), -1.0),
            A_ub=np.column_stack([self.A[others], sines]),
            b_ub=self.offsets[others],
            A_eq=np.append(normal, 0.0)[None],
            b_eq=self.offsets[row : row + 1],
            bounds=(None, None),
            method="highs",
        )
        if solved.status != 0:
            return None
        point = np.asarray(solved.x[:-1])
        return point + (self.offsets[row] - normal @ point) * normal

    def decided(
        self, state: int, counts: np.ndarray, centre: np.ndarray, near: np.ndarray, found: dict[int, _Row]
    ) -> Decided:
        """All in the form of `decide_cells`."""
        d = len(centre)
        facets = [row for row, decision in found.items() if decision.status == FACET]
        place = {row: number for number, row in enumerate(facets)}
        further = [(place[int(b)], int(a)) for a, b in (near.T if near.ndim == 2 else ()) if a != b and int(b) in place]
        counts[0] = len(facets)
        planes = np.column_stack([self.A[facets], -(self.offsets[facets] + self.A[facets] @ centre)])
        witnesses = [found[row].witness for row in facets]
        return Decided(
            state=np.array([state]),
            counts=counts[None],
            centres=centre[None],
            radii=np.array([self.offsets.min(initial=np.inf)]),
            facet_rows=self.ids[facets],
            facet_planes=planes.reshape(-1, d + 1),
            facet_witnesses=centre + np.array(witnesses, np.float64).reshape(-1, d),
            facet_uncertainties=self.known[facets],
            member_facets=np.array([facet for facet, _ in further], np.int64),
            member_rows=self.ids[[row for _, row in further]],
        )


def _centre(A: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, bool]:
    """Centre of the largest ball, and whether it was found."""
    d = A.shape[1]
    solved = maximum(np.append(np.zeros(d), 1.0), np.column_stack([A, np.ones(len(A))]), offsets)
    return (np.asarray(solved.x[:d]), True) if solved.status == 0 else (np.zeros(d), False)


def maximum(objective: np.ndarray, matrix: np.ndarray, limits: np.ndarray) -> OptimizeResult:
    """Maximise `objective @ x` over `matrix @ x <= limits`; the result's `fun` is the negative maximum."""
    return linprog(-objective, A_ub=matrix, b_ub=limits, bounds=(None, None), method="highs")
