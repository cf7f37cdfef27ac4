r"""Bounds of a network on pieces of segments: zonotopes with one generator, the position itself, and a box.

On a piece with midpoint $m$ and half-width $h$, let $t = m + h\tau$. Every node is enclosed by
$$z(t) \in c + s\,\tau \pm r, \qquad \tau \in [-1, 1].$$
An affine op maps $c$ and $s$ linearly and the box $r \ge 0$ by the absolute values of its weights. A fold that may
happen on the piece is replaced by the chord of its graph over the range of its argument, give or take an error that
goes into the box (Singh et al., NeurIPS 2018, "Fast and effective robustness certification"). Ranges shrink with the
piece, and errors with their square: the bound becomes exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.copies import linear_part
from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Affine, Input, Maximum, Op, Sum

PASSES = 3
"""Forward passes that the bounds of a piece take."""


@dataclass(frozen=True, eq=False)
class Zonotopes:
    """Enclosures of one node on B pieces.

    Attributes:
        centre: [B, n] values in the middle.
        line: [B, n] coefficients of the position.
        box: [B, n] what is given or taken beside.
    """

    centre: Float[Tensor, "B n"]
    line: Float[Tensor, "B n"]
    box: Float[Tensor, "B n"]

    @property
    def reach(self) -> Float[Tensor, "B n"]:
        """Largest distance from the centre."""
        return self.line.abs() + self.box

    def gathered(self, index: Int[Tensor, "B out"]) -> Zonotopes:
        """Some of the numbers, others on each piece."""
        return Zonotopes(self.centre.gather(1, index), self.line.gather(1, index), self.box.gather(1, index))


class Enclosure:
    """Encloses the outputs of a network on pieces of segments.

    Args:
        network: The network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last = last_uses(network)
        self._linear = {
            index: linear_part(node.op) for index, node in enumerate(network.nodes) if isinstance(node.op, Affine)
        }

    @torch.no_grad()
    def __call__(self, middles: Float[Tensor, "B n"], halves: Float[Tensor, "B n"]) -> Zonotopes:
        """Enclose the output.

        Args:
            middles: Inputs in the middle of the pieces.
            halves: From there to the ends of the pieces.

        Returns:
            The enclosures.
        """
        known: dict[int, Zonotopes] = {}
        for index, node in enumerate(self._network.nodes[: self._network.output + 1]):
            sources = [known[source] for source in node.inputs]
            if isinstance(node.op, Input):
                known[index] = Zonotopes(middles, halves, torch.zeros_like(middles))
            elif isinstance(node.op, Activation):
                known[index] = _bent(node.op, sources[0])
            elif isinstance(node.op, Maximum):
                known[index] = _largest(node.op, sources[0])
            else:
                known[index] = self._through(index, sources)
            for source in {index, *node.inputs}:
                if self._last[source] <= index:
                    del known[source]
        return known[self._network.output]

    def _through(self, index: int, sources: list[Zonotopes]) -> Zonotopes:
        """An op without folds."""
        nodes = self._network.nodes
        shapes = [nodes[source].shape for source in nodes[index].inputs]
        op = nodes[index].op

        def applied(function: Op, parts: list[Tensor]) -> Tensor:
            shaped = [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
            return function.evaluate(*shaped).reshape(len(shaped[0]), -1)

        centre = applied(op, [source.centre for source in sources])
        line = applied(self._linear.get(index, op), [source.line for source in sources])
        if isinstance(op, Affine):
            part = self._linear[index]
            assert isinstance(part, Affine)
            box = part.magnitude(sources[0].box.reshape(-1, *shapes[0])).reshape(len(centre), -1)
        elif isinstance(op, Sum):
            size = replace(op, coefficients=tuple(abs(c) for c in op.coefficients))
            box = applied(size, [source.box for source in sources])
        else:
            box = applied(op, [source.box for source in sources])
        return Zonotopes(centre, line, box)


@torch.no_grad()
def folds_between(
    network: Network, low: Float[Tensor, "B ..."], high: Float[Tensor, "B ..."]
) -> tuple[Int[Tensor, " B"], Float[Tensor, "B2 ..."]]:
    """How many units are on different pieces at two points, and the outputs there.

    Args:
        network: The network.
        low: One point of each pair.
        high: The other one.

    Returns:
        [B] numbers of units; and [2 B, *output_shape] outputs at all first points, then at all second ones.
    """
    different = torch.zeros(len(low), dtype=torch.int64)
    values: dict[int, Tensor] = {}
    last = last_uses(network)
    for index, value in walk(network, torch.cat([low, high])):
        values[index] = value
        node = network.nodes[index]
        if node.units:
            one, other = _choices(node.op, values[node.inputs[0]].flatten(1)).split(len(low))
            different += (one != other).flatten(1).sum(dim=1)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del values[source]
    return different, values[network.output]


def _choices(op: Op, values: Tensor) -> Tensor:
    """The piece on which each unit lies, or the place of the largest member of each group."""
    if isinstance(op, Activation):
        return op.pieces(values)
    assert isinstance(op, Maximum)
    return values[:, op.members].argmax(dim=2)


def _bent(op: Activation, source: Zonotopes) -> Zonotopes:
    """The chord of the graph between the bounds of the argument."""
    reach = source.reach
    low, high = source.centre - reach, source.centre + reach
    at_low, at_high = op.evaluate(low), op.evaluate(high)
    single = op.pieces(low) == op.pieces(high)
    slope = torch.where(single, _slopes(op, source.centre), (at_high - at_low) / (high - low))
    least = most = at_low - slope * low
    for breakpoint in op.breakpoints:
        place = torch.minimum(torch.maximum(breakpoint.expand_as(low), low), high)
        above = op.evaluate(place) - slope * place
        least, most = torch.minimum(least, above), torch.maximum(most, above)
    error = torch.where(single, 0.0, (most - least) / 2)
    offset = torch.where(single, op.evaluate(source.centre) - slope * source.centre, (most + least) / 2)
    return Zonotopes(slope * source.centre + offset, slope * source.line, slope.abs() * source.box + error)


def _slopes(op: Activation, values: Tensor) -> Tensor:
    """Slope of the piece on which each value lies."""
    pieces = op.pieces(values)
    return op.slopes[pieces] if op.slopes.ndim == 1 else op.slopes.gather(0, pieces)


def _largest(op: Maximum, source: Zonotopes) -> Zonotopes:
    """The member that is largest in the middle, and by how much another may exceed it."""
    members = op.members
    winner = source.centre[:, members].argmax(dim=2)
    place = members.expand(len(winner), -1, -1).gather(2, winner[..., None])[..., 0]
    best = source.gathered(place)
    excess = torch.zeros_like(best.centre)
    for column in range(members.shape[1]):
        other = source.gathered(members[:, column].expand_as(place))
        above = other.centre - best.centre + (other.line - best.line).abs() + other.box + best.box
        excess = torch.maximum(excess, torch.where(members[:, column] == place, 0.0, above))
    return Zonotopes(best.centre + excess / 2, best.line, best.box + excess / 2)
