"""Signs at vertices that float64 cannot tell, and which of them matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.bits import count_ones, lowest_one, words_of
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.geometry.planar.edge_cuts import Layer, running_sums
from splinescope.geometry.planar.halfedges import FACE, FOLLOWING, ORIGIN, OUTSIDE
from splinescope.numerics import in_ranges

MOST = 1 << 18
"""Doubts of one fold from which zeros to the last bit are believed; some seconds of exact arithmetic."""
NUDGE = 2.0**-40
"""Share of a threshold that a value gets whose exact sign float64 shows as zero or wrong."""


class OpenSigns(NamedTuple):
    """Signs without a decision.

    Attributes:
        vertices: [n] vertex of each, ascending.
        columns: [n] column of each.
    """

    vertices: np.ndarray
    columns: np.ndarray


@njit(cache=True, nogil=True)
def _union_over_vertices(
    start: int, stop: int, first: np.ndarray, halves: np.ndarray, bits: np.ndarray, out: np.ndarray
) -> None:
    for face in range(start, stop):
        for word in range(bits.shape[1]):
            out[face, word] = np.uint64(0)
        half = first[face]
        while True:
            vertex = halves[half, ORIGIN]
            for word in range(bits.shape[1]):
                out[face, word] |= bits[vertex, word]
            half = halves[half, FOLLOWING]
            if half == first[face]:
                break


def faces_with(first: np.ndarray, halves: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Bits that are set at some vertex of each face.

    Args:
        first: [F] one half-edge of each face.
        halves: [2E, 4] half-edges.
        bits: [V, words] bits of the vertices.

    Returns:
        [F, words] their unions.
    """
    out = np.empty((len(first), bits.shape[1]), np.uint64)
    in_ranges(_union_over_vertices, len(first), first, halves, bits, out)
    return out


@njit(cache=True, nogil=True)
def _undecided(
    start: int, stop: int, positive: np.ndarray, negative: np.ndarray, folding: np.ndarray, settled: np.ndarray
) -> int:
    """Number of vertices with a sign that is neither decided nor known to be zero."""
    found = 0
    for vertex in range(start, stop):
        for word in range(folding.size):
            rest = ~(positive[vertex, word] | negative[vertex, word]) & folding[word]
            if settled.shape[0]:
                rest &= ~settled[vertex, word]
            if rest:
                found += 1
                break
    return found


@njit(cache=True, nogil=True)
def _split(
    start: int,
    stop: int,
    layer: Layer,
    folding: np.ndarray,
    settled: np.ndarray,
    strict: bool,
    near: np.ndarray,
    vanishing: np.ndarray,
) -> None:
    """Undecided signs of values that are not zero, and of those that are: if not `strict`, to the last bit."""
    values, shifts, _, _, positive, negative = layer
    padded = words_of(values.shape[1]) * 64
    for vertex in range(start, stop):
        for word in range(folding.size):
            rest = ~(positive[vertex, word] | negative[vertex, word]) & folding[word]
            if settled.shape[0]:
                rest &= ~settled[vertex, word]
            zero = np.uint64(0)
            left = rest
            while left != np.uint64(0):
                bit = lowest_one(left)
                left &= left - np.uint64(1)
                column = word * 64 + bit
                level = column // padded
                unit = column - level * padded
                value, shift = values[vertex, unit], shifts[level, unit]
                known = value == 0.0 and shift == 0.0 if strict else abs(value - shift) <= UNPROVED
                zero |= np.uint64(known) << np.uint64(bit)
            near[vertex, word] = rest & ~zero
            vanishing[vertex, word] = zero


@njit(cache=True, nogil=True)
def _add_beside(
    first: np.ndarray, halves: np.ndarray, alive: np.ndarray, vanishing: np.ndarray, near: np.ndarray
) -> None:
    """Add the zeros at vertices of faces in which the column is not zero everywhere."""
    for face in range(first.size):
        half = first[face]
        while True:
            vertex = halves[half, ORIGIN]
            for word in range(near.shape[1]):
                near[vertex, word] |= vanishing[vertex, word] & alive[face, word]
            half = halves[half, FOLLOWING]
            if half == first[face]:
                break


@njit(cache=True, nogil=True)
def _list(bits: np.ndarray, offsets: np.ndarray, columns: np.ndarray) -> None:
    for vertex in range(len(bits)):
        at = offsets[vertex]
        for word in range(bits.shape[1]):
            rest = bits[vertex, word]
            while rest != np.uint64(0):
                columns[at] = word * 64 + lowest_one(rest)
                rest &= rest - np.uint64(1)
                at += 1


@njit(cache=True, nogil=True)
def _counts(bits: np.ndarray, counts: np.ndarray) -> None:
    for vertex in range(len(bits)):
        counts[vertex] = 0
        for word in range(bits.shape[1]):
            counts[vertex] += count_ones(bits[vertex, word])


def doubts_of(
    first: np.ndarray,
    halves: np.ndarray,
    layer: Layer,
    folding: np.ndarray,
    settled: np.ndarray | None = None,
    most: int = MOST,
) -> OpenSigns:
    """Signs that float64 does not tell, as far as they matter.

    A column whose values are 0.0 at all vertices of a face is zero there, since a value is 0.0 only where that is
    proved. Zeros that are not (`UNPROVED`) are doubts like others, unless there are too many.

    Args:
        first: [F] one half-edge of each face.
        halves: [2E, 4] half-edges.
        layer: Values and signs.
        folding: [words] columns that fold.
        settled: [V, words] signs that are known to be zero.
        most: Number of doubts beyond which a column that is zero to the last bit all around a face counts as zero.

    Returns:
        The doubts.
    """
    known = np.empty((0, len(folding)), np.uint64) if settled is None else settled
    signs = (layer.positive, layer.negative, folding, known)
    if not sum(in_ranges(_undecided, len(layer.positive), *signs)):
        return OpenSigns(np.empty(0, np.int64), np.empty(0, np.int32))
    counts, near = _doubts(first, halves, layer, folding, known, strict=True)
    if counts.sum() > most:
        counts, near = _doubts(first, halves, layer, folding, known, strict=False)
    columns = np.empty(int(counts.sum()), np.int32)
    _list(near, running_sums(counts), columns)
    return OpenSigns(np.repeat(np.arange(len(near)), counts), columns)


def _doubts(
    first: np.ndarray, halves: np.ndarray, layer: Layer, folding: np.ndarray, settled: np.ndarray, strict: bool
) -> tuple[np.ndarray, np.ndarray]:
    """[V] number of doubts at each vertex, and [V, words] which columns they are."""
    near, vanishing = np.empty_like(layer.positive), np.empty_like(layer.positive)
    in_ranges(_split, len(near), layer, folding, settled, strict, near, vanishing)
    if vanishing.any():
        alive = faces_with(first, halves, layer.positive | layer.negative | near)
        _add_beside(first, halves, alive, vanishing, near)
    counts = np.empty(len(near), np.int64)
    _counts(near, counts)
    return counts, near


@njit(cache=True, nogil=True)
def _signs_around(halves: np.ndarray, old: int, bits: np.ndarray, above: np.ndarray, below: np.ndarray) -> None:
    """Columns that are positive, and that are not, in some face around each vertex from the `old`-th on."""
    above[:], below[:] = np.uint64(0), np.uint64(0)
    for half in range(len(halves)):
        vertex, face = halves[half, ORIGIN] - old, halves[half, FACE]
        if vertex >= 0 and face != OUTSIDE:
            for word in range(bits.shape[1]):
                above[vertex, word] |= bits[face, word]
                below[vertex, word] |= ~bits[face, word]


@njit(cache=True, nogil=True)
def _move(
    start: int,
    stop: int,
    above: np.ndarray,
    below: np.ndarray,
    folding: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    values: np.ndarray,
) -> None:
    """Put values where the signs around their vertices say."""
    padded = words_of(values.shape[1]) * 64
    for vertex in range(start, stop):
        for word in range(folding.size):
            rest = folding[word]
            while rest != np.uint64(0):
                bit = lowest_one(rest)
                rest &= rest - np.uint64(1)
                level = (word * 64 + bit) // padded
                unit = word * 64 + bit - level * padded
                shift, value = shifts[level, unit], values[vertex, unit]
                up = (above[vertex, word] >> np.uint64(bit)) & np.uint64(1)
                down = (below[vertex, word] >> np.uint64(bit)) & np.uint64(1)
                if up and down:
                    values[vertex, unit] = shift
                elif up and value <= shift:
                    values[vertex, unit] = max(shift + NUDGE * thresholds[level, unit], np.nextafter(shift, np.inf))
                elif down and value > shift:
                    values[vertex, unit] = shift


def around_vertices(halves: np.ndarray, bits: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits that are set, and bits that are not, in some face around each of the last vertices.

    Args:
        halves: [2E, 4] half-edges.
        bits: [F, words] bits of the faces.
        count: Number of vertices, counted from the last one.

    Returns:
        Twice [count, words].
    """
    above, below = (np.empty((count, bits.shape[1]), np.uint64) for _ in range(2))
    _signs_around(halves, int(halves[:, ORIGIN].max()) + 1 - count, bits, above, below)
    return above, below


def reconcile(
    halves: np.ndarray,
    bits: np.ndarray,
    folding: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    values: np.ndarray,
) -> None:
    """Put values at new vertices that rounding has on the wrong side of their breakpoint where the faces' signs say.

    Without this, a unit that is on in all faces around a vertex may have the value of one that is off there.

    Args:
        halves: [2E, 4] half-edges.
        bits: [F, words] columns that are positive in each face.
        folding: [words] columns that fold.
        shifts: [B, n] breakpoints.
        thresholds: [B, n] distances within which values are in doubt.
        values: [k, n] values at the last k vertices, changed in place.
    """
    above, below = around_vertices(halves, bits, len(values))
    in_ranges(_move, len(values), above, below, folding, shifts, thresholds, values)
