"""Where the folds of an op lie between neighbouring points of a curve that is affine between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.network.ops import Activation, Fold, Maximum
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Crossings(Shown):
    """Folds between neighbouring points.

    Attributes:
        interval: [k] number of the point before each.
        place: [k] share of the interval that lies before the fold, in float64.
    """

    interval: Int[Tensor, " k"]
    place: Float[Tensor, " k"]

    def __len__(self) -> int:
        """Number of folds."""
        return len(self.interval)


def crossings(op: Fold, values: Float[Tensor, "N n"]) -> Crossings:
    """All folds of an op, by the values of its argument; those that a point meets within rounding are left out.

    Args:
        op: The op.
        values: Its argument at the points.

    Returns:
        The folds. Where the largest member of a group changes, this is the place at which the new one is as large as
        the old one; if a third one is larger there, more folds show once that place is a point of the curve.
    """
    if isinstance(op, Maximum):
        return _of_maximum(op, values)
    assert isinstance(op, Activation)
    found = [_of_breakpoint(op, number, values) for number in range(len(op.breakpoints))]
    return Crossings(torch.cat([part.interval for part in found]), torch.cat([part.place for part in found]))


def _of_breakpoint(op: Activation, number: int, values: Tensor) -> Crossings:
    breakpoint, kink = op.breakpoints[number], op.slopes[number + 1] != op.slopes[number]
    above = values > breakpoint if bool(kink.all()) else (values > breakpoint) & kink
    interval, unit = (above[1:] ^ above[:-1]).nonzero(as_tuple=True)
    place = breakpoint.expand(values.shape[1])[unit]
    left, right = values[interval, unit], values[interval + 1, unit]
    return _between(interval, left - place, place - right, torch.maximum(left.abs(), right.abs()))


def _of_maximum(op: Maximum, values: Tensor) -> Crossings:
    grouped = values[:, op.members]
    winner = grouped.argmax(dim=2)
    interval, unit = (winner[1:] != winner[:-1]).nonzero(as_tuple=True)
    old, new = winner[interval, unit], winner[interval + 1, unit]
    left, right = grouped[interval, unit], grouped[interval + 1, unit]
    lead, lag = (row.gather(1, old[:, None])[:, 0] - row.gather(1, new[:, None])[:, 0] for row in (left, right))
    return _between(interval, lead, -lag, torch.maximum(left.abs().amax(1), right.abs().amax(1)))


def _between(interval: Tensor, before: Tensor, after: Tensor, size: Tensor) -> Crossings:
    """Folds by the distances from them, of one sign, at both ends of their intervals."""
    before, after = before.abs().double(), after.abs().double()
    clear = (torch.minimum(before, after) > torch.finfo(size.dtype).eps * size).nonzero()[:, 0]
    return Crossings(interval[clear], (before / (before + after))[clear])
