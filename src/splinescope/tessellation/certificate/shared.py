r"""A forward pass that a group of neighbouring cells shares.

On the branch of a recorded pattern $\pi$ every node is affine in the coordinates, and two patterns that differ in some
units differ by what these add: at a point $p$ of a cell $i$

$$z(p) = A_0 + \sum_a t_a A_a + \sum_k \delta_{ik} R_k,$$

where $A$ are the value and the slopes of the branch of the group's middle cell, $R_k$ is the column that this branch
makes of the unit $k$ of an earlier fold, and $\delta_{ik}$ is by how much that unit's output on the cell's own piece
exceeds that on the middle cell's. So all rows, a few dozen, go through the network once, as a batch does, and a cell
costs a few numbers per unit that folds nearby. If every unit is on its recorded piece at $p$ there, node after node,
the network is on that branch at $p$: patterns and outputs are proved as by a forward pass at $p$.

Errors are bounded for all points together, as in `forward`. What a node's rows say, in exact arithmetic, of the value
at a point is off by $e$. A product adds at most $\gamma |W| s$ with $s = \sum_r \max_i |c_{ir}| |B_r|$ for rows $B$
with coefficients $c$, and passes on $|W| e$; a sum over the rows adds $\gamma s$.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import local

import numpy as np
import torch
from torch import Tensor

from splinescope.network.evaluate import last_uses
from splinescope.network.ops import Activation, AffineOp, Maximum
from splinescope.network.ops.activation import Tables
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.forward import Passed, bound_of, forward, gamma
from splinescope.tessellation.certificate.groups import Bits, Group, activation, maximum
from splinescope.tessellation.certificate.stepping import without_gradients
from splinescope.tessellation.certificate.steps import largest, stepped
from splinescope.tessellation.certificate.subject import Subject

_UP = 1.0 + 1e-9
"""What roundings of the bounds themselves are covered by."""
_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
_NOTHING = np.empty(0, np.int64)
CALIBRATION = 1024.0
"""Multiple of measured errors that measured errors allow."""
_SAMPLE = 8
"""Points at which all units are evaluated."""


class NotSharedError(Exception):
    """Numbers of a shared pass are not finite: points are to be looked at one by one."""


@dataclass(frozen=True)
class Look:
    """What a shared pass says of one node, at all points of the group.

    Attributes:
        index: The node that folds; -1 for the outputs.
        open: Units whose piece is not the middle cell's at all points beyond doubt; the pieces of others are.
        bits: [len(open), levels, C] recorded bits of these.
        places: Places in the flat input that were evaluated, ascending; all that open units read are among them.
        values: [len(places), N] values there, until the next node is looked at.
        errors: [n] bounds of the errors of all values, at all points.
        sample: [m, n] all values at some of the points.
    """

    index: int
    open: np.ndarray
    bits: np.ndarray
    places: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    sample: np.ndarray

    def row(self, places: np.ndarray) -> np.ndarray:
        """Rows of `values` for places, which must be among those evaluated."""
        return np.searchsorted(self.places, places)

    @cached_property
    def most(self) -> np.ndarray:
        """[len(places)] largest absolute values."""
        out = np.empty(len(self.places))
        largest(self.values, out)
        return out

    @property
    def resolution(self) -> float:
        """Largest error of a unit relative to its values, of the units that the bound decides anywhere."""
        size = np.abs(self.sample).max(axis=0, initial=0.0)
        size[self.places] = np.maximum(size[self.places], self.most)
        told = size > self.errors
        return float((self.errors[told] / size[told]).max(initial=0.0))


@dataclass(frozen=True)
class _Rows:
    """Numbers of a node by row, a bound of what they say wrong, and of how large all terms of a value are together."""

    numbers: Tensor
    error: Tensor
    size: Tensor

    @property
    def flat(self) -> Tensor:
        """[K, n] the numbers."""
        return self.numbers.reshape(len(self.numbers), -1)


class Scratch(local):
    """Room that the passes of one thread use one after the other: touching new memory takes as long as the products."""

    def __init__(self) -> None:
        self._parts: dict[str, Tensor] = {}

    def room(self, name: str, *shape: int) -> Tensor:
        """Room for numbers, whatever they were before; there is one of each name."""
        size = math.prod(shape)
        if name not in self._parts or self._parts[name].numel() < size:
            self._parts[name] = torch.empty(size, dtype=torch.float64)
        return self._parts[name][:size].reshape(shape)


class _Coefficients:
    """Of every point, by how much each row counts."""

    def __init__(self, points: int, rows: int, scratch: Scratch) -> None:
        self._scratch = scratch
        self.table = scratch.room("coefficients", rows, points)
        self.lowest, self.highest = (torch.zeros(rows, dtype=torch.float64) for _ in range(2))
        self.count = 0
        self.sample = np.unique(np.linspace(0, points - 1, min(points, _SAMPLE)).astype(np.int64))

    def room(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[count, N], [count], [count] where more coefficients go, and the least and largest of each."""
        here = slice(self.count, self.count + count)
        self.count += count
        return self.table[here].numpy(), self.lowest[here].numpy(), self.highest[here].numpy()

    def append(self, more: np.ndarray) -> None:
        """[k, N] of more rows."""
        place, lowest, highest = self.room(len(more))
        place[:] = more
        lowest[:], highest[:] = more.min(axis=1), more.max(axis=1)

    def largest(self, rows: int) -> Tensor:
        """[rows] largest absolute coefficients."""
        return torch.maximum(-self.lowest[:rows], self.highest[:rows])

    def within(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """[n] middle and half width of what sums of rows may be, up to rounding."""
        low, high = self.lowest[: len(numbers)], self.highest[: len(numbers)]
        return (0.5 * (low + high)) @ numbers, (0.5 * (high - low) * _UP) @ numbers.abs()

    def at(self, numbers: Tensor) -> np.ndarray:
        """[k, N] sums of rows at all points, until the next ones are asked for."""
        place = self._scratch.room("sums", numbers.shape[1], self.table.shape[1])
        out: np.ndarray = torch.mm(numbers.T, self.table[: len(numbers)], out=place).numpy()
        return out

    def sampled(self, numbers: Tensor) -> np.ndarray:
        """[m, n] sums of rows at the sample."""
        out: np.ndarray = (self.table[: len(numbers), self.sample].T @ numbers).numpy()
        return out


class SharedPass:
    """The pass of one group at points, each of which belongs to a cell of the group."""

    def __init__(
        self,
        subject: Subject,
        group: Group,
        coordinates: np.ndarray,
        owner: np.ndarray,
        wanted: Mapping[int, np.ndarray],
        scratch: Scratch,
        measured: Mapping[int, np.ndarray] | None = None,
        doubt: float = 0.0,
    ) -> None:
        """What is asked.

        Args:
            subject: All cells.
            group: The group.
            coordinates: [N, d] points.
            owner: [N] places in the group of their cells.
            wanted: Places in the flat input of folding nodes that are evaluated at all points whatever they are.
            scratch: Room.
            measured: [1, n] errors of forward passes to assume of folding nodes and of the output (-1) instead of
                proved bounds; how far the shared pass is from forward passes is measured beside them.
            doubt: Largest share of a unit's swing over a cell that the position of a point leaves open.
        """
        self._subject, self._group, self._network = subject, group, subject.network
        self._points, self._owner, self._wanted, self._measured = coordinates, owner, wanted, measured
        self._known = _Coefficients(len(coordinates), 1 + coordinates.shape[1] + group.folding, scratch)
        self._room = (1.0 + 2.2 * doubt) * _UP
        sample, place = coordinates[self._known.sample], subject.place
        self._beside: Iterator[Passed] = iter(())
        if measured is not None:
            self._beside = forward(subject.network, place.embed(sample), place.errors(sample))

    @without_gradients
    def looks(self) -> Iterator[Look]:
        """What is found at each folding node, then at the output.

        Raises:
            NotSharedError: If numbers are not finite.
        """
        rows: dict[int, _Rows] = {}
        last = last_uses(self._network)
        for index, node in enumerate(self._network.nodes):
            read = [rows[source] for source in node.inputs]
            if not read:
                rows[index] = self._entered()
            elif node.fold is None:
                assert node.affine is not None
                rows[index] = self._mapped(node.affine, read)
            else:
                look = self._folded(index, read[0])
                yield look
                rows[index] = self._branched(index, read[0], look)
            for source in {index, *node.inputs}:
                if last[source] <= index:
                    del rows[source]
        out = rows[self._network.output]
        everything = np.arange(out.flat.shape[1])
        yield self._evaluated(-1, out, *self._errors(-1, out), (_NOTHING, np.empty((0, 0, 0), np.uint8), everything))

    def _entered(self) -> _Rows:
        """The middle of the points, and a direction for each axis, as far as they reach."""
        place, shape = self._subject.place, self._network.input_shape
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        middle = (0.5 * (low + high))[None]
        reach = np.maximum(highest_power(high - middle[0]), highest_power(middle[0] - low))
        self._known.append(np.ones((1, len(self._points))))
        self._known.append(((self._points - middle) / reach).T)
        assert place.directions is not None
        steps = place.directions * reach[:, None]  # a power of two: nothing is rounded but what is too small or large
        numbers = torch.from_numpy(np.concatenate([place.embed(middle).reshape(1, -1), steps]))
        moved = self._known.largest(len(numbers))[1:] @ numbers[1:].abs()
        error = torch.from_numpy(place.errors(middle)) + 4 * UNIT_ROUNDOFF * moved + 8 * len(steps) * _SMALLEST
        return self._rows(numbers.reshape(-1, *shape), error.reshape(1, *shape))

    def _rows(self, numbers: Tensor, error: Tensor) -> _Rows:
        """With how large all terms are together."""
        flat = numbers.reshape(len(numbers), -1)
        size = self._known.largest(len(flat)) @ flat.abs() * _UP + len(flat) * _SMALLEST
        if not bool(torch.isfinite(size).all()) or (self._measured is None and not bool(torch.isfinite(error).all())):
            raise NotSharedError
        return _Rows(numbers, error, size.reshape(1, *numbers.shape[1:]))

    def _mapped(self, op: AffineOp, read: list[_Rows]) -> _Rows:
        """An affine op: its linear part of each row, its offset where values are."""
        most = max(len(part.numbers) for part in read)
        numbers = op.linear.evaluate(*(_filled(part.numbers, most) for part in read))
        if op.offset is not None:
            numbers[0] += op.offset
        terms = [part.size for part in read]
        error = bound_of(
            op, [-size for size in terms], [part.error for part in read], list(zip(terms, terms, strict=True))
        )
        if op.rounds:  # what is too small for float64 is lost in each row
            error = error + op.addends * _SMALLEST * float(self._known.largest(most).sum()) * _UP
        return self._rows(numbers, error)

    def _errors(self, index: int, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        """[n] errors of sums over the rows, and [m, n] these sums at the sample."""
        sample = self._known.sampled(rows.flat)
        if self._measured is None:
            return (rows.error.reshape(-1) + self._summing(rows)).numpy() * _UP, sample
        apart = np.abs(sample - next(self._beside).values).max(axis=0)
        return self._measured[index].reshape(-1) + CALIBRATION * np.maximum(apart, np.median(apart)), sample

    def _evaluated(
        self, index: int, rows: _Rows, errors: np.ndarray, sample: np.ndarray, which: tuple[np.ndarray, ...]
    ) -> Look:
        """Values at all points of some places, for units with these bits."""
        numbers, (units, bits, places) = rows.flat, which
        whole = len(places) == numbers.shape[1]
        values = self._known.at(numbers if whole else numbers[:, torch.from_numpy(places)])
        return Look(index, units, bits, places, values, errors, sample)

    def _summing(self, rows: _Rows) -> Tensor:
        """[n] what sums over the rows add to the errors."""
        count = len(rows.numbers)
        return rows.size.reshape(-1) * gamma(count + 2) + count * _SMALLEST

    def _folded(self, index: int, rows: _Rows) -> Look:
        """Values of the units that may be on several pieces."""
        bits = self._group.bits[index]
        errors, sample = self._errors(index, rows)
        slack = torch.from_numpy(errors) + 2 * self._summing(rows)
        wanted = self._wanted.get(index, _NOTHING)
        if bits.fold.elementwise:
            middle, width = self._known.within(rows.flat)
            closed = _closed_units(bits, activation(bits.fold), middle.numpy(), (width + slack).numpy() * self._room)
        else:
            closed = self._closed_groups(bits, maximum(bits.fold), rows.flat, slack)
        closed[bits.units] = False
        units = np.flatnonzero(~closed)
        read = units if bits.fold.elementwise else np.unique(maximum(bits.fold).members.numpy()[units])
        return self._evaluated(index, rows, errors, sample, (units, bits.of_units(units), np.union1d(read, wanted)))

    def _closed_groups(self, bits: Bits, op: Maximum, numbers: Tensor, slack: Tensor) -> np.ndarray:
        """[groups] whether the middle cell's winner leads at all points."""
        members = op.members
        winner = torch.from_numpy(bits.fold.reads(bits.pieces).places)
        closed = torch.ones(len(members), dtype=torch.bool)
        for column in range(members.shape[1]):
            other = members[:, column]
            middle, width = self._known.within(numbers[:, winner] - numbers[:, other])
            room = (width + slack[winner] + slack[other]) * self._room
            closed &= (middle > room) | (winner == other)
        return np.asarray(closed.numpy())

    def _branched(self, index: int, rows: _Rows, look: Look) -> _Rows:
        """The middle cell's pieces of all rows, and a new row for each unit that folds between the cells."""
        bits = self._group.bits[index]
        op, units = bits.fold, bits.units
        shape = self._network.nodes[index].shape
        base = op.reads(bits.pieces)
        flat, error, size = rows.flat, rows.error.reshape(-1).numpy(), rows.size.reshape(-1).numpy()
        summing = self._summing(rows).numpy()
        before = self._known.count
        numbers = torch.zeros((before + len(units), len(bits.pieces)), dtype=torch.float64)
        numbers[: len(flat)] = flat if op.elementwise else flat[:, torch.from_numpy(base.places)]
        if op.elementwise:
            numbers[: len(flat)] *= torch.from_numpy(base.slopes)
            numbers[0] += torch.from_numpy(base.intercepts)
        numbers[before + np.arange(len(units)), units] = 1.0
        slopes = np.abs(base.slopes)
        fresh = slopes * size[base.places] + np.abs(base.intercepts)
        out = slopes * error[base.places] + (8 * UNIT_ROUNDOFF * fresh if op.rounds else 0.0)
        if op.elementwise:
            tables = activation(op).tables(len(units), units)
            self._step_units(bits, tables, look)
            steep, offset = np.abs(tables.slopes).max(axis=0), np.abs(tables.intercepts).max(axis=0)
            own, terms = steep * (error + summing)[units], steep * size[units] + offset
        else:
            own, terms = self._step_groups(bits, look, error + summing, size)
        out[units] = own + slopes[units] * summing[base.places[units]]
        if op.rounds or not op.elementwise:
            out[units] += 8 * UNIT_ROUNDOFF * (terms + fresh[units])
        if op.elementwise and not op.clamps:
            out[look.open] += _gaps(activation(op), bits.size)[look.open]
        return self._rows(numbers.reshape(-1, *shape), torch.from_numpy(out * _UP).reshape(1, *shape))

    def _step_units(self, bits: Bits, tables: Tables, look: Look) -> None:
        """By how much units on the cells' own pieces exceed those on the middle cell's, of an activation."""
        units = bits.units
        place = self._known.room(len(units))
        frame = (look.values, look.row(units), bits.pieces_of(units), self._owner)
        stepped(*frame, tables.slopes, tables.intercepts, bits.pieces[units], *place)

    def _step_groups(
        self, bits: Bits, look: Look, error: np.ndarray, size: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same of a maximum; and the largest errors and sizes of the winners."""
        units = bits.units
        own = bits.fold.reads(bits.pieces_of(units).T, units).places
        middle = bits.fold.reads(bits.pieces[units], units).places
        mine = np.take_along_axis(look.values, look.row(own)[self._owner].T, axis=0)
        self._known.append(mine - look.values[look.row(middle)])
        return error[own].max(axis=0), size[own].max(axis=0)


def highest_power(numbers: np.ndarray) -> np.ndarray:
    """The least power of two above each number; 1 for nothing."""
    return np.where(numbers > 0, 2.0 ** np.frexp(numbers)[1], 1.0)


def _filled(numbers: Tensor, rows: int) -> Tensor:
    """With rows of zeros behind."""
    if len(numbers) == rows:
        return numbers
    return torch.cat([numbers, numbers.new_zeros(rows - len(numbers), *numbers.shape[1:])])


def _closed_units(bits: Bits, op: Activation, middle: np.ndarray, room: np.ndarray) -> np.ndarray:
    """[units] whether values are on the middle cell's piece by more than so much."""
    tables = op.tables(bits.size)
    closed = np.ones(bits.size, bool)
    for level, (shift, folds) in enumerate(zip(tables.breakpoints, tables.folding, strict=True)):
        above = bits.base[level * bits.size : (level + 1) * bits.size].astype(bool)
        apart = np.where(above, middle - shift, shift - middle)
        closed &= (apart > room * _UP) | ~folds
    return closed


def _gaps(op: Activation, units: int) -> np.ndarray:
    """[units] by how much pieces differ at their breakpoints, by the roundings of their parameters."""
    tables = op.tables(units)
    steps = np.diff(tables.slopes, axis=0) * tables.breakpoints + np.diff(tables.intercepts, axis=0)
    largest: np.ndarray = np.abs(steps).max(axis=0, initial=0.0)
    return largest
