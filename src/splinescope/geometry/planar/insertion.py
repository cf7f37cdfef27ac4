"""Surgery on half-edges: insert the chords of each face one after another.

A chord enters a sub-face at a vertex `v` where its sign changes between the two neighbours of `v`, leaves it at a
vertex or through an edge, and splits it in two:

        d---x---c            d---x---c          v   end of the chord so far
        |       |            |  /    |          x   where it leaves: a new vertex, or one on the fold already
        |   f   |    --->    | /  f' |          h   half-edge from v with f on its left
        |       |            |/      |
        u---v---w            u---v---w

Signs at boundary vertices follow from their position between the chord's ends. At a crossing of two other chords they
follow from the ends of those where these agree, and else from one interpolation, where it exceeds what rounding and the
crossing's position may change. Where it doesn't, the question is written down, the face is put back as it was, and the
kernel is called again with the answer: three folds through one point meet in one vertex if they do so exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.planar.answers import Answers, answer
from splinescope.geometry.planar.chords import COLUMN, HEAD, HEAD_POSITION, SIDE, TAIL, TAIL_POSITION
from splinescope.geometry.planar.edge_cuts import ROUNDING, coarsest, share_of
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN, PRECEDING
from splinescope.geometry.planar.surgery import number_positions, split_edge, split_face

START, END, BASE, OTHER, CROSSED = 0, 1, 2, 3, 4
"""Columns of `Target.places`: ends of the segment that a vertex lies on; for a crossing, its chord, the other one, and
the column of the latter."""
FRACTION, UNCERTAINTY, REACH, SHARED = 0, 1, 2, 3
"""Columns of `Target.weights`: position between tail and head; how well the vertex is known, as a share of the domain
and of the way between tail and head; whether it lies on a third chord."""
DOUBT = 2
"""A sign that float64 does not tell."""
MADE_BY, ON_CHORD = 0, 1
"""Columns of `Target.labels`: the column that made an edge, and the chord that an inner edge lies on."""


class Target(NamedTuple):
    """Arrays of the refined subdivision, with room for the largest possible number of vertices and edges.

    Attributes:
        halves: [2E', 4] half-edges, the boundary edges already split at their cuts.
        labels: [E', 2] for each inner edge, the column that made it and its chord.
        places: [N, 5] for each new vertex, the ends of the segment that it was interpolated on, and its two chords.
        weights: [N, 4] its position there, its uncertainty as a share of the domain and of that segment, and whether it
            lies on a third chord.
        first: [F] a half-edge of each parent face that starts the numbering of positions.
        vertex_base: [F + 1] first vertex for the crossings of each face.
        edge_base: [F + 1] first edge for the chords of each face.
        used: [F, 2] number of crossings and of edges made.
        place_of: [2 outer edges] position of each outer half-edge along the boundary of its parent face.
    """

    halves: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    first: np.ndarray
    vertex_base: np.ndarray
    edge_base: np.ndarray
    used: np.ndarray
    place_of: np.ndarray


class Sizes(NamedTuple):
    """Counts that separate the kinds of vertices and edges.

    Attributes:
        old_vertices: Vertices before this layer.
        outer_vertices: Those and the cuts of edges: every vertex on a parent face's boundary.
        outer_edges: Edges on parent faces' boundaries.
    """

    old_vertices: int
    outer_vertices: int
    outer_edges: int


# The functions below take arrays one by one rather than in tuples: taking an array out of a tuple counts a reference,
# which costs more than the surgery itself. `chords` are the rows of one face's chords, `view` and `seen` how the chord
# being inserted sees them: the signs and the values of its fold at the two ends of each.


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
def _look(
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
def _answered(
    places: np.ndarray,
    weights: np.ndarray,
    known: np.ndarray,
    asked: np.ndarray,
    low: int,
    high: int,
    chord: int,
    at: int,
) -> int:
    """The sign in doubt at the crossing `at`, if it is known; zero for now if not."""
    side = answer(low, high, known, asked, places[at, BASE], places[at, OTHER], chord)
    if side == 0:
        weights[at, SHARED] = 1.0
    return side


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def _describe_crossing(
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    seen: np.ndarray,
    points: np.ndarray,
    uncertainty: np.ndarray,
    tolerance: float,
    slope: float,
    chord: int,
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
    places[at, OTHER] = chord
    places[at, CROSSED] = chords[chord, COLUMN]
    weights[at, FRACTION] = share_of(at_tail, at_head)
    length = np.hypot(points[head, 0] - points[tail, 0], points[head, 1] - points[tail, 1])
    difference = abs(at_head - at_tail)
    blurred = (tolerance + before * slope) / difference
    weights[at, REACH] = 2.0 * blurred
    blur = max(before, blurred * length)
    weights[at, UNCERTAINTY] = blur + ROUNDING if blur <= coarsest(tolerance, slope) else np.inf
    weights[at, SHARED] = 0.0


@njit(cache=True, nogil=True, forceinline=True)
def _sign_at(
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    view: np.ndarray,
    seen: np.ndarray,
    position_of: np.ndarray,
    old_vertices: int,
    outer_vertices: int,
    tolerance: float,
    slope: float,
    chord: int,
    vertex: int,
) -> int:
    """Sign of a chord's fold at any vertex of the parent face, or `DOUBT`."""
    if vertex < outer_vertices:
        return _side(chords, chord, position_of[vertex])
    at = vertex - old_vertices
    if places[at, BASE] == chord or places[at, OTHER] == chord:
        return 0
    return _inner_sign(places, weights, view, seen, tolerance, slope, at)


@njit(cache=True, nogil=True, error_model="numpy")
def _insert(
    halves: np.ndarray,
    labels: np.ndarray,
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    view: np.ndarray,
    seen: np.ndarray,
    points: np.ndarray,
    uncertainty: np.ndarray,
    position_of: np.ndarray,
    used: np.ndarray,
    low: int,
    high: int,
    known: np.ndarray,
    asked: np.ndarray,
    sizes: Sizes,
    bases: tuple[int, int],
    room: tuple[int, int],
    scales: tuple[float, float],
    chord: int,
    start: int,
) -> bool:
    """Insert one chord into a parent face, from half-edge `start` at its tail; False if the walk got lost.

    `bases` are the first vertex and edge for this face, `room` the numbers of these, `scales` the tolerance and slope
    of the chord's fold; the answers to earlier questions are those from `low` to `high`.
    """
    old_vertices, outer_vertices, outer_edges = sizes
    vertex_base, edge_base = bases
    tolerance, slope = scales
    here = start
    came_from = -1
    for _ in range(4 * len(chords) + 8):
        enters = False
        along = -1
        turn = here
        sign = 0
        while True:  # turn counter-clockwise around the vertex to the sub-face that the chord enters
            ahead = halves[turn ^ 1, ORIGIN]
            sign = _sign_at(
                places, weights, chords, view, seen, position_of, old_vertices, outer_vertices, tolerance, slope,
                chord, ahead,
            )  # fmt: skip
            if sign == DOUBT:
                sign = _answered(places, weights, known, asked, low, high, chord, ahead - old_vertices)
            if sign == 0 and ahead != came_from:
                along = turn
            before = halves[turn, PRECEDING]
            if sign != 0:
                behind = halves[before, ORIGIN]
                other = _sign_at(
                    places, weights, chords, view, seen, position_of, old_vertices, outer_vertices, tolerance, slope,
                    chord, behind,
                )  # fmt: skip
                if other == DOUBT:
                    other = _answered(places, weights, known, asked, low, high, chord, behind - old_vertices)
                if sign * other < 0:
                    enters = True
                    break
            turn = before ^ 1
            if before >> 1 < outer_edges or turn == here:
                break
        vertex = halves[here, ORIGIN]
        if not enters:  # the chord runs along an edge that is there already
            if along < 0:
                return False
            came_from = vertex
            if halves[along ^ 1, ORIGIN] < outer_vertices:
                return True
            here = halves[along, FOLLOWING]
            continue
        leave = turn
        reached = sign
        there = vertex
        steps = 0
        while reached == sign:
            leave = halves[leave, FOLLOWING]
            steps += 1
            if leave == turn:
                return False
            there = halves[leave ^ 1, ORIGIN]
            reached = _sign_at(
                places, weights, chords, view, seen, position_of, old_vertices, outer_vertices, tolerance, slope,
                chord, there,
            )  # fmt: skip
            if reached == DOUBT:
                reached = _answered(places, weights, known, asked, low, high, chord, there - old_vertices)
        if reached == 0:
            landing = halves[leave, FOLLOWING]
            here = landing
        else:
            if leave >> 1 < outer_edges or used[0] >= room[0] or used[1] >= room[1]:
                return False
            there = vertex_base + used[0]
            used[0] += 1
            base = labels[leave >> 1, ON_CHORD]
            at = there - old_vertices
            _describe_crossing(places, weights, chords, seen, points, uncertainty, tolerance, slope, chord, base, at)
            edge = edge_base + used[1]
            used[1] += 1
            labels[edge, MADE_BY] = labels[leave >> 1, MADE_BY]
            labels[edge, ON_CHORD] = base
            landing = split_edge(halves, leave, there, edge)
            here = leave ^ 1
        if used[1] >= room[1]:
            return False
        edge = edge_base + used[1]
        used[1] += 1
        split_face(halves, turn, landing, edge)
        labels[edge, MADE_BY] = chords[chord, COLUMN]
        labels[edge, ON_CHORD] = chord
        if there < outer_vertices:
            return True
        came_from = vertex
    return False


@njit(cache=True, nogil=True)
def _put_back(length: int, outgoing: np.ndarray, halves: np.ndarray, used: np.ndarray) -> None:
    """Undo the surgery on a face: its boundary is the loop of its outer half-edges again."""
    for position in range(length):
        following = outgoing[position + 1 if position + 1 < length else 0]
        halves[outgoing[position], FOLLOWING] = following
        halves[following, PRECEDING] = outgoing[position]
    used[0] = used[1] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def insert_chords(
    start: int,
    stop: int,
    split_faces: np.ndarray,
    values: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    slopes: np.ndarray,
    chord_offsets: np.ndarray,
    chord_table: np.ndarray,
    target: Target,
    answers: Answers,
    sizes: Sizes,
    points: np.ndarray,
    uncertainty: np.ndarray,
) -> int:
    """Insert all chords of the faces `split_faces[start:stop]`; a face where the walk got lost, or -1.

    Faces about which something is asked are left as they were.
    """
    halves, labels, places, weights, first, vertex_bases, edge_bases, used, place_of = target
    offsets, known, asked = answers
    padded = (values.shape[1] + 63) // 64 * 64
    position_of = np.empty(sizes.outer_vertices, np.int32)
    outgoing = np.empty(64, np.int32)
    most = 0
    for index in range(start, stop):
        most = max(most, chord_offsets[split_faces[index] + 1] - chord_offsets[split_faces[index]])
    view = np.zeros((most, 2), np.int32)
    seen = np.zeros((most, 2))
    for index in range(start, stop):
        face = split_faces[index]
        chords = chord_table[chord_offsets[face] : chord_offsets[face + 1]]
        length = number_positions(first[face], halves, position_of, outgoing)
        while length < 0:
            outgoing = np.empty(2 * outgoing.size, np.int32)
            length = number_positions(first[face], halves, position_of, outgoing)
        for position in range(length):
            place_of[outgoing[position]] = position
        bases = (vertex_bases[face], edge_bases[face])
        room = (vertex_bases[face + 1] - vertex_bases[face], edge_bases[face + 1] - edge_bases[face])
        questions = asked[index]
        lost = False
        for chord in range(len(chords)):
            if chords[chord, TAIL] < 0:
                continue
            level = chords[chord, COLUMN] // padded
            unit = chords[chord, COLUMN] - level * padded
            shift = shifts[level, unit]
            _look(values, shift, unit, places, weights, sizes.old_vertices, chords, chord, view, seen)
            scales = (thresholds[level, unit], slopes[unit])
            tail = outgoing[chords[chord, TAIL_POSITION]]
            arrays = (
                halves,
                labels,
                places,
                weights,
                chords,
                view,
                seen,
                points,
                uncertainty,
                position_of,
                used[face],
            )
            between = (offsets[index], offsets[index + 1])
            if not _insert(*arrays, *between, known, questions, sizes, bases, room, scales, chord, tail):
                lost = True
                break
        if questions[0, 0] > 0:
            _put_back(length, outgoing, halves, used[face])
        elif lost:
            return face
    return -1
