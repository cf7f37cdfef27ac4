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

import numpy as np
from numba import njit

from splinescope.geometry.planar.answers import Answers
from splinescope.geometry.planar.chords import COLUMN, TAIL, TAIL_POSITION
from splinescope.geometry.planar.fold_sides import DOUBT, SignedFold, answered, describe_crossing, look, sign_at
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN, PRECEDING
from splinescope.geometry.planar.surgery import number_positions, split_edge, split_face
from splinescope.geometry.planar.target import MADE_BY, ON_CHORD, Refined, RefinedCounts


@njit(cache=True, nogil=True, forceinline=True)
def _cross(
    halves: np.ndarray,
    labels: np.ndarray,
    places: np.ndarray,
    weights: np.ndarray,
    chords: np.ndarray,
    seen: np.ndarray,
    points: np.ndarray,
    uncertainty: np.ndarray,
    used: np.ndarray,
    fold: SignedFold,
    half: int,
) -> int:
    """Split the edge of an earlier chord where this one crosses it; the half-edge from there onwards, or -1."""
    # Edges of the boundary are cut already, and room was counted: who asks for more than that has lost the way.
    if half >> 1 < fold.outer_edges or used[0] >= fold.vertex_room or used[1] >= fold.edge_room:
        return -1
    vertex, edge = fold.vertex_base + used[0], fold.edge_base + used[1]
    used[0] += 1
    used[1] += 1
    base = labels[half >> 1, ON_CHORD]
    describe_crossing(places, weights, chords, seen, points, uncertainty, fold, base, vertex - fold.old_vertices)
    labels[edge, MADE_BY] = labels[half >> 1, MADE_BY]
    labels[edge, ON_CHORD] = base
    return split_edge(halves, half, vertex, edge)


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
    known: np.ndarray,
    asked: np.ndarray,
    fold: SignedFold,
    start: int,
) -> bool:
    """Insert one chord into a parent face, from half-edge `start` at its tail; False if the walk got lost.

    The two loops stay in here, for each array that is handed to a function counts references, atomically: as functions
    of their own, even inlined, they made the walk a third slower.
    """
    here, came_from = start, -1
    # Each step meets another chord, or a vertex of one; a walk that takes more steps goes in a circle.
    for _ in range(4 * len(chords) + 8):
        # 1. Turn counter-clockwise around the vertex `v` to the sub-face in which its neighbours `w` and `u` are on
        #    different sides. Where the fold is zero at a neighbour there may be none: the chord runs along that edge.
        enter = along = -1
        turn, vertex = here, halves[here, ORIGIN]
        while enter < 0:
            ahead = halves[turn ^ 1, ORIGIN]
            sign = sign_at(places, weights, chords, view, seen, position_of, fold, ahead)
            if sign == DOUBT:
                sign = answered(places, weights, known, asked, fold, ahead)
            if sign == 0 and ahead != came_from:  # the way back is no way on
                along = turn
            before = halves[turn, PRECEDING]
            if sign != 0:
                behind = halves[before, ORIGIN]
                other = sign_at(places, weights, chords, view, seen, position_of, fold, behind)
                if other == DOUBT:
                    other = answered(places, weights, known, asked, fold, behind)
                if sign * other < 0:
                    enter = turn
            turn = before ^ 1
            if before >> 1 < fold.outer_edges or turn == here:  # beyond the parent's boundary, or once around
                break
        came_from = vertex
        if enter < 0:
            if along < 0:
                return False
            if halves[along ^ 1, ORIGIN] < fold.outer_vertices:
                return True
            here = halves[along, FOLLOWING]
            continue
        # 2. Follow the boundary of the sub-face, from `w` on, as long as it is on the side of `w`.
        leave, reached = enter, sign
        while reached == sign:
            leave = halves[leave, FOLLOWING]
            if leave == enter:
                return False
            there = halves[leave ^ 1, ORIGIN]
            reached = sign_at(places, weights, chords, view, seen, position_of, fold, there)
            if reached == DOUBT:
                reached = answered(places, weights, known, asked, fold, there)
        # 3. Leave it at that vertex, or through that edge, and split it.
        if reached == 0:
            landing = halves[leave, FOLLOWING]
            here = landing
        else:
            landing = _cross(halves, labels, places, weights, chords, seen, points, uncertainty, used, fold, leave)
            here = leave ^ 1  # from the new vertex, in the sub-face beyond the edge
        if landing < 0 or used[1] >= fold.edge_room:
            return False
        edge = fold.edge_base + used[1]
        used[1] += 1
        split_face(halves, enter, landing, edge)
        labels[edge, MADE_BY], labels[edge, ON_CHORD] = chords[fold.chord, COLUMN], fold.chord
        if halves[landing, ORIGIN] < fold.outer_vertices:  # on the parent's boundary: this is the other end
            return True
    return False


@njit(cache=True, nogil=True)
def _put_back(length: int, outgoing: np.ndarray, halves: np.ndarray, used: np.ndarray) -> None:
    """Undo the surgery on a face: its boundary is the loop of its outer half-edges again."""
    for position in range(length):
        following = outgoing[position + 1 if position + 1 < length else 0]
        halves[outgoing[position], FOLLOWING] = following
        halves[following, PRECEDING] = outgoing[position]
    used[0] = used[1] = 0


@njit(cache=True, nogil=True)
def _most_chords(start: int, stop: int, split_faces: np.ndarray, offsets: np.ndarray) -> int:
    most = 0
    for index in range(start, stop):
        most = max(most, offsets[split_faces[index] + 1] - offsets[split_faces[index]])
    return most


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
    target: Refined,
    answers: Answers,
    sizes: RefinedCounts,
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
    most = _most_chords(start, stop, split_faces, chord_offsets)
    view, seen = np.zeros((most, 2), np.int32), np.zeros((most, 2))
    for index in range(start, stop):
        face = split_faces[index]
        chords = chord_table[chord_offsets[face] : chord_offsets[face + 1]]
        length = number_positions(first[face], halves, position_of, outgoing)
        while length < 0:
            outgoing = np.empty(2 * outgoing.size, np.int32)
            length = number_positions(first[face], halves, position_of, outgoing)
        for position in range(length):
            place_of[outgoing[position]] = position
        questions, mine, lost = asked[index], used[face], False
        for chord in range(len(chords)):
            if chords[chord, TAIL] < 0:  # coincides with an earlier one
                continue
            level = chords[chord, COLUMN] // padded
            unit = chords[chord, COLUMN] - level * padded
            look(values, shifts[level, unit], unit, places, weights, sizes.old_vertices, chords, chord, view, seen)
            fold = SignedFold(
                chord, thresholds[level, unit], slopes[unit],
                sizes.old_vertices, sizes.outer_vertices, sizes.outer_edges,
                vertex_bases[face], vertex_bases[face + 1] - vertex_bases[face],
                edge_bases[face], edge_bases[face + 1] - edge_bases[face],
                offsets[index], offsets[index + 1],
            )  # fmt: skip
            tail = outgoing[chords[chord, TAIL_POSITION]]
            arrays = (halves, labels, places, weights, chords, view, seen, points, uncertainty, position_of, mine)
            if not _insert(*arrays, known, questions, fold, tail):
                lost = True
                break
        if questions[0, 0] > 0:
            _put_back(length, outgoing, halves, mine)
        elif lost:
            return face
    return -1
