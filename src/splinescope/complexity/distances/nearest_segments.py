"""The nearest of many segments in a plane, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

_BLOCK = 4096
"""Points that are looked up at once."""


@dataclass(frozen=True)
class NearestSegments:
    """For some points the nearest segment.

    Attributes:
        distances: Euclidean distances, infinite if there are no segments.
        points: Nearest points on the segments, NaN if there are none.
        segments: Numbers of the segments, -1 if there are none.
    """

    distances: Float[np.ndarray, " n"]
    points: Float[np.ndarray, "n 2"]
    segments: Int[np.ndarray, " n"]


def nearest_segments(points: Float[np.ndarray, "n 2"], segments: Float[np.ndarray, "m 2 2"]) -> NearestSegments:
    """Nearest segment of each point.

    Segments are cut into parts of at most the mean length $l$, whose middles go into a tree. If the nearest middle is
    at distance $r$, the nearest segment has a middle within $r + l / 2$; those are tried one by one.

    Args:
        points: Points.
        segments: Ends of the segments.

    Returns:
        The nearest segments, exact up to rounding. Cost: about the logarithm of the number of segments for each point.
    """
    n = len(points)
    out = NearestSegments(np.full(n, np.inf), np.full((n, 2), np.nan), np.full(n, -1, dtype=np.int64))
    if not len(segments):
        return out
    lengths = np.hypot(*(segments[:, 1] - segments[:, 0]).T)
    counts = np.maximum(1, np.ceil(lengths / (lengths.mean() or 1.0))).astype(np.int64)
    owner = np.repeat(np.arange(len(segments)), counts)
    part = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = ((part + 0.5) / counts[owner])[:, None]
    middles = (1 - share) * segments[owner, 0] + share * segments[owner, 1]
    half = float((lengths / counts).max()) / 2
    tree = cKDTree(middles)
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n))
        reach, _ = tree.query(points[rows])
        # widened by rounding, so that the nearest middle itself is among the candidates
        lists = tree.query_ball_point(points[rows], np.nextafter(reach + half, np.inf))
        sizes = np.array([len(found) for found in lists])
        tried = np.repeat(np.arange(start, start + len(sizes)), sizes)
        candidates = owner[np.concatenate([np.asarray(found, dtype=np.int64) for found in lists])]
        feet = _feet(points[tried], segments[candidates])
        distances = np.hypot(*(feet - points[tried]).T)
        order = np.lexsort([candidates, distances, tried])
        first = order[np.concatenate([[0], np.cumsum(sizes)[:-1]])]
        out.distances[rows], out.points[rows], out.segments[rows] = distances[first], feet[first], candidates[first]
    return out


def _feet(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Nearest point of a segment for each point."""
    along = segments[:, 1] - segments[:, 0]
    square = np.einsum("ni,ni->n", along, along)
    offset = np.einsum("ni,ni->n", points - segments[:, 0], along)
    share = np.clip(offset / np.where(square > 0, square, 1.0), 0.0, 1.0)[:, None]
    feet: np.ndarray = (1 - share) * segments[:, 0] + share * segments[:, 1]
    return feet
