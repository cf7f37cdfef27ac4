r"""The affine test on a network: which units would fold if the network were its affine map at x everywhere.

With the pattern of $x$ kept, the argument of unit $k$ is $h_k + \nabla h_k \cdot d$ at $x + d$. It changes its sign
over the frame $x \pm r v_p$ if $|h_k| \le r \max_p |\nabla h_k \cdot v_p|$, and over the ball if
$|h_k| \le r \|\nabla h_k\|$. One forward pass gives all $h_k$, and Jacobian-vector products all slopes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splinescope.complexity.local.vertices import behind_folds, pieces_differ, signs_differ
from splinescope.network.copies import linear_part
from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Fold, Maximum

BLOCK = 64
"""Directions that are taken at once."""


class TangentWalk:
    """Evaluates a network, and its slopes along directions, at many points.

    Args:
        network: The network.
        frame: [P, *input_shape] directions; None for all those of the input space.
        radius: Radius of the neighbourhood.
        logits: Whether the signs of the outputs count, too.
        ball: Whether the neighbourhood is the ball in the span of the directions, rather than the cross-polytope.
    """

    def __init__(
        self, network: Network, frame: Float[Tensor, "P ..."] | None, radius: float, logits: bool, ball: bool
    ) -> None:
        nodes = network.nodes[: network.output + 1]
        self._network, self._frame, self._radius, self._logits, self._ball = network, frame, radius, logits, ball
        self._folding = [index for index, node in enumerate(nodes) if node.units]
        self._behind = behind_folds(network)
        self._last = last_uses(network)
        self._linear = {i: linear_part(node.op) for i, node in enumerate(nodes) if not node.units}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are tested."""
        names = tuple(self._network.nodes[index].name for index in self._folding)
        return (*names, "output") if self._logits else names

    @cached_property
    def numbers_per_point(self) -> int:
        """Numbers that are held at once for each point, with one block of directions."""
        nodes = self._network.nodes
        arguments = sum(2 * nodes[nodes[index].inputs[0]].size for index in self._folding)
        return arguments + 4 * max(node.size for node in nodes) * min(BLOCK, self._directions)

    def cuts(self, x: Float[Tensor, "n ..."]) -> Iterator[Bool[Tensor, "n units"]]:
        """Whether each unit of each layer folds in the neighbourhood, for a chunk of points.

        Args:
            x: Points.

        Yields:
            One matrix for each layer, in the order of `layers`.
        """
        wanted = {self._network.nodes[index].inputs[0] for index in self._folding} | {self._network.output}
        values = {index: value for index, value in walk(self._network, x) if index in wanted}
        arguments = {index: values[self._network.nodes[index].inputs[0]] for index in self._folding}
        pieces = {index: self._pieces(index, argument) for index, argument in arguments.items()}
        reaches: list[Tensor] = []
        for start in range(0, self._directions, BLOCK):
            found = list(self._block(x, pieces, start))
            reaches = [self._joined(*pair) for pair in zip(reaches, found, strict=True)] if reaches else found
        radii = [self._radius * (reach.sqrt() if self._ball else reach) for reach in reaches]
        for index, reach in zip(self._folding, radii, strict=False):
            yield self._cut(index, arguments[index], pieces[index], reach)
        if self._logits:
            outputs = values[self._network.output].flatten(1)
            yield signs_differ(outputs - radii[-1], outputs + radii[-1])

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

    def _block(self, x: Tensor, pieces: dict[int, Tensor], start: int) -> Iterator[Tensor]:
        """How steep the arguments of each layer are along a block of directions: [n or 1, units] or [.., members]."""
        directions = self._some(x, start)
        tangents: dict[int, Tensor] = {}
        for index, node in enumerate(self._network.nodes[: self._network.output + 1]):
            sources = [tangents[source] for source in node.inputs]
            if not sources:
                tangents[index] = directions
            elif node.units:
                slopes = self._by_point(node.inputs[0], sources[0], len(directions))
                yield self._steepness(self._competing(index, slopes, pieces[index]))
                tangents[index] = self._folded(index, slopes, pieces[index])
            else:
                if self._behind[index]:
                    pairs = zip(node.inputs, sources, strict=True)
                    sources = [
                        source if self._behind[i] else source.repeat(len(x), *(1,) * (source.ndim - 1))
                        for i, source in pairs
                    ]
                tangents[index] = self._linear[index].evaluate(*sources)
            for source in {index, *node.inputs}:
                if self._last[source] <= index:
                    del tangents[source]
        if self._logits:
            output = self._network.output
            yield self._steepness(self._by_point(output, tangents[output], len(directions)))

    def _by_point(self, index: int, tangent: Tensor, directions: int) -> Tensor:
        """[n, B, size], with n = 1 before the first fold, where slopes are those of every point."""
        points = len(tangent) // directions if self._behind[index] else 1
        return tangent.reshape(points, directions, -1)

    def _steepness(self, slopes: Tensor) -> Tensor:
        """Largest slope over the directions; for the ball the sum of squares."""
        return slopes.square().sum(dim=1) if self._ball else slopes.abs().amax(dim=1)

    def _pieces(self, index: int, argument: Tensor) -> Tensor:
        """[n, units] piece of each unit, or position of the winner of each group."""
        op = self._network.nodes[index].op
        assert isinstance(op, Fold)
        return op.pieces(argument).flatten(1)

    def _competing(self, index: int, slopes: Tensor, pieces: Tensor) -> Tensor:
        """Slopes of what decides the piece: of the arguments, or of the members of a group less that of the winner."""
        op = self._network.nodes[index].op
        if isinstance(op, Activation):
            return slopes
        assert isinstance(op, Maximum)
        members = op.by_member(slopes.flatten(0, 1), 0.0).reshape(*slopes.shape[:2], *op.index.shape)
        winner = pieces[:, None, :, None].expand(-1, members.shape[1], -1, -1)
        return members - members.expand(len(pieces), -1, -1, -1).gather(3, winner)

    def _folded(self, index: int, slopes: Tensor, pieces: Tensor) -> Tensor:
        """[n * B, *shape] slopes behind a node that folds."""
        node = self._network.nodes[index]
        assert isinstance(node.op, Fold)
        return node.op.along_pieces(pieces, slopes).reshape(-1, *node.shape)

    def _cut(self, index: int, argument: Tensor, pieces: Tensor, reach: Tensor) -> Tensor:
        """Whether each unit of a node that folds meets several pieces within its reach."""
        op = self._network.nodes[index].op
        if isinstance(op, Activation):
            flat = argument.flatten(1)
            return pieces_differ(op, flat - reach, flat + reach)
        assert isinstance(op, Maximum)
        members = op.by_member(argument.flatten(1), -torch.inf)
        behind = members - members.gather(2, pieces[:, :, None])
        return (behind + reach > 0).any(dim=2)
