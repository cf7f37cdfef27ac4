"""Parts of a fold: some of its points in a row, of which the first and the last become old points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.segments.kernels.crossings import Cuts
from splinescope.tessellation.thresholds import LayerFolds


@dataclass(frozen=True)
class _Place:
    """A point of a fold: at a fraction of the interval behind an old point; 0 at the old point itself.

    Attributes:
        interval: The old point.
        fraction: Where behind it.
        group: The new point, or the next one if it is an old point.
    """

    interval: int
    fraction: float
    group: int


def _place(cuts: Cuts, point: int) -> _Place:
    """Where a point lies, counted among all points."""
    old = np.arange(len(cuts.group_offsets) - 1) + cuts.group_offsets[:-1]
    interval = int(np.searchsorted(old, point, side="right")) - 1
    if old[interval] == point:
        return _Place(interval, 0.0, int(cuts.group_offsets[interval]))
    group = point - 1 - interval
    return _Place(interval, float(cuts.fractions[group]), group)


def _row(before: np.ndarray, folds: LayerFolds, cuts: Cuts, place: _Place) -> np.ndarray:
    """[1, n] values before the activation at a new point."""
    row = before[place.interval] + place.fraction * (before[place.interval + 1] - before[place.interval])
    columns = cuts.columns[cuts.cut_offsets[place.group] : cuts.cut_offsets[place.group + 1]]
    padded = -(-len(row) // 64) * 64
    row[columns % padded] = folds.shifts[columns // padded, columns % padded]
    return row[None]


@dataclass(frozen=True)
class Anchored:
    """Some points of a fold in a row.

    Attributes:
        before: [P0, n] values before the activation at the old points among them, and at the first and the last one.
        cuts: The others.
    """

    before: np.ndarray
    cuts: Cuts


def anchored(before: np.ndarray, folds: LayerFolds, cuts: Cuts, start: int, stop: int) -> Anchored:
    """The points `start:stop` of a fold; in a part of an interval fractions and jumps are those of that part.

    Args:
        before: [P0, n] values before the activation at the old points.
        folds: Its breakpoints.
        cuts: The new points.
        start: First point, counted among all points.
        stop: Behind the last point.

    Returns:
        The part, with arrays of its own.
    """
    low, high = _place(cuts, start), _place(cuts, stop - 1)
    first_old = low.interval if low.fraction == 0.0 else low.interval + 1
    rows = [before[first_old : high.interval + 1]]
    if low.fraction > 0.0:
        rows.insert(0, _row(before, folds, cuts, low))
    if high.fraction > 0.0:
        rows.append(_row(before, folds, cuts, high))
    groups = np.arange(low.group if low.fraction == 0.0 else low.group + 1, high.group)
    interval = np.searchsorted(cuts.group_offsets, groups, side="right") - 1
    begin = np.where(interval == low.interval, low.fraction, 0.0)
    end = np.where((interval == high.interval) & (high.fraction > 0.0), high.fraction, 1.0)
    # A part of an interval with an end at a new point counts as an interval of its own.
    place = interval - first_old + (low.fraction > 0.0)
    points = sum(len(part) for part in rows)
    counts = np.diff(cuts.cut_offsets)[groups]
    entries = (
        slice(int(cuts.cut_offsets[groups[0]]), int(cuts.cut_offsets[groups[-1] + 1])) if len(groups) else slice(0)
    )
    tiny = np.finfo(np.float64).tiny  # of points that float64 does not separate
    part = Cuts(
        np.concatenate([[0], np.cumsum(np.bincount(place, minlength=points))]),
        np.concatenate([[0], np.cumsum(counts)]),
        cuts.columns[entries].copy(),
        cuts.jumps[entries] * np.repeat(end - begin, counts),
        np.clip((cuts.fractions[groups] - begin) / np.maximum(end - begin, tiny), tiny, 1.0 - UNIT_ROUNDOFF),
        cuts.uncertainties[groups],
    )
    return Anchored(np.concatenate(rows), part)
