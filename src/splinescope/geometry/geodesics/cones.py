r"""Programs over second-order cones, $\max\,\langle c, x\rangle$ with $\|G_i x\| \le 1$, by an interior-point method.

Both the numbers $x$ and the multipliers of the constraints move inside of their cones, in the scaling of Nesterov and
Todd, with a predictor and a corrector that share one sparse factorization. Nothing has to be feasible at first but
$x = 0$, which always is, and all $x$ on the way are: whatever the method stops at, its $x$ keeps the constraints.

Source: Vandenberghe, "The CVXOPT linear and quadratic cone program solvers" (2010), sections 5 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_array, csr_array, diags_array, vstack
from scipy.sparse.linalg import SuperLU, splu

_INFEASIBLE = 1e-5
"""How much of the load multipliers may leave over when a gap counts."""
_INSIDE = 0.98
"""Share of the way to the border of the cones that a step takes."""


@dataclass(frozen=True, eq=False)
class Iterate:
    """A point on the way to the optimum.

    Attributes:
        values: The numbers x, which keep the constraints up to rounding.
        multipliers: For each component of the gradients and each constraint: how hard it binds.
    """

    values: Float[np.ndarray, " V"]
    multipliers: Float[np.ndarray, "d constraints"]


def climb(
    components: tuple[csr_array, ...],
    load: Float[np.ndarray, " V"],
    *,
    tolerance: float = 1e-5,
    steps: int = 80,
) -> Iterator[Iterate]:
    r"""Points on the way to the largest $\langle c, x\rangle$ such that all gradients have norms of at most one.

    Args:
        components: For each coordinate, from numbers to one component of the gradient for each constraint.
        load: What is to be large; zero for constants, which must have no gradient.
        tolerance: Gap between both sides, relative to the value, at which it ends.
        steps: After how many steps it ends in any case, as it does when rounding has eaten the rest.

    Yields:
        The point after each step. Cost: a sparse factorization for each.
    """
    count, number = components[0].shape
    dimension = len(components)
    order = (np.arange(dimension) * count + np.arange(count)[:, None]).ravel()
    rows = csr_array(vstack(components).tocsr()[order])
    columns = csr_array(rows.T)
    system = _System(rows, columns, dimension, int(np.abs(load).argmax()))

    values = np.zeros(number)
    slack, dual = np.zeros((2, dimension + 1, count))
    slack[0], dual[0] = 1.0, system.scale(load) / count
    for _ in range(steps):
        left = -load - columns @ dual[1:].T.ravel()
        gap = float((slack * dual).sum())
        feasible = np.abs(left).max() <= _INFEASIBLE * np.abs(load).max()
        if feasible and gap <= tolerance * abs(float(load @ values)):
            return
        scaling = _Scaling.of(slack, dual)
        with np.errstate(all="ignore"):
            factor = system.factored(scaling)
            if factor is None:
                return
            found = _step(system, factor, scaling, left, gap / count)
            share = min(1.0, _INSIDE * _reach(slack, found.slack), _INSIDE * _reach(dual, found.dual))
            values = values + share * found.values
            dual = dual + share * found.dual
            slack[1:] = (rows @ values).reshape(count, dimension).T
        if not (np.isfinite(values).all() and np.isfinite(dual).all()) or share < 1e-10:
            return
        if not ((slack[1:] ** 2).sum(axis=0) < 1).all() or not (_size(dual) > 0).all():
            return
        yield Iterate(values, -dual[1:])


@dataclass(frozen=True, eq=False)
class _Change:
    """A direction in which all three kinds of numbers move."""

    values: np.ndarray
    slack: np.ndarray
    dual: np.ndarray


@dataclass(frozen=True, eq=False)
class _Scaling:
    """The map that takes multipliers and slacks to one and the same point."""

    axis: np.ndarray
    ratio: np.ndarray
    point: np.ndarray

    @staticmethod
    def of(slack: np.ndarray, dual: np.ndarray) -> _Scaling:
        """The scaling at a pair of points inside of their cones."""
        one, other = _size(slack), _size(dual)
        first, second = slack / one, _mirrored(dual / other)
        spread = np.sqrt((1 + (first * _mirrored(second)).sum(axis=0)) / 2)
        scaling = _Scaling((first + second) / (2 * spread), np.sqrt(one / other), dual)
        return _Scaling(scaling.axis, scaling.ratio, scaling.forward(dual))

    def forward(self, point: np.ndarray) -> np.ndarray:
        """What multipliers become."""
        return self.ratio * _turned(self.axis, point)

    def backward(self, point: np.ndarray) -> np.ndarray:
        """What slacks become."""
        return _turned(_mirrored(self.axis), point) / self.ratio

    def both(self, point: np.ndarray) -> np.ndarray:
        """Slacks that are scaled twice, and so become multipliers."""
        mirrored = _mirrored(self.axis)
        return (2 * mirrored * (mirrored * point).sum(axis=0) - _mirrored(point)) / self.ratio**2

    def weights(self) -> Float[np.ndarray, "constraints d d"]:
        """The same map on gradients only."""
        part = self.axis[1:].T
        found = 2 * part[:, :, None] * part[:, None, :]
        found += np.eye(part.shape[1])
        return found / (self.ratio**2)[:, None, None]


@dataclass(frozen=True, eq=False)
class _System:
    """The equations of a step, reduced to the numbers x."""

    rows: csr_array
    columns: csr_array
    dimension: int
    fixed: int

    def scale(self, load: np.ndarray) -> float:
        """About how large the optimum is: what the least squares of all gradients give."""
        flat = np.zeros((self.dimension + 1, self.rows.shape[0] // self.dimension))
        flat[0] = 1.0
        factor = self.factored(_Scaling(flat, np.ones(flat.shape[1]), flat))
        values = load if factor is None else factor.solve(load)
        steep = np.sqrt(((self.rows @ values).reshape(-1, self.dimension) ** 2).sum(axis=1)).max(initial=0.0)
        size = abs(float(load @ values)) / steep if steep > 0 else 1.0
        return size if 0 < size < np.inf else 1.0

    def factored(self, scaling: _Scaling) -> SuperLU | None:
        """Their factors; None if rounding leaves nothing to solve."""
        weights = scaling.weights()
        if not np.isfinite(weights).all():
            return None
        size = self.rows.shape[0]
        within = np.arange(size).reshape(-1, 1, self.dimension).repeat(self.dimension, axis=1).ravel()
        blocks = csr_array(
            (weights.ravel(), within, np.arange(0, weights.size + 1, self.dimension)), shape=(size, size)
        )
        matrix = csr_array(self.columns @ (blocks @ self.rows))
        # constants have no gradient, so that one number may be held where it is; empty rows are kept from being zero
        extra = 1e-14 * matrix.diagonal() + np.finfo(np.float64).tiny
        extra[self.fixed] += 1e-8 * matrix.diagonal()[self.fixed]
        try:
            return splu(
                csc_array(matrix + diags_array(extra)),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            return None


def _step(system: _System, factor: SuperLU, scaling: _Scaling, left: np.ndarray, height: float) -> _Change:
    """Towards the optimum first; then again with what that would do to the products, and as far in as it came."""
    point = scaling.point
    first = _direction(system, factor, scaling, point, left)
    share = min(1.0, _reach(point, scaling.backward(first.slack)), _reach(point, scaling.forward(first.dual)))
    centring = (1 - share) ** 3
    target = _product(point, point) + _product(scaling.backward(first.slack), scaling.forward(first.dual))
    target[0] -= centring * height
    return _direction(system, factor, scaling, _quotient(point, target), (1 - centring) * left)


def _direction(system: _System, factor: SuperLU, scaling: _Scaling, wanted: np.ndarray, left: np.ndarray) -> _Change:
    """The solution of the linearized equations."""
    shifted = scaling.forward(wanted)
    values = factor.solve(-left - system.columns @ scaling.both(shifted)[1:].T.ravel())
    slack = np.zeros_like(shifted)
    slack[1:] = (system.rows @ values).reshape(-1, system.dimension).T
    return _Change(values, slack, -scaling.both(shifted + slack))


def _size(point: np.ndarray) -> np.ndarray:
    """The root of the determinant of each point: zero on the border of its cone."""
    norm = np.sqrt((point[1:] ** 2).sum(axis=0))
    return np.sqrt(np.maximum((point[0] - norm) * (point[0] + norm), 0.0))


def _mirrored(point: np.ndarray) -> np.ndarray:
    """Points with their vectors turned round."""
    return np.concatenate([point[:1], -point[1:]])


def _turned(axis: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The hyperbolic rotation that takes the middle of the cone to an axis."""
    along = (axis[1:] * point[1:]).sum(axis=0)
    head = axis[0] * point[0] + along
    return np.concatenate([head[None], point[1:] + axis[1:] * (point[0] + along / (1 + axis[0]))])


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The product of Jordan's algebra."""
    return np.concatenate([(one * other).sum(axis=0)[None], one[0] * other[1:] + other[0] * one[1:]])


def _quotient(one: np.ndarray, product: np.ndarray) -> np.ndarray:
    """The other factor of a product."""
    head = (one[0] * product[0] - (one[1:] * product[1:]).sum(axis=0)) / _size(one) ** 2
    return np.concatenate([head[None], (product[1:] - head * one[1:]) / one[0]])


def _reach(point: np.ndarray, change: np.ndarray) -> float:
    """How far a change can be followed before a point leaves its cone."""
    bent = change[0] ** 2 - (change[1:] ** 2).sum(axis=0)
    slope = point[0] * change[0] - (point[1:] * change[1:]).sum(axis=0)
    height = _size(point) ** 2
    with np.errstate(all="ignore"):
        root = np.sqrt(np.maximum(slope**2 - bent * height, 0.0)) - slope
        border = np.where(root > 0, height / root, np.inf)
        middle = np.where(change[0] < 0, -point[0] / change[0], np.inf)
    return float(min(border.min(), middle.min()))
