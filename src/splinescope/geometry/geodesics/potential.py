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


def lower_bound(
    surface: PolyhedralSurface, source: int, goal: int, *, rounds: int = 3, iterations: int = 1000, most: int = 60_000
) -> float:
    """Prove a distance between two vertices from below.

    Args:
        surface: The surface.
        source: One vertex.
        goal: The other one.
        rounds: How often triangles where it matters are cut in half, for a better bound.
        iterations: Steps in each round.
        most: Triangles above which none are cut.

    Returns:
        A length below which there is no path. Cost: in each step a solve with a factored Laplacian.
    """
    best = 0.0
    for round_ in range(rounds + 1):
        rise = csr_array(([1.0, -1.0], ([0, 0], [goal, source])), shape=(1, surface.num_vertices))
        found = steepest(surface_gradients(surface), rise, iterations)
        best, triangles = max(best, found.bound), len(surface.corners)
        if round_ == rounds or triangles > most or not triangles:
            break
        surface = bisected(surface, where_it_matters(found.flow[:triangles]))
    return best


def where_it_matters(flow: Float[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
    """Simplices through which the multipliers of the constraints flow.

    Args:
        flow: How much flows through each.

    Returns:
        Those to cut.
    """
    return (flow >= np.quantile(flow, 0.7)) & (flow > 1e-3 * flow.max())


@dataclass(frozen=True, eq=False)
class SimplexGradients:
    """Gradients of functions that are affine on simplices, as matrices, in coordinates that have lengths.

    Attributes:
        components: For each coordinate, from values at vertices to one number for each simplex.
        heights: The least height of each simplex; gradients are known as well as these.
        sizes: Weights of the simplices, such as their volumes to the power 2 / dimension.
        length: A length of the whole.
    """

    components: tuple[csr_array, ...]
    heights: Float[np.ndarray, " simplices"]
    sizes: Float[np.ndarray, " simplices"]
    length: float

    def of(self, values: Float[np.ndarray, " V"]) -> Float[np.ndarray, "d simplices"]:
        """Gradients of a function.

        Args:
            values: Its values at the vertices.

        Returns:
            One component in each row.
        """
        return np.stack([component @ values for component in self.components])

    def slope(self, values: Float[np.ndarray, " V"]) -> float:
        """Bound of the norms of a function's gradients, rounding included, and at least one.

        Args:
            values: Its values at the vertices.

        Returns:
            The bound.
        """
        size = float(np.ptp(values)) + self.length
        error = _ROUNDOFF * size / np.maximum(self.heights, np.finfo(np.float64).tiny)
        slopes = np.sqrt((self.of(values) ** 2).sum(axis=0))
        return float((slopes * (1 + error) + error).max(initial=1.0))


def surface_gradients(surface: PolyhedralSurface) -> SimplexGradients:
    """Gradients along the longest side of each triangle and across it, and along loose edges.

    Args:
        surface: The surface.

    Returns:
        The gradients of triangles, then those of loose edges.
    """
    longest, number = np.argmax(surface.lengths[surface.sides], axis=1), surface.num_vertices
    rows = np.arange(len(longest))
    corners = surface.corners[rows[:, None], (longest[:, None] + np.arange(3)) % 3]
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
    return SimplexGradients(
        (csr_array(vstack([along, edges])), csr_array(vstack([across, nothing]))),
        np.concatenate([y, sizes]),
        np.concatenate([length * y / 2, sizes**2]),
        float(surface.lengths.max(initial=1.0)),
    )


def _rows(values: np.ndarray, columns: Int[np.ndarray, "n k"], number: int) -> csr_array:
    indices = np.repeat(np.arange(len(values)), values.shape[1])
    return csr_array((values.ravel(), (indices, columns.ravel())), shape=(len(values), number))


@dataclass(frozen=True, eq=False)
class Steepest:
    """How far a program for a bound has come.

    Attributes:
        bound: What the best function that was found proves, its rise divided by its slope.
        flow: How much of the multipliers of the constraints flows through each simplex.
        inside: Gradients that keep the constraint.
        multipliers: Those of the constraint, for each component and simplex.
        penalty: Weight of what is between both kinds of gradients.
    """

    bound: float
    flow: Float[np.ndarray, " simplices"]
    inside: Float[np.ndarray, "d simplices"]
    multipliers: Float[np.ndarray, "d simplices"]
    penalty: float


def steepest(gradients: SimplexGradients, rise: csr_array, iterations: int, start: Steepest | None = None) -> Steepest:
    """How much a function can rise from one point to another if its gradients are at most one.

    Args:
        gradients: Gradients on the simplices, by the numbers that make a function.
        rise: [1, V] what the function rises by, by the same numbers.
        iterations: Steps of the alternating directions.
        start: Where to go on from, on the same simplices in the same coordinates.

    Returns:
        How far it has come.
    """
    weights = np.sqrt(np.maximum(gradients.sizes / gradients.sizes.max(), 1e-16))
    laplacian = csr_array(sum(part.T @ diags_array(weights) @ part for part in gradients.components))
    # constants have no gradient: a little of the identity fixes them, and changes nothing that is proved
    small = 1e-12 * float(laplacian.diagonal().max())
    solve = splu(csc_array(laplacian + small * diags_array(np.ones(laplacian.shape[0])))).solve
    load = np.asarray(rise.toarray()).ravel()
    values = solve(load)
    first = float(load @ values)
    penalty = first / gradients.length if first > 0 else 1.0
    inside = np.zeros((len(gradients.components), len(weights)))
    dual, proved = np.zeros_like(inside), 0.0
    if start is not None:
        inside, penalty, dual = start.inside, start.penalty, start.multipliers / (start.penalty * weights)
    for step in range(iterations):
        wanted = weights * (inside - dual)
        right = sum(part.T @ row for part, row in zip(gradients.components, wanted, strict=True)) + load / penalty
        values = solve(np.asarray(right))
        slopes = gradients.of(values)
        relaxed = _RELAXATION * slopes + (1 - _RELAXATION) * inside + dual
        before, inside = inside, relaxed / np.maximum(np.sqrt((relaxed**2).sum(axis=0)), 1.0)
        dual = relaxed - inside
        if step % 20 == 19:
            slope = gradients.slope(values)
            if np.isfinite(slope):
                proved = max(proved, float(load @ values) / slope * (1 - _ROUNDOFF))
            if step < 0.6 * iterations:
                change = _balance(weights, slopes - inside, inside - before)
                penalty *= change
                dual /= change
    multipliers = penalty * weights * dual
    flow = np.sqrt((multipliers**2).sum(axis=0) * gradients.sizes)
    return Steepest(proved, flow, inside, multipliers, penalty)


def _balance(weights: np.ndarray, primal: np.ndarray, dual: np.ndarray) -> float:
    """What the penalty is to be multiplied with, for both residuals to shrink alike."""
    one, other = (float(np.sqrt((weights * (part**2).sum(axis=0)).sum())) for part in (primal, dual))
    return 2.0 if one > 5 * other else 0.5 if other > 5 * one else 1.0
