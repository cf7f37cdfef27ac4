"""Which cells share which edges, in about two bits for each: a front grows inwards from the border, cell by cell.

A cell that joins the front takes all edges of it that can belong to no other cell, since the vertices between have no
further edges; of the rest of its ring only is told whether the next vertex is new, closes the ring, or lies elsewhere
on the front. Nearly all vertices have four edges, which costs nothing. `source/mesh.ts` mirrors it.

Gotsman and Touma, "Triangle mesh compression" (1998), and Isenburg, "Compressing polygon mesh connectivity with degree
duality prediction" (2002), code by degrees as well.
"""

from __future__ import annotations

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
    count = len(origins)
    after, before, free = np.full(count, -1), np.full(count, -1), np.zeros(count, np.int64)
    placed, front = np.zeros(count // 2, np.bool_), np.zeros(count, np.bool_)
    known = np.zeros(len(degrees), np.bool_)
    waiting = np.zeros(count, np.int64)
    edges, found, faces, top = 0, 0, 0, 0
    half, length = start, 0
    while True:
        length += 1
        half = following[half]
        if half == start:
            break
    put_number(state, chances, out, COUNT, length)
    for _ in range(length):
        vertex = origins[half]
        put_number(state, chances, out, BORDER_DEGREE, degrees[vertex] - 2)
        known[vertex], vertices[found] = True, vertex
        found += 1
        placed[half >> 1] = True
        inward = half ^ 1
        front[inward] = True
        halves[2 * edges], halves[2 * edges + 1] = half, inward
        edges += 1
        beyond = following[half] ^ 1
        before[inward], after[beyond] = beyond, inward
        free[inward] = degrees[origins[inward]] - 2
        waiting[top] = inward
        top += 1
        half = following[half]
    while top:
        top -= 1
        gate = waiting[top]
        if not front[gate]:
            continue
        gates[faces] = gate
        faces += 1
        first, last, length = gate, gate, 1
        front[gate] = False
        while free[after[last]] == 0 and after[last] != first:
            last = after[last]
            front[last] = False
            length += 1
        if after[last] == first and free[first] == 0:
            continue
        while free[first] == 0:
            first = before[first]
            front[first] = False
            length += 1
        behind = before[first]
        anchor, joint = after[last], True
        if anchor == first:
            return False
        while True:
            half = following[last]
            edge, back, vertex = half >> 1, half ^ 1, origins[half ^ 1]
            place = _context(length, free[first], free[anchor])
            placed[edge] = True
            front[back] = True
            waiting[top] = back
            top += 1
            halves[2 * edges], halves[2 * edges + 1] = half, back
            edges += 1
            length += 1
            if joint:
                free[anchor] -= 1
            after[back], before[anchor] = anchor, back
            if not known[vertex]:
                put_bit(state, chances, out, place, 0)
                put_number(state, chances, out, DEGREE, degrees[vertex] - 2)
                known[vertex], vertices[found] = True, vertex
                found += 1
                free[back] = degrees[vertex] - 2
                anchor, joint, last = back, False, half
                continue
            put_bit(state, chances, out, place, 1)
            if vertex == origins[first] and following[half] == first:
                put_bit(state, chances, out, place + 1, 0)
                free[back] = free[first] - 1
                after[behind], before[back] = back, behind
                break
            put_bit(state, chances, out, place + 1, 1)
            gap, wanted = 0, following[half]
            while not front[wanted]:
                gap += 1
                wanted = following[wanted ^ 1]
                if gap > degrees[vertex]:
                    return False
            steps = _steps_to(wanted, after[back], behind, after, before)
            if steps > count:
                return False
            put_number(state, chances, out, WALK, 2 * steps if steps >= 0 else -1 - 2 * steps)
            put_number(state, chances, out, GAP, gap)
            free[back] = free[wanted] - 1 - gap
            after[before[wanted]], before[back] = back, before[wanted]
            if gap:
                free[wanted] = gap
                anchor, joint, last = wanted, True, half
                before[wanted] = -1
                continue
            last = wanted
            front[last] = False
            length += 1
            while free[after[last]] == 0 and after[last] != first:
                last = after[last]
                front[last] = False
                length += 1
            if after[last] == first:
                return False
            anchor, joint = after[last], True
    return faces == len(gates) and edges == count // 2 and found == len(vertices)
