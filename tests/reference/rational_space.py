"""Naive twin of the engines in three and more dimensions: exact tessellations of boxes, by integer arithmetic.

As in `tests.reference.rational`, every float is taken at its exact rational value, and a cell is split by a unit only
where the unit takes both strict signs in it. The two share no code that cuts or walks; in two dimensions they must
agree (see `test_rational_space.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np

from tests.fixtures.recipes import Concatenate, Dense, Fold, Kind, Maximum, Recipe, Step, Sum
from tests.reference.exact_polygon import integers
from tests.reference.exact_polytope import Form, Point, Polytope, box, coordinates
from tests.reference.rational import Choices, merge_pieces


@dataclass(frozen=True)
class Signal:
    """The units of one node as affine forms on one cell: unit `i` is `forms[i] / scale`."""

    forms: tuple[Form, ...]
    scale: int


@dataclass(frozen=True)
class SpaceCell:
    """A cell: its polytope, the choices of each unit, and the network's output on it."""

    polytope: Polytope
    pattern: tuple[Choices, ...]
    output: Signal

    @property
    def volume(self) -> Fraction:
        """The exact volume."""
        return self.polytope.volume

    @property
    def affine_map(self) -> tuple[tuple[Fraction, ...], ...]:
        """Rows `(A[i, 0], ..., A[i, d - 1], c[i])` of the output."""
        return tuple(tuple(Fraction(entry, self.output.scale) for entry in form) for form in self.output.forms)


@dataclass(frozen=True)
class SpaceTessellation:
    """All cells of a network in a box."""

    cells: tuple[SpaceCell, ...]

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def faces(self) -> tuple[dict[frozenset[Point], tuple[int, ...]], ...]:
        """For each dimension the faces of cells, by their vertices, with the cells that have them.

        Where a face of one cell were only a part of a face of its neighbour, both would be here, and the Euler
        characteristic would not be 1.
        """
        levels: list[dict[frozenset[Point], list[int]]] = [{} for _ in range(self.dimension + 1)]
        for index, cell in enumerate(self.cells):
            for level, faces in zip(levels, cell.polytope.faces, strict=True):
                for face in faces:
                    level.setdefault(frozenset(cell.polytope.vertices[i] for i in face), []).append(index)
        return tuple({face: tuple(beside) for face, beside in level.items()} for level in levels)

    @property
    def dimension(self) -> int:
        """Dimension of the box."""
        return self.cells[0].polytope.dimension

    @cached_property
    def vertices(self) -> frozenset[Point]:
        """The distinct vertices of cells."""
        return frozenset(vertex for cell in self.cells for vertex in cell.polytope.vertices)

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of vertices, edges, ..., cells."""
        return tuple(len(level) for level in self.faces)

    @property
    def centres(self) -> np.ndarray:
        """[F, d] a point in the interior of each cell."""
        return np.array([[float(x) for x in cell.polytope.centre] for cell in self.cells])

    @cached_property
    def linear_regions(self) -> int:
        """The number of maximal sets, connected through facets, with one affine map."""
        maps = [cell.affine_map for cell in self.cells]
        parent = list(range(len(self.cells)))
        for beside in self.faces[-2].values():
            if len(beside) == 2 and maps[beside[0]] == maps[beside[1]]:
                parent[_root(parent, beside[0])] = _root(parent, beside[1])
        return sum(_root(parent, index) == index for index in range(len(parent)))

    def owners(self, points: np.ndarray) -> np.ndarray:
        """The cell in which each point [n, d] lies deepest, by the distances to the planes of its facets."""
        return np.argmax([_depth(cell.polytope, points) for cell in self.cells], axis=0)

    def volume_above(self, level: float = 0.0, output: int = 0) -> Fraction:
        """The exact volume of the set where an output is larger than `level`."""
        total = Fraction(0)
        for cell in self.cells:
            _, above, _ = cell.polytope.split(_above(cell.output.forms[output], Fraction(level), cell.output.scale))
            total += above.volume if above is not None else 0
        return total

    def class_volumes(self) -> list[Fraction]:
        """The exact volume of each class: the first of the largest outputs, or the sign of a single output."""
        totals = [Fraction(0)] * max(2, len(self.cells[0].output.forms))
        for cell in self.cells:
            forms = cell.output.forms
            candidates = forms if len(forms) > 1 else ((0,) * len(forms[0]), *forms)
            for part, winners in envelope(cell.polytope, candidates):
                totals[min(winners)] += part.volume
        return totals


def tessellate_space(
    recipe: Recipe,
    low: Sequence[float | Fraction],
    high: Sequence[float | Fraction],
    origin: Sequence[float] | np.ndarray | None = None,
    basis: Sequence[Sequence[float]] | np.ndarray | None = None,
) -> SpaceTessellation:
    """The exact cells of a recipe in a box.

    Args:
        recipe: The network.
        low: Lower ends of the box, in coordinates `t`.
        high: Upper ends.
        origin: Input at `t = 0`; zero by default.
        basis: Directions of the coordinates in the input space; its axes by default.
    """
    states = [_State(box(low, high), (_inputs(recipe.n_inputs, len(low), origin, basis),), ())]
    for step in recipe.steps:
        states = [after for state in states for after in _advance(state, step)]
    return SpaceTessellation(tuple(SpaceCell(s.polytope, s.pattern, s.signals[-1]) for s in states))


@dataclass(frozen=True)
class _State:
    """A cell of the network's first nodes."""

    polytope: Polytope
    signals: tuple[Signal, ...]
    pattern: tuple[Choices, ...]


def _inputs(n_inputs: int, dimension: int, origin: object, basis: object) -> Signal:
    start = np.zeros(n_inputs) if origin is None else np.ravel(np.asarray(origin, dtype=np.float64))
    axes = np.eye(dimension) if basis is None else np.asarray(basis, dtype=np.float64).reshape(dimension, -1)
    if not len(start) == axes.shape[1] == n_inputs:
        raise ValueError(f"`basis`: directions of {axes.shape[1]} inputs; expected {n_inputs}")
    entries, scale = integers(float(v) for row in (*axes, start) for v in row)
    rows = [entries[i * n_inputs : (i + 1) * n_inputs] for i in range(dimension + 1)]
    return Signal(tuple(zip(*rows, strict=True)), scale)


def _advance(state: _State, step: Step) -> Iterator[_State]:
    signals = state.signals
    if isinstance(step, Fold):
        yield from _fold(state, signals[step.source], merge_pieces(step.kind))
    elif isinstance(step, Maximum):
        yield from _maximum(state, signals[step.source], step)
    elif isinstance(step, Dense):
        yield _State(state.polytope, (*signals, _dense(signals[step.source], step)), state.pattern)
    else:
        yield _State(state.polytope, (*signals, _joined(signals, step)), state.pattern)


def _dense(source: Signal, step: Dense) -> Signal:
    entries, denominator = integers(float(v) for v in (*step.weight.ravel(), *step.bias))
    n_outputs, n_inputs = step.weight.shape
    constants = entries[n_outputs * n_inputs :]
    forms = []
    for row in range(n_outputs):
        total = _constant(constants[row] * source.scale, len(source.forms[0]))
        for weight, form in zip(entries[row * n_inputs : (row + 1) * n_inputs], source.forms, strict=True):
            total = _plus(total, form, weight) if weight else total
        forms.append(total)
    return Signal(tuple(forms), source.scale * denominator)


def _joined(signals: tuple[Signal, ...], step: Sum | Concatenate) -> Signal:
    parts = [signals[source] for source in step.sources]
    coefficients, denominator = integers(step.coefficients) if isinstance(step, Sum) else ([1] * len(parts), 1)
    scale = lcm(*(part.scale for part in parts))
    zero = _constant(0, len(parts[0].forms[0]))
    scaled = [
        [_plus(zero, form, coefficient * (scale // part.scale)) for form in part.forms]
        for part, coefficient in zip(parts, coefficients, strict=True)
    ]
    if isinstance(step, Concatenate):
        return Signal(tuple(form for forms in scaled for form in forms), scale)
    totals = tuple(tuple(sum(column) for column in zip(*forms, strict=True)) for forms in zip(*scaled, strict=True))
    return Signal(totals, scale * denominator)


def _fold(state: _State, source: Signal, kind: Kind) -> Iterator[_State]:
    parts: list[tuple[Polytope, tuple[Choices, ...]]] = [(state.polytope, ())]
    for form in source.forms:
        parts = [
            (piece, (*chosen, choices))
            for polytope, chosen in parts
            for piece, choices in _pieces_of_unit(polytope, form, source.scale, kind)
        ]
    entries, denominator = integers([*kind.slopes, *kind.intercepts])
    slopes, intercepts = entries[: len(kind.slopes)], entries[len(kind.slopes) :]
    for polytope, chosen in parts:
        forms = tuple(
            _plus(_constant(intercepts[min(choices)] * source.scale, len(form)), form, slopes[min(choices)])
            for form, choices in zip(source.forms, chosen, strict=True)
        )
        pattern = chosen if kind.breakpoints else ()
        after = (*state.signals, Signal(forms, source.scale * denominator))
        yield _State(polytope, after, (*state.pattern, *pattern))


def _pieces_of_unit(polytope: Polytope, form: Form, scale: int, kind: Kind) -> Iterator[tuple[Polytope, Choices]]:
    """Cut a polytope at each breakpoint of one unit, from the lowest up."""
    rest: Polytope | None = polytope
    for index, breakpoint in enumerate(kind.breakpoints):
        assert rest is not None
        below, rest, vanishes = rest.split(_above(form, Fraction(breakpoint), scale))
        if vanishes:
            yield polytope, frozenset({index, index + 1})
            return
        if below is not None:
            yield below, frozenset({index})
        if rest is None:
            return
    assert rest is not None
    yield rest, frozenset({len(kind.breakpoints)})


def _maximum(state: _State, source: Signal, step: Maximum) -> Iterator[_State]:
    parts: list[tuple[Polytope, tuple[Choices, ...]]] = [(state.polytope, ())]
    for group in step.groups:
        present = [position for position, index in enumerate(group) if index >= 0]
        forms = [source.forms[group[position]] for position in present]
        parts = [
            (piece, (*chosen, frozenset(present[winner] for winner in winners)))
            for polytope, chosen in parts
            for piece, winners in envelope(polytope, forms)
        ]
    for polytope, chosen in parts:
        winning = tuple(source.forms[g[min(c)]] for g, c in zip(step.groups, chosen, strict=True))
        after = (*state.signals, Signal(winning, source.scale))
        yield _State(polytope, after, (*state.pattern, *chosen))


def envelope(polytope: Polytope, forms: Sequence[Form]) -> Iterator[tuple[Polytope, Choices]]:
    """The parts of a polytope with one largest affine function, and the indices of all equal to it."""
    distinct: dict[Form, list[int]] = {}
    for index, form in enumerate(forms):
        distinct.setdefault(form, []).append(index)
    for form, indices in distinct.items():
        part: Polytope | None = polytope
        for other in distinct:
            if other != form and part is not None:
                _, part, _ = part.split(_plus(form, other, -1))
        if part is not None:
            yield part, frozenset(indices)


def _above(form: Form, level: Fraction, scale: int) -> Form:
    """A positive multiple of `form / scale - level`."""
    constant = form[-1] * level.denominator - level.numerator * scale
    return (*(x * level.denominator for x in form[:-1]), constant)


def _constant(number: int, length: int) -> Form:
    return (*(0 for _ in range(length - 1)), number)


def _plus(left: Form, right: Form, factor: int) -> Form:
    return tuple(a + factor * b for a, b in zip(left, right, strict=True))


def _depth(polytope: Polytope, points: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest facet, negative outside."""
    corners = np.array([[float(x) for x in coordinates(vertex)] for vertex in polytope.vertices])
    inside = np.array([float(x) for x in polytope.centre])
    depths = []
    for facet in polytope.faces[-2]:
        on = corners[sorted(facet)]
        normal = np.linalg.svd(on - on.mean(axis=0))[2][-1]
        normal = normal * np.sign(normal @ (inside - on.mean(axis=0)))
        depths.append((points - on.mean(axis=0)) @ normal)
    return np.min(depths, axis=0)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index
