"""Which cells share which edges, in about two bits for each: a front grows inwards from the border, cell by cell.

A cell that joins the front takes all edges of it that can belong to no other cell, since the vertices between have no
further edges; of the rest of its ring only is told whether the next vertex is new, closes the ring, or lies elsewhere
on the front. Nearly all vertices have four edges, which costs nothing. `source/mesh.ts` mirrors it.

Gotsman and Touma, "Triangle mesh compression" (1998), and Isenburg, "Compressing polygon mesh connectivity with degree
duality prediction" (2002), code by degrees as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from splinescope.viewer.range_coding import MODEL, put_bit, put_number

COUNT, BORDER_DEGREE, DEGREE, WALK, GAP, STEPS = range(6)
"""Kinds of numbers: edges of the border, degrees, the way along the front, edges left out, and steps of rings."""

RING = 10
"""Edges of a ring up to which its steps are told apart."""


@njit(cache=True, nogil=True)
def _context(length: int, free_first: int, free_here: int) -> int:
    return MODEL * STEPS + 2 * (4 * min(length, RING) + 2 * (1 if free_first > 1 else 0) + (1 if free_here > 1 else 0))


@njit(cache=True, nogil=True)
def _steps_to(wanted: int, ahead: int, behind: int, after: np.ndarray, before: np.ndarray) -> int:
    """Steps along the front to a half-edge: from 0 forwards, from -1 backwards; twice all half-edges if not there."""
    for steps in range(len(after)):
        if ahead == wanted:
            return steps
        if behind == wanted:
            return -1 - steps
        ahead, behind = after[ahead], before[behind]
        if ahead < 0 or behind < 0:
            break
    return 2 * len(after)


class _Front(NamedTuple):
    """The front, and what is coded.

    Attributes:
        after: The next half-edge along the front, of each that is on it.
        before: The one before.
        free: Edges that are not coded yet, of the vertex at which each starts.
        here: Whether a half-edge is on the front.
        waiting: Half-edges at which faces may be found, the last one first.
        known: Whether a vertex is coded.
        halves: Half-edges in the order of the page.
        vertices: Vertices in the order of the page.
        counts: How many edges and vertices are coded, and how many half-edges wait.
    """

    after: np.ndarray
    before: np.ndarray
    free: np.ndarray
    here: np.ndarray
    waiting: np.ndarray
    known: np.ndarray
    halves: np.ndarray
    vertices: np.ndarray
    counts: np.ndarray


@njit(cache=True, nogil=True)
def _add_edge(front: _Front, half: int) -> int:
    """Note an edge; its other half, which is on the front from now on."""
    edges, back = front.counts[0], half ^ 1
    front.halves[2 * edges], front.halves[2 * edges + 1] = half, back
    front.here[back] = True
    front.waiting[front.counts[2]] = back
    front.counts[0] += 1
    front.counts[2] += 1
    return back


@njit(cache=True, nogil=True)
def _add_vertex(front: _Front, vertex: int) -> None:
    """Note a vertex."""
    front.known[vertex] = True
    front.vertices[front.counts[1]] = vertex
    front.counts[1] += 1


@njit(cache=True, nogil=True)
def _take_ahead(front: _Front, first: int, last: int) -> tuple[int, int]:
    """Take edges of a face along the front, past vertices that have no further ones: the last edge, and how many."""
    more = 0
    while front.free[front.after[last]] == 0 and front.after[last] != first:
        last = front.after[last]
        front.here[last] = False
        more += 1
    return last, more


@njit(cache=True, nogil=True)
def _code_border(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    front: _Front,
    origins: np.ndarray,
    following: np.ndarray,
    degrees: np.ndarray,
    start: int,
) -> None:
    """Append the edges around all faces, from which the front starts."""
    half, length = following[start], 1
    while half != start:
        half = following[half]
        length += 1
    put_number(state, chances, out, COUNT, length)
    for _ in range(length):
        vertex = origins[half]
        put_number(state, chances, out, BORDER_DEGREE, degrees[vertex] - 2)
        _add_vertex(front, vertex)
        inward = _add_edge(front, half)
        half = following[half]
        front.before[inward], front.after[half ^ 1] = half ^ 1, inward
        front.free[inward] = degrees[origins[inward]] - 2


@njit(cache=True, nogil=True)
def _code_ring(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    front: _Front,
    origins: np.ndarray,
    following: np.ndarray,
    degrees: np.ndarray,
    gate: int,
) -> bool:
    """Append what the front does not tell of the ring of a face; whether it went well."""
    front.here[gate] = False
    first = gate
    last, length = _take_ahead(front, first, gate)
    length += 1
    if front.after[last] == first and front.free[first] == 0:
        return True
    while front.free[first] == 0:
        first = front.before[first]
        front.here[first] = False
        length += 1
    behind = front.before[first]
    anchor, joint = front.after[last], True
    if anchor == first:
        return False
    while True:
        half = following[last]
        vertex = origins[half ^ 1]
        place = _context(length, front.free[first], front.free[anchor])
        back = _add_edge(front, half)
        length += 1
        if joint:
            front.free[anchor] -= 1
        front.after[back], front.before[anchor] = anchor, back
        if not front.known[vertex]:
            put_bit(state, chances, out, place, 0)
            put_number(state, chances, out, DEGREE, degrees[vertex] - 2)
            _add_vertex(front, vertex)
            front.free[back] = degrees[vertex] - 2
            anchor, joint, last = back, False, half
            continue
        put_bit(state, chances, out, place, 1)
        if vertex == origins[first] and following[half] == first:
            put_bit(state, chances, out, place + 1, 0)
            front.free[back] = front.free[first] - 1
            front.after[behind], front.before[back] = back, behind
            return True
        put_bit(state, chances, out, place + 1, 1)
        wanted, gap = _code_way(state, chances, out, front, following, degrees[vertex], half, behind)
        if wanted < 0:
            return False
        if gap:
            anchor, joint, last = wanted, True, half
            continue
        front.here[wanted] = False
        last, more = _take_ahead(front, first, wanted)
        length += 1 + more
        if front.after[last] == first:
            return False
        anchor, joint = front.after[last], True


@njit(cache=True, nogil=True)
def _code_way(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    front: _Front,
    following: np.ndarray,
    most: int,
    half: int,
    behind: int,
) -> tuple[int, int]:
    """Append where on the front an edge ends: the half-edge there, or -1, and how many edges are left out before it."""
    gap, wanted, back = 0, following[half], half ^ 1
    while not front.here[wanted]:
        gap += 1
        wanted = following[wanted ^ 1]
        if gap > most:
            return -1, gap
    steps = _steps_to(wanted, front.after[back], behind, front.after, front.before)
    if steps > len(following):
        return -1, gap
    put_number(state, chances, out, WALK, 2 * steps if steps >= 0 else -1 - 2 * steps)
    put_number(state, chances, out, GAP, gap)
    front.free[back] = front.free[wanted] - 1 - gap
    front.after[front.before[wanted]], front.before[back] = back, front.before[wanted]
    if gap:
        front.free[wanted] = gap
        front.before[wanted] = -1
    return wanted, gap


@njit(cache=True, nogil=True)
def code_connectivity(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    origins: np.ndarray,
    following: np.ndarray,
    degrees: np.ndarray,
    start: int,
    halves: np.ndarray,
    vertices: np.ndarray,
    gates: np.ndarray,
) -> bool:
    """Append the rings of all faces.

    Args:
        state: A coder's state.
        chances: Its probabilities.
        out: Its bytes.
        origins: [2 E] vertex at which each half-edge starts; see `HalfEdges`.
        following: [2 E] the next one along the ring of its face.
        degrees: [V] edges of each vertex.
        start: A half-edge with the outside to its left.
        halves: [2 E] becomes the half-edge of each in the order of the page.
        vertices: [V] becomes the vertex of each in the order of the page.
        gates: [F] becomes the half-edge at which each face was found, in the order of the page.

    Returns:
        Whether it went well; not where a face meets a vertex twice.
    """
    count, faces = len(origins), 0
    front = _Front(
        np.full(count, -1), np.full(count, -1), np.zeros(count, np.int64), np.zeros(count, np.bool_),
        np.zeros(count, np.int64), np.zeros(len(degrees), np.bool_), halves, vertices, np.zeros(3, np.int64),
    )  # fmt: skip
    _code_border(state, chances, out, front, origins, following, degrees, start)
    while front.counts[2]:
        front.counts[2] -= 1
        gate = front.waiting[front.counts[2]]
        if not front.here[gate]:
            continue
        gates[faces] = gate
        faces += 1
        if not _code_ring(state, chances, out, front, origins, following, degrees, gate):
            return False
    return faces == len(gates) and front.counts[0] == count // 2 and front.counts[1] == len(vertices)
