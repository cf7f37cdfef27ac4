"""What paths are to keep low: a class's cross-entropy, or any smooth function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.evaluate import CHUNK_NUMBERS, walk
from splinescope.network.graph import Network
from splinescope.shown import Shown


@runtime_checkable
class Energy(Protocol):
    """A function on the space in which paths lie; it may be another one for each path."""

    def values_and_gradients(self, points: Tensor, paths: Tensor) -> tuple[Tensor, Tensor]:
        """Values [M] and gradients [M, *shape] at points [M, *shape] of paths with the numbers [M].

        Args:
            points: [M, *shape] points.
            paths: [M] number of the path of each.

        Returns:
            [M] values and [M, *shape] gradients.
        """
        ...


@dataclass(frozen=True)
class FunctionEnergy(Shown):
    """A function that torch differentiates, the same for all paths.

    Attributes:
        function: Takes points [M, *shape] to values [M].
    """

    function: Callable[[Tensor], Tensor]

    def values_and_gradients(self, points: Float[Tensor, "M ..."], paths: Int[Tensor, " M"]) -> tuple[Tensor, Tensor]:
        """See `Energy`."""
        part = points.detach().requires_grad_(True)
        with torch.enable_grad():
            values = self.function(part)
            (gradients,) = torch.autograd.grad(values.sum(), part)
        return values.detach(), gradients


class ClassValues(NamedTuple):
    """What a network says about a class at some points.

    Attributes:
        losses: [M] cross-entropy, in nats.
        margins: [M] the class's output minus the largest other one.
    """

    losses: Tensor
    margins: Tensor


@dataclass(frozen=True, eq=False)
class ClassEnergy(Shown):
    r"""Cross-entropy $\log \sum_j e^{f_j} - f_y$ of a class, of the outputs before the head.

    It is summed as $\log(1 + \sum_{j \ne y} e^{f_j - f_y})$, so that it keeps its digits, and its gradient does not
    vanish, where the class leads by much; where even that underflows, value and gradient are zero.

    Attributes:
        network: The network, in the type and on the device of the points (`splinescope.network.copies.placed`).
        targets: [S] class of each path.
    """

    network: Network
    targets: Int[Tensor, " S"]

    def values_and_gradients(self, points: Float[Tensor, "M ..."], paths: Int[Tensor, " M"]) -> tuple[Tensor, Tensor]:
        """See `Energy`."""
        values, gradients = self.with_gradients(points, paths)
        return values.losses, gradients

    def with_gradients(self, points: Float[Tensor, "M ..."], paths: Int[Tensor, " M"]) -> tuple[ClassValues, Tensor]:
        """Values, and the gradients of the losses.

        Args:
            points: [M, *shape] points.
            paths: [M] number of the path of each.

        Returns:
            Losses and margins [M], and gradients [M, *shape].
        """
        found, gradients = [], []
        for part, rows in self._chunks(points, paths):
            part = part.detach().requires_grad_(True)
            with torch.enable_grad():
                values = self._of(part, rows)
                (gradient,) = torch.autograd.grad(values.losses.sum(), part, allow_unused=True)
            found.append(ClassValues(values.losses.detach(), values.margins.detach()))
            gradients.append(torch.zeros_like(part) if gradient is None else gradient)
        return _joined(found, points), torch.cat(gradients) if gradients else torch.zeros_like(points)

    def values(self, points: Float[Tensor, "M ..."], paths: Int[Tensor, " M"]) -> ClassValues:
        """Values alone.

        Args:
            points: [M, *shape] points.
            paths: [M] number of the path of each.

        Returns:
            Losses and margins [M].
        """
        with torch.no_grad():
            return _joined([self._of(part, rows) for part, rows in self._chunks(points, paths)], points)

    def _chunks(self, points: Tensor, paths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Parts whose values, all of which autograd keeps, fit into bounded memory."""
        rows = max(1, CHUNK_NUMBERS // max(1, sum(node.size for node in self.network.nodes)))
        return list(zip(points.split(rows), paths.split(rows), strict=True)) if len(points) else []

    def _of(self, points: Tensor, paths: Tensor) -> ClassValues:
        outputs = _outputs(self.network, points).flatten(1)
        if outputs.shape[1] == 1:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        wanted = self.targets[paths][:, None]
        others = outputs.scatter(1, wanted, -torch.inf) - outputs.gather(1, wanted)
        behind = others.logsumexp(1)
        return ClassValues(torch.logaddexp(torch.zeros_like(behind), behind), -others.amax(1))


def _outputs(network: Network, points: Tensor) -> Tensor:
    """Outputs before the head; the input itself where the network was cut behind its last node."""
    for index, value in walk(network, points):
        if index == network.output:
            return value
    raise AssertionError("the output is a node")


def _joined(parts: list[ClassValues], points: Tensor) -> ClassValues:
    if not parts:
        return ClassValues(points.new_zeros(0), points.new_zeros(0))
    return ClassValues(torch.cat([part.losses for part in parts]), torch.cat([part.margins for part in parts]))
