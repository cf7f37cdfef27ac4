"""A part of the domain on its way through the network, and how it is split to bound memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit

from splinescope.geometry.bits import pack_signs
from splinescope.geometry.planar.doubts import doubts_of, reconcile
from splinescope.geometry.planar.edge_cuts import Layer
from splinescope.geometry.planar.halfedges import FOLLOWING, ORIGIN, OUTSIDE
from splinescope.geometry.planar.refinement import refine
from splinescope.geometry.planar.subdivision import Subdivision, half_edges
from splinescope.numerics import in_ranges
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.planar.judge import ExactJudge
from splinescope.tessellation.planar.rows import Rows, Unsettled
from splinescope.tessellation.thresholds import Folds


@dataclass
class Piece:
    """Cells of a part of the domain with the values of the live nodes at their vertices.

    Attributes:
        subdivision: The cells found so far.
        vertex_tags: [V] numbers of vertices that other pieces have too, or -1.
        rows: Values at the vertices of each node that is still needed.
        codes: Patterns of the cells at the nodes passed.
        position: Next node to evaluate.
        activated: The last activation, if its rows were not written down yet, or None.
    """

    subdivision: Subdivision
    vertex_tags: np.ndarray
    rows: dict[int, Rows]
    codes: list[NodeCodes] = field(default_factory=list)
    position: int = 1
    activated: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the values at the vertices."""
        return sum(rows.nbytes for rows in self.rows.values())


@dataclass(frozen=True)
class Folded:
    """What a fold made of a piece.

    Attributes:
        bits: [F', words] which columns are positive in each cell.
        parent: [F'] cell of which each cell was a part.
        inner: First of the edges that are new inside of cells.
    """

    bits: np.ndarray
    parent: np.ndarray
    inner: int


def packed_signs(values: np.ndarray, folds: Folds, uncertainty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signs of `values` that float64 tells, as bits: positive and negative."""
    positive, negative = (np.empty((len(values), folds.words), np.uint64) for _ in range(2))
    tables = (folds.shifts, folds.thresholds, folds.slopes, uncertainty)
    in_ranges(pack_signs, len(values), values, *tables, positive, negative)
    return positive, negative


def fold(piece: Piece, values: Rows, folds: Folds, judge: ExactJudge, settled: np.ndarray | None = None) -> Folded:
    """Cut the cells of a piece by one layer, in place.

    Args:
        piece: The piece; its live rows are extended to the new vertices.
        values: Rows that decide the folds; extended too.
        folds: Breakpoints and thresholds.
        judge: Who decides what float64 does not tell.
        settled: [V, words] signs that are known to be zero.

    Returns:
        The cells' patterns and where they come from.
    """
    before = piece.subdivision
    signed = values.signed
    if signed is None:
        signs = packed_signs(values.values, folds, before.uncertainty)
    else:
        signs = (signed.positive, signed.negative)
    layer = Layer(values.values, folds.shifts, folds.thresholds, folds.slopes, *signs)
    doubts = doubts_of(before.first, before.halves, layer, folds.folding, settled)
    judge.settle(doubts, layer)
    result = refine(before, layer, folds.label, folds.units, judge, judge.plan.extents)
    judge.count(before.num_vertices * int(np.isfinite(folds.thresholds).sum()), len(doubts.vertices) + result.doubts)
    new, added = result.new_vertices, len(result.new_vertices.tails)
    piece.subdivision = result.subdivision
    for rows in piece.rows.values():
        if rows is not values:
            rows.extend(Unsettled(new))
    values.extend(Unsettled(new, result.cuts, folds))
    values.signed = None
    if added and len(doubts.vertices) + result.doubts:
        fresh, halves = values.values[before.num_vertices :], piece.subdivision.halves
        reconcile(halves, result.bits, folds.folding, folds.shifts, folds.thresholds, fresh)
    piece.vertex_tags = np.concatenate([piece.vertex_tags, np.full(added, -1, np.int64)])
    piece.codes = [codes.taken(result.parent) for codes in piece.codes]
    return Folded(result.bits, result.parent, result.inner)


@njit(cache=True, nogil=True)
def _centroids(
    start: int,
    stop: int,
    first: np.ndarray,
    halves: np.ndarray,
    points: np.ndarray,
    out: np.ndarray,
    areas: np.ndarray,
) -> None:
    """Centroid and area of each face, with its first corner as origin so that slivers keep their digits."""
    for face in range(start, stop):
        half = first[face]
        x0, y0 = points[halves[half, ORIGIN], 0], points[halves[half, ORIGIN], 1]
        area = 0.0
        sx = 0.0
        sy = 0.0
        mx = 0.0
        my = 0.0
        count = 0
        while True:
            here = halves[half, ORIGIN]
            ax, ay = points[here, 0] - x0, points[here, 1] - y0
            half = halves[half, FOLLOWING]
            there = halves[half, ORIGIN]
            bx, by = points[there, 0] - x0, points[there, 1] - y0
            cross = ax * by - ay * bx
            area += cross
            sx += (ax + bx) * cross
            sy += (ay + by) * cross
            mx += ax
            my += ay
            count += 1
            if half == first[face]:
                break
        areas[face] = 0.5 * area
        if area > 0.0:
            out[face, 0] = x0 + sx / (3.0 * area)
            out[face, 1] = y0 + sy / (3.0 * area)
        else:
            out[face, 0] = x0 + mx / count
            out[face, 1] = y0 + my / count


def centroids_and_areas(subdivision: Subdivision) -> tuple[np.ndarray, np.ndarray]:
    """[F, 2] centroids and [F] areas of the faces."""
    out, areas = np.empty((subdivision.num_faces, 2)), np.empty(subdivision.num_faces)
    arguments = (subdivision.first, subdivision.halves, subdivision.points, out, areas)
    in_ranges(_centroids, subdivision.num_faces, *arguments)
    return out, areas


class Borders:
    """Numbers for edges and vertices that several pieces share, with the ends of each edge when it was numbered."""

    def __init__(self) -> None:
        self._ends: list[np.ndarray] = []
        self._edges = 0
        self._vertices = 0

    def __bool__(self) -> bool:
        """Whether anything was shared."""
        return bool(self._ends)

    def tag(self, piece: Piece, group: np.ndarray) -> None:
        """Number the edges between faces of different groups, and all their ends."""
        subdivision = piece.subdivision
        left, right = subdivision.face[0::2], subdivision.face[1::2]
        inner = np.flatnonzero((left != OUTSIDE) & (right != OUTSIDE))
        shared = inner[group[left[inner]] != group[right[inner]]]
        tags = subdivision.edge_tag.copy()
        tags[shared] = self._edges + np.arange(len(shared))
        self._edges += len(shared)
        ends = np.stack([subdivision.origin[2 * shared], subdivision.origin[2 * shared + 1]], axis=1)
        self._ends.append(subdivision.points[ends].reshape(-1, 4))
        fresh = np.unique(ends)
        fresh = fresh[piece.vertex_tags[fresh] < 0]
        piece.vertex_tags[fresh] = self._vertices + np.arange(len(fresh))
        self._vertices += len(fresh)
        piece.subdivision = replace(subdivision, edge_tag=tags)

    @property
    def ends(self) -> np.ndarray:
        """[T, 4] coordinates of both ends of each numbered edge."""
        return np.concatenate(self._ends) if self._ends else np.empty((0, 4))


def part_of(piece: Piece, faces: np.ndarray) -> Piece:
    """The piece that has only some of the faces; edges to the others become its outside."""
    old = piece.subdivision
    number = np.full(old.num_faces + 1, OUTSIDE, np.int32)
    number[faces] = np.arange(len(faces), dtype=np.int32)
    face = number[old.face]
    keep = (face[0::2] != OUTSIDE) | (face[1::2] != OUTSIDE)
    edge_number = np.cumsum(keep, dtype=np.int32) - 1
    halves = np.flatnonzero(np.repeat(keep, 2))
    vertices, origin = np.unique(old.origin[halves], return_inverse=True)
    inside = face[halves] != OUTSIDE

    def renumbered(targets: np.ndarray) -> np.ndarray:
        moved = 2 * edge_number[targets >> 1] + (targets & 1)
        return np.where(inside, moved, np.arange(len(halves))).astype(np.int32)

    first = old.first[faces]
    subdivision = Subdivision(
        old.points[vertices],
        old.uncertainty[vertices],
        half_edges(origin, renumbered(old.following[halves]), renumbered(old.preceding[halves]), face[halves]),
        old.edge_op[keep],
        old.edge_column[keep],
        old.edge_tag[keep],
        (2 * edge_number[first >> 1] + (first & 1)).astype(np.int32),
    )
    rows = {node: values.taken(vertices) for node, values in piece.rows.items()}
    codes = [codes.taken(faces) for codes in piece.codes]
    return Piece(subdivision, piece.vertex_tags[vertices], rows, codes, piece.position, piece.activated)


def halves_of(piece: Piece, borders: Borders) -> list[Piece]:
    """Split a piece in two along the longer side of its bounding box, with equal numbers of cells."""
    centroids, _ = centroids_and_areas(piece.subdivision)
    axis = int(np.argmax(np.ptp(piece.subdivision.points, axis=0)))
    order = np.argsort(centroids[:, axis], kind="stable")
    group = np.zeros(len(order), np.int8)
    group[order[len(order) // 2 :]] = 1
    borders.tag(piece, group)
    return [part_of(piece, np.flatnonzero(group == side)) for side in (0, 1)]
