r"""Convex polyhedra with their equalities kept apart, so that flat ones are as good as others.

$P = \{t : n_i \cdot t + b_i \le 0,\; m_j \cdot t + e_j = 0\}$ lies in the affine hull of its equalities, of dimension
$k$. All that is asked of it (a ball, vertices, a measure, points) is asked in coordinates $s \in R^k$ of that hull,
$t = p + N s$ with orthonormal $N$, where it has an interior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import OptimizeResult, linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from splinescope.errors import DegenerateArrangementError, InvalidInputError
from splinescope.shown import Shown
from splinescope.tessellation.simplices import uniform_weights

FLAT = 2.0**-30
"""Relative width below which linear programs in float64 take a polyhedron for flat."""

_TRIES = 4
"""Points about which Qhull is asked for vertices, at most."""

_LOSSY = 5
"""Dimension from which on Qhull was seen to lose vertices of polytopes."""

MEASURED = 6
"""Dimension up to which polytopes have few enough vertices to be measured by them."""


@dataclass(frozen=True, eq=False)
class Polytope(Shown):
    """A convex polyhedron, not empty, bounded or not.

    Attributes:
        halfspaces: [m, d + 1] rows `(n, b)` with unit normals; it is where `n @ t + b <= 0` for all of them.
        equalities: [k, d + 1] rows `(n, b)` with orthonormal normals; `n @ t + b == 0` on it.
        witness: [d] centre of a largest ball within its affine hull.
        radius: Radius of that ball; infinite if there is no largest one, and for a single point.
    """

    halfspaces: Float[np.ndarray, "m _"]
    equalities: Float[np.ndarray, "k _"]
    witness: Float[np.ndarray, " d"]
    radius: float

    @property
    def dimension(self) -> int:
        """Dimension of its affine hull."""
        return len(self.witness) - len(self.equalities)

    @cached_property
    def directions(self) -> Float[np.ndarray, "dimension d"]:
        """Orthonormal directions of its affine hull."""
        return _null_space(self.equalities[:, :-1])

    @cached_property
    def _within(self) -> np.ndarray:
        """Half-spaces in coordinates of the hull around the witness, without those that contain all of it."""
        normals = self.halfspaces[:, :-1] @ self.directions.T
        offsets = self.halfspaces[:, :-1] @ self.witness + self.halfspaces[:, -1]
        lengths = np.linalg.norm(normals, axis=1)
        kept = lengths > FLAT
        return np.column_stack([normals[kept], offsets[kept]]) / lengths[kept, None]

    def contains(self, points: Any) -> Bool[np.ndarray, " n"]:
        """Whether points lie in it, up to rounding.

        Args:
            points: [n, d] points.

        Returns:
            One answer for each.
        """
        t = np.asarray(points, np.float64)
        slack = FLAT * (1.0 + np.abs(t).sum(axis=1))[:, None]
        outside = t @ self.halfspaces[:, :-1].T + self.halfspaces[:, -1] > _exact(t)
        beside = np.abs(t @ self.equalities[:, :-1].T + self.equalities[:, -1]) > slack
        return ~(outside.any(axis=1) | beside.any(axis=1))

    @cached_property
    def vertices(self) -> Float[np.ndarray, "v d"]:
        """Its vertices.

        Raises:
            InvalidInputError: If it is unbounded.
            DegenerateArrangementError: If Qhull takes it for flat.
        """
        inner = _vertices(self._within, self.dimension)
        if not np.isfinite(inner).all():
            raise InvalidInputError("`vertices`: the polyhedron is unbounded; intersect it with a box first")
        return self.witness + inner @ self.directions

    @cached_property
    def measure(self) -> float:
        """Its measure in its own dimension; 1 for a point, a length, an area, a volume, ...

        Raises:
            InvalidInputError: If it is unbounded, or of more than six dimensions.
        """
        if self.dimension > MEASURED:
            raise InvalidInputError(
                f"`measure`: got a polytope of dimension {self.dimension}; expected at most {MEASURED}; see `sample`"
            )
        inner = (self.vertices - self.witness) @ self.directions.T
        if self.dimension == 0:
            return 1.0
        return float(np.ptp(inner)) if self.dimension == 1 else float(ConvexHull(inner).volume)

    def sample(self, count: int, generator: np.random.Generator) -> Float[np.ndarray, "count d"]:
        """Points drawn uniformly: from simplices up to six dimensions, by hit-and-run above.

        Args:
            count: How many.
            generator: Of random numbers.

        Returns:
            The points, one in each row.

        Raises:
            InvalidInputError: If it is unbounded.
        """
        k = self.dimension
        if k == 0:
            return np.tile(self.witness, (count, 1))
        if k > MEASURED:
            inner = _hit_and_run(self._within, count, generator)
        else:
            inner = _from_pyramids((self.vertices - self.witness) @ self.directions.T, count, generator)
        return self.witness + inner @ self.directions

    def cut(self, halfspaces: Any, equalities: Any | None = None) -> Polytope | None:
        """Its part in further half-spaces and hyperplanes.

        Args:
            halfspaces: [m, d + 1] rows `(n, b)`.
            equalities: [k, d + 1] rows `(n, b)`.

        Returns:
            The part, or None if there is none.
        """
        more = np.empty((0, self.halfspaces.shape[1])) if equalities is None else np.asarray(equalities, np.float64)
        return polytope(np.vstack([self.halfspaces, halfspaces]), np.vstack([self.equalities, more]))

    def bounds(self) -> Float[np.ndarray, "2 d"]:
        """Least and largest coordinates; infinite where it is unbounded. Cost: two linear programs each."""
        ends = np.empty((2, len(self.witness)))
        for j in range(len(self.witness)):
            for row, sign in ((0, 1.0), (1, -1.0)):
                solved = _least(sign * np.eye(len(self.witness))[j], self.halfspaces, self.equalities)
                ends[row, j] = sign * solved.fun if solved.status == 0 else -sign * math.inf
        return ends

    def irredundant(self) -> Polytope:
        """The same polyhedron without half-spaces that can be spared. Cost: one linear program for each."""
        kept = list(range(len(self.halfspaces)))
        for row in reversed(range(len(self.halfspaces))):
            others = [other for other in kept if other != row]
            solved = _least(-self.halfspaces[row, :-1], self.halfspaces[others], self.equalities)
            if solved.status == 0 and -solved.fun + self.halfspaces[row, -1] <= 0.0:
                kept = others
        return Polytope(self.halfspaces[kept], self.equalities, self.witness, self.radius)


def polytope(halfspaces: Any, equalities: Any | None = None) -> Polytope | None:
    """The polyhedron of some half-spaces and hyperplanes.

    Half-spaces that leave no more than a hyperplane of it become equalities.

    Args:
        halfspaces: [m, d + 1] rows `(n, b)` for `n @ t + b <= 0`, of any lengths.
        equalities: [k, d + 1] rows `(n, b)` for `n @ t + b == 0`.

    Returns:
        The polyhedron, or None if it is empty. Cost: one linear program, and one for each half-space if it is flat.

    Example:
        >>> square = [[1.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, -1.0], [0.0, -1.0, 0.0]]
        >>> polytope(square).measure, polytope(square, [[1.0, -1.0, 0.0]]).dimension
        (1.0, 1)
        >>> polytope([*square, [1.0, 1.0, 0.0]]).dimension
        0
    """
    rows = np.asarray(halfspaces, np.float64)
    flat = np.empty((0, rows.shape[1])) if equalities is None else np.asarray(equalities, np.float64)
    if _contradictory(rows, rows[:, -1]) or _contradictory(flat, np.abs(flat[:, -1])):
        return None
    rows, flat = _unit(rows), _unit(flat)
    while True:
        independent = _independent(flat)
        if independent is None:
            return None
        found = _ball(rows, independent)
        if found is None:
            return None
        witness, radius = found
        if radius > FLAT * (1.0 + np.abs(witness).max(initial=0.0)):
            inner = np.linalg.norm(rows[:, :-1] @ _null_space(independent[:, :-1]).T, axis=1) > FLAT
            return Polytope(rows[inner], independent, witness, radius)
        tight = _always_tight(rows, independent, witness)
        if not tight.any():  # thinner than programs resolve, and yet no row is tight on all of it
            return Polytope(rows, independent, witness, max(radius, 0.0))
        flat, rows = np.vstack([independent, rows[tight]]), rows[~tight]


def _contradictory(rows: np.ndarray, excess: np.ndarray) -> bool:
    """Whether a row without a normal is exceeded."""
    return bool((excess[~_proper(rows)] > FLAT).any())


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows with unit normals, without those that have none."""
    kept = rows[_proper(rows)]
    unit: np.ndarray = kept / np.linalg.norm(kept[:, :-1], axis=1)[:, None]
    return unit


def _proper(rows: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(rows[:, :-1], axis=1)
    return lengths > np.finfo(np.float64).tiny


def _independent(rows: np.ndarray) -> np.ndarray | None:
    """Orthonormal rows of the same affine space; None if there is none."""
    if not len(rows):
        return rows
    left, singular, right = np.linalg.svd(rows[:, :-1], full_matrices=False)
    rank = int((singular > FLAT * singular[0]).sum())
    offsets = left.T @ rows[:, -1]
    scale = FLAT * (1.0 + np.abs(rows[:, -1]).max())
    if np.linalg.norm(offsets[rank:]) > scale or np.linalg.norm(left[:, :rank] @ offsets[:rank] - rows[:, -1]) > scale:
        return None
    return np.column_stack([right[:rank], offsets[:rank] / singular[:rank]])


def _null_space(normals: np.ndarray) -> np.ndarray:
    """Orthonormal directions along some orthonormal rows' common plane."""
    if not len(normals):
        return np.eye(normals.shape[1])
    return np.linalg.svd(normals, full_matrices=True)[2][len(normals) :]


def _ball(rows: np.ndarray, flat: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Centre and radius of a largest ball within the hull; a radius of 0 and less if it is flat or nearly empty."""
    d = rows.shape[1] - 1
    along = _null_space(flat[:, :-1])
    point = -flat[:, :-1].T @ flat[:, -1]
    normals, offsets = rows[:, :-1] @ along.T, rows[:, :-1] @ point + rows[:, -1]
    lengths = np.linalg.norm(normals, axis=1)
    slack = FLAT * (1.0 + np.abs(point).max(initial=0.0))
    if (offsets[lengths <= FLAT] > slack).any():
        return None
    if not len(along):
        return point, math.inf
    free = lengths > FLAT
    if not free.any():
        return point, math.inf
    matrix, limits = np.column_stack([normals[free], lengths[free]]), -offsets[free]
    objective = np.append(np.zeros(len(along)), -1.0)
    solved = _solve(objective, matrix, limits, [(None, None)] * len(along) + [(None, None)])
    if solved.status == 3:  # unbounded: a ball of unit size will do
        solved = _solve(objective, matrix, limits, [(None, None)] * len(along) + [(None, 1.0)])
        radius = math.inf
    else:
        radius = float(solved.x[-1]) if solved.status == 0 else -math.inf
    if solved.status != 0 or radius < -slack:
        return None
    centre = point + solved.x[:-1] @ along
    assert len(centre) == d
    return centre, radius


def _always_tight(rows: np.ndarray, flat: np.ndarray, witness: np.ndarray) -> np.ndarray:
    """Rows that are zero on all of a flat polyhedron."""
    slack = FLAT * (1.0 + np.abs(witness).max(initial=0.0))
    near = rows[:, :-1] @ witness + rows[:, -1] > -4 * slack
    loose = np.column_stack([rows[:, :-1], rows[:, -1] - slack])
    for row in np.flatnonzero(near):
        solved = _least(rows[row, :-1], loose, flat)
        near[row] = solved.status == 0 and solved.fun + rows[row, -1] > -64 * slack
    return near


def _least(objective: np.ndarray, rows: np.ndarray, flat: np.ndarray) -> OptimizeResult:
    return _solve(objective, rows[:, :-1], -rows[:, -1], (None, None), flat)


def _solve(
    objective: np.ndarray, matrix: np.ndarray, limits: np.ndarray, bounds: Any, flat: np.ndarray | None = None
) -> OptimizeResult:
    """A linear program by HiGHS, as accurate as it can be."""
    equal = {} if flat is None or not len(flat) else {"A_eq": flat[:, :-1], "b_eq": -flat[:, -1]}
    accurate = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    return linprog(objective, matrix, limits, bounds=bounds, method="highs", options=accurate, **equal)


def _exact(points: np.ndarray) -> np.ndarray:
    """[n, 1] how far beyond a half-space a point may seem to be by rounding."""
    return 2.0**-44 * (1.0 + np.abs(points).sum(axis=1))[:, None]


def _vertices(rows: np.ndarray, k: int) -> np.ndarray:
    """Vertices of a polytope around the origin; infinite ones if it is unbounded."""
    if k == 0:
        return np.zeros((1, 0))
    if k == 1:
        ends = -rows[:, 1] / rows[:, 0]
        high, low = ends[rows[:, 0] > 0].min(initial=math.inf), ends[rows[:, 0] < 0].max(initial=-math.inf)
        return np.array([[low], [high]])
    scale = float((-rows[:, -1]).min(initial=math.inf))
    if not 0 < scale < math.inf:
        return np.full((1, k), math.inf)
    found: list[np.ndarray] = []
    for attempt in range(_TRIES):
        shift = np.random.default_rng(attempt).uniform(-0.4, 0.4, k) * scale / math.sqrt(k) * min(attempt, 1)
        try:
            points = _vertices_about(rows, shift, scale)
        except QhullError as error:
            failure = error
            continue
        found.append(points)
        if k < _LOSSY or not np.isfinite(points).all() or _is_closed(points / scale, rows, scale):
            return points
    if found:
        return max(found, key=len)
    axes = np.vstack([np.eye(k), -np.eye(k)])
    if any(_least(axis, rows, np.empty((0, k + 1))).status == 3 for axis in axes):
        return np.full((1, k), math.inf)
    raise DegenerateArrangementError(f"a polytope of dimension {k} is too thin for Qhull: {failure}") from failure


def _vertices_about(rows: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Vertices by the dual about a point inside; infinite ones if it is unbounded."""
    moved = np.column_stack([rows[:, :-1], (rows[:, :-1] @ centre + rows[:, -1]) / scale])
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # vertices at infinity
        dual = HalfspaceIntersection(moved, np.zeros(len(centre)))
    # Bounded exactly if the dual polytope has the origin in its interior.
    if (dual.dual_equations[:, -1] >= 0).any():
        return np.full((1, len(centre)), math.inf)
    return np.unique(dual.intersections * scale + centre, axis=0)


def _is_closed(points: np.ndarray, rows: np.ndarray, scale: float) -> bool:
    """Whether all facets of the hull of some vertices lie in given hyperplanes; where vertices are lost some do not."""
    if len(points) <= points.shape[1]:
        return False
    known = np.column_stack([rows[:, :-1], rows[:, -1] / scale])
    hull = ConvexHull(points).equations
    near = [np.abs(known - row).max(axis=1).min() <= 2.0**-20 * (1.0 + abs(row[-1])) for row in hull]
    return bool(np.all(near))


def _from_pyramids(vertices: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Points of the convex hull of vertices around the origin: it is cut into pyramids over its facets."""
    k = vertices.shape[1]
    if k == 1:
        return vertices.min() + np.ptp(vertices) * generator.random((count, 1))
    facets = vertices[ConvexHull(vertices).simplices]
    sizes = np.abs(np.linalg.det(facets))
    chosen = generator.choice(len(facets), count, p=sizes / sizes.sum())
    return np.einsum("nc,ncd->nd", uniform_weights(count, k + 1, generator)[:, 1:], facets[chosen])


def _hit_and_run(rows: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Points after many steps of a walk from the origin, each to a uniform point of a random chord."""
    k = rows.shape[1] - 1
    at = np.zeros((count, k))
    for _ in range(10 * k):
        along = generator.standard_normal((count, k))
        rates, room = along @ rows[:, :-1].T, -(at @ rows[:, :-1].T + rows[:, -1])
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = room / rates
        high = np.where(rates > 0, steps, math.inf).min(axis=1)
        low = np.where(rates < 0, steps, -math.inf).max(axis=1)
        if not np.isfinite(high - low).all():
            raise InvalidInputError("`sample`: the polyhedron is unbounded; intersect it with a box first")
        at += (low + (high - low) * generator.random(count))[:, None] * along
    return at
