r"""Which units would fold near a point if the network were its affine map there everywhere.

With the pattern of $x$ kept, each unit keeps its piece up to its walls, affine forms that are $-g$ at $x$. One is met
in the cross-polytope of directions $x \pm r v_p$ if $g \le r \max_p |\nabla g \cdot v_p|$, and in the ball if
$g \le r \|\nabla g\|$; what does not change is never met. One forward pass gives all $g$, and Jacobian-vector products
all slopes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.network.ops.base import flat
from splinescope.tessellation.branches.layout import layout_of
from splinescope.tessellation.branches.walk import walk_slopes, walk_values

BLOCK = 64
"""Directions that are taken at once."""


class TangentWalk:
    """Evaluates a network, and its slopes along directions, at many points.

    Args:
        network: The network, on any device and of any floating-point type.
        frame: [P, *input_shape] directions; None for all those of the input space.
        radius: Radius of the neighbourhood.
        logits: Whether the signs of the outputs count, too.
        ball: Whether the neighbourhood is the ball in the span of the directions, rather than the cross-polytope.
    """

    def __init__(
        self, network: Network, frame: Float[Tensor, "P ..."] | None, radius: float, logits: bool, ball: bool
    ) -> None:
        self._network, self._frame, self._radius, self._logits, self._ball = network, frame, radius, logits, ball
        self._layout = layout_of(network, network.output)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are tested."""
        names = tuple(self._network.nodes[folding.node].name for folding in self._layout.foldings)
        return (*names, "output") if self._logits else names

    @cached_property
    def numbers_per_point(self) -> int:
        """Numbers that are held at once for each point, with one block of directions."""
        widest = max(node.size for node in self._network.nodes)
        most = max((len(folding.walls) for folding in self._layout.foldings), default=0)
        return 2 * self._layout.rows + (3 * widest + max(widest, most)) * min(BLOCK, self._directions)

    @torch.no_grad()
    def cuts(self, x: Float[Tensor, "n ..."]) -> Iterator[Bool[Tensor, "n units"]]:
        """Whether each unit of each layer folds in the neighbourhood, for a chunk of points.

        Args:
            x: Points.

        Yields:
            One matrix for each layer, in the order of `layers`.
        """
        pieces: dict[int, Tensor] = {}
        gaps: dict[int, Tensor] = {}
        outputs = flat(x)
        for index, value in walk_values(self._network, pieces, x):
            outputs = flat(value)
            for number in self._layout.readers.get(index, ()):
                folding = self._layout.foldings[number]
                pieces[folding.node] = folding.op.pieces(outputs)
                gaps[number] = -folding.walls.values(pieces[folding.node], outputs)
        radii = self._radii(x, pieces)
        for number, folding in enumerate(self._layout.foldings):
            gap, reach = (part.reshape(len(part), -1, folding.units) for part in (gaps[number], radii[number]))
            yield ((gap <= reach) & (reach > 0)).any(dim=1)
        if self._logits:
            reach = radii[len(gaps)]
            yield (outputs - reach).sign() != (outputs + reach).sign()

    def _radii(self, x: Tensor, pieces: dict[int, Tensor]) -> dict[int, Tensor]:
        """How far the walls of each layer reach, [n or 1, walls or units], and last the outputs."""
        steep: dict[int, Tensor] = {}
        for start in range(0, self._directions, BLOCK):
            for number, found in self._steepness(x, pieces, start):
                steep[number] = self._joined(steep[number], found) if number in steep else found
        return {number: self._radius * (found.sqrt() if self._ball else found) for number, found in steep.items()}

    @property
    def _directions(self) -> int:
        return math.prod(self._network.input_shape) if self._frame is None else len(self._frame)

    def _joined(self, one: Tensor, other: Tensor) -> Tensor:
        """What two blocks of directions give together: sums of squares, or maxima."""
        return one + other if self._ball else torch.maximum(one, other)

    def _some(self, x: Tensor, start: int) -> Tensor:
        """A block of directions."""
        if self._frame is not None:
            return self._frame[start : start + BLOCK]
        size = self._directions
        rows = torch.arange(start, min(start + BLOCK, size), device=x.device)
        block = torch.zeros(len(rows), size, dtype=x.dtype, device=x.device)
        block[torch.arange(len(rows), device=x.device), rows] = 1.0
        return block.reshape(-1, *self._network.input_shape)

    def _steepness(self, x: Tensor, pieces: dict[int, Tensor], start: int) -> Iterator[tuple[int, Tensor]]:
        """How steep the walls of each layer are along a block of directions, and last the outputs."""
        for index, slopes in walk_slopes(self._network, pieces, self._some(x, start)[None]):
            rows = slopes.reshape(*slopes.shape[:2], self._network.nodes[index].size)
            for number in self._layout.readers.get(index, ()):
                folding = self._layout.foldings[number]
                # Signs don't matter, so that all walls of a unit that reads one number are as steep as that.
                steep = rows if folding.op.elementwise else folding.walls.slopes(pieces[folding.node], rows)
                yield number, self._largest(steep)
            if self._logits and index == self._network.output:
                yield len(self._layout.foldings), self._largest(rows)

    def _largest(self, slopes: Tensor) -> Tensor:
        """Largest slope over the directions; for the ball the sum of squares."""
        return slopes.square().sum(dim=1) if self._ball else slopes.abs().amax(dim=1)
