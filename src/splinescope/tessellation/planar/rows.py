"""Values of a node at all vertices, one row for each, settled as late as possible.

After a fold, the rows of new vertices are known as interpolations, and the activation is still to be applied. Writing
all of this down and reading it again costs as much as the next layer's product. So a dense layer or a convolution takes
its input in blocks that fit in cache: interpolate, activate, multiply, take signs. Everybody else asks for `values`,
which settles the rows in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.geometry.planar.edge_cuts import EdgeCuts
from splinescope.geometry.planar.refinement import InnerVertices, NewVertices
from splinescope.network.ops import Activation
from splinescope.numerics import in_blocks, in_ranges
from splinescope.tessellation.planar.followers import Grown, on_chords
from splinescope.tessellation.thresholds import LayerFolds


@dataclass
class Signed:
    """Folds of the layer that reads some rows, with the decided signs of these, noted while they were computed.

    Attributes:
        folds: The folds.
        positive: [V, words] decided positive signs.
        negative: [V, words] decided negative signs.
        counts: [F] how many columns have both signs around each cell, where that is known.
    """

    folds: LayerFolds
    positive: np.ndarray
    negative: np.ndarray
    counts: np.ndarray | None = None


@dataclass(frozen=True)
class Unsettled:
    """What is still to be done to rows.

    Attributes:
        new: Vertices whose rows are to be interpolated.
        cuts: Cuts whose units are put exactly on their breakpoints, or None.
        folds: Breakpoints of these cuts.
        inner: On which chords the new vertices inside of cells are, or None where these rows made no folds.
    """

    new: NewVertices
    cuts: EdgeCuts | None = None
    folds: LayerFolds | None = None
    inner: InnerVertices | None = None


@dataclass(frozen=True)
class Selection:
    """Rows of some vertices of a larger piece, to be computed when they are needed.

    Attributes:
        whole: Rows of the larger piece, not settled.
        vertices: [V] its vertices.
    """

    whole: GrowingRows
    vertices: np.ndarray


@njit(cache=True, nogil=True, forceinline=True)
def _has_zero(row: np.ndarray) -> bool:
    """Whether an entry is zero; apart from what fills the row, so that both loops are vectorised."""
    found = 0
    for unit in range(row.size):
        found += row[unit] == 0.0
    return found > 0


@njit(cache=True, nogil=True, forceinline=True)
def _write_row(
    values: np.ndarray,
    old: int,
    tails: np.ndarray,
    heads: np.ndarray,
    fractions: np.ndarray,
    index: int,
    out: np.ndarray,
) -> None:
    """The row of one new vertex: on an edge between two old ones, or between two that may be on edges themselves.

    A value is 0.0 only where both ends are.
    """
    tail, head, fraction = tails[index], heads[index], fractions[index]
    if tail < old and head < old:
        for unit in range(out.size):
            at_tail = values[tail, unit]
            out[unit] = at_tail + fraction * (values[head, unit] - at_tail)
        if _has_zero(out):
            for unit in range(out.size):
                if out[unit] == 0.0 and values[tail, unit] != values[head, unit]:
                    out[unit] = UNPROVED
        return
    a, b, s = tail, tail, 0.0
    if tail >= old:
        a, b, s = tails[tail - old], heads[tail - old], fractions[tail - old]
    c, d, t = head, head, 0.0
    if head >= old:
        c, d, t = tails[head - old], heads[head - old], fractions[head - old]
    for unit in range(out.size):
        at_tail = values[a, unit] + s * (values[b, unit] - values[a, unit])
        at_head = values[c, unit] + t * (values[d, unit] - values[c, unit])
        out[unit] = at_tail + fraction * (at_head - at_tail)
    if _has_zero(out):
        for unit in range(out.size):
            same = values[a, unit] == values[b, unit] == values[c, unit] == values[d, unit]
            if out[unit] == 0.0 and not same:
                out[unit] = UNPROVED


@njit(cache=True, nogil=True)
def _interpolate(
    start: int,
    stop: int,
    values: np.ndarray,
    old: int,
    tails: np.ndarray,
    heads: np.ndarray,
    fractions: np.ndarray,
    out: np.ndarray,
) -> None:
    """Rows of the new vertices `start:stop`; `out[0]` is the row of vertex `start`."""
    for index in range(start, stop):
        _write_row(values, old, tails, heads, fractions, index, out[index - start])


@njit(cache=True, nogil=True)
def _gather(
    start: int,
    stop: int,
    vertices: np.ndarray,
    values: np.ndarray,
    old: int,
    tails: np.ndarray,
    heads: np.ndarray,
    fractions: np.ndarray,
    out: np.ndarray,
) -> None:
    """Rows of any vertices, old or new."""
    for row in range(start, stop):
        if vertices[row] < old:
            out[row] = values[vertices[row]]
        else:
            _write_row(values, old, tails, heads, fractions, vertices[row] - old, out[row])


@njit(cache=True, nogil=True)
def _vanish(
    start: int,
    stop: int,
    out: np.ndarray,
    shifts: np.ndarray,
    cut_offsets: np.ndarray,
    columns: np.ndarray,
    crossed: np.ndarray,
    on_edges: int,
) -> None:
    """Put units exactly on their breakpoint at the new vertices that they made; `out[0]` is the row of `start`."""
    padded = (out.shape[1] + 63) // 64 * 64
    for vertex in range(start, stop):
        if vertex >= on_edges:
            level = crossed[vertex] // padded
            unit = crossed[vertex] - level * padded
            out[vertex - start, unit] = shifts[level, unit]
            continue
        for at in range(cut_offsets[vertex], cut_offsets[vertex + 1]):
            level = columns[at] // padded
            unit = columns[at] - level * padded
            out[vertex - start, unit] = shifts[level, unit]


@njit(cache=True, nogil=True)
def _vanish_some(
    start: int,
    stop: int,
    vertices: np.ndarray,
    old: int,
    out: np.ndarray,
    shifts: np.ndarray,
    cut_offsets: np.ndarray,
    columns: np.ndarray,
    crossed: np.ndarray,
    on_edges: int,
) -> None:
    """The same for rows of any vertices, old or new."""
    for row in range(start, stop):
        vertex = vertices[row] - old
        if vertex >= 0:
            _vanish(vertex, vertex + 1, out[row : row + 1], shifts, cut_offsets, columns, crossed, on_edges)


_SPARE = 1 << 27
"""Numbers of spare room that systems grant without asking whether there is memory for them: 1 GiB."""


def _roomy(length: int, columns: int, more: int = 0) -> np.ndarray:
    """Uninitialised rows with room for about twice as many more, where that is not too wide."""
    return np.empty((length + min(2 * length + more, max(length, _SPARE // max(1, columns))), columns))


class GrowingRows:
    """A growable float64 matrix; pages of the spare room cost nothing until they are written."""

    def __init__(self, values: np.ndarray, length: int | None = None) -> None:
        self._buffer = values
        self._settled = len(values) if length is None else length
        self._unsettled: Unsettled | None = None
        self._activation: Activation | None = None
        self._selection: Selection | None = None
        self._made: tuple[int, Unsettled] | None = None
        self.signed: Signed | None = None

    @classmethod
    def empty(cls, length: int, columns: int, spare: bool = True) -> GrowingRows:
        """Uninitialised rows, by default with room for more."""
        return cls(_roomy(length, columns, 4096) if spare else np.empty((length, columns)), length)

    @property
    def length(self) -> int:
        """Number of rows, settled or not."""
        if self._selection is not None:
            return len(self._selection.vertices)
        return self._settled + (0 if self._unsettled is None else len(self._unsettled.new.tails))

    @property
    def columns(self) -> int:
        """Number of columns."""
        if self._selection is not None:
            return self._selection.whole.columns
        return self._buffer.shape[1]

    @property
    def newest(self) -> int:
        """Number of the newest rows, those that may follow from the others."""
        return 0 if self._made is None else len(self._made[1].new.tails)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows once settled."""
        return self.length * self.columns * 8

    @property
    def settled_nbytes(self) -> int:
        """Bytes of those rows that are settled."""
        return self._settled * self.columns * 8 if self._selection is None else self.nbytes

    @property
    def values(self) -> np.ndarray:
        """[length, n] all rows, settled."""
        self.settle()
        return self._buffer[: self._settled]

    def tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        """All rows, settled, as a batch of tensors."""
        return torch.from_numpy(self.values).reshape(self._settled, *shape)

    def extend(self, unsettled: Unsettled) -> None:
        """Add rows for new vertices."""
        self.settle()
        self._unsettled = unsettled
        self._made = None if unsettled.inner is None else (self._settled, unsettled)

    def activate(self, op: Activation) -> None:
        """Apply an activation to all rows."""
        self.load()
        if self._activation is not None:
            self.settle()
        self._activation = op

    def grown(self) -> Grown | None:
        """How the newest rows follow from the others, where a ReLU is still to be applied that folded at them."""
        if self._made is None or self._activation is None or not self._activation.is_relu:
            return None
        old, todo = self._made
        assert todo.cuts is not None
        assert todo.inner is not None
        crossings = on_chords(todo.inner, todo.new.fractions)
        return Grown(self._buffer, old, todo.new.fractions, todo.cuts, todo.inner.chords, crossings)

    def sample(self, rows: int = 128) -> np.ndarray:
        """Some of the rows that are settled, activated: the first ones, and an even selection."""
        self.load()
        step = max(1, self._settled // rows)
        chosen = np.concatenate([self._buffer[: min(rows, self._settled)], self._buffer[: self._settled : step]])
        if self._activation is not None:
            return self._activation.evaluate(torch.from_numpy(chosen)).numpy()
        return chosen

    def block(self, start: int, stop: int, out: np.ndarray) -> None:
        """Write rows `start:stop`, activated, to `out`."""
        old, split = self._settled, min(max(self._settled, start), stop)
        out[: split - start] = self._buffer[start:split]
        if split < stop:
            self._write_new(split - old, stop - old, out[split - start :])
        if self._activation is not None:
            _activate_in_place(self._activation, out)

    def chosen(self, vertices: np.ndarray, out: np.ndarray) -> None:
        """Write the rows of some vertices, activated, to `out`."""
        todo = self._unsettled
        if todo is None:
            np.take(self._buffer, vertices, axis=0, out=out, mode="clip")  # "clip" alone writes to `out` at once
        else:
            new = todo.new
            tables = (vertices, self._buffer, self._settled, new.tails, new.heads, new.fractions)
            in_ranges(_gather, len(vertices), *tables, out)
            if todo.cuts is not None and todo.folds is not None:
                made = (todo.cuts.cut_offsets, todo.cuts.columns, new.crossed, new.on_edges)
                in_ranges(_vanish_some, len(vertices), vertices, self._settled, out, todo.folds.shifts, *made)
        if self._activation is not None:
            activation = self._activation
            in_blocks(lambda start, stop: _activate_in_place(activation, out[start:stop]), len(out))

    def _write_new(self, start: int, stop: int, out: np.ndarray) -> None:
        """Rows of the new vertices `start:stop`, not activated."""
        todo = self._unsettled
        assert todo is not None
        new, old = todo.new, self._settled
        _interpolate(start, stop, self._buffer, old, new.tails, new.heads, new.fractions, out)
        if todo.cuts is not None and todo.folds is not None:
            made = (todo.cuts.cut_offsets, todo.cuts.columns, new.crossed, new.on_edges)
            _vanish(start, stop, out, todo.folds.shifts, *made)

    def settle(self) -> None:
        """Do what is still to be done, in memory."""
        self.load()
        todo = self._unsettled
        if todo is not None:
            total = self.length
            if total > len(self._buffer):
                larger = np.empty((total, self.columns))
                larger[: self._settled] = self._buffer[: self._settled]
                self._buffer = larger
            old = self._settled
            in_ranges(self._settle_range, len(todo.new.tails), self._buffer[old:total])
            self._unsettled, self._settled = None, total
        if self._activation is not None:
            activation, self._activation, self._made = self._activation, None, None
            in_blocks(
                lambda start, stop: _activate_in_place(activation, self._buffer[start:stop]),
                self._settled,
                grain=max(64, (1 << 20) // max(1, self.columns)),
            )

    def _settle_range(self, start: int, stop: int, rows: np.ndarray) -> None:
        self._write_new(start, stop, rows[start:stop])

    def load(self) -> None:
        """Compute the rows if they are a selection of a larger piece's."""
        if self._selection is None:
            return
        selection, self._selection = self._selection, None
        self._buffer, self._settled = selection.whole.gathered(selection), len(selection.vertices)

    def gathered(self, selection: Selection) -> np.ndarray:
        """The rows of a selection of these, activated, and spare room behind them."""
        buffer = _roomy(len(selection.vertices), self.columns)
        self.chosen(selection.vertices, buffer[: len(selection.vertices)])
        return buffer

    def taken(self, vertices: np.ndarray) -> GrowingRows:
        """Some of the rows: copied if they are settled, computed when needed if not.

        Args:
            vertices: [V] which rows.
        """
        if self._selection is not None:
            inner = self._selection
            return GrowingRows._selected(Selection(inner.whole, inner.vertices[vertices]))
        selection = Selection(self, vertices)
        if self._unsettled is None and self._activation is None:
            return GrowingRows(self.gathered(selection), len(vertices))
        return GrowingRows._selected(selection)

    @classmethod
    def _selected(cls, selection: Selection) -> GrowingRows:
        rows = cls(np.empty((0, 0)))
        rows._selection = selection
        return rows


def _activate_in_place(op: Activation, values: np.ndarray) -> None:
    tensor = torch.from_numpy(values)
    if op.is_relu:
        tensor.clamp_(min=0.0)
    else:
        tensor.copy_(op.evaluate(tensor))
