"""Distances of all points of a plane from one of them, exactly, in the metric that a network pulls back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numba import njit

from splinescope.errors import InvalidInputError
from splinescope.geometry.geodesics.readings import read
from splinescope.geometry.geodesics.spreading import Spread, spread_from
from splinescope.progress import Report
from splinescope.riemannian.geodesic import point_of
from splinescope.riemannian.image_surface import ImageSurface, image_surface
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.factors import DEFICIENT
from splinescope.tessellation.metric import plane_of
from splinescope.tessellation.planar.complex import PlanarComplex


@dataclass(frozen=True, eq=False)
class DistanceField(Shown):
    """Distances from one point of a plane, as a network measures them.

    Attributes:
        cells: The tessellation.
        source: The point, in the domain's coordinates.
        at_vertices: Distance of each vertex of the complex.
        num_windows: Size of the search.
    """

    cells: PlanarComplex
    source: Float[np.ndarray, " 2"]
    at_vertices: Float[np.ndarray, " V"]
    num_windows: int
    _image: ImageSurface
    _spread: Spread

    def at(self, points: Any) -> Float[np.ndarray, " n"]:
        """Distances of points.

        Args:
            points: [n, 2] points in the domain's coordinates.

        Returns:
            One distance each; NaN outside the domain, and within cells that the network flattens.
        """
        return self._read(points)[0]

    def growth(self, points: Any) -> Float[np.ndarray, "n 2"]:
        """Directions in which the distance grows: of the shortest paths as they arrive.

        Args:
            points: [n, 2] points in the domain's coordinates.

        Returns:
            [n, 2] unit vectors in the lengths of the image, turned so that they can be compared within a cell; NaN as
            in `at`. Between points of one cell they jump where the cut locus is: where two shortest paths arrive.
        """
        return self._read(points)[1]

    def ball(self, points: Any, radius: float) -> Bool[np.ndarray, " n"]:
        """Which points are within a distance.

        Args:
            points: [n, 2] points in the domain's coordinates.
            radius: The distance.

        Returns:
            One value each; False where `at` does not know.
        """
        with np.errstate(invalid="ignore"):
            return self.at(points) <= radius

    def _read(self, points: Any) -> tuple[np.ndarray, np.ndarray]:
        places = finite("points", points)
        if places.ndim != 2 or places.shape[1] != 2:
            raise InvalidInputError(f"`points`: got shape {places.shape}; expected [n, 2] points of the domain")
        found, ways = np.full(len(places), np.nan), np.full((len(places), 2), np.nan)
        triangles = _triangles_of(self._image, self.cells.locate(places), places)
        known = np.flatnonzero(triangles >= 0)
        chosen = triangles[known]
        corners = self._image.points[self._image.triangle_points[chosen]]
        factors = self._image.factors[self._image.triangle_cells[chosen]]
        over = np.where(np.linalg.det(factors) < 0, -1.0, 1.0)
        axis = np.einsum("nij,nj->ni", factors, corners[:, 1] - corners[:, 0])
        axis /= np.hypot(axis[:, 0], axis[:, 1])[:, None]
        step = np.einsum("nij,nj->ni", factors, places[known] - corners[:, 0])
        own = np.stack([(step * axis).sum(1), over * (axis[:, 0] * step[:, 1] - axis[:, 1] * step[:, 0])], axis=1)
        distances, growth = read(self._spread, chosen, own)
        across = growth[:, 1] * over
        found[known] = distances
        ways[known] = np.stack(
            [growth[:, 0] * axis[:, 0] - across * axis[:, 1], growth[:, 0] * axis[:, 1] + across * axis[:, 0]], axis=1
        )
        return found, ways


def distances(cells: Any, source: Any, *, progress: bool | Report = False) -> DistanceField:
    """Distances of all points of a plane from one of them, as a piecewise affine network measures lengths.

    Outputs are those before the network's head, as in `geodesic`.

    Args:
        cells: The tessellation of a plane.
        source: [2] the point, in the domain's coordinates.
        progress: Whether to show a bar on a long search, or a function to call with the share done and the number of
            windows.

    Returns:
        The distances, at vertices and wherever they are asked for; balls and the cut locus follow from them.

    Raises:
        InvalidInputError: As `geodesic`.

    Cost: that of `geodesic` without a goal, which takes several times as many windows; a point takes microseconds.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> distances(cells, [0.0, 0.0]).at([[0.3, 0.4]]).round(12).tolist()
        [0.5]
    """
    plane = plane_of(cells, "distances on images", "cells of a `Slice` have them")
    if plane.truncated:
        raise InvalidInputError("`cells`: some are missing (a budget ended the work); expected all: raise `max_cells`")
    place = point_of("source", source, 2)
    image = image_surface(plane, [place])
    spread = spread_from(image.surface, int(image.vertices[image.marks[0]]), progress=progress)
    known = spread.distances[image.vertices[: len(plane.vertices)]]
    return DistanceField(plane, place, known, spread.num_windows, image, spread)


def _triangles_of(image: ImageSurface, owners: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Triangle of each point; -1 where there is none."""
    order = np.argsort(image.triangle_cells, kind="stable")
    counts = np.bincount(image.triangle_cells, minlength=len(image.factors))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    found = np.full(len(places), -1, np.int64)
    corners = image.points[image.triangle_points]
    _find(offsets, order, corners, owners.astype(np.int64), places, found)
    values = np.linalg.svd(image.factors, compute_uv=False)
    slivers = (counts == 0) & (values[:, 1] > DEFICIENT * values[:, 0])
    for point in np.flatnonzero((owners >= 0) & (found < 0)).tolist():
        if slivers[owners[point]]:
            found[point] = _beside(corners, places[point], image.near)
    return found


def _beside(corners: np.ndarray, place: np.ndarray, near: float) -> int:
    """A triangle with a point on its boundary, which is in a sliver; -1 if there is none."""
    along = np.roll(corners, -1, axis=1) - corners
    rest = place - corners
    size = np.maximum(np.hypot(along[..., 0], along[..., 1]), np.finfo(np.float64).tiny)
    depth = ((along[..., 0] * rest[..., 1] - along[..., 1] * rest[..., 0]) / size).min(axis=1, initial=np.inf)
    best = int(np.argmax(depth)) if len(depth) else -1
    return best if best >= 0 and depth[best] >= -near else -1


@njit(cache=True, nogil=True)
def _find(
    offsets: np.ndarray,
    order: np.ndarray,
    corners: np.ndarray,
    owners: np.ndarray,
    places: np.ndarray,
    found: np.ndarray,
) -> None:
    """The triangle of each point's cell within which it is the deepest."""
    for point in range(places.shape[0]):
        if owners[point] < 0:
            continue
        best = -np.inf
        for at in range(offsets[owners[point]], offsets[owners[point] + 1]):
            triangle = order[at]
            depth = np.inf
            area = 0.0
            for k in range(3):
                ax, ay = corners[triangle, k, 0], corners[triangle, k, 1]
                bx, by = corners[triangle, (k + 1) % 3, 0], corners[triangle, (k + 1) % 3, 1]
                part = (bx - ax) * (places[point, 1] - ay) - (by - ay) * (places[point, 0] - ax)
                depth = min(depth, part)
                area += part
            if area > 0.0 and depth / area > best:
                best, found[point] = depth / area, triangle
