"""Which edges of finished pieces are two sides of one: those at the same place along a border.

A border is an edge that two pieces had in common when they were parted, and that each has cut since. What it was cut in
is counted along the chain from one of its ends to the other, not measured: coordinates do not tell vertices apart that
round to one point. Only where cells are missing, so that chains have gaps, edges are matched by the places of their
ends; those that are no longer than these places are known have one side only then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision

_ROUNDING, _ROOM = 2.0**-50, 4.0
"""What places along a border are known to in any case, as a share of the domain, and how often what they are known to
two of them may be apart."""


class BorderEnds(NamedTuple):
    """The ends of all borders.

    Attributes:
        points: [T, 4] coordinates of both ends of each.
        vertices: [T, 2] their numbers among the vertices that pieces share.
    """

    points: np.ndarray
    vertices: np.ndarray


def matched(
    subdivision: Subdivision, vertex_tags: np.ndarray, borders: BorderEnds, partial: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of half-edges, one from either side of a border, that are the same in opposite direction.

    Args:
        subdivision: Pieces side by side.
        vertex_tags: [V] numbers of vertices shared with other pieces, or -1.
        borders: Where the borders of the pieces end.
        partial: Whether cells may be missing, so that a border may have one side only.

    Returns:
        [n] half-edges on the left of their borders, and as many on the right.

    Raises:
        DegenerateArrangementError: If two pieces have cut their common border in different ways.
    """
    half = np.arange(2 * subdivision.num_edges)
    inside = (subdivision.face != OUTSIDE) & (subdivision.face[half ^ 1] == OUTSIDE)
    half = half[inside & (subdivision.edge_tag[half >> 1] >= 0)]
    half = half[np.argsort(subdivision.edge_tag[half >> 1], kind="stable")]
    tag = subdivision.edge_tag[half >> 1]
    known = int(vertex_tags.max(initial=-1)) + 1
    name = np.where(vertex_tags >= 0, vertex_tags, known + np.arange(subdivision.num_vertices))
    leaving = np.full(known + subdivision.num_vertices, -1, np.int64)
    tail, head = subdivision.origin[half], subdivision.origin[half ^ 1]
    place, right = np.full(len(half), -1, np.int64), np.zeros(len(half), np.bool_)
    _walk(tag, name[tail], name[head], borders.vertices, leaving, place, right)
    order = np.lexsort((place, tag))
    order = order[place[order] >= 0]
    left, other = order[~right[order]], order[right[order]]
    rest = np.flatnonzero(place < 0)
    if len(rest):
        if not partial:
            raise DegenerateArrangementError(
                "pieces of the domain disagree about the folds on their border; pass a `tolerance` with a larger "
                "`safety` or a larger `memory_budget`"
            )
        pair = _by_places(tag[rest], subdivision, np.stack([tail[rest], head[rest]], axis=1), borders.points)
        left, other = (np.append(one, rest[more]) for one, more in zip((left, other), pair, strict=True))
    return half[left], half[other]


@njit(cache=True, nogil=True)
def _walk(
    tag: np.ndarray,
    tail: np.ndarray,
    head: np.ndarray,
    ends: np.ndarray,
    leaving: np.ndarray,
    place: np.ndarray,
    right: np.ndarray,
) -> None:
    """Count the edges along each border on either side, where both sides are whole and have as many.

    A side may have been parted again, so that its chain goes from piece to piece by the vertices that these share.
    """
    start = 0
    while start < tag.size:
        stop = start
        while stop < tag.size and tag[stop] == tag[start]:
            leaving[tail[stop]] = stop
            stop += 1
        border, number = tag[start], 0
        lengths = [0, 0]
        for side in range(2):
            at = -1
            for k in range(start, stop):
                if tail[k] == ends[border, side]:
                    at = k
            while at >= 0 and place[at] < 0:
                place[at], right[at] = lengths[side], side == 1
                lengths[side] += 1
                vertex = head[at]
                at = leaving[vertex]
                if vertex == ends[border, 1 - side]:
                    at = -1
                    number += lengths[side]
                elif not (start <= at < stop and tail[at] == vertex):
                    at = -1
        whole = lengths[0] == lengths[1] and number == stop - start
        for k in range(start, stop):
            if not whole:
                place[k] = -1
            elif right[k]:
                place[k] = lengths[1] - 1 - place[k]
        start = stop


def _by_places(
    tag: np.ndarray, subdivision: Subdivision, ends: np.ndarray, borders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Edges on the left and on the right of borders that end at the same two places, as far as these are known."""
    start, direction = borders[tag, :2], borders[tag, 2:] - borders[tag, :2]
    length = np.hypot(*direction.T)
    along = np.sum((subdivision.points[ends] - start[:, None]) * direction[:, None], axis=2) / length[:, None]
    known = subdivision.uncertainty[ends].max(axis=1) + _ROUNDING
    blur = _ROOM * known * np.ptp(subdivision.points, axis=0).max()
    right = along[:, 1] > along[:, 0]
    low, high = along.min(axis=1), along.max(axis=1)
    order = np.lexsort((low, tag))
    partner = np.full(len(tag), -1, np.int64)
    _meet(order[right[order]], order[~right[order]], tag, low, high, blur, partner)
    left = np.flatnonzero(partner >= 0)
    return left, partner[left]


@njit(cache=True, nogil=True)
def _meet(
    first: np.ndarray,
    second: np.ndarray,
    tag: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    blur: np.ndarray,
    partner: np.ndarray,
) -> None:
    """The edge of the second list that each of the first one is, both in order; none where that is not clear."""
    j = 0
    for i in first:
        while j < second.size and (
            tag[second[j]] < tag[i]
            or (tag[second[j]] == tag[i] and high[second[j]] <= low[i] + blur[i] + blur[second[j]])
        ):
            j += 1
        if j == second.size:
            return
        k = second[j]
        near = blur[i] + blur[k]
        longer = min(high[i] - low[i], high[k] - low[k]) > 4.0 * near
        if tag[k] == tag[i] and longer and abs(low[i] - low[k]) <= near and abs(high[i] - high[k]) <= near:
            partner[i] = k
