"""Signs that float64 cannot decide, settled: at each point with bounds of its own, then in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from splinescope.geometry.bits import unpack
from splinescope.tessellation.certificate.elimination import common_zero
from splinescope.tessellation.certificate.evaluators import Evaluator
from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.forms import Parameters, ScaledIntegers, cell_forms, work
from splinescope.tessellation.certificate.inhabited import OpenCells
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.roundings import first_order
from splinescope.tessellation.certificate.rows import around_facet, difference, fact_form, homogeneous, nearest
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject

_BUDGET = 2e8
"""Products of integers that exact arithmetic may take for one certificate: about twenty seconds."""

_SEPARATE = 4 * RESOLUTION
"""Distance from a fold, relative to the coordinates, at which a rounded vertex may lie on its other side."""


@dataclass
class Settled:
    """What was settled.

    Attributes:
        signs: Number of signs that were settled.
        merged: Cells that a fold crosses within the resolution of the coordinates.
        open: Number of signs that were too expensive to settle.
        doubts: Cells at whose interior points signs hold, but not strictly.
    """

    signs: int = 0
    merged: set[int] = field(default_factory=set)
    open: int = 0
    doubts: OpenCells = field(default_factory=OpenCells)


class Settlement:
    """Settles facts about one complex; counts what it did."""

    def __init__(self, subject: Subject, evaluator: Evaluator) -> None:
        self.subject = subject
        self._evaluator = evaluator
        self.settled = Settled()
        self._parameters = Parameters()
        self._work = max(1, work(subject.network))
        self._left = _BUDGET

    def at_points(self, facts: Facts) -> None:
        """Settle facts at interior points, whose `corner` is the cell.

        Args:
            facts: What the forward pass left open.

        Raises:
            CertificateError: If one is wrong.
        """
        self.settled.signs += len(facts)
        self._exactly(self.sifted_at_points(facts), "patterns", corners=False)

    def sifted_at_points(self, facts: Facts) -> Facts:
        """Those facts at interior points that bounds of each point's own don't prove, either; nothing is counted.

        Args:
            facts: What the forward pass left open.
        """
        return self._sifted(facts, self.subject.points, facts.cell, np.zeros(len(facts)), self.settled.doubts.tied)

    def at_corners(self, facts: Facts, doubt: np.ndarray) -> None:
        """Settle facts at corners of cells.

        Args:
            facts: What the forward pass left open.
            doubt: Share of a unit's swing that the position of each corner leaves open.

        Raises:
            CertificateError: If one is wrong.
        """
        self.settled.signs += len(facts)
        self._exactly(self.sifted_at_corners(facts, doubt), "proof", corners=True)

    def sifted_at_corners(self, facts: Facts, doubt: np.ndarray) -> Facts:
        """Those facts at corners of cells that bounds of each point's own don't prove, either; nothing is counted.

        Args:
            facts: What the forward pass left open.
            doubt: Share of a unit's swing that the position of each corner leaves open.
        """
        place = self.subject.cell_vertices[facts.corner]
        return self._sifted(facts, self.subject.vertices, place, doubt, set())

    def outputs(
        self, cells: np.ndarray, points: np.ndarray, values: np.ndarray, allowed: np.ndarray, error: np.ndarray
    ) -> bool:
        """Whether recorded outputs are those of the cells' own exact maps at points of theirs.

        A rounded point may lie outside of its cell, where the network says nothing about it, and steep maps make more
        of the roundings of corners than the forward pass knows. Outputs at corners are off by roundings in float64,
        too, which are relative to the terms that cancel there.

        Args:
            cells: [k] cells whose outputs are not those of a forward pass.
            points: [k, d] the points.
            values: [k, n_out] outputs recorded there.
            allowed: [k, n_out] how far they may be, apart from roundings of the coordinates and of the outputs.
            error: [k] how far they are.
        """
        for number, k in enumerate(np.argsort(-error, kind="stable").tolist()):
            cell = int(cells[k])
            if not self.affords() and number:  # the worst one is looked at whatever it takes
                self.settled.open += 1
                continue
            self.settled.signs += 1
            whole = self.forms(cell, {-1})[-1]
            point, bits = homogeneous(points[k, self.subject.first :]), whole.bits
            rows = zip(whole.numbers, values[k], strict=True)
            off = [self._off(cell, list(form), point, bits, float(value)) / Fraction(2) ** bits for form, value in rows]
            room = allowed[k] + 8 * self._float_error(cell, self.subject.network.output)
            rest = [o - _finite(more) for o, more in zip(off, room, strict=True)]
            if max(rest) > 0 and any(r > s for r, s in zip(rest, self._steepest_beside(cell), strict=True)):
                return False
        return True

    def _steepest_beside(self, cell: int) -> list[Fraction]:
        """[n_out] what roundings of a cell's corners make of outputs there, by the maps of all cells that meet there.

        The output at a rounded corner is that of whichever of them it lies in.
        """
        subject = self.subject
        corners = subject.cell_vertices[subject.cell_offsets[cell] : subject.cell_offsets[cell + 1]]
        out = [Fraction(0)] * subject.outputs.shape[1]
        for other in np.unique(subject.owner[np.isin(subject.cell_vertices, corners)]).tolist():
            if not self.affords():
                break
            whole = self.forms(other, {-1})[-1]
            unit = Fraction(2) ** whole.bits
            out = [
                max(known, self._blur(other, row) / unit)
                for known, row in zip(out, whole.numbers.tolist(), strict=True)
            ]
        return out

    def _float_error(self, cell: int, node: int) -> np.ndarray:
        """[n] how far float64 may be off at the corners of a cell and inside it."""
        subject = self.subject
        corners = subject.cell_vertices[subject.cell_offsets[cell] : subject.cell_offsets[cell + 1]]
        points = np.concatenate([subject.vertices[corners], subject.points[cell : cell + 1]])
        place = subject.place
        return first_order(subject.network, place.embed(points), place.errors(points), node)

    def on_folds(self, facts: Facts, allowed: np.ndarray) -> None:
        """Settle whether corners are on folds through them, by the exact forms of their own cells.

        The forward pass at a rounded corner may be that of another cell, whose slopes are larger.

        Args:
            facts: What the forward pass says is off.
            allowed: How far each may be, apart from the roundings of the coordinates.

        Raises:
            CertificateError: If one is off.
        """
        subject = self.subject
        worst = np.argsort(facts.margin / (allowed + facts.swing + np.finfo(float).tiny), kind="stable")
        for number, cell in enumerate(dict.fromkeys(facts.cell[worst].tolist())):
            mine = np.flatnonzero(facts.cell == cell)
            if number and not self.affords():  # the worst one is looked at whatever it takes
                self.settled.open += len(mine)
                continue
            self.settled.signs += len(mine)
            forms = self.forms(cell, set(facts.node[mine].tolist()))
            for k in mine.tolist():
                whole = forms[int(facts.node[k])]
                point = homogeneous(subject.vertices[subject.cell_vertices[facts.corner[k]], subject.first :])
                off = self._off(cell, fact_form(facts, k, whole), point, whole.bits, 0.0)
                if off > _finite(allowed[k]) * Fraction(2) ** whole.bits:
                    name = subject.network.nodes[int(facts.node[k])].name
                    what = f"a vertex is not on the fold of node {name!r} that is recorded there"
                    fail("vertices", np.unique(facts.cell), what)

    def affords(self) -> bool:
        """Whether the forms of one more cell are within the budget, which they are taken from then."""
        cost = 8.0 * self._work * self.subject.vertices.shape[1]
        if cost > self._left:
            return False
        self._left -= cost
        return True

    def _off(self, cell: int, form: list[Any], point: list[Any], bits: int, value: float) -> Fraction:
        """How far a form on a cell is at a rounded point from a value, beyond what roundings of coordinates make."""
        there = Fraction(sum(a * b for a, b in zip(form, point, strict=True))) / point[-1]
        return abs(there - Fraction(value) * Fraction(2) ** bits) - self._blur(cell, form)

    def _blur(self, cell: int, form: list[Any]) -> Fraction:
        """What roundings of the coordinates make of a form on a cell."""
        scale = [Fraction(float(x)) for x in self.subject.scale_of(cell)]
        return Fraction(_SEPARATE) * sum(abs(Fraction(c)) * s for c, s in zip(form[:-1], scale, strict=True))

    @np.errstate(all="ignore")  # bounds may be infinite
    def _sifted(self, facts: Facts, points: np.ndarray, place: np.ndarray, doubt: np.ndarray, tied: set[int]) -> Facts:
        """Those facts that bounds at each point don't prove, either; cells with some that are zero go to `tied`."""
        subject, kept = self.subject, []
        used, row = np.unique(place, return_inverse=True)
        size = _rows(subject)
        for start in range(0, len(used), size):
            chosen = np.flatnonzero((row >= start) & (row < start + size))
            part, rows = facts.taken(chosen), row[chosen] - start
            coordinates = points[used[start : start + size]]
            closer = self._evaluator.closer(coordinates)
            if closer is None:
                kept.append(part)
                continue
            for passed in closer:
                mine = part.of_node(passed.index)
                if not len(mine):
                    continue
                here = part.taken(mine)
                margin, error = here.evaluated(passed, rows[mine])
                share = doubt[chosen][mine]
                with np.errstate(invalid="ignore"):
                    slack = np.where(share > 0, share * (here.swing + 2 * error), 0.0)
                zero = (margin == 0) & (error == 0) & ((share == 0) | (here.swing == 0))
                zero &= (here.sign < 0) | (here.minus >= 0)  # a unit is off where it is zero
                tied.update(here.cell[zero].tolist())
                proved = (margin > error + slack) | zero
                kept.append(here.taken(np.flatnonzero(~proved)))
        return Facts.joined(kept)

    def _exactly(self, facts: Facts, check: str, corners: bool) -> None:
        """Settle facts cell by cell in exact arithmetic, the most contradicted ones first."""
        if not len(facts):
            return
        worst = facts.margin / np.maximum(np.abs(facts.margin) + facts.swing, np.finfo(float).tiny)
        order = np.argsort(worst, kind="stable")
        cells, first = np.unique(facts.cell[order], return_index=True)
        members = np.split(np.argsort(facts.cell, kind="stable"), np.searchsorted(np.sort(facts.cell), cells)[1:])
        for number in np.argsort(first, kind="stable"):
            part = facts.taken(members[number])
            if not self.affords():
                self.settled.open += len(part)
                self.settled.signs -= len(part)
                continue
            if self._cell(int(cells[number]), part, corners):
                suspects = facts.margin < -facts.swing * 1e-6
                bad = np.union1d(facts.cell[suspects], cells[number : number + 1])
                name = self.subject.network.nodes[int(part.node[0])].name
                fail(check, bad, f"a unit of node {name!r} has another sign in the cell, in exact arithmetic")

    def _cell(self, cell: int, facts: Facts, corners: bool) -> bool:
        """Whether a fact about a cell is wrong; notes what is wrong by less than coordinates resolve."""
        subject = self.subject
        wanted = set(facts.node.tolist())
        spots = np.unique(facts.corner)
        if corners:
            assert subject.facets is not None
            around = {int(spot): subject.facets.at(spot) for spot in spots}
            wanted |= {int(op) for items in around.values() for op in subject.facets.op[items] if op >= 0}
        forms = self.forms(cell, wanted)
        thin = subject.shapes.width[cell] <= 2 * _SEPARATE  # coordinates don't tell its interior from its surroundings
        for spot in spots:
            point = self.crossing(int(spot), cell, around[int(spot)], forms) if corners else self._point(cell)
            if point is None:
                continue
            for k in np.flatnonzero(facts.corner == spot):
                form = fact_form(facts, int(k), forms[int(facts.node[k])])
                value = Fraction(sum(a * b for a, b in zip(form, point, strict=True)))
                if value <= 0 and not corners:
                    self.settled.doubts.vague.add(cell)
                    if facts.sign[k] > 0 and facts.minus[k] < 0 and not any(form):
                        return True  # a unit that is zero everywhere is off
                if value < 0:
                    room = self._blur(cell, form)
                    if not corners and not thin:
                        room += self._placing(facts, int(k)) * Fraction(2) ** forms[int(facts.node[k])].bits
                    if -value > room * abs(point[-1]) and not (thin and not corners):
                        return True
                    if not corners and not thin and self._contradicted(cell, facts, int(k)):
                        return True
                    self.settled.merged.add(cell)
        return False

    def _contradicted(self, cell: int, facts: Facts, k: int) -> bool:
        """Whether a fact does not hold at a corner of its cell, by more than coordinates resolve.

        What an interior point says against a fact may be due to where float64 has put the vertices; what exact corners
        say is not.
        """
        subject, node = self.subject, int(facts.node[k])
        if subject.facets is None:
            return False
        spots = range(int(subject.cell_offsets[cell]), int(subject.cell_offsets[cell + 1]))
        around = [subject.facets.at(spot) for spot in spots]
        forms = self.forms(cell, {node} | {int(op) for items in around for op in subject.facets.op[items] if op >= 0})
        form = fact_form(facts, k, forms[node])
        for spot, items in zip(spots, around, strict=True):
            point = self.crossing(spot, cell, items, forms)
            if point is not None:
                value = Fraction(sum(a * b for a, b in zip(form, point, strict=True)))
                if -value > self._blur(cell, form) * abs(point[-1]):
                    return True
        return False

    def _placing(self, facts: Facts, k: int) -> Fraction:
        """How far vertices may be off a fold, and hence an interior point on the other side: see `on_folds`."""
        placed = np.asarray(self._evaluator.placement(int(facts.node[k])))
        units = [int(unit) for unit in (facts.plus[k], facts.minus[k]) if unit >= 0]
        return _finite(4 * facts.error[k] + sum(float(placed[unit] if placed.ndim else placed) for unit in units))

    def forms(self, cell: int, wanted: set[int]) -> dict[int, ScaledIntegers]:
        """Exact forms on a cell of what some folding nodes read; -1 for the output."""
        subject = self.subject
        patterns = {}
        for node, codes in subject.code_of.items():
            if -1 in wanted or node <= max(wanted):
                patterns[node] = unpack(codes.full(np.array([cell])), len(codes.base))[0]
        entry = subject.place.entry(subject.points[cell])
        return cell_forms(subject.network, entry, patterns, wanted, self._parameters)

    def _point(self, cell: int) -> list[Any]:
        """The interior point as it is, in homogeneous coordinates."""
        return homogeneous(self.subject.points[cell, self.subject.first :])

    def crossing(
        self, corner: int, cell: int, around: np.ndarray, forms: dict[int, ScaledIntegers]
    ) -> list[Any] | None:
        """The point where the cell's own facets meet, in homogeneous coordinates; None if they don't say where."""
        subject = self.subject
        assert subject.facets is not None
        coordinates = subject.vertices[subject.cell_vertices[corner]]
        here, rows = homogeneous(coordinates[subject.first :]), list[Any]()
        for facet in around:
            if subject.facets.op[facet] < 0 and subject.facets.side[facet] < 0:
                self.settled.merged.add(cell)
                return None
            if subject.facets.op[facet] < 0:
                rows.append(subject.place.side(int(subject.facets.side[facet]), coordinates))
            else:
                whole = forms[int(subject.facets.op[facet])]
                rows.append(nearest([difference(whole, *wall) for wall in around_facet(subject, int(facet))], here))
        return common_zero([[Fraction(x) for x in row] for row in rows])


def _finite(allowed: Any) -> Fraction:
    return Fraction(min(float(allowed), float(np.finfo(float).max)))


def _rows(subject: Subject) -> int:
    widest = max(node.size for node in subject.network.nodes)
    return min(max(32, (1 << 20) // widest), max(1, (1 << 24) // widest))
