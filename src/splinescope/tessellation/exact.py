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
from splinescope.network.ops import Activation, Affine, Concatenate, Dense, Fold, Maximum, Reshape, Sum
from splinescope.tessellation.dyadics import Dyadic, Form, aligned, dyadic, integers, shifted
from splinescope.tessellation.integer_rows import IntegerRows

_REMEMBERED = 1 << 24
"""Numbers that the cache of forms holds."""


def domain_rows(origin: np.ndarray, basis: np.ndarray) -> Dyadic:
    """The inputs as affine forms of the domain's coordinates.

    Args:
        origin: [n_in] input at zero.
        basis: [d, n_in] directions.

    Returns:
        [n_in, d + 1] forms.
    """
    return dyadic(np.column_stack([np.reshape(basis, (len(basis), -1)).T, np.ravel(origin)]))


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
        self._folding = [i for i, node in enumerate(network.nodes) if isinstance(node.op, Fold)]
        sizes = [node.size if isinstance(node.op, Fold) else 0 for node in network.nodes]
        self._ends = np.cumsum(sizes).tolist()

    @property
    def dimension(self) -> int:
        """Number of coordinates of the domain."""
        return len(self._inputs.rows[0]) - 1

    def forms(self, pieces: Pieces, op: int, columns: Sequence[int]) -> list[Form]:
        """Forms that vanish on folds.

        Args:
            pieces: Pattern of the cell at all folding nodes before `op`.
            op: Node that folds, or -1 for the sides of the domain.
            columns: Folds of it: of an activation level * units + unit, of a maximum `maximum_column`; or sides.

        Returns:
            One form for each, positive where the value is above the breakpoint or the first member of a pair is larger.
        """
        if op < 0:
            return [self._sides.rows[column] for column in columns]
        node = self._network.nodes[op]
        source = node.inputs[0]
        if isinstance(node.op, Activation):
            return self._above_breakpoints(pieces, source, node.op, columns)
        assert isinstance(node.op, Maximum)
        members, groups = node.op.members.numpy(), len(node.op.members)
        width = members.shape[1]
        pairs = [(members[c % groups, c // groups // width], members[c % groups, c // groups % width]) for c in columns]
        units = np.unique(np.array(pairs, np.int64))
        known = self.values(pieces, source, units)
        number = dict(zip(units.tolist(), known.rows, strict=True))
        return [[x - y for x, y in zip(number[int(a)], number[int(b)], strict=True)] for a, b in pairs]

    def _above_breakpoints(self, pieces: Pieces, source: int, op: Activation, columns: Sequence[int]) -> list[Form]:
        size = self._network.nodes[source].size
        units = np.array([column % size for column in columns], np.int64)
        order, inverse = np.unique(units, return_inverse=True)
        known = self.values(pieces, source, order)
        table = op.breakpoints.numpy()
        out = []
        for column, row in zip(columns, inverse.tolist(), strict=True):
            level, unit = divmod(column, size)
            breakpoint = float(table[level] if table.ndim == 1 else table[level, unit])
            form = list(known.rows[row])
            if breakpoint:
                (shift,), exponent = integers(np.array([breakpoint]))
                low = min(exponent, known.exponent)
                form = [number << (known.exponent - low) for number in form]
                form[-1] -= shift << (exponent - low)
            out.append(form)
        return out

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
            if isinstance(self._network.nodes[index].op, Dense) and not _few(wanted, len(mask)):
                wanted = np.arange(len(mask))  # the product gives all of them
            needed[index] = wanted
            for source, read in self._reads(index, wanted, pieces):
                mask = masks.setdefault(source, np.zeros(self._network.nodes[source].size, bool))
                mask[read] = True
        return needed

    def _reads(self, index: int, units: np.ndarray, pieces: Pieces) -> Iterable[tuple[int, Any]]:
        """Units of its inputs that some units of a node read."""
        node = self._network.nodes[index]
        op = node.op
        if not node.inputs or not len(units):
            return
        if isinstance(op, Activation):
            slopes, _ = _pieces_of(op, pieces[index], units)
            yield node.inputs[0], units[slopes != 0]
        elif isinstance(op, Maximum):
            yield node.inputs[0], op.members.numpy()[units, pieces[index][units]]
        elif isinstance(op, Dense):
            yield node.inputs[0], slice(None)
        elif isinstance(op, Affine):
            rows = self._rows_of(index)
            rows.prepare(units)
            yield node.inputs[0], np.unique(np.concatenate([rows.of(unit)[0] for unit in units.tolist()]))
        elif isinstance(op, Concatenate):
            origin = self._origins(index)
            for k, source in enumerate(node.inputs):
                yield source, origin[1][units[origin[0][units] == k]]
        else:
            for source in node.inputs:
                yield source, units

    def _rows_of(self, index: int) -> IntegerRows:
        if index not in self._rows:
            node = self._network.nodes[index]
            assert isinstance(node.op, Affine)
            self._rows[index] = IntegerRows(node.op, self._network.nodes[node.inputs[0]].shape)
        return self._rows[index]

    def _origins(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """For each number of a concatenation the input that it comes from, and its flat index there."""
        import torch

        node = self._network.nodes[index]
        shapes = [self._network.nodes[source].shape for source in node.inputs]
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        which = [torch.full((1, *shape), k, dtype=torch.float64) for k, shape in enumerate(shapes)]
        where = [torch.arange(n, dtype=torch.float64).reshape(1, *s) for n, s in zip(sizes, shapes, strict=True)]
        parts = (node.op.evaluate(*tensors).reshape(-1).numpy().astype(np.int64) for tensors in (which, where))
        return tuple(parts)  # type: ignore[return-value]

    def _evaluate(self, index: int, units: np.ndarray, pieces: Pieces, known: Mapping[int, _Known]) -> Dyadic:
        node = self._network.nodes[index]
        op = node.op
        if not len(units):
            return Dyadic([], 0)
        if not node.inputs:
            return Dyadic([self._inputs.rows[unit] for unit in units.tolist()], self._inputs.exponent)
        before = [known.get(source) for source in node.inputs]
        if isinstance(op, Activation):
            return self._activated(op, pieces[index], units, before[0])
        if isinstance(op, Maximum):
            assert before[0] is not None
            return Dyadic(before[0].rows_of(op.members.numpy()[units, pieces[index][units]]), before[0].value.exponent)
        if isinstance(op, Dense):
            return self._dense(index, units, before[0])
        if isinstance(op, Affine):
            return self._sparse(index, units, before[0])
        if isinstance(op, Reshape):
            assert before[0] is not None
            return Dyadic(before[0].rows_of(units), before[0].value.exponent)
        if isinstance(op, Sum):
            return self._sum(op, units, before)
        assert isinstance(op, Concatenate)
        return self._concatenated(index, units, before)

    def _zero(self) -> Form:
        return [fmpz(0)] * (self.dimension + 1)

    def _activated(self, op: Activation, piece: np.ndarray, units: np.ndarray, before: _Known | None) -> Dyadic:
        slopes, intercepts = _pieces_of(op, piece, units)
        read = units[slopes != 0]
        if op.is_relu:
            rows = [self._zero()] * len(units)
            if before is not None:
                for place, row in zip(np.flatnonzero(slopes).tolist(), before.rows_of(read), strict=True):
                    rows[place] = row
            return Dyadic(rows, 0 if before is None else before.value.exponent)
        factors, power = integers(slopes)
        inner = {} if before is None else dict(zip(read.tolist(), before.rows_of(read), strict=True))
        scaled = [
            [factor * number for number in inner[unit]] if factor else self._zero()
            for unit, factor in zip(units.tolist(), factors, strict=True)
        ]
        linear = Dyadic(scaled, power + (0 if before is None else before.value.exponent))
        return self._shifted_by(linear, *integers(intercepts))

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
        matrix, power = rows.matrix
        if _few(units, matrix.nrows()):
            width = matrix.ncols()
            matrix = fmpz_mat(len(units), width, [matrix[u, j] for u in units.tolist() for j in range(width)])
            chosen = list(range(len(units)))
        else:
            chosen = units.tolist()
        self.products += matrix.nrows() * matrix.ncols()
        product = (matrix * fmpz_mat(before.value.rows)).tolist()
        linear = Dyadic([product[i] for i in chosen], power + before.value.exponent)
        return self._shifted_by(linear, [rows.bias(unit) for unit in units.tolist()], rows.bias_exponent)

    def _sparse(self, index: int, units: np.ndarray, before: _Known | None) -> Dyadic:
        rows = self._rows_of(index)
        rows.prepare(units)
        parts = []
        for unit in units.tolist():
            read, weights, power = rows.of(unit)
            total = self._zero()
            self.products += len(read)
            if len(read) and before is not None:
                (total,) = (fmpz_mat(1, len(read), weights) * fmpz_mat(before.rows_of(read))).tolist()
            parts.append(Dyadic([total], power + (0 if before is None else before.value.exponent)))
        together, exponent = aligned(parts)
        linear = Dyadic([part[0] for part in together], exponent)
        return self._shifted_by(linear, [rows.bias(unit) for unit in units.tolist()], rows.bias_exponent)

    def _sum(self, op: Sum, units: np.ndarray, before: Sequence[_Known | None]) -> Dyadic:
        parts = []
        for coefficient, known in zip(op.coefficients, before, strict=True):
            assert known is not None
            (factor,), power = integers(np.array([float(coefficient)]))
            rows = [[factor * number for number in row] for row in known.rows_of(units)]
            parts.append(Dyadic(rows, known.value.exponent + power))
        together, exponent = aligned(parts)
        return Dyadic([[sum(c) for c in zip(*rows, strict=True)] for rows in zip(*together, strict=True)], exponent)

    def _concatenated(self, index: int, units: np.ndarray, before: Sequence[_Known | None]) -> Dyadic:
        which, where = self._origins(index)
        used = [k for k in range(len(before)) if (which[units] == k).any()]
        parts = []
        for k in used:
            known = before[k]
            assert known is not None
            parts.append(Dyadic(known.rows_of(where[units[which[units] == k]]), known.value.exponent))
        together, exponent = aligned(parts)
        rows: list[Form] = [[]] * len(units)
        for k, part in zip(used, together, strict=True):
            for place, row in zip(np.flatnonzero(which[units] == k).tolist(), part, strict=True):
                rows[place] = row
        return Dyadic(rows, exponent)


def _pieces_of(op: Activation, piece: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and intercepts of some units on their pieces."""
    chosen = piece[units].astype(np.int64)
    slopes, intercepts = op.slopes.numpy(), op.intercepts.numpy()
    if slopes.ndim == 1:
        return slopes[chosen], intercepts[chosen]
    return slopes[chosen, units], intercepts[chosen, units]
