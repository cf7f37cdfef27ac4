"""Where the folds of one layer cut the edges of a planar subdivision.

Column `u` of a layer is one fold of one unit; its decided sign at each vertex is a pair of bits (see `bits`). An edge
is cut by `u` exactly when its ends have opposite decided signs. Cuts of one edge that coincide within their rounding
errors become one vertex, so that concurrent folds meet in a point instead of enclosing slivers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.bits import count_ones, lowest_one, words_of
from splinescope.geometry.halfedges import ORIGIN
from splinescope.numerics import in_ranges


class Layer(NamedTuple):
    """Pre-activations of one layer at all vertices, with their decided signs.

    Attributes:
        values: [V, n] values of the units.
        shifts: [B, n] breakpoints: fold `b` of unit `k` is where `values[:, k] == shifts[b, k]`.
        thresholds: [B, n] rounding error within which a value counts as zero; infinite where there is no fold.
        slopes: [64 * words] typical slope of each unit: its magnitude over the size of the domain.
        positive: [V, B * words] bits of decided positive signs.
        negative: [V, B * words] bits of decided negative signs.
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
        fractions: [G] position between them, in (0, 1).
        amplification: [G] conditioning of the new vertex.
    """

    group_offsets: np.ndarray
    cut_offsets: np.ndarray
    columns: np.ndarray
    tails: np.ndarray
    heads: np.ndarray
    fractions: np.ndarray
    amplification: np.ndarray


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


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    start: int,
    stop: int,
    halves: np.ndarray,
    layer: Layer,
    amplification: np.ndarray,
    offsets: np.ndarray,
    columns: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    groups: np.ndarray,
) -> None:
    """Cuts of each edge in order, and which of them open a new group."""
    values, shifts, thresholds, _, positive, negative = layer
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
                at_tail = values[tail, unit] - shifts[level, unit]
                columns[at] = column
                fractions[at] = at_tail / (at_tail - (values[head, unit] - shifts[level, unit]))
                at += 1
        _sort(fractions[first:last], columns[first:last])
        factor = max(amplification[tail], amplification[head])
        reach = 0.0
        for at in range(first, last):
            level = columns[at] // padded
            unit = columns[at] - level * padded
            uncertainty = thresholds[level, unit] * factor / abs(values[tail, unit] - values[head, unit])
            if at == first or fractions[at] - fractions[at - 1] > reach + uncertainty:
                opens_group[at] = True
                groups[edge] += 1
            reach = uncertainty


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
    slopes: np.ndarray,
    points: np.ndarray,
    amplification: np.ndarray,
    cap: float,
    offsets: np.ndarray,
    fractions: np.ndarray,
    opens_group: np.ndarray,
    cuts: EdgeCuts,
) -> None:
    """One row for each group: ends, position and conditioning."""
    group_offsets, cut_offsets, columns, tails, heads, positions, conditioning = cuts
    padded = words_of(values.shape[1]) * 64
    for edge in range(start, stop):
        group = group_offsets[edge] - 1
        if offsets[edge] == offsets[edge + 1]:
            continue
        tail = halves[2 * edge, ORIGIN]
        head = halves[2 * edge + 1, ORIGIN]
        length = np.hypot(points[head, 0] - points[tail, 0], points[head, 1] - points[tail, 1])
        factor = max(amplification[tail], amplification[head])
        for at in range(offsets[edge], offsets[edge + 1]):
            if not opens_group[at]:
                continue
            group += 1
            unit = columns[at] % padded
            difference = abs(values[tail, unit] - values[head, unit])
            cut_offsets[group] = at
            tails[group] = tail
            heads[group] = head
            positions[group] = fractions[at]
            conditioning[group] = min(cap, max(factor, slopes[unit] * length / difference))


def running_sums(counts: np.ndarray) -> np.ndarray:
    """Running sums with a leading zero."""
    offsets = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def cut_edges(halves: np.ndarray, points: np.ndarray, amplification: np.ndarray, cap: float, layer: Layer) -> EdgeCuts:
    """All cuts of all edges by the folds of a layer.

    Args:
        halves: [2E, 4] half-edges; `2e` and `2e + 1` are the two directions of edge `e`.
        points: [V, 2] coordinates.
        amplification: [V] conditioning of the vertices.
        cap: Largest amplification.
        layer: Values and signs at the vertices.

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
    in_ranges(_fill, edges, halves, layer, amplification, offsets, columns, fractions, opens_group, groups)
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
    )
    shape = (layer.values, layer.slopes, points, amplification, cap)
    in_ranges(_describe_groups, edges, halves, *shape, offsets, fractions, opens_group, cuts)
    return cuts
