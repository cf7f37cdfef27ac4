"""Rows of convolutions at new vertices: a unit that folds on the way reaches only the outputs of its stencil."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.network.ops import AffineOp


class Stencils(NamedTuple):
    """Columns of a convolution's matrix without their zeros.

    Attributes:
        offsets: [n + 1] the column of unit `j` is `places[offsets[j]:offsets[j + 1]]`; empty where nobody asked for it.
        places: Outputs.
        numbers: Weights there, none of them zero.
    """

    offsets: np.ndarray
    places: np.ndarray
    numbers: np.ndarray


def no_stencils() -> Stencils:
    """Those of nothing."""
    return Stencils(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0))


def stencils_of(op: AffineOp, shape: tuple[int, ...], units: np.ndarray) -> Stencils:
    """The stencils of some inputs of a convolution.

    Args:
        op: The convolution.
        shape: Shape of its input.
        units: Flat indices of inputs, ascending.
    """
    columns = op.stencils(units, shape)
    offsets = np.zeros(int(np.prod(shape)) + 1, np.int64)
    offsets[units + 1] = np.diff(columns.indptr)
    return Stencils(np.cumsum(offsets), columns.indices.astype(np.int32), columns.data)


@njit(cache=True, nogil=True)
def write_with_stencils(
    stencils: Stencils,
    out: np.ndarray,
    row: int,
    tail: int,
    head: int,
    share: float,
    units: np.ndarray,
    at_tail: np.ndarray,
    at_head: np.ndarray,
    low: int,
    high: int,
) -> None:
    """One row, between two others; the kinks `low:high` are given by their values at these."""
    offsets, places, numbers = stencils
    rest, zeros = 1.0 - share, 0
    mine, before, behind = out[row], out[tail], out[head]
    for unit in range(mine.size):
        mine[unit] = rest * before[unit] + share * behind[unit]
    for at in range(low, high):
        depth = min(rest * abs(at_tail[at]), share * abs(at_head[at]))
        for k in range(offsets[units[at]], offsets[units[at] + 1]):
            mine[places[k]] -= depth * numbers[k]
    for unit in range(mine.size):
        zeros += mine[unit] == 0.0
    if zeros > 0:
        _mark(stencils, out, row, tail, head, units, low, high)


@njit(cache=True, nogil=True)
def _mark(
    stencils: Stencils, out: np.ndarray, row: int, tail: int, head: int, units: np.ndarray, low: int, high: int
) -> None:
    """Zeros of a row that do not follow from zeros at both ends and of the weights are not proved."""
    offsets, places, _ = stencils
    mine = out[row]
    for unit in range(mine.size):
        if mine[unit] == 0.0 and (out[tail, unit] != 0.0 or out[head, unit] != 0.0):
            mine[unit] = UNPROVED
    for at in range(low, high):
        for k in range(offsets[units[at]], offsets[units[at] + 1]):
            if mine[places[k]] == 0.0:
                mine[places[k]] = UNPROVED
