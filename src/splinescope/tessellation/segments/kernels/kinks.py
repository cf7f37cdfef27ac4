r"""Affine ops behind a fold: values at the new points from those at the old ones, by one column of the matrix per kink.

Let $y = W a(t) + b$ with $a$ an activation of values that are affine between the old points $p$ and $q$. Between them
$y$ is affine but for kinks: at fraction $f_j$ of the interval the slope of $y$ changes by $\kappa_j$, the sum of the
columns of $W$ of the units that fold there, times the jumps of their slopes. So the slope at the start is
$$g = y(q) - y(p) - \sum_j (1 - f_j)\,\kappa_j,$$
and one walk over the new points gives all values: two columns of $W$ per new point instead of a product with $W$. The
walk starts afresh at every old point, where $y$ is evaluated, so that rounding errors don't pile up.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from splinescope.numerics import in_ranges
from splinescope.tessellation.segments.kernels.crossings import Cuts
from splinescope.tessellation.segments.kernels.stencils import Stencil


def with_dense_kinks(anchors: np.ndarray, columns: np.ndarray, units: int, cuts: Cuts) -> np.ndarray:
    """Values of a dense layer at all points.

    Args:
        anchors: [P0, m] its values at the old points.
        columns: [n, m] the transposed weight.
        units: Number n of units of the activation before it.
        cuts: Where these fold.

    Returns:
        [P, m] values at all points in order.
    """
    out = np.empty((len(anchors) + len(cuts), anchors.shape[1]))
    places = (cuts.group_offsets, cuts.cut_offsets, cuts.columns, cuts.jumps, cuts.fractions)
    in_ranges(_dense, len(anchors), anchors, columns, -(-units // 64) * 64, *places, out, grain=256)
    return out


def with_stencil_kinks(anchors: np.ndarray, stencil: Stencil, units: int, cuts: Cuts) -> np.ndarray:
    """Values of a convolution at all points; arguments as in `with_dense_kinks`, `stencil` being the convolution's."""
    out = np.empty((len(anchors) + len(cuts), anchors.shape[1]))
    places = (cuts.group_offsets, cuts.cut_offsets, cuts.columns, cuts.jumps, cuts.fractions)
    matrix = (stencil.offsets, stencil.targets, stencil.taps, stencil.weight, stencil.groups, stencil.positions_out)
    in_ranges(_stencil, len(anchors), anchors, *matrix, -(-units // 64) * 64, *places, out, grain=64)
    return out


@njit(cache=True, nogil=True)
def _dense(
    start: int,
    stop: int,
    anchors: np.ndarray,
    columns: np.ndarray,
    padded: int,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    cut_columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    out: np.ndarray,
) -> None:
    slope = np.empty(anchors.shape[1])
    for here in range(start, stop):
        first, last = group_offsets[here], group_offsets[here + 1]
        out[here + first] = anchors[here]
        if first == last:
            continue
        for k in range(slope.size):
            slope[k] = anchors[here + 1, k] - anchors[here, k]
        for group in range(first, last):
            rest = 1.0 - fractions[group]
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                column, factor = columns[cut_columns[at] % padded], rest * jumps[at]
                for k in range(slope.size):
                    slope[k] -= factor * column[k]
        before = 0.0
        for group in range(first, last):
            step = fractions[group] - before
            before = fractions[group]
            last_row, row = out[here + group], out[here + group + 1]
            for k in range(slope.size):
                row[k] = last_row[k] + step * slope[k]
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                column, factor = columns[cut_columns[at] % padded], jumps[at]
                for k in range(slope.size):
                    slope[k] += factor * column[k]


@njit(cache=True, nogil=True)
def _add_column(
    slope: np.ndarray,
    factor: float,
    unit: int,
    offsets: np.ndarray,
    targets: np.ndarray,
    taps: np.ndarray,
    weight: np.ndarray,
    groups: int,
    positions_out: int,
) -> None:
    """Add a multiple of one column of a convolution's matrix."""
    positions = offsets.size - 1
    channel = unit // positions
    position = unit - channel * positions
    group = channel // weight.shape[1]
    inside = channel - group * weight.shape[1]
    per_group = weight.shape[2] // groups
    for entry in range(offsets[position], offsets[position + 1]):
        row = weight[taps[entry], inside]
        for k in range(group * per_group, (group + 1) * per_group):
            slope[k * positions_out + targets[entry]] += factor * row[k]


@njit(cache=True, nogil=True)
def _stencil(
    start: int,
    stop: int,
    anchors: np.ndarray,
    offsets: np.ndarray,
    targets: np.ndarray,
    taps: np.ndarray,
    weight: np.ndarray,
    groups: int,
    positions_out: int,
    padded: int,
    group_offsets: np.ndarray,
    cut_offsets: np.ndarray,
    cut_columns: np.ndarray,
    jumps: np.ndarray,
    fractions: np.ndarray,
    out: np.ndarray,
) -> None:
    slope = np.empty(anchors.shape[1])
    for here in range(start, stop):
        first, last = group_offsets[here], group_offsets[here + 1]
        out[here + first] = anchors[here]
        if first == last:
            continue
        for k in range(slope.size):
            slope[k] = anchors[here + 1, k] - anchors[here, k]
        for group in range(first, last):
            rest = 1.0 - fractions[group]
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                unit, factor = cut_columns[at] % padded, -rest * jumps[at]
                _add_column(slope, factor, unit, offsets, targets, taps, weight, groups, positions_out)
        before = 0.0
        for group in range(first, last):
            step = fractions[group] - before
            before = fractions[group]
            last_row, row = out[here + group], out[here + group + 1]
            for k in range(slope.size):
                row[k] = last_row[k] + step * slope[k]
            for at in range(cut_offsets[group], cut_offsets[group + 1]):
                unit, factor = cut_columns[at] % padded, jumps[at]
                _add_column(slope, factor, unit, offsets, targets, taps, weight, groups, positions_out)
