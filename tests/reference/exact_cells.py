"""The independent judge of the engines: exact cells of a network on a segment, polygon or polytope, by integers alone.

Every float64 (weights, origin, directions, corners) is a dyadic rational and is taken at exactly that value. The units
of a node on a cell are affine forms with integer coefficients over a common power of two; corners are homogeneous
integers. A cell is cut by a unit where the unit takes both strict signs in it, and by a maximum where another member
becomes the largest. Nothing is rounded, nothing is estimated, and no code is shared with the engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from itertools import pairwise
from math import gcd
from typing import Protocol

import numpy as np

from splinescope.network import Network, ops
from splinescope.tessellation.domains import Domain, Segment
from tests.reference import exact_polytope
from tests.reference.convolution_matrix import convolution_matrix

_Affine = Callable[[list["Forms"]], "Forms"]
_Step = Callable[["Body", list["Forms"]], Iterable[tuple["Body", "Forms", bytes]]]
Corner = tuple[int, ...]
"""`(X_1, ..., X_d, W)` with `W > 0`, in lowest terms: the point `X / W`."""


class TooManyCells(Exception):
    """There are more cells than the caller wants to count."""


class Body(Protocol):
    """A convex body with corners that an affine form of both strict signs cuts in two."""

    vertices: tuple[Corner, ...]

    def split(self, form: Sequence[int]) -> tuple[Body | None, Body | None, bool]: ...

    @property
    def volume(self) -> Fraction: ...


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, counter-clockwise, or a segment (two corners)."""

    vertices: tuple[Corner, ...]

    def split(self, form: Sequence[int]) -> tuple[Polygon | None, Polygon | None, bool]:
        """The parts where the form is negative and positive, None where it is nowhere so; whether it is zero."""
        values = [sum(f * x for f, x in zip(form, corner, strict=True)) for corner in self.vertices]
        below, above = min(values) < 0, max(values) > 0
        if not (below and above):
            return self if below else None, self if above else None, not (below or above)
        parts: tuple[list[Corner], list[Corner]] = ([], [])
        last = len(values) - 1
        for i, (corner, here) in enumerate(zip(self.vertices, values, strict=True)):
            after, there = (self.vertices[i + 1], values[i + 1]) if i < last else (self.vertices[0], values[0])
            if here <= 0:
                parts[0].append(corner)
            if here >= 0:
                parts[1].append(corner)
            if (here < 0 < there or there < 0 < here) and (i < last or last > 1):
                p, q = abs(there), abs(here)
                crossing = _reduced([p * x + q * y for x, y in zip(corner, after, strict=True)])
                parts[0].append(crossing)
                parts[1].append(crossing)
        return Polygon(tuple(parts[0])), Polygon(tuple(parts[1])), False

    @property
    def volume(self) -> Fraction:
        """Length, or area by the shoelace formula from the first corner."""
        x0, *rest = ([Fraction(x, c[-1]) for x in c[:-1]] for c in self.vertices)
        arms = [[x - y for x, y in zip(point, x0, strict=True)] for point in rest]
        if len(arms) == 1:
            return abs(arms[0][0])
        return sum((p[0] * q[1] - p[1] * q[0] for p, q in pairwise(arms)), Fraction(0)) / 2


@dataclass(frozen=True)
class ExactCell:
    """A cell: its pattern (as `patterns` of the engines has it), its body, and the outputs on it."""

    pattern: bytes
    body: Body
    output: Forms

    @cached_property
    def measure(self) -> Fraction:
        """Exact length, area or volume, in the domain's coordinates."""
        return self.body.volume

    @property
    def corners(self) -> list[tuple[Fraction, ...]]:
        """Exact corners, in the domain's coordinates."""
        return [tuple(Fraction(x, corner[-1]) for x in corner[:-1]) for corner in self.body.vertices]


@dataclass(frozen=True)
class ExactCells:
    """All cells of a network on a domain, by pattern."""

    cells: dict[bytes, ExactCell]

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def n_vertices(self) -> int:
        """Number of distinct corners."""
        return len({corner for cell in self.cells.values() for corner in cell.body.vertices})


@dataclass(frozen=True)
class Forms:
    """Affine forms on a cell, `numbers / 2^exponent`: integers [units, d + 1], the constant last."""

    numbers: np.ndarray
    exponent: int

    def at(self, exponent: int) -> np.ndarray:
        """The integers over another, not smaller, power of two."""
        return self.numbers if exponent == self.exponent else self.numbers * (1 << (exponent - self.exponent))

    def plus(self, constants: tuple[np.ndarray, int]) -> Forms:
        """The forms with a dyadic number added to each."""
        added, exponent = constants
        if not added.any():
            return self
        common = max(exponent, self.exponent)
        numbers = self.at(common).copy()
        numbers[:, -1] += added * (1 << (common - exponent))
        return Forms(numbers, common)


@dataclass(frozen=True)
class _State:
    body: Body
    values: dict[int, Forms]
    pattern: bytes


def dyadic(values: object) -> tuple[np.ndarray, int]:
    """Integers `n` (object array of the same shape) and the least `e >= 0` with `values == n / 2^e` exactly."""
    array = np.asarray(values, dtype=np.float64)
    ratios = [x.as_integer_ratio() for x in array.ravel().tolist()]
    exponent = max((below.bit_length() - 1 for _, below in ratios), default=0)
    out = np.empty(len(ratios), dtype=object)
    out[:] = [above << (exponent - below.bit_length() + 1) for above, below in ratios]
    return out.reshape(array.shape), exponent


def exact_cells(network: Network, domain: Domain, limit: int | None = None) -> ExactCells:
    """The exact cells of a network on a domain of one to three dimensions (in three: a box).

    Args:
        network: The network.
        domain: The domain; a segment is the straight line between its two float64 ends.
        limit: Number of cells beyond which `TooManyCells` is raised.
    """
    last_use = {network.output: len(network.nodes)}
    for index, node in enumerate(network.nodes):
        last_use.update((source, max(index, last_use.get(source, 0))) for source in node.inputs)
    states = [_State(_body(domain), {0: _inputs(domain)}, b"")]
    for index, node in enumerate(network.nodes[1 : network.output + 1], start=1):
        shapes = [network.nodes[i].shape for i in node.inputs]
        apply = _applied(node.op, shapes, node.shape)
        after: list[_State] = []
        for state in states:
            for body, forms, pattern in apply(state.body, [state.values[i] for i in node.inputs]):
                kept = {i: v for i, v in state.values.items() if last_use.get(i, 0) > index}
                after.append(_State(body, {**kept, index: forms}, state.pattern + pattern))
            if limit is not None and len(after) > limit:
                raise TooManyCells(f"more than {limit} cells at node {index}")
        states = after
    cells = {state.pattern: ExactCell(state.pattern, state.body, state.values[network.output]) for state in states}
    assert len(cells) == len(states), "a pattern belongs to one convex cell"
    return ExactCells(cells)


def _body(domain: Domain) -> Body:
    corners = np.asarray(domain.corners)
    if corners.shape[1] == 3:
        box = exact_polytope.box(corners.min(axis=0).tolist(), corners.max(axis=0).tolist())
        assert len(corners) == 8, "in three dimensions the judge takes boxes"
        return box
    if corners.shape[1] == 2 and not hasattr(domain, "polygon"):
        corners = corners[[0, 2, 3, 1]]  # of a box, in the order of binary numbers
    numbers, exponent = dyadic(corners)
    return Polygon(tuple(_reduced([*row, 1 << exponent]) for row in numbers.tolist()))


def _inputs(domain: Domain) -> Forms:
    """The inputs as forms in the coordinates of the domain."""
    if isinstance(domain, Segment):  # its direction, the exact difference of the ends, need not be a float64
        ends, exponent = dyadic(np.stack([np.ravel(domain.a), np.ravel(domain.b)]))
        return Forms(np.column_stack([ends[1] - ends[0], ends[0]]), exponent)
    rows, exponent = dyadic(np.stack([*(np.ravel(v) for v in domain.basis), np.ravel(domain.origin)]))
    return Forms(rows.T.copy(), exponent)


def _applied(op: ops.Op, shapes: list[tuple[int, ...]], shape: tuple[int, ...]) -> _Step:
    """A function of a body and of the forms that an op reads, which yields bodies, forms and new pieces."""
    if isinstance(op, ops.Activation):
        return _activation(op, int(np.prod(shape)))
    if isinstance(op, ops.Maximum):
        return _maximum(op)
    affine = _affine(op, shapes, shape)
    return lambda body, sources: [(body, affine(sources), b"")]


def _affine(op: ops.Op, shapes: list[tuple[int, ...]], shape: tuple[int, ...]) -> _Affine:
    flat = (int(np.prod(shapes[0])),)
    if isinstance(op, ops.Dense):
        return _linear([np.asarray(op.weight)], [0], flat, op.bias)
    if isinstance(op, ops.SharedDense):
        return _linear([np.asarray(op.weight)], [len(shapes[0]) - 1], shapes[0], np.broadcast_to(op.bias, shape))
    if isinstance(op, ops.AxisMap):
        return _linear([np.asarray(m) for m in op.matrices], list(op.axes), shapes[0], np.zeros(shape))
    if isinstance(op, ops.Convolution | ops.TransposedConvolution):
        bias = np.broadcast_to(np.asarray(op.bias).reshape(-1, *[1] * (len(shape) - 1)), shape)
        return _linear([convolution_matrix(op, shapes[0], shape)], [0], flat, bias)
    if isinstance(op, ops.Scale):
        return _scale(np.broadcast_to(op.scale, shape), np.broadcast_to(op.shift, shape))
    if isinstance(op, ops.Select):
        return _select(
            np.asarray(op.index).ravel(), np.zeros(shape) if op.constant is None else np.asarray(op.constant)
        )
    if isinstance(op, ops.Reshape):
        return lambda sources: sources[0]
    if isinstance(op, ops.Sum):
        return _sum(list(op.coefficients))
    if isinstance(op, ops.Concatenate):
        return _concatenate(op.axis, shapes)
    raise NotImplementedError(type(op).__name__)


def _linear(matrices: list[np.ndarray], axes: list[int], shape: tuple[int, ...], bias: object) -> _Affine:
    exact, offset = [dyadic(matrix) for matrix in matrices], dyadic(np.ravel(bias))

    def apply(sources: list[Forms]) -> Forms:
        numbers, exponent = sources[0].numbers.reshape(*shape, -1), sources[0].exponent
        for (matrix, shift), axis in zip(exact, axes, strict=True):
            mapped = np.dot(matrix, numbers) if numbers.ndim == 2 else np.tensordot(matrix, numbers, (1, axis))
            numbers, exponent = np.moveaxis(mapped, 0, axis), exponent + shift
        return Forms(numbers.reshape(-1, numbers.shape[-1]), exponent).plus(offset)

    return apply


def _scale(scale: np.ndarray, shift: np.ndarray) -> _Affine:
    (factors, exponent), offset = dyadic(scale.ravel()), dyadic(shift.ravel())
    return lambda s: Forms(s[0].numbers * factors[:, None], s[0].exponent + exponent).plus(offset)


def _select(index: np.ndarray, constant: np.ndarray) -> _Affine:
    offset = dyadic(constant.ravel())

    def apply(sources: list[Forms]) -> Forms:
        numbers = sources[0].numbers[index]
        numbers[index < 0] = 0
        return Forms(numbers, sources[0].exponent).plus(offset)

    return apply


def _sum(coefficients: list[float]) -> _Affine:
    factors, shift = dyadic(coefficients)

    def apply(sources: list[Forms]) -> Forms:
        common = max(source.exponent for source in sources)
        terms = [factor * source.at(common) for factor, source in zip(factors, sources, strict=True)]
        return Forms(sum(terms[1:], start=terms[0]), common + shift)

    return apply


def _concatenate(axis: int, shapes: list[tuple[int, ...]]) -> _Affine:
    def apply(sources: list[Forms]) -> Forms:
        common = max(source.exponent for source in sources)
        parts = [source.at(common).reshape(*shape, -1) for source, shape in zip(sources, shapes, strict=True)]
        joined = np.concatenate(parts, axis=axis)
        return Forms(joined.reshape(-1, joined.shape[-1]), common)

    return apply


def _activation(op: ops.Activation, units: int) -> _Step:
    """Cut at each breakpoint at which a unit's slope changes; a unit's piece is the number of these below it."""
    tables = [np.asarray(t, np.float64) for t in (op.breakpoints, op.slopes, op.intercepts)]
    breaks, slopes, intercepts = (np.broadcast_to(t.reshape(len(t), -1), (len(t), units)) for t in tables)
    lines = [(unit, k) for k in range(len(breaks)) for unit in range(units) if slopes[k, unit] != slopes[k + 1, unit]]
    owners = np.array([unit for unit, _ in lines], int)
    levels = dyadic([-breaks[k, unit] for unit, k in lines])
    (factors, shift), (offsets, offset_exponent), columns = dyadic(slopes), dyadic(intercepts), np.arange(units)

    def apply(body: Body, sources: list[Forms]) -> Iterator[tuple[Body, Forms, bytes]]:
        (source,) = sources
        for part, above in _cut(body, Forms(source.numbers[owners], source.exponent).plus(levels).numbers):
            counts, piece = np.zeros(units, np.uint8), np.zeros(units, int)
            for line in np.flatnonzero(above).tolist():
                unit, k = lines[line]
                counts[unit] += 1
                piece[unit] = k + 1
            scaled = Forms(source.numbers * factors[piece, columns][:, None], source.exponent + shift)
            yield part, scaled.plus((offsets[piece, columns], offset_exponent)), counts.tobytes()

    return apply


def _cut(body: Body, forms: np.ndarray) -> list[tuple[Body, np.ndarray]]:
    """The parts of a body on which no form changes its sign, and which forms are positive there."""
    positive, negative = _signs(body, forms)
    parts: list[tuple[Body, np.ndarray]] = [(body, positive)]
    for line in np.flatnonzero(positive & negative).tolist():
        form, cut = forms[line].tolist(), []
        for part, above in parts:
            below, rest, _ = part.split(form)
            for piece, side in ((below, False), (rest, True)):
                if piece is not None:
                    cut.append((piece, above.copy()))
                    cut[-1][1][line] = side
        parts = cut
    return parts


def _signs(body: Body, forms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which forms are positive and which negative at some corner of a body.

    Quotients of integers are correctly rounded, and sums have at most four terms, so that a float64 beyond sixteen
    roundings of its absolute terms (and what underflow can do) has the right sign; integers decide the others.
    """
    if not len(forms):
        return np.zeros(0, bool), np.zeros(0, bool)
    corners = np.array([[x / corner[-1] for x in corner] for corner in body.vertices]).T
    largest = [max(map(abs, row)) or 1 for row in forms.tolist()]
    rows = np.array([[x / size for x in row] for row, size in zip(forms.tolist(), largest, strict=True)])
    sizes = np.abs(corners)
    values, allowance = rows @ corners, 2.0**-49 * (np.abs(rows) @ sizes) + 2.0**-1070 * (1 + sizes.sum(axis=0))
    signs = np.sign(values)
    for line, corner in np.argwhere(~(np.abs(values) > allowance)).tolist():
        value = sum(f * x for f, x in zip(forms[line].tolist(), body.vertices[corner], strict=True))
        signs[line, corner] = (value > 0) - (value < 0)
    return (signs > 0).any(axis=1), (signs < 0).any(axis=1)


def _maximum(op: ops.Maximum) -> _Step:
    groups = [[(place, index) for place, index in enumerate(row) if index >= 0] for row in op.index.tolist()]

    def apply(body: Body, sources: list[Forms]) -> Iterator[tuple[Body, Forms, bytes]]:
        rows = [tuple(row) for row in sources[0].numbers.tolist()]
        parts: list[tuple[Body, list[tuple[int, int]]]] = [(body, [])]
        for group in groups:
            parts = [(p, [*won, best]) for part, won in parts for p, best in _envelope(part, rows, group)]
        for part, won in parts:
            numbers = sources[0].numbers[[index for _, index in won]]
            yield part, Forms(numbers, sources[0].exponent), bytes(place for place, _ in won)

    return apply


def _envelope(
    body: Body, rows: list[tuple[int, ...]], group: list[tuple[int, int]]
) -> Iterator[tuple[Body, tuple[int, int]]]:
    """The parts of a body with one largest member, and its (place, index): the first of equal ones."""
    first: dict[tuple[int, ...], tuple[int, int]] = {}
    for place, index in group:
        first.setdefault(rows[index], (place, index))
    for form, winner in first.items():
        part: Body | None = body
        for other in first:
            if other != form and part is not None:
                _, part, _ = part.split([x - y for x, y in zip(form, other, strict=True)])
        if part is not None:
            yield part, winner


def _reduced(numbers: list[int]) -> Corner:
    divisor = reduce(gcd, numbers)
    return tuple(x // divisor for x in numbers)
