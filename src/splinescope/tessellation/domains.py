"""Where a network is looked at: convex polygons in two-dimensional affine slices of its input space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from splinescope.errors import InvalidInputError

_COLLINEAR = 1e-10
"""Relative distance below which anchors or directions do not span a plane."""


def _finite(name: str, value: ArrayLike) -> np.ndarray:
    """`value` as a float64 array without NaN or infinity."""
    try:
        array = np.array(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"`{name}`: got {type(value).__name__}; expected an array of numbers") from error
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise InvalidInputError(f"`{name}`: {bad} of {array.size} numbers are NaN or infinite; expected finite numbers")
    return array


def _signed_area(polygon: np.ndarray) -> float:
    following = np.roll(polygon, -1, axis=0)
    return 0.5 * float(np.sum(polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]))


def _convex_counter_clockwise(polygon: np.ndarray) -> np.ndarray:
    """The polygon counter-clockwise without repeated corners; raises unless it is convex and has an interior."""
    if polygon.ndim != 2 or polygon.shape[1] != 2:
        raise InvalidInputError(f"`polygon`: got shape {polygon.shape}; expected [k, 2] corners in slice coordinates")
    size = np.ptp(polygon, axis=0).max() if len(polygon) else 0.0
    if len(polygon) < 3 or size == 0.0 or abs(_signed_area(polygon)) <= _COLLINEAR * size * size:
        raise InvalidInputError(
            f"`polygon`: {len(polygon)} corners that enclose no area; expected a convex polygon of at least three "
            f"corners"
        )
    if _signed_area(polygon) < 0:
        polygon = polygon[::-1]
    polygon = polygon[np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1) > 1e-14 * size]
    sides = np.roll(polygon, -1, axis=0) - polygon
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    angles = np.arctan2(turns, np.sum(sides * following, axis=1))
    if turns.min() < -1e-12 * size * size or abs(angles.sum() - 2 * np.pi) > 1e-6:
        raise InvalidInputError(
            "`polygon`: its corners are not those of a convex polygon in order; expected a convex one"
        )
    return np.ascontiguousarray(polygon)


def _completed(points: list[np.ndarray], radius: float | None, generator: np.random.Generator) -> list[np.ndarray]:
    """Three points: the given ones and random ones at a distance from their centre."""
    if radius is not None and not 0 < radius < np.inf:
        raise InvalidInputError(f"`radius`: got {radius}; expected a positive number")
    length = float(np.linalg.norm(points[1] - points[0])) if len(points) > 1 else 1.0
    centre = np.mean(points, axis=0)
    while len(points) < 3:
        direction = generator.standard_normal(centre.shape)
        points = [*points, centre + (radius or length) * direction / np.linalg.norm(direction)]
    return points


@dataclass(frozen=True, eq=False)
class Slice:
    r"""A convex polygon in the affine plane $x = \text{origin} + t_1\,\text{basis}_1 + t_2\,\text{basis}_2$.

    Areas and lengths of a complex are measured in the slice coordinates $t$; with an orthonormal basis these are
    Euclidean areas and lengths of the input space.

    Attributes:
        origin: Point of the input space, in the network's input shape (without batch).
        basis: [2, *input_shape] two independent directions.
        polygon: [k, 2] corners of a convex polygon in slice coordinates; stored counter-clockwise.
        anchors: [m, 2] slice coordinates of the points that the slice was made from, or None.

    Raises:
        InvalidInputError: If shapes don't agree, a number is not finite, the directions are parallel, or the polygon
            is not convex or has no interior.
    """

    origin: np.ndarray
    basis: np.ndarray
    polygon: np.ndarray
    anchors: np.ndarray | None = None

    def __post_init__(self) -> None:
        origin, basis = _finite("origin", self.origin), _finite("basis", self.basis)
        if basis.shape != (2, *origin.shape):
            raise InvalidInputError(
                f"`basis`: got shape {basis.shape} for an origin of shape {origin.shape}; expected {(2, *origin.shape)}"
            )
        singular = np.linalg.svd(basis.reshape(2, -1), compute_uv=False)
        if len(singular) < 2 or singular[1] <= _COLLINEAR * singular[0]:
            raise InvalidInputError("`basis`: its two directions are parallel or zero; expected independent directions")
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "polygon", _convex_counter_clockwise(_finite("polygon", self.polygon)))
        if self.anchors is not None:
            object.__setattr__(self, "anchors", _finite("anchors", self.anchors))

    @classmethod
    def through(
        cls,
        x0: Any,
        x1: Any = None,
        x2: Any = None,
        margin: float = 0.2,
        *,
        radius: float | None = None,
        generator: np.random.Generator | None = None,
    ) -> Slice:
        """The plane through three inputs, or through two or one and random directions, cut to a square around them.

        The basis is orthonormal, with its first direction from `x0` to `x1`. The square is the smallest axis-parallel
        one around the three points, widened by `margin` times its side on every side.

        Args:
            x0: First input, in the network's input shape.
            x1: Second input, or None for a random point.
            x2: Third input, or None for a random point.
            margin: Relative margin around the points, at least zero.
            radius: Distance of random points from the centre of the given ones; by default the distance of two given
                points, or 1.
            generator: Where random directions come from; by default one with the seed 0.

        Returns:
            The slice, with the given points as anchors.

        Raises:
            InvalidInputError: If the points have different shapes or lie on one line, or an option is out of range.

        Example:
            >>> plane = Slice.through([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], margin=0.0)
            >>> float(plane.area)
            4.0
        """
        named = (("x0", x0), ("x1", x1), ("x2", x2))
        points = [_finite(name, x) for name, x in named if x is not None]
        given = len(points)
        shapes = {point.shape for point in points}
        if len(shapes) > 1:
            raise InvalidInputError(f"`x0`, `x1`, `x2`: got shapes {[p.shape for p in points]}; expected one shape")
        if not (np.isfinite(margin) and margin >= 0):
            raise InvalidInputError(f"`margin`: got {margin!r}; expected a number of at least 0")
        points = _completed(points, radius, generator or np.random.default_rng(0))
        first, second = (points[1] - points[0]).ravel(), (points[2] - points[0]).ravel()
        length = float(np.linalg.norm(first))
        scale = max(length, float(np.linalg.norm(second)))
        e1 = first / length if length > _COLLINEAR * scale else first * 0
        rest = second - e1 * (e1 @ second)
        rest = rest - e1 * (e1 @ rest)
        height = float(np.linalg.norm(rest))
        if scale == 0 or length <= _COLLINEAR * scale or height <= _COLLINEAR * scale:
            raise InvalidInputError(
                "`x0`, `x1`, `x2`: the points lie on one line; expected three points that span a plane"
            )
        basis = np.stack([e1, rest / height]).reshape(2, *points[0].shape)
        anchors = np.array([[0.0, 0.0], [length, 0.0], [e1 @ second, height]])
        low, high = anchors.min(axis=0), anchors.max(axis=0)
        half = (0.5 + margin) * float(np.max(high - low))
        corners = (low + high) / 2 + half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        return cls(points[0], basis, corners, anchors[:given])

    @classmethod
    def box(cls, low: ArrayLike, high: ArrayLike) -> Slice:
        """An axis-parallel rectangle of a two-dimensional input space.

        Args:
            low: [2] lower corner.
            high: [2] upper corner, larger in both coordinates.

        Returns:
            The slice whose coordinates are the inputs themselves.

        Raises:
            InvalidInputError: If the corners are not two numbers each or enclose no area.

        Example:
            >>> float(Slice.box([-1, -1], [1, 1]).area)
            4.0
        """
        lower, upper = _finite("low", low), _finite("high", high)
        if lower.shape != (2,) or upper.shape != (2,):
            raise InvalidInputError(
                f"`low`, `high`: got shapes {lower.shape} and {upper.shape}; expected two numbers each "
                "(for other inputs use `Slice.through` or `Slice(origin, basis, polygon)`)"
            )
        if not (lower < upper).all():
            raise InvalidInputError(f"`low`, `high`: {lower} is not below {upper} in both coordinates")
        corners = np.array([lower, [upper[0], lower[1]], upper, [lower[0], upper[1]]])
        return cls(np.zeros(2), np.eye(2), corners)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.origin.shape

    @property
    def area(self) -> float:
        """Area of the polygon in slice coordinates."""
        return _signed_area(self.polygon - self.polygon.mean(axis=0))

    @property
    def size(self) -> float:
        """Largest extent of the polygon along a slice coordinate."""
        return float(np.ptp(self.polygon, axis=0).max())

    def embed(self, coordinates: Float[np.ndarray, "n 2"]) -> np.ndarray:
        """Inputs at slice coordinates: [n, 2] to [n, *input_shape]."""
        flat = self.origin.ravel() + np.asarray(coordinates, np.float64) @ self.basis.reshape(2, -1)
        return flat.reshape(-1, *self.origin.shape)

    def project(self, inputs: ArrayLike) -> Float[np.ndarray, "n 2"]:
        """Slice coordinates of the nearest points of the plane: [n, *input_shape] to [n, 2]."""
        flat = np.asarray(inputs, np.float64).reshape(-1, self.origin.size) - self.origin.ravel()
        solution = np.linalg.lstsq(self.basis.reshape(2, -1).T, flat.T, rcond=None)[0]
        return np.ascontiguousarray(solution.T)
