"""What passes that groups of cells share prove; which cells they leave to passes of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from splinescope.network.ops import Fold, Maximum
from splinescope.numerics import in_blocks, number_of_threads
from splinescope.tessellation.certificate.evaluators import SMALL, Calibrated, Evaluator, Float
from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.groups import FEWEST, Group, GroupLimits, activation, groups_of, maximum
from splinescope.tessellation.certificate.incidence import FacetWalls, Knowledge, NearFolds, by_construction, implied
from splinescope.tessellation.certificate.places import DomainPlace
from splinescope.tessellation.certificate.seen import Proved
from splinescope.tessellation.certificate.shared import Look, NotSharedError, Scratch, SharedPass
from splinescope.tessellation.certificate.steps import proved, proved_at_corners
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject

_GROUPS = 4
"""Groups of cells that a thread takes between two reports."""

VAIN = 0.5
"""Share of the cells of groups that may be left for it to go on with groups."""

_DOUBT = 1e-2
"""Doubt about a corner's position up to which it is looked at by a shared pass."""


def shares(subject: Subject, evaluator: Evaluator) -> bool:
    """Whether groups of cells may share a pass: in float64, of planes and spaces with many cells.

    On a segment as many units fold between some cells as there are cells.
    """
    plain = isinstance(evaluator, Float) and not evaluator.known
    place = subject.place
    several = isinstance(place, DomainPlace) and place.directions is not None and len(place.directions) > 1
    return several and (plain or isinstance(evaluator, Calibrated)) and len(subject) >= FEWEST


def at_interiors(
    subject: Subject, evaluator: Evaluator, group: Group, near: NearFolds | None, scale: float, scratch: Scratch
) -> Proved:
    """Compare patterns and outputs of a group with a shared pass at the cells' interior points.

    Args:
        subject: All cells.
        evaluator: How the network is evaluated.
        group: Some of them.
        near: Where it is noted how well the folds around cells are known, if corners will be looked at.
        scale: The largest output.
        scratch: Room.

    Returns:
        What was proved, and which cells of the group it is not of.
    """
    cells, points = group.cells, subject.points[group.cells]
    owner = np.arange(len(cells))
    wanted = {} if near is None else near.places(cells)
    good = np.ones(len(cells), bool)
    out = Proved()
    try:
        measured = evaluator.measured if isinstance(evaluator, Calibrated) else None
        for look in SharedPass(subject, group, points, owner, wanted, scratch, measured).looks():
            out.resolution = max(out.resolution, look.resolution)
            if look.index < 0:
                _compare(subject, evaluator, cells, look, scale, good, out)
                continue
            _prove(subject.network.folds[look.index], look, owner, good)
            if near is not None:
                near.note(cells, look.values.T, look.errors, evaluator.placement(look.index), look.index, look.places)
    except NotSharedError:
        return Proved(left=cells)
    return _sharp(out, cells, good)


def _sharp(out: Proved, cells: np.ndarray, good: np.ndarray) -> Proved:
    """What was proved, if errors are so small that the level counts as reached; else every cell is left."""
    if out.resolution > SMALL or out.output_tolerance > 8 * SMALL:
        return Proved(left=cells)
    out.left = cells[~good]
    return out


def certain(subject: Subject, known: Knowledge) -> np.ndarray:
    """[F] cells whose corners are known well enough for a shared pass."""
    assert subject.corners is not None
    doubt = np.where(subject.corners.straight, 0.0, known.doubt)
    return np.asarray(np.maximum.reduceat(doubt, subject.cell_offsets[:-1]) <= _DOUBT)


def at_corners(
    subject: Subject, evaluator: Evaluator, group: Group, walls: FacetWalls, known: Knowledge, scratch: Scratch
) -> Proved:
    """Compare the signs of all units at all corners of a group, and outputs there, with a shared pass.

    Each corner is looked at by the branches of all cells that it is a corner of.

    Args:
        subject: All cells.
        evaluator: How the network is evaluated.
        group: Some of them.
        walls: What vanishes on facets.
        known: What is known of corners.
        scratch: Room.

    Returns:
        What was proved, and which cells of the group it is not of.
    """
    assert subject.corners is not None
    corner, offsets = subject.corners_of(group.cells)
    owner = np.repeat(np.arange(len(group.cells)), np.diff(offsets))
    straight = subject.corners.straight[corner]
    doubt = np.where(straight, 0.0, known.doubt[corner])
    corners = _Corners(group.cells, corner, offsets, owner, straight, doubt)
    points, good, out = subject.vertices[subject.cell_vertices[corner]], np.ones(len(group.cells), bool), Proved()
    try:
        measured = evaluator.measured if isinstance(evaluator, Calibrated) else None
        looks = SharedPass(subject, group, points, owner, {}, scratch, measured, float(doubt.max(initial=0.0))).looks()
        for look in looks:
            out.resolution = max(out.resolution, look.resolution)
            placed = np.broadcast_to(evaluator.placement(look.index), look.errors.shape)
            if look.index < 0:
                errors = evaluator.measured[-1] if isinstance(evaluator, Calibrated) else look.errors
                _compare_at_corners(subject, corners, look.values.T, 8 * errors + placed, known, good)
            elif not subject.network.folds[look.index].elementwise:
                worst = _prove_groups(subject, corners, look, placed, known, good)
                out.sign_error = max(out.sign_error, worst)
            else:
                worst = _prove_units(subject, corners, look, placed, walls, known, good)
                out.sign_error = max(out.sign_error, worst)
    except NotSharedError:
        return Proved(left=group.cells)
    return _sharp(out, group.cells, good)


@dataclass(frozen=True)
class _Corners:
    """Corners of a group, cell by cell.

    Attributes:
        cells: [C] the cells.
        corner: [N] the corners.
        offsets: [C + 1] first corner of each cell.
        owner: [N] place of the cell in the group.
        straight: [N] whether they are no corners, but between two corners of one side.
        doubt: [N] share of a unit's swing over the cell that the corner's position leaves open.
    """

    cells: np.ndarray
    corner: np.ndarray
    offsets: np.ndarray
    owner: np.ndarray
    straight: np.ndarray
    doubt: np.ndarray

    def swings(self, values: np.ndarray) -> np.ndarray:
        """[k, C] by how much [k, N] values differ over the corners of each cell."""
        starts = self.offsets[:-1]
        return np.asarray(np.maximum.reduceat(values, starts, axis=1) - np.minimum.reduceat(values, starts, axis=1))


def _prove_units(
    subject: Subject,
    corners: _Corners,
    look: Look,
    placed: np.ndarray,
    walls: FacetWalls,
    known: Knowledge,
    good: np.ndarray,
) -> float:
    """Take back `good` of cells whose open units are not proved at a corner; how far corners are from folds at most."""
    op, facets = activation(subject.network.folds[look.index]), subject.facets
    assert facets is not None
    tables = op.tables(len(look.open), look.open)
    errors = look.errors[look.open]
    mine = walls.differs & (facets.op == look.index)
    ends = facets.offsets[corners.corner], facets.offsets[corners.corner + 1]
    return float(
        proved_at_corners(
            look.values, look.most, look.row(look.open), look.bits, corners.owner, corners.offsets, corners.doubt,
            corners.straight, tables.breakpoints, tables.folding, errors, 4 * errors + placed[look.open],
            known.blurs(corners.cells), look.open, *ends, facets.items, mine,
            walls.plus, walls.shift, good,
        )
    )  # fmt: skip


def _prove_groups(
    subject: Subject, corners: _Corners, look: Look, placed: np.ndarray, known: Knowledge, good: np.ndarray
) -> float:
    """The same of the groups of a maximum."""
    op = maximum(subject.network.folds[look.index])
    pieces = op.named(look.bits.transpose(2, 1, 0), look.open)
    winner = op.reads(np.asarray(pieces), look.open).places[corners.owner]
    best = np.take_along_axis(look.values, look.row(winner.T), axis=0)
    members, worst = op.members.numpy()[look.open], 0.0
    for column in range(members.shape[1]):
        other = members[:, column]
        margin = best - look.values[look.row(other)]
        error = (look.errors[winner.T] + look.errors[other][:, None]) * 1.0000001
        swing = corners.swings(margin)[:, corners.owner]
        slack = np.where(corners.doubt > 0, corners.doubt * (swing + 2 * error), 0.0)
        group, row = np.nonzero(~(margin > error + slack) & (other[:, None] != winner.T))
        if not len(row):
            continue
        ones, plus = np.ones(len(row)), winner[row, group]
        cells, nodes = corners.cells[corners.owner[row]], np.full(len(row), look.index)
        parts = (corners.corner[row], cells, nodes, look.open[group], plus, other[group])
        facts = Facts(*parts, 0 * ones, ones, margin[group, row], swing[group, row], error[group, row])
        follows, zero = implied(subject, facts), by_construction(subject, facts)
        room = 4 * error[group, row] + placed[plus] + placed[other[group]]
        ratio = -facts.margin / (room + known.blurs(cells) * facts.swing + np.finfo(float).tiny)
        on = zero & (ratio <= 1) & ~follows
        worst = max(worst, float(ratio[on].max(initial=0.0)))
        good[corners.owner[row[~follows & ~on & (zero | ~corners.straight[row])]]] = False
    return worst


def _compare_at_corners(
    subject: Subject, corners: _Corners, values: np.ndarray, room: np.ndarray, known: Knowledge, good: np.ndarray
) -> None:
    """Outputs recorded at corners are those of the branches, but for what roundings of the coordinates make."""
    recorded = subject.vertex_outputs[subject.cell_vertices[corners.corner]]
    turned = 2 * known.blurs(corners.cells) * corners.swings(np.ascontiguousarray(recorded.T))
    allowed = room + 4 * RESOLUTION * np.abs(values) + turned.T[corners.owner]
    fine = (np.abs(values - recorded) <= allowed).all(axis=1)
    good &= np.logical_and.reduceat(fine, corners.offsets[:-1])


def _compare(
    subject: Subject,
    evaluator: Evaluator,
    cells: np.ndarray,
    look: Look,
    scale: float,
    good: np.ndarray,
    out: Proved,
) -> None:
    """Outputs of the cells' affine maps are those of the pass, to rounding."""
    values = look.values.T
    error = np.abs(values - subject.outputs[cells])
    errors = evaluator.measured[-1] if isinstance(evaluator, Calibrated) else look.errors
    known = 8 * errors + evaluator.placement(-1) + 4 * RESOLUTION * np.abs(values)
    good &= (error <= known).all(axis=1)
    out.output_error = float(error[good].max(initial=0.0)) / scale
    out.output_tolerance = float(known[good].max(initial=0.0)) / scale


def _prove(op: Fold, look: Look, owner: np.ndarray, good: np.ndarray) -> None:
    """Take back `good` at points where a recorded piece of an open unit is not proved."""
    if not op.elementwise:
        good &= ~_doubted_groups(maximum(op), look, owner).any(axis=1)
        return
    tables, row = activation(op).tables(len(look.open), look.open), look.row(look.open)
    frame = (look.values, row, look.bits, owner, tables.breakpoints, tables.folding)
    proved(*frame, look.errors[look.open], good)


def _doubted_groups(op: Maximum, look: Look, owner: np.ndarray) -> np.ndarray:
    """[N, groups] of a maximum: groups whose recorded winner is not proved to be the largest member."""
    pieces = op.named(look.bits.transpose(2, 1, 0), look.open)
    winner = op.reads(np.asarray(pieces), look.open).places[owner]
    best = np.take_along_axis(look.values, look.row(winner.T), axis=0).T
    out = np.zeros(winner.shape, bool)
    members = op.members.numpy()[look.open]
    for column in range(members.shape[1]):
        other = members[:, column]
        room = (look.errors[winner] + look.errors[other]) * 1.0000001
        out |= ~(best - look.values[look.row(other)].T > room) & (winner != other)
    return out


def proved_in_groups(
    subject: Subject,
    wanted: np.ndarray,
    limits: GroupLimits,
    prove: Callable[[Group], Proved],
    told: Callable[[np.ndarray], object],
) -> Proved:
    """What passes prove that groups of some cells share; which cells are left.

    Args:
        subject: All cells.
        wanted: Whether each cell may be in a group.
        limits: Which groups are worth it.
        prove: What is proved of a group.
        told: Called with the cells that are done.
    """
    groups = groups_of(subject, np.flatnonzero(wanted), limits)
    rest, tried, in_vain = np.ones(len(subject), bool), 0, 0
    found: list[Proved] = []
    while part := list(islice(groups, _GROUPS * number_of_threads())):
        parts = in_blocks(partial(_proved, part, prove), len(part), 1)
        found += [one for several in parts for one in several]
        for group, one in zip(part, found[-len(part) :], strict=True):
            rest[group.cells] = False
            rest[one.left] = True
            told(group.cells[~rest[group.cells]])
            tried, in_vain = tried + len(group.cells), in_vain + len(one.left)
        if in_vain > VAIN * tried:
            break
    return Proved.joined(found, np.flatnonzero(rest))


def _proved(groups: list[Group], prove: Callable[[Group], Proved], start: int, stop: int) -> list[Proved]:
    return [prove(group) for group in groups[start:stop]]
