"""The folds of a complex: which unit made each facet, and the angles at which things fold.

Two angles bear the name dihedral. A *folded hyperplane*, the zero set of one unit, bends where it crosses the fold of
an earlier unit: `dihedral_angles`. The *graph* of an output bends over every edge: `graph_angles`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.affine import pieces_of
from splinescope.tessellation.branches.walk import branch_gradients, chunk_length
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.metric import check_choice, isometry, plane_of, positions
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.regions import interior_edges
from splinescope.tessellation.results import Folds as Folds


@dataclass(frozen=True)
class DihedralAngles(Shown):
    """Angles between the pieces of folded hyperplanes.

    Attributes:
        vertices: Vertex of the complex at which each bends.
        edges: The two edges that meet there, both made by the same unit.
        ops: Node of the unit.
        units: Flat index of the unit in that node's output.
        angles: Angles in radians, from 0 (straight on) to pi (folded back on itself).
        space: "domain" for the bend within the slice, "input" for the bend of the hyperplane in the input space.
    """

    vertices: Int[np.ndarray, " bends"]
    edges: Int[np.ndarray, "bends 2"]
    ops: Int[np.ndarray, " bends"]
    units: Int[np.ndarray, " bends"]
    angles: Float[np.ndarray, " bends"]
    space: str


def folds(cells: PolyhedralComplex) -> Folds:
    """Say which op and unit made each facet between two cells.

    Args:
        cells: A complex of any dimension, or a region graph.

    Returns:
        One entry per facet; on a segment one for each unit that flips.

    Cost: linear in the number of facets.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(network, splinescope.Segment([-1.0, 2.0], [1.0, -2.0]))
        >>> folds(cells).units.tolist()
        [0, 1]
    """
    facets, lengths = cells.facets, None
    nodes = np.array([node for node, _, _ in cells.pattern_nodes], dtype=np.int64)
    if isinstance(cells, PlanarComplex):
        steps = cells.vertices[cells.edges[facets.numbers, 1]] - cells.vertices[cells.edges[facets.numbers, 0]]
        lengths = np.hypot(steps[:, 0], steps[:, 1])
    names = tuple(cells.network.nodes[node].name for node in nodes)
    return Folds(facets.numbers, facets.ops, facets.units, np.searchsorted(nodes, facets.ops), names, lengths)


def dihedral_angles(cells: PolyhedralComplex, space: str = "domain") -> DihedralAngles:
    r"""Angles at which folded hyperplanes bend, where they cross the folds of earlier units.

    In a cell $w$ of the earlier layers the zero set of a unit has the normal $n_w = A_w^T w$, the gradient of its
    pre-activation. At a vertex of the complex where two edges of one unit meet the angle is that between the normals of
    the two cells, $\arccos \frac{\langle n_w, n_{w'}\rangle}{|n_w| |n_{w'}|}$ with their signs kept, computed without
    cancellation. In the domain it is that between the normals' projections to the slice, which is the angle by which
    the polyline turns; where it crosses a fold of its own layer it goes straight on and the angle is 0. For max units
    the pre-activation is the difference of the two entries that tie. Source: Balestriero et al. (2019); the absolute
    value of the cosine there folds the angle into [0, pi/2].

    Args:
        cells: A planar complex.
        space: "domain" measures in the slice (in the metric of the input space), "input" in the whole input space, at
            the cost of one vector-Jacobian product per edge.

    Returns:
        One angle for each vertex inside the domain and unit of which exactly two edges meet there.

    Raises:
        InvalidInputError: If the complex is not of a plane, or `space` is another word.

    Cost: sorting the edges, and cells x units of patterns; in the space "input" one backward pass per edge.

    Example:
        The two folds of a ReLU of the plane cross, but neither depends on the other; so neither bends:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> dihedral_angles(cells).angles.round(12).tolist()
        [0.0, 0.0]
    """
    plane = plane_of(cells, "bends of folded hyperplanes", "see `graph_angles` for other dimensions")
    check_choice("space", space, ("domain", "input"))
    vertices, pairs = _bends(plane)
    if space == "domain":
        angles = _turns(plane, vertices, pairs)
    else:
        angles = np.empty(len(pairs))
        step = max(1, (1 << 24) // max(1, torch.Size(cells.network.input_shape).numel()))
        for start in range(0, len(pairs), step):
            rows = slice(start, start + step)
            edges, places = np.unique(pairs[rows], return_inverse=True)
            normals = fold_normals(plane, edges)
            first, second = places.reshape(-1, 2).T
            angles[rows] = _angles_between(normals[first], normals[second])
    first = pairs[:, 0]
    return DihedralAngles(
        vertices, pairs, plane.edge_op[first].astype(np.int64), plane.edge_unit[first].astype(np.int64), angles, space
    )


def graph_angles(cells: PolyhedralComplex, output: int = 0) -> Float[np.ndarray, " facets"]:
    r"""Angle by which the graph of an output bends over each facet.

    The graph over a cell with gradient $g$ has the normal $(-g, 1)$; the angle is that between the normals of the two
    sides, 0 where the output is affine across the facet. The dihedral angle between the two faces is pi minus it.

    Args:
        cells: A complex of any dimension, or a region graph.
        output: The output, before the network's head.

    Returns:
        Angles in radians in the metric of the input space, one for each facet of the complex (in a plane: edge; on a
        segment: vertex), NaN on the boundary of the domain. A region graph, which lists facets twice, has the angle at
        that of the cell with the smaller number.

    Raises:
        InvalidInputError: If there is no such output.

    Cost: the affine maps of all cells, and linear in the number of facets.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> sorted(round(angle, 4) for angle in graph_angles(cells).tolist() if angle == angle)
        [0.0, 0.0, 0.7854, 0.7854]
    """
    gradients = cells.affine_maps().A
    if not 0 <= output < gradients.shape[1]:
        raise InvalidInputError(f"`output`: got {output}; expected an output from 0 to {gradients.shape[1] - 1}")
    slopes = gradients[:, output] @ np.linalg.inv(isometry(cells)).T
    normals = np.column_stack([-slopes, np.ones(len(slopes))])
    angles = np.full(cells.facets.total, np.nan)
    left, right = cells.facets.cells.T
    angles[cells.facets.numbers] = _angles_between(normals[left], normals[right])
    return angles


def fold_normals(cells: PlanarComplex, edges: Int[np.ndarray, " some"]) -> Float[np.ndarray, "some inputs"]:
    """Normals in the input space of the folded hyperplanes at some interior edges.

    Args:
        cells: A planar complex.
        edges: Indices of interior edges.

    Returns:
        Gradient by the flat input of the unit's pre-activation on the two cells of each edge; for a max unit of the
        entry of higher position minus that of lower position, of the two that tie there.

    Cost: one forward and one backward pass per edge.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> rows = interior_edges(cells.edge_cells)
        >>> sorted(fold_normals(cells, rows).tolist())
        [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    """
    network = cells.network
    normals = np.zeros((len(edges), torch.Size(network.input_shape).numel()))
    for op in np.unique(cells.edge_op[edges]):
        rows = np.flatnonzero(cells.edge_op[edges] == op)
        for chunk in torch.from_numpy(rows).split(chunk_length(network, 3)):
            chosen = edges[chunk.numpy()]
            pieces = pieces_of(cells, torch.from_numpy(cells.edge_cells[chosen, 0].astype(np.int64)))
            x, source = torch.zeros(len(chosen), *network.input_shape, dtype=torch.float64), network.nodes[op].inputs[0]
            covectors = _covectors(cells, chosen, int(op), network.nodes[source].size)
            _, gradients = branch_gradients(network, pieces, x, covectors[:, None], source)
            normals[chunk.numpy()] = gradients[:, 0].numpy()
    return normals


def _covectors(cells: PlanarComplex, edges: np.ndarray, op: int, width: int) -> torch.Tensor:
    """What of a node's input is zero at each edge: one entry, or the difference of the two entries that tie."""
    covectors = torch.zeros(len(edges), width, dtype=torch.float64)
    rows = np.arange(len(edges))
    units = cells.edge_unit[edges].astype(np.int64)
    low, high = (side.astype(np.int64) for side in _pieces_beside(cells, edges)[1:])
    walls = cells.network.folds[op].between(units, high, low)
    covectors[rows, walls.plus] = 1.0
    pairs = np.flatnonzero(walls.minus >= 0)
    covectors[rows[pairs], walls.minus[pairs]] -= 1.0
    return covectors


def _pieces_beside(cells: PlanarComplex, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column in the patterns of the unit of each edge, and the lower and higher of its pieces in the two cells."""
    starts = np.zeros(len(cells.network.nodes), dtype=np.int64)
    for node, start, _ in cells.pattern_nodes:
        starts[node] = start
    columns = starts[cells.edge_op[edges]] + cells.edge_unit[edges]
    sides = np.empty((2, len(edges)), dtype=np.uint8)
    beside = cells.edge_cells[edges]
    step = max(1, (1 << 24) // max(1, cells.pattern_nodes[-1][2] if cells.pattern_nodes else 0))
    for first in range(0, len(cells), step):
        patterns = cells.patterns_of(np.arange(first, min(first + step, len(cells))))
        for side in (0, 1):
            rows = np.flatnonzero((beside[:, side] >= first) & (beside[:, side] < first + step))
            sides[side, rows] = patterns[beside[rows, side] - first, columns[rows]]
    return columns, sides.min(axis=0), sides.max(axis=0)


def _bends(cells: PlanarComplex) -> tuple[np.ndarray, np.ndarray]:
    """Vertices where exactly two edges of one folded hyperplane meet, and these edges."""
    edges = interior_edges(cells.edge_cells)
    names = np.column_stack(_pieces_beside(cells, edges)).astype(np.int64)
    ends = cells.edges[edges].astype(np.int64)
    rows = np.column_stack([ends.T.ravel(), np.vstack([names, names]), np.concatenate([edges, edges])])
    rows = rows[np.lexsort(rows.T[::-1])]
    new = np.concatenate([[True], (rows[1:, :-1] != rows[:-1, :-1]).any(axis=1), [True]])
    starts = np.flatnonzero(new)
    first = starts[:-1][np.diff(starts) == 2]
    return rows[first, 0], np.column_stack([rows[first, -1], rows[first + 1, -1]])


def _turns(cells: PlanarComplex, vertices: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Angle by which the path along the first edge to the vertex and on along the second turns."""
    place = positions(cells, "input")
    others = cells.edges[pairs].sum(axis=2, dtype=np.int64) - vertices[:, None]
    return _angles_between(place[vertices] - place[others[:, 0]], place[others[:, 1]] - place[vertices])


def _angles_between(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Angles between rows, accurate near 0 and pi (Kahan); NaN for a zero row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = one / np.linalg.norm(one, axis=1, keepdims=True)
        two = two / np.linalg.norm(two, axis=1, keepdims=True)
    angles: np.ndarray = 2 * np.arctan2(np.linalg.norm(one - two, axis=1), np.linalg.norm(one + two, axis=1))
    return angles
