r"""Affine forms on cells to some thirty digits, as balls: where something is, not whether it is zero.

The forms of a cell (see `exact`) have coefficients of thousands of bits in deep networks, of which a place that is
rounded to a float64 number needs a hundred. Here each coefficient is a double word and a radius (`double_words`), and
all that comes after the network, crossings of forms and shares of ways, is FLINT's arithmetic of balls. A ball proves
that a number is not zero, never that it is: whoever needs that asks `exact`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from flint import arb, arb_mat, ctx
from scipy.sparse import csr_array

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Reads, Walls
from splinescope.tessellation.double_words import Balls, applied, folded, joined
from splinescope.tessellation.dyadics import Dyadic
from splinescope.tessellation.exact import Pieces

_PRECISION = 160
"""Bits of the balls after the network: more than two float64 numbers have."""
_KNOWN = 2.0**-32
"""Radius of a share from which balls do not know it."""
_PRODUCTS = 1 << 26
"""Products of the units that the forms of a cell need from which they are not evaluated here: a second."""
_HELD = 1 << 24
"""Weights that are remembered, from when it is known what is needed until others are."""
_TOGETHER, _NUMBERS = 64, 1 << 22
"""Cells that are looked at together, whose numbers of a unit are in the nearest cache; and units of the network, times
these, at most."""

Named = tuple[int, int]
"""A form by what folds: a node, or -1 for the sides of the domain, and its fold, by the numbers of `Fold.walls`."""

_WHOLE = 1 << 13
"""Products up to which all units of a node are evaluated: to find out which are needed would take longer."""


class BallDomain(NamedTuple):
    """A domain, as forms.

    Attributes:
        inputs: [n_in, d + 1] inputs of the network as forms of the domain's coordinates, the constant last.
        sides: Forms that vanish on the sides of the domain, exactly.
    """

    inputs: np.ndarray
    sides: Dyadic


class BallCell(NamedTuple):
    """A cell of a network in a domain.

    Attributes:
        pieces: Its pieces at folding nodes.
        domain: The domain.
    """

    pieces: Pieces
    domain: BallDomain


class Cut(NamedTuple):
    """A way across a cell that a form cuts.

    Attributes:
        cell: Which cell.
        form: What cuts.
        tail: Forms that vanish where the way starts, as many as there are coordinates.
        head: Those where it ends.
    """

    cell: int
    form: Named
    tail: tuple[Named, ...]
    head: tuple[Named, ...]


class Corner(NamedTuple):
    """A place on a cell.

    Attributes:
        cell: Which cell.
        forms: Forms that vanish there, as many as there are coordinates.
    """

    cell: int
    forms: tuple[Named, ...]


class Spots(NamedTuple):
    """Where corners are, and what a node is there; NaN where balls do not tell.

    Attributes:
        points: [k, d] coordinates.
        radii: [k, d] how far they may be off.
        values: [k, n] values of the node.
        doubts: [k, n] how far they may be off.
    """

    points: np.ndarray
    radii: np.ndarray
    values: np.ndarray
    doubts: np.ndarray


class BallForms:
    """Affine forms of the units of a network on its cells, as balls.

    Args:
        network: The network.
    """

    def __init__(self, network: Network) -> None:
        self._network, self._last_use = network, last_uses(network)
        self._together = max(1, min(_TOGETHER, _NUMBERS // sum(node.size for node in network.nodes)))
        self._rows: dict[int, tuple[np.ndarray, csr_array, np.ndarray]] = {}

    def shares(self, cells: Sequence[BallCell], cuts: Sequence[Cut]) -> np.ndarray:
        """Where forms cut ways across cells, as shares of the way.

        Args:
            cells: Cells of domains of one dimension, with pieces at all folding nodes before those that are named.
            cuts: Ways, and what cuts them.

        Returns:
            [2, cuts] float64 shares, and how far each may be off; NaN where thirty digits do not tell them, where the
            forms at an end have no single common point, and where the forms take too many products.
        """
        out = np.full((2, len(cuts)), np.nan)
        corners = [Corner(cut.cell, (cut.form, *cut.tail, *cut.head)) for cut in cuts]
        for at, known, _ in self._known(cells, corners):
            out[:, at] = _share(known, cuts[at])
        return out

    def spots(self, cells: Sequence[BallCell], corners: Sequence[Corner], node: int) -> Spots:
        """Where forms meet, and the values of a node there.

        Args:
            cells: Cells of domains of one dimension, with pieces at all folding nodes up to `node` and before those
                that are named.
            corners: What meets.
            node: Index of the node, or -1 for none.
        """
        count, dimension = len(corners), len(corners[0].forms) if corners else 0
        size = self._network.nodes[node].size if node >= 0 else 0
        out = Spots(*(np.full((count, width), np.nan) for width in (dimension, dimension, size, size)))
        for at, known, rows in self._known(cells, corners, node):
            point = _crossing(known, corners[at].forms)
            if point is not None:
                out.points[at], out.radii[at] = _rounded(point)
                out.values[at], out.doubts[at] = _rounded([_value(row, point) for row in rows])
        return out

    def _known(
        self, cells: Sequence[BallCell], corners: Sequence[Corner], node: int = -1
    ) -> Iterator[tuple[int, dict[Named, list[Any]], list[list[Any]]]]:
        """For each corner its number, the forms that it names, and those of a node on its cell, if that can be had."""
        of_cell: dict[int, list[int]] = {}
        for number, corner in enumerate(corners):
            of_cell.setdefault(corner.cell, []).append(number)
        numbers, together = list(of_cell), self._together
        for start in range(0, len(numbers), together):
            some = numbers[start : start + together]
            names = [list(dict.fromkeys(name for at in of_cell[n] for name in corners[at].forms)) for n in some]
            with ctx.workprec(_PRECISION), np.errstate(all="ignore"):
                forms = self._forms([cells[n] for n in some], names, node)
                for number, (known, rows) in zip(some, forms, strict=False):
                    for at in of_cell[number]:
                        yield at, known, rows

    def _forms(
        self, cells: Sequence[BallCell], asked: Sequence[Sequence[Named]], node: int
    ) -> Iterator[tuple[dict[Named, list[Any]], list[list[Any]]]]:
        """For each cell the forms that are asked for, and those of a node, unless that takes too many products."""
        walls, every = [self._walls(names) for names in asked], np.arange(self._network.nodes[node].size)
        units: dict[int, list[np.ndarray]] = {} if node < 0 else {node: [every]}
        for source, columns in ((source, w) for of_cell in walls for source, (_, w) in of_cell.items()):
            units.setdefault(source, []).extend([columns.plus, columns.minus[columns.minus >= 0]])
        known = self._evaluated(cells, {source: np.unique(np.concatenate(parts)) for source, parts in units.items()})
        if known is None:
            return
        for number, (cell, names) in enumerate(zip(cells, asked, strict=True)):
            sides = cell.domain.sides.rows
            found = {name: [arb(coefficient) for coefficient in sides[name[1]]] for name in names if name[0] < 0}
            for source, (of_node, wall) in walls[number].items():
                found.update(zip(of_node, _differences(known[source], number, wall), strict=True))
            yield found, [] if node < 0 else [_ball(known[node], number, unit) for unit in every.tolist()]

    def _walls(self, names: Sequence[Named]) -> dict[int, tuple[list[Named], Walls]]:
        """By the node that is read: the forms that are asked of it, and what they are there."""
        by_op: dict[int, list[Named]] = {}
        for name in names:
            if name[0] >= 0:
                by_op.setdefault(name[0], []).append(name)
        out: dict[int, tuple[list[Named], Walls]] = {}
        for op, some in by_op.items():
            node = self._network.nodes[op]
            walls = self._network.folds[op].walls(np.array([column for _, column in some], np.int64), node.size)
            before, others = out.get(node.inputs[0], ([], None))
            if others is not None:
                walls = Walls(*(np.concatenate(pair) for pair in zip(others, walls, strict=True)))
            out[node.inputs[0]] = (before + some, walls)
        return out

    def _evaluated(self, cells: Sequence[BallCell], asked: dict[int, np.ndarray]) -> dict[int, Balls] | None:
        """Forms of units of some nodes in some cells; None if that takes too many products."""
        needed = self._needed(cells, asked)
        if needed is None:
            return None
        known: dict[int, Balls] = {}
        for index in sorted(needed):
            known[index] = self._evaluate(index, needed[index], cells, known)
            for source in self._network.nodes[index].inputs:
                if self._last_use[source] <= index and source not in asked:
                    known.pop(source, None)
        return known

    def _needed(self, cells: Sequence[BallCell], asked: dict[int, np.ndarray]) -> dict[int, np.ndarray] | None:
        """Units of each node that units of some nodes need in any of the cells, and all of them where they are few."""
        nodes, spent = self._network.nodes, 0
        needed: dict[int, np.ndarray] = {}
        masks = {place: np.zeros(nodes[place].size, bool) for place in asked}
        for place, units in asked.items():
            masks[place][units] = True
        while masks:
            index = max(masks)
            node, units = nodes[index], np.flatnonzero(masks.pop(index))
            if node.inputs and node.affine is not None and node.size * node.op.addends <= _WHOLE and len(units):
                units = np.arange(node.size)
            needed[index] = units
            spent += len(units) * (node.op.addends if node.fold is None else 1)
            if spent > _PRODUCTS:
                return None
            if not node.inputs or not len(units):
                continue
            if node.fold is not None:
                reads = node.fold.reads(_stacked(cells, index)[:, units], units)
                parts = [(node.inputs[0], reads.places[reads.slopes != 0])]
            else:
                parts = self._sources(index, self._weights(index, units)[0])
            for source, read in parts:
                masks.setdefault(source, np.zeros(nodes[source].size, bool))[read] = True
        return needed

    def _sources(self, index: int, rows: csr_array) -> list[tuple[int, np.ndarray]]:
        """Places that rows of a node read, input by input."""
        read = np.zeros(rows.shape[1], bool)
        read[rows.indices] = True
        inputs = self._network.nodes[index].inputs
        cuts = np.cumsum([self._network.nodes[source].size for source in inputs])[:-1]
        return [(source, np.flatnonzero(part)) for source, part in zip(inputs, np.split(read, cuts), strict=True)]

    def _weights(self, index: int, units: np.ndarray) -> tuple[csr_array, np.ndarray]:
        """Rows of an affine node over the flat inputs one after another, and its offsets; the last ones remembered."""
        if index in self._rows:
            known, rows, offsets = self._rows[index]
            if np.array_equal(known, units):
                return rows, offsets
            del self._rows[index]
        node = self._network.nodes[index]
        assert node.affine is not None
        shapes = [self._network.nodes[source].shape for source in node.inputs]
        rows, offsets = node.affine.rows(units, *shapes), node.affine.offsets(*shapes)[units]
        rows.eliminate_zeros()
        if rows.nnz + sum(held.nnz for _, held, _ in self._rows.values()) <= _HELD:
            self._rows[index] = units, rows, offsets
        return rows, offsets

    def _evaluate(self, index: int, units: np.ndarray, cells: Sequence[BallCell], known: dict[int, Balls]) -> Balls:
        node = self._network.nodes[index]
        if not node.inputs:
            high = np.stack([cell.domain.inputs[units] for cell in cells], axis=1)
            return Balls(units, high, np.zeros_like(high), np.zeros_like(high))
        sizes = [self._network.nodes[source].size for source in node.inputs]
        width = cells[0].domain.inputs.shape[1]
        before = joined([known.get(source) for source in node.inputs], sizes, len(cells), width)
        if node.fold is not None:
            reads = node.fold.reads(_stacked(cells, index)[:, units], units)
            return folded(units, Reads(*(part.T for part in reads)), before)
        rows, offsets = self._weights(index, units)
        return applied(units, rows.indptr, _places(before.units, rows), rows.data, offsets, before)


def _places(units: np.ndarray, rows: csr_array) -> np.ndarray:
    """Where the columns of weights are among some units."""
    place = np.zeros(rows.shape[1], np.int64)
    place[units] = np.arange(len(units))
    return np.asarray(place[rows.indices])


def _stacked(cells: Sequence[BallCell], index: int) -> np.ndarray:
    """[cells, units] pieces of a node."""
    return np.stack([cell.pieces[index] for cell in cells])


def _ball(balls: Balls, cell: int, place: int) -> list[Any]:
    """The form of one unit."""
    rows = (part[place, cell].tolist() for part in (balls.high, balls.low, balls.radius))
    return [arb(high, radius) + arb(low) for high, low, radius in zip(*rows, strict=True)]


def _differences(balls: Balls, cell: int, walls: Walls) -> Iterator[list[Any]]:
    """For each wall the first number less the second one, or less its breakpoint."""
    plus, minus = (np.searchsorted(balls.units, part).tolist() for part in (walls.plus, walls.minus))
    paired = (walls.minus >= 0).tolist()
    for first, second, is_pair, shift in zip(plus, minus, paired, walls.shift.tolist(), strict=True):
        form = _ball(balls, cell, first)
        if is_pair:
            form = [x - y for x, y in zip(form, _ball(balls, cell, second), strict=True)]
        elif shift:
            form[-1] -= arb(shift)
        yield form


def _crossing(known: dict[Named, list[Any]], names: Sequence[Named]) -> list[Any] | None:
    """Where forms vanish, if that is one point for all that balls know."""
    rows = [known[name] for name in names]
    try:
        point = arb_mat([row[:-1] for row in rows]).solve(arb_mat([[-row[-1]] for row in rows]))
    except ZeroDivisionError:
        return None
    return [point[i, 0] for i in range(len(rows))]


def _value(form: list[Any], point: list[Any]) -> Any:
    """A form at a point."""
    return sum((x * y for x, y in zip(form[:-1], point, strict=True)), form[-1])


def _rounded(balls: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Float64 centres, and radii; those of balls that are not finite are NaN."""
    finite = [ball if ball.is_finite() else arb("nan") for ball in balls]
    return [float(ball.mid()) for ball in finite], [float(ball.rad()) for ball in finite]


def _share(known: dict[Named, list[Any]], cut: Cut) -> tuple[float, float]:
    """Where a form cuts a way, and how far that may be off; NaN if that is too far."""
    ends = [_crossing(known, end) for end in (cut.tail, cut.head)]
    if any(end is None for end in ends):
        return np.nan, np.nan
    tail, head = (_value(known[cut.form], end) for end in ends if end is not None)
    share = tail / (tail - head)
    middle, radius = float(share.mid()), float(share.rad())
    if not (share.is_finite() and radius <= _KNOWN and -radius <= middle <= 1.0 + radius):
        return np.nan, np.nan
    return min(max(middle, 0.0), 1.0), radius
