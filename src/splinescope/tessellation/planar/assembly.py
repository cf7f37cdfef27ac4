"""Join finished pieces along their borders, and put them in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision, half_edges
from splinescope.network.graph import Network
from splinescope.tessellation.codes import NodeCodes, merged
from splinescope.tessellation.planar.dissolve import without_straight_vertices
from splinescope.tessellation.planar.matching import BorderEnds, matched


@dataclass(frozen=True)
class FinishedPiece:
    """A piece that has passed the whole network.

    Attributes:
        subdivision: Its cells.
        vertex_tags: [V] numbers of vertices shared with other pieces, or -1.
        outputs: [V, n_out] outputs of the network at the vertices.
        codes: Patterns of its cells.
        slices: [F] the slice of each cell.
    """

    subdivision: Subdivision
    vertex_tags: np.ndarray
    outputs: np.ndarray
    codes: list[NodeCodes]
    slices: np.ndarray

    @property
    def num_cells(self) -> int:
        """Number of its cells."""
        return self.subdivision.num_faces

    @property
    def nbytes(self) -> int:
        """Approximate bytes in memory."""
        return self.outputs.nbytes + sum(codes.words.nbytes for codes in self.codes) + 120 * len(self.vertex_tags)


def join(pieces: list[FinishedPiece], borders: BorderEnds, partial: bool) -> FinishedPiece:
    """One piece from several.

    Args:
        pieces: Pieces whose union is the domain, or a part of it; emptied, to free their memory.
        borders: The ends of their common borders.
        partial: Whether pieces may be missing, so that a border may have one side only.

    Returns:
        Their union; borders with both sides have become inner edges.

    Raises:
        DegenerateArrangementError: If two pieces have cut their common border in different ways.
    """
    if len(pieces) == 1:
        return pieces[0]
    joined = _side_by_side(pieces)
    pieces.clear()
    keep_half, drop_half = matched(joined.subdivision, joined.vertex_tags, borders, partial)
    vertex = _common_vertices(joined, keep_half, drop_half)
    return _glued(joined, keep_half, drop_half, vertex)


def _side_by_side(pieces: list[FinishedPiece]) -> FinishedPiece:
    """All pieces with running numbers, not yet joined."""
    parts = [piece.subdivision for piece in pieces]
    vertices = np.cumsum([0] + [part.num_vertices for part in parts])
    halves = np.cumsum([0] + [2 * part.num_edges for part in parts])
    faces = np.cumsum([0] + [part.num_faces for part in parts])

    def all_of(name: str, shift: np.ndarray | None = None) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        if shift is not None:
            arrays = [array + np.int32(s) for array, s in zip(arrays, shift, strict=False)]
        return np.concatenate(arrays)

    outside = all_of("face") == OUTSIDE
    face = np.where(outside, OUTSIDE, all_of("face", faces)).astype(np.int32)
    plain = {name: all_of(name) for name in ("points", "uncertainty", "edge_op", "edge_column", "edge_tag")}
    links = (all_of("following", halves), all_of("preceding", halves))
    table = half_edges(all_of("origin", vertices), *links, face)
    subdivision = Subdivision(halves=table, first=all_of("first", halves), **plain)
    codes = [merged([piece.codes[i] for piece in pieces]) for i in range(len(pieces[0].codes))]
    tags, outputs, slices = (
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("vertex_tags", "outputs", "slices")
    )
    return FinishedPiece(subdivision, tags, outputs, codes, slices)


def _common_vertices(joined: FinishedPiece, keep_half: np.ndarray, drop_half: np.ndarray) -> np.ndarray:
    """[V] representative of each vertex among those at the same place."""
    origin = joined.subdivision.origin
    count = joined.subdivision.num_vertices
    tagged = np.flatnonzero(joined.vertex_tags >= 0)
    _, first, inverse = np.unique(joined.vertex_tags[tagged], return_index=True, return_inverse=True)
    one = np.concatenate([origin[keep_half], origin[keep_half ^ 1], tagged])
    other = np.concatenate([origin[drop_half ^ 1], origin[drop_half], tagged[first][inverse]])
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    number, label = connected_components(graph, directed=False)
    representative = np.zeros(number, np.int64)
    representative[label[::-1]] = np.arange(count)[::-1]
    return representative[label]


def _glued(joined: FinishedPiece, keep_half: np.ndarray, drop_half: np.ndarray, vertex: np.ndarray) -> FinishedPiece:
    """Identify the vertices and the paired border edges."""
    old = joined.subdivision
    target = np.arange(2 * old.num_edges)
    target[drop_half] = keep_half ^ 1
    target[drop_half ^ 1] = keep_half
    face = old.face.copy()
    following, preceding = old.following.copy(), old.preceding.copy()
    face[keep_half ^ 1] = old.face[drop_half]
    following[keep_half ^ 1] = old.following[drop_half]
    preceding[keep_half ^ 1] = old.preceding[drop_half]
    keep_edge = np.ones(old.num_edges, bool)
    keep_edge[drop_half >> 1] = False
    edge_number = np.cumsum(keep_edge) - 1
    half_number = 2 * edge_number[target >> 1] + (target & 1)
    halves = np.flatnonzero(np.repeat(keep_edge, 2))
    inside = face[halves] != OUTSIDE
    own = np.arange(len(halves))
    vertices, origin = np.unique(vertex[old.origin[halves]], return_inverse=True)
    glued = Subdivision(
        old.points[vertices],
        old.uncertainty[vertices],
        half_edges(
            origin,
            np.where(inside, half_number[following[halves]], own),
            np.where(inside, half_number[preceding[halves]], own),
            face[halves],
        ),
        old.edge_op[keep_edge],
        old.edge_column[keep_edge],
        old.edge_tag[keep_edge],
        half_number[old.first].astype(np.int32),
    )
    return FinishedPiece(glued, joined.vertex_tags[vertices], joined.outputs[vertices], joined.codes, joined.slices)


def straightened(finished: FinishedPiece, network: Network) -> FinishedPiece:
    """Without the vertices that hidden folds of max nodes left on edges."""
    if all(op.elementwise for op in network.folds.values()):
        return finished
    none = np.full(len(finished.vertex_tags), -1, np.int64)
    subdivision, vertices = without_straight_vertices(finished.subdivision, none)
    if len(vertices) == len(finished.vertex_tags):
        return finished
    return FinishedPiece(
        subdivision, finished.vertex_tags[vertices], finished.outputs[vertices], finished.codes, finished.slices
    )


def ordered_by_slice(finished: FinishedPiece, of_vertex: np.ndarray) -> FinishedPiece:
    """The cells, vertices and edges of each slice one after the other, each in the order that they had.

    Args:
        finished: Several slices.
        of_vertex: [V] slice of each vertex.

    Returns:
        The same slices, so that each is a range of every array.
    """
    old = finished.subdivision
    of_edge = finished.slices[old.face.reshape(-1, 2).max(axis=1)]
    faces, vertices, edges = (np.argsort(part, kind="stable") for part in (finished.slices, of_vertex, of_edge))
    face_number = np.append(_inverse(faces), OUTSIDE)
    half_number = (2 * _inverse(edges)[:, None] + np.arange(2)).ravel()
    halves = (2 * edges[:, None] + np.arange(2)).ravel()
    subdivision = Subdivision(
        old.points[vertices],
        old.uncertainty[vertices],
        half_edges(
            _inverse(vertices)[old.origin[halves]],
            half_number[old.following[halves]],
            half_number[old.preceding[halves]],
            face_number[old.face[halves]],
        ),
        old.edge_op[edges],
        old.edge_column[edges],
        old.edge_tag[edges],
        half_number[old.first[faces]].astype(np.int32),
    )
    codes = [part.taken(faces) for part in finished.codes]
    tags, outputs = finished.vertex_tags[vertices], finished.outputs[vertices]
    return FinishedPiece(subdivision, tags, outputs, codes, finished.slices[faces])


def _inverse(order: np.ndarray) -> np.ndarray:
    """The place of each number in an order."""
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order))
    return out
