"""Comparisons of a complex with forward passes: at interior points, and at all corners of all cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from splinescope.network.ops import Activation, Maximum
from splinescope.numerics import in_blocks
from splinescope.tessellation.certificate.evaluators import Evaluator, resolution
from splinescope.tessellation.certificate.facts import Bundle, Facts, undecided
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject, pair_bits

_CHUNK_BYTES = 1 << 23
"""Bytes of the widest layer that a chunk of points may have: what a processor's cache holds."""


@dataclass
class Seen:
    """What one chunk, or all of them, showed.

    Attributes:
        output_error: Largest error of an output, relative to the largest output.
        output_tolerance: What it was held to.
        sign_error: Largest distance from a fold as a share of what it was held to.
        resolution: Largest bound of an error, relative to the size of its unit's values.
        open: Facts that are not decided yet.
        apart: Cells whose outputs are not those of the forward pass.
    """

    output_error: float = 0.0
    output_tolerance: float = 0.0
    sign_error: float = 0.0
    resolution: float = 0.0
    open: list[Facts] = field(default_factory=list)
    apart: list[np.ndarray] = field(default_factory=list)


def together(parts: list[Seen]) -> Seen:
    """What several chunks showed."""
    seen = Seen()
    for part in parts:
        for name in ("output_error", "output_tolerance", "sign_error", "resolution"):
            setattr(seen, name, max(getattr(seen, name), getattr(part, name)))
        seen.open += part.open
        seen.apart += part.apart
    return seen


def chunk_size(subject: Subject) -> int:
    """Number of points of one forward pass."""
    widest = max(node.size for node in subject.network.nodes)
    return max(32, _CHUNK_BYTES // (8 * widest))


def check_interiors(subject: Subject, evaluator: Evaluator, settlement: Settlement) -> Seen:
    """Compare pattern and output of every cell with a forward pass at its interior point.

    Args:
        subject: The cells.
        evaluator: How the network is evaluated.
        settlement: Where signs within the rounding error are settled.

    Returns:
        What was seen.

    Raises:
        CertificateError: With the cells concerned.
    """
    size = chunk_size(subject)
    scale = max(float(np.abs(subject.vertex_outputs).max(initial=0.0)), np.finfo(float).tiny)

    def block(start: int, stop: int) -> list[Seen]:
        return [
            _interior_chunk(subject, evaluator, np.arange(low, min(low + size, stop)), scale)
            for low in range(start, stop, size)
        ]

    seen = together([part for parts in in_blocks(block, len(subject), grain=256) for part in parts])
    settlement.at_points(Facts.joined(seen.open))
    if seen.apart:
        apart = f"outputs differ from the cells' affine maps by up to {seen.output_error:.1e} of the largest"
        fail("values", np.unique(np.concatenate(seen.apart)), apart)
    return seen


def _interior_chunk(subject: Subject, evaluator: Evaluator, which: np.ndarray, scale: float) -> Seen:
    seen = Seen()
    points = subject.points[which]
    rows = np.arange(len(which))
    bundle = Bundle(which, np.arange(len(which) + 1), which, rows, np.zeros(len(which)))
    for passed in evaluator.passes(points):
        if passed.index < 0:
            _compare_outputs(subject, which, passed, scale, seen)
            return seen
        seen.resolution = max(seen.resolution, resolution(passed))
        seen.open.append(undecided(subject.network, subject.code_of[passed.index], passed, bundle))
    raise AssertionError("a forward pass ends with the output")


def _compare_outputs(subject: Subject, which: np.ndarray, passed: Passed, scale: float, seen: Seen) -> None:
    """The affine map of a cell and the forward pass agree at its interior point, to rounding.

    The map is that of the outputs at the corners, which are known as well as here; its value at a point also shifts
    with the roundings of corners, by their share of the cell's width.
    """
    error = np.abs(passed.values - subject.outputs[which])
    starts = subject.cell_offsets[which]
    corners = subject.vertex_outputs[subject.cell_vertices[starts[0] : subject.cell_offsets[which[-1] + 1]]]
    swing = np.maximum.reduceat(corners, starts - starts[0]) - np.minimum.reduceat(corners, starts - starts[0])
    width = np.maximum(subject.shapes.width[which], np.finfo(float).tiny)
    turn = np.minimum(1.0, 8 * RESOLUTION / width)
    allowed = 8 * passed.errors + turn[:, None] * swing + 4 * RESOLUTION * np.abs(passed.values)
    bad = which[~(error <= allowed).all(axis=1)]
    if len(bad):
        seen.apart.append(bad)
    seen.output_error = float(error.max(initial=0.0)) / scale
    seen.output_tolerance = float(allowed.max(initial=0.0)) / scale


@dataclass(frozen=True)
class _Knowledge:
    """What is known of all corners before any is looked at.

    Attributes:
        doubt: [R] share of a unit's swing over the cell that a corner's position leaves open.
        slack: [F] share that roundings of the coordinates make of the distance of a corner from a fold through it.
    """

    doubt: np.ndarray
    slack: np.ndarray


def check_corners(subject: Subject, evaluator: Evaluator, settlement: Settlement) -> Seen:
    """At every corner of every cell, every unit has the cell's sign, weakly, and those that fold there vanish.

    Args:
        subject: The cells.
        evaluator: How the network is evaluated.
        settlement: Where signs within the rounding error are settled.

    Returns:
        What was seen.

    Raises:
        CertificateError: With the cells concerned.
    """
    groups = list(_groups_of_cells(subject, chunk_size(subject)))
    known = _knowledge(subject, evaluator)

    def block(start: int, stop: int) -> list[Seen]:
        return [_corner_chunk(subject, evaluator, known, group) for group in groups[start:stop]]

    seen = together([part for parts in in_blocks(block, len(groups), grain=1) for part in parts])
    facts = Facts.joined(seen.open)
    settlement.at_corners(facts, known.doubt[facts.corner])
    return seen


def _knowledge(subject: Subject, evaluator: Evaluator) -> _Knowledge:
    """How far each corner may be from where its facets cross."""
    assert subject.corners is not None
    assert subject.facets is not None
    shapes = subject.shapes
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = 4 * RESOLUTION / shapes.width
        steep = _facet_doubts(subject, evaluator)
        reach = np.maximum.reduceat(steep, subject.facets.offsets[:-1]) if len(steep) else np.zeros(0)
        reach = np.where(np.diff(subject.facets.offsets) > 0, reach, np.inf)
        reach = (reach + slack[subject.owner]) * shapes.diameter[subject.owner] * subject.corners.gain
        doubt = reach / (2 * shapes.width[subject.owner])
    return _Knowledge(np.nan_to_num(doubt, nan=np.inf, posinf=np.inf), np.nan_to_num(slack, nan=np.inf, posinf=np.inf))


def _facet_doubts(subject: Subject, evaluator: Evaluator) -> np.ndarray:
    """[items] for each facet at each corner, four times the error of its unit over its value inside the cell."""
    facets = subject.facets
    assert facets is not None
    owner = np.repeat(subject.owner, np.diff(facets.offsets))
    out = np.zeros(len(facets.items))
    order = np.argsort(owner, kind="stable")  # by cells; corners of a cell follow each other already
    size = chunk_size(subject)
    plus, minus, shift = functionals(subject)
    bounds = np.searchsorted(owner[order], np.arange(0, len(subject) + size, size))

    def block(start: int, stop: int) -> None:
        for number in range(start, stop):
            cells = np.arange(number * size, min((number + 1) * size, len(subject)))
            items = order[bounds[number] : bounds[number + 1]]
            points = subject.points[cells]
            for passed in evaluator.passes(points):
                mine = items[facets.op[facets.items[items]] == passed.index] if passed.index >= 0 else items[:0]
                facet, row = facets.items[mine], owner[mine] - cells[0]
                other = np.maximum(minus[facet], 0)
                pair = minus[facet] >= 0
                errors = passed.errors.max(axis=0)
                value = np.abs(
                    passed.values[row, plus[facet]] - np.where(pair, passed.values[row, other], shift[facet])
                )
                error = errors[plus[facet]] + np.where(pair, errors[other], 0.0)
                with np.errstate(divide="ignore"):
                    out[mine] = np.where(value > error, 4 * error / (value - error), np.inf)

    in_blocks(block, len(bounds) - 1, grain=1)
    return out


def functionals(subject: Subject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What vanishes on each facet: `x[plus] - x[minus]`, or `x[plus] - shift` where `minus` is -1."""
    facets = subject.facets
    assert facets is not None
    plus, minus, shift = np.zeros(len(facets.op), np.int64), np.full(len(facets.op), -1), np.zeros(len(facets.op))
    for node, codes in subject.code_of.items():
        mine = np.flatnonzero((facets.op == node) & (facets.cells >= 0).all(axis=1))
        lone = np.flatnonzero((facets.op == node) & (facets.cells < 0).any(axis=1))
        unit, op = facets.unit[mine], subject.network.nodes[node].op
        if isinstance(op, Activation):
            plus[mine] = unit
            breakpoints = np.asarray(op.breakpoints, np.float64).reshape(len(op.breakpoints), -1)
            shift[mine] = breakpoints[0, unit % breakpoints.shape[1]]
            if len(breakpoints) == 1:  # no neighbour is needed to say which breakpoint made the facet
                plus[lone] = facets.unit[lone]
                shift[lone] = breakpoints[0, facets.unit[lone] % breakpoints.shape[1]]
            size = subject.network.nodes[node].size
            for level in range(1, len(breakpoints)):
                column = unit + level * size
                one, other = (pair_bits(codes, facets.cells[mine, side], column) for side in (0, 1))
                here = one != other
                shift[mine[here]] = breakpoints[level, unit[here] % breakpoints.shape[1]]
        else:
            assert isinstance(op, Maximum)
            index = np.asarray(op.index)
            one, other = (winners_of(subject, node, facets.cells[mine, side], unit) for side in (0, 1))
            plus[mine], minus[mine] = index[unit, one], index[unit, other]
    return plus, minus, shift


def winners_of(subject: Subject, node: int, cells: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Recorded winners at pairs of a cell and a group."""
    op = subject.network.nodes[node].op
    assert isinstance(op, Maximum)
    out = np.zeros(len(cells), np.int64)
    for digit in range(max(1, int(op.index.shape[1] - 1).bit_length())):
        bits = pair_bits(subject.code_of[node], cells, groups + digit * len(op.index))
        out |= bits.astype(np.int64) << digit
    return np.minimum(out, op.index.shape[1] - 1)


def _corner_chunk(subject: Subject, evaluator: Evaluator, known: _Knowledge, chosen: np.ndarray) -> Seen:
    """The signs at all corners of some cells."""
    assert subject.corners is not None
    seen = Seen()
    starts, sizes = subject.cell_offsets[chosen], np.diff(subject.cell_offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    corner = np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])
    vertices, point = np.unique(subject.cell_vertices[corner], return_inverse=True)
    doubt = np.where(subject.corners.straight[corner], 0.0, known.doubt[corner])
    bundle = Bundle(chosen, offsets, corner, point, doubt)
    coordinates = subject.vertices[vertices]
    for passed in evaluator.passes(coordinates):
        if passed.index < 0:
            break
        seen.resolution = max(seen.resolution, resolution(passed))
        facts = undecided(subject.network, subject.code_of[passed.index], passed, bundle)
        zero = by_construction(subject, facts)
        _check_on_folds(subject, facts.taken(np.flatnonzero(zero)), passed, known, seen)
        seen.open.append(facts.taken(np.flatnonzero(~zero & ~subject.corners.straight[facts.corner])))
    return seen


def by_construction(subject: Subject, facts: Facts) -> np.ndarray:
    """Whether each fact is about a unit that vanishes on a facet through the corner: it differs across that facet."""
    facets = subject.facets
    assert facets is not None
    out = np.zeros(len(facts), bool)
    if not len(facts):
        return out
    node = int(facts.node[0])
    codes, op = subject.code_of[node], subject.network.nodes[node].op
    counts = np.diff(facets.offsets)[facts.corner]
    fact = np.repeat(np.arange(len(facts)), counts)
    inner = np.arange(len(fact)) - np.repeat(np.cumsum(counts) - counts, counts)
    facet = facets.items[facets.offsets[facts.corner][fact] + inner]
    other = facets.cells[facet].sum(axis=1) - facts.cell[fact]
    inside = (facets.cells[facet] >= 0).all(axis=1)
    cut_off = ~inside & (facets.op[facet] == node) & (facets.unit[facet] == facts.column[fact])
    out[fact[cut_off]] = True  # truncated complexes end at folds without a neighbour
    fact, other = fact[inside], other[inside]
    if isinstance(op, Activation):
        here = facts.sign[fact] > 0
        out[fact[pair_bits(codes, other, facts.column[fact]).astype(bool) != here]] = True
        return out
    assert isinstance(op, Maximum)
    index = np.asarray(op.index)
    theirs = index[facts.column[fact], winners_of(subject, node, other, facts.column[fact])]
    out[fact[theirs == facts.minus[fact]]] = True
    return out


def _check_on_folds(subject: Subject, facts: Facts, passed: Passed, known: _Knowledge, seen: Seen) -> None:
    """Corners lie on the folds through them: four times the rounding error, and that of the coordinates."""
    if not len(facts):
        return
    errors = passed.errors.max(axis=0)
    error = errors[facts.plus] + np.where(facts.minus >= 0, errors[np.maximum(facts.minus, 0)], 0.0)
    share = np.minimum(1.0, known.slack[facts.cell])
    allowed = 4 * error + share * facts.swing + np.finfo(float).tiny
    ratio = -facts.margin / allowed
    bad = np.unique(facts.cell[ratio > 1])
    if len(bad):
        name = subject.network.nodes[passed.index].name
        fail("vertices", bad, f"a vertex is not on the fold of node {name!r} that is recorded there")
    seen.sign_error = max(seen.sign_error, float(ratio.max()))


def _groups_of_cells(subject: Subject, points: int) -> Iterator[np.ndarray]:
    """Neighbouring cells in groups with at most about `points` corners."""
    order = np.argsort(subject.points[:, 0], kind="stable")
    strips = np.array_split(order, max(1, int(np.sqrt(len(subject.cell_vertices) / points))))
    for strip in strips:
        strip = strip[np.argsort(subject.points[strip, -1], kind="stable")]
        corners = int(np.sum(subject.cell_offsets[strip + 1] - subject.cell_offsets[strip]))
        yield from np.array_split(strip, max(1, -(-corners // points)))
