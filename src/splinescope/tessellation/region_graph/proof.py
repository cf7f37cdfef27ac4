"""Every cell against rows made anew from its pattern: recorded facets are all of its facets, and all are facets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branches.errors import Carried, Errors
from splinescope.tessellation.branches.halfspaces import Rows, half_spaces
from splinescope.tessellation.branches.layout import Layout
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.domains.samples import excess
from splinescope.tessellation.region_graph.calibration import errors_for
from splinescope.tessellation.region_graph.complete import DOUBTFUL, WRONG, check_cells
from splinescope.tessellation.region_graph.graph import OUTSIDE, RegionGraph
from splinescope.tessellation.region_graph.programs.space import space_for
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.settle import SettledCell, point_of, settle
from splinescope.tessellation.region_graph.witness import (
    column_errors,
    compare,
    hidden,
    output_errors,
    points_in_facets,
)

RESOLVED = 2.0**-20
"""Share of a unit's size on the domain up to which the error of a facet's row may be, else the cell is settled exactly:
a millionth."""


@dataclass(frozen=True)
class Proof:
    """What was shown of all cells.

    Attributes:
        errors: How rounding errors came through.
        rows: Pairs of a cell and a row that was shown to be a facet or out of reach.
        settled: Cells that were settled in rational arithmetic.
        unsettled: Cells that would have to be and are too dear.
        undecided: Recorded pieces that a forward pass contradicts by less than its rounding error.
        sign_error: Largest such contradiction, as a share of what is tolerated.
        resolution: Largest error of a facet's row, as a share of what the row is on the domain, in cells that float64
            decided.
        output_error: Largest error of an output, relative to the largest output.
        output_tolerance: What it was held to.
    """

    errors: Errors
    rows: int = 0
    settled: int = 0
    unsettled: int = 0
    undecided: int = 0
    sign_error: float = 0.0
    resolution: float = 0.0
    output_error: float = 0.0
    output_tolerance: float = 0.0


def prove(graph: RegionGraph, facets_too: bool) -> Proof:
    """Check every cell.

    Args:
        graph: The graph, whose combinatorics were checked.
        facets_too: Whether to compare with forward passes next to all facets, too.

    Returns:
        What was shown.

    Raises:
        CertificateError: If a cell is wrong.
    """
    explorer = graph.explorer
    # Errors are looked at in other cells than those of the search.
    errors = errors_for(graph.network, graph.domain, explorer.layout, graph.tolerance, seed=1)
    proof = Proof(errors)
    orders = _Orders.of(graph)
    for start in range(0, len(graph), explorer.checked):
        stop = min(start + explorer.checked, len(graph))
        proof = _checked_block(graph, orders, np.arange(start, stop), proof, facets_too)
    return proof


def _checked_block(graph: RegionGraph, orders: _Orders, which: np.ndarray, proof: Proof, facets_too: bool) -> Proof:
    """One block of cells."""
    rows, allowed, output = rows_of(graph, which, proof.errors)
    seen = compare(graph, "values", which, graph.interior_points[which], allowed)
    outputs = output_errors(graph, which, output, proof.errors, allowed)
    verdicts = _verdicts(graph, which, orders, rows)
    doubtful = (verdicts.cells == DOUBTFUL) | (seen.undecided > 0) | ~(verdicts.share <= RESOLVED)
    doubtful |= hidden(graph, which) | outputs.elsewhere
    wrong = (verdicts.cells == WRONG) & ~doubtful
    if wrong.any():
        fail("proof", which[wrong], "the facets recorded are not those of the units: one is missing, or is none")
    settled, unsettled = _settle(graph, which[doubtful])
    crooked = verdicts.crooked & ~doubtful[verdicts.owners]
    if crooked.any():
        fail("proof", which[verdicts.owners[crooked]], "a half-space recorded is not that of its unit")
    sign_error = max(seen.sign_error, _next_to_facets(graph, which, allowed)) if facets_too else seen.sign_error
    return replace(
        proof,
        rows=proof.rows + int(np.isfinite(rows.values).sum()),
        settled=proof.settled + settled,
        unsettled=proof.unsettled + unsettled,
        undecided=proof.undecided + int(seen.undecided.sum()),
        sign_error=max(proof.sign_error, sign_error),
        resolution=max(proof.resolution, float(verdicts.share[~doubtful].max(initial=0.0))),
        output_error=max(proof.output_error, outputs.error),
        output_tolerance=max(proof.output_tolerance, outputs.tolerance),
    )


def _next_to_facets(graph: RegionGraph, which: np.ndarray, allowed: np.ndarray) -> float:
    """Recorded pieces against forward passes just inside of all facets of a block; returns the largest sign error."""
    facets, points = points_in_facets(graph, int(which[0]), int(which[-1]) + 1)
    cells, worst = graph.facet_cells[facets], 0.0
    for part in np.array_split(np.arange(len(facets)), max(1, len(facets) // (4 * len(which)))):
        at = compare(graph, "proof", cells[part], points[part], allowed[cells[part] - which[0]])
        worst = max(worst, at.sign_error)
    return worst


@dataclass(frozen=True, eq=False)
class _Verdicts:
    """What the rows of a block say of its cells.

    Attributes:
        cells: [cells] `SHOWN`, ...
        share: [cells] largest error of a facet's row, as a share of what the row is on the domain.
        crooked: [facets] whether a recorded half-space is another one than its row.
        owners: [facets] the cell of each, within the block.
    """

    cells: np.ndarray
    share: np.ndarray
    crooked: np.ndarray
    owners: np.ndarray


def _verdicts(graph: RegionGraph, which: np.ndarray, orders: _Orders, rows: Rows) -> _Verdicts:
    """Hold the recorded facets of a block against its rows."""
    explorer, d = graph.explorer, graph.dimension
    offsets = graph.facet_offsets[which[0] : which[-1] + 2]
    mine = slice(int(offsets[0]), int(offsets[-1]))
    verdicts, known = np.zeros(len(which), np.int64), np.full(len(which), np.inf)
    crooked = np.zeros(mine.stop - mine.start, bool)
    steepest = 4 * np.sqrt(d) * explorer.extent / float(explorer.errors.widths.min())
    slack = np.array([steepest, 16 * (d + 4) * UNIT_ROUNDOFF * (explorer.extent + explorer.farthest)])
    check_cells(
        space_for(d, rows.values.shape[1], explorer.extent),
        rows.gradients, rows.values, rows.errors, graph.interior_points[which], orders.rows(graph, which, rows),
        offsets - offsets[0], graph.facet_points[mine], graph.facet_halfspaces[mine], slack, verdicts, known, crooked,
    )  # fmt: skip
    return _Verdicts(verdicts, known / explorer.extent, crooked, graph.facet_cells[mine] - which[0])


def rows_of(graph: RegionGraph, which: np.ndarray, errors: Errors) -> tuple[Rows, np.ndarray, Carried]:
    """Rows of all units and sides around the interior points of cells, how well each unit is known, and the output."""
    explorer, points = graph.explorer, graph.interior_points[which]
    patterns, sides = explorer.keys.unpack(graph.keys[which]), graph.domain.halfspaces
    beyond: list[Carried] = []
    rows = half_spaces(graph.network, explorer.layout, graph.domain, patterns, points, len(sides), errors, beyond)
    rows.gradients[:, :, : len(sides)] = sides[:, :-1].T
    rows.values[:, : len(sides)] = excess(graph.domain, points)
    rows.errors[:, : len(sides)] = explorer.sides
    known = column_errors(explorer.layout, rows.values[:, len(sides) :], rows.errors[:, len(sides) :])
    return rows, known, beyond[0]


@dataclass(frozen=True, eq=False)
class _Orders:
    """Which row each recorded facet is.

    Attributes:
        candidates: [columns + sides, most] rows of each unit, then of each side, the first repeated.
        columns: [K] unit of each facet, or side.
        several: Whether units have several rows.
    """

    candidates: np.ndarray
    columns: np.ndarray
    several: bool

    @classmethod
    def of(cls, graph: RegionGraph) -> _Orders:
        layout, sides = graph.explorer.layout, len(graph.domain.halfspaces)
        columns = facet_columns(graph, layout)
        outside = np.flatnonzero(graph.facet_neighbours == OUTSIDE)
        columns[outside] = layout.columns + nearest_sides(graph, outside)
        order = np.argsort(layout.row_columns, kind="stable")
        counts = np.bincount(layout.row_columns, minlength=layout.columns)
        most = int(counts.max(initial=1))
        first = np.cumsum(counts) - counts
        within = np.minimum(np.arange(most), np.maximum(counts, 1)[:, None] - 1)
        units = sides + order[first[:, None] + within] if layout.columns else np.empty((0, most), np.int64)
        return cls(np.concatenate([units, np.repeat(np.arange(sides)[:, None], most, axis=1)]), columns, most > 1)

    def rows(self, graph: RegionGraph, which: np.ndarray, rows: Rows) -> np.ndarray:
        """[facets] row of each facet of some cells: of a unit's rows the one that is nearest to its half-space."""
        low, high = int(graph.facet_offsets[which[0]]), int(graph.facet_offsets[which[-1] + 1])
        candidates = self.candidates[self.columns[low:high]]
        if not self.several:
            return candidates[:, 0]
        cell = graph.facet_cells[low:high] - which[0]
        normals, values, _ = _unit_rows(rows, cell[:, None], candidates)
        recorded = graph.facet_halfspaces[low:high]
        at = np.einsum("kj,kj->k", recorded[:, :-1], graph.interior_points[which][cell]) + recorded[:, -1]
        away = np.abs(normals - recorded[:, None, :-1]).max(axis=2) + np.abs(values - at[:, None])
        away = np.where(np.isfinite(away), away, np.inf)
        return np.take_along_axis(candidates, away.argmin(axis=1)[:, None], axis=1)[:, 0]


def _lengths(gradients: np.ndarray) -> np.ndarray:
    """Euclidean lengths of gradients along the last axis, whatever their scale."""
    largest = np.abs(gradients).max(axis=-1, keepdims=True)
    safe = np.where(largest > 0, largest, 1.0)
    return np.asarray(largest[..., 0] * np.linalg.norm(gradients / safe, axis=-1))


def _unit_rows(rows: Rows, cell: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals and offsets of rows, and the lengths of their gradients, 1 for none."""
    gradients = np.moveaxis(rows.gradients, 1, 2)[cell, chosen]
    lengths = _lengths(gradients)
    safe = np.where(lengths > 0, lengths, 1.0)
    return gradients / safe[..., None], rows.values[cell, chosen] / safe, safe


def facet_columns(graph: RegionGraph, layout: Layout) -> np.ndarray:
    """[K] pattern column of each facet's unit, 0 on the boundary of the domain."""
    starts = np.zeros(len(graph.network.nodes) + 1, np.int64)
    for folding, start in zip(layout.foldings, layout.column_starts, strict=False):
        starts[folding.node] = start
    return np.where(graph.facet_op >= 0, starts[graph.facet_op] + graph.facet_unit, 0)


def nearest_sides(graph: RegionGraph, facets: np.ndarray) -> np.ndarray:
    """[facets] the side of the domain that each half-space is nearest to."""
    sides, found = graph.domain.halfspaces, [np.empty(0, np.int64)]
    scale = np.append(np.ones(graph.dimension), 1.0 / (graph.explorer.extent + graph.explorer.farthest))
    for part in np.array_split(facets, max(1, len(facets) * len(sides) // (1 << 20))):
        away = np.abs((graph.facet_halfspaces[part, None] - sides) * scale).max(axis=2)
        found.append(np.argmin(away, axis=1))
    return np.concatenate(found)


def _settle(graph: RegionGraph, cells: np.ndarray) -> tuple[int, int]:
    """Settle cells in rational arithmetic; returns how many were, and how many are too dear."""
    if not graph.explorer.rational.affordable:
        return 0, len(cells)
    for cell in cells.tolist():
        _settle_one(graph, cell)
    return len(cells), 0


def _settle_one(graph: RegionGraph, cell: int) -> None:
    """Settle one cell: its facets are those of its exact rows, or those that its neighbours have in common with it.

    A fold that ends at a facet, for its unit is zero on the whole cell, makes several facets of one row: the cell knows
    of the neighbour at one point of it, and the others know of the cell.
    """
    expected, truth = _exact_facets(graph, cell)
    facets = range(int(graph.facet_offsets[cell]), int(graph.facet_offsets[cell + 1]))
    for facet in facets:
        units = _recorded(graph, facet)
        same = [row for row, (changed, _) in expected.items() if changed == units]
        if not same:
            _settle_from_beyond(graph, facet, units)
            continue
        row = _nearest_row(graph, facet, truth, same)
        _, key = expected.pop(row)
        other = graph.facet_neighbours[facet]
        if other >= 0 and (key != graph.keys[other]).any():
            fail("proof", np.array([cell]), "a neighbour has another pattern, in rational arithmetic")
    if expected:
        fail("proof", np.array([cell]), "it has more facets than recorded, in rational arithmetic")


def _exact_facets(
    graph: RegionGraph, cell: int
) -> tuple[dict[int, tuple[frozenset[int], np.ndarray | None]], SettledCell]:
    """What a cell's facets are in rational arithmetic, by row, and the cell."""
    explorer = graph.explorer
    pattern = explorer.keys.unpack(graph.keys[cell : cell + 1])[0]
    truth = settle(explorer.rational, pattern, graph.interior_points[cell])
    if truth.centre is None:
        fail("proof", np.array([cell]), "there is no such cell, in rational arithmetic")
    return _expected(explorer, truth, pattern), truth


def _settle_from_beyond(graph: RegionGraph, facet: int, units: frozenset[int]) -> None:
    """Settle a facet that its cell does not know of itself, by the cell beyond it."""
    cell, other = int(graph.facet_cells[facet]), int(graph.facet_neighbours[facet])
    if other >= 0:
        expected, truth = _exact_facets(graph, other)
        mine = graph.keys[cell]
        same = [
            row
            for row, (changed, key) in expected.items()
            if changed == units and key is not None and not (key != mine).any()
        ]
        if same:
            _nearest_row(graph, facet, truth, same, -1.0)
            return
    fail("proof", np.array([cell]), "a facet recorded is none, in rational arithmetic")


def _nearest_row(graph: RegionGraph, facet: int, truth: SettledCell, rows: list[int], sign: float = 1.0) -> int:
    """The row of some that a recorded half-space is; of a cell beyond, with the other `sign`."""
    explorer = graph.explorer
    off = 64 * (graph.dimension + 4) * UNIT_ROUNDOFF * (explorer.extent + explorer.farthest)
    away = [np.abs(sign * truth.plane(row) - graph.facet_halfspaces[facet]).max() for row in rows]
    if not min(away) <= max(off, 8 * _known(graph, facet)):
        cell = graph.facet_cells[facet : facet + 1]
        fail("proof", cell, "a half-space recorded is not that of its unit, in rational arithmetic")
    return rows[int(np.argmin(away))]


def _expected(
    explorer: Explorer, truth: SettledCell, pattern: np.ndarray
) -> dict[int, tuple[frozenset[int], np.ndarray | None]]:
    """Columns that change across each facet and the packed pattern beyond; a side of the domain is negative."""
    sides = len(explorer.domain.halfspaces)
    expected: dict[int, tuple[frozenset[int], np.ndarray | None]] = {}
    for row, point in truth.faces.facets.items():
        first = min(truth.numbers[row])
        if first < sides:
            expected[row] = (frozenset({-1 - first}), None)
            continue
        beyond = explorer.rational.beyond(*point_of(point), truth.rows[row][:-1])
        changed = frozenset(np.flatnonzero(beyond != pattern).tolist())
        if changed:
            expected[row] = (changed, explorer.keys.pack(beyond[None])[0])
    return expected


def _known(graph: RegionGraph, facet: int) -> float:
    """How well a facet is said to be known, as far as that is well enough."""
    return min(float(graph.facet_uncertainties[facet]), RESOLVED * graph.domain.size)


def _recorded(graph: RegionGraph, facet: int) -> frozenset[int]:
    layout = graph.explorer.layout
    if graph.facet_neighbours[facet] == OUTSIDE:
        return frozenset({-1 - int(nearest_sides(graph, np.array([facet]))[0])})
    nodes = {folding.node: int(start) for folding, start in zip(layout.foldings, layout.column_starts, strict=False)}
    further = slice(*np.searchsorted(graph.further_facets, [facet, facet + 1]))
    units = [(graph.facet_op[facet], graph.facet_unit[facet])]
    units += list(zip(graph.further_op[further], graph.further_unit[further], strict=True))
    return frozenset(nodes[int(node)] + int(unit) for node, unit in units)
