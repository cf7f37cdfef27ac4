"""Signs that a forward pass does not decide: found in bulk, then kept as a list of single facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.bits import lowest_one
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.codes import Codes, pack

_CERTAIN = 1e-5
"""Doubt about a corner's position up to which units far from zero, compared with all of their values, need no look."""


@dataclass(frozen=True)
class Facts:
    """Inequalities that a cell's pattern states: `sign * (x[plus] - x[minus]) >= 0`, or with a number for `x[minus]`.

    Attributes:
        corner: [k] corner at which it is to hold; of interior points: the cell.
        cell: [k] the cell.
        node: [k] node that folds.
        column: [k] column of the cell's code that states it; of maxima: the group.
        plus: [k] place in the node's flat input.
        minus: [k] another place, or -1.
        shift: [k] the breakpoint, where there is no other place.
        sign: [k] 1 or -1.
        margin: [k] the left side as last evaluated.
        swing: [k] by how much it changes over the corners of the cell.
        error: [k] by how much the margin may be off anywhere, as first evaluated.
    """

    corner: np.ndarray
    cell: np.ndarray
    node: np.ndarray
    column: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    shift: np.ndarray
    sign: np.ndarray
    margin: np.ndarray
    swing: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    def taken(self, which: np.ndarray) -> Facts:
        """Some of them."""
        return Facts(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    @staticmethod
    def joined(parts: list[Facts]) -> Facts:
        """All of several lists."""
        if not parts:
            whole, real = np.empty(0, np.int64), np.empty(0)
            return Facts(whole, whole, whole, whole, whole, whole, real, real, real, real, real)
        return Facts(*(np.concatenate([getattr(part, name) for part in parts]) for name in Facts.__dataclass_fields__))

    def of_node(self, node: int) -> np.ndarray:
        """Places in the list of those of one node."""
        return np.flatnonzero(self.node == node)

    def evaluated(self, passed: Passed, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Margins, and bounds of their errors, by a forward pass in whose rows the points are."""
        there = np.minimum(rows, len(passed.errors) - 1)
        other = np.maximum(self.minus, 0)
        pair = self.minus >= 0
        reference = np.where(pair, passed.values[rows, other], self.shift)
        margin = self.sign * (passed.values[rows, self.plus] - reference)
        error = passed.errors[there, self.plus] + np.where(pair, passed.errors[there, other], 0.0)
        return margin, error


@dataclass(frozen=True)
class Bundle:
    """Corners of some cells, cell by cell, among the points of a forward pass.

    Attributes:
        cells: [c] the cells.
        offsets: [c + 1] start of each cell among the rows.
        corner: [r] corner that each row is; of interior points: the cell.
        point: [r] row of the forward pass.
        doubt: [r] share of a unit's oscillation over the cell that the corner's position leaves open.
    """

    cells: np.ndarray
    offsets: np.ndarray
    corner: np.ndarray
    point: np.ndarray
    doubt: np.ndarray


def undecided(network: Network, codes: Codes, passed: Passed, bundle: Bundle) -> Facts:
    """Facts about some cells that a forward pass does not prove.

    Args:
        network: The network.
        codes: Patterns at the node that was passed.
        passed: What the node reads.
        bundle: The cells.

    Returns:
        The facts, with their margins.
    """
    op, words = network.nodes[passed.index].op, codes.full(bundle.cells)
    errors = passed.errors.max(axis=0)
    frame: tuple[np.ndarray, ...] = (passed.values, bundle.offsets, bundle.point, bundle.doubt, errors, words)
    if isinstance(op, Maximum):
        return _undecided_groups(op, passed, bundle, frame)
    assert isinstance(op, Activation)
    return _undecided_units(op, passed, bundle, frame)


def _undecided_units(op: Activation, passed: Passed, bundle: Bundle, frame: tuple[np.ndarray, ...]) -> Facts:
    """Units that a forward pass does not prove to be above or below their breakpoints."""
    *_, errors, words = frame
    units = passed.values.shape[1]
    tables = op.tables(units)
    shifts = tables.breakpoints
    decided = _decided(passed, bundle, errors, shifts, tables.folding)
    row, column, _, margin, swing = _collected(_scan_units, (*frame, shifts, *decided), 1024 + 8 * len(bundle.corner))
    cell = np.searchsorted(bundle.offsets, row, side="right") - 1
    bit = (words[cell, column >> 6] >> (column & 63).astype(np.uint64)) & np.uint64(1)
    sign = 2.0 * bit.astype(np.float64) - 1.0
    plus, shift = column % units, shifts[column // units, column % units]
    parts = (bundle.corner[row], bundle.cells[cell], np.full(len(row), passed.index), column)
    return Facts(*parts, plus, np.full(len(row), -1), shift, sign, margin, swing, errors[plus])


def _undecided_groups(op: Maximum, passed: Passed, bundle: Bundle, frame: tuple[np.ndarray, ...]) -> Facts:
    """Members that a forward pass does not prove to be at most the recorded winner of their group."""
    *_, errors, words = frame
    groups = np.ascontiguousarray(op.index.numpy())
    row, group, member, margin, swing = _collected(_scan_groups, (*frame, groups), 1024 + 8 * len(bundle.corner))
    cell = np.searchsorted(bundle.offsets, row, side="right") - 1
    column = group + len(groups) * np.arange(op.levels)[:, None]
    bits = (words[cell, column >> 6] >> (column & 63).astype(np.uint64)) & np.uint64(1)
    plus, minus = groups[group, op.named(bits)], groups[group, member]
    parts = (bundle.corner[row], bundle.cells[cell], np.full(len(row), passed.index), group)
    ones = np.ones(len(row))
    return Facts(*parts, plus, minus, 0 * ones, ones, margin, swing, errors[plus] + errors[minus])


def _decided(
    passed: Passed, bundle: Bundle, errors: np.ndarray, shifts: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits of values above and below their breakpoints beyond doubt, and of the columns that fold."""
    reach = np.broadcast_to(errors, shifts.shape).copy()
    if bundle.doubt.any():
        reach = reach + 1.1 * _CERTAIN * (passed.highest - passed.lowest + 2 * errors)
    columns = shifts.size
    above = np.empty((len(passed.values), (columns + 63) // 64), np.uint64)
    below = np.empty_like(above)
    _decide(passed.values, shifts, reach, above, below)
    return above, below, pack(folds.reshape(1, -1).astype(np.uint8))[0]


def _collected(kernel: object, frame: tuple[np.ndarray, ...], size: int) -> tuple[np.ndarray, ...]:
    """Run a kernel with room for so many facts, and again if there are more."""
    while True:
        place = (np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64))
        number = (np.empty(size), np.empty(size))
        count = kernel(*frame, *place, *number)  # type: ignore[operator]
        if count <= size:
            return tuple(part[:count] for part in (*place, *number))
        size = count


@njit(cache=True, nogil=True)
def _decide(values: np.ndarray, shifts: np.ndarray, reach: np.ndarray, above: np.ndarray, below: np.ndarray) -> None:
    """Bits of the columns whose values are above or below their breakpoints by more than `reach`, at each point."""
    units, columns = values.shape[1], shifts.shape[0] * values.shape[1]
    for point in range(values.shape[0]):
        for word in range(above.shape[1]):
            high = np.uint64(0)
            low = np.uint64(0)
            first = word * 64
            if shifts.shape[0] == 1:
                for bit in range(min(64, units - first)):
                    value = values[point, first + bit] - shifts[0, first + bit]
                    high |= np.uint64(value > reach[0, first + bit]) << np.uint64(bit)
                    low |= np.uint64(value < -reach[0, first + bit]) << np.uint64(bit)
            else:
                for bit in range(min(64, columns - first)):
                    level, unit = (first + bit) // units, (first + bit) % units
                    value = values[point, unit] - shifts[level, unit]
                    high |= np.uint64(value > reach[level, unit]) << np.uint64(bit)
                    low |= np.uint64(value < -reach[level, unit]) << np.uint64(bit)
            above[point, word], below[point, word] = high, low


@njit(cache=True, nogil=True)
def _scan_units(
    values: np.ndarray,
    offsets: np.ndarray,
    points: np.ndarray,
    doubt: np.ndarray,
    errors: np.ndarray,
    words: np.ndarray,
    shifts: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    mask: np.ndarray,
    out_row: np.ndarray,
    out_column: np.ndarray,
    out_member: np.ndarray,
    out_margin: np.ndarray,
    out_swing: np.ndarray,
) -> int:
    """Signs of units that are not proved at all corners of a cell."""
    count, units, room = 0, values.shape[1], out_row.size
    for cell in range(offsets.size - 1):
        for row in range(offsets[cell], offsets[cell + 1]):
            point = points[row]
            for word in range(mask.size):
                code = words[cell, word]
                left = mask[word]
                if doubt[row] <= _CERTAIN:
                    left &= ~((above[point, word] & code) | (below[point, word] & ~code))
                while left != np.uint64(0):
                    bit = lowest_one(left)
                    left &= left - np.uint64(1)
                    column = word * 64 + bit
                    unit, level = column % units, column // units
                    low, high = np.inf, -np.inf
                    for other in range(offsets[cell], offsets[cell + 1]):
                        low = min(low, values[points[other], unit])
                        high = max(high, values[points[other], unit])
                    margin = values[point, unit] - shifts[level, unit]
                    if not (code >> np.uint64(bit)) & np.uint64(1):
                        margin = -margin
                    swing = high - low
                    slack = doubt[row] * (swing + 2.0 * errors[unit]) if doubt[row] > 0.0 else 0.0
                    if not margin > errors[unit] + slack:
                        if count < room:
                            out_row[count], out_column[count], out_member[count] = row, column, -1
                            out_margin[count], out_swing[count] = margin, swing
                        count += 1
    return count


@njit(cache=True, nogil=True)
def _scan_groups(
    values: np.ndarray,
    offsets: np.ndarray,
    points: np.ndarray,
    doubt: np.ndarray,
    errors: np.ndarray,
    words: np.ndarray,
    groups: np.ndarray,
    out_row: np.ndarray,
    out_column: np.ndarray,
    out_member: np.ndarray,
    out_margin: np.ndarray,
    out_swing: np.ndarray,
) -> int:
    """Members of groups that are not proved to be at most the recorded winner at all corners of a cell."""
    count, room, number, width = 0, out_row.size, groups.shape[0], groups.shape[1]
    for cell in range(offsets.size - 1):
        start, stop = offsets[cell], offsets[cell + 1]
        for group in range(number):
            position, digit = 0, 0
            while digit == 0 or (1 << digit) < width:
                column = group + digit * number
                bit = (words[cell, column >> 6] >> np.uint64(column & 63)) & np.uint64(1)
                position |= int(bit) << digit
                digit += 1
            position = min(position, width - 1)
            winner = groups[group, position]
            for member in range(width):
                other = groups[group, member]
                if other < 0 or (member == position and winner >= 0) or other == winner:
                    continue
                chosen = max(winner, 0)
                low, high = np.inf, -np.inf
                for row in range(start, stop):
                    value = values[points[row], chosen] - values[points[row], other]
                    low, high = min(low, value), max(high, value)
                error = (errors[chosen] + errors[other]) * 1.0000001
                swing = high - low
                for row in range(start, stop):
                    margin = values[points[row], chosen] - values[points[row], other]
                    slack = doubt[row] * (swing + 2.0 * error) if doubt[row] > 0.0 else 0.0
                    if winner < 0 or not margin > error + slack:
                        if count < room:
                            out_row[count], out_column[count], out_member[count] = row, group, member
                            out_margin[count], out_swing[count] = -np.inf if winner < 0 else margin, swing
                        count += 1
    return count
