"""Exact decisions: on which side of a fold a vertex lies, from the facets that define it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from flint import fmpq, fmpz

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.lattice.corners import Moment
from splinescope.geometry.lattice.decisions import DecidedSigns
from splinescope.geometry.lattice.faces import NEW
from splinescope.network.graph import Network
from splinescope.tessellation.balls import BallCell, BallDomain, BallForms, Cut, Named
from splinescope.tessellation.codes import NodeCodes, PieceTable
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.dyadics import Dyadic, Form, integers
from splinescope.tessellation.exact import ExactForms, Pieces, domain_rows, input_rows
from splinescope.tessellation.predicates import fraction_between, independent_crossing, nearest
from splinescope.tessellation.thresholds import Columns

_NEAREST = 2.0**-52
"""Error of a share up to which it is as good as the nearest float64 number."""


class SpatialJudge:
    """Decides signs in exact arithmetic, and remembers the vertices that it had to find.

    Args:
        network: The network.
        forms: Its exact forms.
        balls: The same to some thirty digits, for places.
        domain: The domain, as they want it.
    """

    def __init__(self, network: Network, forms: ExactForms, balls: BallForms, domain: BallDomain) -> None:
        self._network, self._forms, self._balls, self._domain = network, forms, balls, domain
        self._table = PieceTable(network)
        self._points: dict[int, Form] = {}
        self._pieces: dict[int, Pieces] = {}
        self._known: dict[tuple[int, int, int], Form] = {}
        self._codes: Sequence[NodeCodes] = ()
        self._columns = Columns(0, 0, 64)
        self.decided = 0

    @classmethod
    def of(cls, network: Network, domain: Domain, sides: Dyadic) -> SpatialJudge:
        """The judge of a network on a domain with given sides."""
        exact = ExactForms(network, domain_rows(domain.origin, domain.basis), sides)
        return cls(network, exact, BallForms(network), BallDomain(input_rows(domain.origin, domain.basis), sides))

    def enter(self, columns: Columns, codes: Sequence[NodeCodes]) -> None:
        """Begin with a layer, on cells with the given patterns."""
        self._columns, self._codes, self._pieces, self._known = columns, codes, {}, {}

    def renumber(self, vertices: np.ndarray) -> None:
        """Keep the vertices with the given numbers, in this order."""
        if self._points:
            number = {old: new for new, old in enumerate(vertices.tolist())}
            self._points = {number[old]: point for old, point in self._points.items() if old in number}

    def part(self, vertices: np.ndarray) -> SpatialJudge:
        """The same for some of the vertices, in this order; it has decided nothing yet."""
        part = SpatialJudge(self._network, self._forms, self._balls, self._domain)
        part._table, part._points = self._table, dict(self._points)
        part.renumber(vertices)
        return part

    def fractions(self, moment: Moment, vertices: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Where the moment's column crosses edges, as float64 shares of the way."""
        cells = moment.cells_of(vertices)
        out, errors = self._by_balls(moment, cells, ends)
        for i in np.flatnonzero(~(errors <= _NEAREST)).tolist():
            cell = int(cells[i])
            (form,) = self._facets(moment, cell, np.array([[NEW, moment.column]]))
            out[i] = fraction_between(form, *(self.point(moment, cell, end) for end in ends[i].tolist()))
        return out

    def _by_balls(self, moment: Moment, cells: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """[2, k] where the moment's column crosses edges of cells, and how far that may be off; NaN where unknown."""
        origins, place = np.unique(moment.origins[cells], return_inverse=True)
        self._prepare(origins)
        shares, cuts, known = np.full((2, len(cells)), np.nan), list[Cut](), list[int]()
        forms = self._named(moment.origins[cells], np.full((len(cells), 2), [NEW, moment.column]))
        around = self._around(moment, np.repeat(cells, 2), ends.ravel())
        for i, (tail, head) in enumerate(zip(around[::2], around[1::2], strict=True)):
            if len(tail) == len(head) == moment.dimension:
                cuts.append(Cut(int(place[i]), forms[i], tail, head))
                known.append(i)
        asked = [BallCell(self._pieces[origin], self._domain) for origin in origins.tolist()]
        shares[:, known] = self._balls.shares(asked, cuts)
        return shares

    def signs(self, moment: Moment, vertices: np.ndarray, columns: np.ndarray) -> DecidedSigns:
        """Signs of columns at vertices, and the float64 values nearest to the exact ones."""
        places, inverse = np.unique(vertices, return_inverse=True)
        cells = moment.cells_of(places)
        self._prepare(moment.origins[cells])
        signs, values = np.empty(len(vertices), np.int64), np.empty(len(vertices))
        order = np.lexsort((inverse, cells[inverse]))
        for block in np.split(order, np.flatnonzero(np.diff(cells[inverse][order])) + 1):
            cell = int(cells[inverse[block[0]]])
            rows, shifts, exponent = self._rows(int(moment.origins[cell]), columns[block])
            for i, row, shift in zip(block.tolist(), rows, shifts, strict=True):
                point = self.point(moment, cell, int(vertices[i]))
                value = _scaled(sum((a * x for a, x in zip(row, point, strict=True)), fmpz(0)), point[-1], exponent)
                value -= shift
                signs[i] = (value > 0) - (value < 0)
                values[i] = nearest(value)
        self.decided += len(vertices)
        return DecidedSigns(signs, values)

    def _prepare(self, origins: np.ndarray) -> None:
        """Patterns of some cells."""
        missing = np.array([cell for cell in np.unique(origins).tolist() if cell not in self._pieces], np.int64)
        if len(missing):
            found = self._table.of_cells(self._codes, missing)
            self._pieces.update(zip(missing.tolist(), found, strict=True))

    def _rows(self, origin: int, columns: np.ndarray) -> tuple[list[Form], list[fmpq], int]:
        """Forms whose values less some shifts are those of columns, times two to the power of an exponent."""
        kind = self._columns
        node, folds = self._network.nodes[kind.node], kind.folds(np.full(len(columns), origin), columns)
        walls = self._network.folds[kind.node].walls(folds, node.size)
        pair = walls.minus >= 0
        units, place = np.unique(np.stack([walls.plus, np.where(pair, walls.minus, walls.plus)]), return_inverse=True)
        known = self._forms.values(self._pieces[origin], node.inputs[0], units)
        rows = [
            [x - y for x, y in zip(known.rows[i], known.rows[j], strict=True)] if two else known.rows[i]
            for i, j, two in zip(*place.reshape(2, -1).tolist(), pair.tolist(), strict=True)
        ]
        return rows, [_rational(shift) for shift in walls.shift], known.exponent

    def _labels(self, moment: Moment, cell: int, vertex: int) -> np.ndarray:
        """[k, 2] labels of the facets of a cell through one of its vertices, the one that is being made included."""
        labels = moment.facets_at(cell, vertex)
        return np.vstack([labels, [[NEW, moment.column]]]) if vertex >= moment.first else labels

    def _around(self, moment: Moment, cells: np.ndarray, vertices: np.ndarray) -> list[tuple[Named, ...]]:
        """For each of some vertices that there were before the column, what facets of a cell are there."""
        starts, labels = moment.facets_of(cells, vertices)
        named = self._named(np.repeat(moment.origins[cells], np.diff(starts)), labels)
        return [tuple(named[start:stop]) for start, stop in itertools.pairwise(starts.tolist())]

    def _named(self, origins: np.ndarray, labels: np.ndarray) -> list[Named]:
        """Nodes and folds that facets are on, of cells with the patterns of these."""
        nodes, columns = labels[:, 0].astype(np.int64), labels[:, 1].astype(np.int64)
        new = nodes == NEW
        if new.any():
            columns[new] = self._columns.folds(origins[new], columns[new])
            nodes[new] = self._columns.node
        return list(zip(nodes.tolist(), columns.tolist(), strict=True))

    def _facets(self, moment: Moment, cell: int, labels: np.ndarray) -> list[Form]:
        """Forms that vanish on facets of a cell."""
        origin = int(moment.origins[cell])
        self._prepare(np.array([origin]))
        keys = [(origin, node, column) for node, column in self._named(np.full(len(labels), origin), labels)]
        missing: dict[int, list[int]] = {}
        for key in keys:
            if key not in self._known:
                missing.setdefault(key[1], []).append(key[2])
        for node, folds in missing.items():
            forms = self._forms.forms(self._pieces[origin], node, folds)
            self._known.update(((origin, node, fold), form) for fold, form in zip(folds, forms, strict=True))
        return [self._known[key] for key in keys]

    def point(self, moment: Moment, cell: int, vertex: int) -> Form:
        """The exact place of a vertex of a cell, in homogeneous coordinates."""
        if vertex not in self._points:
            facets = self._facets(moment, cell, self._labels(moment, cell, vertex))
            point = independent_crossing(facets, moment.dimension)
            if point is None:
                raise DegenerateArrangementError(
                    f"the facets through vertex {vertex} of cell {cell} have no common point: signs of node "
                    f"{self._columns.node} or before are wrong; try a larger `Tolerance.safety`"
                )
            self._points[vertex] = point
        return self._points[vertex]


def _rational(number: float) -> fmpq:
    """A float64 number as a rational one."""
    (whole,), exponent = integers(np.array([number]))
    return _scaled(whole, fmpz(1), exponent)


def _scaled(numerator: fmpz, denominator: fmpz, exponent: int) -> fmpq:
    """A fraction times a power of two."""
    if exponent >= 0:
        return fmpq(numerator << exponent, denominator)
    return fmpq(numerator, denominator << -exponent)
