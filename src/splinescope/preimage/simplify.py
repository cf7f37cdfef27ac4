"""Unions of two polytopes that are convex, put together."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from splinescope.preimage.polytopes import FLAT, MEASURED, Polytope, polytope
from splinescope.preimage.preimage import Preimage


def simplified(preimage: Preimage) -> tuple[Polytope, ...]:
    """The same set in fewer polytopes, which are no longer parts of single cells.

    Two polytopes on both sides of a common hyperplane have a convex union exactly if each of them satisfies all other
    half-spaces of the other one, which is decided at their vertices.

    Args:
        preimage: The preimage; pieces of less than full dimension, and of more than six dimensions, stay as they are.

    Returns:
        The polytopes. Cost: the vertices of all pieces, and a search for neighbours in each of a few rounds.
    """
    shapes = [piece.polytope for piece in preimage]
    fixed = [shape for shape in shapes if len(shape.equalities) or not 1 < shape.dimension <= MEASURED]
    free = [shape for shape in shapes if not len(shape.equalities) and 1 < shape.dimension <= MEASURED]
    while True:
        before = len(free)
        free = _round(free)
        if len(free) == before:
            return (*free, *fixed)


def _round(shapes: list[Polytope]) -> list[Polytope]:
    """Merge pairs, each polytope at most once."""
    if len(shapes) < 2:
        return shapes
    owners = np.repeat(np.arange(len(shapes)), [len(shape.halfspaces) for shape in shapes])
    rows = np.concatenate([shape.halfspaces for shape in shapes])
    pairs = cKDTree(rows).query_ball_point(-rows, 2.0**-24 * (1.0 + np.abs(rows[:, -1])))
    taken = np.zeros(len(shapes), bool)
    out: list[Polytope] = []
    for row, partners in enumerate(pairs):
        for other in partners:
            a, b = owners[row], owners[other]
            if a < b and not taken[a] and not taken[b]:
                union = _union(shapes[a], shapes[b], rows[row])
                if union is not None:
                    taken[a] = taken[b] = True
                    out.append(union)
    return [*(shape for shape, gone in zip(shapes, taken, strict=True) if not gone), *out]


def _union(one: Polytope, other: Polytope, common: np.ndarray) -> Polytope | None:
    rest = [_others(one.halfspaces, common), _others(other.halfspaces, -common)]
    for rows, shape in ((rest[0], other), (rest[1], one)):
        points = shape.vertices
        slack = FLAT * (1.0 + np.abs(points).max())
        if (points @ rows[:, :-1].T + rows[:, -1] > slack).any():
            return None
    rows = np.concatenate(rest)
    return polytope(rows[np.sort(np.unique(np.round(rows / FLAT), axis=0, return_index=True)[1])])


def _others(rows: np.ndarray, common: np.ndarray) -> np.ndarray:
    return rows[np.abs(rows - common).max(axis=1) > 2.0**-24 * (1.0 + abs(common[-1]))]
