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
from splinescope.network.graph import Node
from splinescope.network.ops import Maximum
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
        pieces = self._pattern(node, np.array([unit]), place)
        columns, pairs = decisive(self._network.nodes[node], unit)
        return self.forms(pieces, node, columns), pairs

    def outputs(self, count: int, place: tuple[fmpz, int]) -> Dyadic:
        """The outputs as polynomials, the highest power first.

        Args:
            count: How many there are.
            place: Where on the line the pattern is taken from.
        """
        output, units = self._network.output, np.arange(count)
        return self.values(self._pattern(output, units, place), output, units)

    def squared(self, targets: Float[np.ndarray, " n_out"], place: tuple[fmpz, int]) -> tuple[fmpz_poly, int]:
        """The squared distance of the outputs from what is wanted, and the power of two that it is times.

        Args:
            targets: Wanted outputs.
            place: Where on the line the pattern is taken from.
        """
        value = self.outputs(len(targets), place)
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
            asked = [decisive(one, unit) for unit in needed[index].tolist()]
            forms = iter(self.forms(pieces, index, [column for columns, _ in asked for column in columns]))
            for unit, (_, pairs) in zip(needed[index].tolist(), asked, strict=True):
                signs = [sign_at(next(forms), place) for _ in pairs]
                pieces[index][unit] = _piece_of(signs, pairs, -1)
        return pieces

    def _supports(self, index: int, units: np.ndarray) -> Iterable[tuple[int, Any]]:
        """Units of the inputs that some units of a node depend on, on any piece."""
        node = self._network.nodes[index]
        if node.fold is None:
            return self._reads(index, units, {})
        columns = [column for unit in units.tolist() for column in decisive(node, unit)[0]]
        walls = node.fold.walls(np.array(columns, np.int64), node.size)
        read = np.concatenate([walls.plus, walls.minus[walls.minus >= 0]]) if len(columns) else np.array([], np.int64)
        alone = node.fold.reads(np.zeros(len(units), np.uint8), units).places  # where nothing is compared
        return [(node.inputs[0], np.unique(np.append(read, alone)))]

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


def decisive(node: Node, unit: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Folds of a unit whose signs say on which piece it is.

    Args:
        node: A node that folds.
        unit: Flat index.

    Returns:
        Numbers of folds, as `Fold.walls` takes them; and of each the number of the breakpoint and -1, or the places in
        the group of both members, of those that are there.
    """
    fold, units = node.fold, node.size
    assert fold is not None
    if isinstance(fold, Maximum):
        present = np.flatnonzero(fold.index[unit].numpy() >= 0).tolist()
        pairs = [(one, two) for i, one in enumerate(present) for two in present[i + 1 :]] or [(present[0], present[0])]
        return [(one * fold.count + two) * units + unit for one, two in pairs], pairs
    levels = range(fold.count - 1)
    return [level * units + unit for level in levels], [(level, -1) for level in levels]


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
    (low, high), digits = common(start, end)
    line, value = fmpz_poly([low, high - low]), fmpz_poly([])
    for power, number in enumerate(form):
        value = value * line + fmpz_poly([number << (digits * power)])
    return value


def common(start: float, end: float) -> tuple[tuple[fmpz, fmpz], int]:
    """Two float64 numbers as whole numbers over one power of two."""
    (low, one), (high, other) = whole(start), whole(end)
    digits = max(one, other)
    return (low << (digits - one), high << (digits - other)), digits


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
