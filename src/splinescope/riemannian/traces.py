"""Paths of straight pieces as the network itself has them: whether lengths agree, and what they are if they do not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from splinescope.tessellation.domains import Segment
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments import tessellate_segment
from splinescope.tessellation.spatial.complex import SpatialComplex

_AGREE = 1e-9
"""Difference of lengths, relative to the straight line, up to which two ways to measure a path agree."""
_ROUNDINGS = 64
"""Roundings of the largest output by which differences of outputs may be off."""


def straight_length(cells: PlanarComplex | SpatialComplex, one: np.ndarray, two: np.ndarray) -> float:
    """Length of the image of a segment, by the network's cells along it.

    Args:
        cells: Who knows the network.
        one: One end, in the domain's coordinates.
        two: The other one.

    Returns:
        The length.
    """
    return float(traced_leg(cells, one, two)[1].sum())


def traced_leg(
    cells: PlanarComplex | SpatialComplex, one: np.ndarray, two: np.ndarray
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " pieces"]]:
    """A segment, divided where the network folds it.

    Args:
        cells: Who knows the network.
        one: One end, in the domain's coordinates.
        two: The other one.

    Returns:
        Its corners, and the lengths of its pieces in the space of outputs.
    """
    if (one == two).all():
        return np.stack([one, two]), np.zeros(1)
    ends = embedded(cells.domain, np.stack([one, two]))
    line = tessellate_segment(cells.network, Segment(*ends), verify="topology", tolerance=cells.tolerance)
    lengths = np.linalg.norm(np.diff(line.vertex_outputs.reshape(len(line.vertices), -1), axis=0), axis=1)
    return one + line.t[:, None] * (two - one), lengths


def traced(
    cells: PlanarComplex, corners: Float[np.ndarray, "k 2"]
) -> tuple[Float[np.ndarray, "m 2"], Int[np.ndarray, " pieces"], Float[np.ndarray, " pieces"]]:
    """A path of straight pieces, divided where the network folds it: what it is, whatever was thought of it.

    Args:
        cells: The complex.
        corners: The path.

    Returns:
        Its corners, the cell of each piece, and the lengths of the pieces in the space of outputs.
    """
    legs = [traced_leg(cells, one, two) for one, two in pairwise(corners)]
    points = np.concatenate([corners[:1], *(leg[0][1:] for leg in legs)])
    points[0], points[-1] = corners[0], corners[-1]
    return points, cells.locate((points[1:] + points[:-1]) / 2), np.concatenate([leg[1] for leg in legs])


def agrees(
    cells: PlanarComplex, points: Float[np.ndarray, "k 2"], lengths: Float[np.ndarray, " pieces"], straight: float,
    give: float,
) -> bool:  # fmt: skip
    """Whether the network confirms the lengths of a path's pieces, by a forward pass at corners and middles.

    Args:
        cells: Who knows the network.
        points: The corners.
        lengths: What the pieces are said to be long.
        straight: Length of the straight line, beside which differences are small.
        give: How well places on the image are known.

    Returns:
        Whether outputs at the corners are so far apart, and those in the middle are in the middle.
    """
    middles = (points[1:] + points[:-1]) / 2
    found = np.asarray(cells.network(embedded(cells.domain, np.concatenate([points, middles]))))
    outputs = found.reshape(len(found), -1)
    ends, between = outputs[: len(points)], outputs[len(points) :]
    rounding = _ROUNDINGS * np.finfo(np.float64).eps * float(np.abs(outputs).max()) * np.sqrt(outputs.shape[1])
    allowed = _AGREE * straight + 16 * give + rounding
    apart = np.linalg.norm(np.diff(ends, axis=0), axis=1)
    bent = np.linalg.norm((ends[1:] + ends[:-1]) / 2 - between, axis=1)
    total = abs(float(apart.sum()) - float(lengths.sum()))
    fine = bool((np.abs(apart - lengths) <= allowed).all() and (bent <= allowed).all())
    return fine and bool(total <= _AGREE * straight + len(lengths) * (16 * give + rounding))
