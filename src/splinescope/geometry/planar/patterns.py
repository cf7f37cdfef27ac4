"""Bits of the cells that a layer's chords make of a face: those of the face, flipped across one chord after another."""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.planar.chords import COLUMN, HEAD, HEAD_POSITION, SIDE, TAIL, TAIL_POSITION
from splinescope.geometry.planar.halfedges import FACE, FOLLOWING
from splinescope.geometry.planar.target import ON_CHORD


@njit(cache=True, nogil=True)
def _set_bit(row: np.ndarray, column: int, value: bool) -> None:
    mask = np.uint64(1) << np.uint64(column & 63)
    if value:
        row[column >> 6] |= mask
    else:
        row[column >> 6] &= ~mask


@njit(cache=True, nogil=True)
def _flip_chord(row: np.ndarray, chords: np.ndarray, chord: int) -> None:
    """Step over a chord, and over those that coincide with it."""
    for other in range(len(chords)):
        if other == chord or (chords[other, TAIL] < 0 and chords[other, HEAD] == chord):
            column = chords[other, COLUMN]
            row[column >> 6] ^= np.uint64(1) << np.uint64(column & 63)


@njit(cache=True, nogil=True)
def pattern_faces(
    start: int,
    stop: int,
    split_faces: np.ndarray,
    halves: np.ndarray,
    labels: np.ndarray,
    place_of: np.ndarray,
    outer_edges: int,
    chord_offsets: np.ndarray,
    chord_table: np.ndarray,
    face_base: np.ndarray,
    first: np.ndarray,
    bits: np.ndarray,
) -> None:
    """Bits of the children of split faces, which have those of their parents: flipped across each chord.

    A child at the boundary of its parent knows on which side of each chord it lies by its position; the others are
    reached from there, one chord after another.
    """
    for index in range(start, stop):
        mother = split_faces[index]
        chords = chord_table[chord_offsets[mother] : chord_offsets[mother + 1]]
        children = face_base[index + 1] - face_base[index]
        known = np.zeros(children + 1, np.bool_)
        left = 0
        for number in range(children + 1):
            child = mother if number == 0 else face_base[index] + number - 1
            position = -1
            half = first[child]
            while True:
                if half >> 1 < outer_edges:
                    position = place_of[half]
                    break
                half = halves[half, FOLLOWING]
                if half == first[child]:
                    break
            if position < 0:
                left += 1
                continue
            known[number] = True
            for chord in range(len(chords)):
                between = chords[chord, TAIL_POSITION] <= position < chords[chord, HEAD_POSITION]
                _set_bit(bits[child], chords[chord, COLUMN], between == (chords[chord, SIDE] > 0))
        while left > 0:
            before = left
            for number in range(children + 1):
                if known[number]:
                    continue
                child = mother if number == 0 else face_base[index] + number - 1
                half = first[child]
                while True:
                    neighbour = halves[half ^ 1, FACE]
                    there = 0 if neighbour == mother else neighbour - face_base[index] + 1
                    if known[there]:
                        bits[child] = bits[neighbour]
                        _flip_chord(bits[child], chords, labels[half >> 1, ON_CHORD])
                        known[number] = True
                        left -= 1
                        break
                    half = halves[half, FOLLOWING]
                    if half == first[child]:
                        break
            if left == before:
                break
