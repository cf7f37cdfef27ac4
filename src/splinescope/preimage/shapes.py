"""Parts and shadows of preimages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, QhullError

from splinescope.errors import InvalidInputError
from splinescope.preimage.boxes import Boxes
from splinescope.preimage.polytopes import MEASURED
from splinescope.preimage.preimage import Preimage


def sliced(preimage: Preimage, halfspaces: Any, equalities: Any | None = None) -> Preimage:
    """The part of a preimage in further half-spaces and hyperplanes; boxes that were left are not part of it.

    Args:
        preimage: The preimage.
        halfspaces: [m, d + 1] rows `(n, b)` for `n @ t + b <= 0` in the domain's coordinates.
        equalities: [k, d + 1] rows `(n, b)` for `n @ t + b == 0`.

    Returns:
        The part, with the pieces' patterns and maps.

    Raises:
        InvalidInputError: If the rows are of another size.
    """
    width = preimage.dimension + 1
    rows = np.asarray(halfspaces, np.float64).reshape(-1, width) if np.size(halfspaces) else np.empty((0, width))
    planes = np.empty((0, width)) if equalities is None else np.asarray(equalities, np.float64)
    if planes.ndim != 2 or planes.shape[1] != width:
        raise InvalidInputError(f"`equalities`: got shape {planes.shape}; expected [k, {width}]")
    cut = [(piece.number, piece.polytope.cut(rows, planes)) for piece in preimage]
    kept = [(number, shape) for number, shape in cut if shape is not None and (len(planes) or shape.radius > 0)]
    if not len(planes):
        kept = [(number, shape) for number, shape in kept if shape.dimension == preimage[number].dimension]
    which, shapes = np.array([number for number, _ in kept], np.int64), [shape for _, shape in kept]
    measures = [shape.measure if shape.dimension <= MEASURED else np.nan for shape in shapes]
    return replace(
        preimage.taken(which),
        halfspaces=np.concatenate([np.empty((0, width)), *(shape.halfspaces for shape in shapes)]),
        halfspace_offsets=np.cumsum([0, *(len(shape.halfspaces) for shape in shapes)]),
        equalities=np.concatenate([np.empty((0, width)), *(shape.equalities for shape in shapes)]),
        equality_offsets=np.cumsum([0, *(len(shape.equalities) for shape in shapes)]),
        witnesses=np.array([shape.witness for shape in shapes]).reshape(-1, preimage.dimension),
        radii=np.array([shape.radius for shape in shapes], np.float64),
        measures=np.array(measures, np.float64),
        left=Boxes.none(preimage.dimension),
        left_measures=np.empty(0),
        parts=(),
    )


def projected(preimage: Preimage, axes: Sequence[int]) -> list[Float[np.ndarray, "v k"]]:
    """Shadows of the pieces on some coordinates: corners of each; those in a plane in order.

    Args:
        preimage: A preimage whose pieces have at most six dimensions.
        axes: Numbers of one, two or three coordinates of the domain.

    Returns:
        For each piece the corners of its shadow.

    Raises:
        InvalidInputError: If there are no such coordinates.
    """
    chosen = list(axes)
    if (
        not 1 <= len(chosen) <= 3
        or len(set(chosen)) < len(chosen)
        or not all(0 <= a < preimage.dimension for a in chosen)
    ):
        raise InvalidInputError(
            f"`axes`: got {chosen}; expected one, two or three different ones from 0 to {preimage.dimension - 1}"
        )
    return [_hull(piece.polytope.vertices[:, chosen]) for piece in preimage]


def _hull(points: np.ndarray) -> np.ndarray:
    if points.shape[1] == 1:
        return np.array([points.min(axis=0), points.max(axis=0)])
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # flat
        middle = points.mean(axis=0)
        along = np.linalg.svd(points - middle)[2][0] if len(points) > 1 else np.eye(points.shape[1])[0]
        order = np.argsort((points - middle) @ along)
        return points[order[[0, -1]]] if points.shape[1] == 2 else points
