r"""A layer's cells as power diagrams: each has a centroid and a squared radius that say where it is.

Let the units of a layer be convex, each the largest of its affine pieces, and $S(x) = \sum_k \max_r (\langle A_{k, r},
x\rangle + B_{k, r})$ the sum of its outputs, on a cell of the layers before, where the layer's input is affine. On the
part with pieces $r_1, r_2, \dots$ that sum is $\langle \mu, x\rangle + \beta$ with $\mu = \sum_k A_{k, r_k}$ and
$\beta = \sum_k B_{k, r_k}$, the largest of all such functions. Hence with $\rho = \|\mu\|^2 + 2\beta$

$$x \in \text{cell } i \iff i = \arg\min_j \|x - \mu_j\|^2 - \rho_j ,$$

a power diagram (Laguerre diagram) within that cell. $\mu$ is the Jacobian of the layer transposed times the vector of
ones: one backward pass. $\rho$ is a squared radius and may be negative; a centroid need not lie in its cell.

On a slice the diagram is again one, with the centroids projected. Source: Balestriero, Cosentino, Aazhang and Baraniuk
(2019), The geometry of deep networks: power diagram subdivision, arXiv 1905.08443.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from splinescope.complexity.branches import folds_before, pattern_columns, rows_numbered
from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import branch_gradients, chunk_length
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.metric import check_choice

_BLOCK = 1 << 22
"""Numbers of a matrix of powers that are held at once."""


@dataclass(frozen=True, eq=False)
class PowerDiagram(Shown):
    """Centroids and squared radii of a layer's cells, one cell of the layers before after the other.

    Attributes:
        op: The layer's node.
        centroids: Centroid of each of the layer's cells, in domain coordinates or as a flat input.
        radii: Squared radius of each, which may be negative.
        parents: Cell of the layers before that each lies in.
        cell_sites: Row of `centroids` for each cell of the complex.
        space: "domain" or "input": what the coordinates are.
    """

    op: int
    centroids: Float[np.ndarray, "sites d"]
    radii: Float[np.ndarray, " sites"]
    parents: Int[np.ndarray, " sites"]
    cell_sites: Int[np.ndarray, " cells"]
    space: str

    def __len__(self) -> int:
        """Number of the layer's cells in the domain."""
        return len(self.radii)

    @property
    def cell_parents(self) -> Int[np.ndarray, " cells"]:
        """Cell of the layers before that each cell of the complex lies in."""
        return self.parents[self.cell_sites]

    @property
    def offsets(self) -> Float[np.ndarray, " sites"]:
        r"""The $\beta$ of each site; the sum of the layer's outputs is $\langle\mu, x\rangle + \beta$ on its cell."""
        return 0.5 * (self.radii - np.einsum("sd,sd->s", self.centroids, self.centroids))

    def nearest(self, points: Float[np.ndarray, "n d"], parents: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        r"""Site of least power $\|x - \mu\|^2 - \rho$ among those of a parent.

        Args:
            points: Points, in the coordinates of the diagram.
            parents: Cell of the layers before in which to look for each of them.

        Returns:
            Rows of `centroids`. Cost: the number of points times that of sites in a parent.
        """
        out = np.empty(len(points), dtype=np.int64)
        for rows, sites in self._groups(parents):
            sums = points[rows] @ self.centroids[sites].T + self.offsets[sites]
            out[rows] = sites[sums.argmax(axis=1)]
        return out

    def excess(self, points: Float[np.ndarray, "n d"], sites: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """How far the power of a given site exceeds the least power among the sites of its parent; 0 where it is least.

        Args:
            points: Points, in the coordinates of the diagram.
            sites: A site for each of them.

        Returns:
            Differences, at least zero.
        """
        out = np.empty(len(points))
        for rows, group in self._groups(self.parents[sites]):
            sums = points[rows] @ self.centroids[group].T + self.offsets[group]
            own = sums[np.arange(len(rows)), np.searchsorted(group, sites[rows])]
            out[rows] = 2 * (sums.max(axis=1) - own)
        return out

    def _groups(self, parents: np.ndarray) -> Any:
        """Rows of points of one parent, not too many at once, and the sites of that parent."""
        order = np.argsort(self.parents, kind="stable")
        starts = np.searchsorted(self.parents[order], np.arange(int(self.parents.max(initial=-1)) + 2))
        points = np.argsort(parents, kind="stable")
        for group in np.split(points, np.flatnonzero(np.diff(parents[points])) + 1):
            if len(group):
                parent = int(parents[group[0]])
                sites = order[starts[parent] : starts[parent + 1]]
                step = max(1, _BLOCK // len(sites))
                for first in range(0, len(group), step):
                    yield group[first : first + step], sites


@dataclass(frozen=True)
class PowerCheck(Shown):
    """Agreement of a power diagram with a tessellation.

    Attributes:
        op: The layer's node.
        sites: Number of the layer's cells.
        parents: Number of cells of the layers before.
        agreement: Fraction of the cells' interior points whose site of least power is that of their cell.
        largest_excess: Largest difference between the power of a cell's own site and the least power in its parent, at
            all vertices of the cell, relative to the largest size of the powers. Powers differ by affine functions, so
            that zero at the vertices is zero on the cell; NaN for a complex without vertices.
    """

    op: int
    sites: int
    parents: int
    agreement: float
    largest_excess: float


def power_diagram(cells: Any, op: int | None = None, *, space: str = "domain") -> PowerDiagram:
    """Centroids and squared radii of a layer's cells in the domain.

    Args:
        cells: A complex of any dimension, or a region graph.
        op: A node that folds; the first one by default, before which the only cell is the whole domain.
        space: "domain" for centroids in domain coordinates, "input" for centroids in the input space.

    Returns:
        The diagram. Cells without a place in the domain, of which most layers have many, are not listed.

    Raises:
        InvalidInputError: If `op` does not fold, or has a unit that is not convex (a clip, say), for which the largest
            piece is not the one that it is on.

    Cost: the affine maps of the layer's cells; and one matrix product for each cell of the layers before.

    Example:
        For one ReLU unit of the input itself the centroids are 0 and its weight vector:

        >>> import torch, splinescope
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU())
        >>> _ = torch.nn.init.constant_(module[0].weight, 1.0), torch.nn.init.constant_(module[0].bias, 0.5)
        >>> cells = splinescope.tessellate(splinescope.load(module), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> diagram = power_diagram(cells)
        >>> sorted(zip(diagram.centroids.tolist(), diagram.radii.tolist()))
        [([0.0, 0.0], 0.0), ([1.0, 1.0], 3.0)]
    """
    check_choice("space", space, ("domain", "input"))
    network: Network = cells.network
    columns = pattern_columns(cells)
    node = next(iter(columns), -1) if op is None else op
    if node not in columns:
        raise InvalidInputError(f"`op`: got {node}; expected a node that folds, one of {list(columns)}")
    _check_convex(network.nodes[node], node)
    patterns = cells.patterns
    before = [patterns[:, columns[index]] for index in folds_before(network, node)]
    parents = rows_numbered(np.concatenate([np.zeros((len(cells), 0), np.uint8), *before], axis=1))
    sites = rows_numbered(np.concatenate([*before, patterns[:, columns[node]]], axis=1))
    _, firsts = np.unique(sites, return_index=True)
    gradients, values = _sums(network, patterns[firsts], columns, node, cells.domain.origin)
    origin = cells.domain.origin.ravel()
    if space == "domain":
        centroids, offsets = gradients @ cells.domain.basis.reshape(cells.domain.dimension, -1).T, values
    else:
        centroids, offsets = gradients, values - gradients @ origin
    radii = np.einsum("sd,sd->s", centroids, centroids) + 2 * offsets
    return PowerDiagram(node, centroids, radii, parents[firsts], sites, space)


def check_power_diagram(cells: Any, op: int | None = None) -> PowerCheck:
    """Compare a layer's power diagram with the tessellation: cells assigned by least power, and by their patterns.

    Args:
        cells: A complex of any dimension, or a region graph.
        op: A node that folds; the first one by default.

    Returns:
        The agreement at interior points, and the largest excess over all vertices of all cells.

    Raises:
        InvalidInputError: As `power_diagram`.

    Cost: that of `power_diagram`, and for each vertex a product with all sites of its parent.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> check = check_power_diagram(cells)
        >>> check.sites, check.agreement
        (4, 1.0)
    """
    diagram = power_diagram(cells, op)
    nearest = diagram.nearest(cells.interior_points, diagram.cell_parents)
    largest = float("nan")
    if isinstance(cells, VertexComplex):
        points = cells.vertices[cells.cell_vertices]
        sites = np.repeat(diagram.cell_sites, np.diff(cells.cell_offsets))
        size = np.abs(points) @ np.abs(diagram.centroids).max(axis=0, initial=0.0)
        scale = 2 * float((size + np.abs(diagram.offsets).max(initial=0.0)).max(initial=0.0))
        largest = float(diagram.excess(points, sites).max(initial=0.0)) / (scale or 1.0)
    agreement = float((nearest == diagram.cell_sites).mean()) if len(cells) else 1.0
    return PowerCheck(diagram.op, len(diagram), len(np.unique(diagram.parents)), agreement, largest)


def _check_convex(node: Node, index: int) -> None:
    if node.fold is not None and not node.fold.convex:
        raise InvalidInputError(
            f"`op`: node {index} has units that are not convex, whose cells are no power diagram; expected units that "
            "are the largest of their pieces, such as ReLU, leaky ReLU, absolute value and max-pool"
        )


def _sums(
    network: Network, patterns: np.ndarray, columns: dict[int, slice], node: int, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient by the flat input, and value at the domain's origin, of the sum of a layer's outputs on each branch."""
    gradients, values = np.empty((len(patterns), origin.size)), np.empty(len(patterns))
    step = chunk_length(network, 3)
    for start in range(0, len(patterns), step):
        rows = torch.from_numpy(patterns[start : start + step])
        pieces = {index: rows[:, part] for index, part in columns.items()}
        x, ones = torch.from_numpy(origin).expand(len(rows), *origin.shape), torch.ones(1, 1, network.nodes[node].size)
        value, found = branch_gradients(network, pieces, x, ones.double().expand(len(rows), -1, -1), node)
        gradients[start : start + step], values[start : start + step] = found[:, 0].numpy(), value.sum(dim=1).numpy()
    return gradients, values
