"""Maxima over groups, as a tournament of pairs: what the sweeps of all dimensions share.

Each round cuts where the two candidates of a pair are equal and keeps the larger one. A fold of a round may be hidden
by a third member that is larger; the cells on its two sides have the same winners and are merged at the end.

Members that are absent, or the same unit as one before, take no part. Where two candidates are equal on a whole cell,
the one of lower position goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from splinescope.geometry.bits import WORD, unpack, words_for
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.codes import NodeCodes, compress, pack
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.thresholds import Columns, LayerFolds, padded


@dataclass(frozen=True)
class Tournament:
    """One round; candidates are columns, `candidate * groups + group`.

    Attributes:
        node: The max node.
        size: Members of a group.
        groups: Number of groups that take part.
        names: [groups] numbers of these among all groups of the node.
        total: Number of all groups of the node.
        present: [width, groups] which candidates there are; those of a group come first.
        standing: [F or 1, width * groups] position in its group of each candidate, on each cell.
        bounds: Bounds of the candidates.
    """

    node: int
    size: int
    groups: int
    names: np.ndarray
    total: int
    present: np.ndarray
    standing: np.ndarray
    bounds: Bounds

    @property
    def width(self) -> int:
        """Number of candidates of each group."""
        return len(self.present)

    @property
    def pairs(self) -> int:
        """Pairs of candidates in each group; a last candidate without partner goes on to the next round."""
        return self.width // 2

    def sides(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first and the second candidates of all pairs, from columns of all candidates."""
        table = array.reshape(*array.shape[:-1], self.width, self.groups)
        flat = (*array.shape[:-1], self.pairs * self.groups)
        stop = 2 * self.pairs
        return table[..., 0:stop:2, :].reshape(flat), table[..., 1:stop:2, :].reshape(flat)

    def differences(self, rows: np.ndarray) -> np.ndarray:
        """[V, pairs * groups] second candidates less first ones; 0.0 only where both are."""
        left, right = self.sides(rows)
        out = np.ascontiguousarray(right - left)
        out[(out == 0.0) & (right != 0.0)] = UNPROVED
        return out

    def folds(self) -> LayerFolds:
        """Where the candidates of pairs are equal; columns are pairs."""
        pairs = self.pairs * self.groups
        error, magnitude = (np.add(*self.sides(table)) for table in (self.bounds.error, self.bounds.magnitude))
        thresholds = np.maximum(error + 4 * UNIT_ROUNDOFF * magnitude, np.finfo(np.float64).tiny)
        thresholds[~self.contested] = np.inf
        where = (self.size, self.groups, self.names, self.total)
        columns = Columns(self.node, pairs, WORD * words_for(pairs), *where, self.standing)
        return LayerFolds(np.zeros((1, pairs)), thresholds[None], padded(magnitude), columns)

    @property
    def contested(self) -> np.ndarray:
        """[pairs * groups] whether there is a second candidate; those that there are come first."""
        return self.sides(self.present.reshape(-1))[1]

    def positions(self, cells: int) -> np.ndarray:
        """[cells, groups] positions of the winners, once no pairs are left."""
        return np.broadcast_to(self.standing, (cells, self.groups))

    def places(self, columns: np.ndarray) -> np.ndarray:
        """Places, among the groups that take part, of those that folds of the node belong to; -1 for other groups."""
        places = np.full(self.total, -1, np.int64)
        places[self.names] = np.arange(self.groups)
        return places[columns % self.total]

    def taken(self, cells: np.ndarray) -> Tournament:
        """The tournament on some cells (repeats allowed)."""
        return self if len(self.standing) == 1 else replace(self, standing=self.standing[cells])

    def larger(self, rows: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The larger candidate of each pair, and those without partner.

        Args:
            rows: [N, width * groups] something of each candidate.
            second: [N, pairs * groups] whether the second one of each pair is the larger one.

        Returns:
            [N, width' * groups] the same of the candidates of the next round.
        """
        rest = rows[..., 2 * self.pairs * self.groups :]
        left, right = self.sides(rows)
        return np.concatenate([np.where(second, right, left), rest], axis=-1)

    def larger_at(self, rows: np.ndarray, differences: np.ndarray) -> np.ndarray:
        """Values of the larger candidates at vertices; where both are equal, of the one that float64 knows better.

        Args:
            rows: [V, width * groups] values of the candidates.
            differences: [V, pairs * groups] of second candidates and first ones, on the side of zero that is decided;
                0.0 where both are equal.
        """
        first, second = self.sides(self.bounds.error)
        won = differences > 0.0
        vertex, pair = np.nonzero(differences == 0.0)
        won[vertex, pair] = second[pair] < first[pair]
        won &= self.contested
        return self.larger(rows, won)

    def following(self, positive: np.ndarray) -> Tournament:
        """The next round, from the bits of the pairs on the cells."""
        rest = 2 * self.pairs * self.groups
        error, magnitude = (
            np.concatenate([np.maximum(*self.sides(table)), table[rest:]])
            for table in (self.bounds.error, self.bounds.magnitude)
        )
        standing = np.broadcast_to(self.standing, (len(positive), self.standing.shape[1]))
        return replace(
            self,
            present=np.ascontiguousarray(self.present[::2]),
            standing=self.larger(standing, unpack(positive, self.pairs * self.groups).astype(bool)),
            bounds=Bounds(magnitude, error),
        )


def tournament_of(node: int, index: np.ndarray, bounds: Bounds, names: np.ndarray) -> tuple[Tournament, np.ndarray]:
    """The first round.

    Args:
        node: The max node.
        index: [total, size] members of each group, -1 for none.
        bounds: Bounds of the node's input.
        names: [groups] numbers of the groups that take part.

    Returns:
        The round, and the unit that each candidate is.
    """
    total, index = len(index), index[names]
    groups, size = index.shape
    present = index >= 0
    for k in range(1, size):
        present[:, k] &= ~(index[:, :k] == index[:, k : k + 1]).any(axis=1)
    order = np.argsort(~present, axis=1, kind="stable")
    there = np.take_along_axis(present, order, axis=1)
    order = np.where(there, order, order[:, :1])
    units = np.take_along_axis(index, order, axis=1).T.reshape(-1)
    standing = order.T.reshape(1, -1).astype(np.uint8)
    chosen = Bounds(bounds.magnitude[units], bounds.error[units])
    return Tournament(node, size, groups, names, total, np.ascontiguousarray(there.T), standing, chosen), units


def agreed(
    values: np.ndarray,
    differences: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    units: np.ndarray,
    error: np.ndarray,
) -> None:
    """Where two members are equal, give all candidates that are one of them the value that float64 knows better.

    A steep member has a large error at a vertex where it is equal to a flat one, in whatever group it is.

    Args:
        values: [V, candidates] values of the candidates of the first round, changed in place.
        differences: [V, pairs] of second candidates and first ones; 0.0 where both are equal.
        left: [pairs] column of the first candidate of each pair.
        right: [pairs] column of the second one.
        units: [candidates] the member that each candidate is.
        error: [candidates] rounding error of each.
    """
    vertex, pair = np.nonzero(differences == 0.0)
    first, second = left[pair], right[pair]
    coarse = error[first] > error[second]
    known, other = np.where(coarse, second, first), np.where(coarse, first, second)
    value = values[vertex, known]
    differs = np.flatnonzero(values[vertex, other] != value)
    vertex, member, value = vertex[differs], units[other[differs]], value[differs]
    order = np.argsort(units, kind="stable")
    starts = np.searchsorted(units[order], member)
    counts = np.searchsorted(units[order], member, side="right") - starts
    for copy in range(int(counts.max(initial=0))):
        there = np.flatnonzero(counts > copy)
        values[vertex[there], order[starts[there] + copy]] = value[there]


@dataclass(frozen=True)
class Visible:
    """Which facets of a max node are real.

    Attributes:
        hidden: Whether the cells on both sides have the same winners.
        units: For the others, a group in which they differ: the recorded one if they do there.
    """

    hidden: np.ndarray
    units: np.ndarray


def visible(sides: np.ndarray, units: np.ndarray, positions: np.ndarray) -> Visible:
    """Tell the facets of a max node that separate different winners from those that another member hides.

    Args:
        sides: [n, 2] cells on both sides of each facet.
        units: [n] group recorded for each.
        positions: [F, groups] winners in each cell.

    Returns:
        Which are hidden, and a group for each.
    """
    hidden, units = np.zeros(len(sides), bool), units.copy()
    for part in np.array_split(np.arange(len(sides)), max(1, len(sides) * positions.shape[1] // (1 << 26))):
        differs = positions[sides[part, 0]] != positions[sides[part, 1]]
        hidden[part] = ~differs.any(axis=1)
        recorded = differs[np.arange(len(part)), units[part]]
        units[part] = np.where(recorded, units[part], differs.argmax(axis=1))  # of coinciding folds, one that shows
    return Visible(hidden, units)


def position_codes(index: int, positions: np.ndarray, width: int) -> NodeCodes:
    """Winners of a max node as binary numbers: column `b * groups + g` is bit `b` of group `g`."""
    digits = max(1, int(width - 1).bit_length())
    bits = np.concatenate([(positions >> digit) & 1 for digit in range(digits)], axis=1)
    return compress(index, pack(bits), bits.shape[1])


def maximum_column(first: int, second: int, group: int, groups: int, width: int) -> int:
    """Number of the fold where two members of a group, given by their positions, are equal."""
    return (first * width + second) * groups + group
