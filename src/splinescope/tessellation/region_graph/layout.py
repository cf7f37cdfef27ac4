"""Which rows bound a cell, and which columns make up its pattern, for the folding nodes of any network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.programs.space import ABSENT
from splinescope.tessellation.region_graph.rounding import Carried


@dataclass(frozen=True, eq=False)
class Folding(ABC):
    """A node that folds: how its units bound a cell, and what they do on it.

    Attributes:
        node: Index of the node.
        source: Index of the node that it reads.
        units: Number of its units.
    """

    node: int
    source: int
    units: int

    @property
    @abstractmethod
    def row_units(self) -> np.ndarray:
        """[rows] the unit of each row."""

    @property
    @abstractmethod
    def pieces(self) -> int:
        """Largest number of pieces that a unit has."""

    @abstractmethod
    def write_rows(self, pieces: np.ndarray, value: np.ndarray, slopes: np.ndarray, far: float, out: Rows) -> None:
        """Write the rows of some cells.

        Args:
            pieces: [cells, units] pieces of the units.
            value: [cells, n] values of the source at the cells' origins.
            slopes: [cells or 1, d, n] slopes of the source, times `far`.
            far: A power of two.
            out: Where to write.
        """

    @abstractmethod
    def write_errors(self, pieces: np.ndarray, known: Carried, error: np.ndarray, out: Rows) -> None:
        """Write how well the rows of some cells are known.

        Args:
            pieces: [cells, units] pieces of the units.
            known: The source.
            error: [cells, n] what it is off.
            out: Where to write.
        """

    @abstractmethod
    def beyond(self, pieces: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """[facets] piece of the row's unit on the other side of a row, from that on this side."""

    @abstractmethod
    def follow(self, pieces: Tensor, value: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Value [cells, n] and slopes [cells, d, n] of the node on the pieces, flat, from those of its source."""

    @abstractmethod
    def pieces_of(self, value: np.ndarray, slope: np.ndarray, error: np.ndarray, extent: float) -> np.ndarray:
        """[points, units] the piece of each unit just beyond points, in directions in which the source has a slope.

        Args:
            value: [points, n] values of the source.
            slope: [points, n] its slopes.
            error: [points, n] what both together are off, as far as `extent`.
            extent: A length.
        """


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows for a batch of cells, to be written.

    Attributes:
        gradients: [cells, d, rows].
        values: [cells, rows].
        errors: [cells, rows] what both together are off on the domain.
    """

    gradients: np.ndarray
    values: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True, eq=False)
class Bends(Folding):
    """Units of an elementwise activation.

    With one breakpoint a unit has one row; with several it has two, towards the next piece above and below.

    Attributes:
        op: The activation.
    """

    op: Activation

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Breakpoints [B, units], and whether each bends [B, units]."""
        count = len(self.op.breakpoints)
        shape = (count, self.units)
        places = np.broadcast_to(np.asarray(self.op.breakpoints, np.float64).reshape(count, -1), shape)
        slopes = np.asarray(self.op.slopes, np.float64).reshape(count + 1, -1)
        return places, np.broadcast_to(np.diff(slopes, axis=0) != 0, shape)

    @property
    def pieces(self) -> int:
        """See `Folding`."""
        return len(self.op.breakpoints) + 1

    @cached_property
    def row_units(self) -> np.ndarray:
        """See `Folding`; rows towards larger values come first."""
        return np.tile(np.arange(self.units), 1 if self.pieces == 2 else 2)

    @cached_property
    def _lowest(self) -> np.ndarray:
        """[pieces, units] the first of the pieces that continue each other up to a given one."""
        _, bends = self.tables
        number = np.arange(1, self.pieces)[:, None] * bends
        return np.concatenate([np.zeros((1, self.units), np.int64), np.maximum.accumulate(number, axis=0)])

    @cached_property
    def _above(self) -> np.ndarray:
        """[pieces, units] the next breakpoint above a piece that bends, `B` if there is none."""
        _, bends = self.tables
        number = np.where(bends, np.arange(self.pieces - 1)[:, None], self.pieces - 1)
        following = np.minimum.accumulate(number[::-1], axis=0)[::-1]
        return np.concatenate([following, np.full((1, self.units), self.pieces - 1)])

    def write_rows(self, pieces: np.ndarray, value: np.ndarray, slopes: np.ndarray, far: float, out: Rows) -> None:
        """See `Folding`."""
        places, bends = self.tables
        if self.pieces == 2:
            sign = 1.0 - 2.0 * pieces
            np.multiply(slopes, (sign / far)[:, None, :], out=out.gradients)
            np.multiply(value - places[0], sign, out=out.values)
            out.values[:, ~bends[0]] = ABSENT
            return
        columns, n = np.arange(self.units), self.units
        infinite = np.concatenate([places, np.full((1, n), np.inf), np.full((1, n), -np.inf)])
        upper, lower = self._above[pieces, columns], self._lowest[pieces, columns] - 1
        np.multiply(slopes, 1.0 / far, out=out.gradients[:, :, :n])
        np.multiply(slopes, -1.0 / far, out=out.gradients[:, :, n:])
        out.values[:, :n] = value - infinite[upper, columns]
        out.values[:, n:] = infinite[lower, columns] - value

    def write_errors(self, pieces: np.ndarray, known: Carried, error: np.ndarray, out: Rows) -> None:
        """See `Folding`."""
        places, _ = self.tables
        places = np.where(np.abs(places) < _NO_BOUND, np.abs(places), 0.0).max(axis=0)
        if places.any():
            error = error + np.where(places > 0, 2 * UNIT_ROUNDOFF * (known.size.numpy() + places), 0.0)
        out.errors[:, : self.units] = error
        if self.pieces > 2:
            out.errors[:, self.units :] = error

    def beyond(self, pieces: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `Folding`."""
        if self.pieces == 2:
            return 1 - pieces
        unit = rows % self.units
        below = self._lowest[pieces, unit] - 1
        return np.where(rows < self.units, self._above[pieces, unit] + 1, self._lowest[np.maximum(below, 0), unit])

    def follow(self, pieces: Tensor, value: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """See `Folding`."""
        if self.op.is_relu:
            mask = pieces.to(torch.float64)
            return value * mask, slopes * mask[:, None, :]
        index = pieces.long()
        if self.op.slopes.ndim == 1:
            factor, shift = self.op.slopes[index], self.op.intercepts[index]
        else:
            factor, shift = self.op.slopes.gather(0, index), self.op.intercepts.gather(0, index)
        return factor * value + shift, slopes * factor[:, None, :]

    def pieces_of(self, value: np.ndarray, slope: np.ndarray, error: np.ndarray, extent: float) -> np.ndarray:
        """See `Folding`."""
        places, _ = self.tables
        count = np.zeros(value.shape, np.int64)
        rising = slope * extent > error
        for place in places:
            above, known = value - place, error + 2 * UNIT_ROUNDOFF * np.minimum(np.abs(place), np.abs(value))
            count += (above > known) | ((above >= -known) & rising)
        return self.lowest(count)

    def lowest(self, count: np.ndarray) -> np.ndarray:
        """Pieces by the number of breakpoints below: the first of those that continue each other."""
        return np.asarray(self._lowest[count, np.arange(self.units)].astype(np.uint8))

    def neighbours(self, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[units] the breakpoint at which the unit leaves its piece downwards, and upwards; -1 where there is none."""
        columns = np.arange(self.units)
        above = self._above[pieces, columns]
        return self._lowest[pieces, columns] - 1, np.where(above == self.pieces - 1, -1, above)


@dataclass(frozen=True, eq=False)
class Contests(Folding):
    """Groups of a max node; a group has one row for each of its members, the winner's own being absent.

    Attributes:
        op: The max node.
    """

    op: Maximum

    @cached_property
    def _groups(self) -> np.ndarray:
        return np.asarray(self.op.index)

    @property
    def pieces(self) -> int:
        """See `Folding`."""
        return self._groups.shape[1]

    @cached_property
    def row_units(self) -> np.ndarray:
        """See `Folding`; member after member."""
        return np.tile(np.arange(self.units), self.pieces)

    def write_rows(self, pieces: np.ndarray, value: np.ndarray, slopes: np.ndarray, far: float, out: Rows) -> None:
        """See `Folding`."""
        units = np.arange(self.units)
        winner = self._groups[units, pieces]
        best = np.take_along_axis(value, winner, axis=1)
        wide = np.broadcast_to(slopes, (len(value), *slopes.shape[1:]))
        steepest = np.take_along_axis(wide, winner[:, None, :], axis=2)
        for member in range(self.pieces):
            columns = slice(member * self.units, (member + 1) * self.units)
            index = np.maximum(self._groups[:, member], 0)
            np.multiply(slopes[:, :, index] - steepest, 1.0 / far, out=out.gradients[:, :, columns])
            rows = value[:, index] - best
            rows[(pieces == member) | (self._groups[:, member] < 0)] = ABSENT
            out.values[:, columns] = rows

    def write_errors(self, pieces: np.ndarray, known: Carried, error: np.ndarray, out: Rows) -> None:
        """See `Folding`."""
        off = error + 2 * UNIT_ROUNDOFF * known.size.numpy()
        own = np.take_along_axis(off, self._groups[np.arange(self.units), pieces], axis=1)
        for member in range(self.pieces):
            columns = slice(member * self.units, (member + 1) * self.units)
            out.errors[:, columns] = off[:, np.maximum(self._groups[:, member], 0)] + own

    def beyond(self, pieces: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `Folding`."""
        return rows // self.units

    def follow(self, pieces: Tensor, value: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """See `Folding`."""
        index = self.op.index[torch.arange(self.units), pieces.long()]
        wide = slopes.expand(len(value), *slopes.shape[1:])
        return value.gather(1, index), wide.gather(2, index[:, None, :].expand(-1, slopes.shape[1], -1))

    def pieces_of(self, value: np.ndarray, slope: np.ndarray, error: np.ndarray, extent: float) -> np.ndarray:
        """See `Folding`."""
        index = np.maximum(self._groups, 0)
        present = self._groups >= 0
        members = np.where(present, value[:, index], -np.inf)
        known = error[:, index] + 2 * UNIT_ROUNDOFF * np.abs(value[:, index])
        near = members + known >= np.where(present, members - known, -np.inf).max(axis=2, keepdims=True)
        near &= present
        rates = slope[:, index] * extent
        least = np.where(near, rates - known, -np.inf).max(axis=2, keepdims=True)
        return np.argmax(near & (rates + known >= least), axis=2).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Layout:
    """The folding nodes of a network in topological order; their rows and pattern columns lie one after the other.

    Attributes:
        foldings: The nodes.
    """

    foldings: tuple[Folding, ...]

    @cached_property
    def column_starts(self) -> np.ndarray:
        """[nodes + 1] first pattern column of each node."""
        return np.cumsum([0, *(folding.units for folding in self.foldings)])

    @cached_property
    def row_starts(self) -> np.ndarray:
        """[nodes + 1] first row of each node."""
        return np.cumsum([0, *(len(folding.row_units) for folding in self.foldings)])

    @property
    def columns(self) -> int:
        """Number of pattern columns."""
        return int(self.column_starts[-1])

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.row_starts[-1])

    @cached_property
    def row_columns(self) -> np.ndarray:
        """[rows] pattern column of each row's unit."""
        parts = [folding.row_units + start for folding, start in zip(self.foldings, self.column_starts, strict=False)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    @cached_property
    def column_nodes(self) -> np.ndarray:
        """[columns] node of each pattern column."""
        return np.repeat([folding.node for folding in self.foldings], np.diff(self.column_starts)).astype(np.int64)

    @cached_property
    def column_units(self) -> np.ndarray:
        """[columns] unit of each pattern column, as an index into its node's flat value."""
        parts = [np.arange(folding.units) for folding in self.foldings]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    @cached_property
    def column_pieces(self) -> np.ndarray:
        """[columns] largest number of pieces of each column's unit."""
        sizes = np.diff(self.column_starts)
        return np.repeat([folding.pieces for folding in self.foldings], sizes).astype(np.int64)

    def beyond(self, patterns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """[facets] new piece of the unit of a row when the row is crossed, from the patterns [facets, columns]."""
        out = np.zeros(len(rows), np.int64)
        present = patterns[np.arange(len(rows)), self.row_columns[rows]].astype(np.int64)
        which = np.searchsorted(self.row_starts, rows, side="right") - 1
        for number, folding in enumerate(self.foldings):
            mine = np.flatnonzero(which == number)
            if len(mine):
                out[mine] = folding.beyond(present[mine], rows[mine] - self.row_starts[number])
        return out


def layout_of(network: Network) -> Layout:
    """The folding nodes of a network that its output depends on, in topological order.

    Args:
        network: The network.
    """
    foldings: list[Folding] = []
    for index, node in enumerate(network.nodes):
        if isinstance(node.op, Activation):
            foldings.append(Bends(index, node.inputs[0], node.size, node.op))
        elif isinstance(node.op, Maximum):
            foldings.append(Contests(index, node.inputs[0], node.size, node.op))
    return Layout(tuple(foldings))


_NO_BOUND = 1e38
"""Breakpoints beyond this stand for none: importers use the largest float32."""
