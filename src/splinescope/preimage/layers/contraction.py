r"""Contraction: how ReLUs take a domain layer by layer to faces of the orthant, and how many cells that can take.

Where nothing is positive off the diagonals and no bias is positive, what is zero stays zero ($x_i = 0 \Rightarrow y_i =
0$), so that the supports of the activations shrink along the layers. A chain of $L$ completely nested layers in $d$
dimensions with negative biases then has exactly $(L + 1)^d$ cells in the orthant, since each coordinate dies in one of
the layers or never, and the preimage of $\{n \cdot y = t\}$, $n > 0$, $t > 0$, has $(L + 1)^d - L^d$ pieces: those
where at least one coordinate is left. Both are polynomials in the depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from splinescope.errors import InvalidInputError
from splinescope.preimage.layers.dual_basis import layer_of
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex


def nested_cells(dimension: int, layers: int) -> int:
    """Cells in the orthant of a chain of completely nested layers with negative biases.

    Args:
        dimension: Number of units of each layer.
        layers: Number of layers.

    Returns:
        Their number. Cost: one power.

    Example:
        >>> nested_cells(3, 3), nested_pieces(3, 3)
        (64, 37)
    """
    return int((layers + 1) ** dimension)


def nested_pieces(dimension: int, layers: int) -> int:
    """Pieces of the preimage of a hyperplane that cuts off the origin, under such a chain; see `nested_cells`.

    Args:
        dimension: Number of units of each layer.
        layers: Number of layers.

    Returns:
        Their number. Cost: two powers.

    Example:
        >>> [nested_pieces(2, layers) for layers in (1, 2, 3)]
        [3, 5, 7]
    """
    return int((layers + 1) ** dimension - layers**dimension)


@dataclass(frozen=True, eq=False)
class Contraction(Shown):
    """What becomes of a domain along the layers of a network with ReLUs.

    Attributes:
        nodes: The nodes with ReLUs.
        supports: [cells, units] for each of them, which units are not zero on each cell.
        measures: [cells] measure of each cell.
    """

    nodes: tuple[int, ...]
    supports: tuple[Bool[np.ndarray, "cells units"], ...]
    measures: Float[np.ndarray, " cells"]

    @property
    def dimensions(self) -> np.ndarray:
        """[layers, cells] what the dimension of each cell's image cannot exceed, the least support so far."""
        sizes = np.array([support.sum(axis=1) for support in self.supports])
        return np.minimum.accumulate(sizes, axis=0)

    def monotone(self) -> bool:
        """Whether what is zero stays zero on all cells.

        Raises:
            InvalidInputError: If the layers are not of one size.
        """
        if len({support.shape[1] for support in self.supports}) > 1:
            raise InvalidInputError("`monotone`: layers have different sizes; expected a chain of layers of one size")
        return all(
            bool((later <= former).all()) for former, later in zip(self.supports, self.supports[1:], strict=False)
        )

    def shares(self, layer: int = -1) -> dict[tuple[int, ...], float]:
        """Share of the domain that each face of the orthant receives behind one layer.

        Args:
            layer: Which layer, counted from 0; the last one by default.

        Returns:
            For each set of units that are not zero, the share of the domain, in descending order.
        """
        rows, inverse = np.unique(self.supports[layer], axis=0, return_inverse=True)
        sums = np.bincount(inverse.ravel(), self.measures) / self.measures.sum()
        order = np.argsort(-sums, kind="stable")
        return {tuple(np.flatnonzero(rows[k]).tolist()): float(sums[k]) for k in order}


def contraction(cells: PolyhedralComplex) -> Contraction:
    """Supports of the activations on the cells of a network with ReLUs.

    Args:
        cells: Its complex.

    Returns:
        The supports, layer by layer. Cost: the patterns of all cells, unpacked.

    Raises:
        InvalidInputError: If a node folds in another way.

    Example:
        A quarter of the square is collapsed to each face of the quadrant:

        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> sorted(contraction(cells).shares().items())
        [((), 0.25), ((0,), 0.25), ((0, 1), 0.25), ((1,), 0.25)]
    """
    patterns, nodes, supports = cells.patterns, [], []
    for node, start, stop in cells.pattern_nodes:
        fold = cells.network.nodes[node].fold
        if fold is None or not fold.clamps:
            raise InvalidInputError(f"`cells`: node {node} is no ReLU; expected a network with ReLUs alone")
        nodes.append(node)
        supports.append(patterns[:, start:stop].astype(bool))
    return Contraction(tuple(nodes), tuple(supports), cells.measures)


def flow(layers: Any, points: Any) -> Float[np.ndarray, "steps n d"]:
    """Where points are behind each of some layers with ReLU.

    Args:
        layers: Pairs of a square matrix and an offset.
        points: [n, d] inputs.

    Returns:
        Positions, first the points themselves. Cost: a forward pass.

    Example:
        >>> flow([([[1.0, -0.5], [-0.5, 1.0]], -0.1)], [[1.0, 0.2]]).tolist()
        [[[1.0, 0.2]], [[0.8, 0.0]]]
    """
    steps = [np.asarray(points, np.float64)]
    for W, b in layers:
        weight, bias = layer_of(W, b)
        steps.append(np.maximum(steps[-1] @ weight.T + bias, 0.0))
    return np.stack(steps)
