"""Grids of points in a polygon, and the exact cell that each point lies in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.reference.exact_polygon import coordinates
from tests.reference.rational import ExactTessellation


def depth(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest side of a counter-clockwise convex polygon; negative outside."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    offsets = points[:, None] - corners
    return ((sides[:, 0] * offsets[..., 1] - sides[:, 1] * offsets[..., 0]) / lengths).min(axis=1)


def grid(polygon: Sequence[Sequence[float]], n: int = 31) -> np.ndarray:
    """Points of an `n` by `n` grid, off every simple fraction, that lie inside the polygon."""
    corners = np.asarray(polygon, dtype=np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps = (np.arange(n) + 0.5123456789) / n
    axes = [low[i] + (high[i] - low[i]) * steps for i in (0, 1)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return points[depth(corners, points) >= 0]


def owners(answer: ExactTessellation, points: np.ndarray) -> np.ndarray:
    """The exact cell in which each point lies deepest."""
    depths = [
        depth(np.array([[float(c) for c in coordinates(vertex)] for vertex in cell.polygon]), points)
        for cell in answer.cells
    ]
    return np.argmax(depths, axis=0)
