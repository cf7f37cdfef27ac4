r"""Bounds of nodes on polytopes by their values at the corners, which cells share: two numbers for each cell and unit.

On a cell with corners $v$ a node's gap is $[-a, b]$ if $z(x) - \sum_v w_v z(v) \in [-a, b]$ for all convex
combinations $x = \sum_v w_v v$. What is affine on the cell has none; a convex activation is below the combination of
its values at the corners (Jensen's inequality), by no more than it sags over the range of its argument; an affine op
takes gaps through $W^+$ and $W^-$. The values at the corners are those of a forward pass, one for each vertex of a
complex, so that these bounds take a fraction of the time of enclosures, which have rows of their own for each corner of
each cell. They are less tight, since slopes of lines are not remembered, and tighter where a sum of gaps has one sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.geometry.gaps import widen_gaps
from splinescope.network.graph import Network
from splinescope.network.ops import Activation


class Gaps:
    """Gaps of the output of a network on many cells, but for rounding, for which the caller accounts.

    Args:
        network: The network.
        nodes: Its nodes, ascending, that are not affine on the cells; the folds among them are activations.

    Cost: two products with a layer's weights for each cell, and a look at the values at its corners.

    Example:
        The absolute value on [-1, 3] is below the combination of its values at the ends by 1.5 at most:

        >>> import splinescope
        >>> network = splinescope.load(torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU()), input_shape=(1,))
        >>> x = torch.tensor([[-1.0], [3.0]], dtype=torch.float64)
        >>> values = {0: x, 1: x, 2: x.relu()}
        >>> down, up = Gaps(network, [network.output]).of_output(values, np.array([0, 1]), np.array([0, 2]))
        >>> down.item(), up.item()
        (0.75, 0.0)
    """

    def __init__(self, network: Network, nodes: Sequence[int]) -> None:
        self._network, self._nodes = network, nodes
        self._tables = {}
        for index in nodes:
            op = network.nodes[index].op
            if isinstance(op, Activation):
                self._tables[index] = op.tables(network.nodes[index].size)

    @torch.no_grad()
    def of_output(
        self,
        values: Mapping[int, Float[Tensor, "V n"]],
        corners: Int[np.ndarray, " corners"],
        offsets: Int[np.ndarray, " cells_plus_one"],
    ) -> tuple[Float[np.ndarray, "cells n_out"], Float[np.ndarray, "cells n_out"]]:
        """How far below and above the combinations of values at corners the outputs may be.

        Args:
            values: Rows of all nodes that the nodes read, at some vertices.
            corners: Which of these are corners of the cells, cell after cell.
            offsets: Start of each cell among the corners.

        Returns:
            Both, not negative; NaN or infinite where numbers overflow.
        """
        count = len(offsets) - 1
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for index in self._nodes:
            node = self._network.nodes[index]
            shapes = [(count, self._network.nodes[source].size) for source in node.inputs]
            sources = [
                found.get(source) or (torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64))
                for source, shape in zip(node.inputs, shapes, strict=True)
            ]
            if index in self._tables:
                down, up = (side.clone().numpy() for side in sources[0])
                rows = values[node.inputs[0]].reshape(-1, node.size).numpy()
                widen_gaps(rows, corners, offsets, *self._tables[index], down, up)
                found[index] = torch.from_numpy(down), torch.from_numpy(up)
            else:
                found[index] = self._through(index, sources)
        below, above = found[self._network.output]
        return below.numpy(), above.numpy()

    def _through(self, index: int, sources: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """The gaps of an op without folds."""
        node = self._network.nodes[index]
        op, shapes = node.affine, [self._network.nodes[source].shape for source in node.inputs]
        assert op is not None
        middle = [((up - down) / 2).reshape(-1, *shape) for (down, up), shape in zip(sources, shapes, strict=True)]
        half = [((up + down) / 2).reshape(-1, *shape) for (down, up), shape in zip(sources, shapes, strict=True)]
        centre = op.linear.evaluate(*middle).reshape(-1, node.size)
        reach = op.carried(*half).reshape(-1, node.size)
        return (reach - centre).clamp_(min=0.0), (reach + centre).clamp_(min=0.0)
