r"""The vertex test on a network: which units are not constant over the vertices $x \pm r v_p$ of a frame.

What comes before the first fold is affine, so that there the values at all vertices of all points are sums of a value
at a point and a slope along a direction. Whole frames are built behind the first affine ops only: the inputs of a frame
never exist, and the first layer, which is often the widest, costs one evaluation for each point rather than one for
each vertex.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splinescope.network.copies import linear_part
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network, Node


class FrameWalk:
    """Evaluates a network at the vertices of the frames around many points.

    Args:
        network: The network.
        frame: [P, *input_shape] directions, of the network's type and on its device.
        radius: Length of each arm.
        logits: Whether the signs of the outputs count, too.
    """

    def __init__(self, network: Network, frame: Float[Tensor, "P ..."], radius: float, logits: bool) -> None:
        self._network, self._logits = network, logits
        self._arms = radius * frame
        self._last = last_uses(network)
        self._folded = behind_folds(network)
        self._walls = {i: fold.cell_walls(network.nodes[i].size) for i, fold in network.folds.items()}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are tested."""
        names = [node.name for node in self._network.nodes[: self._network.output + 1] if node.units]
        return (*names, "output") if self._logits else tuple(names)

    @cached_property
    def numbers_per_point(self) -> int:
        """Numbers that are held at once for each point."""
        live, most = 0, 1
        dying: dict[int, int] = {}
        for index, node in enumerate(self._network.nodes[: self._network.output + 1]):
            size = node.size * (2 * len(self._arms) if self._folded[index] or node.units else 1)
            live += size
            dying[self._last[index]] = dying.get(self._last[index], 0) + size
            most = max(most, live + size)  # what an op needs for itself
            live -= dying.pop(index, 0)
        return most

    def cuts(self, x: Float[Tensor, "n ..."]) -> Iterator[Bool[Tensor, "n units"]]:
        """Whether each unit of each layer is not constant over the frame, for a chunk of points.

        Args:
            x: Points.

        Yields:
            One matrix for each layer, in the order of `layers`.
        """
        values: dict[int, _Frames] = {}
        for index, node in enumerate(self._network.nodes[: self._network.output + 1]):
            sources = [values[source] for source in node.inputs]
            if node.fold is not None:
                yield self._walls[index].varies(sources[0].values(node.fold.elementwise))
            values[index] = self._value(index, node, sources, x)
            for source in {index, *node.inputs}:
                if self._last[source] <= index:
                    del values[source]
        if self._logits:
            yield signs_differ(*values[self._network.output].range())

    def _value(self, index: int, node: Node, sources: list[_Frames], x: Tensor) -> _Frames:
        if not sources:
            return _Frames(len(x), base=x, arms=self._arms)
        if self._folded[index]:
            return _Frames(len(x), whole=node.op.evaluate(*(source.vertices for source in sources)))
        base = node.op.evaluate(*(source.base for source in sources))
        return _Frames(len(x), base=base, arms=linear_part(node.op).evaluate(*(source.arms for source in sources)))


class _Frames:
    """Values of one node at all vertices: as a sum before the first fold, one by one behind it."""

    def __init__(
        self, n: int, *, base: Tensor | None = None, arms: Tensor | None = None, whole: Tensor | None = None
    ) -> None:
        self._n, self._base, self._arms, self._whole = n, base, arms, whole

    @property
    def base(self) -> Tensor:
        assert self._base is not None
        return self._base

    @property
    def arms(self) -> Tensor:
        assert self._arms is not None
        return self._arms

    @cached_property
    def vertices(self) -> Tensor:
        """[n * 2P, *shape], the vertices of one point after the other."""
        if self._whole is not None:
            return self._whole
        both = torch.cat([self.arms, -self.arms])
        return (self.base[:, None] + both).reshape(self._n * len(both), *self.base.shape[1:])

    def range(self) -> tuple[Tensor, Tensor]:
        """[n, size] least and largest value over the vertices."""
        if self._whole is None:
            base, reach = self.base.reshape(self._n, -1), self.arms.flatten(1).abs().amax(dim=0)
            return base - reach, base + reach
        least, largest = self._whole.reshape(self._n, -1, self._whole[0].numel()).aminmax(dim=1)
        return least, largest

    def values(self, elementwise: bool) -> Tensor:
        """[n, points, size] values at all vertices; the extreme ones will do for what is elementwise."""
        if elementwise and self._whole is None:
            return torch.stack(self.range(), dim=1)
        return self.vertices.reshape(self._n, -1, self.vertices[0].numel())


def signs_differ(least: Float[Tensor, "n units"], largest: Float[Tensor, "n units"]) -> Bool[Tensor, "n units"]:
    """Whether a quantity between these values has several of the signs -1, 0 and 1.

    Args:
        least: Least values.
        largest: Largest values.

    Returns:
        True where signs differ.
    """
    return least.sign() != largest.sign()


def behind_folds(network: Network) -> list[bool]:
    """For each node whether it folds, or depends on one that does.

    Args:
        network: The network.

    Returns:
        One truth value for each node.
    """
    behind: list[bool] = []
    for node in network.nodes:
        behind.append(bool(node.units) or any(behind[source] for source in node.inputs))
    return behind
