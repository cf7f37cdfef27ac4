"""What float64 leaves open along segments, decided in exact arithmetic from what defines each point.

A breakpoint is the zero of the form of one unit, or of the difference of two members of a group, on a cell beside it;
an end of the domain is 0 or 1. So the sign of a unit at a breakpoint, and the order of two breakpoints, are comparisons
of rational numbers. What is zero by its pattern, because all that it adds up is, needs no numbers at all.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from flint import fmpq

from splinescope.geometry.bits import unpack
from splinescope.network.evaluate import products
from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.dyadics import Dyadic, Form
from splinescope.tessellation.exact import ExactForms, Pieces, segment_rows
from splinescope.tessellation.predicates import envelope, nearest, sign_at
from splinescope.tessellation.segments.codes import FlipCodes
from splinescope.tessellation.segments.kernels.crossings import Placed
from splinescope.tessellation.segments.kernels.envelopes import Walked
from splinescope.tessellation.segments.part import SegmentsPart
from splinescope.tessellation.segments.vanishing import vanishing

UNDECIDED = 2
"""In place of a sign that costs too much."""
_LARGEST_CELL = 1 << 24
"""Products that the forms on one cell may take."""
_LARGEST_SEGMENT = 1 << 28
"""Products that the forms on all cells of a segment may take."""
_CHEAP = 1 << 14
"""Products on one cell that are so few that positions are worth them."""
_FINE, _COARSE = 2.0**-22, 2.0**-8
"""Uncertainties of positions, as shares of their distances from others, from which on they are computed exactly."""
_REMEMBERED = 1 << 24
"""Pieces of units on cells that are remembered."""
_CELLS = 64
"""Cells whose patterns are unpacked at once."""
_KEPT = 64
"""Segments whose forms are remembered."""


@dataclass
class Tally:
    """How facts were decided.

    Attributes:
        signs: Signs of units at points.
        exact: Facts that exact arithmetic decided.
        undecided: Facts within rounding that would have cost too much.
    """

    signs: int = 0
    exact: int = 0
    undecided: int = 0

    def add(self, other: Tally) -> None:
        """Add what another one counted."""
        self.signs += other.signs
        self.exact += other.exact
        self.undecided += other.undecided


class Arbiter:
    """Exact forms and points of some segments.

    Args:
        network: The network.
        starts: [s, n] flat inputs at the starts of the segments.
        ends: [s, n] flat inputs at their ends.
        first: Number of the first segment.
        rows: Weights as integers, shared by all forms of the network.
    """

    def __init__(
        self, network: Network, starts: np.ndarray, ends: np.ndarray, first: int, rows: dict[int, Any]
    ) -> None:
        self.network, self._starts, self._ends, self._first, self._rows = network, starts, ends, first, rows
        self._forms: OrderedDict[int, ExactForms] = OrderedDict()
        self._spent: dict[int, int] = {}
        self.places: dict[int, fmpq | None] = {}
        self.cells: dict[int, tuple[int, Pieces]] = {}
        self.remembered = max(_CELLS, _REMEMBERED // max(1, network.num_units))
        self.tally = Tally()

    @cached_property
    def _costs(self) -> list[int]:
        """Products that the forms of all nodes up to each take on one cell."""
        return list(accumulate(products(self.network)))

    def cost(self, node: int) -> int:
        """Products that the forms of all nodes up to one take on one cell."""
        return self._costs[node]

    def affords(self, node: int) -> bool:
        """Whether the forms of a node on one cell are within the budget."""
        return self._costs[node] <= _LARGEST_CELL

    def inputs(self, points: np.ndarray) -> np.ndarray:
        """[k, n] flat inputs at points: [k, 2] numbers of segments, and parameters."""
        rows, t = points[:, 0].astype(np.int64) - self._first, points[:, 1:]
        return np.asarray((1.0 - t) * self._starts[rows] + t * self._ends[rows])

    def forms(self, segment: int, node: int) -> ExactForms | None:
        """Forms along a segment; None if those of a node cost too much."""
        if not self.affords(node) or self._spent.get(segment, 0) > _LARGEST_SEGMENT:
            return None
        if segment not in self._forms:
            row = segment - self._first
            inputs = segment_rows(self._starts[row], self._ends[row])
            self._forms[segment] = ExactForms(self.network, inputs, Dyadic([], 0), self._rows)
            if len(self._forms) > _KEPT:
                old, gone = self._forms.popitem(last=False)
                self._spent[old] = self._spent.get(old, 0) + gone.products
        self._forms.move_to_end(segment)
        found = self._forms[segment]
        return None if self._spent.get(segment, 0) + found.products > _LARGEST_SEGMENT else found


@dataclass
class View:
    """A part as it is before its next node, with the patterns of its cells.

    Attributes:
        arbiter: The exact forms.
        part: The part.
    """

    arbiter: Arbiter
    part: SegmentsPart
    _codes: dict[int, FlipCodes] = field(default_factory=dict)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.part.numbers)

    @cached_property
    def _segment_of(self) -> np.ndarray:
        """[P] place of the segment of each point."""
        return np.repeat(np.arange(len(self.part.segments)), np.diff(self.part.offsets))

    @cached_property
    def _inner(self) -> np.ndarray:
        return self.part.inner

    def _code(self, passed: int) -> FlipCodes:
        """Patterns of the cells at one of the nodes passed; the cell at point `i` of segment `s` is the `i - s`-th."""
        if passed not in self._codes:
            part, flips = self.part, self.part.flips[passed]
            starts = part.offsets - np.arange(len(part.offsets))
            points = self._order[np.searchsorted(part.numbers, flips.points, sorter=self._order)]
            cells = points - self._segment_of[points]
            order = np.argsort(cells, kind="stable")
            offsets = np.searchsorted(cells[order], np.arange(part.cells + 1))
            base = unpack(flips.first[:1], flips.columns)[0]
            self._codes[passed] = FlipCodes(flips.node, base, flips.first, starts, offsets, flips.flipped[order])
        return self._codes[passed]

    def _cell(self, points: np.ndarray) -> np.ndarray:
        """Number of the cell behind each point; at the last point of a segment of that before."""
        return np.where(self._inner[points], points, points - 1) - self._segment_of[points]

    def prepare(self, cells: np.ndarray) -> None:
        """Unpack the patterns of some cells, at the nodes that were not passed when they were asked for before."""
        known, passed = self.arbiter.cells, len(self.part.flips)
        if len(known) > self.arbiter.remembered:
            known.clear()
        groups: dict[int, list[int]] = {}
        for cell in np.unique(cells).tolist():
            seen, _ = known.setdefault(self._name(cell), (0, {}))
            if seen < passed:
                groups.setdefault(seen, []).append(cell)
        for seen, some in groups.items():
            codes = [self._code(place) for place in range(seen, passed)]
            for cell, more in zip(some, pieces_of_cells(self.arbiter.network, codes, np.array(some)), strict=True):
                name = self._name(cell)
                known[name] = (passed, {**known[name][1], **more})

    @cached_property
    def _starts(self) -> np.ndarray:
        """[F] number of the point at which each cell starts; other points may come behind it, and its name stays."""
        return self.part.numbers[self._inner]

    def _name(self, cell: int) -> int:
        return int(self._starts[cell])

    def pieces(self, cell: int) -> Pieces:
        """Pattern of a cell."""
        seen, pieces = self.arbiter.cells.get(self._name(cell), (-1, {}))
        if seen < len(self.part.flips):
            self.prepare(np.array([cell]))
            seen, pieces = self.arbiter.cells[self._name(cell)]
        return pieces

    def signs(self, node: int, points: np.ndarray, columns: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Signs of units before an activation at points.

        Args:
            node: The activation.
            points: [k] points.
            columns: [k] folds, as in `ExactForms.folds`.
            shifts: [k] breakpoints.

        Returns:
            [k] signs: -1, 0 or 1, or `UNDECIDED`.
        """
        out = np.full(len(points), UNDECIDED, np.int8)
        if not self.arbiter.affords(node):
            self.arbiter.tally.undecided += len(points)
            return out
        source = self.arbiter.network.nodes[node].inputs[0]
        size = self.arbiter.network.nodes[source].size
        cells = self._cell(points)
        order = np.argsort(cells, kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)
        for start in range(0, len(runs), _CELLS):
            some = runs[start : start + _CELLS]
            numbers = np.array([cells[run[0]] for run in some])
            self.prepare(numbers)
            void = vanishing(self.arbiter.network, source, [self.pieces(int(cell)) for cell in numbers])
            for row, run in enumerate(some):
                zero = void[row, columns[run] % size]
                out[run[zero]] = -np.sign(shifts[run[zero]]).astype(np.int8)
                rest = run[~zero]
                if len(rest):
                    out[rest] = self._signs_on(node, int(numbers[row]), points[rest], columns[rest])
        tally = self.arbiter.tally
        undecided = int((out == UNDECIDED).sum())
        tally.exact += len(out) - undecided
        tally.undecided += undecided
        return out

    def _signs_on(self, node: int, cell: int, points: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Exact signs on one cell."""
        forms = self.arbiter.forms(self.segment(int(points[0])), node)
        places = {int(point): self.place(int(point)) for point in np.unique(points)}
        if forms is None or any(place is None for place in places.values()):
            return np.full(len(points), UNDECIDED, np.int8)
        unique, inverse = np.unique(columns, return_inverse=True)
        rows = forms.forms(self.pieces(cell), node, unique.tolist())
        return np.array(
            [_sign(rows[row], places[int(point)]) for row, point in zip(inverse.tolist(), points, strict=True)], np.int8
        )

    def segment(self, point: int) -> int:
        """Number of the segment of a point."""
        return int(self.part.segments[self._segment_of[point]])

    def cell(self, point: int) -> int:
        """Number of the cell behind a point."""
        return int(self._cell(np.array([point]))[0])

    def place(self, point: int) -> fmpq | None:
        """Exact parameter of a point; None if it costs too much."""
        part = self.part
        number, op = int(part.numbers[point]), int(part.ops[point])
        if op < 0:
            return fmpq(int(part.columns[point]))
        places = self.arbiter.places
        if number not in places:
            forms = self.arbiter.forms(self.segment(point), op)
            if forms is None:
                places[number] = None
            else:
                cell = self.cell(point)
                (form,) = forms.forms(self.pieces(cell), op, [int(part.columns[point])])
                places[number] = _zero(form)
        return places[number]

    def share(self, node: int) -> float:
        """Uncertainty of a fold's position, as a share of its distance from others, that is left to float64."""
        return _FINE if self.arbiter.cost(node) <= _CHEAP else _COARSE

    def placed(self, node: int, here: int, columns: np.ndarray) -> Placed | None:
        """Order and positions of folds that cut an interval; None if they cost too much.

        Args:
            node: The node that folds.
            here: Point at which the interval starts.
            columns: Its folds.

        Returns:
            The answers.
        """
        tally = self.arbiter.tally
        forms = self.arbiter.forms(self.segment(here), node)
        low, high = (self.place(here), self.place(here + 1)) if forms is not None else (None, None)
        zeros: list[fmpq] = []
        if forms is not None and low is not None and high is not None:
            cell = self.cell(here)
            found = [_zero(form) for form in forms.forms(self.pieces(cell), node, columns.tolist())]
            zeros = [zero for zero in found if zero is not None]
        if len(zeros) < len(columns):
            tally.undecided += len(columns)
            return None
        tally.exact += len(columns)
        order = sorted(range(len(zeros)), key=zeros.__getitem__)
        opens = [True, *(zeros[a] != zeros[b] for a, b in pairwise(order))]
        fractions = np.array([self._fraction(zeros[k], low, high) for k in order])
        return Placed(np.array(order), np.array(opens), fractions, self._known(here, fractions))

    def _fraction(self, zero: fmpq, low: fmpq, high: fmpq) -> float:
        """Where a point lies between two, in [0, 1]."""
        return min(1.0, max(0.0, nearest((zero - low) / (high - low)))) if high != low else 0.5

    def _known(self, here: int, fractions: np.ndarray) -> np.ndarray:
        """How well float64 knows the parameters of points at exact fractions of an interval."""
        first, second = self.part.uncertainty[here], self.part.uncertainty[here + 1]
        return np.asarray(first + fractions * (second - first) + 4 * UNIT_ROUNDOFF)

    def walked(self, node: int, here: int, index: np.ndarray) -> list[Walked | None]:
        """Exact leads of groups on an interval.

        Args:
            node: The max node.
            here: Point at which the interval starts.
            index: [k, size] members of some groups; -1 is none.

        Returns:
            The leads of each group; None if they cost too much.
        """
        network, tally = self.arbiter.network, self.arbiter.tally
        (source,) = network.nodes[node].inputs
        cell = self.cell(here)
        void = vanishing(network, source, [self.pieces(cell)])[0]
        alike = (void[np.maximum(index, 0)] | (index < 0)).all(axis=1)
        out: list[Walked | None] = [
            Walked([int(np.argmax(row >= 0))], [], []) if same else None for row, same in zip(index, alike, strict=True)
        ]
        tally.exact += int(alike.sum())
        rest = np.flatnonzero(~alike)
        if not len(rest):
            return out
        forms = self.arbiter.forms(self.segment(here), node)
        low, high = (self.place(here), self.place(here + 1)) if forms is not None else (None, None)
        if forms is None or low is None or high is None:
            tally.undecided += len(rest)
            return out
        units = np.unique(index[rest][index[rest] >= 0])
        known = forms.values(self.pieces(cell), source, units)
        rows = dict(zip(units.tolist(), known.rows, strict=True))
        for k in rest.tolist():
            lines = {place: rows[unit] for place, unit in enumerate(index[k].tolist()) if unit >= 0}
            leaders, zeros = envelope(lines, low, high)
            fractions = np.array([self._fraction(zero, low, high) for zero in zeros])
            out[k] = Walked(leaders, fractions.tolist(), self._known(here, fractions).tolist())
        tally.exact += len(rest)
        return out


def _zero(form: Form) -> fmpq | None:
    """Where a form of one coordinate vanishes."""
    slope, constant = form
    return None if slope == 0 else fmpq(-constant, slope)


def _sign(form: Form, place: fmpq | None) -> int:
    assert place is not None
    return sign_at(form, [place.p, place.q])
