"""Maxima over groups, as a tournament of pairs: what the engines of all dimensions share.

Each round cuts where the two candidates of a pair are equal and keeps the larger one. A fold of a round may be hidden
by a third member that is larger; the cells on its two sides have the same winners and are merged at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.geometry.bits import WORD, words_for
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.tessellation.codes import NodeCodes, compress, pack
from splinescope.tessellation.thresholds import Folds, padded


def filled(groups: np.ndarray) -> np.ndarray:
    """Groups with absent members (-1) replaced by a present one, which never changes their maximum."""
    present = groups >= 0
    some = groups[np.arange(len(groups)), np.argmax(present, axis=1)]
    return np.where(present, groups, some[:, None])


def first_positions(groups: np.ndarray) -> np.ndarray:
    """For each place of each group the first position with the same member; absent ones stand for a present one."""
    members = filled(groups)
    same = members[:, :, None] == members[:, None, :]
    same &= (groups >= 0)[:, None, :]
    return same.argmax(axis=2).astype(np.uint8)


@dataclass(frozen=True)
class Round:
    """One round of the tournament; candidates are columns, `position * groups + group`.

    Attributes:
        groups: Number of groups.
        width: Number of candidates of each group.
        error: [width * groups] rounding error of each candidate.
        magnitude: [width * groups] magnitude of each candidate.
    """

    groups: int
    width: int
    error: np.ndarray
    magnitude: np.ndarray

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

    def differences(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """[V, pairs * groups] second candidates less first ones; 0.0 only where both are."""
        out = np.ascontiguousarray(right - left)
        out[(out == 0.0) & (right != 0.0)] = UNPROVED
        return out

    def folds(self, label: int) -> Folds:
        """Where the candidates of the pairs are equal, with errors from `measured_bounds`; columns are pairs."""
        errors, magnitudes = self.sides(self.error), self.sides(self.magnitude)
        thresholds = np.maximum(errors[0] + errors[1], np.finfo(np.float64).tiny)[None]
        columns = np.arange(words_for(len(errors[0])) * WORD, dtype=np.int32)
        slopes = padded(np.maximum(*magnitudes))
        return Folds(np.zeros_like(thresholds), thresholds, slopes, label, columns)

    def winners(self, leads: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Positions of the candidates of the next round.

        Args:
            leads: [F, width * groups] position of each candidate.
            right: [F, pairs * groups] whether the second one of each pair is the larger one.

        Returns:
            [F, ...] positions; the first one where both are equal on the whole cell.
        """
        first, second = self.sides(leads)
        rest = leads[:, 2 * self.pairs * self.groups :]
        return np.concatenate([np.where(right, second, first), rest], axis=1)

    def larger(self, array: np.ndarray) -> np.ndarray:
        """The larger candidate of each pair, and those without partner."""
        rest = array[..., 2 * self.pairs * self.groups :]
        return np.concatenate([np.maximum(*self.sides(array)), rest], axis=-1)

    def larger_at(self, values: np.ndarray, differences: np.ndarray) -> np.ndarray:
        """Values of the larger candidates at vertices; where both are equal, of the one that float64 knows better.

        Args:
            values: [V, width * groups] values of the candidates.
            differences: [V, pairs * groups] of second candidates and first ones; 0.0 where both are equal.
        """
        first, second = self.sides(self.error)
        out = self.larger(values)
        vertex, pair = np.nonzero(differences == 0.0)
        left, right = self.sides(values)
        out[vertex, pair] = np.where(first[pair] <= second[pair], left[vertex, pair], right[vertex, pair])
        return out

    def following(self) -> Round:
        """The next round."""
        return Round(self.groups, (self.width + 1) // 2, self.larger(self.error), self.larger(self.magnitude))


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
