"""Naive twin of the engine for segments: exact intervals of small networks, by rational arithmetic.

Every float is taken at its exact rational value. An interval is split by a unit only where the unit takes both strict
signs in it; a maximum splits it where the set of largest members changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from tests.fixtures.recipes import Concatenate, Dense, Fold, Kind, Maximum, Recipe, Step, Sum
from tests.reference.rational import merge_pieces

Choices = frozenset[int]
"""Pieces that one unit may be said to be in: one, or several where they agree on the whole interval."""
Line = tuple[Fraction, Fraction]
"""Slope and value at t = 0."""


@dataclass(frozen=True)
class ExactInterval:
    """A cell: its ends, the choices of each unit, and the outputs on it."""

    start: Fraction
    stop: Fraction
    pattern: tuple[Choices, ...]
    output: tuple[Line, ...]


@dataclass(frozen=True)
class _State:
    start: Fraction
    stop: Fraction
    signals: tuple[tuple[Line, ...], ...]
    pattern: tuple[Choices, ...]


def intervals(recipe: Recipe, a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> list[ExactInterval]:
    """The exact cells of a recipe between two inputs, in order."""
    starts, ends = ([Fraction(float(x)) for x in np.ravel(point)] for point in (a, b))
    line = tuple((end - start, start) for start, end in zip(starts, ends, strict=True))
    states = [_State(Fraction(0), Fraction(1), (line,), ())]
    for step in recipe.steps:
        states = [after for state in states for after in _advance(state, step)]
    return [ExactInterval(s.start, s.stop, s.pattern, s.signals[-1]) for s in states]


def at(line: Line, t: Fraction) -> Fraction:
    """Value of a line."""
    return line[0] * t + line[1]


def _advance(state: _State, step: Step) -> Iterator[_State]:
    if isinstance(step, Fold):
        yield from _fold(state, state.signals[step.source], merge_pieces(step.kind))
    elif isinstance(step, Maximum):
        yield from _maximum(state, state.signals[step.source], step)
    else:
        yield _State(state.start, state.stop, (*state.signals, _affine(state.signals, step)), state.pattern)


def _affine(signals: tuple[tuple[Line, ...], ...], step: Dense | Sum | Concatenate) -> tuple[Line, ...]:
    if isinstance(step, Concatenate):
        return tuple(line for source in step.sources for line in signals[source])
    if isinstance(step, Sum):
        parts = [signals[source] for source in step.sources]
        factors = [Fraction(c) for c in step.coefficients]
        return tuple(_combination(factors, lines) for lines in zip(*parts, strict=True))
    rows = []
    for weights, bias in zip(step.weight, step.bias, strict=True):
        slope, value = _combination([Fraction(float(w)) for w in weights], signals[step.source])
        rows.append((slope, value + Fraction(float(bias))))
    return tuple(rows)


def _combination(factors: Sequence[Fraction], lines: Sequence[Line]) -> Line:
    pairs = [(factor, line) for factor, line in zip(factors, lines, strict=True) if factor]
    return (
        sum((factor * line[0] for factor, line in pairs), Fraction(0)),
        sum((factor * line[1] for factor, line in pairs), Fraction(0)),
    )


def _fold(state: _State, lines: tuple[Line, ...], kind: Kind) -> Iterator[_State]:
    breakpoints = [Fraction(b) for b in kind.breakpoints]
    crossings = {(breakpoint - line[1]) / line[0] for line in lines for breakpoint in breakpoints if line[0]}
    for start, stop in _split(state, crossings):
        choices = [_pieces(line, start, stop, breakpoints) for line in lines]
        folded = tuple(_piece(line, kind, min(chosen)) for line, chosen in zip(lines, choices, strict=True))
        pattern = tuple(choices) if breakpoints else ()
        yield _State(start, stop, (*state.signals, folded), (*state.pattern, *pattern))


def _split(state: _State, crossings: set[Fraction]) -> Iterator[tuple[Fraction, Fraction]]:
    inside = sorted(t for t in crossings if state.start < t < state.stop)
    points = [state.start, *inside, state.stop]
    return pairwise(points)


def _pieces(line: Line, start: Fraction, stop: Fraction, breakpoints: list[Fraction]) -> Choices:
    """Pieces of one unit on an interval on which it crosses no breakpoint."""
    middle = at(line, (start + stop) / 2)
    below = sum(b < middle for b in breakpoints)
    constant_on_one = line[0] == 0 and middle in breakpoints
    return frozenset({below, below + 1}) if constant_on_one else frozenset({below})


def _piece(line: Line, kind: Kind, piece: int) -> Line:
    slope, intercept = Fraction(kind.slopes[piece]), Fraction(kind.intercepts[piece])
    return slope * line[0], slope * line[1] + intercept


def _maximum(state: _State, lines: tuple[Line, ...], step: Maximum) -> Iterator[_State]:
    crossings: set[Fraction] = set()
    for group in step.groups:
        members = [lines[index] for index in group if index >= 0]
        for one in members:
            for other in members:
                if one[0] != other[0]:
                    t = (other[1] - one[1]) / (one[0] - other[0])
                    if at(one, t) == max(at(line, t) for line in members):
                        crossings.add(t)
    for start, stop in _split(state, crossings):
        chosen = [_winners([None if i < 0 else lines[i] for i in group], start, stop) for group in step.groups]
        best = [lines[group[min(winners)]] for group, winners in zip(step.groups, chosen, strict=True)]
        yield _State(start, stop, (*state.signals, tuple(best)), (*state.pattern, *chosen))


def _winners(members: list[Line | None], start: Fraction, stop: Fraction) -> Choices:
    """Members that are largest on a whole interval."""
    middle = (start + stop) / 2
    values = {position: at(line, middle) for position, line in enumerate(members) if line is not None}
    best = max(values.values())
    return frozenset(position for position, value in values.items() if value == best)
