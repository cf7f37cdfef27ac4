r"""Exact topology of the regions that a network makes: parts, holes and cavities, from the cells of its tessellation.

The network gets one unit more, which folds at the border of the region; its sign in each cell is decided exactly, and
Betti numbers follow from counting faces. Where an output only touches the level, on a line or in a point within the
region, that is decided exactly, too: an open region does not have it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from splinescope.errors import CertificateError, InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.engine import tessellate
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.spatial.complex import SpatialComplex
from splinescope.tessellation.surface.mesh import SurfaceMesh
from splinescope.topology.face_sets import FaceSets
from splinescope.topology.margins import above_level, within_class
from splinescope.topology.touching import zero_faces


@dataclass(frozen=True, eq=False)
class RegionTopology(Shown):
    """A region of a domain, cell by cell, with its topology.

    Attributes:
        betti: Number of parts, of holes, and in three dimensions of cavities: parts of the complement that miss the
            boundary of the domain.
        euler_characteristic: Their alternating sum, counted from faces.
        closed: Whether the region is taken with its border: then two of its cells that touch in one point are
            connected.
        cells: The cells, cut at the border of the region.
        inside: Whether each cell is in the region.
        parts: Part of the region or of its complement that each cell is in: those of the region first. Parts of the
            complement of an open region may be lines or points, without a cell.
        depths: For each part, how many borders of the region separate it from the boundary of the domain.
        measures: Area or volume of each part, in the domain's coordinates.
    """

    betti: tuple[int, ...]
    euler_characteristic: int
    closed: bool
    cells: VertexComplex
    inside: Bool[np.ndarray, " cells"]
    parts: Int[np.ndarray, " cells"]
    depths: Int[np.ndarray, " parts"]
    measures: Float[np.ndarray, " parts"]


def betti_numbers(
    cells: PolyhedralComplex,
    class_index: int | None = None,
    *,
    above: int | float | None = None,
    output: int = 0,
    closed: bool = False,
) -> tuple[int, ...]:
    r"""Betti numbers of a class's region, or of the set where an output is above a level, in a domain.

    In two dimensions $(b_0, b_1)$: parts and holes. In three $(b_0, b_1, b_2)$: parts, tunnels and cavities.

    Args:
        cells: The tessellation of a domain of two or three dimensions.
        class_index: The class $k$, whose region is where $f_k > f_j$ for all other $j$; with one output, class 1 is
            where it is positive and class 0 where it is negative.
        above: Or a level $c$, for the region $f_k > c$.
        output: The output $k$ that is compared with the level, before the network's head.
        closed: Whether the region is taken with its border (the closure of its interior). The open region and the
            closed one differ where parts touch in a point or along an edge, and where the output only touches the level
            within the region: the open one is cut there, or punctured.

    Returns:
        The numbers; zeros for an empty region.

    Raises:
        InvalidInputError: If the cells are of another dimension or some are missing, or it is not said which region.
        CertificateError: If holes that are counted as parts of the complement are not what Euler's formula says.

    Cost: that of `region_topology`.

    Example:
        >>> import splinescope, torch
        >>> class Ring(torch.nn.Module):
        ...     def forward(self, x):
        ...         return 0.25 - ((x[:, :1].abs() + x[:, 1:].abs()) - 0.5).abs()
        >>> cells = splinescope.tessellate(Ring(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> betti_numbers(cells, above=0), betti_numbers(cells, 0)
        ((1, 1), (2, 1))
    """
    return region_topology(cells, class_index, above=above, output=output, closed=closed).betti


def region_topology(
    cells: PolyhedralComplex,
    class_index: int | None = None,
    *,
    above: int | float | None = None,
    output: int = 0,
    closed: bool = False,
) -> RegionTopology:
    r"""A region with its parts, what they enclose, and its Betti numbers.

    Parts are connected sets of cells. Holes (in three dimensions cavities) are parts of the complement that miss the
    boundary of the domain, by Alexander duality; the number of tunnels in three dimensions follows from the Euler
    characteristic $b_0 - b_1 + b_2$. That of a closed region is the alternating sum of its faces; of an open one in $d$
    dimensions it is $(-1)^d$ times that of the faces that are not on the boundary of the domain.

    Args:
        cells: As in `betti_numbers`.
        class_index: As in `betti_numbers`.
        above: As in `betti_numbers`.
        output: As in `betti_numbers`.
        closed: As in `betti_numbers`.

    Returns:
        The region.

    Raises:
        InvalidInputError: As `betti_numbers`.
        CertificateError: As `betti_numbers`.

    Cost: a tessellation of the network with one more unit (and a maximum, among three or more classes), and time
    linear in its faces.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> found = region_topology(cells, above=0.5)
        >>> found.betti, found.measures.tolist()
        ((1, 0), [1.0, 3.0])
    """
    if not isinstance(cells, PlanarComplex | SpatialComplex) or cells.dimension > 3:
        name = type(cells).__name__
        raise InvalidInputError(f"`cells`: got a {name}; expected a complex of two or three dimensions")
    if cells.truncated:
        raise InvalidInputError("`cells`: some are missing (a budget ended the work); expected all: raise `max_cells`")
    if (class_index is None) == (above is None):
        raise InvalidInputError("`class_index`: expected either a class or a level `above` which an output is")
    if class_index is not None:
        network = within_class(cells.network, class_index)
    else:
        assert above is not None
        network = above_level(cells.network, float(above), output)
    fine = tessellate(network, cells.domain, verify="topology", tolerance=cells.tolerance)
    assert isinstance(fine, VertexComplex)
    if fine.truncated:
        if isinstance(fine, PlanarComplex):  # planes have no budget here: somebody interrupted
            raise KeyboardInterrupt
        raise InvalidInputError("`cells`: there is not enough memory for all of them, cut at the border of the region")
    _, start, _ = fine.pattern_nodes[-1]
    inside = fine.patterns[:, start] > 0
    return topology_of(fine, inside, closed, None if closed else zero_faces(fine, FaceSets.of(fine), inside))


def topology_of(
    cells: VertexComplex,
    inside: Bool[np.ndarray, " cells"],
    closed: bool,
    without: list[Bool[np.ndarray, " _"]] | None = None,
) -> RegionTopology:
    """The topology of any set of cells of a complex of two or three dimensions that fills a convex domain.

    Args:
        cells: The complex.
        inside: The set.
        closed: Whether cells are taken with their borders.
        without: For each dimension below the cells', faces between cells of an open set that are not in it, with all of
            theirs; None for none.

    Returns:
        The region that they are.

    Raises:
        CertificateError: As `betti_numbers`.

    Cost: linear in the number of faces.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> diagonal = cells.interior_points.prod(axis=1) > 0
        >>> topology_of(cells, diagonal, closed=True).betti, topology_of(cells, diagonal, closed=False).betti
        ((1, 0), (2, 0))
    """
    faces = FaceSets.of(cells)
    if without is not None and not any(some.any() for some in without):
        without = None
    lower: list[np.ndarray] = []
    if without is None:
        own, rest = faces.parts(inside, closed), faces.parts(~inside, not closed)
    else:
        own = faces.parts(inside, closed, without[-1])
        rest, lower = faces.closed_parts(~inside, without)
    number, others = int(own.max(initial=-1)) + 1, 1 + max(int(part.max(initial=-1)) for part in (rest, *lower))
    parts = np.where(inside, own, number + rest)
    reached = _reach_border(faces, parts, np.arange(number + others) < number, closed)
    for part, border in zip(lower, faces.border, strict=False):
        reached[number + part[(part >= 0) & border]] = True
    enclosed = int((~reached[number:]).sum())
    euler = _euler(faces, inside, closed, without)
    if cells.dimension == 2:
        betti: tuple[int, ...] = (number, enclosed)
    else:
        betti = (number, number + enclosed - euler, enclosed)
    if sum(-b if k % 2 else b for k, b in enumerate(betti)) != euler or min(betti) < 0:
        raise CertificateError(
            f"certificate check `Euler` failed: {number} parts and {enclosed} enclosed parts of the complement do not "
            f"fit the Euler characteristic {euler}"
        )
    measures = np.bincount(parts, cells.measures, number + others)
    beside = [
        np.column_stack([parts[cell], number + part[face]])
        for part, star in zip(lower, faces.stars(), strict=False)
        for face, cell in [star[part >= 0].nonzero()]
        for face in [np.flatnonzero(part >= 0)[face]]
    ]
    across = parts[cells.facets.cells]
    across = across[(across < number).sum(axis=1) == 1]  # two parts of the region only have a face of `without` between
    pairs = np.concatenate([across, *beside])
    return RegionTopology(betti, euler, closed, cells, inside, parts, _depths(pairs, reached), measures)


def _reach_border(
    faces: FaceSets, parts: Int[np.ndarray, " cells"], own: Bool[np.ndarray, " parts"], closed: bool
) -> Bool[np.ndarray, " parts"]:
    """Whether each part has a point on the boundary of the domain; open parts have only whole facets there."""
    reached = np.zeros(len(own), bool)
    cell = faces.levels[-1][faces.outer].nonzero()[1]
    reached[parts[cell]] = True
    with_border = own if closed else ~own
    corners = faces.levels[0]
    for level in faces.levels[1:]:
        corners = corners @ level
    on_border = faces.border[0]
    touching = corners[on_border].nonzero()[1]
    reached[parts[touching][with_border[parts[touching]]]] = True
    return reached


def _euler(
    faces: FaceSets,
    inside: Bool[np.ndarray, " cells"],
    closed: bool,
    without: list[Bool[np.ndarray, " _"]] | None = None,
) -> int:
    """The Euler characteristic of a region, from its faces."""
    if closed:
        counted = faces.closure(inside)
    else:
        border = [*faces.border, np.zeros(len(inside), bool)]
        if without is not None:
            border = [outer | gone for outer, gone in zip(border, [*without, border[-1]], strict=True)]
        pairs = zip(faces.closure(~inside), border, strict=True)
        counted = [~(outside | outer) for outside, outer in pairs]
    total = sum((-1) ** k * int(some.sum()) for k, some in enumerate(counted))
    return total if closed else (-1) ** len(faces.levels) * total


def _depths(pairs: Int[np.ndarray, "n 2"], reached: Bool[np.ndarray, " parts"]) -> Int[np.ndarray, " parts"]:
    """Steps through the graph of parts beside each other from the boundary of the domain."""
    number = len(reached)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    rows = np.concatenate([pairs[:, 0], np.full(int(reached.sum()), number)])
    columns = np.concatenate([pairs[:, 1], np.flatnonzero(reached)])
    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(number + 1, number + 1))
    order, before = breadth_first_order(graph, number, directed=False)
    depths = np.full(number + 1, -1, np.int64)
    for part in order[1:].tolist():
        depths[part] = depths[before[part]] + 1
    return depths[:number]


def surface_betti_numbers(mesh: SurfaceMesh) -> tuple[int, int, int]:
    r"""Betti numbers of a surface: parts, loops that bound nothing, and closed parts.

    $b_1 = b_0 + b_2 - \chi$; of a closed part it is twice the genus.

    Args:
        mesh: A level set or decision surface in three dimensions, with or without border.

    Returns:
        The three numbers.

    Cost: linear in the number of sides.

    Example:
        >>> import splinescope, torch
        >>> class Cross(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x.abs().sum(dim=1, keepdim=True)
        >>> surface_betti_numbers(splinescope.level_set(Cross(), splinescope.Box([-1] * 3, [1] * 3), level=0.5))
        (1, 0, 1)
    """
    polygons = np.repeat(np.arange(len(mesh)), np.diff(mesh.offsets))
    open_parts = np.unique(mesh.parts[polygons[mesh.twins < 0]])
    closed = mesh.num_parts - len(open_parts)
    return mesh.num_parts, mesh.num_parts + closed - mesh.euler_characteristic, closed
