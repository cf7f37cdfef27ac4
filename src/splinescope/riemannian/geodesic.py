r"""Shortest paths in the metric that a piecewise affine network pulls back to a plane, exactly and globally.

The network is continuous and affine on cells: the image of a plane is a surface of flat polygons, and an edge has one
length, seen from both of its cells. Shortest paths are straight where cells are laid flat beside each other, and bend
at vertices only where there is more than a full turn around them. Differential equations do not see this: the metric is
constant within cells, so that what they call a geodesic is the straight line.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import CertificateWarning, DegenerateArrangementError, InvalidInputError
from splinescope.geometry.geodesics.potential import LengthProof, lower_bound
from splinescope.geometry.geodesics.spreading import spread_from
from splinescope.progress import Report
from splinescope.riemannian.image_surface import ImageSurface, image_surface
from splinescope.riemannian.proofs import Provable
from splinescope.riemannian.space_geodesic import SpaceGeodesic, space_geodesic
from splinescope.riemannian.traces import agrees, straight_length, traced
from splinescope.riemannian.walks import Walk, walk_of
from splinescope.shown import Shown
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.metric import plane_of
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.spatial.complex import SpatialComplex

_FREE = 1e3
"""A path may be longer than the straight line by so many times what places are off by, for the search to go on."""
_DIRECTED = 1e-7
"""How well directions are known, at worst, for refraction at a corner to say something."""


@dataclass(frozen=True, eq=False)
class Geodesic(Provable, Shown):
    """A shortest path between two points of a plane, as a network measures it.

    Attributes:
        cells_of_plane: The tessellation.
        points: Corners of the path in the domain's coordinates, from the first point to the second.
        cells: Cell in which each straight piece lies.
        lengths: Length of each piece in the space of outputs; zero where the network flattens it.
        straight_length: Length of the straight line between the points.
        chord: Distance of the outputs of the points, below which no path can be.
        refraction: For each corner how much the component of the unit tangent along the edge that is crossed changes,
            which is zero by Snell's law; NaN where the path passes a vertex, flattened cells, or pieces and edges so
            short that rounding decides their directions.
        num_windows: Size of the search.
    """

    cells_of_plane: PlanarComplex
    points: Float[np.ndarray, "k 2"]
    cells: Int[np.ndarray, " pieces"]
    lengths: Float[np.ndarray, " pieces"]
    straight_length: float
    chord: float
    refraction: Float[np.ndarray, " k"]
    num_windows: int
    _image: ImageSurface | None

    def __repr__(self) -> str:
        """One line."""
        return (
            f"Geodesic(length {self.length:.9g} in {len(self.cells)} pieces, straight line {self.straight_length:.9g}, "
            f"outputs {self.chord:.9g} apart)"
        )

    @property
    def length(self) -> float:
        """Length of the path in the space of outputs, which is the distance of the points up to rounding."""
        return float(np.sum(self.lengths))

    @property
    def exact(self) -> bool:
        """Whether the path is the shortest up to rounding, and the network confirms its length.

        False if cells are so thin that rounding hides how they are joined: the path is then a short one, and its length
        is right.
        """
        return self._image is not None

    @property
    def least(self) -> float:
        """The distance of the outputs of the ends without what rounding may add to it."""
        one, two = self.outputs[[0, -1]]
        size = float(np.abs(self.outputs[[0, -1]]).max()) * math.sqrt(len(one))
        return max(float(np.linalg.norm(two - one)) - 2 * float(np.finfo(np.float64).eps) * size, 0.0)

    @cached_property
    def outputs(self) -> Float[np.ndarray, "k n"]:
        """Outputs of the network at the corners, by a forward pass."""
        found = self.cells_of_plane.network(embedded(self.cells_of_plane.domain, self.points))
        return np.asarray(found).reshape(len(self.points), -1)

    @property
    def network_length(self) -> float:
        """Length of the path from the network's outputs at its corners, which is `length` by other means."""
        return float(np.linalg.norm(np.diff(self.outputs, axis=0), axis=1).sum())

    def _bounded(self, progress: bool | Report) -> LengthProof:
        if self._image is None:
            return LengthProof(0.0)
        source, goal = (int(self._image.vertices[mark]) for mark in self._image.marks)
        if source == goal:
            return LengthProof(0.0)
        proof = lower_bound(self._image.surface, source, goal, progress=progress)
        moved = np.linalg.norm(self.points[[0, -1]] - self._image.points[list(self._image.marks)], axis=1).sum()
        stretch = float(np.linalg.norm(self._image.factors, 2, axis=(1, 2)).max())
        off = 2 * self._image.surface.give + stretch * float(moved)
        return LengthProof(max(proof.bound - off, 0.0), proof.finished)

    def along(self, number: int) -> Float[np.ndarray, "number 2"]:
        """Points on the path at equal distances in the space of outputs.

        Args:
            number: How many, at least 2.

        Returns:
            The points in the domain's coordinates, from end to end.
        """
        if number < 2:
            raise InvalidInputError(f"`number`: got {number}; expected at least 2")
        if self.length == 0.0:
            return np.linspace(self.points[0], self.points[-1], number)
        moved = np.concatenate([[True], self.lengths > 0])
        reached = np.concatenate([[0.0], np.cumsum(self.lengths)])[moved]
        wanted = np.linspace(0.0, self.length, number)
        found = np.stack([np.interp(wanted, reached, self.points[moved, k]) for k in range(2)], axis=1)
        found[0], found[-1] = self.points[0], self.points[-1]
        return found


@overload
def geodesic(cells: PlanarComplex, a: Any, b: Any, *, progress: bool | Report = ...) -> Geodesic: ...
@overload
def geodesic(cells: SpatialComplex, a: Any, b: Any, *, progress: bool | Report = ...) -> SpaceGeodesic: ...


def geodesic(cells: Any, a: Any, b: Any, *, progress: bool | Report = False) -> Geodesic | SpaceGeodesic:
    r"""The shortest path between two points of a plane, as a piecewise affine network measures lengths.

    $\min_\gamma \int \|A_{w(\gamma)}\dot\gamma\|\,dt$ over all paths in the domain: the distance of the points on the
    image of the plane, as a surface of its own. It is exact up to rounding, in any output dimension. Where cells are
    flattened (rank below two), the directions that vanish cost nothing. Outputs are those before the network's head: of
    a decoder that ends in a sigmoid, what goes into it.

    In three dimensions there is no exact algorithm: the path is then a short one, found by a graph of points on faces,
    and with its `lower_bound` it says between which numbers the distance lies.

    Args:
        cells: The tessellation of a plane, or of a domain of three dimensions.
        a: [2] or [3] the first point, in the domain's coordinates.
        b: The second one.
        progress: Whether to show a bar on a long search, or a function to call with the share done and the number of
            windows, or of tetrahedra.

    Returns:
        The path, with what certifies it: its length by the network, Snell's law (in planes), and a bound from below.
        In planes `exact` is false, with a `CertificateWarning`, if rounding hides how thin cells are joined, or the
        search grows beyond all bounds: the path is then a short one.

    Raises:
        InvalidInputError: If the cells are of another dimension or some are missing, or a point is not in the domain.

    Cost: the affine maps of all cells, and a number of windows that for n cells is usually below n^1.5, at some hundred
    thousand in a second; `lower_bound`, when it is asked for, some hundred factorizations of sparse matrices.

    Sources: Mitchell, Mount, Papadimitriou (1987), Chen, Han (1990): the discrete geodesic problem; pulled back to the
    latents of networks as in Hauser, Ray, "Principles of Riemannian geometry in neural networks" (NeurIPS 2017).

    Example:
        A sheet that is folded up in the middle is flat in its own metric, so that the path is straight:

        >>> import splinescope, torch
        >>> class Roof(torch.nn.Module):
        ...     def forward(self, z):
        ...         return torch.cat([z[:, 1:], z[:, :1].abs()], dim=1)
        >>> cells = splinescope.tessellate(Roof(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> path = geodesic(cells, [-0.5, 0.0], [0.5, 0.5])
        >>> round(path.length, 9), path.points[1].round(9).tolist()
        (1.118033989, [0.0, 0.25])
    """
    space = isinstance(cells, SpatialComplex) and cells.dimension == 3
    complex_ = cells if space else plane_of(cells, "shortest paths", "or one of three dimensions")
    if complex_.truncated:
        raise InvalidInputError("`cells`: some are missing (a budget ended the work); expected all: raise `max_cells`")
    ends = [point_of(name, value, complex_.dimension) for name, value in (("a", a), ("b", b))]
    straight = straight_length(complex_, *ends)
    return space_geodesic(cells, ends, straight, progress) if space else _on_plane(complex_, ends, straight, progress)


def _on_plane(plane: PlanarComplex, ends: list[np.ndarray], straight: float, progress: bool | Report) -> Geodesic:
    """The shortest path on the image of a plane; where the network does not confirm it, the best path that it has."""
    known, reason = [np.stack(ends)], "the network has other lengths than its cells, some of which are thin"
    try:
        image = image_surface(plane, ends)
        for positions in (image.outputs, None):
            reach = straight * (1 + 1e-9) + _FREE * image.surface.give if positions is not None else np.inf
            found = _searched(image, ends, straight, reach, positions, progress)
            if found.length <= reach and agrees(plane, found.points, found.lengths, straight, image.surface.give):
                return found
            known.append(found.points)
    except DegenerateArrangementError as error:
        reason = str(error)
    warnings.warn(
        f"the path is a short one, and nobody knows whether it is the shortest (`exact` is false): {reason}",
        CertificateWarning,
        stacklevel=3,
    )
    points, cells, lengths = min((traced(plane, corners) for corners in known), key=lambda path: float(path[2].sum()))
    asked = np.asarray(plane.network(embedded(plane.domain, np.stack(ends)))).reshape(2, -1)
    return Geodesic(plane, points, cells, lengths, straight, float(np.linalg.norm(asked[1] - asked[0])),
                    np.full(len(points), np.nan), 0, None)  # fmt: skip


def _searched(
    image: ImageSurface,
    ends: list[np.ndarray],
    straight: float,
    reach: float,
    positions: np.ndarray | None,
    progress: bool | Report,
) -> Geodesic:
    """What the search on a surface finds."""
    source, goal = (int(image.vertices[mark]) for mark in image.marks)
    spread = spread_from(image.surface, source, goal, positions=positions, reach=reach, progress=progress)
    walk = walk_of(image, spread.path(goal))
    _check_ends(image.cells, ends, walk.points, straight)
    walk.points[[0, -1]] = ends  # from where corners are that they are not told from
    steps = np.einsum("kij,kj->ki", image.factors[walk.cells], np.diff(walk.points, axis=0))
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    free = image_ranks(image)[walk.cells] < 2
    chord = float(np.linalg.norm(image.outputs[goal] - image.outputs[source]))
    refraction = _refraction(image, walk)
    lengths[free & (lengths < max(1e-12 * max(straight, chord), image.surface.give))] = 0.0
    return Geodesic(
        image.cells, walk.points, walk.cells, lengths, straight, chord, refraction, spread.num_windows, image
    )


def _check_ends(plane: PlanarComplex, ends: list[np.ndarray], points: np.ndarray, straight: float) -> None:
    """Refuse domains so wide beside the points that float64 does not tell these from corners of cells."""
    asked, found = (
        np.reshape(plane.network(embedded(plane.domain, np.asarray(both))), (2, -1)) for both in (ends, points[[0, -1]])
    )
    off = np.linalg.norm(found - asked, axis=1)
    for name, value, far in zip("ab", ends, off, strict=True):
        if not far <= 1e-6 * straight + 1e-9 * float(np.abs(asked).max()):
            raise InvalidInputError(
                f"`{name}`: {value.tolist()} is not told from a corner of a cell in so wide a domain "
                f"(outputs {far:.3g} apart); expected a smaller domain around both points"
            )


def image_ranks(image: ImageSurface) -> Int[np.ndarray, " cells"]:
    """Rank of the map of each cell, as the surface was glued.

    Args:
        image: The surface.

    Returns:
        0, 1 or 2 for each cell.
    """
    ranks = np.full(len(image.factors), 0, np.int64)
    ranks[[cell for _, _, cell in image.pairs]] = 1
    ranks[image.triangle_cells] = 2
    return ranks


def point_of(name: str, value: Any, dimension: int) -> Float[np.ndarray, " d"]:
    """A point of a domain as people give it.

    Args:
        name: The argument.
        value: What came.
        dimension: Dimension of the domain.

    Returns:
        Its coordinates.

    Raises:
        InvalidInputError: If it is something else.
    """
    point = finite(name, value)
    if point.shape != (dimension,):
        raise InvalidInputError(
            f"`{name}`: got shape {point.shape}; expected {dimension} coordinates of a point of the domain"
        )
    return point


def _refraction(image: ImageSurface, walk: Walk) -> Float[np.ndarray, " k"]:
    """Change of the tangential component of the unit tangent at each corner, as far as directions are known."""
    factors, points, cells, crossed = image.factors, walk.points, walk.cells, walk.crossed
    found = np.full(len(points), np.nan)
    for k in range(1, len(points) - 1):
        if not crossed[k].any():
            continue
        components, doubt = [], 0.0
        for piece, step in ((k - 1, points[k] - points[k - 1]), (k, points[k + 1] - points[k])):
            tangent, edge = factors[cells[piece]] @ step, factors[cells[piece]] @ crossed[k]
            sizes = float(np.linalg.norm(tangent)), float(np.linalg.norm(edge))
            doubt = max(doubt, image.surface.give / max(min(sizes), np.finfo(np.float64).tiny))
            components.append(float(tangent @ edge) / (sizes[0] * sizes[1] or 1.0))
        if doubt <= _DIRECTED:
            found[k] = components[1] - components[0]
    return found
