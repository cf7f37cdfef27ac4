"""Enclosures of some numbers on many domains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class AffineBounds(Shown):
    """Enclosures of n numbers on many domains.

    Attributes:
        centre: [rows, n] values in the middle, at each corner of each domain.
        slopes: [rows, d, n] by how much they change along each direction, from its middle to its end.
        radius: [rows, n] what is given or taken beside, not negative.
        offsets: [domains + 1] first row of each domain, and the number of rows; None where each row is a domain.
            Domains of several corners have no directions.
        roundoff: Relative rounding error by which bounds are widened; 0 where the caller accounts for it.
    """

    centre: Float[Tensor, "rows n"]
    slopes: Float[Tensor, "rows d n"]
    radius: Float[Tensor, "rows n"]
    offsets: Int[np.ndarray, " _"] | None = None
    roundoff: float = 0.0

    @cached_property
    def reach(self) -> Float[Tensor, "rows n"]:
        """Largest distance from the centre, at each corner."""
        return self.slopes.abs().sum(dim=1) + self.radius

    @cached_property
    def size(self) -> Float[Tensor, "rows n"]:
        """Largest absolute value, at each corner."""
        return self.centre.abs() + self.reach

    def at_corners(self) -> tuple[Float[Tensor, "rows n"], Float[Tensor, "rows n"]]:
        """Least and largest value of each number at each corner, in all directions; infinite where nothing is known."""
        low, high = self.centre - self.reach, self.centre + self.reach
        if self.roundoff:
            doubt = 2 * (self.slopes.shape[1] + 4) * self.roundoff * self.size
            low, high = low - doubt, high + doubt
        return low.nan_to_num_(-torch.inf, torch.inf, -torch.inf), high.nan_to_num_(torch.inf, torch.inf, -torch.inf)

    def ends(self) -> tuple[Float[Tensor, "domains n"], Float[Tensor, "domains n"]]:
        """Least and largest value of each number on each domain; infinite where nothing is known.

        Returns:
            Lower and upper bounds.
        """
        low, high = self.at_corners()
        if self.offsets is None:
            return low, high
        starts = self.offsets[:-1]
        least, most = np.minimum.reduceat(low.numpy(), starts), np.maximum.reduceat(high.numpy(), starts)
        return torch.from_numpy(least), torch.from_numpy(most)

    def taken(self, index: Int[Tensor, "rows some"]) -> AffineBounds:
        """Some of the numbers, others in each row.

        Args:
            index: For each row the numbers that are wanted.

        Returns:
            Their enclosures.
        """
        along = index[:, None].expand(-1, self.slopes.shape[1], -1)
        parts = (self.centre.gather(1, index), self.slopes.gather(2, along), self.radius.gather(1, index))
        return replace(self, centre=parts[0], slopes=parts[1], radius=parts[2])
