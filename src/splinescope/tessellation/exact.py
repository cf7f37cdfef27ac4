r"""Predicates in exact arithmetic: on which side of a fold a vertex lies.

A float64 number is a dyadic rational, and so is every coefficient of the affine map that a network with float64
weights is on one of its cells. An *affine form* $f(t) = f_1 t_1 + \dots + f_d t_d + f_0$ in the coordinates of the
domain is kept as d + 1 integers, up to a power of two. A vertex is known by what defines it: the d forms that vanish
there. It is kept in homogeneous coordinates, $X = (x_1, \dots, x_d, w)$ with $w > 0$, again integers: their cross
product. So the sign of a third form at the crossing of two is the sign of one sum of products of integers, and zero
means zero.

Nothing here is needed where float64 decides; it is asked for the few signs that are within rounding of zero. A network
of n units in each of L layers costs about $L n^2$ products of integers of up to 60 L bits for the forms on one cell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from splinescope.network.graph import Network
from splinescope.network.ops import Reads, Walls
from splinescope.tessellation.dyadics import Dyadic, Form, aligned, dyadic, integers, shifted
from splinescope.tessellation.integer_rows import IntegerRow, IntegerRows

_REMEMBERED = 1 << 24
"""Numbers that the cache of forms holds."""
_MATRIX = 1 << 18
"""Numbers of a matrix up to which one product of it all is as quick as one of its few numbers that are not zero."""
_SHORT = 4
"""Terms of a row up to which they are summed one by one: a product of matrices takes longer to set up."""


def input_rows(origin: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """[n_in, d + 1] the inputs as affine forms of the domain's coordinates, the constant last: see `domain_rows`."""
    return np.column_stack([np.reshape(basis, (len(basis), -1)).T, np.ravel(origin)])


def domain_rows(origin: np.ndarray, basis: np.ndarray) -> Dyadic:
    """The inputs as affine forms of the domain's coordinates.

    Args:
        origin: [n_in] input at zero.
        basis: [d, n_in] directions.

    Returns:
        [n_in, d + 1] forms.
    """
    return dyadic(input_rows(origin, basis))


def segment_rows(start: np.ndarray, end: np.ndarray) -> Dyadic:
    """The inputs as affine forms of the parameter of a segment, with the exact difference of its ends.

    Args:
        start: [n_in] input at zero.
        end: [n_in] input at one.

    Returns:
        [n_in, 2] forms.
    """
    ends = dyadic(np.column_stack([np.ravel(start), np.ravel(end)]))
    return Dyadic([[b - a, a] for a, b in ends.rows], ends.exponent)


@dataclass(frozen=True, eq=False)
class _Known:
    """Forms of some units of a node: `units` ascending, one row for each."""

    units: np.ndarray
    value: Dyadic

    @cached_property
    def places(self) -> dict[int, int]:
        """Row of each unit."""
        return {unit: place for place, unit in enumerate(self.units.tolist())}

    def rows_of(self, units: np.ndarray) -> list[Form]:
        places, rows = self.places, self.value.rows
        return [rows[places[unit]] for unit in units.tolist()]

    def at(self, exponent: int) -> dict[int, Form]:
        """Form of each unit with another exponent, which is no larger."""
        rows = shifted(self.value.rows, self.value.exponent - exponent)
        return dict(zip(self.units.tolist(), rows, strict=True))

    def has(self, units: list[int]) -> bool:
        """Whether the forms of all these units are here."""
        return self.places.keys() >= set(units)


@dataclass(frozen=True)
class _Keys:
    """For each node what its forms depend on: the pattern up to it.

    Attributes:
        pattern: Pieces of all units of all folding nodes.
        ends: For each node where the pieces up to it end.
    """

    pattern: bytes
    ends: list[int]

    def of(self, index: int) -> tuple[int, bytes]:
        """Key of a node's forms."""
        return index, self.pattern[: self.ends[index]]


def _few(units: np.ndarray, among: int) -> bool:
    """Whether it is worth while to take the rows of a dense op one by one."""
    return 8 * len(units) < among


Pieces = Mapping[int, np.ndarray]
"""For each activation and max node the piece, or the position of the winner, of each of its units on a cell."""


class ExactForms:
    """Affine forms of the units of a network on its cells, in exact arithmetic.

    Args:
        network: The network.
        inputs: [n_in, d + 1] its inputs as forms of the domain's coordinates: see `domain_rows`.
        sides: [m, d + 1] forms that vanish on the sides of the domain.
        rows: Weights as integers, filled as they are asked for; forms of one network on several domains may share them.

    Attributes:
        products: Number of products of integers so far: what it has cost.
    """

    def __init__(
        self, network: Network, inputs: Dyadic, sides: Dyadic, rows: dict[int, IntegerRows] | None = None
    ) -> None:
        self._network, self._inputs, self._sides = network, inputs, sides
        self.products = 0
        self._rows: dict[int, IntegerRows] = {} if rows is None else rows
        self._cache: OrderedDict[tuple[int, bytes], _Known] = OrderedDict()
        self._held = 0
        self._folding = list(network.folds)
        self._ends = np.cumsum([node.units for node in network.nodes]).tolist()

    @property
    def dimension(self) -> int:
        """Number of coordinates of the domain."""
        return len(self._inputs.rows[0]) - 1

    def forms(self, pieces: Pieces, op: int, columns: Sequence[int]) -> list[Form]:
        """Forms that vanish on folds.

        Args:
            pieces: Pattern of the cell at all folding nodes before `op`.
            op: Node that folds, or -1 for the sides of the domain.
            columns: Folds of it, by the numbers of `Fold.walls`; or sides.

        Returns:
            One form for each, positive where the value is above the breakpoint or the first member of a pair is larger.
        """
        if op < 0:
            return [self._sides.rows[column] for column in columns]
        node = self._network.nodes[op]
        walls = self._network.folds[op].walls(np.asarray(columns, np.int64), node.size)
        return self.differences(pieces, node.inputs[0], walls)

    def differences(self, pieces: Pieces, node: int, walls: Walls) -> list[Form]:
        """Forms that vanish on walls.

        Args:
            pieces: Pattern of the cell at all folding nodes up to `node`.
            node: The node whose numbers the walls are about.
            walls: Where two numbers are equal, or one is a constant.

        Returns:
            One form for each: the first number less the second one, up to a positive factor.
        """
        units = np.unique(np.concatenate([walls.plus, walls.minus[walls.minus >= 0]]))
        known = self.values(pieces, node, units)
        number = dict(zip(units.tolist(), known.rows, strict=True))
        out = []
        for plus, minus, shift in zip(*(part.tolist() for part in walls), strict=True):
            form = number[plus]
            if minus >= 0:
                form = [x - y for x, y in zip(form, number[minus], strict=True)]
            elif shift:
                (constant,), exponent = integers(np.array([shift]))
                low = min(exponent, known.exponent)
                form = [number << (known.exponent - low) for number in form]
                form[-1] -= constant << (exponent - low)
            out.append(form)
        return out

    def between(self, pieces: Pieces, there: Pieces, node: int, units: np.ndarray) -> list[Form]:
        """Forms that vanish where units go from their pieces on a cell to those on another one.

        Args:
            pieces: Pattern of the cell at all folding nodes up to `node`.
            there: Pieces of the other cell at that node.
            node: A node that folds.
            units: Units of it.

        Returns:
            The forms, on the first cell.
        """
        walls = self._network.folds[node].between(units, pieces[node][units], there[node][units])
        return self.differences(pieces, self._network.nodes[node].inputs[0], walls)

    def values(self, pieces: Pieces, node: int, units: np.ndarray) -> Dyadic:
        """Values of units as forms, on the cell with a pattern.

        Args:
            pieces: The pattern at all folding nodes up to `node`.
            node: Index of the node.
            units: Flat indices, ascending.

        Returns:
            One row for each unit.
        """
        keys = _Keys(b"".join([pieces[index].tobytes() for index in self._folding if index in pieces]), self._ends)
        known: dict[int, _Known] = {}
        needed = self._needed(pieces, node, units, keys, known)
        for index in sorted(needed):
            known[index] = _Known(needed[index], self._evaluate(index, needed[index], pieces, known))
        for index in needed:
            self._remember(keys.of(index), known[index])
        return Dyadic(known[node].rows_of(units), known[node].value.exponent)

    def affords(self, pieces: Pieces, op: int, columns: Iterable[int], most: int) -> bool:
        """Whether `forms` takes at most so many products; it is not called, and no more is looked at than that.

        Args:
            pieces: Pattern of the cell at all folding nodes before `op`.
            op: Node that folds, or -1 for the sides of the domain.
            columns: Folds of it.
            most: Number of products.
        """
        if op < 0:
            return True
        node = self._network.nodes[op]
        walls = self._network.folds[op].walls(np.asarray(columns, np.int64), node.size)
        units = np.unique(np.concatenate([walls.plus, walls.minus[walls.minus >= 0]]))
        masks, spent = {node.inputs[0]: np.isin(np.arange(self._network.nodes[node.inputs[0]].size), units)}, 0
        while masks:
            index = max(masks)
            wanted, one = np.flatnonzero(masks.pop(index)), self._network.nodes[index]
            spent += len(wanted) * (one.op.addends if one.fold is None else 1)
            if spent > most:
                return False
            for source, read in self._reads(index, wanted, pieces):
                masks.setdefault(source, np.zeros(self._network.nodes[source].size, bool))[read] = True
        return True

    def _remember(self, key: tuple[int, bytes], known: _Known) -> None:
        if key in self._cache:
            self._held -= len(self._cache[key].units)
        self._cache[key] = known
        self._held += len(known.units)
        while self._held * (self.dimension + 1) > _REMEMBERED:
            _, old = self._cache.popitem(last=False)
            self._held -= len(old.units)

    def _needed(
        self, pieces: Pieces, node: int, units: np.ndarray, keys: _Keys, known: dict[int, _Known]
    ) -> dict[int, np.ndarray]:
        """Units of each node to evaluate, from the last node back to what is remembered, which goes to `known`."""
        masks: dict[int, np.ndarray] = {node: np.zeros(self._network.nodes[node].size, bool)}
        masks[node][units] = True
        needed: dict[int, np.ndarray] = {}
        while masks:
            index = max(masks)
            mask, key = masks.pop(index), keys.of(index)
            wanted = np.flatnonzero(mask)
            cached = self._cache.get(key)
            if cached is not None and cached.has(wanted.tolist()):
                self._cache.move_to_end(key)
                known[index] = cached
                continue
            if self._is_dense(index) and not _few(wanted, len(mask)):
                wanted = np.arange(len(mask))  # the product gives all of them
            needed[index] = wanted
            for source, read in self._reads(index, wanted, pieces):
                mask = masks.setdefault(source, np.zeros(self._network.nodes[source].size, bool))
                mask[read] = True
        return needed

    def _reads(self, index: int, units: np.ndarray, pieces: Pieces) -> Iterable[tuple[int, Any]]:
        """Units of its inputs that some units of a node read."""
        node = self._network.nodes[index]
        if not node.inputs or not len(units):
            return
        if node.fold is not None:
            reads = node.fold.reads(pieces[index][units], units)
            yield node.inputs[0], reads.places[reads.slopes != 0]
        elif self._is_dense(index):
            yield node.inputs[0], slice(None)
        else:
            yield from zip(node.inputs, self._rows_of(index).reads(units), strict=True)

    def _is_dense(self, index: int) -> bool:
        op = self._network.nodes[index].affine
        if op is None or op.matrix is None:
            return False
        return op.nonzeros is None or op.matrix.numel() <= _MATRIX

    def _rows_of(self, index: int) -> IntegerRows:
        if index not in self._rows:
            node = self._network.nodes[index]
            assert node.affine is not None
            self._rows[index] = IntegerRows(node.affine, [self._network.nodes[source].shape for source in node.inputs])
        return self._rows[index]

    def _evaluate(self, index: int, units: np.ndarray, pieces: Pieces, known: Mapping[int, _Known]) -> Dyadic:
        node = self._network.nodes[index]
        if not len(units):
            return Dyadic([], 0)
        if not node.inputs:
            return Dyadic([self._inputs.rows[unit] for unit in units.tolist()], self._inputs.exponent)
        before = [known.get(source) for source in node.inputs]
        if node.fold is not None:
            return self._folded(node.fold.reads(pieces[index][units], units), before[0])
        if self._is_dense(index):
            return self._dense(index, units, before[0])
        return self._sparse(index, units, before)

    def _zero(self) -> Form:
        return [fmpz(0)] * (self.dimension + 1)

    def _folded(self, reads: Reads, before: _Known | None) -> Dyadic:
        """Units on their pieces."""
        used = np.flatnonzero(reads.slopes)
        rows = [self._zero()] * len(reads.slopes)
        exponent = 0
        if before is not None:
            exponent = before.value.exponent
            for place, row in zip(used.tolist(), before.rows_of(reads.places[used]), strict=True):
                rows[place] = row
        if (reads.slopes[used] != 1).any():
            factors, power = integers(reads.slopes)
            rows = [[factor * number for number in row] for factor, row in zip(factors, rows, strict=True)]
            exponent += power
        linear = Dyadic(rows, exponent)
        return self._shifted_by(linear, *integers(reads.intercepts)) if reads.intercepts.any() else linear

    def _shifted_by(self, linear: Dyadic, constants: list[fmpz], exponent: int) -> Dyadic:
        """Forms plus constants."""
        if not any(constants):
            return linear
        least = min(linear.exponent, exponent)
        rows = [list(row) for row in shifted(linear.rows, linear.exponent - least)]
        for row, constant in zip(rows, constants, strict=True):
            row[-1] += constant << (exponent - least)
        return Dyadic(rows, least)

    def _dense(self, index: int, units: np.ndarray, before: _Known | None) -> Dyadic:
        rows = self._rows_of(index)
        assert before is not None
        forms, parts = fmpz_mat(before.value.rows), []
        for matrix, power in rows.blocks(units):
            self.products += matrix.nrows() * matrix.ncols()
            parts.append(Dyadic((matrix * forms).tolist(), power + before.value.exponent))
        together, exponent = aligned(parts)
        linear = Dyadic([row for part in together for row in part], exponent)
        return self._shifted_by(linear, [rows.bias(unit) for unit in units.tolist()], rows.bias_exponent)

    def _sparse(self, index: int, units: np.ndarray, before: Sequence[_Known | None]) -> Dyadic:
        rows = self._rows_of(index)
        known = [part for part in before if part is not None and len(part.units)]
        exponent = min((part.value.exponent for part in known), default=0)
        inner = [{} if part is None else part.at(exponent) for part in before]
        found: dict[int, Form] = {}
        for members in rows.alike(units):
            first = rows.of(members[0])
            self.products += len(members) * len(first.weights)
            read = [part[place] for part, places in zip(inner, first.reads, strict=True) for place in places.tolist()]
            if len(members) > 1 and len(read) > _SHORT:
                together = (rows.matrix(members) * fmpz_mat(read)).tolist()
                found.update(zip(members, together, strict=True))
            else:
                found.update((unit, self._combined(rows.of(unit), read)) for unit in members)
        powers = [rows.of(unit).exponent for unit in units.tolist()]
        least = min(powers)
        forms = [
            found[unit] if power == least else [number << (power - least) for number in found[unit]]
            for unit, power in zip(units.tolist(), powers, strict=True)
        ]
        linear = Dyadic(forms, least + exponent)
        return self._shifted_by(linear, [rows.bias(unit) for unit in units.tolist()], rows.bias_exponent)

    def _combined(self, row: IntegerRow, read: list[Form]) -> Form:
        """A sum of products of weights and forms."""
        if row.copies:
            return read[0]
        if len(read) <= _SHORT:
            parts = [[weight * number for number in form] for weight, form in zip(row.weights, read, strict=True)]
            return [sum(column, fmpz(0)) for column in zip(*parts, strict=True)] if parts else self._zero()
        return list((fmpz_mat(1, len(read), row.weights) * fmpz_mat(read)).tolist()[0])
