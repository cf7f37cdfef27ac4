r"""Where the image of a domain of one or two dimensions lies on itself, and what that does to volume and entropy.

Images of cells overlap with positive volume only where they lie in one line or one plane of the output space. So cells
are sorted by the flats of their images; in each flat the images are cut into parts that are met equally often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import index
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from splinescope.errors import CertificateError, InvalidInputError
from splinescope.generative.manifold import cell_log_volumes, latent_measures, volume
from splinescope.numerics import require
from splinescope.shown import Shown
from splinescope.tessellation.affine import branch_maps
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex

TOGETHER = 2.0**-30
"""Flats whose directions and places differ by at most this, relative to the size of the image, count as one."""
GRID = 2.0**-42
"""Width of the grid to which corners of parts are rounded, relative to the size of the image along its principal axes:
edges that are one up to rounding would else cross each other at chance, and parts between them be lost."""

AGREED = 2.0**-30
"""Parts, each counted as often as it is met, differ from the images of the cells by at most this, relatively."""


@dataclass(frozen=True)
class Overlap(Shown):
    """The image of a domain as a set, beside the image counted with multiplicity.

    Attributes:
        volume: Length or area of the image as a set.
        counted: The same with multiplicity, as `volume` gives it.
        entropy: Entropy of the output for uniform latents, in nats; -inf if a cell is flattened.
        multiplicities: Volume of the part of the image that is met once, twice, ...
    """

    volume: float
    counted: float
    entropy: float
    multiplicities: Float[np.ndarray, " most"]


def overlap(cells: PolyhedralComplex) -> Overlap:
    """Length or area of the image as a set, and the entropy of the output, where latents share outputs.

    Args:
        cells: A complex of a segment or a plane, of a generator.

    Returns:
        Both volumes, and the entropy. Cost: of each flat that several cells share, an overlay of their images.

    Raises:
        CertificateError: If the parts do not add up to the images of the cells.
        InvalidInputError: If the domain has more than two dimensions, or cells are missing.
        MissingDependencyError: In a plane, if shapely is not there (the extra `geo`).

    Example:
        >>> import splinescope, torch
        >>> class Abs(torch.nn.Module):
        ...     def forward(self, z):
        ...         return z.abs()
        >>> found = overlap(splinescope.tessellate(Abs(), splinescope.Segment([-1.0], [1.0])))
        >>> round(found.counted, 12), round(found.volume, 12)
        (2.0, 1.0)
    """
    if not isinstance(cells, VertexComplex) or cells.dimension > 2:
        raise InvalidInputError("`cells`: overlaps are looked for on segments and planes; expected one of these")
    counted = volume(cells)
    logs = cell_log_volumes(cells)
    solid = np.flatnonzero(np.isfinite(logs))
    if not len(solid):
        return Overlap(0.0, counted, -math.inf, np.zeros(0))
    densities = np.exp(-logs) / latent_measures(cells).sum()
    linear = branch_maps(cells, "domain", solid).A
    bases = np.linalg.qr(linear)[0]
    pieces = []
    for group in _flats(cells, solid, bases):
        members = solid[group]
        frame, origin = bases[group[0]], cells.vertex_outputs[_corners(cells, members[0])][0]
        shapes = [(cells.vertex_outputs[_corners(cells, cell)] - origin) @ frame for cell in members]
        pieces += (_on_a_line if cells.dimension == 1 else _in_a_plane)(shapes, densities[members])
    sizes, counts, density = (np.array(column) for column in zip(*pieces, strict=True))
    if abs(sizes @ counts - counted) > AGREED * counted:
        raise CertificateError(
            f"the parts of the image, each as often as it is met, have {sizes @ counts:.12g} in all, the images of the "
            f"cells {counted:.12g}; rounding has confused the parts"
        )
    entropy = -float(np.sum(sizes * density * np.log(density))) if len(solid) == len(cells) else -math.inf
    return Overlap(float(sizes.sum()), counted, entropy, np.bincount(counts.astype(np.int64), sizes)[1:])


def _corners(cells: VertexComplex, cell: SupportsIndex) -> Int[np.ndarray, " corners"]:
    corners: np.ndarray = cells.cell_vertices[cells.cell_offsets[index(cell)] : cells.cell_offsets[index(cell) + 1]]
    return corners


def _flats(cells: VertexComplex, which: np.ndarray, bases: np.ndarray) -> list[np.ndarray]:
    """Positions in `which` of the cells whose images lie in one flat, by a few random features of the flats."""
    outputs = bases.shape[1]
    random = np.random.default_rng(0).standard_normal((outputs, 4)) / math.sqrt(outputs)
    places = cells.interior_outputs()[which]
    size = max(float(np.abs(cells.vertex_outputs).max()), 1e-300)
    along = np.einsum("nod,nd->no", bases, np.einsum("nod,no->nd", bases, places))
    directions = np.einsum("nod,ndk->nok", bases, np.einsum("nod,ok->ndk", bases, random)).reshape(len(which), -1)
    features = np.concatenate([directions @ _signs(directions.shape[1]), (places - along) @ random / size], axis=1)
    pairs = cKDTree(features).query_pairs(TOGETHER, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(which), len(which)))
    count, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels, minlength=count))[:-1])


def _signs(rows: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((rows, 4)) / math.sqrt(rows)


def _on_a_line(shapes: list[np.ndarray], densities: np.ndarray) -> list[tuple[float, int, float]]:
    """(length, multiplicity, density) of the parts between ends of intervals."""
    ends = np.array([[shape.min(), shape.max()] for shape in shapes])
    at = np.concatenate([ends[:, 0], ends[:, 1]])
    order = np.argsort(at, kind="stable")
    steps = np.concatenate([np.ones(len(ends)), -np.ones(len(ends))])[order]
    weights = np.concatenate([densities, -densities])[order]
    lengths, counts, sums = np.diff(at[order]), np.cumsum(steps)[:-1], np.cumsum(weights)[:-1]
    return [(size, int(n), q) for size, n, q in zip(lengths, counts, sums, strict=True) if n > 0 and size > 0]


def _principal(shapes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Axes along and across what is long, as columns, and the size of all shapes along each."""
    points = np.concatenate(shapes)
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2].T
    extents = np.ptp(points @ axes, axis=0)
    return axes, np.where(extents > 0, extents, 1.0)


def _in_a_plane(shapes: list[np.ndarray], densities: np.ndarray) -> list[tuple[float, int, float]]:
    """(area, multiplicity, density) of the faces of the overlay of convex polygons."""
    shapely: Any = require("shapely", "geo", "areas where sheets lie on each other")
    axes, extents = _principal(shapes)
    polygons = [shapely.convex_hull(shapely.multipoints(shape @ axes / extents)) for shape in shapes]
    unit = float(extents.prod())
    if len(polygons) == 1:
        return [(unit * polygons[0].area, 1, float(densities[0]))]
    lines = shapely.union_all(shapely.get_exterior_ring(polygons), grid_size=GRID)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    tree = shapely.STRtree(polygons)
    face, owner = tree.query(shapely.point_on_surface(faces), predicate="within")
    counts = np.bincount(face, minlength=len(faces))
    sums = np.bincount(face, densities[owner], len(faces))
    areas = unit * shapely.area(faces)
    return [(float(areas[k]), int(counts[k]), float(sums[k])) for k in np.flatnonzero(counts)]
