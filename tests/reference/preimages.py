"""Preimages by brute force: every sign pattern of a small network, by linear programs; nesting by its definition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

Layer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Brute:
    """A piece: its pattern, its half-spaces and its volume."""

    pattern: tuple[int, ...]
    rows: np.ndarray
    volume: float


def pieces(layers: Sequence[Layer], C: np.ndarray, d: np.ndarray, sides: np.ndarray) -> list[Brute]:
    """Pieces with an interior of the preimage of `C y <= d` under layers with ReLUs between them, within some sides."""
    found = []
    for pattern, rows, A, c in patterns(layers, sides):
        wanted = np.vstack([rows, np.column_stack([C @ A, C @ c - d])])
        ball = largest_ball(wanted)
        if ball is not None:
            found.append(Brute(pattern, wanted, volume(wanted, ball)))
    return found


def patterns(
    layers: Sequence[Layer], sides: np.ndarray
) -> Iterator[tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]]:
    """Every sign pattern whose cell has an interior, with its half-spaces and its affine map."""
    hidden = sum(len(b) for _, b in layers[:-1])
    for pattern in itertools.product((0, 1), repeat=hidden):
        A, c = np.eye(sides.shape[1] - 1), np.zeros(sides.shape[1] - 1)
        rows, at = [sides], 0
        for W, b in layers[:-1]:
            A, c = W @ A, W @ c + b
            active = np.array(pattern[at : at + len(b)])
            sign = 1 - 2 * active
            rows.append(np.column_stack([sign[:, None] * A, sign * c]))
            A, c, at = active[:, None] * A, active * c, at + len(b)
        stacked = np.vstack(rows)
        if largest_ball(stacked) is not None:
            yield pattern, stacked, layers[-1][0] @ A, layers[-1][0] @ c + layers[-1][1]


def largest_ball(rows: np.ndarray) -> np.ndarray | None:
    """Centre of a largest ball, if there is one of more than rounding."""
    lengths = np.linalg.norm(rows[:, :-1], axis=1)
    d = rows.shape[1] - 1
    if (rows[lengths < 1e-12, -1] > 1e-12).any():
        return None
    solved = linprog(
        np.append(np.zeros(d), -1.0),
        np.column_stack([rows[:, :-1], lengths]),
        -rows[:, -1],
        bounds=[(None, None)] * d + [(0, None)],
    )
    return solved.x[:-1] if solved.status == 0 and solved.x[-1] > 1e-9 else None


def volume(rows: np.ndarray, inside: np.ndarray) -> float:
    """Volume of a polytope by its vertices."""
    proper = rows[np.linalg.norm(rows[:, :-1], axis=1) > 1e-12]
    return float(ConvexHull(HalfspaceIntersection(proper, inside).intersections).volume)


def nested_sets(W: np.ndarray, b: np.ndarray) -> list[bool]:
    """For each index set whether it passes, by linear programs for the apex and each ray of the face."""
    d = len(b)
    V = np.linalg.inv(W)
    apex = -V @ b
    found = []
    for k in range(d + 1):
        for chosen in itertools.combinations(range(d), k):
            others = [j for j in range(d) if j not in chosen]
            starts = [apex, *(V[:, j] for j in others)]
            found.append(all(_reaches(start, -V[:, list(chosen)], list(chosen)) for start in starts))
    return found


def _reaches(start: np.ndarray, rays: np.ndarray, zero: list[int]) -> bool:
    """Whether `start + cone(rays)` meets the face of the orthant where some coordinates are zero."""
    if not zero:
        return bool((start >= -1e-9).all())
    solved = linprog(
        np.zeros(rays.shape[1]),
        A_ub=-rays,
        b_ub=start + 1e-9,
        A_eq=rays[zero],
        b_eq=-start[zero],
        bounds=(0, None),
    )
    return solved.status == 0
