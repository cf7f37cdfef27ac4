"""Polynomials of units along a line of parameters in exact arithmetic, and where they vanish.

A float64 number is a whole number times a power of two, and so are coefficients of all values of a network whose
parameters move on a line, on a part of it on which its pattern is one. `tessellation.exact` evaluates affine forms of
the coordinates of a domain so; polynomials are the same rows of integers, the highest power first, and a layer that
moves adds its step's rows times s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flint import fmpz, fmpz_poly
from jaxtyping import Float

from splinescope.landscape.parameters import Motion
from splinescope.network.ops import Activation, Maximum
from splinescope.tessellation.dyadics import Dyadic, Form, aligned, integers
from splinescope.tessellation.exact import ExactForms, Pieces
from splinescope.tessellation.integer_rows import IntegerRows

_DIGITS = 64
"""Binary digits to which roots are known, as shares of the interval."""


class PolynomialForms(ExactForms):
    """Values of the units for one sample, as polynomials of s.

    Args:
        line: The moving network, by s.
        sample: The input.
        size: Number of coefficients of all polynomials, one more than the largest degree.
        rows: Weights as integers, shared by all samples of one line.
    """

    def __init__(self, line: Motion, sample: Float[np.ndarray, "..."], size: int, rows: dict[int, IntegerRows]) -> None:
        flat, exponent = integers(sample)
        zeros = [fmpz(0)] * (size - 1)
        super().__init__(line.network, Dyadic([[*zeros, x] for x in flat], exponent), Dyadic([], 0), rows)
        self._steps = line.steps

    def unit_polynomials(
        self, node: int, unit: int, place: tuple[fmpz, int]
    ) -> tuple[list[Form], list[tuple[int, int]]]:
        """Polynomials whose signs decide on which piece a unit of a folding node is.

        Args:
            node: Index of the node.
            unit: Flat index.
            place: A whole number and a power of two that it is divided by: where on the line the pattern is taken from.

        Returns:
            Of an activation the argument less each breakpoint; of a maximum the differences of each two of its
            members. And for each the place in the group of both, or the number of the breakpoint and -1.
        """
        op, source = self._network.nodes[node].op, self._network.nodes[node].inputs[0]
        pieces = self._pattern(node, np.array([unit]), place)
        if isinstance(op, Activation):
            value = self.values(pieces, source, np.array([unit]))
            table = np.broadcast_to(op.breakpoints.numpy().reshape(len(op.breakpoints), -1),
                                    (len(op.breakpoints), self._network.nodes[node].size))[:, unit]  # fmt: skip
            return _less(value, table), [(level, -1) for level in range(len(table))]
        assert isinstance(op, Maximum)
        group = op.index.numpy()[unit]
        members = np.flatnonzero(group >= 0)
        units = np.unique(group[members])
        known = dict(zip(units.tolist(), self.values(pieces, source, units).rows, strict=True))
        pairs = [(int(one), int(two)) for i, one in enumerate(members) for two in members[i + 1 :]]
        found = [
            [a - b for a, b in zip(known[int(group[one])], known[int(group[two])], strict=True)] for one, two in pairs
        ]
        return found, pairs

    def squared(self, targets: Float[np.ndarray, " n_out"], place: tuple[fmpz, int]) -> tuple[fmpz_poly, int]:
        """The squared distance of the outputs from what is wanted, and the power of two that it is times.

        Args:
            targets: Wanted outputs.
            place: Where on the line the pattern is taken from.
        """
        output = self._network.output
        units = np.arange(len(targets))
        value = self.values(self._pattern(output, units, place), output, units)
        wanted, power = integers(targets)
        least = min(value.exponent, power)
        total = fmpz_poly([])
        for row, target in zip(value.rows, wanted, strict=True):
            rest = fmpz_poly([number << (value.exponent - least) for number in row[::-1]])
            rest -= target << (power - least)
            total += rest * rest
        return total, 2 * least

    def _pattern(self, node: int, units: np.ndarray, place: tuple[fmpz, int]) -> dict[int, np.ndarray]:
        """The pieces at one place of all units before a node that some of its units depend on; of others 0."""
        masks = {node: np.isin(np.arange(self._network.nodes[node].size), units)}
        needed: dict[int, np.ndarray] = {}
        for index in range(node, 0, -1):
            if index not in masks:
                continue
            needed[index] = np.flatnonzero(masks[index])
            for source, read in self._supports(index, needed[index]):
                masks.setdefault(source, np.zeros(self._network.nodes[source].size, bool))[read] = True
        pieces: dict[int, np.ndarray] = {}
        for index in sorted(needed):
            one = self._network.nodes[index]
            if one.fold is None or (index == node and index != self._network.output):
                continue
            pieces[index] = np.zeros(one.size, np.uint8)  # one byte for each, by which forms are remembered
            own, source = needed[index], one.inputs[0]
            if isinstance(one.op, Activation):
                value = self.values(pieces, source, own)
                table = np.broadcast_to(
                    one.op.breakpoints.numpy().reshape(len(one.op.breakpoints), -1), (len(one.op.breakpoints), one.size)
                )
                for unit, row in zip(own.tolist(), value.rows, strict=True):
                    rest = _less(Dyadic([row], value.exponent), table[:, unit])
                    pieces[index][unit] = sum(sign_at(form, place) > 0 for form in rest)
            else:
                assert isinstance(one.op, Maximum)
                self._lead(one.op.index.numpy(), source, own, place, pieces, index)
        return pieces

    def _lead(
        self,
        groups: np.ndarray,
        source: int,
        own: np.ndarray,
        place: tuple[fmpz, int],
        pieces: dict[int, np.ndarray],
        index: int,
    ) -> None:
        """The first member of each group that is the largest."""
        units = np.unique(groups[own])
        units = units[units >= 0]
        known = dict(zip(units.tolist(), self.values(pieces, source, units).rows, strict=True))
        for unit in own.tolist():
            leader = -1
            for position, member in enumerate(groups[unit].tolist()):
                if member < 0:
                    continue
                if leader >= 0:
                    best = known[int(groups[unit, leader])]
                    if sign_at([a - b for a, b in zip(known[member], best, strict=True)], place) <= 0:
                        continue
                leader = position
            pieces[index][unit] = leader

    def _supports(self, index: int, units: np.ndarray) -> Iterable[tuple[int, Any]]:
        """Units of the inputs that some units of a node depend on, on any piece."""
        node = self._network.nodes[index]
        if node.fold is None:
            return self._reads(index, units, {})
        if isinstance(node.op, Maximum):
            groups = node.op.index.numpy()[units]
            return [(node.inputs[0], np.unique(groups[groups >= 0]))]
        return [(node.inputs[0], units)]

    def _rows_of(self, index: int) -> IntegerRows:
        """Rows of a node, or of the step of the node ~index."""
        if index >= 0:
            return super()._rows_of(index)
        if index not in self._rows:
            shapes = [self._network.nodes[source].shape for source in self._network.nodes[~index].inputs]
            step: Any = self._steps[~index]
            self._rows[index] = IntegerRows(step, shapes)
        return self._rows[index]

    def _reads(self, index: int, units: np.ndarray, pieces: Pieces) -> Iterable[tuple[int, Any]]:
        yield from super()._reads(index, units, pieces)
        if index in self._steps and len(units) and not self._is_dense(index):
            yield from zip(self._network.nodes[index].inputs, self._rows_of(~index).reads(units), strict=True)

    def _evaluate(self, index: int, units: np.ndarray, pieces: Pieces, known: Mapping[int, Any]) -> Dyadic:
        value = super()._evaluate(index, units, pieces, known)
        if index not in self._steps or not len(units):
            return value
        before = [known.get(source) for source in self._network.nodes[index].inputs]
        dense = self._is_dense(index)
        step = self._dense(~index, units, before[0]) if dense else self._sparse(~index, units, before)
        risen = Dyadic([[*row[1:], fmpz(0)] for row in step.rows], step.exponent)
        (one, other), exponent = aligned((value, risen))
        rows = [[a + b for a, b in zip(p, q, strict=True)] for p, q in zip(one, other, strict=True)]
        return Dyadic(rows, exponent)


def _less(value: Dyadic, constants: np.ndarray) -> list[Form]:
    """One polynomial less some constants, each up to a positive factor."""
    (row,) = value.rows
    whole, power = integers(constants)
    least = min(value.exponent, power)
    out = []
    for constant in whole:
        form = [number << (value.exponent - least) for number in row]
        form[-1] -= constant << (power - least)
        out.append(form)
    return out


def whole(place: float) -> tuple[fmpz, int]:
    """A float64 number as a whole number over a power of two: both."""
    above, below = float(place).as_integer_ratio()
    return fmpz(above), below.bit_length() - 1


def sign_at(form: Form, place: tuple[fmpz, int]) -> int:
    """Sign of a polynomial, the highest power first, at a whole number over a power of two."""
    above, digits = place
    value = fmpz(0)
    for power, number in enumerate(form):
        value = value * above + (number << (digits * power))
    return int(value > 0) - int(value < 0)


def on_interval(form: Form, start: float, end: float) -> fmpz_poly:
    """A polynomial by u from 0 to 1 on an interval, up to a positive factor."""
    (low, one), (high, other) = whole(start), whole(end)
    digits = max(one, other)
    low, high = low << (digits - one), high << (digits - other)
    line, value = fmpz_poly([low, high - low]), fmpz_poly([])
    for power, number in enumerate(form):
        value = value * line + fmpz_poly([number << (digits * power)])
    return value


def sign_changes_inside(polynomial: fmpz_poly) -> tuple[int, list[float]]:
    """Sign of a polynomial right of 0, 0 if it is zero, and where in (0, 1) it changes."""
    if polynomial == 0:
        return 0, []
    cuts = [0, *map(int, roots_inside(polynomial)), 1 << _DIGITS]
    form, found, sign, first = list(polynomial.coeffs())[::-1], [], 0, 0
    for low, high in itertools.pairwise(cuts):
        if high - low < 4:  # nearer than roots are known
            continue
        own = sign_at(form, (fmpz((low + high) // 2), _DIGITS))
        if sign == 0:
            first = own
        elif own != sign:
            found.append(low / 2.0**_DIGITS)
        sign = own
    return first, found


def roots_inside(polynomial: fmpz_poly) -> list[fmpz]:
    r"""Roots in (0, 1), each rounded down to a multiple of $2^{-64}$: by Descartes' rule on halves of halves, exactly.

    Args:
        polynomial: One that is not zero.

    Returns:
        Multiples, ascending; one for each root, whatever its multiplicity.
    """
    simple = fmpz_poly([1])
    for factor, _ in polynomial.factor_squarefree()[1]:
        simple *= factor
    found: list[fmpz] = []
    waiting = [(simple, fmpz(0), 0)]
    while waiting:
        own, number, depth = waiting.pop()
        if own[0] == 0:  # at the left end: of the first interval it is not inside
            if depth:
                found.append(number << max(0, _DIGITS - depth) if depth <= _DIGITS else number >> (depth - _DIGITS))
            own = own.right_shift(1)
        changes = _variations(own)
        if changes == 0:
            continue
        if changes == 1 and depth >= _DIGITS:
            found.append(number >> (depth - _DIGITS))
            continue
        degree = own.degree()
        left = fmpz_poly([own[k] << (degree - k) for k in range(degree + 1)])
        waiting.append((left(fmpz_poly([1, 1])), 2 * number + 1, depth + 1))
        waiting.append((left, 2 * number, depth + 1))
    return sorted(found)


def _variations(polynomial: fmpz_poly) -> int:
    """Sign changes of the Bernstein coefficients on (0, 1)."""
    numbers = fmpz_poly(list(polynomial.coeffs())[::-1])(fmpz_poly([1, 1])).coeffs()
    signs = [number > 0 for number in numbers if number != 0]
    return sum(a != b for a, b in itertools.pairwise(signs))


def pieces_between(
    polynomials: Sequence[fmpz_poly], pairs: Sequence[tuple[int, int]]
) -> tuple[int, list[tuple[float, int]]]:
    """The piece of a unit at the start of an interval, and where in it which piece begins.

    Args:
        polynomials: Those of `unit_polynomials`, on the interval.
        pairs: What each is the difference of.

    Returns:
        The first piece, and pairs of a place in [0, 1] and the step to the next piece.
    """
    numbers = sorted({int(r) for polynomial in polynomials if polynomial != 0 for r in roots_inside(polynomial)})
    cuts = [0, *numbers, 1 << _DIGITS]
    piece, events, first = -1, [], -1
    for low, high in itertools.pairwise(cuts):
        if high - low < 4:  # nearer than roots are known
            continue
        middle = fmpz((low + high) // 2), _DIGITS
        signs = [sign_at(list(polynomial.coeffs())[::-1], middle) for polynomial in polynomials]
        own = _piece_of(signs, pairs, piece)
        if piece < 0:
            first = own
        elif own != piece:
            events.append((low / 2.0**_DIGITS, own - piece))
        piece = own
    return first, events


def _piece_of(signs: Sequence[int], pairs: Sequence[tuple[int, int]], before: int) -> int:
    """Number of breakpoints below, or the member that is largest: the one before, or the first one of equal ones."""
    if not pairs:
        return 0
    if pairs[0][1] < 0:
        return sum(sign > 0 for sign in signs)
    lost = {pair[1] if sign > 0 else pair[0] for sign, pair in zip(signs, pairs, strict=True) if sign}
    best = sorted({member for pair in pairs for member in pair} - lost)
    return before if before in best else best[0]
