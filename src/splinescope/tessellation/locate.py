"""Which cell contains a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.tessellation.planar.complex import PlanarComplex


def locate(cells: PlanarComplex, points: Any) -> Int[np.ndarray, " points"]:
    """Cell that contains each point.

    Args:
        cells: A planar complex.
        points: [points, 2] slice coordinates.

    Returns:
        Index of the cell; a point on a common edge belongs to one of its cells, and -1 stands for outside. Cost: linear
        in the number of points, and once in that of cells.

    Raises:
        InvalidInputError: If `points` has another shape.
    """
    positions = np.asarray(points, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise InvalidInputError(f"`points`: got shape {positions.shape}; expected [n, 2] slice coordinates")
    return cells.locator.locate(positions)
