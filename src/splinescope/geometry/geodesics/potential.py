r"""Lower bounds of distances: functions that rise by at most one for each unit of length.

For any function $\psi$ that is affine on triangles with gradients of norm at most one, every path from $a$ to $b$ has
at least the length $\psi(b) - \psi(a)$. The largest such difference is a convex program, which is solved here by
alternating directions; whatever comes out is divided by the largest gradient and is a bound, which owes nothing to the
search for the path. Gradients are those in the lengths of the surface, so that functions are constant where it is
flattened to a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csc_array, csr_array, diags_array, vstack
from scipy.sparse.linalg import splu

from splinescope.geometry.geodesics.bisection import bisected
from splinescope.geometry.geodesics.polyhedral import PolyhedralSurface

_RELAXATION = 1.6
_ROUNDOFF = 2.0**-46
"""What sums and products of a gradient may be off by, relative to their largest part."""


@dataclass(frozen=True, eq=False)
class Potential:
    """A function on a surface that proves a distance from below.

    Attributes:
        surface: The surface, with the triangles on which the function is affine.
        values: Its values at the vertices.
        slope: Bound of the norm of its gradient, rounding included.
        bound: What it proves: the difference of its values, divided by the slope.
    """

    surface: PolyhedralSurface
    values: Float[np.ndarray, " V"]
    slope: float
    bound: float


def potential(
    surface: PolyhedralSurface, source: int, goal: int, *, rounds: int = 3, iterations: int = 1000, most: int = 60_000
) -> Potential:
    """Prove a distance between two vertices from below.

    Args:
        surface: The surface.
        source: One vertex.
        goal: The other one.
        rounds: How often triangles where it matters are cut in half, for a better bound.
        iterations: Steps in each round.
        most: Triangles above which none are cut.

    Returns:
        The potential with the best bound. Cost: in each step a solve with a factored Laplacian.
    """
    best = Potential(surface, np.zeros(surface.num_vertices), 1.0, 0.0)
    for round_ in range(rounds + 1):
        found, flow = _solved(surface, source, goal, iterations)
        best = max(best, found, key=lambda one: one.bound)
        if round_ == rounds or len(surface.corners) > most or not len(flow):
            break
        surface = bisected(surface, _where_it_matters(flow))
    return best


def _where_it_matters(flow: Float[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
    """Triangles through which the multipliers of the constraints flow."""
    return (flow >= np.quantile(flow, 0.7)) & (flow > 1e-3 * flow.max())


@dataclass(frozen=True, eq=False)
class _Gradients:
    """Gradients as matrices: along the longest side of each triangle and across it; along loose edges.

    Attributes:
        along: First component.
        across: Second component; zero for loose edges.
        heights: Height of each triangle over its longest side; the length of a loose edge.
        areas: Area of each triangle; of a loose edge the square of its length.
    """

    along: csr_array
    across: csr_array
    heights: np.ndarray
    areas: np.ndarray

    @staticmethod
    def of(surface: PolyhedralSurface) -> _Gradients:
        longest, number = np.argmax(surface.lengths[surface.sides], axis=1), surface.num_vertices
        rows = np.arange(len(longest))
        order = (longest[:, None] + np.arange(3)) % 3
        corners = surface.corners[rows[:, None], order]
        length = surface.lengths[surface.sides[rows, longest]]
        x, y = surface.apexes[3 * rows + longest].T
        loose = np.ones(len(surface.lengths), bool)
        loose[surface.sides.ravel()] = False
        ends, sizes = surface.ends[loose], surface.lengths[loose]
        steep = 1.0 / np.maximum(y, np.finfo(np.float64).tiny)
        along = _rows(np.stack([-1 / length, 1 / length], axis=1), corners[:, :2], number)
        across = _rows(np.stack([(x / length - 1) * steep, -x / length * steep, steep], axis=1), corners, number)
        edges = _rows(np.stack([-1 / sizes, 1 / sizes], axis=1), ends, number)
        nothing = csr_array((len(sizes), number))
        return _Gradients(
            csr_array(vstack([along, edges])),
            csr_array(vstack([across, nothing])),
            np.concatenate([y, sizes]),
            np.concatenate([length * y / 2, sizes**2]),
        )


def _rows(values: np.ndarray, columns: Int[np.ndarray, "n k"], number: int) -> csr_array:
    indices = np.repeat(np.arange(len(values)), values.shape[1])
    return csr_array((values.ravel(), (indices, columns.ravel())), shape=(len(values), number))


def _solved(surface: PolyhedralSurface, source: int, goal: int, iterations: int) -> tuple[Potential, np.ndarray]:
    """The best potential on these triangles, and how much of the multipliers flows through each."""
    gradients = _Gradients.of(surface)
    weights = np.sqrt(gradients.areas / gradients.areas.max())
    weighted = diags_array(weights)
    laplacian = gradients.along.T @ weighted @ gradients.along + gradients.across.T @ weighted @ gradients.across
    free = np.arange(surface.num_vertices) != source
    solve = splu(csc_array(csr_array(laplacian)[free][:, free])).solve
    load = np.zeros(surface.num_vertices)
    load[source], load[goal] = -1.0, 1.0
    values = np.zeros(surface.num_vertices)
    values[free] = solve(load[free])
    rough = _scale(surface)
    penalty = float(values[goal]) / rough if values[goal] > 0 else 1.0
    inside, dual = np.zeros((2, len(weights))), np.zeros((2, len(weights)))
    best = Potential(surface, np.zeros(len(load)), 1.0, 0.0)
    for step in range(iterations):
        wanted = weights * (inside - dual)
        right = gradients.along.T @ wanted[0] + gradients.across.T @ wanted[1] + load / penalty
        values[free] = solve(right[free])
        slopes = np.stack([gradients.along @ values, gradients.across @ values])
        relaxed = _RELAXATION * slopes + (1 - _RELAXATION) * inside + dual
        before, inside = inside, relaxed / np.maximum(np.hypot(*relaxed), 1.0)
        dual = relaxed - inside
        if step % 20 == 19:
            best = max(best, _proved(surface, gradients, values, source, goal), key=lambda one: one.bound)
            if step < 0.6 * iterations:
                change = _balance(weights, slopes - inside, inside - before)
                penalty *= change
                dual /= change
    flow = penalty * weights * np.hypot(*dual) * np.sqrt(gradients.areas)
    return best, flow[: len(surface.corners)]


def _scale(surface: PolyhedralSurface) -> float:
    """A length of the surface's size."""
    return float(surface.lengths.max(initial=1.0))


def _balance(weights: np.ndarray, primal: np.ndarray, dual: np.ndarray) -> float:
    """What the penalty is to be multiplied with, for both residuals to shrink alike."""
    one, other = (float(np.sqrt((weights * (part**2).sum(axis=0)).sum())) for part in (primal, dual))
    return 2.0 if one > 5 * other else 0.5 if other > 5 * one else 1.0


def _proved(surface: PolyhedralSurface, gradients: _Gradients, values: np.ndarray, source: int, goal: int) -> Potential:
    """What a function proves: heights of triangles are known but for rounding, and so are its gradients."""
    size = float(np.ptp(values)) + float(surface.lengths.max(initial=0.0))
    error = _ROUNDOFF * size / np.maximum(gradients.heights, np.finfo(np.float64).tiny)
    slopes = np.hypot(gradients.along @ values, gradients.across @ values)
    slope = float((slopes * (1 + error) + error).max(initial=1.0))
    bound = max(0.0, float(values[goal] - values[source]) / slope * (1 - _ROUNDOFF)) if np.isfinite(slope) else 0.0
    return Potential(surface, values.copy(), slope, bound)
