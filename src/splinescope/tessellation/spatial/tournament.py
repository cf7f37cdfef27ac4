"""Maxima over groups as a tournament of pairs, whose winners follow from the signs of the pairs' differences.

Members that are absent, or the same unit as one before, take no part. Where two candidates are equal on a whole cell,
the one of lower position goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from splinescope.geometry.bits import WORD, unpack, words_for
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds
from splinescope.tessellation.spatial.folds import Folds
from splinescope.tessellation.spatial.judge import Columns


@dataclass(frozen=True)
class Tournament:
    """One round; candidates are columns, `candidate * groups + group`.

    Attributes:
        node: The max node.
        size: Members of a group.
        groups: Number of groups.
        present: [width, groups] which candidates there are; those of a group come first.
        standing: [F or 1, width * groups] position in its group of each candidate, on each cell.
        bounds: Bounds of the candidates.
    """

    node: int
    size: int
    groups: int
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

    def folds(self) -> Folds:
        """Where the candidates of pairs are equal."""
        pairs = self.pairs * self.groups
        error, magnitude = (np.add(*self.sides(table)) for table in (self.bounds.error, self.bounds.magnitude))
        thresholds = np.maximum(error + 4 * UNIT_ROUNDOFF * magnitude, np.finfo(np.float64).tiny)
        thresholds[~self.sides(self.present.reshape(-1))[1]] = np.inf
        padded = WORD * words_for(pairs)
        columns = Columns(self.node, pairs, padded, self.size, self.groups, self.standing)
        return Folds(np.zeros((1, pairs)), thresholds[None], magnitude, np.arange(padded), columns)

    def taken(self, cells: np.ndarray) -> Tournament:
        """The tournament on some cells (repeats allowed)."""
        return self if len(self.standing) == 1 else replace(self, standing=self.standing[cells])

    def larger(self, rows: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """The larger candidate of each pair, and those without partner.

        Args:
            rows: [N, width * groups] something of each candidate.
            positive: [N, words] bits of the pairs whose second candidate is larger.

        Returns:
            [N, width' * groups] the same of the candidates of the next round.
        """
        rest = rows[..., 2 * self.pairs * self.groups :]
        left, right = self.sides(rows)
        won = unpack(positive, self.pairs * self.groups).astype(bool)
        return np.concatenate([np.where(won, right, left), rest], axis=-1)

    def larger_at(self, rows: np.ndarray, positive: np.ndarray, differences: np.ndarray) -> np.ndarray:
        """Values of the larger candidates at vertices; where both are equal, of the one that float64 knows better.

        Args:
            rows: [V, width * groups] values of the candidates.
            positive: [V, words] bits of the pairs whose second candidate is larger.
            differences: [V, pairs * groups] of second candidates and first ones; 0.0 where both are equal.
        """
        first, second = self.sides(self.bounds.error)
        out = self.larger(rows, positive)
        vertex, pair = np.nonzero(differences == 0.0)
        left, right = self.sides(rows)
        out[vertex, pair] = np.where(first[pair] <= second[pair], left[vertex, pair], right[vertex, pair])
        return out

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
            standing=self.larger(standing, positive),
            bounds=Bounds(magnitude, error),
        )


def tournament_of(node: int, index: np.ndarray, bounds: Bounds) -> tuple[Tournament, np.ndarray]:
    """The first round.

    Args:
        node: The max node.
        index: [groups, size] members of each group, -1 for none.
        bounds: Bounds of the node's input.

    Returns:
        The round, and the unit that each candidate is.
    """
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
    return Tournament(node, size, groups, np.ascontiguousarray(there.T), standing, chosen), units
