"""On which side of a chord's fold the vertices of a parent face are.

Signs on the boundary follow from the position there, between the chord's ends or not. A crossing of two other chords
is on the side of the ends of one of them where these agree; else one interpolation decides, where it exceeds what
rounding and the crossing's position may change, and else the judge is asked.

The functions take arrays one by one rather than in tuples: taking an array out of a tuple counts a reference, which
costs more than the surgery itself. Numbers come in a tuple, `SignedFold`, which costs nothing. `chords` are the rows
of one face's chords, `view` and `seen` how the chord being inserted sees them: the signs and the values of its fold at
the two ends of each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.planar.answers import answer
from splinescope.geometry.planar.chords import COLUMN, HEAD, HEAD_POSITION, SIDE, TAIL, TAIL_POSITION
from splinescope.geometry.planar.edge_cuts import ROUNDING, coarsest, share_of
from splinescope.geometry.planar.target import (
    BASE,
    CROSSED,
    END,
    FRACTION,
    OTHER,
    REACH,
    SHARED,
    START,
    UNCERTAINTY,
)

DOUBT = 2
"""A sign that float64 does not tell."""


class SignedFold(NamedTuple):
    """The fold of the chord being inserted, and what of its face are numbers.

    Attributes:
        chord: The chord.
        tolerance: Distance from zero within which the fold's values are in doubt.
        slope: Typical slope of the fold's unit.
        old_vertices: See `Sizes`.
        outer_vertices: See `Sizes`.
        outer_edges: See `Sizes`.
        vertex_base: First vertex for the crossings of the face.
        vertex_room: Number of these.
        edge_base: First edge for the chords of the face.
        edge_room: Number of these.
        known_from: First answer of the judge about the face.
        known_to: The one behind the last.
    """

    chord: int
    tolerance: float
    slope: float
    old_vertices: int
    outer_vertices: int
    outer_edges: int
    vertex_base: int
    vertex_room: int
    edge_base: int
    edge_room: int
    known_from: int
    known_to: int


@njit(cache=True, nogil=True, forceinline=True)
def _side(chords: np.ndarray, chord: int, position: int) -> int:
    """Sign of a chord's fold at a position of the parent's boundary."""
    low, high = chords[chord, TAIL_POSITION], chords[chord, HEAD_POSITION]
    if position in (low, high):
        return 0
    side = chords[chord, SIDE]
    return side if low < position < high else -side


@njit(cache=True, nogil=True, forceinline=True)
def _outer_value(
    values: np.ndarray,
    shift: float,
    unit: int,
    places: np.ndarray,
    weights: np.ndarray,
    old_vertices: int,
    vertex: int,
) -> float:
    """Value of a unit, less its breakpoint, at a vertex on the parent's boundary."""
    if vertex < old_vertices:
        return values[vertex, unit] - shift
    at = vertex - old_vertices
    tail = values[places[at, START], unit]
    head = values[places[at, END], unit]
    return tail + weights[at, FRACTION] * (head - tail) - shift


@njit(cache=True, nogil=True, forceinline=True)
def look(
    values: np.ndarray,
    shift: float,
    unit: int,
    places: np.ndarray,
    weights: np.ndarray,
    old_vertices: int,
    chords: np.ndarray,
    chord: int,
    view: np.ndarray,
    seen: np.ndarray,
) -> None:
    """How a chord sees those inserted before it, and itself."""
    view[chord, 0] = view[chord, 1] = 0
    for earlier in range(chord):
        if chords[earlier, TAIL] < 0:
            continue
        tail = _side(chords, chord, chords[earlier, TAIL_POSITION])
        head = _side(chords, chord, chords[earlier, HEAD_POSITION])
        view[earlier, 0] = tail
        view[earlier, 1] = head
        if tail != head:
            at_tail, at_head = chords[earlier, TAIL], chords[earlier, HEAD]
            seen[earlier, 0] = _outer_value(values, shift, unit, places, weights, old_vertices, at_tail)
            seen[earlier, 1] = _outer_value(values, shift, unit, places, weights, old_vertices, at_head)


@njit(cache=True, nogil=True, forceinline=True)
def _inner_sign(
    places: np.ndarray,
    weights: np.ndarray,
    view: np.ndarray,
    seen: np.ndarray,
    tolerance: float,
    slope: float,
    at: int,
) -> int:
    """Sign of the fold at the crossing `at` of two earlier chords, which is inside both, or `DOUBT`."""
    base, other = places[at, BASE], places[at, OTHER]
    for earlier in (base, other):
        if view[earlier, 0] * view[earlier, 1] >= 0:  # on one side, but perhaps for an end
            return view[earlier, 0] if view[earlier, 0] != 0 else view[earlier, 1]
    difference = seen[base, 1] - seen[base, 0]
    value = seen[base, 0] + weights[at, FRACTION] * difference
    blurred = tolerance + weights[at, UNCERTAINTY] * slope
    if abs(value) > 2.0 * blurred + weights[at, REACH] * abs(difference):
        return 1 if value > 0.0 else -1
    return DOUBT


@njit(cache=True, nogil=True)
def answered(
    places: np.ndarray, weights: np.ndarray, known: np.ndarray, asked: np.ndarray, fold: SignedFold, vertex: int
) -> int:
    """The sign in doubt at a crossing, if it is known; zero for now if not."""
    at = vertex - fold.old_vertices
    side = answer(fold.known_from, fold.known_to, known, asked, places[at, BASE], places[at, OTHER], fold.chord)
    if side == 0:
        weights[at, SHARED] = 1.0
    return side


@njit(cache=True, nogil=True, forceinline=True)
def sign_at(
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    view: np.ndarray,
    seen: np.ndarray,
    position_of: np.ndarray,
    fold: SignedFold,
    vertex: int,
) -> int:
    """Sign of a chord's fold at any vertex of the parent face, or `DOUBT`."""
    if vertex < fold.outer_vertices:
        return _side(chords, fold.chord, position_of[vertex])
    at = vertex - fold.old_vertices
    if places[at, BASE] == fold.chord or places[at, OTHER] == fold.chord:
        return 0
    return _inner_sign(places, weights, view, seen, fold.tolerance, fold.slope, at)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def describe_crossing(
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    seen: np.ndarray,
    points: np.ndarray,
    uncertainty: np.ndarray,
    fold: SignedFold,
    base: int,
    at: int,
) -> None:
    """The row of the vertex where a chord crosses the earlier chord `base`."""
    tail, head = chords[base, TAIL], chords[base, HEAD]
    at_tail, at_head = seen[base, 0], seen[base, 1]
    before = max(uncertainty[tail], uncertainty[head])
    places[at, START] = tail
    places[at, END] = head
    places[at, BASE] = base
    places[at, OTHER] = fold.chord
    places[at, CROSSED] = chords[fold.chord, COLUMN]
    weights[at, FRACTION] = share_of(at_tail, at_head)
    length = np.hypot(points[head, 0] - points[tail, 0], points[head, 1] - points[tail, 1])
    difference = abs(at_head - at_tail)
    blurred = (fold.tolerance + before * fold.slope) / difference
    weights[at, REACH] = 2.0 * blurred
    blur = max(before, blurred * length)
    weights[at, UNCERTAINTY] = blur + ROUNDING if blur <= coarsest(fold.tolerance, fold.slope) else np.inf
    weights[at, SHARED] = 0.0
