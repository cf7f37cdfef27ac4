"""Where the folds of one layer cut the edges of a planar subdivision.

Column `u` of a layer is one fold of one unit; its sign at each vertex is a pair of bits (see `bits`), neither of them
set where it is zero. An edge is cut by `u` exactly when its ends have opposite signs. Cuts of one edge that float64
cannot tell apart are put in order by the judge; those that coincide become one vertex.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.bits import count_ones, lowest_one, words_of
from splinescope.geometry.planar.halfedges import ORIGIN
from splinescope.geometry.planar.judge import Judge
from splinescope.numerics import in_ranges

_COARSE, _COARSEST = 2.0**-24, 2.0**-20
"""Uncertainty, as a share of the domain, up to which a vertex is where float64 puts it, and from which it is placed by
exact arithmetic in any case."""
_LOOSE = 1024.0
"""In between: multiple of the least uncertainty that a fold's vertices may have from which it is."""
ROUNDING = 2.0**-51
"""Relative rounding error of an interpolation, with room to spare."""


class Layer(NamedTuple):
    """Pre-activations of one layer at all vertices, with their signs.

    Attributes:
        values: [V, n] values of the units.
        shifts: [B, n] breakpoints: fold `b` of unit `k` is where `values[:, k] == shifts[b, k]`.
        thresholds: [B, n] distance within which float64 does not tell a value from its breakpoint; infinite where there
            is no fold.
        slopes: [64 * words] typical slope of each unit: its magnitude, over an extent of the domain.
        positive: [V, B * words] bits of positive signs.
        negative: [V, B * words] bits of negative signs.
    """

    values: np.ndarray
    shifts: np.ndarray
    thresholds: np.ndarray
    slopes: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


class EdgeCuts(NamedTuple):
    """Cuts of all edges; one group of coinciding cuts is one new vertex.

    Attributes:
        group_offsets: [E + 1] groups of edge `e` are `group_offsets[e]:group_offsets[e + 1]`, from its tail to its
            head.
        cut_offsets: [G + 1] columns through group `g` are `columns[cut_offsets[g]:cut_offsets[g + 1]]`.
        columns: [C] column of each cut.
        tails: [G] vertex at the tail of the edge.
        heads: [G] vertex at its head.
        fractions: [G] position between them, in [0, 1].
        uncertainty: [G] how well the position of the new vertex is known, as a share of the domain; infinite where it
            is to be placed by exact arithmetic.
        doubts: Number of edges whose cuts the judge put in order.
    """

    group_offsets: np.ndarray
    cut_offsets: np.ndarray
    columns: np.ndarray
    tails: np.ndarray
    heads: np.ndarray
    fractions: np.ndarray
    uncertainty: np.ndarray
    doubts: int


@njit(cache=True, nogil=True)
def _count(
    start: int, stop: int, halves: np.ndarray, positive: np.ndarray, negative: np.ndarray, counts: np.ndarray
) -> None:
    words = positive.shape[1]
    for edge in range(start, stop):
        tail = halves[2 * edge, ORIGIN]
        head = halves[2 * edge + 1, ORIGIN]
        total = 0
        for word in range(words):
            total += count_ones(
                (positive[tail, word] & negative[head, word]) | (negative[tail, word] & positive[head, word])
            )
        counts[edge] = total


@njit(cache=True, nogil=True, forceinline=True)
def share_of(at_tail: float, at_head: float) -> float:
    """Where a value vanishes between two ends of opposite sign, held to [0, 1] where rounding says otherwise."""
    share = at_tail / (at_tail - at_head)
    if not share >= 0.0:
        return 0.0
    return min(share, 1.0)


@njit(cache=True, nogil=True, forceinline=True)
def coarsest(threshold: float, slope: float) -> float:
    """Uncertainty up to which vertices of a fold are where float64 puts them."""
    if _LOOSE * threshold >= _COARSEST * slope:
        return _COARSEST
    return max(_COARSE, _LOOSE * threshold / slope)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def _error_of(layer: Layer, column: int, tail: int, head: int, blurred: float) -> float:
    """How far a cut may be from where float64 puts it, as a share of its edge."""
    values, _, thresholds, slopes, _, _ = layer
    padded = words_of(values.shape[1]) * 64
    level = column // padded
    unit = column - level * padded
    error = 2.0 * (thresholds[level, unit] + blurred * slopes[unit])
    return error / abs(values[tail, unit] - values[head, unit])


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    start: int,
    stop: int,
    halves: np.ndarray,
    layer: Layer,
    uncertainty: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    groups: np.ndarray,
    doubtful: np.ndarray,
) -> None:
    """Cuts of each edge in order, each opening a group of its own, and whether that order is in doubt."""
    values, shifts, _, _, positive, negative = layer
    padded = words_of(values.shape[1]) * 64
    for edge in range(start, stop):
        first, last = offsets[edge], offsets[edge + 1]
        if first == last:
            continue
        tail = halves[2 * edge, ORIGIN]
        head = halves[2 * edge + 1, ORIGIN]
        at = first
        for word in range(positive.shape[1]):
            cut = (positive[tail, word] & negative[head, word]) | (negative[tail, word] & positive[head, word])
            while cut != np.uint64(0):
                column = word * 64 + lowest_one(cut)
                cut &= cut - np.uint64(1)
                level = column // padded
                unit = column - level * padded
                columns[at] = column
                fractions[at] = share_of(
                    values[tail, unit] - shifts[level, unit], values[head, unit] - shifts[level, unit]
                )
                at += 1
        _sort(fractions[first:last], columns[first:last])
        blurred = max(uncertainty[tail], uncertainty[head])
        reach = 0.0
        groups[edge] = last - first
        for at in range(first, last):
            opens_group[at] = True
            error = _error_of(layer, columns[at], tail, head, blurred)
            if at > first and not fractions[at] - fractions[at - 1] > reach + error:
                doubtful[edge] = True
            reach = max(error, reach - (fractions[at] - fractions[at - 1]) if at > first else 0.0)


def _merge(
    judge: Judge,
    edges: np.ndarray,
    halves: np.ndarray,
    layer: Layer,
    uncertainty: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    groups: np.ndarray,
    doubtful: np.ndarray,
) -> None:
    """Make one group of the cuts of an edge by columns that are one by name, where that leaves no order in doubt.

    Windows of a max-pool that overlap compare the same two numbers.
    """
    for edge in edges.tolist():
        part = slice(offsets[edge], offsets[edge + 1])
        _, number = np.unique(judge.names(edge, columns[part]), return_inverse=True)
        count = int(number.max()) + 1
        if count == len(number):
            continue
        tail, head = halves[2 * edge : 2 * edge + 2, ORIGIN].tolist()
        blurred = float(uncertainty[[tail, head]].max())
        errors = np.array([_error_of(layer, column, tail, head, blurred) for column in columns[part].tolist()])
        best = [min(np.flatnonzero(number == name).tolist(), key=lambda i: (errors[i], i)) for name in range(count)]
        at = fractions[part][best]
        ascending = np.argsort(at, kind="stable")
        low, high = (at[ascending] + sign * errors[best][ascending] for sign in (-1, 1))
        if not np.all(low[1:] > np.maximum.accumulate(high)[:-1]):
            continue
        order = np.lexsort([columns[part], at[number]])
        columns[part], fractions[part] = columns[part][order], at[number[order]]
        opens_group[part] = np.diff(number[order], prepend=-1) != 0
        groups[edge], doubtful[edge] = count, False


def _settle(
    judge: Judge,
    edges: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    groups: np.ndarray,
) -> None:
    """Put the cuts of edges in exact order, and make one group of those that coincide."""
    for edge in edges.tolist():
        part = slice(offsets[edge], offsets[edge + 1])
        positions = judge.positions(edge, columns[part])
        order = sorted(range(len(positions)), key=lambda i: (positions[i], columns[part][i]))
        columns[part] = columns[part][order]
        ordered = [positions[i] for i in order]
        fractions[part] = [min(max(int(q.p) / int(q.q), 0.0), 1.0) for q in ordered]
        opens_group[part] = [i == 0 or ordered[i] != ordered[i - 1] for i in range(len(ordered))]
        groups[edge] = int(opens_group[part].sum())


@njit(cache=True, nogil=True)
def _sort(fractions: np.ndarray, columns: np.ndarray) -> None:
    """Sort the cuts of one edge; ties by column."""
    if fractions.size > 24:
        order = np.argsort(fractions, kind="mergesort")
        fractions[:] = fractions[order]
        columns[:] = columns[order]
        return
    for i in range(1, fractions.size):
        fraction, column = fractions[i], columns[i]
        j = i - 1
        while j >= 0 and fractions[j] > fraction:
            fractions[j + 1] = fractions[j]
            columns[j + 1] = columns[j]
            j -= 1
        fractions[j + 1] = fraction
        columns[j + 1] = column


@njit(cache=True, nogil=True, error_model="numpy")
def _describe_groups(
    start: int,
    stop: int,
    halves: np.ndarray,
    values: np.ndarray,
    thresholds: np.ndarray,
    slopes: np.ndarray,
    points: np.ndarray,
    uncertainty: np.ndarray,
    offsets: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    doubtful: np.ndarray,
    cuts: EdgeCuts,
) -> None:
    """One row for each group: ends, position and uncertainty, by the column whose cut is known best."""
    group_offsets, cut_offsets, columns, tails, heads, positions, known, _ = cuts
    padded = words_of(values.shape[1]) * 64
    for edge in range(start, stop):
        group = group_offsets[edge] - 1
        if offsets[edge] == offsets[edge + 1]:
            continue
        tail = halves[2 * edge, ORIGIN]
        head = halves[2 * edge + 1, ORIGIN]
        length = np.hypot(points[head, 0] - points[tail, 0], points[head, 1] - points[tail, 1])
        before = max(uncertainty[tail], uncertainty[head])
        best = np.inf
        for at in range(offsets[edge], offsets[edge + 1]):
            level = columns[at] // padded
            unit = columns[at] - level * padded
            blurred = thresholds[level, unit] + before * slopes[unit]
            here = max(before, blurred * (length / abs(values[tail, unit] - values[head, unit])))
            if opens_group[at]:
                group += 1
                cut_offsets[group] = at
                tails[group] = tail
                heads[group] = head
                positions[group] = fractions[at]
                best = np.inf
            if not here <= coarsest(thresholds[level, unit], slopes[unit]):
                here = np.inf
            if here < best:
                best = here
                positions[group] = fractions[at]
            known[group] = before + ROUNDING if doubtful[edge] else best + ROUNDING


def running_sums(counts: np.ndarray) -> np.ndarray:
    """Running sums with a leading zero."""
    offsets = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def cut_edges(halves: np.ndarray, points: np.ndarray, uncertainty: np.ndarray, layer: Layer, judge: Judge) -> EdgeCuts:
    """All cuts of all edges by the folds of a layer.

    Args:
        halves: [2E, 4] half-edges; `2e` and `2e + 1` are the two directions of edge `e`.
        points: [V, 2] coordinates, as shares of the domain's extents.
        uncertainty: [V] how well they are known, as a share of the domain.
        layer: Values and signs at the vertices.
        judge: Who orders cuts that float64 cannot tell apart.

    Returns:
        The cuts, grouped into new vertices.
    """
    edges = len(halves) // 2
    counts = np.empty(edges, np.int64)
    in_ranges(_count, edges, halves, layer.positive, layer.negative, counts)
    offsets = running_sums(counts)
    total = int(offsets[-1])
    columns = np.empty(total, np.int32)
    fractions = np.empty(total)
    opens_group = np.zeros(total, np.bool_)
    groups = np.zeros(edges, np.int64)
    doubtful = np.zeros(edges, np.bool_)
    in_ranges(_fill, edges, halves, layer, uncertainty, offsets, columns, fractions, opens_group, groups, doubtful)
    cuts_of_edges = (offsets, columns, fractions, opens_group, groups)
    _merge(judge, np.flatnonzero(doubtful), halves, layer, uncertainty, *cuts_of_edges, doubtful)
    doubts = np.flatnonzero(doubtful)
    _settle(judge, doubts, *cuts_of_edges)
    group_offsets = running_sums(groups)
    number = int(group_offsets[-1])
    cuts = EdgeCuts(
        group_offsets,
        np.full(number + 1, total, np.int64),
        columns,
        np.empty(number, np.int32),
        np.empty(number, np.int32),
        np.empty(number),
        np.empty(number),
        len(doubts),
    )
    shape = (layer.values, layer.thresholds, layer.slopes, points, uncertainty)
    in_ranges(_describe_groups, edges, halves, *shape, offsets, fractions, opens_group, doubtful, cuts)
    _place_flat_cuts(judge, halves, points, uncertainty, cuts)
    return cuts


def _place_flat_cuts(
    judge: Judge, halves: np.ndarray, points: np.ndarray, uncertainty: np.ndarray, cuts: EdgeCuts
) -> None:
    """Place the cuts by folds that are nearly parallel to their edge."""
    groups = np.flatnonzero(~np.isfinite(cuts.uncertainty))
    if not len(groups):
        return
    edges = np.searchsorted(cuts.group_offsets, groups, side="right") - 1
    ends = halves[:, ORIGIN].reshape(-1, 2)[edges]
    cuts.fractions[groups], errors = judge.cut_shares(edges, cuts.columns[cuts.cut_offsets[groups]])
    cuts.uncertainty[groups] = placed_uncertainty(points, uncertainty, ends, errors)


def placed_uncertainty(points: np.ndarray, uncertainty: np.ndarray, ends: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """How well vertices are known that were placed at shares of ways between others.

    Args:
        points: [V, 2] coordinates, as shares of the domain's extents.
        uncertainty: [V] how well they are known.
        ends: [k, 2] ends of each way.
        errors: [k] how far each share may be off.
    """
    across = points[ends[:, 1]] - points[ends[:, 0]]
    return np.asarray(uncertainty[ends].max(axis=1) + errors * np.hypot(*across.T) + ROUNDING)
