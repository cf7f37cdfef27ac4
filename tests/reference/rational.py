"""Naive twin of the engine: exact tessellations of small networks in convex polygons, by integer arithmetic.

Every float is taken at its exact rational value. A cell is split by a unit only where the unit's pre-
activation takes both strict signs in it, so units that vanish on a cell never cut it and coincident lines cut
it once; a maximum splits a cell where the upper envelope of its inputs changes, so inputs that are equal on
the whole cell do not split it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import lcm

import numpy as np

from tests.fixtures.recipes import Concatenate, Dense, Fold, Kind, Maximum, Recipe, Step, Sum
from tests.reference.exact_polygon import (
    Form,
    Point,
    Polygon,
    area,
    coordinates,
    integers,
    on_segment,
    point,
    split,
    subtract,
    value,
)

Choices = frozenset[int]
"""Pieces that one unit may be said to be in: one, or several where they agree on the whole cell."""


@dataclass(frozen=True)
class Signal:
    """The units of one node as affine forms on one cell: unit `i` is `forms[i] / scale`."""

    forms: tuple[Form, ...]
    scale: int


@dataclass(frozen=True)
class ExactCell:
    """A cell: its polygon (counter-clockwise), the choices of each unit, and the network's output on it."""

    polygon: Polygon
    pattern: tuple[Choices, ...]
    output: Signal

    @cached_property
    def area(self) -> Fraction:
        """The exact area."""
        return area(self.polygon)

    @property
    def affine_map(self) -> tuple[tuple[Fraction, ...], ...]:
        """Rows `(A[i, 0], A[i, 1], c[i])` of the output."""
        scale = self.output.scale
        return tuple(tuple(Fraction(entry, scale) for entry in form) for form in self.output.forms)


@dataclass(frozen=True)
class ExactTessellation:
    """All cells of a network in a convex polygon."""

    cells: tuple[ExactCell, ...]

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def vertices(self) -> frozenset[Point]:
        """The distinct corners of cells."""
        return frozenset(vertex for cell in self.cells for vertex in cell.polygon)

    @cached_property
    def segments(self) -> dict[tuple[Point, Point], tuple[int, ...]]:
        """Edges without vertices in between, each with the one or two cells beside it."""
        found: dict[tuple[Point, Point], tuple[int, ...]] = {}
        for index, cell in enumerate(self.cells):
            for start, end in pairwise([*cell.polygon, cell.polygon[0]]):
                for piece in self._pieces(start, end):
                    key = min(piece), max(piece)
                    found[key] = (*found.get(key, ()), index)
        return found

    def _pieces(self, start: Point, end: Point) -> Iterator[tuple[Point, Point]]:
        inside = [vertex for vertex in self.vertices if on_segment(vertex, start, end)]
        order = sorted([start, end, *inside], key=coordinates)
        return pairwise(order)

    @cached_property
    def linear_regions(self) -> int:
        """The number of maximal sets, connected through edges, with one affine map."""
        maps = [cell.affine_map for cell in self.cells]
        parent = list(range(len(self.cells)))
        for beside in self.segments.values():
            if len(beside) == 2 and maps[beside[0]] == maps[beside[1]]:
                parent[_root(parent, beside[0])] = _root(parent, beside[1])
        return sum(_root(parent, index) == index for index in range(len(parent)))

    def class_areas(self) -> list[Fraction]:
        """The exact area of each class: the first of the largest outputs, or the sign of a single output."""
        totals = [Fraction(0)] * max(2, len(self.cells[0].output.forms))
        for cell in self.cells:
            forms = cell.output.forms
            candidates = forms if len(forms) > 1 else ((0, 0, 0), *forms)
            for part, winners in envelope(cell.polygon, candidates):
                totals[min(winners)] += area(part)
        return totals

    def extremes(self) -> list[tuple[Fraction, Fraction]]:
        """The exact minimum and maximum of each output."""
        values = [
            [Fraction(value(form, vertex), vertex[2] * cell.output.scale) for form in cell.output.forms]
            for cell in self.cells
            for vertex in cell.polygon
        ]
        return [(min(column), max(column)) for column in zip(*values, strict=True)]


def tessellate(
    recipe: Recipe,
    polygon: Sequence[Sequence[float | Fraction]],
    origin: Sequence[float] | None = None,
    basis: Sequence[Sequence[float]] | None = None,
) -> ExactTessellation:
    """The exact cells of a recipe in a counter-clockwise convex polygon of the plane `origin + t @ basis`.

    Args:
        recipe: The network.
        polygon: Corners `[k, 2]` in plane coordinates, counter-clockwise.
        origin: The plane's origin in the input space; zero by default.
        basis: Two vectors of the input space; the axes of a 2-D input by default.
    """
    corners = tuple(point(*corner) for corner in polygon)
    plane = _plane(recipe.n_inputs, origin, basis)
    states: list[_State] = [_State(corners, (plane,), ())]
    for step in recipe.steps:
        states = [after for state in states for after in _advance(state, step)]
    return ExactTessellation(tuple(ExactCell(s.polygon, s.pattern, s.signals[-1]) for s in states))


@dataclass(frozen=True)
class _State:
    """A cell of the network's first nodes."""

    polygon: Polygon
    signals: tuple[Signal, ...]
    pattern: tuple[Choices, ...]


def _plane(n_inputs: int, origin: Sequence[float] | None, basis: Sequence[Sequence[float]] | None) -> Signal:
    start = np.zeros(n_inputs) if origin is None else np.ravel(np.asarray(origin))
    axes = np.eye(2) if basis is None else np.asarray(basis).reshape(2, -1)
    if not len(start) == axes.shape[1] == n_inputs:
        raise ValueError(f"`basis`: plane of {axes.shape[1]} inputs; expected {n_inputs}")
    entries, scale = integers(float(v) for row in (*axes, start) for v in row)
    rows = [entries[i * n_inputs : (i + 1) * n_inputs] for i in range(3)]
    return Signal(tuple(zip(*rows, strict=True)), scale)


def _advance(state: _State, step: Step) -> Iterator[_State]:
    signals = state.signals
    if isinstance(step, Fold):
        yield from _fold(state, signals[step.source], merge_pieces(step.kind))
    elif isinstance(step, Maximum):
        yield from _maximum(state, signals[step.source], step)
    else:
        yield _State(state.polygon, (*signals, _affine(signals, step)), state.pattern)


def _affine(signals: tuple[Signal, ...], step: Dense | Sum | Concatenate) -> Signal:
    if isinstance(step, Dense):
        return _dense(signals[step.source], step)
    parts = [signals[source] for source in step.sources]
    coefficients, denominator = integers(step.coefficients) if isinstance(step, Sum) else ([1] * len(parts), 1)
    scale = lcm(*(part.scale for part in parts))
    scaled = [
        [_times(form, coefficient * (scale // part.scale)) for form in part.forms]
        for part, coefficient in zip(parts, coefficients, strict=True)
    ]
    if isinstance(step, Concatenate):
        return Signal(tuple(form for forms in scaled for form in forms), scale)
    return Signal(tuple(_total(forms) for forms in zip(*scaled, strict=True)), scale * denominator)


def _dense(source: Signal, step: Dense) -> Signal:
    n_outputs, n_inputs = step.weight.shape
    entries, denominator = integers(float(v) for v in (*step.weight.ravel(), *step.bias))
    forms = []
    for row in range(n_outputs):
        weights = entries[row * n_inputs : (row + 1) * n_inputs]
        constant = (0, 0, entries[n_outputs * n_inputs + row] * source.scale)
        pairs = zip(source.forms, weights, strict=True)
        forms.append(_total([*(_times(form, weight) for form, weight in pairs if weight), constant]))
    return Signal(tuple(forms), source.scale * denominator)


def merge_pieces(kind: Kind) -> Kind:
    """The same function without breakpoints at which the slope does not change."""
    keep = [i for i in range(len(kind.breakpoints)) if kind.slopes[i] != kind.slopes[i + 1]]
    pieces = [*keep, len(kind.breakpoints)]
    return Kind(
        kind.name,
        tuple(kind.breakpoints[i] for i in keep),
        tuple(kind.slopes[i] for i in pieces),
        tuple(kind.intercepts[i] for i in pieces),
    )


def _fold(state: _State, source: Signal, kind: Kind) -> Iterator[_State]:
    parts: list[tuple[Polygon, tuple[Choices, ...]]] = [(state.polygon, ())]
    for form in source.forms:
        parts = [
            (piece, (*chosen, choices))
            for polygon, chosen in parts
            for piece, choices in _pieces_of_unit(polygon, form, source.scale, kind)
        ]
    entries, denominator = integers([*kind.slopes, *kind.intercepts])
    slopes, intercepts = entries[: len(kind.slopes)], entries[len(kind.slopes) :]
    for polygon, chosen in parts:
        forms = tuple(
            _total([_times(form, slopes[min(choices)]), (0, 0, intercepts[min(choices)] * source.scale)])
            for form, choices in zip(source.forms, chosen, strict=True)
        )
        signal = Signal(forms, source.scale * denominator)
        pattern = chosen if kind.breakpoints else ()
        yield _State(polygon, (*state.signals, signal), (*state.pattern, *pattern))


def _pieces_of_unit(polygon: Polygon, form: Form, scale: int, kind: Kind) -> Iterator[tuple[Polygon, Choices]]:
    """Cut a polygon at each breakpoint of one unit, from the lowest up."""
    rest: Polygon | None = polygon
    for index, breakpoint in enumerate(kind.breakpoints):
        assert rest is not None
        exact = Fraction(breakpoint)
        above_breakpoint = subtract(_times(form, exact.denominator), (0, 0, exact.numerator * scale))
        below, rest, vanishes = split(rest, above_breakpoint)
        if vanishes:
            yield polygon, frozenset({index, index + 1})
            return
        if below is not None:
            yield below, frozenset({index})
        if rest is None:
            return
    assert rest is not None
    yield rest, frozenset({len(kind.breakpoints)})


def _maximum(state: _State, source: Signal, step: Maximum) -> Iterator[_State]:
    parts: list[tuple[Polygon, tuple[Choices, ...]]] = [(state.polygon, ())]
    for group in step.groups:
        present = [position for position, index in enumerate(group) if index >= 0]
        forms = [source.forms[group[position]] for position in present]
        parts = [
            (piece, (*chosen, frozenset(present[winner] for winner in winners)))
            for polygon, chosen in parts
            for piece, winners in envelope(polygon, forms)
        ]
    for polygon, chosen in parts:
        winning = tuple(source.forms[g[min(c)]] for g, c in zip(step.groups, chosen, strict=True))
        yield _State(polygon, (*state.signals, Signal(winning, source.scale)), (*state.pattern, *chosen))


def envelope(polygon: Polygon, forms: Sequence[Form]) -> Iterator[tuple[Polygon, Choices]]:
    """The parts of a polygon with one largest affine function, and the indices of all equal to it."""
    distinct: dict[Form, list[int]] = {}
    for index, form in enumerate(forms):
        distinct.setdefault(form, []).append(index)
    for form, indices in distinct.items():
        part: Polygon | None = polygon
        for other in distinct:
            if other != form and part is not None:
                _, part, _ = split(part, subtract(form, other))
        if part is not None:
            yield part, frozenset(indices)


def _times(form: Form, factor: int) -> Form:
    return form[0] * factor, form[1] * factor, form[2] * factor


def _total(forms: Sequence[Form]) -> Form:
    return sum(f[0] for f in forms), sum(f[1] for f in forms), sum(f[2] for f in forms)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index
