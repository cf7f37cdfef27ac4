"""Elementwise continuous piecewise affine activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from splinescope.network.ops.base import Op, flat
from splinescope.network.ops.folding import Fold, Reads, Walls
from splinescope.network.ops.kinks import Kinks


class Activation(Fold):
    r"""An elementwise continuous piecewise affine function.

    On piece $i$, between breakpoints $i - 1$ and $i$, it is $y = s_i x + t_i$. A breakpoint itself belongs to the
    piece before it. All three tables are either shared by the units, or have one column for each unit (where a unit
    needs fewer pieces, neighbouring pieces of it have one slope, and it does not fold between them).

    A new activation is a dataclass that answers the three tables; all else follows from them.

    Attributes:
        breakpoints: [B] or [B, units], ascending.
        slopes: [B + 1] or [B + 1, units].
        intercepts: [B + 1] or [B + 1, units].
    """

    breakpoints: Float[Tensor, "B ..."]
    slopes: Float[Tensor, "B+1 ..."]
    intercepts: Float[Tensor, "B+1 ..."]

    @cached_property
    def is_relu(self) -> bool:
        """Whether it is $y = max(x, 0)$ for all units."""
        return (
            self.breakpoints.ndim == 1
            and self.breakpoints.tolist() == [0.0]
            and self.slopes.tolist() == [0.0, 1.0]
            and self.intercepts.tolist() == [0.0, 0.0]
        )

    @property
    def clamps(self) -> bool:
        """See `Fold`."""
        return self.is_relu

    def piece_counts(self, units: int) -> Int[np.ndarray, " units"]:
        """See `Fold`."""
        return np.full(units, self.count)

    @property
    def homogeneous(self) -> bool:
        """See `Fold`; where its only breakpoint is 0 and it vanishes there, as ReLU and absolute value do."""
        return not bool((self.breakpoints != 0).any()) and not bool((self.intercepts != 0).any())

    @property
    def elementwise(self) -> bool:
        """See `Fold`; it is."""
        return True

    @property
    def label(self) -> str:
        """See `Op`."""
        return "ReLU" if self.is_relu else f"Activation ({self.count} pieces)"

    @cached_property
    def rounds(self) -> bool:
        """See `Op`; not where pieces are flat, or of slope one through the origin."""
        exact = (self.slopes == 0) | ((self.slopes.abs() == 1) & (self.intercepts == 0))
        return not bool(exact.all())

    def terms(
        self, inputs: Sequence[Float[Tensor, "batch ..."]], value: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch ..."]:
        """See `Op`."""
        return value.abs() + float(self.intercepts.abs().max()) if self.rounds else torch.zeros_like(value)

    def evaluate(self, *inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The function of each number."""
        (x,) = inputs
        if self.is_relu:
            return x.clamp(min=0.0)
        return self.on_pieces(self.pieces(flat(x)), x).reshape(x.shape)

    def pieces(self, x: Float[Tensor, "batch ..."]) -> Int[Tensor, "batch ..."]:
        """Piece on which each number lies.

        Args:
            x: Arguments of the function.

        Returns:
            Indices from 0 to B, in the shape of `x`.
        """
        values = flat(x.detach())
        piece = torch.zeros(values.shape, dtype=torch.int64, device=values.device)
        for breakpoint in self.breakpoints:
            piece += values > breakpoint
        return piece.reshape(x.shape)

    @property
    def levels(self) -> int:
        """Number of breakpoints."""
        return len(self.breakpoints)

    @property
    def count(self) -> int:
        """See `Fold`."""
        return len(self.slopes)

    def on_pieces(self, pieces: Integer[Tensor, "batch _"], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch _"]:
        """See `Fold`."""
        if self.is_relu:
            return flat(x) * pieces.to(x.dtype)
        slope, intercept = (self._at(table, pieces) for table in (self.slopes, self.intercepts))
        return slope * flat(x) + intercept

    def along_pieces(
        self, pieces: Integer[Tensor, "batch _"], slopes: Float[Tensor, "b directions _"]
    ) -> Float[Tensor, "batch directions _"]:
        """See `Fold`."""
        return slopes * (pieces.to(slopes.dtype) if self.is_relu else self._at(self.slopes, pieces))[:, None]

    def reads(self, pieces: Integer[np.ndarray, "*batch k"], units: Int[np.ndarray, " k"] | None = None) -> Reads:
        """See `Fold`."""
        chosen, units = pieces.astype(np.int64), np.arange(pieces.shape[-1]) if units is None else units
        slopes, intercepts = self.slopes.numpy(), self.intercepts.numpy()
        at = (chosen,) if slopes.ndim == 1 else (chosen, units)
        return Reads(np.broadcast_to(units, chosen.shape), slopes[at], intercepts[at])

    @property
    def convex(self) -> bool:
        """See `Fold`."""
        return bool((self.slopes[1:] >= self.slopes[:-1]).all())

    def cell_walls(self, units: int) -> Kinks:
        """See `Fold`."""
        bends = self.slopes[1:] != self.slopes[:-1]
        return Kinks(units, *(table.reshape(len(bends), -1).expand(-1, units) for table in (self.breakpoints, bends)))

    def bits(self, pieces: Integer[Tensor, "batch _"]) -> Integer[Tensor, "batch _"]:
        """See `Fold`: one bit for each breakpoint, 1 above it."""
        return torch.cat([(pieces > level).to(torch.uint8) for level in range(self.levels)], dim=1)

    def named(
        self, bits: Integer[np.ndarray, "*batch levels k"], units: Int[np.ndarray, " k"] | None = None
    ) -> Int[np.ndarray, "*batch k"]:
        """See `Fold`; where nothing folds, a bit may be either, and is taken for the next one above."""
        folding = self.tables(bits.shape[-1], units).folding
        total = above = bits[..., -1, :].astype(np.int64)
        for level in range(self.levels - 2, -1, -1):
            above = np.where(folding[level], bits[..., level, :], above)
            total = total + above
        return total

    def between(
        self, units: Int[np.ndarray, " walls"], one: Integer[np.ndarray, " walls"], other: Integer[np.ndarray, " walls"]
    ) -> Walls:
        """See `Fold`; a breakpoint at which nothing folds is taken only where there is no other."""
        tables, walls = self.tables(len(units), units), np.arange(len(units))
        low, high = np.minimum(one, other)[None], np.maximum(one, other)[None]
        level = np.arange(self.levels)[:, None]
        passed = (low <= level) & (level < high) & tables.folding
        first = np.where(passed.any(axis=0), passed.argmax(axis=0), np.minimum(low[0], self.levels - 1))
        return Walls(units, np.full(len(units), -1), tables.breakpoints[first, walls])

    def walls(self, folds: Int[np.ndarray, " walls"], units: int) -> Walls:
        """See `Fold`."""
        level, unit = np.divmod(folds, units)
        breakpoints = self.breakpoints.numpy()
        shift = breakpoints[level] if breakpoints.ndim == 1 else breakpoints[level, unit]
        return Walls(unit, np.full(len(folds), -1), shift)

    def stacked(self, count: int, size: int) -> Op:
        """See `Op`."""
        if self.breakpoints.ndim == 1:
            return self
        return PiecewiseAffine(*(table.repeat(1, count) for table in (self.breakpoints, self.slopes, self.intercepts)))

    def taken(self, units: Int[Tensor, " some"]) -> Activation:
        """See `Fold`."""
        tables = (self.breakpoints, self.slopes, self.intercepts)
        return PiecewiseAffine(*(table if table.ndim == 1 else table[:, units] for table in tables))

    @cached_property
    def steepest(self) -> Float[Tensor, "..."]:
        """[] or [units] largest absolute slope."""
        return self.slopes.abs().amax(dim=0)

    @property
    def addends(self) -> int:
        """See `Op`; a product and an intercept."""
        return 2

    def magnitude(self, *x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`: of the steepest slope and the largest intercept."""
        return (flat(x[0]) * self.steepest + self.intercepts.abs().amax(dim=0)).reshape(x[0].shape)

    def carried(self, *errors: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """See `Op`: errors times the steepest slopes."""
        return (flat(errors[0]) * self.steepest).reshape(errors[0].shape)

    def open_bits(
        self, x: Float[np.ndarray, "batch n"], errors: Float[np.ndarray, "batch n"]
    ) -> Bool[np.ndarray, "batch columns"]:
        """See `Fold`: those of breakpoints within the errors."""
        return np.concatenate([np.abs(x - shift) <= errors for shift in self.breakpoints.numpy()], axis=1)

    def tables(self, size: int, units: Int[np.ndarray, " some"] | None = None) -> Tables:
        """The tables of some units as arrays.

        Args:
            size: Number of units.
            units: These units; all by default.

        Returns:
            One column for each.
        """
        parts = []
        for table in (self.breakpoints, self.slopes, self.intercepts):
            rows = table.numpy().reshape(len(table), -1)
            chosen = rows if units is None or rows.shape[1] == 1 else rows[:, units]
            parts.append(np.broadcast_to(chosen, (len(rows), size)).copy())
        return Tables(*parts)

    @staticmethod
    def _at(table: Tensor, pieces: Tensor) -> Tensor:
        """Entries of a table by piece and unit."""
        return table[pieces.long()] if table.ndim == 1 else table.gather(0, pieces.long())


class Tables(NamedTuple):
    """The tables of an activation, one column for each unit.

    Attributes:
        breakpoints: [B, units].
        slopes: [B + 1, units].
        intercepts: [B + 1, units].
    """

    breakpoints: Float[np.ndarray, "B units"]
    slopes: Float[np.ndarray, "B+1 units"]
    intercepts: Float[np.ndarray, "B+1 units"]

    @property
    def folding(self) -> Bool[np.ndarray, "B units"]:
        """Whether there is a fold at each breakpoint."""
        return np.ascontiguousarray(np.diff(self.slopes, axis=0) != 0)


@dataclass(frozen=True, eq=False)
class PiecewiseAffine(Activation):
    """An activation that is given by its tables: see `Activation`.

    Attributes:
        breakpoints: [B] or [B, units], ascending.
        slopes: [B + 1] or [B + 1, units].
        intercepts: [B + 1] or [B + 1, units].
    """

    stored_as: ClassVar[str] = "Activation"
    """What files of cells call it."""

    breakpoints: Float[Tensor, "B ..."]
    slopes: Float[Tensor, "B+1 ..."]
    intercepts: Float[Tensor, "B+1 ..."]


@dataclass(frozen=True, eq=False)
class Clip(Activation):
    """Numbers held between two bounds of their own unit: a hardtanh whose bounds were learned.

    Attributes:
        lower: [units] lower bounds.
        upper: [units] upper bounds, none below the lower one.
    """

    lower: Float[Tensor, " units"]
    upper: Float[Tensor, " units"]

    @cached_property
    def breakpoints(self) -> Float[Tensor, "2 units"]:  # type: ignore[override]
        """[2, units] the bounds."""
        return torch.stack([self.lower, self.upper])

    @cached_property
    def slopes(self) -> Float[Tensor, "3 units"]:  # type: ignore[override]
        """[3, units] one between the bounds."""
        nothing = torch.zeros_like(self.lower)
        return torch.stack([nothing, (self.lower < self.upper).to(self.lower.dtype), nothing])

    @cached_property
    def intercepts(self) -> Float[Tensor, "3 units"]:  # type: ignore[override]
        """[3, units] the bounds beyond them."""
        return torch.stack([self.lower, torch.where(self.lower < self.upper, 0.0, self.lower), self.upper])
