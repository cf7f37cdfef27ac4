"""Which edges of finished pieces are two sides of one: those at the same place along a border.

A border is an edge that two pieces had in common when they were parted, and that each has cut since. What it was cut in
is counted along the chain from one of its ends to the other, not measured: coordinates do not tell vertices apart that
round to one point. Only where cells are missing, so that chains have gaps, edges are ordered by their middles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision


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
        ends = subdivision.points[tail[rest]], subdivision.points[head[rest]]
        pair = _by_places(tag[rest], *ends, borders.points)
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


def _by_places(tag: np.ndarray, tail: np.ndarray, head: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges on the left and on the right in their order along borders, of those with as many on either side."""
    start, direction = ends[tag, :2], ends[tag, 2:] - ends[tag, :2]
    side = np.sum((head - tail) * direction, axis=1) > 0
    middle = np.sum((0.5 * (tail + head) - start) * direction, axis=1)
    order = np.lexsort((middle, tag))
    size = int(tag.max()) + 1
    same = np.bincount(tag[side], minlength=size) == np.bincount(tag[~side], minlength=size)
    order = order[same[tag[order]]]
    return order[side[order]], order[~side[order]]
