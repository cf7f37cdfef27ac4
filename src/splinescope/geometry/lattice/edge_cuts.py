r"""A fold cuts edges at new vertices, and gives these their signs for all folds that are still to come.

The only predicate is the sign of a unit at a new vertex. Where the unit has no two different signs at the ends of the
edge, it follows from those, since the unit is affine on the edge. Else float64 decides where the value is farther from
zero than it may be wrong, and everything else is marked as doubtful.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.geometry.lattice.faces import Edges, LatticeLayer, Vertices, has_sign

ROUNDING = 2.0**-51
"""Relative rounding error of an interpolation, with room to spare."""
UNPROVED = 5e-324
"""What stands for a zero that rounding made: a number is exactly 0.0 only where it is proved to be."""
_LOOSE = 1024.0
"""Multiple of the least uncertainty that a fold's vertices may have, up to which they are where float64 puts them."""
_COARSEST = 2.0**-30
"""Uncertainty from which a vertex is placed by exact arithmetic in any case."""
_WELL = 16.0
"""Slope across an edge, over that along it, up to which the errors of its ends are carried on as they are."""


@njit(cache=True, nogil=True, error_model="numpy")
def place_vertices(
    cut: np.ndarray, found: int, column: int, layer: LatticeLayer, vertices: Vertices, edges: Edges, first: int
) -> int:
    """Say where on each edge the fold crosses it, and how well float64 knows; number of those it does not know."""
    points, values, uncertainty, positive = vertices.points, vertices.values, vertices.uncertainty, vertices.positive
    parents, fractions, blur, ends, extents = (
        vertices.parents,
        vertices.fractions,
        vertices.blur,
        edges.ends,
        layer.extents,
    )
    level = column // layer.padded
    unit = column - level * layer.padded
    shift, threshold, size = layer.shifts[level, unit], layer.thresholds[level, unit], layer.magnitudes[unit]
    word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
    coarsest = min(max(layer.coarsest, _LOOSE * threshold / size), _COARSEST)
    unknown = 0
    for i in range(found):
        edge, vertex = cut[i], first + i
        a, b = ends[edge, 0], ends[edge, 1]
        if has_sign(positive, a, word, mask):
            a, b = b, a
        below, above = values[a, unit] - shift, values[b, unit] - shift
        rise = above - below
        before, length = max(uncertainty[a], uncertainty[b]), 0.0
        for k in range(points.shape[1]):
            length = max(length, abs(points[b, k] - points[a, k]) / extents[k])
        parents[vertex, 0], parents[vertex, 1], fractions[vertex] = a, b, below / (below - above)
        blur[vertex] = (threshold + before * size) / rise
        known = max(before, threshold / rise * length) * max(1.0, size * length / rise / _WELL) + ROUNDING
        uncertainty[vertex] = known
        if below > 0.0 or above < 0.0 or rise == 0.0 or not known <= coarsest:
            uncertainty[vertex] = np.inf
            unknown += 1
    return unknown


@njit(cache=True, nogil=True)
def fill_vertices(
    found: int, column: int, layer: LatticeLayer, vertices: Vertices, first: int, zeros: np.ndarray
) -> int:
    """Coordinates, values and signs of new vertices; the number of signs that float64 does not decide."""
    points, values, uncertainty, positive, negative, doubtful, parents, fractions, blur, _ = vertices
    _, shifts, thresholds, magnitudes, families, _, _, padded = layer
    level = column // padded
    unit = column - level * padded
    word, mask = column >> 6, np.uint64(1) << np.uint64(column & 63)
    doubts = 0
    for vertex in range(first, first + found):
        a, b, fraction = parents[vertex, 0], parents[vertex, 1], fractions[vertex]
        for k in range(points.shape[1]):
            points[vertex, k] = points[a, k] + fraction * (points[b, k] - points[a, k])
        for u in range(values.shape[1]):
            values[vertex, u] = values[a, u] + fraction * (values[b, u] - values[a, u])
        values[vertex, unit] = shifts[level, unit]
        before = max(uncertainty[a], uncertainty[b])
        for w in range(positive.shape[1]):
            above, below = positive[a, w] | positive[b, w], negative[a, w] | negative[b, w]
            plus, minus, across, doubt = above & ~below, below & ~above, above & below, np.uint64(0)
            if w == word:
                across &= ~mask
            bit = 0
            while across != np.uint64(0):
                while not across & np.uint64(1):
                    across >>= np.uint64(1)
                    bit += 1
                other = 64 * w + bit
                other_level = other // padded
                u = other - other_level * padded
                difference = values[vertex, u] - shifts[other_level, u]
                reach = 0.0
                if u != unit:
                    reach = thresholds[other_level, u] + before * magnitudes[u]
                    reach += (blur[vertex] + ROUNDING) * abs(values[b, u] - values[a, u])
                here = np.uint64(1) << np.uint64(bit)
                if difference > reach:
                    plus |= here
                elif difference < -reach:
                    minus |= here
                elif families[other] != families[column]:
                    doubt |= here
                    doubts += 1
                across ^= np.uint64(1)
            positive[vertex, w], negative[vertex, w], doubtful[vertex, w] = plus, minus, doubt
            zeros[w] |= ~(plus | minus)
    return doubts


@njit(cache=True, nogil=True)
def split_edges(cut: np.ndarray, found: int, vertices: Vertices, edges: Edges, first: int, first_edge: int) -> None:
    """An edge that is cut keeps its negative part, and its positive part is a new edge."""
    ends, section, child, parents = edges.ends, edges.section, edges.child, vertices.parents
    tags, vertex_tags = edges.tags, vertices.tags
    for i in range(found):
        edge, vertex = cut[i], first + i
        ends[edge, 0], ends[edge, 1] = parents[vertex, 0], vertex
        ends[first_edge + i, 0], ends[first_edge + i, 1] = vertex, parents[vertex, 1]
        section[edge], child[edge] = vertex, first_edge + i
        tags[first_edge + i] = vertex_tags[vertex] = tags[edge]


@njit(cache=True, nogil=True)
def pack_decided(
    start: int,
    stop: int,
    values: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    magnitudes: np.ndarray,
    uncertainty: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    doubtful: np.ndarray,
) -> int:
    """Write the signs of `values - shifts` at vertices `start:stop` as bits; number of those that are doubtful.

    A value of 0.0 at a breakpoint 0.0 is proved to be there. Column `b * 64 * words + k` stands for unit `k` and
    breakpoint `b`.
    """
    units = values.shape[1]
    words = (units + 63) >> 6
    doubts = 0
    for vertex in range(start, stop):
        blurred = uncertainty[vertex]
        for level in range(shifts.shape[0]):
            for word in range(words):
                above = below = near = np.uint64(0)
                first = word * 64
                for bit in range(min(64, units - first)):
                    unit = first + bit
                    shift = shifts[level, unit]
                    difference = values[vertex, unit] - shift
                    reach = thresholds[level, unit] + blurred * magnitudes[unit]
                    above |= np.uint64(difference > reach) << np.uint64(bit)
                    below |= np.uint64(difference < -reach) << np.uint64(bit)
                    proved = (difference == 0.0) & (shift == 0.0)
                    near |= np.uint64((abs(difference) <= reach) & (reach < np.inf) & (not proved)) << np.uint64(bit)
                column = level * words + word
                positive[vertex, column], negative[vertex, column], doubtful[vertex, column] = above, below, near
                doubts += near != np.uint64(0)
    return doubts


@njit(cache=True, nogil=True)
def settle(
    start: int,
    stop: int,
    values: np.ndarray,
    shifts: np.ndarray,
    thresholds: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
) -> None:
    """Put values that rounding has on the wrong side of their breakpoint, or beside it, where their signs say."""
    words = (values.shape[1] + 63) >> 6
    for vertex in range(start, stop):
        for level in range(shifts.shape[0]):
            for unit in range(values.shape[1]):
                word, bit = level * words + (unit >> 6), np.uint64(unit & 63)
                value, shift = values[vertex, unit], shifts[level, unit]
                if (positive[vertex, word] >> bit) & np.uint64(1):
                    if value <= shift:
                        values[vertex, unit] = np.nextafter(shift, np.inf)
                elif (negative[vertex, word] >> bit) & np.uint64(1):
                    if value >= shift:
                        values[vertex, unit] = np.nextafter(shift, -np.inf)
                elif value != shift and thresholds[level, unit] < np.inf:
                    values[vertex, unit] = shift


@njit(cache=True, nogil=True)
def interpolate(out: np.ndarray, old: int, edges: np.ndarray, fractions: np.ndarray) -> None:
    """Rows of new vertices between those of the ends of their edges, which may be new vertices before them."""
    for i in range(len(fractions)):
        a, b, t = edges[i, 0], edges[i, 1], fractions[i]
        for k in range(out.shape[1]):
            value = out[a, k] + t * (out[b, k] - out[a, k])
            if value == 0.0 and (out[a, k] != 0.0 or out[b, k] != 0.0):
                value = UNPROVED
            out[old + i, k] = value
