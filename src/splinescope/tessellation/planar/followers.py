"""Rows of a layer at the vertices that the fold before it made, from those at the vertices before.

Between two vertices a and b of one cell, a share t of the way, a ReLU is below the straight line by
min((1 - t) |z(a)|, t |z(b)|) in units whose sign changes there, and on it in all others. So a product with its values
is the interpolation of the products at a and b, less one column of the weights for each unit that folds between them;
a column of a convolution is a stencil, a few of its outputs.
New vertices are on edges, between vertices that were there, or on chords of cells, between vertices on their edges.
Where more than `MOST` units fold on the way some of the vertices, the anchors, are evaluated in full, and the others
lie between two of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.bits import pack_signs
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.geometry.planar.chords import COLUMN, HEAD, HEAD_POSITION, TAIL, TAIL_POSITION, Chords
from splinescope.geometry.planar.edge_cuts import EdgeCuts, running_sums, share_of
from splinescope.geometry.planar.refinement import InnerVertices
from splinescope.numerics import in_ranges
from splinescope.tessellation.planar.stencils import Stencils, write_with_stencils

MOST = 12
"""Units that fold between two vertices at most, for a vertex between them to follow from these."""
ROUNDINGS = 4 * (MOST + 6)
"""Roundings of a layer's terms that its rows at new vertices have beside those of a product.

One step sums the rows at both ends and `MOST` columns, each of three factors, which together are at most twice the
terms of a product: no unit is farther below the straight line than it is large at one of the ends. A crossing is two
steps from old vertices."""


class OnChords(NamedTuple):
    """New vertices inside of faces, by the chord on which each was interpolated.

    Attributes:
        offsets: [C + 1] vertices of chord `c` are `order[offsets[c]:offsets[c + 1]]`, from its tail to its head.
        order: [N] their numbers among the new vertices.
        faces: [C] the face of each chord.
    """

    offsets: np.ndarray
    order: np.ndarray
    faces: np.ndarray


class Grown(NamedTuple):
    """How a fold made new vertices of old ones, and the values that it folded at the old ones.

    Attributes:
        values: [V, n] these values.
        old: Number of old vertices.
        fractions: [N] where each new vertex is, between the ends of its edge or chord.
        cuts: Cuts of edges.
        chords: Chords of faces.
        crossings: The new vertices on each chord.
    """

    values: np.ndarray
    old: int
    fractions: np.ndarray
    cuts: EdgeCuts
    chords: Chords
    crossings: OnChords


class RowTarget(NamedTuple):
    """Where rows of a layer and their signs are written.

    Attributes:
        columns: [n, m] the weights of a dense layer, one row for each of its inputs; [0, m] of a convolution.
        stencils: Those of a convolution, of the inputs that fold; none of a dense layer.
        out: [V + N, m] the rows; those of old vertices and anchors are there.
        shifts: [B, m] breakpoints of the fold that follows; none where there is none.
        thresholds: [B, m] see `LayerFolds`.
        slopes: [64 * words] see there.
        uncertainty: [V + N] how well vertices are known.
        positive: [V + N, words] signs.
        negative: [V + N, words] signs.
    """

    columns: np.ndarray
    stencils: Stencils
    out: np.ndarray
    shifts: np.ndarray
    thresholds: np.ndarray
    slopes: np.ndarray
    uncertainty: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


def on_chords(inner: InnerVertices, fractions: np.ndarray) -> OnChords:
    """The new vertices inside of faces, by chord.

    Args:
        inner: On which chord each is.
        fractions: [N] where all new vertices are, those on edges first.
    """
    chords, bases, counts = inner
    first = len(fractions) - len(bases)
    base = bases + np.repeat(chords.offsets[:-1], counts)
    total = int(chords.offsets[-1])
    offsets = running_sums(np.bincount(base, minlength=total))
    order = np.empty(len(bases), np.int64)
    _sort_by_chord(base, first, fractions, offsets, offsets[:-1].copy(), order)
    faces = np.repeat(np.arange(len(chords.offsets) - 1), np.diff(chords.offsets))
    return OnChords(offsets, order, faces)


@njit(cache=True, nogil=True)
def _sort_by_chord(
    base: np.ndarray, first: int, fractions: np.ndarray, offsets: np.ndarray, free: np.ndarray, order: np.ndarray
) -> None:
    for at in range(base.size):
        order[free[base[at]]] = first + at
        free[base[at]] += 1
    for chord in range(offsets.size - 1):
        mine = order[offsets[chord] : offsets[chord + 1]]
        if mine.size > 1:
            mine[:] = mine[np.argsort(fractions[mine], kind="mergesort")]


@njit(cache=True, nogil=True, forceinline=True)
def _value(
    values: np.ndarray, old: int, tails: np.ndarray, heads: np.ndarray, shares: np.ndarray, at: int, unit: int
) -> float:
    """A unit at a vertex on a face's boundary."""
    if at < old:
        return values[at, unit]
    tail = values[tails[at - old], unit]
    return tail + shares[at - old] * (values[heads[at - old], unit] - tail)


@njit(cache=True, nogil=True)
def _kinks(
    chord: int,
    values: np.ndarray,
    old: int,
    tails: np.ndarray,
    heads: np.ndarray,
    shares: np.ndarray,
    low: int,
    high: int,
    table: np.ndarray,
    units: np.ndarray,
    at_tail: np.ndarray,
    at_head: np.ndarray,
    places: np.ndarray,
) -> int:
    """The units that fold along a chord with their values at its ends; in order where they are more than `MOST`."""
    start, stop = table[chord, TAIL_POSITION], table[chord, HEAD_POSITION]
    count = 0
    for other in range(low, high):
        first, last = table[other, TAIL_POSITION], table[other, HEAD_POSITION]
        if first in (start, stop) or last in (start, stop) or (start < first < stop) == (start < last < stop):
            continue
        unit = table[other, COLUMN]
        units[count] = unit
        at_tail[count] = _value(values, old, tails, heads, shares, table[chord, TAIL], unit)
        at_head[count] = _value(values, old, tails, heads, shares, table[chord, HEAD], unit)
        places[count] = share_of(at_tail[count], at_head[count])
        count += 1
    if count > MOST:
        order = np.argsort(places[:count], kind="mergesort")
        units[:count] = units[:count][order]
        at_tail[:count] = at_tail[:count][order]
        at_head[:count] = at_head[:count][order]
        places[:count] = places[:count][order]
    return count


@njit(cache=True, nogil=True, forceinline=True)
def _within(begin: float, end: float, share: float) -> float:
    """A place on a chord as a share of a part of it."""
    return min(max((share - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0


@njit(cache=True, nogil=True)
def _behind(places: np.ndarray, count: int, share: float) -> int:
    """Number of kinks before a place on a chord, which are in order."""
    return int(np.searchsorted(places[:count], share))


@njit(cache=True, nogil=True)
def _next_anchor(places: np.ndarray, count: int, shares: np.ndarray, vertices: np.ndarray, start: int) -> int:
    """The next anchor from `start` on, where the last one is the vertex before; the number of vertices for the head.

    No more than `MOST` units fold between the vertex before `start` and it, unless there is nothing in between.
    """
    behind = _behind(places, count, shares[vertices[start - 1]]) if start > 0 else 0
    if count - behind <= MOST:
        return vertices.size
    last = start
    while last + 1 < vertices.size and _behind(places, count, shares[vertices[last + 1]]) - behind <= MOST:
        last += 1
    return last


@njit(cache=True, nogil=True)
def _mark_anchors(start: int, stop: int, grown: Grown, anchors: np.ndarray) -> None:
    """Mark the new vertices on chords `start:stop` that are to be evaluated in full."""
    values, old, shares, cuts, chords, crossings = grown
    tails, heads, table, offsets = cuts.tails, cuts.heads, chords.table, chords.offsets
    order, faces, first = crossings.order, crossings.faces, crossings.offsets
    room = 64 * ((values.shape[1] + 63) // 64)
    units, places = np.empty(room, np.int64), np.empty(room)
    at_tail, at_head = np.empty(room), np.empty(room)
    for chord in range(start, stop):
        face = faces[chord]
        low, high = offsets[face], offsets[face + 1]
        if first[chord] == first[chord + 1] or high - low <= MOST + 1:
            continue
        count = _kinks(chord, values, old, tails, heads, shares, low, high, table, units, at_tail, at_head, places)
        if count <= MOST:
            continue
        mine = order[first[chord] : first[chord + 1]]
        at = 0
        while at < mine.size:
            at = _next_anchor(places, count, shares, mine, at)
            if at < mine.size:
                anchors[mine[at]] = True
            at += 1


@njit(cache=True, nogil=True, forceinline=True)
def _write(
    columns: np.ndarray,
    stencils: Stencils,
    out: np.ndarray,
    row: int,
    tail: int,
    head: int,
    share: float,
    units: np.ndarray,
    at_tail: np.ndarray,
    at_head: np.ndarray,
    low: int,
    high: int,
) -> None:
    """One row, between two others; the kinks `low:high` are given by their values at these."""
    if columns.shape[0] == 0:
        write_with_stencils(stencils, out, row, tail, head, share, units, at_tail, at_head, low, high)
        return
    rest, zeros = 1.0 - share, 0
    mine, before, behind = out[row], out[tail], out[head]
    one = min(rest * abs(at_tail[low]), share * abs(at_head[low])) if low < high else 0.0
    first = columns[units[low]] if low < high else before
    for unit in range(mine.size):
        mine[unit] = (rest * before[unit] + share * behind[unit]) - one * first[unit]
    for at in range(low + 1, high, 2):
        last = min(at + 1, high - 1)  # a column alone is taken twice, once with nothing
        one = min(rest * abs(at_tail[at]), share * abs(at_head[at]))
        two = min(rest * abs(at_tail[last]), share * abs(at_head[last])) if last > at else 0.0
        first, second = columns[units[at]], columns[units[last]]
        for unit in range(mine.size):
            mine[unit] -= one * first[unit] + two * second[unit]
    for unit in range(mine.size):
        zeros += mine[unit] == 0.0
    if zeros > 0:
        _mark(columns, out, row, tail, head, units, low, high)


@njit(cache=True, nogil=True)
def _mark(
    columns: np.ndarray, out: np.ndarray, row: int, tail: int, head: int, units: np.ndarray, low: int, high: int
) -> None:
    """Zeros of a row that do not follow from zeros at both ends and of the weights are not proved."""
    for unit in range(out.shape[1]):
        if out[row, unit] == 0.0:
            proved = out[tail, unit] == 0.0 and out[head, unit] == 0.0
            for at in range(low, high):
                proved = proved and columns[units[at], unit] == 0.0
            if not proved:
                out[row, unit] = UNPROVED


@njit(cache=True, nogil=True)
def _along_edges(start: int, stop: int, grown: Grown, target: RowTarget) -> None:
    """Rows of the new vertices on edges `start:stop` that no more than `MOST` units cut."""
    values, old, shares, cuts, _, _ = grown
    columns, stencils, out, shifts, thresholds, slopes, uncertainty, positive, negative = target
    groups, offsets, units, tails, heads = cuts.group_offsets, cuts.cut_offsets, cuts.columns, cuts.tails, cuts.heads
    mine, at_tail, at_head = np.empty(MOST, np.int64), np.empty(MOST), np.empty(MOST)
    for edge in range(start, stop):
        low, high = groups[edge], groups[edge + 1]
        if low == high:
            continue
        first, count = offsets[low], offsets[high] - offsets[low]
        if count > MOST:
            continue
        tail, head = tails[low], heads[low]
        for at in range(count):
            mine[at] = units[first + at]
            at_tail[at], at_head[at] = values[tail, mine[at]], values[head, mine[at]]
        for group in range(low, high):
            _write(columns, stencils, out, old + group, tail, head, shares[group], mine, at_tail, at_head, 0, count)
        if shifts.shape[0] > 0:
            pack_signs(old + low, old + high, out, shifts, thresholds, slopes, uncertainty, positive, negative)


@njit(cache=True, nogil=True)
def _along_chords(start: int, stop: int, grown: Grown, target: RowTarget) -> None:
    """Rows of the new vertices on chords `start:stop`."""
    values, old, shares, cuts, chords, crossings = grown
    columns, stencils, out, shifts, thresholds, slopes, uncertainty, positive, negative = target
    tails, heads, table, offsets = cuts.tails, cuts.heads, chords.table, chords.offsets
    order, faces, first = crossings.order, crossings.faces, crossings.offsets
    room = 64 * ((values.shape[1] + 63) // 64)
    units, places = np.empty(room, np.int64), np.empty(room)
    at_tail, at_head = np.empty(room), np.empty(room)
    at_left, at_right = np.empty(room), np.empty(room)
    for chord in range(start, stop):
        if first[chord] == first[chord + 1]:
            continue
        face = faces[chord]
        low, high = offsets[face], offsets[face + 1]
        count = _kinks(chord, values, old, tails, heads, shares, low, high, table, units, at_tail, at_head, places)
        mine = order[first[chord] : first[chord + 1]]
        tail, head = table[chord, TAIL], table[chord, HEAD]
        if count <= MOST:
            for vertex in mine:
                row = old + vertex
                _write(columns, stencils, out, row, tail, head, shares[vertex], units, at_tail, at_head, 0, count)
                if shifts.shape[0] > 0:
                    pack_signs(row, row + 1, out, shifts, thresholds, slopes, uncertainty, positive, negative)
            continue
        at, left, begin = 0, tail, 0.0
        while at < mine.size:
            stop_at = _next_anchor(places, count, shares, mine, at)
            right, end = (old + mine[stop_at], shares[mine[stop_at]]) if stop_at < mine.size else (head, 1.0)
            behind, ahead = _behind(places, count, begin), _behind(places, count, end)
            for kink in range(behind, ahead):
                slope = at_head[kink] - at_tail[kink]
                at_left[kink], at_right[kink] = at_tail[kink] + begin * slope, at_tail[kink] + end * slope
            for vertex in mine[at:stop_at]:
                row, share = old + vertex, _within(begin, end, shares[vertex])
                _write(columns, stencils, out, row, left, right, share, units, at_left, at_right, behind, ahead)
                if shifts.shape[0] > 0:
                    pack_signs(row, row + 1, out, shifts, thresholds, slopes, uncertainty, positive, negative)
            at, left, begin = stop_at + 1, right, end


def anchors_of(grown: Grown) -> np.ndarray:
    """Numbers among the new vertices of those that are to be evaluated in full."""
    cuts = grown.cuts
    marked = np.zeros(len(grown.fractions), bool)
    many = np.diff(cuts.cut_offsets[cuts.group_offsets]) > MOST
    marked[: len(cuts.tails)] = np.repeat(many, np.diff(cuts.group_offsets))
    in_ranges(_mark_anchors, len(grown.crossings.faces), grown, marked, grain=512)
    return np.flatnonzero(marked)


def kinking(grown: Grown) -> np.ndarray:
    """The units that fold, ascending."""
    return np.unique(np.concatenate([grown.cuts.columns, grown.chords.table[:, COLUMN]]))


def write_between(grown: Grown, target: RowTarget) -> None:
    """Rows of all new vertices that are no anchors."""
    run: Callable[..., object] = in_ranges
    run(_along_edges, len(grown.cuts.group_offsets) - 1, grown, target, grain=2048)
    run(_along_chords, len(grown.crossings.faces), grown, target, grain=64)
