"""What ops do to enclosures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from splinescope.geometry.enclosures import enclose_maxima, enclose_pieces
from splinescope.network.graph import Node
from splinescope.network.ops import Activation, AffineOp, Maximum
from splinescope.network.ops.base import flat
from splinescope.tessellation.enclosure.bounds import AffineBounds

_TINY = float(np.finfo(np.float64).tiny)
"""More than all products together that underflow on the way into one number can lose."""


class Relaxation(ABC):
    """What an op does to the enclosures of its inputs."""

    @abstractmethod
    def __call__(self, *sources: AffineBounds) -> AffineBounds:
        """Enclose the op's values.

        Args:
            *sources: Enclosures of its inputs.

        Returns:
            Enclosures of its outputs on the same domains.
        """


class Linear(Relaxation):
    """An op without folds."""

    def __init__(self, op: AffineOp, shapes: list[tuple[int, ...]]) -> None:
        self._op, self._shapes = op, shapes
        self._terms = op.addends + 3 if op.rounds else 0

    def __call__(self, *sources: AffineBounds) -> AffineBounds:
        """See `Relaxation`."""
        first = sources[0]
        rows, directions = first.slopes.shape[:2]
        centre = self._apply(self._op.evaluate, [source.centre for source in sources])
        slopes = centre.new_empty(rows, directions, centre.shape[1])
        if directions:
            along = self._apply(self._op.linear.evaluate, [source.slopes.flatten(0, 1) for source in sources])
            slopes = along.reshape(slopes.shape)
        doubt = 2 * self._terms * first.roundoff
        room = [torch.add(source.radius, source.size, alpha=doubt) if doubt else source.radius for source in sources]
        radius = self._apply(self._op.carried, room)
        if doubt:
            radius += _TINY
            nothing = [torch.zeros_like(source.radius[:1]) for source in sources]
            radius += doubt * self._apply(self._op.magnitude, nothing)
        return replace(first, centre=centre, slopes=slopes, radius=radius)

    def _apply(self, function: Callable[..., Tensor], parts: list[Tensor]) -> Tensor:
        shaped = [part.reshape(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]
        return flat(function(*shaped))


class FoldRelaxation(Relaxation):
    """An op that folds."""

    def __call__(self, *sources: AffineBounds) -> AffineBounds:
        """See `Relaxation`."""
        (source,) = sources
        return self._along(source) if source.offsets is None else self._at_corners(source)

    @abstractmethod
    def _along(self, source: AffineBounds) -> AffineBounds:
        """On domains of one corner with directions: lines of one slope below and above."""

    @abstractmethod
    def _at_corners(self, source: AffineBounds) -> AffineBounds:
        """On domains of several corners: any two lines."""


class Bend(FoldRelaxation):
    """An activation."""

    def __init__(self, op: Activation, shapes: list[tuple[int, ...]]) -> None:
        self._op, self._units = op, math.prod(shapes[0])
        self._steepest = op.slopes.abs().amax(dim=0)
        self._farthest = op.intercepts.abs().amax(dim=0)

    def _along(self, source: AffineBounds) -> AffineBounds:
        """The chord of the graph between the ends of the argument, less and plus what the graph deviates from it."""
        op, (low, high) = self._op, source.ends()
        at_low, at_high = op.evaluate(low), op.evaluate(high)
        pieces = op.pieces(low)
        single = pieces == op.pieces(high)
        own = op.along_pieces(pieces, torch.ones_like(low[:1])[:, None])[:, 0]
        slope = torch.where(single, own, (at_high - at_low) / (high - low))
        least = most = at_low - slope * low
        for breakpoint in op.breakpoints:
            place = torch.minimum(torch.maximum(breakpoint.expand_as(low), low), high)
            above = op.evaluate(place) - slope * place
            least, most = torch.minimum(least, above), torch.maximum(most, above)
        offset = torch.where(single, op.on_pieces(pieces, torch.zeros_like(low)), (most + least) / 2)
        radius = slope.abs() * source.radius + torch.where(single, 0.0, (most - least) / 2)
        if source.roundoff:
            exact = slope.abs() * source.size + offset.abs()
            rough = (slope.abs() + self._steepest) * source.size + self._farthest
            radius += 16 * source.roundoff * torch.where(single, exact, rough)
        return replace(
            source, centre=slope * source.centre + offset, slopes=slope[:, None] * source.slopes, radius=radius
        )

    def _at_corners(self, source: AffineBounds) -> AffineBounds:
        """The best line below the graph, and the best one above."""
        offsets, centre, radius = source.offsets, source.centre.numpy().copy(), source.radius.numpy().copy()
        assert offsets is not None
        enclose_pieces(0, len(offsets) - 1, offsets, *self._tables, source.roundoff, centre, radius)
        return replace(source, centre=torch.from_numpy(centre), radius=torch.from_numpy(radius))

    @cached_property
    def _tables(self) -> tuple[np.ndarray, ...]:
        """Breakpoints, slopes and intercepts, each as [pieces, units]."""
        return tuple(self._op.tables(self._units))


class Largest(FoldRelaxation):
    """Maxima of groups."""

    def __init__(self, op: Maximum) -> None:
        self._op = op

    def _along(self, source: AffineBounds) -> AffineBounds:
        """The member that is largest in the middle, and by how much another may exceed it; constants, if as near."""
        op, (low, high) = self._op, source.ends()
        place = op.chosen(op.pieces(source.centre))
        best = source.taken(place)
        excess, least, most = torch.zeros_like(best.centre), low.gather(1, place), high.gather(1, place)
        doubt = 2 * (source.slopes.shape[1] + 8) * source.roundoff
        for column in op.members.T:
            other = source.taken(column.expand_as(place))
            above = other.centre - best.centre + (other.slopes - best.slopes).abs().sum(dim=1)
            above += other.radius + best.radius + doubt * (other.size + best.size)
            excess = torch.maximum(excess, torch.where(column == place, 0.0, above))
            least, most = torch.maximum(least, low[:, column]), torch.maximum(most, high[:, column])
        radius, half = best.radius + excess / 2, (most - least) / 2
        # As good as the leader's line, and free of the directions.
        level = (excess > 0) & (half <= radius)
        centre = torch.where(level, (least + most) / 2, best.centre + excess / 2)
        radius = torch.where(level, half, radius)
        radius += 4 * source.roundoff * (torch.maximum(least.abs(), most.abs()) + excess)
        return replace(best, centre=centre, slopes=torch.where(level[:, None], 0.0, best.slopes), radius=radius)

    def _at_corners(self, source: AffineBounds) -> AffineBounds:
        """Below, the member that is largest on average; above, the one that dominates, or the largest value of any."""
        offsets, groups = source.offsets, self._op.index.numpy()
        assert offsets is not None
        centre, radius = np.empty((2, len(source.centre), len(groups)))
        known = (source.centre.numpy(), source.radius.numpy())
        enclose_maxima(0, len(offsets) - 1, offsets, groups, *known, source.roundoff, centre, radius)
        slopes = source.slopes.new_empty(len(centre), 0, len(groups))
        return replace(source, centre=torch.from_numpy(centre), slopes=slopes, radius=torch.from_numpy(radius))


def relaxation(node: Node, shapes: list[tuple[int, ...]]) -> Relaxation:
    """What the op of a node does to enclosures.

    Args:
        node: The node.
        shapes: Shapes of what it reads.

    Returns:
        The relaxation.
    """
    if node.affine is not None:
        return Linear(node.affine, shapes)
    if isinstance(node.op, Activation):
        return Bend(node.op, shapes)
    assert isinstance(node.op, Maximum)
    return Largest(node.op)
