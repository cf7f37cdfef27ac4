"""Surgery on half-edges: insert the chords of each face one after another.

A chord enters a sub-face at a vertex `v` where its sign changes between the two neighbours of `v`, leaves it at a vertex
or through an edge, and splits it in two:

        d---x---c            d---x---c          v   end of the chord so far
        |       |            |  /    |          x   where it leaves: a new vertex, or one on the fold already
        |   f   |    --->    | /  f' |          h   half-edge from v with f on its left
        |       |            |/      |
        u---v---w            u---v---w

Signs at boundary vertices follow from their position between the chord's ends. At a crossing of two other chords they
follow from the ends of those where these agree, and from one interpolation where they don't, with the crossing's own
positional uncertainty as tolerance: three folds through one point meet in one vertex.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.chords import Chords, Loops
from splinescope.geometry.cuts import EdgeCuts, Layer, slope_of, threshold_of, value_at


class Target(NamedTuple):
    """Arrays of the refined subdivision, with room for the largest possible number of vertices and edges.

    Attributes:
        loops: Half-edges, the boundary edges already split at their cuts.
        edge_column: [E'] column that made each new edge of this layer.
        edge_chord: [E'] chord that each inner edge lies on.
        tails: [N] for each new vertex, one end of the segment that it was interpolated on.
        heads: [N] the other end.
        fractions: [N] its position.
        amplification: [N] its conditioning.
        chord: [N] for a crossing, the chord that it was interpolated on.
        other: [N] the chord that crosses it there.
        reach: [N] uncertainty of its fraction.
        first: [F] a half-edge of each parent face that starts the numbering of positions.
        vertex_base: [F] first vertex for the crossings of each face.
        edge_base: [F] first edge for the chords of each face.
        used_vertices: [F] number of crossings made.
        used_edges: [F] number of edges made.
    """

    loops: Loops
    edge_column: np.ndarray
    edge_chord: np.ndarray
    tails: np.ndarray
    heads: np.ndarray
    fractions: np.ndarray
    amplification: np.ndarray
    chord: np.ndarray
    other: np.ndarray
    reach: np.ndarray
    first: np.ndarray
    vertex_base: np.ndarray
    edge_base: np.ndarray
    used_vertices: np.ndarray
    used_edges: np.ndarray


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


class View(NamedTuple):
    """How the chord that is being inserted sees the chords of its face, the first of which is number `low`.

    Attributes:
        tail_side: [m] sign of its fold at the start of each chord.
        head_side: [m] sign at the end.
        tail_value: [m] value at the start of each chord that it crosses.
        head_value: [m] value at the end.
    """

    tail_side: np.ndarray
    head_side: np.ndarray
    tail_value: np.ndarray
    head_value: np.ndarray


@njit(cache=True, nogil=True, forceinline=True)
def _side(chords: Chords, chord: int, position: int) -> int:
    """Sign of a chord's fold at a position of the parent's boundary."""
    low, high = chords.tail_position[chord], chords.head_position[chord]
    if position == low or position == high:
        return 0
    side = int(chords.side[chord])
    return side if low < position < high else -side


@njit(cache=True, nogil=True, forceinline=True)
def _outer_value(layer: Layer, cuts: EdgeCuts, old_vertices: int, vertex: int, column: int) -> float:
    """Value of a column at a vertex on the parent's boundary."""
    if vertex < old_vertices:
        return value_at(layer, vertex, column)
    group = vertex - old_vertices
    tail = value_at(layer, cuts.tails[group], column)
    return tail + cuts.fractions[group] * (value_at(layer, cuts.heads[group], column) - tail)


@njit(cache=True, nogil=True, forceinline=True)
def _look(
    layer: Layer, cuts: EdgeCuts, chords: Chords, old_vertices: int, low: int, chord: int, view: View
) -> None:
    """Fill the view of a chord with those inserted before it."""
    column = chords.column[chord]
    for earlier in range(low, chord):
        at = earlier - low
        if chords.tail[earlier] < 0:
            continue
        tail = _side(chords, chord, chords.tail_position[earlier])
        head = _side(chords, chord, chords.head_position[earlier])
        view.tail_side[at] = tail
        view.head_side[at] = head
        if tail * head < 0:
            view.tail_value[at] = _outer_value(layer, cuts, old_vertices, chords.tail[earlier], column)
            view.head_value[at] = _outer_value(layer, cuts, old_vertices, chords.head[earlier], column)


@njit(cache=True, nogil=True, forceinline=True)
def _vertex_sign(
    tolerance: float,
    chords: Chords,
    target: Target,
    sizes: Sizes,
    view: View,
    low: int,
    position_of: np.ndarray,
    chord: int,
    vertex: int,
) -> int:
    """Sign of a chord's fold at a vertex of the parent's boundary, or at the crossing of two earlier chords."""
    if vertex < sizes.outer_vertices:
        return _side(chords, chord, position_of[vertex])
    at = vertex - sizes.old_vertices
    base = target.chord[at] - low
    tail, head = view.tail_side[base], view.head_side[base]
    if tail * head >= 0:
        return tail if tail != 0 else head
    other = target.other[at] - low
    second, third = view.tail_side[other], view.head_side[other]
    if second * third >= 0:
        return second if second != 0 else third
    difference = view.head_value[base] - view.tail_value[base]
    value = view.tail_value[base] + target.fractions[at] * difference
    uncertainty = tolerance + target.reach[at] * abs(difference)
    if value > uncertainty:
        return 1
    if value < -uncertainty:
        return -1
    return 0


@njit(cache=True, nogil=True, forceinline=True)
def _new_crossing(
    layer: Layer,
    cuts: EdgeCuts,
    chords: Chords,
    target: Target,
    sizes: Sizes,
    view: View,
    low: int,
    points: np.ndarray,
    cap: float,
    chord: int,
    base: int,
    vertex: int,
) -> None:
    """Describe the vertex where a chord crosses the earlier chord `base`."""
    column = chords.column[chord]
    tail, head = chords.tail[base], chords.head[base]
    at_tail, at_head = view.tail_value[base - low], view.head_value[base - low]
    at = vertex - sizes.old_vertices
    difference = abs(at_head - at_tail)
    fraction = 0.5
    if at_tail * at_head < 0.0:
        fraction = at_tail / (at_tail - at_head)
    length = np.hypot(points[head, 0] - points[tail, 0], points[head, 1] - points[tail, 1])
    factor = 1.0
    for end in (tail, head):
        if end >= sizes.old_vertices:
            factor = max(factor, cuts.amplification[end - sizes.old_vertices])
    target.tails[at] = tail
    target.heads[at] = head
    target.fractions[at] = fraction
    target.chord[at] = base
    target.other[at] = chord
    if difference > 0.0:
        target.reach[at] = threshold_of(layer, column) / difference
        factor = max(factor, slope_of(layer, column) * length / difference)
    target.amplification[at] = min(cap, factor)


@njit(cache=True, nogil=True, forceinline=True)
def _split_edge(target: Target, half: int, vertex: int, edge: int) -> int:
    """Put `vertex` in the middle of the edge of `half`; the half-edge from it onwards (made of the new `edge`)."""
    origin, following, preceding, face = target.loops
    side = half & 1
    twin = half ^ 1
    onward = 2 * edge + side
    back = onward ^ 1
    origin[onward] = vertex
    origin[back] = origin[twin]
    origin[twin] = vertex
    after = following[half]
    following[half] = onward
    preceding[onward] = half
    following[onward] = after
    preceding[after] = onward
    before = preceding[twin]
    following[before] = back
    preceding[back] = before
    following[back] = twin
    preceding[twin] = back
    face[onward] = face[half]
    face[back] = face[twin]
    target.edge_column[edge] = target.edge_column[half >> 1]
    target.edge_chord[edge] = target.edge_chord[half >> 1]
    return onward


@njit(cache=True, nogil=True, forceinline=True)
def _join(target: Target, start: int, end: int, edge: int) -> None:
    """New edge between the origins of two half-edges of one face."""
    origin, following, preceding, face = target.loops
    forth, back = 2 * edge, 2 * edge + 1
    origin[forth] = origin[start]
    origin[back] = origin[end]
    before_start, before_end = preceding[start], preceding[end]
    following[before_start] = forth
    preceding[forth] = before_start
    following[forth] = end
    preceding[end] = forth
    following[before_end] = back
    preceding[back] = before_end
    following[back] = start
    preceding[start] = back
    face[forth] = face[start]
    face[back] = face[start]


@njit(cache=True, nogil=True, forceinline=True)
def _insert(
    layer: Layer,
    cuts: EdgeCuts,
    chords: Chords,
    target: Target,
    sizes: Sizes,
    view: View,
    points: np.ndarray,
    cap: float,
    position_of: np.ndarray,
    face: int,
    chord: int,
    start: int,
) -> bool:
    """Insert one chord into a parent face, from half-edge `start` at its tail; False if the walk got lost."""
    origin, following, preceding = target.loops.origin, target.loops.following, target.loops.preceding
    low = chords.offsets[face]
    tolerance = threshold_of(layer, chords.column[chord])
    here = start
    came_from = -1
    for _ in range(4 * (chords.offsets[face + 1] - low) + 8):
        vertex = origin[here]
        enters = False
        along = -1
        turn = here
        sign = 0
        while True:  # turn counter-clockwise around the vertex to the sub-face that the chord enters
            ahead = origin[turn ^ 1]
            sign = _vertex_sign(tolerance, chords, target, sizes, view, low, position_of, chord, ahead)
            if sign == 0 and ahead != came_from:
                along = turn
            before = preceding[turn]
            if sign != 0:
                behind = origin[before]
                other = _vertex_sign(tolerance, chords, target, sizes, view, low, position_of, chord, behind)
                if sign * other < 0:
                    enters = True
                    break
            turn = before ^ 1
            if before >> 1 < sizes.outer_edges or turn == here:
                break
        if not enters:  # the chord runs along an edge that is there already
            if along < 0:
                return False
            came_from = vertex
            if origin[along ^ 1] < sizes.outer_vertices:
                return True
            here = following[along]
            continue
        leave = turn
        reached = sign
        while reached == sign:
            leave = following[leave]
            there = origin[leave ^ 1]
            reached = _vertex_sign(tolerance, chords, target, sizes, view, low, position_of, chord, there)
        if reached == 0:
            landing = following[leave]
            here = landing
        else:
            if leave >> 1 < sizes.outer_edges:
                return False
            there = target.vertex_base[face] + target.used_vertices[face]
            target.used_vertices[face] += 1
            base = target.edge_chord[leave >> 1]
            _new_crossing(layer, cuts, chords, target, sizes, view, low, points, cap, chord, base, there)
            landing = _split_edge(target, leave, there, _take_edge(target, face))
            here = leave ^ 1
        edge = _take_edge(target, face)
        _join(target, turn, landing, edge)
        target.edge_column[edge] = chords.column[chord]
        target.edge_chord[edge] = chord
        if there < sizes.outer_vertices:
            return True
        came_from = vertex
    return False


@njit(cache=True, nogil=True, forceinline=True)
def _take_edge(target: Target, face: int) -> int:
    """Number of a new edge inside a parent face."""
    edge = target.edge_base[face] + target.used_edges[face]
    target.used_edges[face] += 1
    return edge


@njit(cache=True, nogil=True, forceinline=True)
def _number_positions(first: int, loops: Loops, position_of: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
    """Number the boundary of a parent face; the half-edge at each position (`outgoing`, grown if it is too short)."""
    length = 0
    half = first
    while True:
        if length == outgoing.size:
            grown = np.empty(2 * length, np.int32)
            grown[:length] = outgoing
            outgoing = grown
        position_of[loops.origin[half]] = length
        outgoing[length] = half
        length += 1
        half = loops.following[half]
        if half == first:
            return outgoing


@njit(cache=True, nogil=True, error_model="numpy")
def insert_chords(
    start: int,
    stop: int,
    split_faces: np.ndarray,
    layer: Layer,
    cuts: EdgeCuts,
    chords: Chords,
    target: Target,
    sizes: Sizes,
    points: np.ndarray,
    cap: float,
) -> int:
    """Insert all chords of the faces `split_faces[start:stop]`; a face where the walk got lost, or -1."""
    position_of = np.empty(sizes.outer_vertices, np.int32)
    outgoing = np.empty(64, np.int32)
    most = 0
    for index in range(start, stop):
        face = split_faces[index]
        most = max(most, chords.offsets[face + 1] - chords.offsets[face])
    view = View(np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(most), np.zeros(most))
    for index in range(start, stop):
        face = split_faces[index]
        low = chords.offsets[face]
        outgoing = _number_positions(target.first[face], target.loops, position_of, outgoing)
        for chord in range(low, chords.offsets[face + 1]):
            if chords.tail[chord] < 0:
                continue
            _look(layer, cuts, chords, sizes.old_vertices, low, chord, view)
            tail = outgoing[chords.tail_position[chord]]
            if not _insert(layer, cuts, chords, target, sizes, view, points, cap, position_of, face, chord, tail):
                return face
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def label_faces(
    start: int,
    stop: int,
    split_faces: np.ndarray,
    target: Target,
    face_base: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
) -> None:
    """Number the children of the faces `split_faces[start:stop]`: the first keeps the parent's number."""
    face_of, following = target.loops.face, target.loops.following
    for index in range(start, stop):
        mother = split_faces[index]
        low, high = 2 * target.edge_base[mother], 2 * (target.edge_base[mother] + target.used_edges[mother])
        for half in range(low, high):
            face_of[half] = -2
        label = mother
        next_label = face_base[index]
        for half in range(low, high):
            if face_of[half] != -2:
                continue
            first[label] = half
            parent[label] = mother
            walk = half
            while True:
                face_of[walk] = label
                walk = following[walk]
                if walk == half:
                    break
            label = next_label
            next_label += 1
