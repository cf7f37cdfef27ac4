"""The facets between cells, in one form for complexes of every dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from splinescope.errors import InvalidInputError


@dataclass(frozen=True)
class Facets:
    """Facets inside the domain: edges in a plane, breakpoints on a line, faces in space.

    Attributes:
        numbers: Index of each in the complex: of an edge, a facet, or a vertex of a segment.
        cells: The two cells of each.
        ops: Node of the network whose fold made it.
        units: Flat index of the unit in that node's output.
    """

    numbers: Int[np.ndarray, " facets"]
    cells: Int[np.ndarray, "facets 2"]
    ops: Int[np.ndarray, " facets"]
    units: Int[np.ndarray, " facets"]


def inner_facets(cells: Any) -> Facets:
    """Facets between two cells of a complex, with what made them.

    Args:
        cells: A complex of any dimension, or a region graph, each of whose facets is then listed once.

    Returns:
        The facets; on a segment one for each unit that flips, which can be several at one vertex.

    Raises:
        InvalidInputError: If `cells` does not tell which unit made its facets.
    """
    if hasattr(cells, "flip_offsets"):
        vertex = np.repeat(np.arange(len(cells) + 1), np.diff(cells.flip_offsets))
        return _listed(np.column_stack([vertex - 1, vertex]), cells.flip_op, cells.flip_unit, vertex)
    if hasattr(cells, "facet_neighbours"):
        owner = np.repeat(np.arange(len(cells)), np.diff(cells.facet_offsets))
        neighbours = np.asarray(cells.facet_neighbours)
        pairs = np.column_stack([owner, np.where(neighbours > owner, neighbours, -1)])
        return _listed(pairs, cells.facet_op, cells.facet_unit)
    if hasattr(cells, "edge_cells"):
        return _listed(cells.edge_cells, cells.edge_op, cells.edge_unit)
    if hasattr(cells, "facet_cells"):
        return _listed(cells.facet_cells, cells.facet_op, cells.facet_unit)
    raise InvalidInputError(
        f"`cells`: got {type(cells).__name__}, which does not tell the facets between its cells; expected a complex"
    )


def _listed(pairs: np.ndarray, ops: np.ndarray, units: np.ndarray, numbers: np.ndarray | None = None) -> Facets:
    inner = np.flatnonzero(pairs.min(axis=1, initial=0) >= 0)
    return Facets(
        (inner if numbers is None else numbers[inner]).astype(np.int64),
        *(part[inner].astype(np.int64) for part in (pairs, ops, units)),
    )
