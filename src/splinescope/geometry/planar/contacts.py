"""Edges of a subdivision along which the largest of several affine functions changes.

On such an edge two functions are tied; one is the largest on its left and the other on its right. In general
position there is none, but the zero set of a ReLU output is bounded by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

_FINER = 16.0
"""Ratio of errors from which two functions are told apart where a third, of larger errors, is tied with both."""


@dataclass(frozen=True)
class Contacts:
    """Parts of edges on which the largest function changes.

    Attributes:
        segments: The parts.
        winners: The largest functions on their left and right.
        cells: The cell on the left.
        ends: For both ends twice the vertex, or (-1, -1) where the end is inside the edge.
    """

    segments: Float[np.ndarray, "segments 2 2"]
    winners: Int[np.ndarray, "segments 2"]
    cells: Int[np.ndarray, " segments"]
    ends: Int[np.ndarray, "segments 2 2"]


@njit(cache=True, nogil=True)
def finer(one: float, two: float) -> bool:
    """Whether one error is far less than another.

    A function that may be off by much is tied with all small ones where it is small itself, while these may well
    change the lead among each other: what lies between it and them is theirs to say.
    """
    return _FINER * one < two


def contact_segments(
    winners: Int[np.ndarray, " cells"],
    vertices: Float[np.ndarray, "vertices 2"],
    cell_vertices: Int[np.ndarray, " sides"],
    cell_offsets: Int[np.ndarray, " bounds"],
    edges: Int[np.ndarray, "edges 2"],
    edge_cells: Int[np.ndarray, "edges 2"],
    values: Float[np.ndarray, "vertices functions"],
    errors: Float[np.ndarray, "vertices functions"],
) -> Contacts:
    """Find the parts of interior edges whose two sides have different largest functions.

    Args:
        winners: Function that is the largest on all of each cell, -1 where there are several.
        vertices: Positions.
        cell_vertices: Vertex indices of all cells, one cell after the other.
        cell_offsets: Where each cell starts in `cell_vertices`; the last entry is its length.
        edges: Vertices of each edge.
        edge_cells: Cells on the left and right of each edge, -1 outside.
        values: Values of the functions at the vertices.
        errors: What each may be off there; two values count as equal up to the sum of theirs.

    Returns:
        The parts, directed as their edges.
    """
    left, right = edge_cells[:, 0], edge_cells[:, 1]
    inside = (left >= 0) & (right >= 0)
    one, two = winners[left], winners[right]
    plain = np.flatnonzero(inside & (one >= 0) & (two >= 0) & (one != two))
    candidates = np.flatnonzero(inside & ((one < 0) | (two < 0)))
    found = _partial_contacts(candidates, cell_vertices, cell_offsets, edges, edge_cells, values, errors)
    rows, spans, pairs = found
    both = np.concatenate([plain, candidates[rows]])
    span = np.concatenate([np.tile([0.0, 1.0], (len(plain), 1)), spans])
    ends = vertices[edges[both]]
    points = ends[:, :1] * (1 - span[:, :, None]) + ends[:, 1:] * span[:, :, None]
    names = np.repeat(edges[both].astype(np.int64)[:, :, None], 2, axis=2)
    names[span != np.array([0.0, 1.0])] = -1
    sides = np.concatenate([np.stack([one[plain], two[plain]], axis=1), pairs])
    return Contacts(points, sides, left[both].astype(np.int64), names)


def _partial_contacts(
    candidates: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    edges: np.ndarray,
    edge_cells: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contacts on the edges of cells that are not whole: row of the candidate, parameters along the edge, functions."""
    rows, spans, pairs = [], [], []
    tied = np.zeros(len(candidates), dtype=np.bool_)
    _find_ties(candidates, edges, values, errors, tied)
    for row in np.flatnonzero(tied):
        edge = candidates[row]
        (a, b), near = values[edges[edge]], errors[edges[edge]]
        for seed, group in _tied_groups(a, b, near):
            low, high = _span(a, b, seed, group, near)
            sides = [
                _winner(values, cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]], group, errors)
                for cell in edge_cells[edge]
            ]
            if low < high and sides[0] != sides[1]:
                rows.append(row)
                spans.append([low, high])
                pairs.append(sides)
    return (
        np.array(rows, dtype=np.int64),
        np.array(spans, dtype=np.float64).reshape(-1, 2),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
    )


@njit(cache=True, nogil=True)
def _find_ties(
    candidates: np.ndarray, edges: np.ndarray, values: np.ndarray, errors: np.ndarray, tied: np.ndarray
) -> None:
    """Mark the edges on which two functions agree that can be the largest there."""
    contenders = np.empty(values.shape[1], dtype=np.int64)
    for row in range(len(candidates)):
        tail, head = edges[candidates[row], 0], edges[candidates[row], 1]
        a, b, near_a, near_b = values[tail], values[head], errors[tail], errors[head]
        guaranteed = -np.inf
        for k in range(len(a)):
            guaranteed = max(guaranteed, min(a[k] - near_a[k], b[k] - near_b[k]))
        count = 0
        for k in range(len(a)):
            if max(a[k] + near_a[k], b[k] + near_b[k]) >= guaranteed:
                contenders[count] = k
                count += 1
        for i in range(count):
            for j in range(i):
                c, k = contenders[i], contenders[j]
                if abs(a[c] - a[k]) <= near_a[c] + near_a[k] and abs(b[c] - b[k]) <= near_b[c] + near_b[k]:
                    tied[row] = True


def _tied_groups(a: np.ndarray, b: np.ndarray, near: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Groups of at least two functions that agree at both ends with the first one named, whose errors are the least."""
    groups, seen, errors = [], np.zeros(len(a), dtype=bool), near.max(axis=0)
    for k in np.argsort(errors, kind="stable").tolist():
        alike = (np.abs(a - a[k]) <= near[0] + near[0, k]) & (np.abs(b - b[k]) <= near[1] + near[1, k])
        group = np.flatnonzero(alike & (~seen | (_FINER * errors[k] < errors)))
        if not seen[k] and len(group) > 1:
            groups.append((k, group))
        seen[group] = True
    return groups


def _span(a: np.ndarray, b: np.ndarray, seed: int, group: np.ndarray, near: np.ndarray) -> tuple[float, float]:
    """Parameters of the part of the edge on which the group is the largest."""
    others = np.setdiff1d(np.arange(len(a)), group)
    start, stop = a[seed] - a[others], b[seed] - b[others]
    start, stop = (
        np.where(np.abs(margin) <= tie[others] + tie[seed], 0.0, margin)
        for margin, tie in zip((start, stop), near, strict=True)
    )
    if np.any((start < 0) & (stop <= 0)) or np.any((start <= 0) & (stop < 0)):
        return 1.0, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = start / (start - stop)
    return float(cut[start < 0].max(initial=0.0)), float(cut[stop < 0].min(initial=1.0))


def _winner(values: np.ndarray, ring: np.ndarray, group: np.ndarray, errors: np.ndarray) -> int:
    """Which of a group tied on an edge is the largest next to it in a cell: the others fall behind at all vertices."""
    totals, off = (part[np.ix_(ring, group)].sum(axis=0) for part in (values, errors))
    return int(group[np.flatnonzero(totals + off >= (totals - off).max())[0]])
