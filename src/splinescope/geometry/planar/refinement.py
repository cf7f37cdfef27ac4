"""Refinement of a planar subdivision by the folds of one layer: cuts of edges, chords of faces, and what they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from splinescope.errors import DegenerateArrangementError
from splinescope.geometry.planar.answers import ASKED, Answers
from splinescope.geometry.planar.chords import COLUMN, Chords, find_chords
from splinescope.geometry.planar.doubts import faces_with
from splinescope.geometry.planar.edge_cuts import EdgeCuts, Layer, cut_edges, placed_uncertainty, running_sums
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN, PRECEDING
from splinescope.geometry.planar.insertion import insert_chords
from splinescope.geometry.planar.judge import Crossed, End, Judge
from splinescope.geometry.planar.outer_edges import relabel_first, split_outer_edges
from splinescope.geometry.planar.patterns import pattern_faces
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.geometry.planar.surgery import label_faces
from splinescope.geometry.planar.target import (
    BASE,
    CROSSED,
    END,
    FRACTION,
    MADE_BY,
    OTHER,
    SHARED,
    START,
    UNCERTAINTY,
    Refined,
    RefinedCounts,
)
from splinescope.numerics import in_ranges


class NewVertices(NamedTuple):
    """How the vertices of a refinement follow from others: `tails + fractions * (heads - tails)`.

    The first `on_edges` of them lie on edges of the parent and refer to its vertices; each of the others is on a chord
    between two of those, where another column `crossed` it (-1 for the first ones).
    """

    tails: np.ndarray
    heads: np.ndarray
    fractions: np.ndarray
    crossed: np.ndarray
    on_edges: int


class InnerVertices(NamedTuple):
    """The new vertices inside of faces, one face after the other.

    Attributes:
        chords: All chords.
        bases: [N] the chord on which each was interpolated, counted in its face.
        counts: [F] number of them in each face of the parent.
    """

    chords: Chords
    bases: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class CutSubdivision:
    """Result of cutting a subdivision by one layer.

    Attributes:
        subdivision: The finer subdivision; the vertices of the parent keep their numbers.
        new_vertices: How its new vertices were interpolated.
        inner_vertices: On which chords those inside of faces are.
        parent: [F'] face of the parent that contains each face.
        cuts: Cuts of the parent's edges.
        bits: [F', words] which columns are positive in each face.
        inner: First of the edges that are new inside of faces of the parent.
        doubts: Number of signs that the judge decided.
    """

    subdivision: Subdivision
    new_vertices: NewVertices
    inner_vertices: InnerVertices
    parent: np.ndarray
    cuts: EdgeCuts
    bits: np.ndarray
    inner: int
    doubts: int


def _resized(array: np.ndarray, size: int) -> np.ndarray:
    """A copy with room for `size` entries; the new ones are not initialised."""
    out = np.empty(size, array.dtype)
    out[: len(array)] = array
    return out


def _make_target(subdivision: Subdivision, cuts: EdgeCuts, chords: Chords, sizes: RefinedCounts) -> Refined:
    """Arrays for the refined subdivision, with its outer edges already cut."""
    faces, edges, on_edges = subdivision.num_faces, subdivision.num_edges, len(cuts.tails)
    vertex_base = sizes.outer_vertices + running_sums(chords.crossings)
    edge_base = sizes.outer_edges + running_sums(np.diff(chords.offsets) + 2 * chords.crossings)
    new_vertices = int(vertex_base[-1]) - sizes.old_vertices
    halves = np.empty((2 * int(edge_base[-1]), 4), np.int32)
    in_ranges(split_outer_edges, edges, sizes.old_vertices, subdivision.halves, cuts.group_offsets, halves)
    first = np.empty(faces, np.int32)
    in_ranges(relabel_first, faces, subdivision.first, edges, cuts.group_offsets, first)
    places = np.empty((new_vertices, 5), np.int32)
    places[:on_edges, START], places[:on_edges, END], places[:on_edges, CROSSED] = cuts.tails, cuts.heads, -1
    weights = np.empty((new_vertices, 4))
    weights[on_edges:, UNCERTAINTY] = weights[on_edges:, SHARED] = 0.0
    weights[:on_edges, FRACTION], weights[:on_edges, UNCERTAINTY] = cuts.fractions, cuts.uncertainty
    labels = np.empty((int(edge_base[-1]), 2), np.int32)
    place_of = np.empty(2 * sizes.outer_edges, np.int32)
    used = np.zeros((faces, 2), np.int64)
    return Refined(halves, labels, places, weights, first, vertex_base, edge_base, used, place_of)


def _compacted(target: Refined, sizes: RefinedCounts) -> Refined:
    """The target without the vertices and edges that concurrent or coincident folds left unused."""
    if target.used.sum() == target.vertex_base[-1] - sizes.outer_vertices + target.edge_base[-1] - sizes.outer_edges:
        return target
    keep_vertex = _used(sizes.outer_vertices, target.vertex_base, target.used[:, 0])
    keep_edge = _used(sizes.outer_edges, target.edge_base, target.used[:, 1])
    vertex_number = np.cumsum(keep_vertex, dtype=np.int32) - 1
    edge_number = np.cumsum(keep_edge, dtype=np.int32) - 1
    halves = target.halves[np.repeat(keep_edge, 2)]
    halves[:, ORIGIN] = vertex_number[halves[:, ORIGIN]]
    for column in (FOLLOWING, PRECEDING):
        halves[:, column] = 2 * edge_number[halves[:, column] >> 1] + (halves[:, column] & 1)
    new = keep_vertex[sizes.old_vertices :]
    return target._replace(
        halves=halves,
        labels=target.labels[keep_edge],
        places=target.places[new],
        weights=target.weights[new],
        first=2 * edge_number[target.first >> 1] + (target.first & 1),
        edge_base=sizes.outer_edges + running_sums(target.used[:, 1]),
    )


def _used(outer: int, base: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Mask of the numbers that were given out: all outer ones, and for each face the first `used` from its base."""
    starts = np.repeat(base[:-1], np.diff(base))
    mask = np.ones(int(base[-1]), np.bool_)
    mask[outer:] = np.arange(outer, int(base[-1])) - starts < np.repeat(used, np.diff(base))
    return mask


def _interpolated(points: np.ndarray, new: NewVertices, start: int, old: int) -> np.ndarray:
    """Coordinates of the vertices so far and of the new ones from `start` on, of which the first has number `old`."""
    tail, head = points[new.tails[start:]], points[new.heads[start:]]
    out = np.empty((old + len(new.tails), 2))
    out[: old + start] = points
    np.subtract(head, tail, out=head)
    head *= new.fractions[start:, None]
    np.add(tail, head, out=out[old + start :])
    return out


@dataclass(frozen=True)
class _Labelled:
    """Numbers of the faces.

    Attributes:
        first: [F'] one half-edge of each.
        parent: [F'] its parent.
        base: [n + 1] number of the first new child of each split face.
    """

    first: np.ndarray
    parent: np.ndarray
    base: np.ndarray


def _labelled(target: Refined, split_faces: np.ndarray, faces: int) -> _Labelled:
    """Number the faces."""
    children = (target.used[:, 1] - target.used[:, 0])[split_faces]
    face_base = faces + running_sums(children)
    total = int(face_base[-1])
    first = _resized(target.first, total)
    parent = _resized(np.arange(faces, dtype=np.int32), total)
    tables = (target.halves, target.edge_base, target.used)
    in_ranges(label_faces, len(split_faces), split_faces, *tables, face_base, first, parent)
    return _Labelled(first, parent, face_base)


@dataclass
class _KnownAnswers:
    """Answers of the judge so far: for each face a dictionary from questions to signs."""

    signs: dict[int, dict[tuple[int, int, int], int]]

    def for_faces(self, faces: np.ndarray) -> Answers:
        """The answers as arrays, with room for new questions."""
        mine = [self.signs.get(face, {}) for face in faces.tolist()] if self.signs else []
        offsets = running_sums(np.array([len(known) for known in mine], np.int64) if mine else np.zeros(len(faces)))
        table = np.array([(*key, sign) for known in mine for key, sign in known.items()], np.int64).reshape(-1, 4)
        asked = np.empty((len(faces), 1 + ASKED, 3), np.int32)
        asked[:, 0, 0] = 0
        return Answers(offsets.astype(np.int64), table, asked)

    def learn(self, judge: Judge, faces: np.ndarray, answers: Answers, chords: Chords) -> None:
        """Have the new questions answered."""
        for index in np.flatnonzero(answers.number).tolist():
            face = int(faces[index])
            known = self.signs.setdefault(face, {})
            columns = chords.table[chords.offsets[face] : chords.offsets[face + 1], COLUMN]
            for asked in answers.asked[index, 1 : 1 + min(ASKED, answers.number[index])].tolist():
                if tuple(asked) in known:
                    continue
                i, j, k = sorted(asked)
                third, first, second = judge.sides(face, int(columns[i]), int(columns[j]), int(columns[k]))
                known.update({(i, j, k): third, (j, k, i): first, (i, k, j): second})


def _inserted(
    judge: Judge, split_faces: np.ndarray, layer: Layer, chords: Chords, target: Refined, *rest: object
) -> int:
    """Insert all chords, in as many passes as questions to the judge need; their number."""
    known, faces = _KnownAnswers({}), split_faces
    while len(faces):
        answers = known.for_faces(faces)
        arguments = (faces, *layer[:4], chords.offsets, chords.table, target, answers, *rest)
        lost = [face for face in in_ranges(insert_chords, len(faces), *arguments, grain=512) if face >= 0]
        if lost:
            raise DegenerateArrangementError(
                f"a fold's chord could not be traced through face {lost[0]}: rounding errors of this network are "
                "larger than measured; pass a `tolerance` with a larger `safety`"
            )
        known.learn(judge, faces, answers, chords)
        faces = faces[answers.number > 0]
    return sum(len(signs) for signs in known.signs.values())


def _place_flat_crossings(
    judge: Judge,
    target: Refined,
    cuts: EdgeCuts,
    chords: Chords,
    sizes: RefinedCounts,
    points: np.ndarray,
    uncertainty: np.ndarray,
) -> None:
    """Place crossings of nearly parallel chords, and of three or more."""
    on_edges = len(cuts.tails)
    inner = target.weights[on_edges:]
    found = on_edges + np.flatnonzero(~np.isfinite(inner[:, UNCERTAINTY]) | (inner[:, SHARED] > 0))
    if not len(found):
        return
    faces = np.searchsorted(target.vertex_base, found + sizes.old_vertices, side="right") - 1
    places, crossings = target.places[found], list[Crossed]()
    for face, (tail, head, base, other) in zip(
        faces.tolist(), places[:, [START, END, BASE, OTHER]].tolist(), strict=True
    ):
        columns = chords.table[chords.offsets[face] : chords.offsets[face + 1], COLUMN]
        ends = (_end(tail, cuts, sizes), _end(head, cuts, sizes))
        crossings.append(Crossed(face, int(columns[base]), int(columns[other]), *ends))
    target.weights[found, FRACTION], errors = judge.chord_shares(crossings)
    target.weights[found, UNCERTAINTY] = placed_uncertainty(points, uncertainty, places[:, [START, END]], errors)


def _end(vertex: int, cuts: EdgeCuts, sizes: RefinedCounts) -> End:
    """What defines an end of a chord."""
    if vertex < sizes.old_vertices:
        return vertex, -1
    group = vertex - sizes.old_vertices
    edge = int(np.searchsorted(cuts.group_offsets, group, side="right")) - 1
    return edge, int(cuts.columns[cuts.cut_offsets[group]])


def refine(
    subdivision: Subdivision,
    layer: Layer,
    op: int,
    columns: np.ndarray,
    judge: Judge,
    extents: np.ndarray,
    counts: np.ndarray | None = None,
) -> CutSubdivision:
    """Cut every face by all folds of a layer that cross it.

    The number of new vertices and edges is known before any surgery, since chords of a convex face cross exactly when
    their ends interleave: every face is refined on its own, in parallel.

    Args:
        subdivision: What to cut.
        layer: Values and signs of the layer's columns at its vertices.
        op: Label for the new edges.
        columns: [columns] number under which each column labels the new edges.
        judge: Who decides what float64 cannot tell.
        extents: [2] size of the domain along each coordinate, of which lengths are shares; or [V, 2] at each vertex,
            where several domains lie side by side.
        counts: [F] number of chords of each face, if that is known.

    Returns:
        The finer subdivision and how it follows from the old one.

    Raises:
        DegenerateArrangementError: If signs contradict each other.
    """
    cuts = cut_edges(subdivision.halves, subdivision.points / extents, subdivision.uncertainty, layer, judge)
    chords = find_chords(subdivision.first, subdivision.halves, layer, cuts, counts)
    on_edges = len(cuts.tails)
    split_faces = np.flatnonzero(np.diff(chords.offsets))
    edges = subdivision.num_edges
    sizes = RefinedCounts(subdivision.num_vertices, subdivision.num_vertices + on_edges, edges + on_edges)
    target = _make_target(subdivision, cuts, chords, sizes)
    new = NewVertices(cuts.tails, cuts.heads, cuts.fractions, np.full(on_edges, -1, np.int32), on_edges)
    outer_points = _interpolated(subdivision.points, new, 0, sizes.old_vertices)
    uncertainty = np.concatenate([subdivision.uncertainty, cuts.uncertainty])
    if extents.ndim > 1:
        extents = np.concatenate([extents, extents[cuts.tails]])
    doubts = _inserted(judge, split_faces, layer, chords, target, sizes, outer_points / extents, uncertainty)
    _place_flat_crossings(judge, target, cuts, chords, sizes, outer_points / extents, uncertainty)
    target = _compacted(target, sizes)
    faces = _labelled(target, split_faces, subdivision.num_faces)
    bits = faces_with(subdivision.first, subdivision.halves, layer.positive)[faces.parent]
    tables = (split_faces, target.halves, target.labels, target.place_of, sizes.outer_edges)
    numbers = (chords.offsets, chords.table, faces.base, faces.first, bits)
    in_ranges(pattern_faces, len(split_faces), *tables, *numbers, grain=512)
    ends, weights = target.places, target.weights
    fractions = weights[:, FRACTION].copy()
    new = NewVertices(ends[:, START].copy(), ends[:, END].copy(), fractions, ends[:, CROSSED].copy(), on_edges)
    made_by = columns[target.labels[sizes.outer_edges :, MADE_BY]]
    pieces = np.repeat(np.arange(edges), np.diff(cuts.group_offsets))
    finer = replace(
        subdivision,
        points=_interpolated(outer_points, new, on_edges, sizes.old_vertices),
        uncertainty=np.concatenate([subdivision.uncertainty, weights[:, UNCERTAINTY]]),
        halves=target.halves,
        edge_op=_extended(subdivision.edge_op, pieces, np.full(len(made_by), op, np.int32)),
        edge_column=_extended(subdivision.edge_column, pieces, made_by),
        edge_tag=_extended(subdivision.edge_tag, pieces, np.full(len(made_by), -1, np.int64)),
        first=faces.first,
    )
    inner = InnerVertices(chords, ends[on_edges:, BASE].copy(), target.used[:, 0])
    return CutSubdivision(finer, new, inner, faces.parent, cuts, bits, sizes.outer_edges, doubts + cuts.doubts)


def _extended(labels: np.ndarray, pieces: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Labels of the old edges, of the pieces cut from them, and of the new inner edges."""
    return np.concatenate([labels, labels[pieces], inner])
