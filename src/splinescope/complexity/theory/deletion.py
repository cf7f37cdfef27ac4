r"""Counts by deletion and restriction: an independent check of the number of cells.

Let $h$ be a unit of a last folding layer: no fold lies behind it. Take its fold away and each cell of the remaining
complex $C - h$ is a convex set on which $h$ has one affine argument, so that it was either whole before or cut into
two by a hyperplane. Hence

$$N(C) = N(C - h) + N(C|_h),$$

where $N(C|_h)$ is the number of cells of $C - h$ that the fold of $h$ cuts: the cells of the complex that $C - h$
leaves on the fold, or the facets of $C$ across which $h$ and no other unit changes. It needs no general position, and
with units of several breakpoints it holds too, each cut counted. In general position faces of all dimensions obey
$N_k(C) = N_k(C - h) + N_k(h) + N_{k - 1}(h)$.

Source: Zaslavsky (1975) for arrangements; Gaines and Bi (2026), lemma 3.3, arXiv 2606.07728, for networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node
from splinescope.network.load import ModelLike, as_network
from splinescope.network.ops import Select
from splinescope.shown import Shown
from splinescope.tessellation.complex import VertexComplex
from splinescope.tessellation.domains import Domain


@dataclass(frozen=True)
class FaceCounts(Shown):
    """Numbers of faces of a complex with vertices, of the complex without a unit, and of the unit's fold.

    Attributes:
        whole: Vertices, edges, ..., cells of the complex: a number for each dimension.
        without: The same without the unit.
        on_fold: Vertices, edges, ... of the fold, up to the facets of the complex, those on the domain's boundary too.
    """

    whole: tuple[int, ...]
    without: tuple[int, ...]
    on_fold: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether deletion and restriction hold in every dimension, as they must in general position."""
        padded = (0, *self.on_fold, 0)
        return self.whole == tuple(n + padded[k + 1] + padded[k] for k, n in enumerate(self.without))


@dataclass(frozen=True)
class DeletionRestriction(Shown):
    """Both sides of the count.

    Attributes:
        op: Node of the unit.
        unit: Flat index of the unit in that node's output.
        whole: Number of cells.
        without: Number of cells of the network without the unit, from a tessellation of its own.
        on_fold: Facets across which the unit and no other changes.
        named: Facets that the complex says this unit made; the same number in general position.
        faces: Counts of faces of all dimensions, for a complex with vertices; None for a region graph.
    """

    op: int
    unit: int
    whole: int
    without: int
    on_fold: int
    named: int
    faces: FaceCounts | None = None

    @property
    def holds(self) -> bool:
        """Whether the whole is the sum of its parts."""
        return self.whole == self.without + self.on_fold


def deletion_restriction(
    cells: Any, unit: int, op: int | None = None, *, tessellate: Callable[[Network, Domain], Any] | None = None
) -> DeletionRestriction:
    """Count the cells of a complex again: without one unit, and on the fold of that unit.

    Args:
        cells: A complex of any dimension, or a region graph, of the whole domain.
        unit: Flat index of the unit in the output of its node.
        op: Node of the unit; by default the last node that folds.
        tessellate: Makes the complex of the network without the unit; `splinescope.tessellate` by default.

    Returns:
        Both sides; see `holds`. Cost: one tessellation, and the patterns of all cells.

    Raises:
        InvalidInputError: If there is no such unit, a fold lies behind it, it is a maximum of three members or more, or
            cells are missing.

    Example:
        Of four quadrants two cells are left without one fold, and that fold has two cells of its own:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> sides = deletion_restriction(cells, unit=0)
        >>> sides.whole, sides.without, sides.on_fold, sides.holds
        (4, 2, 2, True)
    """
    if cells.truncated:
        raise InvalidInputError("`cells`: cells are missing; expected a complex of the whole domain")
    network: Network = cells.network
    node = _checked(network, unit, op)
    if tessellate is None:
        from splinescope.tessellation.engine import tessellate as tessellate_domain

        tessellate = tessellate_domain
    rest = tessellate(without_unit(network, node, unit), cells.domain)
    facets = cells.facets
    mine = (facets.ops == node) & (facets.units == unit)
    return DeletionRestriction(
        op=node,
        unit=unit,
        whole=len(cells),
        without=len(rest),
        on_fold=_changing_alone(cells, facets.cells, node, unit),
        named=int(mine.sum()),
        faces=_faces(cells, rest, facets.numbers[mine]) if isinstance(cells, VertexComplex) else None,
    )


def without_unit(network: ModelLike, op: int, unit: int) -> Network:
    """The network without one unit: its argument is not computed, and what reads it reads zero.

    Args:
        network: The network; or a module that tells its input shape, or the path of a file.
        op: A node that folds.
        unit: Flat index of the unit in the node's output.

    Returns:
        A network with one unit less. Its values differ; the folds of units that do not depend on this one are the same.

    Raises:
        InvalidInputError: If there is no such unit.

    Cost: a copy of the weights that meet the unit; the others are shared.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> without_unit(relu, op=1, unit=0).num_units
        1
    """
    network = as_network(network)
    if not 0 <= op < len(network.nodes) or not 0 <= unit < network.nodes[op].units:
        raise InvalidInputError(f"`op`, `unit`: node {op} has no unit {unit} that folds")
    nodes: list[Node] = []
    place: list[int] = []
    for index, node in enumerate(network.nodes):
        inputs = tuple(place[source] for source in node.inputs)
        if index == op:
            nodes += _reduced(node, unit, inputs[0], len(nodes), nodes[inputs[0]])
        else:
            nodes.append(replace(node, inputs=inputs))
        place.append(len(nodes) - 1)
    return Network(tuple(nodes), place[network.output], network.head, classes=network.classes)


def _reduced(node: Node, unit: int, source: int, at: int, before: Node) -> list[Node]:
    """The nodes that stand for a folding node without one unit: the others' arguments, their values, and a zero."""
    kept = torch.tensor([k for k in range(node.size) if k != unit], dtype=torch.int64)
    back = torch.full((node.size,), -1, dtype=torch.int64)
    back[kept] = torch.arange(len(kept))
    name = f"{node.name} without {unit}"
    spread = Select(back.reshape(node.shape))
    if not len(kept):
        return [Node(name, spread, (source,), node.shape)]
    op = node.fold
    assert op is not None
    if not op.elementwise:
        smaller = Node(name, op.taken(kept), (source,), (len(kept),))
        return [smaller, Node(f"{name}, spread", spread, (at,), node.shape)]
    return [
        Node(f"{name}, arguments", Select(kept), (source,), (len(kept),)),
        Node(name, op.taken(kept), (at,), (len(kept),)),
        Node(f"{name}, spread", spread, (at + 1,), node.shape),
    ]


def _checked(network: Network, unit: int, op: int | None) -> int:
    """The node of the unit; raises if the count does not hold for it."""
    folding = [i for i, node in enumerate(network.nodes) if node.units]
    node = (folding[-1] if folding else -1) if op is None else op
    if node not in folding or not 0 <= unit < network.nodes[node].units:
        raise InvalidInputError(f"`op`, `unit`: got node {node}, unit {unit}; expected a unit of one of {folding}")
    behind = {node}
    for index in range(node + 1, len(network.nodes)):
        if behind.intersection(network.nodes[index].inputs):
            behind.add(index)
            if network.nodes[index].units:
                raise InvalidInputError(
                    f"`op`: node {index} folds behind node {node}; expected a node of the last folding layer"
                )
    fold = network.folds[node]
    if not fold.elementwise and fold.cell_walls(network.nodes[node].size).counts[unit] > 2:
        raise InvalidInputError(f"`unit`: unit {unit} is a maximum of more than two members, whose fold branches")
    return node


def _changing_alone(cells: Any, pairs: np.ndarray, node: int, unit: int) -> int:
    """Number of pairs of neighbours whose patterns differ in one unit only."""
    start = sum(n.units for n in cells.network.nodes[:node])
    start = next((first for op, first, _ in cells.pattern_nodes if op == node), start)
    patterns = cells.patterns
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    pairs = pairs[patterns[pairs[:, 0], start + unit] != patterns[pairs[:, 1], start + unit]]
    return int(((patterns[pairs[:, 0]] != patterns[pairs[:, 1]]).sum(axis=1) == 1).sum())


def _faces(cells: Any, rest: Any, facets: np.ndarray) -> FaceCounts:
    """Numbers of faces, and of those below some facets."""
    below = [np.unique(facets)]
    for k in range(cells.domain.dimension - 1, 0, -1):
        if k == 1:
            below.append(np.unique(cells.edges[below[-1]]))
        else:
            lists = cells.faces[k]
            taken = np.repeat(np.isin(np.arange(len(lists.offsets) - 1), below[-1]), np.diff(lists.offsets))
            below.append(np.unique(lists.items[taken]))
    return FaceCounts(_numbers_of_faces(cells), _numbers_of_faces(rest), tuple(len(b) for b in reversed(below)))


def _numbers_of_faces(cells: Any) -> tuple[int, ...]:
    """Numbers of vertices, edges, ..., cells."""
    d = cells.domain.dimension
    edges = [len(cells.edges)] if d > 1 else []
    return (len(cells.vertices), *edges, *(len(cells.faces[k].offsets) - 1 for k in range(2, d)), len(cells))
