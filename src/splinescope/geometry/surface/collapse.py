r"""Sections that pass through vertices of the cells: corners that coincide are joined, and what has no area is removed.

Where a vertex below the level is on it within rounding, every crossed edge that ends there is crossed at the vertex
itself. Half-edges between two such corners have no length; polygons with at most two others have no area; and two
polygons on both sides of a face that lies in the level, both of cells above it, cover each other. All of these are
taken out, and their neighbours joined:

      a --- b       a --- b
      | \ x |       |     |        x: a polygon whose third side has no length; its two long sides
      |  \x |  =>   |     |        coincide, and the half-edges beyond them become twins.
      +-----+       +-----+

What is left is a surface again: every half-edge has at most one twin. Its vertices are the fans of polygons that turn
around a point, so that parts of the surface that merely touch in a point or along an edge stay apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from splinescope.geometry.surface.sections import Section


@dataclass(frozen=True)
class PolygonMesh:
    """A surface of polygons.

    Attributes:
        offsets: [P + 1] start of each polygon among the half-edges.
        corners: [H] vertex at which each half-edge starts; a polygon's corners in order.
        twins: [H] half-edge on the other side of the same edge; -1 on the border of the surface.
        cells: [P] cell of each polygon.
        faces: [H] face of the cells in which each half-edge lies, or at the border ends.
        sources: [N, 2] for each vertex the ends (below, above) of the crossed edge that it is on, twice the same
            vertex of the cells if it is there.
        covered: Number of faces of the cells in the level that were taken out, since both sides are above it.
    """

    offsets: np.ndarray
    corners: np.ndarray
    twins: np.ndarray
    cells: np.ndarray
    faces: np.ndarray
    sources: np.ndarray
    covered: int


def collapsed(section: Section, zero: np.ndarray) -> PolygonMesh:
    """The surface of a section.

    Args:
        section: Polygons with consistent orientations.
        zero: [V] whether a vertex of the cells is on the level; such a vertex counts as below.

    Returns:
        The surface. Without vertices on the level it is the section itself.
    """
    snapped = zero[section.below]
    keys = np.column_stack([section.below, np.where(snapped, section.below, section.above)])
    following, polygons = section.following, section.polygons
    null = snapped & (keys == keys[following]).all(axis=1)
    beyond = np.full(len(null), -1, np.int64)
    sides = np.bincount(polygons[~null], minlength=len(section.cells))
    slivers = sides <= 2
    pairs = np.flatnonzero(~null & slivers[polygons] & (sides == 2)[polygons])
    beyond[pairs[::2]], beyond[pairs[1::2]] = pairs[1::2], pairs[::2]
    removed = null | slivers[polygons]
    covered = _cover_each_other(section, keys, removed, beyond)
    removed |= beyond >= 0
    twins, last = _joined(section.twins, removed, beyond)
    return _compacted(replace(section, twins=twins, faces=section.faces[last]), keys, removed, covered)


def _cover_each_other(section: Section, keys: np.ndarray, removed: np.ndarray, beyond: np.ndarray) -> int:
    """Find pairs of polygons with the same corners on the level; pair their sides in `beyond`. How many pairs."""
    polygons, on = section.polygons, keys[:, 0] == keys[:, 1]
    flat = np.bincount(polygons[~removed & ~on], minlength=len(section.cells)) == 0
    loops: dict[frozenset[int], list[np.ndarray]] = {}
    inside = np.flatnonzero(~removed & flat[polygons])
    for loop in np.split(inside, np.flatnonzero(np.diff(polygons[inside])) + 1):
        loops.setdefault(frozenset(keys[loop, 0].tolist()), []).append(loop)
    pairs = [found for corners, found in loops.items() if len(found) == 2 and len(corners) == len(found[0])]
    for one, two in pairs:
        # One runs a -> b -> c, the other c -> b -> a: the side that starts at b in one ends at b in the other.
        starts = {int(keys[half, 0]): index for index, half in enumerate(two)}
        partners = two[[starts[int(keys[half, 0])] - 1 for half in one]]
        beyond[one], beyond[partners] = partners, one
    return len(pairs)


def _joined(twins: np.ndarray, removed: np.ndarray, beyond: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The twins of the half-edges that stay, past all polygons that are taken out; and the last half-edge before."""
    last = np.arange(len(twins))
    target = np.where(removed, -1, twins)
    inside = np.flatnonzero((target >= 0) & removed[np.maximum(target, 0)])
    while len(inside):
        last[inside] = beyond[target[inside]]
        target[inside] = twins[last[inside]]
        inside = inside[(target[inside] >= 0) & removed[np.maximum(target[inside], 0)]]
    return target, last


def _compacted(section: Section, keys: np.ndarray, removed: np.ndarray, covered: int) -> PolygonMesh:
    """Number half-edges and polygons anew, and number the vertices."""
    kept = np.flatnonzero(~removed)
    number = np.full(len(removed), -1, np.int64)
    number[kept] = np.arange(len(kept))
    twins = section.twins[kept]
    twins = np.where(twins >= 0, number[np.maximum(twins, 0)], -1)
    owner, sizes = np.unique(section.polygons[kept], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    following = np.arange(1, len(kept) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    corners = fans(following, twins)
    _, first = np.unique(corners, return_index=True)
    return PolygonMesh(offsets, corners, twins, section.cells[owner], section.faces[kept], keys[kept][first], covered)


def fans(following: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """[H] number of the vertex at the start of each half-edge: the fan of half-edges that turn around it.

    Args:
        following: [H] next half-edge in the same polygon.
        twins: [H] half-edge on the other side, -1 for none.

    Returns:
        Numbers from 0, without gaps.
    """
    half = np.flatnonzero(twins >= 0)
    # A half-edge and the one after its twin start at the same vertex.
    graph = coo_array((np.ones(len(half), np.int8), (half, following[twins[half]])), shape=(len(twins), len(twins)))
    return connected_components(graph, directed=False)[1].astype(np.int64)
