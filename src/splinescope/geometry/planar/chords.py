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
from splinescope.geometry.planar.edge_cuts import EdgeCuts, Layer, running_sums
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN
from splinescope.numerics import in_ranges

COLUMN, TAIL, HEAD, TAIL_POSITION, HEAD_POSITION, SIDE = 0, 1, 2, 3, 4, 5
"""Columns of `Chords.table`.

`TAIL` and `HEAD` are vertices (cuts are numbered after the vertices before the layer; -1 in `TAIL` marks a repetition
of the chord whose row is in `HEAD`), `TAIL_POSITION < HEAD_POSITION` their places along the boundary of the face, and
`SIDE` the sign of the fold strictly between these."""
_TOO_MANY = 2


class Chords(NamedTuple):
    """Chords of all faces.

    Attributes:
        offsets: [F + 1] chords of face `f` are the rows `offsets[f]:offsets[f + 1]`.
        table: [C, 6] one row for each chord.
        crossings: [F] number of interleaving pairs in each face.
    """

    offsets: np.ndarray
    table: np.ndarray
    crossings: np.ndarray


@njit(cache=True, nogil=True)
def _signs_present(
    first: int, halves: np.ndarray, positive: np.ndarray, negative: np.ndarray, mask: np.ndarray, seen: np.ndarray
) -> int:
    """Write the columns that take both signs on a face's boundary into `mask`; return their number."""
    words = mask.size
    mask[:] = np.uint64(0)
    seen[:] = np.uint64(0)
    half = first
    while True:
        vertex = halves[half, ORIGIN]
        for word in range(words):
            mask[word] |= positive[vertex, word]
            seen[word] |= negative[vertex, word]
        half = halves[half, FOLLOWING]
        if half == first:
            break
    total = 0
    for word in range(words):
        mask[word] &= seen[word]
        total += count_ones(mask[word])
    return total


@njit(cache=True, nogil=True)
def _count(
    start: int,
    stop: int,
    first: np.ndarray,
    halves: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    counts: np.ndarray,
) -> None:
    mask = np.empty(positive.shape[1], np.uint64)
    seen = np.empty(positive.shape[1], np.uint64)
    for face in range(start, stop):
        counts[face] = _signs_present(first[face], halves, positive, negative, mask, seen)


@njit(cache=True, nogil=True, forceinline=True)
def _add_end(table: np.ndarray, chord: int, position: int, vertex: int) -> None:
    """Record the first or second end of a chord; a third one marks it as impossible."""
    if table[chord, TAIL_POSITION] < 0:
        table[chord, TAIL] = vertex
        table[chord, TAIL_POSITION] = position
    elif table[chord, HEAD_POSITION] < 0:
        table[chord, HEAD] = vertex
        table[chord, HEAD_POSITION] = position
    else:
        table[chord, SIDE] = _TOO_MANY


@njit(cache=True, nogil=True)
def _collect_ends(
    first: int,
    halves: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    cut_columns: np.ndarray,
    mask: np.ndarray,
    slot: np.ndarray,
    table: np.ndarray,
) -> None:
    """Walk a face's boundary once and record where each chord starts and ends."""
    vertices = positive.shape[0]
    position = 0
    half = first
    while True:
        vertex = halves[half, ORIGIN]
        for word in range(mask.size):
            zero = mask[word] & ~(positive[vertex, word] | negative[vertex, word])
            while zero != np.uint64(0):
                _add_end(table, slot[word * 64 + lowest_one(zero)], position, vertex)
                zero &= zero - np.uint64(1)
        position += 1
        edge = half >> 1
        low, high = group_offsets[edge], group_offsets[edge + 1]
        for step in range(high - low):
            group = low + step if half & 1 == 0 else high - 1 - step
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                _add_end(table, slot[cut_columns[at]], position, vertices + group)
            position += 1
        half = halves[half, FOLLOWING]
        if half == first:
            break


@njit(cache=True, nogil=True, forceinline=True)
def _sign(positive: np.ndarray, negative: np.ndarray, vertex: int, column: int) -> int:
    """Decided sign of a column at a vertex."""
    if bit_at(positive[vertex], column):
        return 1
    if bit_at(negative[vertex], column):
        return -1
    return 0


@njit(cache=True, nogil=True)
def _orient(
    first: int, halves: np.ndarray, positive: np.ndarray, negative: np.ndarray, table: np.ndarray, chord: int
) -> bool:
    """Set the sign on the boundary between a chord's ends; False if there are not two."""
    if table[chord, SIDE] == _TOO_MANY or table[chord, HEAD_POSITION] < 0:
        return False
    column = table[chord, COLUMN]
    sign = -_sign(positive, negative, halves[first, ORIGIN], column)
    if sign == 0:
        sign = _sign(positive, negative, halves[halves[first, FOLLOWING], ORIGIN], column)
    table[chord, SIDE] = sign
    return sign != 0


@njit(cache=True, nogil=True)
def _count_crossings(table: np.ndarray) -> int:
    """Interleaving pairs among the chords of one face; repetitions of a chord are marked."""
    total = 0
    for i in range(len(table)):
        if table[i, TAIL] < 0:
            continue
        low, high = table[i, TAIL_POSITION], table[i, HEAD_POSITION]
        for j in range(i + 1, len(table)):
            if table[j, TAIL] < 0:
                continue
            tail, head = table[j, TAIL_POSITION], table[j, HEAD_POSITION]
            if tail == low and head == high:
                table[j, TAIL] = -1
                table[j, HEAD] = i
            elif (low < tail < high < head) or (tail < low < head < high):
                total += 1
    return total


@njit(cache=True, nogil=True)
def _find(
    start: int,
    stop: int,
    first: np.ndarray,
    halves: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    cut_columns: np.ndarray,
    offsets: np.ndarray,
    all_chords: np.ndarray,
    crossings: np.ndarray,
) -> int:
    """Fill the chords of faces `start:stop`; the number of a face with inconsistent signs, or -1."""
    words = positive.shape[1]
    mask = np.empty(words, np.uint64)
    seen = np.empty(words, np.uint64)
    slot = np.empty(words * 64, np.int64)
    for face in range(start, stop):
        if offsets[face] == offsets[face + 1]:
            continue
        table = all_chords[offsets[face] : offsets[face + 1]]
        _signs_present(first[face], halves, positive, negative, mask, seen)
        chord = 0
        for word in range(words):
            rest = mask[word]
            while rest != np.uint64(0):
                column = word * 64 + lowest_one(rest)
                rest &= rest - np.uint64(1)
                table[chord, COLUMN] = column
                slot[column] = chord
                chord += 1
        cuts = (group_offsets, cut_offsets, cut_columns)
        _collect_ends(first[face], halves, positive, negative, *cuts, mask, slot, table)
        for chord in range(len(table)):
            if not _orient(first[face], halves, positive, negative, table, chord):
                return face
        crossings[face] = _count_crossings(table)
    return -1


def chord_counts(first: np.ndarray, halves: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """[F] number of columns that have both signs around each face."""
    counts = np.empty(first.size, np.int64)
    in_ranges(_count, first.size, first, halves, positive, negative, counts)
    return counts


def find_chords(
    first: np.ndarray, halves: np.ndarray, layer: Layer, cuts: EdgeCuts, counts: np.ndarray | None = None
) -> Chords:
    """All chords of all faces.

    Args:
        first: [F] one half-edge of each face.
        halves: [2E, 4] the half-edges.
        layer: Values and decided signs at the vertices.
        cuts: Cuts of the edges by the same layer.
        counts: [F] number of chords of each face, if that is known.

    Returns:
        The chords of each face, with the number of crossings among them.

    Raises:
        DegenerateArrangementError: If the decided signs around a face are not those of an affine function.
    """
    faces = first.size
    signs = (layer.positive, layer.negative)
    offsets = running_sums(chord_counts(first, halves, *signs) if counts is None else counts)
    table = np.full((int(offsets[-1]), 6), -1, np.int32)
    table[:, SIDE] = 0
    chords = Chords(offsets, table, np.zeros(faces, np.int64))
    found = in_ranges(_find, faces, first, halves, *signs, cuts.group_offsets, cuts.cut_offsets, cuts.columns, *chords)
    failed = [face for face in found if face >= 0]
    if failed:
        raise DegenerateArrangementError(
            f"signs of a fold change other than twice around face {failed[0]}: rounding errors of this network are "
            "larger than measured; pass a `tolerance` with a larger `safety`"
        )
    return chords
