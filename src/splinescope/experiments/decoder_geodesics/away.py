"""How far points are from data of many dimensions, by products of matrices: trees are slower there than all pairs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_AT_ONCE = 512
"""Points that are compared with all data at once."""


def nearest_distances(points: Float[np.ndarray, "n d"], data: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " n"]:
    """Distance of each point from the nearest one of some data.

    Args:
        points: The points.
        data: The data.

    Returns:
        One distance for each. Cost: a product of both.
    """
    sizes = np.einsum("md,md->m", data, data)
    found = np.empty(len(points))
    for start in range(0, len(points), _AT_ONCE):
        part = points[start : start + _AT_ONCE]
        own = np.einsum("nd,nd->n", part, part)
        nearest = (sizes - 2 * part @ data.T).min(axis=1)
        found[start : start + _AT_ONCE] = np.sqrt(np.maximum(own + nearest, 0.0))
    return found
