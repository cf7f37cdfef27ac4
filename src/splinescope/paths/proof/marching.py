r"""The values of a network at all breakpoints of a segment, part by part in bounded memory.

The engine of `splinescope.tessellation.segments` keeps what it finds, cells and patterns, in float64. Networks for
images have so many breakpoints between two images that keeping them is out of the question, and products in float64
take most of the time. Here values are all that is asked for, and they are forgotten once they were looked at:

* A curve goes through the network op by op, given by its values at points between which it is affine. An op without
  folds maps these; each fold between two points becomes a point itself (`paths.proof.crossings`), behind which
  the curve is affine between all points again.
* A curve of too many numbers is cut in two where it stands, and its first half goes to the end of the network before
  its second half does.

The floor is the products: a fold in the middle of the network is a point for the second half of its ops only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.network.copies import placed
from splinescope.network.evaluate import last_uses, products
from splinescope.network.graph import Network
from splinescope.network.ops import Fold
from splinescope.paths.proof.crossings import Crossings, crossings

_NUMBERS = 1 << 22
"""Numbers that a curve may have before it is cut: what fits into caches."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a segment.

    Attributes:
        t: [N] its breakpoints and both of its ends, in float64.
        outputs: [N, *output_shape] outputs before the head there.
        passes: Forward passes that it took to find them since the last part, shares of passes counted as such.
    """

    t: Float[Tensor, " N"]
    outputs: Float[Tensor, "N ..."]
    passes: float


@dataclass(frozen=True, eq=False)
class _Curve:
    """A part of a segment on its way through the network.

    Attributes:
        index: The next node.
        t: [N] points between which all values are affine.
        values: [N, n] values there of every node that is still needed.
    """

    index: int
    t: Tensor
    values: dict[int, Tensor]

    def half(self, rows: slice) -> _Curve:
        """The same between some of the points."""
        return replace(self, t=self.t[rows], values={index: value[rows] for index, value in self.values.items()})


class March:
    """Evaluates a network at all breakpoints of segments.

    Args:
        network: The network.
        dtype: Type of the values.
        numbers: Numbers that a curve may have before it is cut.
    """

    def __init__(self, network: Network, dtype: torch.dtype = torch.float64, numbers: int = _NUMBERS) -> None:
        self._network, self._dtype, self._numbers = placed(network, dtype=dtype), dtype, numbers
        self._last = last_uses(network)
        counts = [count if node.affine else 0 for node, count in zip(network.nodes, products(network), strict=True)]
        self._shares = [count / max(1, sum(counts)) for count in counts]

    @torch.no_grad()
    def __call__(
        self, start: Float[Tensor, "..."], end: Float[Tensor, "..."], low: float = 0.0, high: float = 1.0
    ) -> Iterator[Part]:
        """Evaluate it on a piece of a segment.

        Args:
            start: Start of the segment, in float64.
            end: Its end.
            low: Where on it the piece starts.
            high: Where the piece ends.

        Yields:
            One part after the other; the last point of one is the first point of the next.
        """
        t = torch.tensor([low, high], dtype=torch.float64)
        weight = t.reshape(-1, *(1,) * start.ndim)
        points = ((1 - weight) * start + weight * end).to(self._dtype)
        waiting, passes = [_Curve(1, t, {0: points})], 0.0
        while waiting:
            curve = waiting.pop()
            while curve.index <= self._network.output:
                while self._crowded(curve):
                    middle = len(curve.t) // 2
                    waiting.append(curve.half(slice(middle, None)))
                    curve = curve.half(slice(middle + 1))
                passes += self._shares[curve.index] * len(curve.t)
                curve = self._advanced(curve)
            yield Part(curve.t, curve.values[self._network.output], passes)
            passes = 0.0

    def _crowded(self, curve: _Curve) -> bool:
        return len(curve.t) > 3 and sum(value.numel() for value in curve.values.values()) > self._numbers

    def _advanced(self, curve: _Curve) -> _Curve:
        """The curve behind the next node."""
        node = self._network.nodes[curve.index]
        if node.fold is not None:
            curve = self._broken(curve, node.fold, node.inputs[0])
        value = node.op.evaluate(*(curve.values[source] for source in node.inputs))
        values = {index: known for index, known in curve.values.items() if self._last[index] > curve.index}
        if self._last[curve.index] > curve.index:
            values[curve.index] = value
        return replace(curve, index=curve.index + 1, values=values)

    def _broken(self, curve: _Curve, op: Fold, source: int) -> _Curve:
        """The curve with a point at each fold of an op."""
        # A group of three or more members may have another leader at the new points.
        for _ in range(1 if op.elementwise else op.count):
            found = crossings(op, curve.values[source].flatten(1))
            if not len(found):
                break
            curve = _refined(curve, found)
        return curve


def _refined(curve: _Curve, found: Crossings) -> _Curve:
    """A curve with more points.

    points   0         1                 2
    found        a         c    b                a, b, c on intervals 0, 1, 1
    rows     0   a     1   c    b        2       sorted by t
    """
    count = len(curve.t)
    t = torch.lerp(curve.t[found.interval], curve.t[found.interval + 1], found.place)
    order = t.argsort()
    t, interval, place = t[order], found.interval[order], found.place[order]
    rows = torch.cat([torch.arange(count), interval + 0.5]).argsort(stable=True)
    fresh = (rows >= count).nonzero()[:, 0]
    before = torch.cat([torch.arange(count), interval])[rows]
    values = {}
    for index, old in curve.values.items():
        values[index] = old.index_select(0, before)
        weight = place.to(old.dtype).reshape(-1, *(1,) * (old.ndim - 1))
        values[index][fresh] = torch.lerp(old.index_select(0, interval), old.index_select(0, interval + 1), weight)
    return replace(curve, t=torch.cat([curve.t, t])[rows], values=values)
