"""What one node of a network does to a part: evaluate it at the points, and cut the intervals where it folds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from splinescope.geometry.bits import WORD, words_for
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, AffineOp, Convolution, Maximum, Op
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance, in_blocks
from splinescope.profiling import spent
from splinescope.tessellation.calibration import Calibration
from splinescope.tessellation.codes import pack
from splinescope.tessellation.rounding import Bounds, largest
from splinescope.tessellation.segments.arbiter import UNDECIDED, Arbiter, View
from splinescope.tessellation.segments.kernels.crossings import Cuts, cut_by_activation, grouped
from splinescope.tessellation.segments.kernels.envelopes import Walked, corrected, leads, maxima
from splinescope.tessellation.segments.kernels.flips import (
    digits_of,
    first_and_changes,
    lead_flips,
    unpadded,
    without_padding,
)
from splinescope.tessellation.segments.kernels.kinks import with_dense_kinks, with_stencil_kinks
from splinescope.tessellation.segments.kernels.signs import Signs, routed_signs
from splinescope.tessellation.segments.kernels.stencils import Stencil
from splinescope.tessellation.segments.part import Flips, Numbers, SegmentsPart
from splinescope.tessellation.segments.routing import local_size
from splinescope.tessellation.segments.values import CutActivation, SettledValues, activate, expanded
from splinescope.tessellation.thresholds import LayerFolds, activation_folds
from splinescope.tessellation.zeros import zeros_are_exact

_SAMPLE = 256
"""Rows from which the magnitude of a node's values is read off."""
_BLOCK_BYTES = 1 << 20
"""Bytes of the widest rows of a block that one thread evaluates: what its cache holds."""
_CONTRAST = 16.0
"""How much larger than values kinks may be."""
_DOUBTS = 1 << 16
"""Signs in doubt that are decided together."""
_BESIDE = 2.0**-12
"""Share of the doubtful distance at which a value is put that exact arithmetic finds on the other side of zero."""


@dataclass(frozen=True)
class SegmentsPlan:
    """A network, and what is computed of it once for all parts.

    Attributes:
        network: The network.
        tolerance: What counts as zero.
        last_use: For each node the last node that reads it.
        transposed: [n, m] transposed weight of each dense node behind an activation.
        stencils: Stencil of each convolution behind an activation.
        integers: Weights for exact arithmetic, filled as they are asked for.
    """

    network: Network
    tolerance: Tolerance
    last_use: tuple[int, ...]
    transposed: dict[int, np.ndarray]
    stencils: dict[int, Stencil]
    integers: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, tolerance: Tolerance) -> SegmentsPlan:
        """The plan for a network."""
        transposed, stencils = {}, {}
        for index, node in enumerate(network.nodes):
            before = network.folds.get(network.origin(node.inputs[0])) if node.inputs else None
            if before is None or not before.elementwise:
                continue
            if node.affine is not None and node.affine.matrix is not None:
                transposed[index] = np.ascontiguousarray(node.affine.matrix.numpy().T)
            elif (
                isinstance(node.op, Convolution) and len(network.nodes[node.inputs[0]].shape) == node.op.weight.ndim - 1
            ):
                sizes = network.nodes[node.inputs[0]].shape[1:]
                stencils[index] = Stencil.of(node.op, sizes, node.shape[1:])
        return cls(network, tolerance, last_uses(network), transposed, stencils)


@dataclass(frozen=True)
class Work:
    """What parts of some segments share on their way through a network.

    Attributes:
        plan: The network.
        calibration: Distance from zero within which a value is in doubt.
        arbiter: What decides about those.
        numbers: Where new points get their numbers.
        memory_budget: Bytes for values at points.
    """

    plan: SegmentsPlan
    calibration: Calibration
    arbiter: Arbiter
    numbers: Numbers
    memory_budget: int

    def bounds(self, part: SegmentsPart, node: int) -> Bounds:
        """Magnitude of a node, and distance from zero within which its values are in doubt, at the points of a part."""
        points = np.column_stack([np.repeat(part.segments, np.diff(part.offsets)), part.t])
        return self.calibration.at(node, points, self.arbiter.inputs)


def advance(part: SegmentsPart, work: Work) -> bool:
    """Take a part through its next node, in place.

    Args:
        part: The part.
        work: The network, and what is shared.

    Returns:
        Whether it went through. If not, values at the breakpoints that the node makes would exceed the budget: the part
        is to be split, and is as it was, but for one of the breakpoints if it had none to be split at.
    """
    index, plan = part.position, work.plan
    node = plan.network.nodes[index]
    with spent("cutting", node.name):
        if isinstance(node.op, Activation):
            through = _activate(part, work, index, node.op)
        elif isinstance(node.op, Maximum):
            through = _maximise(part, work, index, node.op)
        else:
            through = True
            _carry(part, plan, index)
    if not through:
        return False
    for source in node.inputs:
        if plan.last_use[source] <= index:
            part.values.pop(source, None)
    part.position += 1
    return True


def _carry(part: SegmentsPart, plan: SegmentsPlan, index: int) -> None:
    """The values of a node without folds."""
    node = plan.network.nodes[index]
    if node.affine is not None and node.affine.keeps_order:
        part.values[index] = part.values[node.inputs[0]]
    elif index in plan.transposed or index in plan.stencils:
        _follow(part, plan, index)
    else:
        _evaluate(part, plan, index)


def _sample(rows: np.ndarray) -> np.ndarray:
    """Some of the rows, evenly."""
    return rows[:: max(1, len(rows) // _SAMPLE)]


def _shapes(plan: SegmentsPlan, index: int) -> list[tuple[int, ...]]:
    return [plan.network.nodes[source].shape for source in plan.network.nodes[index].inputs]


def _grain(columns: int) -> int:
    """Rows of a block."""
    return max(1, _BLOCK_BYTES // (8 * columns))


def _evaluate(part: SegmentsPart, plan: SegmentsPlan, index: int) -> None:
    """An op without folds, at all points."""
    node = plan.network.nodes[index]
    inputs = [torch.from_numpy(part.values[source].rows) for source in node.inputs]
    rows = np.empty((len(part.t), node.size))
    work = partial(_evaluate_block, node.op, inputs, _shapes(plan, index), rows)
    _blockwise(work, len(rows), max(rows.shape[1], *(x.shape[1] for x in inputs)))
    part.values[index] = SettledValues(rows)


def _blockwise(work: object, rows: int, columns: int) -> None:
    """Run a function of a range over all rows, a cache's worth at a time."""
    step = _grain(columns)

    def block(start: int, stop: int) -> None:
        for low in range(start, stop, step):
            work(low, min(low + step, stop))  # type: ignore[operator]

    in_blocks(block, rows, grain=step)


def _evaluate_block(
    op: Op, inputs: list[torch.Tensor], shapes: list[tuple[int, ...]], out: np.ndarray, start: int, stop: int
) -> None:
    """Evaluate an op at the points `start:stop`."""
    target = torch.from_numpy(out[start:stop])
    with torch.no_grad():
        op.write(target, *(x[start:stop].reshape(-1, *shape) for x, shape in zip(inputs, shapes, strict=True)))


def _follow(part: SegmentsPart, plan: SegmentsPlan, index: int) -> None:
    """A dense layer or a convolution behind an activation: evaluated at the old points, and kinked at the new ones."""
    node = plan.network.nodes[index]
    source = part.values[node.inputs[0]]
    if not isinstance(source, CutActivation) or _contrasts(source, node.affine, _shapes(plan, index)):
        _evaluate(part, plan, index)
        return
    anchors = np.empty((len(source.before), node.size))
    work = partial(_activated_block, node.op, source, _shapes(plan, index)[0], anchors)
    _blockwise(work, len(anchors), max(anchors.shape[1], source.before.shape[1]))
    units = source.before.shape[1]
    if index in plan.transposed:
        rows = with_dense_kinks(anchors, plan.transposed[index], units, source.cuts)
    else:
        rows = with_stencil_kinks(anchors, plan.stencils[index], units, source.cuts)
    part.values[index] = SettledValues(rows)


def _contrasts(source: CutActivation, op: AffineOp | None, shapes: list[tuple[int, ...]]) -> bool:
    """Whether kinks are so much larger than values that their rounding errors would show in these.

    A unit that folds adds its slope times the length of the interval to the walk along it, however little of it is left
    behind the activation.
    """
    if op is None or not len(source.cuts):
        return False
    kinks, units = np.zeros(source.before.shape[1]), source.before.shape[1]
    np.maximum.at(kinks, source.cuts.columns % (words_for(units) * WORD), np.abs(source.cuts.jumps))
    activated = np.array(_sample(source.before))
    activate(source.op, activated)
    values, reach = local_size(op, [largest(activated)], shapes), local_size(op, [kinks], shapes)
    if op.matrix is not None:
        return bool((reach > _CONTRAST * values).any())
    return bool(reach.max() > _CONTRAST * values.max())


def _activated_block(
    op: Op, source: CutActivation, shape: tuple[int, ...], out: np.ndarray, start: int, stop: int
) -> None:
    """An affine op of activated rows `start:stop`."""
    rows = np.array(source.before[start:stop])
    activate(source.op, rows)
    _evaluate_block(op, [torch.from_numpy(rows)], [shape], out[start:stop], 0, stop - start)


def _insert(part: SegmentsPart, cuts: Cuts, numbers: Numbers, index: int, columns: np.ndarray) -> np.ndarray:
    """Put new points into a part, and extend the rows of all its values; the numbers of the new points.

    The points lie on the folds `columns` of the node `index`.
    """
    before = len(part.t)
    fresh = numbers.take(len(cuts))
    if not len(cuts):
        return fresh
    interval = np.repeat(np.arange(before), np.diff(cuts.group_offsets))
    places = interval + 1 + np.arange(len(cuts))
    old = np.arange(before) + cuts.group_offsets[:-1]

    def merged(known: np.ndarray, new: np.ndarray) -> np.ndarray:
        out = np.empty(before + len(cuts), known.dtype)
        out[old], out[places] = known, new
        return out

    start = part.t[interval]
    lengths = part.t[interval + 1] - start
    position = np.minimum(start + cuts.fractions * lengths, part.t[interval + 1])
    known = np.minimum(cuts.uncertainties, np.maximum(lengths, 4 * UNIT_ROUNDOFF))
    part.t, part.uncertainty = merged(part.t, position), merged(part.uncertainty, known)
    part.ops = merged(part.ops, np.full(len(cuts), index, np.int32))
    part.columns = merged(part.columns, columns)
    part.numbers = merged(part.numbers, fresh)
    part.offsets = part.offsets + cuts.group_offsets[part.offsets]
    for node, value in part.values.items():
        part.values[node] = SettledValues(expanded(value.rows, cuts))
    return fresh


def _crowded(part: SegmentsPart, work: Work, index: int, cuts: Cuts, columns: np.ndarray) -> bool:
    """Whether a part is to be split before the new points of its next node are put in.

    These extend the values that are still needed, of the activation's input not if nobody else reads it. A part of one
    interval gets the middle one of the points first: it is on a fold, and so the parts join there without a seam.

    Args:
        part: The part.
        work: The budget, and what is shared.
        index: The node.
        cuts: The new points.
        columns: [G] a fold through each of them.
    """
    node = work.plan.network.nodes[index]
    live = {source for source in part.values if work.plan.last_use[source] > index}
    width = sum(part.values[source].nbytes for source in live) // (8 * len(part.t))
    width += 0 if node.fold is None or node.fold.elementwise else node.size
    if len(cuts) < 2 or 2 * 8 * width * (len(part.t) + len(cuts)) <= work.memory_budget:
        return False
    if part.cells == 1:
        middle = len(cuts) // 2
        _insert(part, cuts.only(middle), work.numbers, index, columns[middle : middle + 1])
    return True


def _activate(part: SegmentsPart, work: Work, index: int, op: Activation) -> bool:
    """An elementwise activation: cut at its breakpoints; False if the part is to be split before."""
    plan = work.plan
    source = plan.network.nodes[index].inputs[0]
    rows, bounds = part.values[source].rows, work.bounds(part, source)
    units = rows.shape[1]
    folds = activation_folds(op, bounds, index)
    ends, inner, known = part.offsets[:-1], part.inner, part.numbers
    view = View(work.arbiter, part)
    signs = _signs(view, index, rows, folds)
    raw = cut_by_activation(rows, part.t, inner, part.uncertainty, folds, op.tables(units).slopes, signs)
    cuts = grouped(
        raw, part.t, lambda here, columns: view.placed(index, here, unpadded(columns, units)), view.share(index)
    )
    names = unpadded(cuts.columns[cuts.cut_offsets[:-1]], units)
    if _crowded(part, work, index, cuts, names):
        return False
    if plan.last_use[source] <= index:
        del part.values[source]
    fresh = _insert(part, cuts, work.numbers, index, names)
    first, points, columns = first_and_changes(ends, inner, known, signs.positive, signs.negative)
    points = np.concatenate([points, np.repeat(fresh, np.diff(cuts.cut_offsets))])
    columns = np.concatenate([columns, cuts.columns])
    part.flips.append(without_padding(Flips(index, 0, first, points, columns), units, len(folds.shifts)))
    part.values[index] = CutActivation(rows, op, folds, cuts)
    return True


def _signs(view: View, index: int, rows: np.ndarray, folds: LayerFolds) -> Signs:
    """Signs of all units at all points; values that don't have their unit's sign get it."""
    part, tally = view.part, view.arbiter.tally
    routed = routed_signs(rows, part.t, part.inner, part.uncertainty, folds)
    tally.signs += len(rows) * folds.shifts.size
    for start in range(0, len(routed.points), _DOUBTS):
        points, columns = (part[start : start + _DOUBTS] for part in (routed.points, routed.columns))
        _settle(view, index, rows, folds, routed.signs, points, columns)
    return routed.signs


def _settle(
    view: View, index: int, rows: np.ndarray, folds: LayerFolds, signs: Signs, points: np.ndarray, columns: np.ndarray
) -> None:
    """Decide signs in doubt; float64 does where exact arithmetic would cost too much."""
    padded = words_for(rows.shape[1]) * WORD
    level, unit = columns // padded, columns % padded
    shifts, doubt = folds.shifts[level, unit], folds.thresholds[level, unit]
    found = view.signs(index, points, level * rows.shape[1] + unit, shifts)
    values = rows[points, unit] - shifts
    undecided = found == UNDECIDED
    found[undecided] = (np.sign(values) * (np.abs(values) > doubt))[undecided].astype(np.int8)
    signs.set(points, columns, found)
    wrong = (np.sign(values) != found) & ~undecided
    least = np.maximum(doubt * _BESIDE, np.spacing(np.abs(shifts)))
    rows[points[wrong], unit[wrong]] = (shifts + found * least)[wrong]


def _maximise(part: SegmentsPart, work: Work, index: int, op: Maximum) -> bool:
    """Maxima over groups: cut where the lead changes; False if the part is to be split before."""
    plan = work.plan
    source = plan.network.nodes[index].inputs[0]
    rows, members = part.values[source].rows, op.index.numpy()
    inner, ends, known = part.inner, part.offsets[:-1], part.numbers
    view = View(work.arbiter, part)
    zeros = zeros_are_exact(plan.network, source)
    ones = np.ones(len(part.t))
    errors = work.bounds(part, source).error
    found = leads(inner, part.t, part.uncertainty, ones, rows, members, errors, zeros)
    work.arbiter.tally.signs += len(rows) * members.size
    found = corrected(found, members, _walked(view, index, members, found.doubtful))
    cuts = grouped(found.raw, part.t, lambda here, columns: view.placed(index, here, columns), view.share(index))
    names = cuts.columns[cuts.cut_offsets[:-1]]
    if _crowded(part, work, index, cuts, names):
        return False
    best = maxima(rows, inner, members, found.first, cuts, errors)
    if plan.last_use[source] <= index:
        del part.values[source]
    fresh = _insert(part, cuts, work.numbers, index, names)
    digits = op.levels
    between = np.setdiff1d(np.flatnonzero(inner), ends)
    points, columns = lead_flips(found, cuts, between, known, fresh, digits)
    first = pack(digits_of(found.first[ends], digits))
    part.flips.append(Flips(index, digits * len(members), first, points, columns))
    part.values[index] = SettledValues(best)
    return True


def _walked(view: View, index: int, members: np.ndarray, doubtful: np.ndarray) -> dict[tuple[int, int], Walked]:
    """Exact leads of the groups on the intervals where float64 does not decide."""
    answers: dict[tuple[int, int], Walked] = {}
    starts = np.flatnonzero(np.diff(doubtful[:, 0], prepend=-1))
    for rows in np.split(np.arange(len(doubtful)), starts[1:]):
        if not len(rows):
            continue
        here, groups = int(doubtful[rows[0], 0]), doubtful[rows, 1]
        for group, walked in zip(groups.tolist(), view.walked(index, here, members[groups]), strict=True):
            if walked is not None:
                answers[here, group] = walked
    return answers
