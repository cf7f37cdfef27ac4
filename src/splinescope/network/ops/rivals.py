"""The walls of maxima."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from splinescope.network.ops.walls import ABSENT, CellWalls, Comparisons
from splinescope.numerics import UNIT_ROUNDOFF


@dataclass(frozen=True, eq=False)
class Rivals(CellWalls):
    """The walls of maxima: one of each unit towards each member of its group, where the winner has none.

    Attributes:
        index: Places of the members in the flat input; -1 is none.
    """

    index: Int[Tensor, "units size"]

    @property
    def kinds(self) -> int:
        """See `CellWalls`."""
        return self.index.shape[1]

    @property
    def pieces(self) -> int:
        """See `CellWalls`."""
        return self.index.shape[1]

    @cached_property
    def _places(self) -> Tensor:
        return self.index.clamp(min=0)

    @cached_property
    def _absent(self) -> Tensor:
        return self.index < 0

    def values(self, pieces: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
        """See `CellWalls`."""
        best = x.gather(1, self._winners(pieces))
        out = x.new_empty(len(pieces), len(self)) if out is None else out
        for member, columns in self._members():
            mine = torch.sub(x[:, self._places[:, member]], best, out=out[:, columns])
            mine.masked_fill_((pieces == member) | self._absent[:, member], ABSENT)
        return out

    def slopes(self, pieces: Tensor, slopes: Tensor, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
        """See `CellWalls`."""
        places = self._winners(pieces)[:, None].expand(-1, slopes.shape[1], -1)
        steepest = slopes.expand(len(pieces), -1, -1).gather(2, places)
        out = slopes.new_empty(*steepest.shape[:2], len(self)) if out is None else out
        for member, columns in self._members():
            torch.sub(slopes[:, :, self._places[:, member]], steepest, out=out[:, :, columns]).mul_(scale)
        return out

    def errors(self, pieces: Tensor, error: Tensor, size: Callable[[], Tensor]) -> Tensor:
        """See `CellWalls`."""
        off = error + 2 * UNIT_ROUNDOFF * size()
        own = off.gather(1, self._winners(pieces))
        return torch.cat([off[:, self._places[:, member]] + own for member, _ in self._members()], dim=1)

    def beyond(self, pieces: np.ndarray, walls: np.ndarray) -> np.ndarray:
        """See `CellWalls`."""
        return np.broadcast_to(walls // self.units, np.broadcast_shapes(pieces.shape, walls.shape))

    def pieces_beyond(self, x: Tensor, slopes: Tensor, error: Tensor, extent: float) -> Tensor:
        """See `CellWalls`."""
        members = self._by_member(x)
        known = error[:, self._places] + 2 * UNIT_ROUNDOFF * x[:, self._places].abs()
        near = members + known >= (members - known).amax(dim=2, keepdim=True)
        near &= ~self._absent
        rates = slopes[:, self._places] * extent
        least = torch.where(near, rates - known, -torch.inf).amax(dim=2, keepdim=True)
        return (near & (rates + known >= least)).to(torch.int8).argmax(dim=2).to(torch.uint8)

    @property
    def counts(self) -> np.ndarray:
        """See `CellWalls`; the members."""
        return np.asarray((~self._absent).sum(dim=1).numpy())

    def excess(self, pieces: Tensor, x: Tensor) -> Tensor:
        """See `CellWalls`."""
        members, chosen = self._by_member(x), pieces.long()[:, :, None]
        return members.scatter(2, chosen, -torch.inf).amax(dim=2) - members.gather(2, chosen)[:, :, 0]

    def varies(self, x: Tensor) -> Tensor:
        """See `CellWalls`."""
        winners = self._by_member(x.flatten(0, 1)).argmax(dim=2).reshape(*x.shape[:2], self.units)
        return (winners != winners[:, :1]).any(dim=1)

    @property
    def first(self) -> np.ndarray:
        """See `CellWalls`; the first members that there are."""
        return np.asarray((~self._absent).numpy().argmax(axis=1))

    def comparisons(self, pieces: np.ndarray) -> Comparisons:
        """See `CellWalls`."""
        places, winner = self.index.numpy().T, np.asarray(pieces, np.int64)
        there = (places >= 0) & (np.arange(self.kinds)[:, None] != winner)
        best = np.broadcast_to(places[winner, np.arange(self.units)], places.shape)
        walls = np.flatnonzero(there)
        return Comparisons(walls, places[there], best[there], np.zeros(len(walls)))

    def _by_member(self, x: Tensor) -> Tensor:
        """[n, units, size] the members of each group, minus infinity where it has fewer."""
        return x[:, self._places].masked_fill(self._absent, -torch.inf)

    def _winners(self, pieces: Tensor) -> Tensor:
        """[n, units] place of the largest member of each group."""
        return self.index[torch.arange(self.units), pieces.long()]

    def _members(self) -> list[tuple[int, slice]]:
        """Members, and the walls towards them."""
        return [(member, slice(member * self.units, (member + 1) * self.units)) for member in range(self.kinds)]
