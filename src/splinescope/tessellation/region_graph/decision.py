"""Decision boundaries in any dimension, as the facets of a region graph between cells of different classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from splinescope.network.graph import Network
from splinescope.shown import Shown
from splinescope.tessellation.contest import competing, with_winner
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.region_graph.engine import region_graph
from splinescope.tessellation.region_graph.graph import RegionGraph


@dataclass(frozen=True)
class DecisionFacets(Shown):
    """Where the predicted class changes, as facets of cells of the network followed by the contest of its outputs.

    Attributes:
        graph: Cells on each of which the outputs are affine and one class is predicted.
        labels: [cells] class of each cell.
        facets: [M] facets between different classes, as indices into the facets of `graph`.
        classes: [M, 2] classes behind and in front of each.
        cells: [M, 2] cells of `graph` behind and in front.
    """

    graph: RegionGraph
    labels: Int[np.ndarray, " cells"]
    facets: Int[np.ndarray, " M"]
    classes: Int[np.ndarray, "M 2"]
    cells: Int[np.ndarray, "M 2"]

    def __len__(self) -> int:
        return len(self.facets)

    @property
    def points(self) -> Float[np.ndarray, "M d"]:
        """[M, d] a point in each facet, in the domain's coordinates."""
        return np.asarray(self.graph.facet_points[self.facets])

    @property
    def halfspaces(self) -> Float[np.ndarray, "M _"]:
        """[M, d + 1] unit normal, from the cell behind to that in front, and offset of each facet."""
        return np.asarray(self.graph.facet_halfspaces[self.facets])


def decision_facets(
    network: Network, domain: Domain, *, classes: Sequence[int] | None = None, **options: Any
) -> DecisionFacets:
    """The facets between classes on a domain of any dimension.

    The network is followed by the maximum of the outputs that compete (by the sign, if there is one output), so that
    its cells are those of the network cut along the decision boundary.

    Args:
        network: The network.
        domain: The domain.
        classes: Outputs that compete; all if None. See `decision_boundary`.
        **options: Those of `region_graph`.

    Returns:
        The facets. Cost: that of the region graph of the longer network.

    Raises:
        InvalidInputError: If `classes` are not at least two different outputs.
    """
    labels = competing(network, classes)
    graph = region_graph(with_winner(network, labels), domain, **options)
    won = labels[graph.patterns[:, -1]]
    facets = graph.facets
    between = won[facets.cells[:, 0]] != won[facets.cells[:, 1]]
    return DecisionFacets(graph, won, facets.numbers[between], won[facets.cells[between]], facets.cells[between])
