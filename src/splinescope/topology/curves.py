"""Curves in a plane: how often two of them cross."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains.base import finite


def curve_crossings(one: Any, other: Any) -> int:
    r"""How often two polylines in a plane cross each other, by the signs of areas of triangles.

    A homeomorphism leaves curves apart that are apart; so curves that do not cross at the input and cross at a layer
    show that the layer's values alone do not tell one from the other, as in networks of second order.

    Args:
        one: [n, 2] corners of a polyline.
        other: [m, 2] corners of the other one.

    Returns:
        Number of pairs of straight pieces that cross in a point inside both, in float64; pieces that only touch do not
        count.

    Raises:
        InvalidInputError: If one of them is no polyline in a plane.

    Cost: a pass over all pairs of pieces.

    Example:
        >>> curve_crossings([[0, 0], [1, 1]], [[0, 1], [1, 0]])
        1
    """
    lines = finite("one", one), finite("other", other)
    for name, line in zip(("one", "other"), lines, strict=True):
        if line.ndim != 2 or line.shape[1] != 2 or len(line) < 2:
            raise InvalidInputError(f"`{name}`: got shape {line.shape}; expected [n, 2] corners, at least two")
    sides = _sides(*lines), _sides(*lines[::-1])
    apart = [side[:, :-1] * side[:, 1:] < 0 for side in sides]
    return int(np.count_nonzero(apart[0] & apart[1].T))


def _sides(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[pieces of one, corners of the other] on which side of each piece each corner is."""
    start, step = one[:-1, None], np.diff(one, axis=0)[:, None]
    away = other[None] - start
    return np.asarray(np.sign(step[..., 0] * away[..., 1] - step[..., 1] * away[..., 0]))
