"""Groups of neighbouring cells, and which units fold between the cells of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from splinescope.geometry.bits import unpack
from splinescope.network.evaluate import products
from splinescope.network.ops import Activation, Fold, Maximum
from splinescope.tessellation.certificate.subject import Subject
from splinescope.tessellation.codes import Codes


class GroupLimits(NamedTuple):
    """Which groups of cells share a pass.

    Attributes:
        cells: Cells of a group, at most.
        products: Products of a shared pass at a point, as a share of the network's, above which passes of their own
            are quicker.
    """

    cells: int
    products: float


INSIDE = GroupLimits(8192, 0.2)
"""At interior points: some forty units fold between so many cells, or a hundred where layers are deep."""

AT_CORNERS = GroupLimits(4096, 0.125)
"""At all corners, where a shared pass looks at one vertex once for each cell around it."""

FEWEST = 256
"""Cells below which the calls of a shared pass take longer than passes of their own."""

_BYTES = 1 << 26
"""Bytes that the widest node may take for all rows of a shared pass."""

SHARE = 0.5
"""Rows of a shared pass, as a share of its cells, above which passes of their own are as quick."""


def activation(fold: Fold) -> Activation:
    """A fold that is elementwise, as what it is."""
    assert isinstance(fold, Activation)
    return fold


def maximum(fold: Fold) -> Maximum:
    """A fold that is not elementwise, as what it is."""
    assert isinstance(fold, Maximum)
    return fold


@dataclass(frozen=True)
class Bits:
    """Patterns of a group at one node, in so far as they are not those of its middle cell.

    Attributes:
        fold: The op.
        size: Units of the node.
        base: [columns] bits of the middle cell.
        columns: Columns that are not the same in all cells, ascending.
        words: [C, words] packed bits of the cells.
        places: [len(columns)] where the columns are in these.
    """

    fold: Fold
    size: int
    base: np.ndarray
    columns: np.ndarray
    words: np.ndarray
    places: np.ndarray

    @staticmethod
    def of(fold: Fold, size: int, codes: Codes, cells: np.ndarray, middle: int) -> Bits:
        """Those of some cells, one of which is in the middle."""
        words, columns = codes.words[cells], codes.columns
        differ = np.bitwise_or.reduce(words ^ words[middle], axis=0)
        varies = np.flatnonzero(unpack(differ[None], len(columns))[0])
        base = np.array(codes.base, np.uint8)
        base[columns] = unpack(words[middle : middle + 1], len(columns))[0]
        return Bits(fold, size, base, columns[varies].astype(np.int64), words, varies)

    @cached_property
    def stored(self) -> np.ndarray:
        """[len(columns), C] bits of these columns."""
        return _picked(self.words, self.places)

    @cached_property
    def units(self) -> np.ndarray:
        """Units that are not on one piece in all cells, ascending."""
        return np.unique(self.columns % self.size)

    @cached_property
    def pieces(self) -> np.ndarray:
        """[size] pieces of the middle cell."""
        return np.asarray(self.fold.named(self.base.reshape(self.fold.levels, self.size)))

    def at(self, columns: np.ndarray) -> np.ndarray:
        """[k, C] bits of some columns."""
        out = np.empty((len(columns), self.stored.shape[1]), np.uint8)
        out[:] = self.base[columns, None]
        if len(self.columns):
            place = np.minimum(np.searchsorted(self.columns, columns), len(self.columns) - 1)
            mine = np.flatnonzero(self.columns[place] == columns)
            out[mine] = self.stored[place[mine]]
        return out

    def of_units(self, units: np.ndarray) -> np.ndarray:
        """[k, levels, C] bits of some units."""
        levels = np.arange(self.fold.levels) * self.size
        found = self.at((units[:, None] + levels).ravel())
        return found.reshape(len(units), self.fold.levels, found.shape[1])

    def pieces_of(self, units: np.ndarray) -> np.ndarray:
        """[k, C] pieces of some units."""
        bits = self.of_units(units)
        if self.fold.levels == 1 and self.fold.elementwise:
            return bits[:, 0]
        return np.asarray(self.fold.named(bits.transpose(2, 1, 0), units)).T


def _picked(words: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[k, C] bits of some columns of packed rows."""
    out = np.empty((len(columns), len(words)), np.uint8)
    for row, column in enumerate(columns.tolist()):
        out[row] = (words[:, column >> 6] >> np.uint64(column & 63)) & np.uint64(1)
    return out


@dataclass(frozen=True)
class Group:
    """Some neighbouring cells.

    Attributes:
        cells: [C] their numbers, ascending.
        bits: Patterns by node.
    """

    cells: np.ndarray
    bits: dict[int, Bits]

    @property
    def folding(self) -> int:
        """Number of units that fold between the cells."""
        return sum(len(bits.units) for bits in self.bits.values())

    def products(self, rows: int, outputs: int) -> int:
        """Products of a shared pass at a point, at least: each unit that folds is a sum over the rows before it."""
        count = 0
        for node in sorted(self.bits):
            units = len(self.bits[node].units)
            count += rows * units
            rows += units
        return count + rows * outputs


def groups_of(subject: Subject, cells: np.ndarray, limits: GroupLimits) -> Iterator[Group]:
    """Cells in groups whose shared pass is worth it.

    Args:
        subject: All cells.
        cells: Numbers of those that are wanted.
        limits: Which groups are worth it.

    Yields:
        Groups; cells that are in none are to be looked at one by one.
    """
    waiting = [np.sort(cells)]
    nodes, first = subject.network.nodes, 1 + subject.points.shape[1]
    widest, outputs = max(node.size for node in nodes), nodes[subject.network.output].size
    most = limits.products * sum(products(subject.network))
    while waiting:
        part = waiting.pop()
        if len(part) < FEWEST:
            continue
        if len(part) > limits.cells:
            waiting += _halves(subject, part)
            continue
        group = _group(subject, part)
        rows = first + group.folding
        if rows * widest * 8 > _BYTES:
            waiting += _halves(subject, part)
        elif rows <= SHARE * len(part) and group.products(first, outputs) <= most:
            yield group


def _halves(subject: Subject, cells: np.ndarray) -> list[np.ndarray]:
    """Two halves of some cells, along the axis on which they extend farthest."""
    points = subject.points[cells] / subject.scale_of(0)
    axis = int(np.argmax(points.max(axis=0) - points.min(axis=0)))
    half = len(cells) // 2
    order = np.argpartition(points[:, axis], half)
    return [np.sort(cells[order[half:]]), np.sort(cells[order[:half]])]


def _group(subject: Subject, cells: np.ndarray) -> Group:
    points = subject.points[cells] / subject.scale_of(0)
    middle = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    nodes, folds = subject.network.nodes, subject.network.folds
    bits = {node: Bits.of(folds[node], nodes[node].size, code, cells, middle) for node, code in subject.code_of.items()}
    return Group(cells, bits)
