"""Activation patterns of cells as bits: only the columns that differ between cells are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit

from splinescope.geometry.bits import unpack, words_for
from splinescope.network.graph import Network
from splinescope.numerics import in_ranges

_FEW = 1024
"""Columns up to which looking for constant ones costs more than it saves."""
_AT_ONCE = 1 << 22
"""Bits that are read at once as pieces."""
_REMEMBERED = 1 << 26
"""Bytes that a `PieceTable` holds."""


class Codes(ABC):
    """Codes of all cells at one activation or max node, however they are stored.

    Attributes:
        node: Index of the node.
        base: [n] bits that all cells share (where a column is not stored).
        columns: [c] columns that are stored, ascending.
        words: [F, words] their bits, packed.
    """

    node: int
    base: np.ndarray
    columns: np.ndarray
    words: np.ndarray

    @abstractmethod
    def full(self, cells: np.ndarray) -> np.ndarray:
        """[k, words] all bits of some cells, packed: column `c` in bit `c`."""

    @abstractmethod
    def at(self, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """[k] bits, as uint8, at pairs of a cell and a column."""

    @abstractmethod
    def taken(self, cells: np.ndarray) -> NodeCodes:
        """The codes of some cells (repeats allowed)."""

    @abstractmethod
    def unpacked(self, columns: np.ndarray) -> np.ndarray:
        """[F, len(columns)] bits of the given columns as uint8."""


@dataclass(frozen=True)
class NodeCodes(Codes):
    """Codes of all cells at one activation or max node, those columns that differ between cells.

    Attributes:
        node: Index of the node.
        base: [n] bits that all cells share (where a column is not stored).
        columns: [c] columns that are stored, ascending.
        words: [F, words] their bits, packed.
    """

    node: int
    base: np.ndarray
    columns: np.ndarray
    words: np.ndarray

    def full(self, cells: np.ndarray) -> np.ndarray:
        """[k, words] all bits of some cells, packed: column `c` in bit `c`."""
        if len(self.columns) == len(self.base):
            return self.words[cells]
        base = pack(self.base[None])[0]
        out = np.empty((len(cells), len(base)), np.uint64)
        in_ranges(_full_codes, len(cells), cells, base, self.columns, self.words, out)
        return out

    def at(self, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """[k] bits, as uint8, at pairs of a cell and a column."""
        place = np.full(len(self.base), -1)
        place[self.columns] = np.arange(len(self.columns))
        out, there = self.base[columns].astype(np.uint8), place[columns]
        mine = np.flatnonzero(there >= 0)
        there = there[mine]
        out[mine] = (self.words[cells[mine], there >> 6] >> (there & 63).astype(np.uint64)) & np.uint64(1)
        return out

    def taken(self, cells: np.ndarray) -> NodeCodes:
        """The codes of some cells (repeats allowed)."""
        return NodeCodes(self.node, self.base, self.columns, self.words[cells])

    def unpacked(self, columns: np.ndarray) -> np.ndarray:
        """[F, len(columns)] bits of the given columns as uint8."""
        out = np.empty((len(self.words), len(columns)), np.uint8)
        out[:] = self.base[columns]
        stored = unpack(self.words, len(self.columns))
        _, here, there = np.intersect1d(self.columns, columns, assume_unique=True, return_indices=True)
        out[:, there] = stored[:, here]
        return out


@njit(cache=True, nogil=True)
def _full_codes(
    start: int, stop: int, cells: np.ndarray, base: np.ndarray, columns: np.ndarray, words: np.ndarray, out: np.ndarray
) -> None:
    """Codes of some cells with their constant columns filled in."""
    for row in range(start, stop):
        for word in range(out.shape[1]):
            out[row, word] = base[word]
        for at in range(columns.size):
            bit = (words[cells[row], at >> 6] >> np.uint64(at & 63)) & np.uint64(1)
            column = columns[at]
            mask = np.uint64(1) << np.uint64(column & 63)
            if bit:
                out[row, column >> 6] |= mask
            else:
                out[row, column >> 6] &= ~mask


def pack(bits: np.ndarray) -> np.ndarray:
    """[F, c] zeros and ones to [F, words] uint64, column 0 in the lowest bit."""
    padded = np.zeros((len(bits), 8 * words_for(max(1, bits.shape[1]))), np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64, copy=False)


def compress(node: int, words: np.ndarray, columns: int) -> NodeCodes:
    """Store only what differs: whole words if most of them differ, single columns if few do."""
    base = unpack(words[:1], columns)[0]
    if columns <= _FEW:
        return NodeCodes(node, base, np.arange(columns, dtype=np.int32), words)
    union = np.bitwise_or.reduce(words, axis=0, keepdims=True)
    common = np.bitwise_and.reduce(words, axis=0, keepdims=True)
    varying = np.flatnonzero(unpack(union ^ common, columns)[0]).astype(np.int32)
    if 2 * len(varying) >= columns:
        return NodeCodes(node, base, np.arange(columns, dtype=np.int32), words)
    return NodeCodes(node, base, varying, select_columns(words, varying))


def select_columns(words: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Rows of words that hold only some columns."""
    out = np.empty((len(words), words_for(max(1, len(columns)))), np.uint64)
    in_ranges(_select, len(words), words, columns, out)
    return out


@njit(cache=True, nogil=True)
def _select(start: int, stop: int, words: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    for row in range(start, stop):
        for word in range(out.shape[1]):
            out[row, word] = np.uint64(0)
        for at in range(columns.size):
            column = columns[at]
            bit = (words[row, column >> 6] >> np.uint64(column & 63)) & np.uint64(1)
            out[row, at >> 6] |= bit << np.uint64(at & 63)


def merged(parts: list[NodeCodes]) -> NodeCodes:
    """Codes of the cells of several pieces, one after the other."""
    if len(parts) == 1:
        return parts[0]
    columns = parts[0].columns
    same = all(np.array_equal(part.columns, columns) and np.array_equal(part.base, parts[0].base) for part in parts)
    if not same:
        varying = [part.columns for part in parts]
        varying += [np.flatnonzero(part.base != parts[0].base).astype(np.int32) for part in parts[1:]]
        columns = np.unique(np.concatenate(varying)).astype(np.int32)
        full = (part.full(np.arange(len(part.words))) for part in parts)
        parts = [
            NodeCodes(part.node, part.base, columns, select_columns(words, columns))
            for part, words in zip(parts, full, strict=True)
        ]
    return NodeCodes(parts[0].node, parts[0].base, columns, np.concatenate([part.words for part in parts]))


def pieces_by_node(network: Network, codes: Iterable[Codes]) -> dict[int, np.ndarray]:
    """The piece that each unit is on, of all cells of some codes.

    Args:
        network: The network.
        codes: Codes of its folding nodes.

    Returns:
        For each node [cells, units] uint8: numbers of breakpoints below, or positions in groups.
    """
    return {part.node: _named(network, part) for part in codes}


def pieces_of_cells(network: Network, codes: Iterable[Codes], cells: np.ndarray) -> list[dict[int, np.ndarray]]:
    """Patterns of some cells, taken apart by node.

    Args:
        network: The network.
        codes: Codes of all cells at the folding nodes passed so far.
        cells: [k] numbers of cells.

    Returns:
        For each cell the piece of each unit of each node.
    """
    out: list[dict[int, np.ndarray]] = [{} for _ in cells]
    for code in codes:
        for row, pieces in zip(out, _named(network, code.taken(cells)), strict=True):
            row[code.node] = pieces
    return out


def _named(network: Network, codes: Codes) -> np.ndarray:
    """[cells, units] uint8 pieces at one node."""
    fold, units = network.folds[codes.node], network.nodes[codes.node].size
    bits = codes.unpacked(np.arange(len(codes.base), dtype=np.int32))
    if fold.levels == 1:
        return bits
    out = np.empty((len(bits), units), np.uint8)
    step = max(1, _AT_ONCE // bits.shape[1])
    for start in range(0, len(bits), step):
        part = bits[start : start + step]
        out[start : start + step] = fold.named(part.reshape(len(part), fold.levels, units))
    return out


def units_that_change(network: Network, codes: Codes, starts: np.ndarray) -> np.ndarray:
    """[ranges, units] whether units of a node are on several pieces in ranges of cells.

    Where folds of several units coincide a facet bears the name of one of them, and all of them change.

    Args:
        network: The network.
        codes: Codes of the node.
        starts: First cell of each range and the end of the last one, ascending.
    """
    folding = network.folds[codes.node].piece_counts(network.nodes[codes.node].size) > 1
    out = np.zeros((len(starts) - 1, len(folding)), bool)
    step = max(1, _AT_ONCE // len(codes.base))
    first = 0
    while first < len(out):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + step, side="right")) - 1)
        pieces = _named(network, codes.taken(np.arange(starts[first], starts[last])))
        begins = starts[first:last] - starts[first]
        least, most = np.minimum.reduceat(pieces, begins), np.maximum.reduceat(pieces, begins)
        out[first:last] = (least != most) & folding
        first = last
    return out


class PieceTable:
    """Patterns of cells, taken apart by node as by `pieces_of_cells`; those that were seen before are remembered.

    Behind each layer of a deep network cells are asked for again, with one more node: remembering makes that cost a
    look, not an unpacking, for each of the nodes before.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[tuple[int, bytes], np.ndarray] = {}
        self._held = 0

    def of_cells(self, codes: Iterable[NodeCodes], cells: np.ndarray) -> list[dict[int, np.ndarray]]:
        """What `pieces_of_cells` returns; the arrays are shared and must not be changed.

        Args:
            codes: Codes of all cells at the folding nodes passed so far.
            cells: [k] numbers of cells.
        """
        out: list[dict[int, np.ndarray]] = [{} for _ in cells]
        for code in codes:
            # Columns that are not stored are part of the key: they are other ones in other pieces of the domain.
            rest = b"" if len(code.columns) == len(code.base) else code.columns.tobytes() + code.base.tobytes()
            keys = [(code.node, row.tobytes() + rest) for row in code.words[cells]]
            missing = list(dict.fromkeys(key for key in keys if key not in self._known))
            if missing:
                first = {key: place for place, key in enumerate(keys)}
                fresh = pieces_of_cells(self._network, [code], cells[[first[key] for key in missing]])
                self._remember(missing, [pieces[code.node] for pieces in fresh])
            for row, key in zip(out, keys, strict=True):
                row[code.node] = self._known[key]
            if self._held > _REMEMBERED:
                self._known.clear()
                self._held = 0
        return out

    def _remember(self, keys: list[tuple[int, bytes]], pieces: list[np.ndarray]) -> None:
        self._known.update(zip(keys, pieces, strict=True))
        self._held += sum(len(key[1]) + piece.nbytes for key, piece in zip(keys, pieces, strict=True))
