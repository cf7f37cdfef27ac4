"""Comparisons of a complex with forward passes: at interior points, and at all corners of all cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from splinescope.numerics import in_blocks, number_of_threads
from splinescope.progress import Advance, unseen
from splinescope.tessellation.certificate.evaluators import Evaluator, resolution
from splinescope.tessellation.certificate.facts import Bundle, Facts, undecided
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.certificate.groups import AT_CORNERS, INSIDE, Group
from splinescope.tessellation.certificate.incidence import Knowledge, NearFolds, by_construction, implied
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.certificate.seen import Proved, Seen, together
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.shared import Scratch
from splinescope.tessellation.certificate.sharing import at_corners, at_interiors, certain, proved_in_groups, shares
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject

_CHUNK_BYTES = 1 << 21
"""Bytes of the widest layer that a chunk of interior points may have: what a processor's cache holds."""

_AT_CORNERS = 4
"""Times as many corners may a chunk have: vertices between two chunks are looked at in both."""

_CHUNK_SIGNS = 1 << 23
"""Signs that a chunk of points may be about: each of them may be left open, and is then a row of several numbers."""

_GRAIN = 256
"""Points that are worth a block of their own; half a chunk, where that is more."""

_CHUNKS = 16
"""Chunks that a thread takes between two reports."""

_MANY = 1 << 17
"""Facts that one chunk may leave open for all of them to be settled together."""


def chunk_size(subject: Subject, chunks: int = 1) -> int:
    """Number of points of one forward pass, as many as of some chunks of interior points."""
    nodes = subject.network.nodes
    size = max(32, chunks * _CHUNK_BYTES // (8 * max(node.size for node in nodes)))
    return max(1, min(size, _CHUNK_SIGNS // max(1, sum(node.units for node in nodes))))


def _in_stretches(
    block: Callable[[int, int], list[Seen]], count: int, stretch: int, grain: int, advance: Advance
) -> Seen:
    """What blocks of a range showed, on all threads; between stretches it is told how far it is."""
    parts: list[Seen] = []
    stretch *= _CHUNKS * number_of_threads()
    for low in range(0, count, stretch):
        high = min(low + stretch, count)
        for seen in in_blocks(lambda start, stop, low=low: block(low + start, low + stop), high - low, grain):  # type: ignore[misc]
            parts += seen
        advance((high - low) / count)
    return together(parts)


def check_interiors(
    subject: Subject,
    evaluator: Evaluator,
    settlement: Settlement,
    near: NearFolds | None,
    advance: Advance = unseen,
) -> Seen:
    """Compare pattern and output of every cell with a forward pass at its interior point.

    Args:
        subject: The cells.
        evaluator: How the network is evaluated.
        settlement: Where signs within the rounding error are settled.
        near: Where it is noted how well the folds around the cells are known, if corners will be looked at.
        advance: Called with the further share that is done.

    Returns:
        What was seen.

    Raises:
        CertificateError: With the cells concerned.
    """
    _check_between(subject)
    scratch = Scratch()
    size, scale = chunk_size(subject), _scale(subject)
    grain = max(_GRAIN, size // 2)

    @np.errstate(all="ignore")
    def prove(group: Group) -> Proved:
        return at_interiors(subject, evaluator, group, near, scale, scratch)

    wanted = np.full(len(subject), shares(subject, evaluator))
    shared = proved_in_groups(subject, wanted, INSIDE, prove, lambda cells: advance(len(cells) / len(subject)))
    left = shared.left

    @np.errstate(all="ignore")  # bounds may be infinite
    def block(start: int, stop: int) -> list[Seen]:
        return [
            _sifted(
                _interior_chunk(subject, evaluator, left[low : min(low + size, stop)], scale, near),
                settlement.sifted_at_points,
            )
            for low in range(start, stop, size)
        ]

    seen = _in_stretches(block, len(left), size, grain, lambda share: advance(share * len(left) / len(subject)))
    seen.take(shared)
    if seen.blunt and len(left) < len(subject):  # a few cells say less of how large units are than all do
        left = np.arange(len(subject))
        seen = _in_stretches(block, len(left), size, grain, unseen)
    settlement.settled.signs += seen.sifted
    settlement.at_points(Facts.joined(seen.open))
    _settle_outputs(settlement, seen, "values", scale)
    return seen


def _sifted(seen: Seen, sift: Callable[[Facts], Facts]) -> Seen:
    """What a chunk showed, without what closer bounds decide where it is much, such as ties of sleeping units."""
    if sum(map(len, seen.open)) > _MANY:
        facts = Facts.joined(seen.open)
        rest = sift(facts)
        seen.open, seen.sifted = [rest], len(facts) - len(rest)
    return seen


def _check_between(subject: Subject) -> None:
    """Interior points are between the least and the largest coordinates of their cells' corners."""
    lowest, highest = subject.extents
    points, room = subject.points[:, subject.first :], RESOLUTION * subject.scales
    outside = np.flatnonzero(((points < lowest - room) | (points > highest + room)).any(axis=1))
    if len(outside):
        fail("values", outside, "an interior point is not between the corners of its cell")


def _settle_outputs(settlement: Settlement, seen: Seen, check: str, scale: float) -> None:
    """Outputs that are not those of forward passes are those of the cells' exact maps."""
    if seen.apart:
        cells, points, values, allowed, error = (np.concatenate(parts) for parts in zip(*seen.apart, strict=True))
        if not settlement.outputs(cells, points, values, allowed, error):
            apart = f"outputs differ from the cells' affine maps by up to {error.max() / scale:.1e} of the largest"
            fail(check, np.unique(cells), apart)


def _scale(subject: Subject) -> float:
    largest = float(np.abs(subject.vertex_outputs).max(initial=0.0)) if np.isnan(subject.scale) else subject.scale
    return max(largest, np.finfo(float).tiny)


def _turns(subject: Subject, cells: np.ndarray) -> np.ndarray:
    """Share of an affine map's swing over each cell that roundings of its corners make; 1 where they hide the cell."""
    return np.minimum(1.0, 8 * RESOLUTION / np.maximum(subject.shapes.width[cells], np.finfo(float).tiny))


def _interior_chunk(
    subject: Subject, evaluator: Evaluator, which: np.ndarray, scale: float, near: NearFolds | None
) -> Seen:
    seen = Seen(own=len(which))
    points = subject.points[which]
    rows = np.arange(len(which))
    bundle = Bundle(which, np.arange(len(which) + 1), which, rows, np.zeros(len(which)))
    for passed in evaluator.inside(which, points):
        if passed.index < 0:
            _compare_outputs(subject, which, passed, evaluator.placement(passed.index), scale, seen)
            return seen
        seen.resolution = max(seen.resolution, resolution(passed))
        facts = undecided(subject.network, subject.code_of[passed.index], passed, bundle)
        seen.open.append(facts.taken(np.flatnonzero(~implied(subject, facts))))
        if near is not None:
            errors = passed.errors.max(axis=0)
            near.note(which, passed.values, errors, evaluator.placement(passed.index), passed.index)
    raise AssertionError("a forward pass ends with the output")


def _compare_outputs(
    subject: Subject, which: np.ndarray, passed: Passed, placement: np.ndarray | float, scale: float, seen: Seen
) -> None:
    """The affine map of a cell and the forward pass agree at its interior point, to rounding.

    The map is that of the outputs at the corners, which are known as well as here, or as float64 alone does; its value
    at a point also shifts with the roundings of corners, by their share of the cell's width.
    """
    error = np.abs(passed.values - subject.outputs[which])
    known = 8 * passed.errors + placement + 4 * RESOLUTION * np.abs(passed.values)
    apart = ~(error <= known).all(axis=1)
    if apart.any():
        known = np.array(np.broadcast_to(known, error.shape))
        cells, room = which[apart], known[apart]
        known[apart] += _turns(subject, cells)[:, None] * _swings(subject, cells)
        bad = ~(error[apart] <= known[apart]).all(axis=1)
        if bad.any():
            places, recorded = subject.points[cells[bad]], subject.outputs[cells[bad]]
            seen.apart.append((cells[bad], places, recorded, room[bad], error[apart][bad].max(axis=1)))
            good = np.delete(np.arange(len(which)), np.flatnonzero(apart)[bad])
            error, known = error[good], known[good]
    seen.output_error = float(error.max(initial=0.0)) / scale
    seen.output_tolerance = float(known.max(initial=0.0)) / scale


def _swings(subject: Subject, cells: np.ndarray) -> np.ndarray:
    """[cells, n_out] by how much the outputs at the corners of each cell differ."""
    corner, offsets = subject.corners_of(cells)
    outputs = subject.vertex_outputs[subject.cell_vertices[corner]]
    highest, lowest = np.maximum.reduceat(outputs, offsets[:-1]), np.minimum.reduceat(outputs, offsets[:-1])
    return np.asarray(highest - lowest)


def check_corners(
    subject: Subject, evaluator: Evaluator, settlement: Settlement, near: NearFolds, advance: Advance = unseen
) -> Seen:
    """At every corner of every cell, every unit has the cell's sign, weakly, and those that fold there vanish.

    Args:
        subject: The cells.
        evaluator: How the network is evaluated.
        settlement: Where signs within the rounding error are settled.
        near: What the look at the interior points has noted.
        advance: Called with the further share that is done.

    Returns:
        What was seen.

    Raises:
        CertificateError: With the cells concerned.
    """
    known = near.knowledge()
    corners, scratch = np.diff(subject.cell_offsets), Scratch()

    @np.errstate(all="ignore")
    def prove(group: Group) -> Proved:
        return at_corners(subject, evaluator, group, near.walls, known, scratch)

    def told(cells: np.ndarray) -> None:
        advance(int(corners[cells].sum()) / len(subject.cell_vertices))

    wanted = certain(subject, known) if shares(subject, evaluator) else np.zeros(len(subject), bool)
    shared = proved_in_groups(subject, wanted, AT_CORNERS, prove, told)
    if len(shared.left) < len(subject):
        _note_again(subject, evaluator, near, shared.left)
        known = near.knowledge()
    rest = int(corners[shared.left].sum()) / len(subject.cell_vertices)
    groups = list(_groups_of_cells(subject, shared.left, chunk_size(subject, _AT_CORNERS)))

    def sift(facts: Facts) -> Facts:
        return settlement.sifted_at_corners(facts, known.doubt[facts.corner])

    @np.errstate(all="ignore")  # bounds may be infinite
    def block(start: int, stop: int) -> list[Seen]:
        return [_sifted(_corner_chunk(subject, evaluator, known, group), sift) for group in groups[start:stop]]

    seen = _in_stretches(block, len(groups), 1, 1, lambda share: advance(share * rest))
    seen.take(shared)
    if seen.blunt and len(shared.left) < len(subject):
        groups = list(_groups_of_cells(subject, np.arange(len(subject)), chunk_size(subject, _AT_CORNERS)))
        seen = _in_stretches(block, len(groups), 1, 1, unseen)
    off = Facts.joined([facts for facts, _ in seen.off])
    settlement.on_folds(off, np.concatenate([np.zeros(0), *(allowed for _, allowed in seen.off)]))
    settlement.settled.signs += seen.sifted
    facts = Facts.joined(seen.open)
    settlement.at_corners(facts, known.doubt[facts.corner])
    _settle_outputs(settlement, seen, "vertices", _scale(subject))
    return seen


@np.errstate(all="ignore")
def _note_again(subject: Subject, evaluator: Evaluator, near: NearFolds, cells: np.ndarray) -> None:
    """Note how well folds around some cells are known by forward passes of their own, where that is better."""
    size, before = chunk_size(subject), near.shares.copy()
    for start in range(0, len(cells), size):
        which = cells[start : start + size]
        for passed in evaluator.inside(which, subject.points[which]):
            if passed.index >= 0:
                placement = evaluator.placement(passed.index)
                near.note(which, passed.values, passed.errors.max(axis=0), placement, passed.index)
    near.shares = np.minimum(before, near.shares)


def _corner_chunk(subject: Subject, evaluator: Evaluator, known: Knowledge, chosen: np.ndarray) -> Seen:
    """The signs at all corners of some cells."""
    assert subject.corners is not None
    corner, offsets = subject.corners_of(chosen)
    seen = Seen(own=len(corner))
    vertices, point = np.unique(subject.cell_vertices[corner], return_inverse=True)
    doubt = np.where(subject.corners.straight[corner], 0.0, known.doubt[corner])
    bundle = Bundle(chosen, offsets, corner, point, doubt)
    coordinates = subject.vertices[vertices]
    for passed in evaluator.passes(coordinates):
        if passed.index < 0:
            _compare_at_corners(subject, bundle, vertices, passed, evaluator.placement(-1), known, seen)
            break
        seen.resolution = max(seen.resolution, resolution(passed))
        facts = undecided(subject.network, subject.code_of[passed.index], passed, bundle)
        facts = facts.taken(np.flatnonzero(~implied(subject, facts)))
        zero = by_construction(subject, facts)
        _off_folds(facts.taken(np.flatnonzero(zero)), passed, evaluator.placement(passed.index), known, seen)
        seen.open.append(facts.taken(np.flatnonzero(~zero & ~subject.corners.straight[facts.corner])))
    return seen


def _compare_at_corners(
    subject: Subject,
    bundle: Bundle,
    vertices: np.ndarray,
    passed: Passed,
    placement: np.ndarray | float,
    known: Knowledge,
    seen: Seen,
) -> None:
    """Outputs recorded at vertices are those of the forward pass, but for what roundings of the coordinates make.

    By how much outputs change with these is what a cell around says that they don't hide; if there is none, its map.
    """
    recorded = subject.vertex_outputs[vertices]
    error = np.abs(passed.values - recorded)
    room = 8 * passed.errors + placement + 4 * RESOLUTION * np.abs(passed.values)
    apart = ~(error <= room).all(axis=1)
    if not apart.any():
        return
    room = np.array(np.broadcast_to(room, error.shape))
    owner = np.repeat(np.arange(len(bundle.cells)), np.diff(bundle.offsets))
    share = 2 * known.blurs(bundle.cells)
    turned = np.zeros_like(error)
    np.maximum.at(turned, bundle.point, (share[:, None] * _swings(subject, bundle.cells))[owner])
    bad = np.flatnonzero(~(error <= room + turned).all(axis=1))
    if not len(bad):
        return
    order = np.argsort(-known.slack[bundle.cells[owner]], kind="stable")
    widest = np.zeros(len(vertices), np.int64)
    widest[bundle.point[order]] = bundle.cells[owner[order]]  # the last one counts
    points = subject.vertices[vertices[bad]]
    seen.apart.append((widest[bad], points, recorded[bad], room[bad], error[bad].max(axis=1)))


def _off_folds(facts: Facts, passed: Passed, placement: np.ndarray | float, known: Knowledge, seen: Seen) -> None:
    """Note corners that are farther from a fold through them than rounding allows, by the forward pass.

    That is four times the error of the unit, what float64 adds to it where more digits are used, and what the roundings
    of the coordinates make of the unit over the cell. A cell that they hide does not say what that is: there exact
    forms do.
    """
    if not len(facts):
        return
    errors = 4 * passed.errors.max(axis=0) + placement
    error = errors[facts.plus] + np.where(facts.minus >= 0, errors[np.maximum(facts.minus, 0)], 0.0)
    allowed = error + known.blurs(facts.cell) * facts.swing + np.finfo(float).tiny
    ratio = -facts.margin / allowed
    far = ratio > 1
    seen.sign_error = max(seen.sign_error, float(ratio[~far].max(initial=0.0)))
    seen.off.append((facts.taken(np.flatnonzero(far)), error[far]))


def _groups_of_cells(subject: Subject, cells: np.ndarray, points: int) -> Iterator[np.ndarray]:
    """Neighbouring cells in groups with at most about `points` corners."""
    if not len(cells):
        return
    sizes = np.diff(subject.cell_offsets)
    order = cells[np.argsort(subject.points[cells, 0], kind="stable")]
    strips = np.array_split(order, max(1, int(np.sqrt(sizes[cells].sum() / points))))
    for strip in strips:
        strip = strip[np.argsort(subject.points[strip, -1], kind="stable")]
        yield from np.array_split(strip, max(1, -(-int(sizes[strip].sum()) // points)))
