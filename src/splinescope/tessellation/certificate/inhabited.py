"""Cells that are there: an exact look at those of which no interior point was shown to have the pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from splinescope.network.ops import Fold
from splinescope.tessellation.certificate.forms import ScaledIntegers, exactly, work
from splinescope.tessellation.certificate.groups import activation, maximum
from splinescope.tessellation.certificate.hulls import Row
from splinescope.tessellation.certificate.incidence import NearFolds
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.subject import Subject

_BUDGET = 2e8
"""Products of integers that this may take for one certificate: about twenty seconds."""

_AROUND = 2.0**-10
"""How far around a cell's corners its points may be, as a share of the largest coordinate."""

_STEADY = 0.25
"""Doubt about corners up to which those of a cell hold a ball between them, wherever they are: see `Knowledge`."""

Forms = Callable[[int, set[int]], dict[int, ScaledIntegers]]
"""Exact forms on a cell of what some folding nodes read."""


@dataclass
class OpenCells:
    """Cells of whose interior points not every sign is proved to be strict.

    Attributes:
        vague: Cells with a sign that is zero, or wrong by no more than roundings, in exact arithmetic.
        tied: Cells with a sign that is zero without any error: of units that sleep, or of a point on a fold.
    """

    vague: set[int] = field(default_factory=set)
    tied: set[int] = field(default_factory=set)


def suspects(subject: Subject, doubts: OpenCells, merged: set[int], near: NearFolds | None) -> np.ndarray:
    """Cells that may have no interior point, as far as is known.

    Vague ones are. Of a tie not where all signs are proved at exact corners, and these are where they are recorded to a
    part of the cell's width: it has interior points then, and every unit is of one sign there.

    Args:
        subject: All cells.
        doubts: What interior points left open.
        merged: Cells with a corner at which a sign is wrong by no more than roundings.
        near: How well folds around cells are known; None where corners are not looked at.
    """
    vague, tied = (np.array(sorted(cells), np.int64) for cells in (doubts.vague, doubts.tied - doubts.vague))
    if near is None or not len(tied):
        return np.concatenate([vague, tied[~subject.resolved[tied]]])
    assert subject.corners is not None
    doubt = np.where(subject.corners.straight, 0.0, near.knowledge().doubt)
    unsteady = np.maximum.reduceat(doubt, subject.cell_offsets[:-1])[tied] > _STEADY
    return np.concatenate([vague, tied[unsteady | np.isin(tied, list(merged))]])


def unconfirmed(subject: Subject, cells: np.ndarray, forms: Forms) -> int:
    """Look whether some cells are there: points in the domain have their patterns, in a set that is not flat.

    Args:
        subject: All cells.
        cells: The cells in question.
        forms: Exact forms.

    Returns:
        Number of the cells for which that takes too long.

    Raises:
        CertificateError: If a cell is not there, or another one has the same pattern.

    Cost: for each of them the forms of all folding units, and a halfspace for each unit.
    """
    cost = 8.0 * max(1, work(subject.network)) * subject.scales.shape[1]
    affordable = int(min(len(cells), _BUDGET // cost))
    order = np.argsort(subject.shapes.width[cells], kind="stable")
    looked = cells[order][:affordable]
    bad = [cell for cell in looked.tolist() if not _is_there(subject, cell, forms)]
    if bad:
        fail("patterns", np.array(bad), "no set of points that is not flat has the pattern of the cell")
    twins = [cell for cell in looked.tolist() if _has_twin(subject, cell)]
    if twins:
        fail("patterns", np.array(twins), "another cell has the same pattern")
    return len(cells) - affordable


def _is_there(subject: Subject, cell: int, forms: Forms) -> bool:
    """Whether points near a cell have its pattern, in a set that is not flat."""
    left = subject.place.outline(subject.points[cell]).within(_surroundings(subject, cell))
    whole = forms(cell, set(subject.code_of))
    for node, read in whole.items():
        op = subject.network.folds[node]
        bits = subject.code_of[node].taken(np.array([cell]))
        rows = _kept(op, read, bits.unpacked(np.arange(len(bits.base)))[0])
        if rows is None or left is None:
            return False
        left = left.within(rows)
    return left is not None


def _surroundings(subject: Subject, cell: int) -> list[Row]:
    """A box around the corners of a cell."""
    low, high = (bounds[cell] for bounds in subject.extents)
    room = _AROUND * subject.scale_of(cell)
    axes = np.eye(len(low))
    rows = np.concatenate([np.column_stack([axes, room - low]), np.column_stack([-axes, high + room])])
    return [list(row) for row in exactly(rows).numbers.tolist()]


def _kept(op: Fold, read: ScaledIntegers, bits: np.ndarray) -> list[Row] | None:
    """Forms that are positive where all units of a node are on the recorded pieces, or zero on either; None if nowhere.

    A unit that is at its breakpoint everywhere is on the piece before it.
    """
    if op.elementwise:
        tables = activation(op).tables(len(read.numbers))
        level, unit = np.nonzero(tables.folding)
        shift = exactly(tables.breakpoints[level, unit])
        most = max(shift.bits, read.bits)
        numbers = np.array(read.at(most)[unit])
        numbers[:, -1] -= shift.at(most)
        above = bits.reshape(tables.breakpoints.shape)[level, unit].astype(bool)
        numbers[~above] = -numbers[~above]
        zero = (numbers == 0).all(axis=1)
        if (zero & above).any():
            return None
    else:
        members = maximum(op).members.numpy()
        winner = op.reads(op.named(bits.reshape(op.levels, len(members)))).places
        group, place = np.nonzero(members != winner[:, None])
        numbers = read.numbers[winner[group]] - read.numbers[members[group, place]]
        zero = (numbers == 0).all(axis=1)
    return [list(row) for row in numbers[~zero].tolist()]


def _has_twin(subject: Subject, cell: int) -> bool:
    """Whether another cell, of the same segment or slice, has the same pattern."""
    same = np.arange(len(subject))
    if subject.first:
        same = np.flatnonzero(subject.points[:, 0] == subject.points[cell, 0])
    for codes in subject.code_of.values():
        same = same[(codes.full(same) == codes.full(np.array([cell]))).all(axis=1)]
        if len(same) < 2:
            return False
    return len(same) > 1
