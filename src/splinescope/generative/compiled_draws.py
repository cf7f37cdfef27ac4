"""Points in simplices, compiled: a simplex by its share, then a place in it that is uniform."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def place(
    start: int,
    stop: int,
    picks: np.ndarray,
    marks: np.ndarray,
    ends: np.ndarray,
    guide: np.ndarray,
    corners: np.ndarray,
    latents: np.ndarray,
    outputs: np.ndarray,
    chosen: np.ndarray,
    points: np.ndarray,
    values: np.ndarray,
) -> None:
    """Make some points.

    Args:
        start: First point.
        stop: One past the last.
        picks: [n] uniform numbers in [0, 1), by which simplices are chosen.
        marks: [n, d] uniform numbers, which are sorted; the gaps between them are barycentric coordinates.
        ends: [simplices] running sums of their shares.
        guide: For each of as many equal parts of [0, 1), about where to look in `ends`.
        corners: [simplices, d + 1] vertices.
        latents: [vertices, d] places of the vertices.
        outputs: [vertices, m] outputs there.
        chosen: [n] where the simplex of each point is written.
        points: [n, d] where places of points are written.
        values: [n, m] where their outputs are written.
    """
    last, total = len(ends) - 1, ends[-1]
    count = corners.shape[1]
    for row in range(start, stop):
        target = picks[row] * total
        at = guide[int(picks[row] * len(guide))]
        while at > 0 and ends[at - 1] > target:
            at -= 1
        while at < last and ends[at] <= target:
            at += 1
        chosen[row] = at
        for i in range(1, count - 1):
            mark, k = marks[row, i], i
            while k > 0 and marks[row, k - 1] > mark:
                marks[row, k] = marks[row, k - 1]
                k -= 1
            marks[row, k] = mark
        before = 0.0
        for corner in range(count):
            mark = marks[row, corner] if corner < count - 1 else 1.0
            share, vertex = mark - before, corners[at, corner]
            before = mark
            for i in range(points.shape[1]):
                points[row, i] = share * latents[vertex, i] + (points[row, i] if corner else 0.0)
            for i in range(values.shape[1]):
                values[row, i] = share * outputs[vertex, i] + (values[row, i] if corner else 0.0)
