"""The walls of elementwise activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.network.ops.walls import ABSENT, CellWalls, Comparisons
from splinescope.numerics import UNIT_ROUNDOFF

NO_BREAKPOINT = 1e38
"""Breakpoints beyond this stand for none: importers use the largest float32."""


@dataclass(frozen=True, eq=False)
class Kinks(CellWalls):
    """The walls of an elementwise activation: with one breakpoint one of each unit, else one upwards, one downwards.

    Attributes:
        places: The breakpoints, ascending.
        bends: Whether the slope changes at each; where it doesn't, the pieces beside it continue each other.
    """

    places: Float[Tensor, "B units"]
    bends: Bool[Tensor, "B units"]

    @property
    def kinds(self) -> int:
        """See `CellWalls`."""
        return 1 if len(self.places) == 1 else 2

    @property
    def pieces(self) -> int:
        """See `CellWalls`."""
        return len(self.places) + 1

    @cached_property
    def lowest(self) -> Int[np.ndarray, "pieces units"]:
        """The first of the pieces that continue each other up to a given one; the breakpoint below is one less."""
        numbers = np.arange(1, self.pieces)[:, None] * self.bends.cpu().numpy()
        return np.concatenate([np.zeros((1, self.units), np.int64), np.maximum.accumulate(numbers, axis=0)])

    @cached_property
    def above(self) -> Int[np.ndarray, "pieces units"]:
        """The next breakpoint above a piece that bends, `B` if there is none."""
        count = len(self.places)
        numbers = np.where(self.bends.cpu().numpy(), np.arange(count)[:, None], count)
        following = np.minimum.accumulate(numbers[::-1], axis=0)[::-1]
        return np.concatenate([following, np.full((1, self.units), count)])

    @cached_property
    def _ends(self) -> tuple[Tensor, Tensor]:
        """[pieces, units] where each piece ends upwards and downwards; infinite where it does not."""
        lowest, above = (torch.from_numpy(table).to(self.places.device) for table in (self.lowest, self.above))
        row = torch.full_like(self.places[:1], torch.inf)
        return torch.cat([self.places, row]).gather(0, above), torch.cat([-row, self.places]).gather(0, lowest)

    @cached_property
    def _straight(self) -> Tensor | None:
        """Units with one breakpoint at which they don't bend; None if there are none."""
        return None if bool(self.bends[0].all()) else ~self.bends[0]

    def values(self, pieces: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
        """See `CellWalls`."""
        if self.kinds == 1:
            found = torch.mul(x - self.places[0], _signs(pieces, x), out=out)
            return found if self._straight is None else found.masked_fill_(self._straight, ABSENT)
        top, bottom = (end.gather(0, pieces.long()) for end in self._ends)
        return torch.cat([x - top, bottom - x], dim=1, out=out)

    def slopes(self, pieces: Tensor, slopes: Tensor, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
        """See `CellWalls`."""
        if self.kinds == 1:
            return torch.mul(slopes, (scale * _signs(pieces, slopes))[:, None], out=out)
        scaled = (scale * slopes).expand(len(pieces), -1, -1)
        return torch.cat([scaled, -scaled], dim=2, out=out)

    def errors(self, pieces: Tensor, error: Tensor, size: Callable[[], Tensor]) -> Tensor:
        """See `CellWalls`."""
        places = self.places.abs()
        places = torch.where(places < NO_BREAKPOINT, places, 0.0).amax(dim=0)
        if bool(places.any()):
            error = error + torch.where(places > 0, 2 * UNIT_ROUNDOFF * (size() + places), 0.0)
        return error if self.kinds == 1 else error.repeat(1, 2)

    def beyond(self, pieces: np.ndarray, walls: np.ndarray) -> np.ndarray:
        """See `CellWalls`."""
        if self.kinds == 1:
            return np.asarray(1 - pieces.astype(np.int64))
        units = walls % self.units
        below = self.lowest[pieces, units] - 1
        return np.where(walls < self.units, self.above[pieces, units] + 1, self.lowest[np.maximum(below, 0), units])

    def pieces_beyond(self, x: Tensor, slopes: Tensor, error: Tensor, extent: float) -> Tensor:
        """See `CellWalls`."""
        count = torch.zeros(x.shape, dtype=torch.int64)
        rising = slopes * extent > error
        for place in self.places:
            above, known = x - place, error + 2 * UNIT_ROUNDOFF * torch.minimum(place.abs(), x.abs())
            count += (above > known) | ((above >= -known) & rising)
        return torch.from_numpy(self.lowest).gather(0, count).to(torch.uint8)

    @property
    def counts(self) -> np.ndarray:
        """See `CellWalls`."""
        return np.asarray(1 + self.bends.sum(dim=0).numpy())

    def excess(self, pieces: Tensor, x: Tensor) -> Tensor:
        """See `CellWalls`."""
        beyond = torch.full_like(x, -torch.inf)
        for number, (place, bends) in enumerate(zip(self.places, self.bends, strict=True)):
            outside = torch.where(pieces > number, place - x, x - place)
            beyond = torch.where(bends, torch.maximum(beyond, outside), beyond)
        return beyond

    def varies(self, x: Tensor) -> Tensor:
        """See `CellWalls`."""
        least, largest = x.aminmax(dim=1)
        differ = torch.zeros(least.shape, dtype=torch.bool, device=x.device)
        for place, bends in zip(self.places, self.bends, strict=True):
            differ |= ((least - place).sign() != (largest - place).sign()) & bends
        return differ

    @property
    def first(self) -> np.ndarray:
        """See `CellWalls`."""
        return np.zeros(self.units, np.int64)

    def comparisons(self, pieces: np.ndarray) -> Comparisons:
        """See `CellWalls`."""
        units, count = np.arange(self.units), len(self.places)
        top, bottom = self.above[pieces, units], self.lowest[pieces, units] - 1
        up, down = np.flatnonzero(top < count), np.flatnonzero(bottom >= 0)
        places, nothing = self.places.numpy(), np.full(self.units, -1)
        found = Comparisons(
            np.concatenate([up, down + (self.kinds - 1) * self.units]),
            np.concatenate([up, nothing[down]]),
            np.concatenate([nothing[up], down]),
            np.concatenate([places[top[up], up], -places[bottom[down], down]]),
        )
        order = np.argsort(found.walls, kind="stable")
        return Comparisons(*(part[order] for part in found))


def _signs(pieces: Tensor, like: Tensor) -> Tensor:
    """[n, units] 1 on the lower piece of two, -1 on the upper one."""
    return 1.0 - 2.0 * pieces.to(like.dtype)
