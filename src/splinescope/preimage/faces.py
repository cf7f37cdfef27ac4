"""Faces of polytopes in space, as polygons."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from splinescope.preimage.polytopes import Polytope


def faces_of(shape: Polytope) -> list[Float[np.ndarray, "corners 3"]]:
    """Faces of a bounded polytope in space: those of a solid, a flat one itself, the ends of a line.

    Args:
        shape: The polytope, of any dimension.

    Returns:
        Corners of each face in order; two or one of what is no polygon.

    Example:
        >>> from splinescope.preimage import polytope
        >>> cube = polytope(np.vstack([np.column_stack([s * np.eye(3), -np.ones(3)]) for s in (1, -1)]))
        >>> len(faces_of(cube)), {len(face) for face in faces_of(cube)}
        (6, {4})
    """
    points = shape.vertices
    if shape.dimension < 2:
        return [points]
    if shape.dimension == 2:
        return [around(points, shape.equalities[0, :3])]
    near = 1e-9 * (1.0 + np.abs(points).max())
    on = [points[np.abs(points @ row[:3] + row[3]) <= near] for row in shape.halfspaces]
    return [around(corners, row[:3]) for corners, row in zip(on, shape.halfspaces, strict=True) if len(corners) > 2]


def around(points: Float[np.ndarray, "corners 3"], normal: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "corners 3"]:
    """Corners of a flat convex polygon in order around its middle.

    Args:
        points: The corners.
        normal: Its normal.

    Returns:
        The same, counter-clockwise as seen from where the normal points.
    """
    middle = points - points.mean(axis=0)
    first = middle[np.argmax(np.linalg.norm(middle, axis=1))]
    angles = np.arctan2(middle @ np.cross(normal, first), middle @ first)
    return points[np.argsort(angles)]
