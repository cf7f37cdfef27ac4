r"""Shortest paths in the metric that a piecewise affine network pulls back to a plane, exactly and globally.

The network is continuous and affine on cells: the image of a plane is a surface of flat polygons, and an edge has one
length, seen from both of its cells. Shortest paths are straight where cells are laid flat beside each other, and bend
at vertices only where there is more than a full turn around them. Differential equations do not see this: the metric is
constant within cells, so that what they call a geodesic is the straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.geometry.geodesics.potential import LengthProof, lower_bound
from splinescope.geometry.geodesics.spreading import spread_from
from splinescope.progress import Report
from splinescope.riemannian.image_surface import ImageSurface, image_surface
from splinescope.riemannian.proofs import Provable
from splinescope.riemannian.space_geodesic import SpaceGeodesic, space_geodesic
from splinescope.riemannian.walks import walk_of
from splinescope.shown import Shown
from splinescope.tessellation.domains import Segment
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.metric import plane_of
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments import tessellate_segment
from splinescope.tessellation.spatial.complex import SpatialComplex


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
            which is zero by Snell's law; NaN where the path passes a vertex, or flattened cells.
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
    _image: ImageSurface

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
        source, goal = (int(self._image.vertices[mark]) for mark in self._image.marks)
        return LengthProof(0.0) if source == goal else lower_bound(self._image.surface, source, goal, progress=progress)

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
    flattened (rank below two), the directions that vanish cost nothing.

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

    Raises:
        InvalidInputError: If the cells are of another dimension or some are missing, or a point is not in the domain.
        DegenerateArrangementError: If the search grows beyond all bounds.

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
    straight = _straight_length(complex_, ends)
    return space_geodesic(cells, ends, straight, progress) if space else _on_plane(complex_, ends, straight, progress)


def _on_plane(plane: PlanarComplex, ends: list[np.ndarray], straight: float, progress: bool | Report) -> Geodesic:
    """The shortest path on the image of a plane."""
    image = image_surface(plane, ends)
    source, goal = (int(image.vertices[mark]) for mark in image.marks)
    spread = spread_from(
        image.surface, source, goal, positions=image.outputs, reach=straight * (1 + 1e-9), progress=progress
    )
    walk = walk_of(image, spread.path(goal))
    _check_ends(plane, ends, walk.points, straight)
    steps = np.einsum("kij,kj->ki", image.factors[walk.cells], np.diff(walk.points, axis=0))
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    free = image_ranks(image)[walk.cells] < 2
    chord = float(np.linalg.norm(image.outputs[goal] - image.outputs[source]))
    refraction = _refraction(image.factors, walk.points, walk.cells, walk.crossed)
    lengths[free & (lengths < 1e-12 * max(straight, chord))] = 0.0
    return Geodesic(
        plane, walk.points, walk.cells, lengths, straight, chord, refraction, spread.num_windows, image
    )  # fmt: skip


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


def _straight_length(cells: PlanarComplex | SpatialComplex, ends: Sequence[np.ndarray]) -> float:
    """Length of the image of the straight line, by the network's cells along it."""
    if (ends[0] == ends[1]).all():
        return 0.0
    one, two = embedded(cells.domain, np.array(ends))
    line = tessellate_segment(cells.network, Segment(one, two), verify="topology", tolerance=cells.tolerance)
    return float(np.linalg.norm(np.diff(line.vertex_outputs, axis=0), axis=1).sum())


def _refraction(
    factors: np.ndarray, points: np.ndarray, cells: np.ndarray, crossed: np.ndarray
) -> Float[np.ndarray, " k"]:
    """Change of the tangential component of the unit tangent at each corner."""
    found = np.full(len(points), np.nan)
    for k in range(1, len(points) - 1):
        if not crossed[k].any():
            continue
        components = []
        for piece, step in ((k - 1, points[k] - points[k - 1]), (k, points[k + 1] - points[k])):
            tangent, edge = factors[cells[piece]] @ step, factors[cells[piece]] @ crossed[k]
            components.append(float(tangent @ edge) / float(np.linalg.norm(tangent) * np.linalg.norm(edge)))
        found[k] = components[1] - components[0]
    return found
