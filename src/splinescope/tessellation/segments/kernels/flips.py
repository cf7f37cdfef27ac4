"""Bits of patterns along segments: those of first cells, and where others change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.geometry.bits import WORD, unpack, words_for
from splinescope.tessellation.codes import select_columns
from splinescope.tessellation.segments.kernels.crossings import Cuts
from splinescope.tessellation.segments.kernels.envelopes import Leads
from splinescope.tessellation.segments.part import Flips


def unpadded(columns: np.ndarray, units: int) -> np.ndarray:
    """Numbers of folds from columns whose levels are filled up to whole words.

    Args:
        columns: Columns `level * 64 * words + unit`.
        units: Number of units.

    Returns:
        Columns `level * units + unit`.
    """
    padded = words_for(units) * WORD
    return columns if padded == units else columns // padded * units + columns % padded


def first_and_changes(
    ends: np.ndarray, inner: np.ndarray, known: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pattern of each segment's first cell, and the old points at which bits change, with the bits.

    Beside a point at which a unit is zero, its bit is that of the other end of the cell.

    Args:
        ends: [s] first point of each segment.
        inner: [P] whether each point opens an interval.
        known: [P] numbers of the points.
        positive: [P, words] bits of positive signs.
        negative: [P, words] bits of negative signs.

    Returns:
        [s, words] the first patterns, the numbers of points, and a bit for each of these.
    """
    after = positive.copy()
    after[:-1] |= positive[1:] & ~negative[:-1]
    before = positive.copy()
    before[1:] |= positive[:-1] & ~negative[1:]
    inside = inner.copy()
    inside[ends] = False
    changes = (after ^ before) * inside[:, None]
    rows = np.flatnonzero(changes.any(axis=1))
    row, column = np.nonzero(unpack(changes[rows], changes.shape[1] * WORD))
    return after[ends], known[rows[row]], column.astype(np.int32)


def without_padding(flips: Flips, units: int, levels: int) -> Flips:
    """Patterns whose bits are `level * units + unit`.

    Args:
        flips: Patterns whose levels are filled up to whole words.
        units: Number of units.
        levels: Number of levels.

    Returns:
        The patterns.
    """
    padded = words_for(units) * WORD
    if levels == 1:
        return replace(flips, columns=units)
    kept = (np.arange(levels)[:, None] * padded + np.arange(units)).ravel().astype(np.int32)
    flipped = flips.flipped // padded * units + flips.flipped % padded
    return Flips(flips.node, len(kept), select_columns(flips.first, kept), flips.points, flipped)


def digits_of(positions: np.ndarray, digits: int) -> np.ndarray:
    """Binary digits of positions, lowest first.

    Args:
        positions: [k, groups] positions.
        digits: Number of digits.

    Returns:
        [k, digits * groups] digits.
    """
    return np.concatenate([(positions >> digit) & 1 for digit in range(digits)], axis=1).astype(np.uint8)


def lead_flips(
    found: Leads, cuts: Cuts, between: np.ndarray, known: np.ndarray, fresh: np.ndarray, digits: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points at which leads change, and the digits of the positions that change there.

    Args:
        found: The leads.
        cuts: Where they change inside of intervals.
        between: Points between two intervals of one segment.
        known: [P] numbers of the points.
        fresh: [G] numbers of the new points.
        digits: Number of digits of a position.

    Returns:
        Numbers of points, and a bit for each.
    """
    groups = found.first.shape[1]
    row, group = np.nonzero(found.last[between - 1] != found.first[between])
    row = between[row]
    # Leads after each cut, and before it: the one after the cut before in the interval, or that of its start.
    successors = cuts.jumps.astype(np.int64)
    changed = cuts.columns % groups
    new = np.repeat(np.arange(len(cuts)), np.diff(cuts.cut_offsets))
    interval = np.searchsorted(cuts.group_offsets, new, side="right") - 1
    order = np.lexsort((np.arange(len(new)), changed, interval))
    same = np.zeros(len(order), bool)
    same[1:] = (interval[order][1:] == interval[order][:-1]) & (changed[order][1:] == changed[order][:-1])
    leaders = found.first[interval, changed].astype(np.int64)
    leaders[order[1:]] = np.where(same[1:], successors[order[:-1]], leaders[order[1:]])
    changes = np.concatenate(
        [found.last[row - 1, group].astype(np.int64) ^ found.first[row, group], leaders ^ successors]
    )
    points = np.concatenate([known[row], fresh[new]])
    columns = np.concatenate([group, changed])
    which, digit = np.nonzero((changes[:, None] >> np.arange(digits)) & 1)
    return points[which], (digit * groups + columns[which]).astype(np.int32)
