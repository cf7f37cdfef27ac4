"""Chords: in each convex face, the segment on which each crossing fold of a layer vanishes.

A fold that takes both signs in a face meets its boundary in exactly two places, each an existing vertex or a cut of an
edge. Places are numbered by their position along the boundary, so that two chords cross inside the face exactly when
their end positions interleave: the combinatorics needs no further arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.bits import bit_at, count_ones, lowest_one
from splinescope.geometry.cuts import EdgeCuts, Layer, _offsets
from splinescope.numerics import in_ranges


class Loops(NamedTuple):
    """Half-edges: the boundary of each face, counter-clockwise.

    Half-edge `h` runs from `origin[h]` to `origin[h ^ 1]` with `face[h]` (-1 outside) on its left.
    """

    origin: np.ndarray
    following: np.ndarray
    preceding: np.ndarray
    face: np.ndarray


class Chords(NamedTuple):
    """Chords of all faces.

    Attributes:
        offsets: [F + 1] chords of face `f` are `offsets[f]:offsets[f + 1]`.
        column: [C] column of the layer.
        tail: [C] vertex where it starts (numbered past V for cuts); -1 for a repetition of another chord.
        head: [C] vertex where it ends.
        tail_position: [C] position of the start along the face's boundary.
        head_position: [C] position of the end, larger.
        side: [C] sign of the fold on the boundary strictly between the two positions.
        crossings: [F] number of interleaving pairs in each face.
    """

    offsets: np.ndarray
    column: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    tail_position: np.ndarray
    head_position: np.ndarray
    side: np.ndarray
    crossings: np.ndarray


@njit(cache=True, nogil=True)
def _signs_present(first: int, loops: Loops, layer: Layer, mask: np.ndarray, seen: np.ndarray) -> int:
    """Write the columns that take both signs on a face's boundary into `mask`; return their number."""
    words = mask.size
    mask[:] = np.uint64(0)
    seen[:] = np.uint64(0)
    half = first
    while True:
        vertex = loops.origin[half]
        for word in range(words):
            mask[word] |= layer.positive[vertex, word]
            seen[word] |= layer.negative[vertex, word]
        half = loops.following[half]
        if half == first:
            break
    total = 0
    for word in range(words):
        mask[word] &= seen[word]
        total += count_ones(mask[word])
    return total


@njit(cache=True, nogil=True)
def _count(start: int, stop: int, first: np.ndarray, loops: Loops, layer: Layer, counts: np.ndarray) -> None:
    words = layer.positive.shape[1]
    mask = np.empty(words, np.uint64)
    seen = np.empty(words, np.uint64)
    for face in range(start, stop):
        counts[face] = _signs_present(first[face], loops, layer, mask, seen)


@njit(cache=True, nogil=True, inline="always")
def _add_end(chords: Chords, chord: int, position: int, vertex: int) -> None:
    """Record the first or second end of a chord; a third one marks it for repair."""
    if chords.tail_position[chord] < 0:
        chords.tail[chord] = vertex
        chords.tail_position[chord] = position
    elif chords.head_position[chord] < 0:
        chords.head[chord] = vertex
        chords.head_position[chord] = position
    else:
        chords.side[chord] = 2


@njit(cache=True, nogil=True)
def _collect_ends(
    first: int, loops: Loops, layer: Layer, cuts: EdgeCuts, mask: np.ndarray, slot: np.ndarray, chords: Chords
) -> None:
    """Walk a face's boundary once and record where each chord starts and ends."""
    vertices = layer.positive.shape[0]
    position = 0
    half = first
    while True:
        vertex = loops.origin[half]
        for word in range(mask.size):
            zero = mask[word] & ~(layer.positive[vertex, word] | layer.negative[vertex, word])
            while zero != np.uint64(0):
                _add_end(chords, slot[word * 64 + lowest_one(zero)], position, vertex)
                zero &= zero - np.uint64(1)
        position += 1
        edge = half >> 1
        low, high = cuts.group_offsets[edge], cuts.group_offsets[edge + 1]
        for step in range(high - low):
            group = low + step if half & 1 == 0 else high - 1 - step
            for at in range(cuts.cut_offsets[group], cuts.cut_offsets[group + 1]):
                _add_end(chords, slot[cuts.columns[at]], position, vertices + group)
            position += 1
        half = loops.following[half]
        if half == first:
            break


@njit(cache=True, nogil=True, inline="always")
def _sign(layer: Layer, vertex: int, column: int) -> int:
    """Decided sign of a column at a vertex."""
    if bit_at(layer.positive[vertex], column):
        return 1
    if bit_at(layer.negative[vertex], column):
        return -1
    return 0


@njit(cache=True, nogil=True)
def _repair(first: int, loops: Loops, layer: Layer, cuts: EdgeCuts, chords: Chords, chord: int) -> bool:
    """Choose the two ends of a chord where several vertices are within rounding of its fold.

    Between two strictly opposite signs there is a cut or a run of zeros, of which the first is taken. False if the
    signs change other than twice, which no affine function on a convex face does.
    """
    column = chords.column[chord]
    vertices = layer.positive.shape[0]
    changes = 0
    chords.side[chord] = 0
    last = 0
    zero_vertex = -1
    zero_position = -1
    position = 0
    half = first
    rounds = 0
    while True:
        vertex = loops.origin[half]
        sign = _sign(layer, vertex, column)
        if sign == 0 and zero_vertex < 0:
            zero_vertex, zero_position = vertex, position
        if sign != 0:
            if last * sign < 0 and zero_vertex >= 0:
                _note_change(chords, chord, changes, zero_position, zero_vertex, sign)
                changes += 1
            last = sign
            zero_vertex = -1
            if rounds == 1:
                break
        position += 1
        edge = half >> 1
        low, high = cuts.group_offsets[edge], cuts.group_offsets[edge + 1]
        for step in range(high - low):
            group = low + step if half & 1 == 0 else high - 1 - step
            for at in range(cuts.cut_offsets[group], cuts.cut_offsets[group + 1]):
                if cuts.columns[at] == column and rounds == 0:
                    _note_change(chords, chord, changes, position, vertices + group, -sign)
                    changes += 1
                    last = -sign
            position += 1
        half = loops.following[half]
        if half == first:
            rounds += 1
            position = 0
            if rounds == 2:
                break
    if changes == 2 and chords.tail_position[chord] > chords.head_position[chord]:
        chords.tail_position[chord], chords.head_position[chord] = (
            chords.head_position[chord],
            chords.tail_position[chord],
        )
        chords.tail[chord], chords.head[chord] = chords.head[chord], chords.tail[chord]
        chords.side[chord] = -chords.side[chord]
    return changes == 2


@njit(cache=True, nogil=True, inline="always")
def _note_change(chords: Chords, chord: int, changes: int, position: int, vertex: int, sign: int) -> None:
    """Record where the sign changes to `sign`."""
    if changes == 0:
        chords.tail[chord] = vertex
        chords.tail_position[chord] = position
        chords.side[chord] = sign
    else:
        chords.head[chord] = vertex
        chords.head_position[chord] = position


@njit(cache=True, nogil=True)
def _orient(first: int, loops: Loops, layer: Layer, chords: Chords, chord: int) -> bool:
    """Set the sign on the boundary between a chord's ends; False if it needs repair."""
    if chords.side[chord] == 2 or chords.head_position[chord] < 0:
        return False
    column = chords.column[chord]
    sign = -_sign(layer, loops.origin[first], column)
    if sign == 0:
        sign = _sign(layer, loops.origin[loops.following[first]], column)
    chords.side[chord] = sign
    return sign != 0


@njit(cache=True, nogil=True)
def _count_crossings(first: int, last: int, chords: Chords) -> int:
    """Interleaving pairs among chords `first:last`; repetitions of a chord are marked."""
    total = 0
    for i in range(first, last):
        if chords.tail[i] < 0:
            continue
        low, high = chords.tail_position[i], chords.head_position[i]
        for j in range(i + 1, last):
            if chords.tail[j] < 0:
                continue
            tail, head = chords.tail_position[j], chords.head_position[j]
            if tail == low and head == high:
                chords.tail[j] = -1
            elif (low < tail < high < head) or (tail < low < head < high):
                total += 1
    return total


@njit(cache=True, nogil=True)
def _find(
    start: int, stop: int, first: np.ndarray, loops: Loops, layer: Layer, cuts: EdgeCuts, chords: Chords
) -> int:
    """Fill the chords of faces `start:stop`; the number of a face with inconsistent signs, or -1."""
    words = layer.positive.shape[1]
    mask = np.empty(words, np.uint64)
    seen = np.empty(words, np.uint64)
    slot = np.empty(words * 64, np.int64)
    for face in range(start, stop):
        low, high = chords.offsets[face], chords.offsets[face + 1]
        if low == high:
            continue
        _signs_present(first[face], loops, layer, mask, seen)
        chord = low
        for word in range(words):
            rest = mask[word]
            while rest != np.uint64(0):
                column = word * 64 + lowest_one(rest)
                rest &= rest - np.uint64(1)
                chords.column[chord] = column
                slot[column] = chord
                chord += 1
        _collect_ends(first[face], loops, layer, cuts, mask, slot, chords)
        for chord in range(low, high):
            if not _orient(first[face], loops, layer, chords, chord):
                if not _repair(first[face], loops, layer, cuts, chords, chord):
                    return face
        chords.crossings[face] = _count_crossings(low, high, chords)
    return -1


def find_chords(first: np.ndarray, loops: Loops, layer: Layer, cuts: EdgeCuts) -> Chords:
    """All chords of all faces.

    Args:
        first: [F] one half-edge of each face.
        loops: The half-edges.
        layer: Values and decided signs at the vertices.
        cuts: Cuts of the edges by the same layer.

    Returns:
        The chords of each face, with the number of crossings among them.

    Raises:
        DegenerateArrangementError: If the decided signs around a face are not those of an affine function.
    """
    faces = first.size
    counts = np.empty(faces, np.int64)
    in_ranges(_count, faces, first, loops, layer, counts)
    offsets = _offsets(counts)
    total = int(offsets[-1])
    chords = Chords(
        offsets,
        np.empty(total, np.int32),
        np.full(total, -2, np.int32),
        np.full(total, -2, np.int32),
        np.full(total, -1, np.int32),
        np.full(total, -1, np.int32),
        np.zeros(total, np.int8),
        np.zeros(faces, np.int64),
    )
    failed = [face for face in in_ranges(_find, faces, first, loops, layer, cuts, chords) if face >= 0]
    if failed:
        raise DegenerateArrangementError(
            f"signs of a fold change other than twice around face {failed[0]}; the rounding error of this network is larger "
            "than estimated there: pass a `tolerance` with a larger `safety`"
        )
    return chords
