"""Remove edges and vertices that turned out not to be part of the tessellation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.geometry.planar.halfedges import OUTSIDE
from splinescope.geometry.planar.subdivision import Subdivision, half_edges


def without_edges(subdivision: Subdivision, removed: np.ndarray) -> tuple[Subdivision, np.ndarray, np.ndarray]:
    """Remove edges between faces, which merge.

    Args:
        subdivision: The subdivision.
        removed: [E] mask of edges with a face on either side.

    Returns:
        The coarser subdivision, one old face of each of its faces, and the old vertices that it keeps.
    """
    faces = subdivision.num_faces
    left, right = subdivision.face[0::2], subdivision.face[1::2]
    pairs = coo_array((np.ones(int(removed.sum())), (left[removed], right[removed])), shape=(faces, faces))
    _, label = connected_components(pairs, directed=False)
    following = subdivision.following.copy()
    gone = np.repeat(removed, 2)
    while True:  # step over removed half-edges: after arriving at one, turn to the next edge around its origin
        skip = gone[following]
        skip[gone] = False
        if not skip.any():
            break
        following[skip] = subdivision.following[following[skip] ^ 1]
    keep = np.flatnonzero(~gone)
    number = np.full(len(gone), -1, np.int32)
    number[keep] = np.arange(len(keep), dtype=np.int32)
    vertices, origin = np.unique(subdivision.origin[keep], return_inverse=True)
    next_half = number[following[keep]]
    preceding = np.empty_like(next_half)
    preceding[next_half] = np.arange(len(next_half), dtype=np.int32)
    old_face = subdivision.face[keep]
    face = np.where(old_face == OUTSIDE, OUTSIDE, label[old_face]).astype(np.int32)
    cells = np.zeros(label.max() + 1, np.int64)
    cells[label[::-1]] = np.arange(faces)[::-1]
    first = np.zeros(len(cells), np.int32)
    inner = np.flatnonzero(face != OUTSIDE)
    first[face[inner]] = inner
    stays = ~removed
    coarser = replace(
        subdivision,
        points=subdivision.points[vertices],
        uncertainty=subdivision.uncertainty[vertices],
        halves=half_edges(origin, next_half, preceding, face),
        edge_op=subdivision.edge_op[stays],
        edge_column=subdivision.edge_column[stays],
        edge_tag=subdivision.edge_tag[stays],
        first=first,
    )
    return coarser, cells, vertices


def without_straight_vertices(subdivision: Subdivision, tags: np.ndarray) -> tuple[Subdivision, np.ndarray]:
    """Join the two edges at each vertex where a straight edge goes on and nothing else meets it.

    Args:
        subdivision: The subdivision.
        tags: [V] numbers of vertices that other pieces have too, which stay; -1 for the others.

    Returns:
        The subdivision without those vertices, and the old vertices that it keeps.
    """
    straight = _straight(subdivision) & (tags < 0)
    if not straight.any():
        return subdivision, np.arange(subdivision.num_vertices)
    origin = subdivision.origin
    outside = subdivision.face == OUTSIDE
    opposite = np.arange(len(origin)) ^ 1
    following = np.where(outside, subdivision.preceding[opposite] ^ 1, subdivision.following)
    starts = ~straight[origin]  # half-edges that start a chain of edges through straight vertices
    last = np.arange(len(origin))
    while True:  # last half-edge of the chain of each
        more = straight[origin[last ^ 1]]
        if not more[starts].any():
            break
        last[more] = following[last[more]]
    low, high = np.flatnonzero(starts), last[starts] ^ 1
    keep = low[low < high]  # one direction of each chain; its other direction starts with `last ^ 1`
    return _joined(subdivision, keep, last)


def _straight(subdivision: Subdivision) -> np.ndarray:
    """[V] mask of vertices with two edges only, which go straight on.

    Two cells that meet along two edges at a vertex are on both sides of one line, for they are convex. On the outside
    it depends on what the edges lie on.
    """
    straight = np.bincount(subdivision.origin, minlength=subdivision.num_vertices) == 2
    leaving = np.flatnonzero(straight[subdivision.origin])
    halves = leaving[np.argsort(subdivision.origin[leaving], kind="stable")].reshape(-1, 2)
    candidates = subdivision.origin[halves[:, 0]]
    labels = np.stack([subdivision.edge_op, subdivision.edge_column], axis=1)[halves >> 1]
    outer = ((subdivision.face[halves] == OUTSIDE) | (subdivision.face[halves ^ 1] == OUTSIDE)).any(axis=1)
    straight[candidates[outer & (labels[:, 0] != labels[:, 1]).any(axis=1)]] = False
    return straight


def _joined(subdivision: Subdivision, keep: np.ndarray, last: np.ndarray) -> tuple[Subdivision, np.ndarray]:
    """The subdivision whose edges are the chains from each half-edge of `keep` to its `last`."""
    halves = np.stack([keep, last[keep] ^ 1], axis=1).ravel()
    ends = np.stack([last[keep], keep ^ 1], axis=1).ravel()
    number = np.full(len(subdivision.origin), -1, np.int32)
    number[halves] = np.arange(len(halves), dtype=np.int32)
    vertices, origin = np.unique(subdivision.origin[halves], return_inverse=True)
    face = subdivision.face[halves]
    own = np.arange(len(halves), dtype=np.int32)
    following = np.where(face == OUTSIDE, own, number[subdivision.following[ends]])
    preceding = np.empty_like(following)
    preceding[following] = np.arange(len(following), dtype=np.int32)
    first = np.zeros(subdivision.num_faces, np.int32)
    inner = np.flatnonzero(face != OUTSIDE)
    first[face[inner]] = inner
    edges = keep >> 1
    straightened = replace(
        subdivision,
        points=subdivision.points[vertices],
        uncertainty=subdivision.uncertainty[vertices],
        halves=half_edges(origin, following, preceding, face),
        edge_op=subdivision.edge_op[edges],
        edge_column=subdivision.edge_column[edges],
        edge_tag=subdivision.edge_tag[edges],
        first=first,
    )
    return straightened, vertices
