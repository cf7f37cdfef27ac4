r"""How many cells a domain can have at most, from the units that can fold on it.

Within a cell of all earlier nodes, the folds of a node are hyperplanes. If its input is of rank $r$ there and $K$ of
its folds can meet the domain, the cell is cut into at most $\sum_{j \le r} \binom{K}{j}$ parts (Zaslavsky 1975), and
into no more than there are combinations of pieces. The product over all folding nodes bounds the number of cells
(Montúfar 2017, arXiv 1703.02930 for sequential networks). Which folds can meet the domain follows from bounds of each
unit's value there (see `Enclosure`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from splinescope.network.ops import Activation, Fold, Maximum
from splinescope.tessellation.domains.samples import bounding_box
from splinescope.tessellation.enclosure import Enclosure, over_boxes

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.search.explore import Explorer


@dataclass(frozen=True)
class Stability:
    """What can fold at one node.

    Attributes:
        node: Index of the node.
        folds: Number of folds that may meet the domain.
        combinations: Number of combinations of pieces that its units may have, as a logarithm to base 2.
        rank: What the rank of its input cannot exceed on a cell.
    """

    node: int
    folds: int
    combinations: float
    rank: int

    @property
    def parts(self) -> int:
        """Into how many parts the node can cut a cell at most."""
        if self.rank >= self.folds:
            arrangement = 2**self.folds
        else:
            arrangement = sum(math.comb(self.folds, j) for j in range(self.rank + 1))
        return min(arrangement, math.ceil(2.0**self.combinations)) if self.combinations < 1000 else arrangement


def upper_bound(explorer: Explorer) -> int:
    """What the number of cells on the domain cannot exceed.

    Args:
        explorer: The network on its domain.

    Returns:
        The bound, which may be far from the number of cells; 1 if nothing folds on the domain.

    Cost: one pass of affine enclosures through the network.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(3,))
        >>> graph = splinescope.region_graph(relu, splinescope.Box([-1, -1, 1], [1, 1, 2]))
        >>> upper_bound(graph.explorer), len(graph)
        (4, 4)
    """
    return math.prod(stability.parts for stability in stabilities(explorer))


def stabilities(explorer: Explorer) -> tuple[Stability, ...]:
    """For each folding node, how much of it can fold on the domain.

    Args:
        explorer: The network on its domain.
    """
    nodes = explorer.network.nodes
    low, high = bounding_box(explorer.domain)
    known = {0: over_boxes(low[None], high[None], explorer.domain)}
    ends = {0: known[0].ends()}
    ranks = {0: explorer.domain.dimension}
    for index, bounds in Enclosure(explorer.network).walk(known):
        ends[index] = bounds.ends()
        ranks[index] = min(ranks[0], nodes[index].size, sum(ranks[source] for source in nodes[index].inputs))
    found = []
    for folding in explorer.layout.foldings:
        least, most = (side.numpy()[0] for side in ends[folding.source])
        op = nodes[folding.node].fold
        assert op is not None
        folds, combinations = _folds(op, least, most)
        found.append(Stability(folding.node, folds, combinations, ranks[folding.source]))
    return tuple(found)


def _folds(op: Fold, low: np.ndarray, high: np.ndarray) -> tuple[int, float]:
    """How many folds of an op meet the ranges of its arguments; how many combinations of pieces, to base 2."""
    if isinstance(op, Activation):
        count = len(op.breakpoints)
        places = np.asarray(op.breakpoints, np.float64).reshape(count, -1)
        bends = np.diff(np.asarray(op.slopes, np.float64).reshape(count + 1, -1), axis=0) != 0
        per_unit = (bends & (places > low) & (places < high)).sum(axis=0)
        return int(per_unit.sum()), float(np.log2(1.0 + per_unit).sum())
    assert isinstance(op, Maximum)
    groups = np.asarray(op.index)
    present, index = groups >= 0, np.maximum(groups, 0)
    least = np.where(present, low[index], -np.inf).max(axis=1)
    contenders = (present & (high[index] >= least[:, None])).sum(axis=1)
    return int((contenders * (contenders - 1) // 2).sum()), float(np.log2(contenders).sum())
