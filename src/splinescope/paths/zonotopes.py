r"""Bounds of a network on pieces of segments: zonotopes whose first generator is the position itself.

On a piece with midpoint $m$ and half-width $h$, let $t = m + h\tau$. Every node is enclosed by
$$z(t) \in c + s\,\tau + \sum_k g_k\,\varepsilon_k \pm r, \qquad \tau, \varepsilon_k \in [-1, 1],$$
where the symbols $\varepsilon_k$ are shared by all nodes, so that errors that cancel do cancel, and the box $r \ge 0$
is not. An affine op maps $c$, $s$ and $g_k$ linearly and $r$ by the absolute values of its weights. A fold that may
happen on the piece is replaced by the chord of its graph over the range of its argument, give or take an error: a new
symbol, or a part of the box where there are enough symbols (Singh et al., NeurIPS 2018, "Fast and effective robustness
certification"). Ranges shrink with the piece, and errors with them: the bound becomes exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.evaluate import last_uses, walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Affine, Input, Maximum, Op, Sum
from splinescope.network.placement import linear_part


@dataclass(frozen=True, eq=False)
class Zonotopes:
    """Enclosures of one node on B pieces.

    Attributes:
        centre: [B, n] values in the middle.
        lines: [B, 1 + k, n] the coefficients of the position, then those of k symbols; a later symbol has none.
        box: [B, n] what is given or taken beside.
    """

    centre: Float[Tensor, "B n"]
    lines: Float[Tensor, "B _ n"]
    box: Float[Tensor, "B n"]

    @property
    def reach(self) -> Float[Tensor, "B n"]:
        """Largest distance from the centre."""
        return self.lines.abs().sum(dim=1) + self.box

    def columns(self, index: Tensor) -> Zonotopes:
        """Some of the numbers."""
        return Zonotopes(
            self.centre.index_select(1, index), self.lines.index_select(2, index), self.box.index_select(1, index)
        )

    def with_symbols(self, count: int) -> Zonotopes:
        """The same with so many symbols."""
        missing = 1 + count - self.lines.shape[1]
        lines = torch.nn.functional.pad(self.lines, (0, 0, 0, missing)) if missing else self.lines
        return replace(self, lines=lines)


@dataclass(frozen=True, eq=False)
class Enclosed:
    """The output on B pieces.

    Attributes:
        output: Its enclosure.
        passes: Forward passes of each piece that this took.
    """

    output: Zonotopes
    passes: int


class Enclosure:
    """Encloses the outputs of a network on pieces of segments.

    Args:
        network: The network.
        symbols: Largest number of symbols; the folds of the first layers take them first, since errors grow on the way.
    """

    def __init__(self, network: Network, symbols: int) -> None:
        self._network, self._symbols = network, symbols
        self._last = last_uses(network)
        self._linear = {
            index: linear_part(node.op) for index, node in enumerate(network.nodes) if isinstance(node.op, Affine)
        }

    @torch.no_grad()
    def __call__(self, middles: Float[Tensor, "B n"], halves: Float[Tensor, "B n"]) -> Enclosed:
        """Enclose the output.

        Args:
            middles: Inputs in the middle of the pieces.
            halves: From there to the ends of the pieces.

        Returns:
            The enclosures.
        """
        nodes = self._network.nodes[: self._network.output + 1]
        known: dict[int, Zonotopes] = {}
        symbols = 0
        for index, node in enumerate(nodes):
            sources = [known[source] for source in node.inputs]
            if isinstance(node.op, Input):
                known[index] = Zonotopes(middles, halves[:, None], torch.zeros_like(middles))
            elif isinstance(node.op, Activation | Maximum):
                bent, error = _bent(node.op, sources[0])
                known[index] = _with_errors(bent.with_symbols(symbols), error, self._symbols - symbols)
                symbols = known[index].lines.shape[1] - 1
            else:
                known[index] = self._through(index, [source.with_symbols(symbols) for source in sources])
            for source in {index, *node.inputs}:
                if self._last[source] <= index:
                    del known[source]
        return Enclosed(known[self._network.output], 3 + symbols)

    def _through(self, index: int, sources: list[Zonotopes]) -> Zonotopes:
        """An op without folds."""
        nodes = self._network.nodes
        shapes = [nodes[source].shape for source in nodes[index].inputs]
        op = nodes[index].op

        def applied(function: Op, parts: list[Tensor]) -> Tensor:
            shaped = [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
            return function.evaluate(*shaped).reshape(len(shaped[0]), -1)

        centre = applied(op, [source.centre for source in sources])
        lines = applied(self._linear.get(index, op), [source.lines for source in sources])
        if isinstance(op, Affine):
            part = self._linear[index]
            assert isinstance(part, Affine)
            box = part.magnitude(sources[0].box.reshape(-1, *shapes[0])).reshape(len(centre), -1)
        elif isinstance(op, Sum):
            size = replace(op, coefficients=tuple(abs(c) for c in op.coefficients))
            box = applied(size, [source.box for source in sources])
        else:
            box = applied(op, [source.box for source in sources])
        return Zonotopes(centre, lines.reshape(len(centre), -1, centre.shape[1]), box)


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
    return values[:, _members(op)].argmax(dim=2)


def _bent(op: Activation | Maximum, source: Zonotopes) -> tuple[Zonotopes, Tensor]:
    """A folding op as an affine one, and the errors [B, n] of that."""
    return _bent_by_activation(op, source) if isinstance(op, Activation) else _bent_by_maximum(op, source)


def _bent_by_activation(op: Activation, source: Zonotopes) -> tuple[Zonotopes, Tensor]:
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
    lines = source.lines * slope[:, None]
    return Zonotopes(slope * source.centre + offset, lines, slope.abs() * source.box), error


def _slopes(op: Activation, values: Tensor) -> Tensor:
    """Slope of the piece on which each value lies."""
    pieces = op.pieces(values)
    return op.slopes[pieces] if op.slopes.ndim == 1 else op.slopes.gather(0, pieces)


def _bent_by_maximum(op: Maximum, source: Zonotopes) -> tuple[Zonotopes, Tensor]:
    """The member that is largest in the middle, and by how much another may exceed it."""
    members = _members(op)
    winner = source.centre[:, members].argmax(dim=2)
    place = members.expand(len(winner), -1, -1).gather(2, winner[..., None])[..., 0]

    def chosen(index: Tensor) -> Zonotopes:
        lines = source.lines.gather(2, index[:, None].expand(-1, source.lines.shape[1], -1))
        return Zonotopes(source.centre.gather(1, index), lines, source.box.gather(1, index))

    best = chosen(place)
    excess = torch.zeros_like(best.centre)
    for column in range(members.shape[1]):
        other = source.columns(members[:, column])
        above = other.centre - best.centre + (other.lines - best.lines).abs().sum(dim=1) + other.box + best.box
        excess = torch.maximum(excess, torch.where(members[:, column] == place, 0.0, above))
    return replace(best, centre=best.centre + excess / 2), excess / 2


def _members(op: Maximum) -> Tensor:
    """[out, size] members of each group; where one is missing, another one twice."""
    present = op.index >= 0
    first = op.index.gather(1, present.to(torch.int8).argmax(dim=1, keepdim=True))
    return torch.where(present, op.index, first)


def _with_errors(bent: Zonotopes, error: Tensor, room: int) -> Zonotopes:
    """The largest errors of each piece as new symbols, as many as there is room for, and the others in the box."""
    fresh = min(room, int((error > 0).sum(dim=1).max()))
    if fresh <= 0:
        return replace(bent, box=bent.box + error)
    values, units = error.topk(fresh, dim=1)
    lines = bent.lines.new_zeros(*error.shape[:1], fresh, error.shape[1])
    lines.scatter_(2, units[..., None], values[..., None])
    rest = error.scatter(1, units, 0.0)
    return Zonotopes(bent.centre, torch.cat([bent.lines, lines], dim=1), bent.box + rest)
