"""Where a function that is affine on convex cells passes a level: polygons, joined along the faces of the cells.

Vertices of the cells are above the level or not; this is decided once, and all that follows is combinatorics. An edge
with one end above is crossed. In a face, the level runs from each crossing up to the next crossing down: a chord. In a
cell, the chords of its faces close up to polygons, for each crossed edge is a side of just two faces of the cell. Two
polygons meet in each chord, those of the cells on both sides of its face:

         above                 above is kept on one side of every chord, so that the polygons have
      +---------+              consistent orientations; they are found from one polygon to the next
      |  chord  |              and need no normal vectors, which small polygons do not have.
     -x---------x-
      |  below  |
      +---------+
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from splinescope.geometry.surface.meshes import area_vectors, parts


@dataclass(frozen=True)
class Section:
    """Polygons as loops of half-edges, one polygon after the other.

    Attributes:
        offsets: [P + 1] start of each polygon among the half-edges.
        cells: [P] cell of each polygon.
        below: [H] vertex below the level of the crossed edge where each half-edge starts.
        above: [H] vertex above the level of the same edge.
        faces: [H] face of the cells in which each half-edge lies.
        twins: [H] the half-edge on the other side; -1 where the face has no second cell.
    """

    offsets: np.ndarray
    cells: np.ndarray
    below: np.ndarray
    above: np.ndarray
    faces: np.ndarray
    twins: np.ndarray

    @property
    def polygons(self) -> np.ndarray:
        """[H] polygon of each half-edge."""
        return np.repeat(np.arange(len(self.cells)), np.diff(self.offsets))

    @property
    def following(self) -> np.ndarray:
        """[H] next half-edge in the same polygon."""
        following = np.arange(1, len(self.below) + 1)
        following[self.offsets[1:] - 1] = self.offsets[:-1]
        return following


def trace_section(
    loop_offsets: np.ndarray, loop_vertices: np.ndarray, face_cells: np.ndarray, above: np.ndarray
) -> Section:
    """The polygons of a level, with consistent but arbitrary orientations.

    Args:
        loop_offsets: [M + 1] start of each face among `loop_vertices`.
        loop_vertices: Vertices of the faces, each face in cyclic order.
        face_cells: [M, 2] cells on both sides of each face; -1 for none.
        above: [V] whether each vertex is above the level.

    Returns:
        The polygons.

    Raises:
        ValueError: If the faces of a cell do not close up.
    """
    face, first, second, pairs = _chords(loop_offsets, loop_vertices, above)
    chord, side = np.nonzero(face_cells[face] >= 0)
    cell = face_cells[face][chord, side]
    order = np.argsort(cell, kind="stable")
    chord, cell = chord[order], cell[order]
    ends = np.stack([first[chord], second[chord]], axis=1)
    items, entered, offsets = _closed_loops(_mates(cell, ends))
    where = np.empty(len(items), np.int64)
    where[items] = np.arange(len(items))
    crossing = ends[items, entered]
    section = Section(
        offsets, cell[items[offsets[:-1]]], pairs[crossing, 0], pairs[crossing, 1], face[chord[items]],
        _pair_up(chord, where),
    )  # fmt: skip
    return consistent(section, entered)


def _chords(
    loop_offsets: np.ndarray, loop_vertices: np.ndarray, above: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Face, first and second crossing of each chord; and the vertices (below, above) of each crossing."""
    following = np.arange(1, len(loop_vertices) + 1)
    following[loop_offsets[1:] - 1] = loop_offsets[:-1]
    high = above[loop_vertices]
    at = np.flatnonzero(high != high[following])
    here, there = loop_vertices[at], loop_vertices[following[at]]
    up = high[following[at]]
    pairs = np.where(up[:, None], np.column_stack([here, there]), np.column_stack([there, here])).astype(np.int64)
    key, crossing = np.unique(pairs[:, 0] * len(above) + pairs[:, 1], return_inverse=True)
    face = np.searchsorted(loop_offsets, at, side="right") - 1
    # Ups and downs alternate around a face: the chord of an up ends at the next down, the first one after the last.
    firsts = np.flatnonzero(np.diff(face, prepend=-1))
    partner = np.arange(1, len(at) + 1)
    partner[np.append(firsts[1:], len(at))[: len(firsts)] - 1] = firsts
    ups = np.flatnonzero(up)
    return face[ups], crossing[ups], crossing[partner[ups]], np.column_stack([key // len(above), key % len(above)])


def _mates(cell: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """For each end of a chord in a cell, numbered 2 i and 2 i + 1, the end of another chord at the same crossing."""
    owner = np.repeat(cell, 2)
    order = np.lexsort((ends.ravel(), owner))
    left, right = order[::2], order[1::2]
    if (
        len(left) != len(right)
        or (ends.ravel()[left] != ends.ravel()[right]).any()
        or (owner[left] != owner[right]).any()
    ):
        raise ValueError("the faces of a cell do not close up")
    mates = np.empty(len(order), np.int64)
    mates[left], mates[right] = right, left
    return mates


def _closed_loops(mates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items along closed loops, the end (0 or 1) at which each is entered, and where each loop starts."""
    count = len(mates) // 2
    items, entered = np.empty(count, np.int64), np.empty(count, np.int64)
    starts = np.empty(count + 1, np.int64)
    loops = _follow(mates, items, entered, starts)
    return items, entered, np.append(starts[:loops], count)


@njit(cache=True, nogil=True)
def _follow(mates: np.ndarray, items: np.ndarray, entered: np.ndarray, starts: np.ndarray) -> int:
    seen = np.zeros(items.size, np.bool_)
    filled, loops = 0, 0
    for item in range(items.size):
        if seen[item]:
            continue
        starts[loops] = filled
        loops += 1
        end = 2 * item
        while not seen[end >> 1]:
            seen[end >> 1] = True
            items[filled] = end >> 1
            entered[filled] = end & 1
            filled += 1
            end = mates[end ^ 1]
    return loops


def _pair_up(chord: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Half-edges of one chord, of which there are one or two, as twins."""
    order = np.argsort(chord, kind="stable")
    same = np.flatnonzero(chord[order[1:]] == chord[order[:-1]])
    one, two = where[order[same]], where[order[same + 1]]
    twins = np.full(len(chord), -1, np.int64)
    twins[one], twins[two] = two, one
    return twins


@njit(cache=True, nogil=True)
def _flips(offsets: np.ndarray, polygons: np.ndarray, twins: np.ndarray, entered: np.ndarray) -> np.ndarray:
    """Polygons to reverse so that the two half-edges of every chord run in opposite directions."""
    count = offsets.size - 1
    seen, flips = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    stack = np.empty(count, np.int64)
    for seed in range(count):
        if seen[seed]:
            continue
        seen[seed] = True
        stack[0] = seed
        height = 1
        while height:
            height -= 1
            polygon = stack[height]
            for half in range(offsets[polygon], offsets[polygon + 1]):
                twin = twins[half]
                if twin < 0 or seen[polygons[twin]]:
                    continue
                other = polygons[twin]
                seen[other] = True
                flips[other] = flips[polygon] ^ (entered[half] == entered[twin])
                stack[height] = other
                height += 1
    return flips


def reversed_where(section: Section, flips: np.ndarray) -> Section:
    """The same polygons, some of them the other way round.

    Args:
        section: The polygons.
        flips: [P] which polygons to reverse.

    Returns:
        The polygons in the same order.
    """
    if not flips.any():
        return section
    flipped = flips[section.polygons]
    start = section.offsets[section.polygons]
    mirrored = start + section.offsets[section.polygons + 1] - 1 - np.arange(len(start))
    # A half-edge from a to b in face f becomes one from b to a in f: it starts where its follower did.
    old = np.where(flipped, mirrored, np.arange(len(start)))
    origin = np.where(flipped, section.following[old], old)
    twins = section.twins[old]
    new = np.where(flipped, mirrored, np.arange(len(start)))
    twins = np.where(twins >= 0, new[twins], -1)
    return replace(
        section, below=section.below[origin], above=section.above[origin], faces=section.faces[old], twins=twins
    )


def consistent(section: Section, entered: np.ndarray) -> Section:
    """The same polygons, turned so that twins run in opposite directions.

    Args:
        section: Polygons.
        entered: [H] 0 or 1: in which of the two directions of its edge each half-edge runs.

    Returns:
        The polygons; one of each connected part is as it was.
    """
    return reversed_where(section, _flips(section.offsets, section.polygons, section.twins, entered))


def facing(section: Section, positions: np.ndarray, towards: np.ndarray) -> Section:
    """The same polygons, every connected part turned so that it is counter-clockwise seen from the side it faces.

    Which way a part faces is decided by all of its polygons together, with their areas as weights.

    Args:
        section: Polygons with consistent orientations.
        positions: [H, 3] where each half-edge starts.
        towards: [P, 3] a direction to the side that each polygon is to face.

    Returns:
        The polygons.
    """
    vectors = area_vectors(positions, section.offsets, np.arange(len(positions)))
    part = parts(section.offsets, section.twins)
    return reversed_where(section, np.bincount(part, weights=np.einsum("pi,pi->p", vectors, towards))[part] < 0)
