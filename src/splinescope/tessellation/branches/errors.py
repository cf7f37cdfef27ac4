r"""How well float64 knows a network on the branch of a pattern: bounds of rounding errors, cell by cell.

On its branch a network is affine, and so is what becomes of an error: with $s$ what the input of an affine op does not
exceed on the domain, by its value at a point and its slopes, and $e$ its error,
$$e' = |W| (\gamma s + e) + \gamma |b|, \qquad \gamma = (n + 2) u,$$
holds for sums of $n$ terms in any order. Units that are off pass no error on. This is proved. In deep networks the
bound grows beyond use, where errors do not: there they are estimated as independent, adding in squares, and checked
against rational arithmetic in some cells (`calibration`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Fold
from splinescope.network.ops.base import flat
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branches.walk import Pieces, Reached
from splinescope.tessellation.domains import Box, Domain

UP = 2.0**100
"""Errors are carried times the square of this, so that offsets of affine ops are below rounding, and squares of
errors of small numbers are not lost."""


@dataclass(frozen=True, eq=False)
class Carried(Reached):
    """A node on the branch of each pattern, with what its error has become.

    Its slopes are times the square of `UP`.

    Attributes:
        error: [n, size] what value and slopes together are off on the domain at most, as errors are carried.
        errors: How they are carried.
    """

    error: Tensor
    errors: Errors

    @cached_property
    def size(self) -> Tensor:
        """[n, size] what the value does not exceed on the domain; most nodes are never asked for it."""
        return self.errors.size(self.value, self.slopes)


@dataclass(frozen=True, eq=False)
class Errors:
    """How rounding errors come through a network.

    Attributes:
        network: The network.
        domain: Where its inputs lie.
        widths: [d] largest distances from a point that matter, along the directions that are followed.
        proved: Whether to bound errors; else they are estimated, in squares.
        safety: What estimates are multiplied with.
        position: What the coordinates of points are off, in units of roundoff of the farthest.
        calibrated: Whether estimates were held against exact rows.
    """

    network: Network
    domain: Domain
    widths: np.ndarray
    proved: bool
    safety: float
    position: float = 0.0
    calibrated: bool = False

    @cached_property
    def _widths(self) -> Tensor:
        return torch.from_numpy(np.array(self.widths, np.float64))

    @cached_property
    def _even(self) -> bool:
        """Whether the largest of the widths will do for all."""
        return bool(self._widths.max() <= 4 * self._widths.min())

    def size(self, value: Tensor, slopes: Tensor) -> Tensor:
        """[cells, n] what a node does not exceed on the domain, from slopes times the square of `UP`."""
        if self._even:
            reach = slopes.abs().sum(dim=1) * float(self._widths.max() / (UP * UP))
        else:
            reach = torch.einsum("cjn,j->cn", slopes.abs(), self._widths / (UP * UP))
        return value.abs() + reach

    def of_inputs(self, points: np.ndarray) -> Tensor:
        """[points, n] error of inputs at points of the domain."""
        if isinstance(self.domain, Box) and self.position == 0:
            return torch.zeros(len(points), self.domain.origin.size, dtype=torch.float64)
        flat = np.abs(self.domain.basis.reshape(self.domain.dimension, -1))
        far = np.abs(points)
        moved = (
            self.position
            * UNIT_ROUNDOFF
            * (far + np.max(self.widths)).max(axis=1, keepdims=True)
            @ np.ones((1, len(flat)))
        )
        delta = moved @ flat
        if not isinstance(self.domain, Box):
            count = self.domain.dimension + 2
            delta = delta + count * UNIT_ROUNDOFF * (far @ flat + np.abs(self.domain.origin.reshape(1, -1)))
        return self._fresh(torch.from_numpy(delta))

    def along(self, walk: Iterable[Reached], pieces: Pieces, points: np.ndarray) -> Iterator[Carried]:
        """The nodes of a walk with their errors.

        Args:
            walk: Nodes on the branches of patterns.
            pieces: For each node that folds the piece of each unit, asked for when it is reached.
            points: [n, d] the base points, in the domain's coordinates.

        Yields:
            Each node. It is forgotten here when no later node needs it.
        """
        last = last_uses(self.network)
        known: dict[int, Carried] = {}
        for reached in walk:
            index, node = reached.index, self.network.nodes[reached.index]
            sources = [known[source] for source in node.inputs]
            error = self.through(index, sources, pieces.get(index)) if sources else self.of_inputs(points)
            known[index] = Carried(index, reached.value, reached.slopes, error, self)
            yield known[index]
            for source in {index, *node.inputs}:
                if last[source] <= index:
                    del known[source]

    def through(self, index: int, inputs: list[Carried], pieces: Tensor | None) -> Tensor:
        """[n, size] error of a node from size and error of those that it reads.

        Args:
            index: The node.
            inputs: Those.
            pieces: [n, units] the piece of each unit, for a node that folds.
        """
        node = self.network.nodes[index]
        if node.affine is None:
            assert node.fold is not None
            assert pieces is not None
            return self._folded(node.fold, inputs[0], pieces)
        op, parts = node.affine, [known.error for known in inputs]
        share = UNIT_ROUNDOFF * (op.addends + 1 if self.proved else 2)
        if op.rounds:
            parts = [known.error + self._fresh(share * known.size) for known in inputs]
        shapes = [self.network.nodes[source].shape for source in node.inputs]
        shaped = [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
        error = op.magnitude(*shaped) if self.proved else op.spread(*shaped)
        if op.offset is not None:
            error = error + self._fresh(share * op.offset.abs())
        return _known(flat(error))

    def _folded(self, op: Fold, before: Carried, pieces: Tensor) -> Tensor:
        """An op that folds, on its pieces; one that does not round passes errors on, or none."""
        if not op.rounds:
            return op.along_pieces(pieces, before.error[:, None])[:, 0].abs()
        places, slopes, shifts = (torch.from_numpy(np.array(part)) for part in op.reads(pieces.numpy()))
        error, size = (part.gather(1, places) for part in (before.error, before.size))
        slopes, shifts = slopes.abs(), shifts.abs()
        carried = slopes * error if self.proved else slopes.square() * error
        return _known(carried + self._fresh(2 * UNIT_ROUNDOFF * (slopes * size + shifts)))

    def plain(self, error: Tensor) -> Tensor:
        """Errors as numbers, from how they are carried."""
        return 1.01 / (UP * UP) * error if self.proved else self.safety / UP * error.sqrt()

    def _fresh(self, delta: Tensor) -> Tensor:
        return UP * UP * delta if self.proved else (UP * delta).square()


def _known(error: Tensor) -> Tensor:
    """Infinite where float64 has no number for it."""
    return torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf)
