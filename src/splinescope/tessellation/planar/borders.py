"""Parts of a piece, and the borders along which they are joined again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision, half_edges
from splinescope.tessellation.planar.centroids import centroids_and_areas
from splinescope.tessellation.planar.matching import BorderEnds
from splinescope.tessellation.planar.piece import PlanarPiece


class Borders:
    """Numbers for edges and vertices that several pieces share, with the ends of each edge when it was numbered."""

    def __init__(self) -> None:
        self._points: list[np.ndarray] = []
        self._tags: list[np.ndarray] = []
        self._edges = 0
        self._vertices = 0

    def __bool__(self) -> bool:
        """Whether anything was shared."""
        return bool(self._points)

    def tag(self, piece: PlanarPiece, group: np.ndarray) -> None:
        """Number the edges between faces of different groups, and all their ends."""
        subdivision = piece.subdivision
        left, right = subdivision.face[0::2], subdivision.face[1::2]
        inner = np.flatnonzero((left != OUTSIDE) & (right != OUTSIDE))
        shared = inner[group[left[inner]] != group[right[inner]]]
        tags = subdivision.edge_tag.copy()
        tags[shared] = self._edges + np.arange(len(shared))
        self._edges += len(shared)
        ends = np.stack([subdivision.origin[2 * shared], subdivision.origin[2 * shared + 1]], axis=1)
        self._points.append(subdivision.points[ends].reshape(-1, 4))
        fresh = np.unique(ends)
        fresh = fresh[piece.vertex_tags[fresh] < 0]
        piece.vertex_tags[fresh] = self._vertices + np.arange(len(fresh))
        self._vertices += len(fresh)
        self._tags.append(piece.vertex_tags[ends])
        piece.subdivision = replace(subdivision, edge_tag=tags)

    @property
    def ends(self) -> BorderEnds:
        """Both ends of each numbered edge."""
        if not self:
            return BorderEnds(np.empty((0, 4)), np.empty((0, 2), np.int64))
        return BorderEnds(np.concatenate(self._points), np.concatenate(self._tags))


def part_of(piece: PlanarPiece, faces: np.ndarray) -> PlanarPiece:
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
    begun = None if piece.begun is None else piece.begun.taken(faces)
    return replace(
        piece,
        subdivision=subdivision,
        vertex_tags=piece.vertex_tags[vertices],
        rows=rows,
        slices=piece.slices[faces],
        codes=codes,
        tournament=None,
        begun=begun,
    )


def halves_of(piece: PlanarPiece, borders: Borders) -> list[PlanarPiece]:
    """Split a piece in two with about equal numbers of cells: its slices, or along the longer side of the only one."""
    if (piece.slices != piece.slices[0]).any():
        return [part_of(piece, faces) for faces in _by_slices(piece.slices)]
    centroids, _ = centroids_and_areas(piece.subdivision)
    axis = int(np.argmax(np.ptp(piece.subdivision.points, axis=0)))
    order = np.argsort(centroids[:, axis], kind="stable")
    group = np.zeros(len(order), np.int8)
    group[order[len(order) // 2 :]] = 1
    borders.tag(piece, group)
    return [part_of(piece, np.flatnonzero(group == side)) for side in (0, 1)]


def _by_slices(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells of the first slices and those of the others, about as many; there are several slices."""
    order = np.sort(slices)
    border = order[len(order) // 2]
    if border == order[0]:
        border = order[np.searchsorted(order, border, side="right")]
    return np.flatnonzero(slices < border), np.flatnonzero(slices >= border)
