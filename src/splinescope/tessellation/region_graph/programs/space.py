"""The state of the linear programs of one cell, and the words for what they decide."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from splinescope.network.ops.walls import ABSENT as ABSENT

SOUND, SLIVER, CONTRADICTED, UNSOLVED = 0, 1, 2, 3
"""What became of a cell: sound; thinner than its rows are known; not there at all; not solved by these programs."""

UNKNOWN, FACET, REDUNDANT, TOUCHING, THIN, UNDECIDED = 0, 1, 2, 3, 4, 5
"""What became of a row. A touching one is met by the cell, but would not be passed by it, were it not there; a thin one
is met in a facet that is thinner than its neighbours are known; an undecided one these programs could not decide."""

FIELDS = 7
"""Numbers that are counted for each cell: see `decide_cells`."""


class Space(NamedTuple):
    """The state of the programs of one cell, and room to work; `most` is the largest number of rows.

    Attributes:
        A: [d + 1, most] normals of the rows, by columns.
        offsets: [most] distances of the rows from the origin.
        uncertain: [most] how well these are known.
        slack: [most] distances of the rows from the point `x`.
        rates: [most] room.
        ids: [most] number of each row outside.
        leader: [most] the first row that a row cannot be told from.
        place: [most] where each row has gone.
        status: [most] `FACET`, ...
        tight: [most] whether a row is active.
        witnesses: [most, d] a point on each facet.
        x: [d + 1] the point.
        c: [d + 1] objective.
        w: [d + 1] room.
        y: [d + 1] room.
        steps: [d + 1] room.
        box: [2, d] lower and upper bounds of the cell.
        everywhere: [2, d] bounds of anything.
        active: [d + 1] active rows.
        inverse: [d + 1, d + 1] the edges at the point, by columns.
        kept_x: [d + 1] a point put by, and so on.
        kept_active: [d + 1].
        kept_inverse: [d + 1, d + 1].
        kept_slack: [most].
        kept_tight: [most].
    """

    A: np.ndarray
    offsets: np.ndarray
    uncertain: np.ndarray
    slack: np.ndarray
    rates: np.ndarray
    ids: np.ndarray
    leader: np.ndarray
    place: np.ndarray
    status: np.ndarray
    tight: np.ndarray
    witnesses: np.ndarray
    x: np.ndarray
    c: np.ndarray
    w: np.ndarray
    y: np.ndarray
    steps: np.ndarray
    box: np.ndarray
    everywhere: np.ndarray
    active: np.ndarray
    inverse: np.ndarray
    kept_x: np.ndarray
    kept_active: np.ndarray
    kept_inverse: np.ndarray
    kept_slack: np.ndarray
    kept_tight: np.ndarray


def space_for(d: int, most: int, extent: float) -> Space:
    """Room for cells of `d` dimensions with up to `most` rows."""
    return Space(
        A=np.empty((d + 1, most)),
        offsets=np.empty(most),
        uncertain=np.empty(most),
        slack=np.empty(most),
        rates=np.empty(most),
        ids=np.empty(most, np.int64),
        leader=np.empty(most, np.int64),
        place=np.empty(most, np.int64),
        status=np.empty(most, np.int64),
        tight=np.empty(most, np.bool_),
        witnesses=np.empty((most, d)),
        x=np.empty(d + 1),
        c=np.empty(d + 1),
        w=np.empty(d + 1),
        y=np.empty(d + 1),
        steps=np.empty(d + 1),
        box=np.empty((2, d)),
        everywhere=np.repeat([[-extent], [extent]], d, axis=1),
        active=np.empty(d + 1, np.int64),
        inverse=np.empty((d + 1, d + 1)),
        kept_x=np.empty(d + 1),
        kept_active=np.empty(d + 1, np.int64),
        kept_inverse=np.empty((d + 1, d + 1)),
        kept_slack=np.empty(most),
        kept_tight=np.empty(most, np.bool_),
    )
