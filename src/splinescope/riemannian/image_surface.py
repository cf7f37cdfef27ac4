"""The image of a planar complex as a surface of flat triangles, whatever the number of outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from splinescope.errors import DegenerateArrangementError, InvalidInputError
from splinescope.geometry.geodesics.polyhedral import PolyhedralSurface, is_manifold, twins_of
from splinescope.riemannian.sheets import Edge, Sheets, merged
from splinescope.shown import Shown
from splinescope.tessellation.domains.samples import embedded
from splinescope.tessellation.planar.complex import PlanarComplex

_ONE_IMAGE = 1e-9
"""Difference of outputs, relative to their range, up to which points can have one image."""


@dataclass(frozen=True, eq=False)
class ImageSurface(Shown):
    """The surface that a network makes of a plane, with the way back to the plane.

    Points with one image, where cells are flattened, are one vertex.

    Attributes:
        cells: The complex.
        surface: The surface.
        points: Points in the domain's coordinates: vertices of the complex, then those that were added.
        vertices: Vertex of the surface of each point.
        outputs: Outputs at the vertices of the surface.
        triangle_points: Points at the corners of each triangle.
        triangle_cells: Cell of each triangle.
        marks: Points that were asked for.
        joins: Pairs of points with one image, and the cell in which they are joined.
        pairs: Pairs of edges (of two points each) with one image, and the cell between them.
        edge_points: Two points for each edge of the surface.
        edge_cells: A cell that has both of them, and on which they are so far from each other as the edge is long.
        factors: Coordinates of each cell in which it has the lengths of its image.
        near: How far from it a point is on an edge, in the domain.
    """

    cells: PlanarComplex
    surface: PolyhedralSurface
    points: Float[np.ndarray, "P 2"]
    vertices: Int[np.ndarray, " P"]
    outputs: Float[np.ndarray, "V n"]
    triangle_points: Int[np.ndarray, "T 3"]
    triangle_cells: Int[np.ndarray, " T"]
    marks: tuple[int, ...]
    joins: list[tuple[int, int, int]]
    pairs: list[tuple[Edge, Edge, int]]
    edge_points: Int[np.ndarray, "E 2"]
    edge_cells: Int[np.ndarray, " E"]
    factors: Float[np.ndarray, "F 2 2"]
    near: float


def image_surface(cells: PlanarComplex, marks: list[np.ndarray]) -> ImageSurface:
    """Glue the images of all cells, with some points of the domain among the vertices.

    Args:
        cells: A complex of a plane.
        marks: Points of the domain.

    Returns:
        The surface. Cost: the affine maps of the cells.

    Raises:
        InvalidInputError: If a point is not in the domain.
        DegenerateArrangementError: If cells are so thin that rounding hides how they are joined.
    """
    owners = cells.locate(np.array(marks).reshape(-1, 2))
    for place, owner in zip(marks, owners.tolist(), strict=True):
        if owner < 0:
            raise InvalidInputError(f"`points`: {place.tolist()} is not in the domain; expected points of the complex")
    sheets = Sheets.of(cells)
    numbers = tuple(sheets.add(int(c), p) for c, p in zip(owners, marks, strict=True))
    sheets.cut()
    points = np.array(sheets.points)
    corners, owner = _triangles(sheets, points)
    vertices = merged(len(points), [(a, b) for a, b, _ in sheets.joins])
    return _glue(cells, sheets, points, corners, owner, vertices, numbers)


def _triangles(sheets: Sheets, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons of rank two into triangles, as wide as they can be in the lengths of their images."""
    full = [k for k in range(len(sheets.loops)) if sheets.ranks[k] == 2]
    sizes = np.array([len(sheets.loops[k]) for k in full], np.int64)
    flat = np.array([point for k in full for point in sheets.loops[k]], np.int64)
    cells = np.array([sheets.cells[k] for k in full], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.einsum("pij,pj->pi", sheets.factors[np.repeat(cells, sizes)], points[flat])
    out = np.empty((int((sizes - 2).sum()) if len(sizes) else 0, 3), np.int64)
    _widest(
        offsets, flat, np.ascontiguousarray(_counter_clockwise(places, sheets.factors, np.repeat(cells, sizes))), out
    )
    return out, np.repeat(cells, sizes - 2)


def _counter_clockwise(places: np.ndarray, factors: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Mirror coordinates that turn polygons over."""
    over = np.linalg.det(factors)[cells] < 0
    return places * np.column_stack([np.ones(len(places)), np.where(over, -1.0, 1.0)])


@njit(cache=True, nogil=True)
def _widest(offsets: np.ndarray, flat: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
    """The triangulation of each polygon whose worst triangle is the widest for its size, by dynamic programming."""
    count = 0
    for polygon in range(offsets.size - 1):
        first, size = offsets[polygon], offsets[polygon + 1] - offsets[polygon]
        best, split = np.full((size, size), np.inf), np.zeros((size, size), np.int64)
        for gap in range(2, size):
            for low in range(size - gap):
                high = low + gap
                best[low, high] = -np.inf
                for middle in range(low + 1, high):
                    width = _width(places, first + low, first + middle, first + high)
                    worst = min(width, best[low, middle], best[middle, high])
                    if worst > best[low, high] or middle == low + 1:
                        best[low, high], split[low, high] = worst, middle
        waiting, ends = 1, np.empty((size, 2), np.int64)
        ends[0, 0], ends[0, 1] = 0, size - 1
        while waiting:
            waiting -= 1
            low, high = ends[waiting, 0], ends[waiting, 1]
            if high < low + 2:
                continue
            middle = split[low, high]
            out[count, 0], out[count, 1], out[count, 2] = flat[first + low], flat[first + middle], flat[first + high]
            count += 1
            ends[waiting, 0], ends[waiting, 1] = low, middle
            ends[waiting + 1, 0], ends[waiting + 1, 1] = middle, high
            waiting += 2


@njit(cache=True, nogil=True)
def _width(places: np.ndarray, a: int, b: int, c: int) -> float:
    """Twice the area of a triangle, as a share of the square of its longest side."""
    ux, uy = places[b, 0] - places[a, 0], places[b, 1] - places[a, 1]
    vx, vy = places[c, 0] - places[b, 0], places[c, 1] - places[b, 1]
    longest = max(ux * ux + uy * uy, vx * vx + vy * vy, (ux + vx) ** 2 + (uy + vy) ** 2)
    return (ux * vy - uy * vx) / longest if longest > 0.0 else -np.inf


def _glue(
    cells: PlanarComplex,
    sheets: Sheets,
    points: np.ndarray,
    corners: np.ndarray,
    owner: np.ndarray,
    vertices: np.ndarray,
    marks: tuple[int, ...],
) -> ImageSurface:
    """Number the edges, join those with one image, and put the triangles together."""
    every_output = _outputs(cells, points, sheets)
    sides = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2)
    strips = np.array([edge for pair in sheets.pairs for edge in pair[:2]], np.int64).reshape(-1, 2)
    of_strips = np.repeat(np.array([cell for _, _, cell in sheets.pairs], np.int64), 2)
    every, which = np.unique(np.sort(np.concatenate([sides, strips]), axis=1), axis=0, return_inverse=True)
    which = which.ravel()
    labels = merged(len(every), which[len(sides) :].reshape(-1, 2).tolist())
    edges = int(labels.max(initial=-1)) + 1
    numbers = labels[which]
    lengths, holders = np.zeros(edges), np.zeros(edges, np.int64)
    ends, shown = np.zeros((2, edges, 2), np.int64)
    listed = np.concatenate([sides, strips])[::-1]
    owners = np.concatenate([np.repeat(owner, 3), of_strips])[::-1]
    steps = np.einsum("eij,ej->ei", sheets.factors[owners], points[listed[:, 1]] - points[listed[:, 0]])
    lengths[numbers[::-1]] = np.hypot(steps[:, 0], steps[:, 1])
    ends[numbers[::-1]], shown[numbers[::-1]] = vertices[listed], listed
    holders[numbers[::-1]] = owners
    own = numbers[: len(sides)].reshape(-1, 3)
    if not is_manifold(own, edges).all():
        raise DegenerateArrangementError("flattened cells join more than two others along one edge")
    shapes = np.einsum("tij,tkj->tki", sheets.factors[owner], points[corners] - points[corners[:, :1]])
    shapes[np.linalg.det(sheets.factors[owner]) < 0, :, 1] *= -1
    surface = PolyhedralSurface.glued(
        shapes,
        vertices[corners],
        own,
        twins_of(own, edges),
        ends,
        lengths,
        int(vertices.max(initial=-1)) + 1,
        give=sheets.give,
    )
    outputs = np.empty((surface.num_vertices, every_output.shape[1]))
    outputs[vertices[::-1]] = every_output[::-1]
    return ImageSurface(cells, surface, points, vertices, outputs, corners, owner, marks, sheets.joins, sheets.pairs,
                        shown, holders, sheets.factors, sheets.near)  # fmt: skip


def _outputs(cells: PlanarComplex, points: np.ndarray, sheets: Sheets) -> np.ndarray:
    """Outputs at points, at added ones by the network; what is joined has to have one output."""
    known = len(cells.vertices)
    outputs = np.asarray(cells.vertex_outputs).reshape(known, -1)
    if len(points) > known:
        added = np.asarray(cells.network(embedded(cells.domain, points[known:])))
        outputs = np.concatenate([outputs, added.reshape(len(points) - known, -1)])
    one, two = np.array([(a, b) for a, b, _ in sheets.joins], np.int64).reshape(-1, 2).T
    rounding = 64 * np.finfo(np.float64).eps * float(np.abs(outputs).max()) * np.sqrt(outputs.shape[1])
    allowed = _ONE_IMAGE * float(np.ptp(outputs, axis=0).max()) + 64 * sheets.give + rounding
    if (np.linalg.norm(outputs[one] - outputs[two], axis=1) > allowed).any():
        raise DegenerateArrangementError("points that thin cells join have other outputs; expected wider cells")
    return outputs
