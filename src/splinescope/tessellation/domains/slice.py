"""Affine slices of the input space: convex polygons in a plane, convex polytopes in more dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, QhullError

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.domains.base import COLLINEAR, Domain, coordinate_names, finite
from splinescope.tessellation.domains.box import Box


def _signed_area(polygon: np.ndarray) -> float:
    polygon = polygon - polygon[0]  # far from the origin, products of coordinates would drown the area
    following = np.roll(polygon, -1, axis=0)
    return 0.5 * float(np.sum(polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]))


def _convex_counter_clockwise(polygon: np.ndarray) -> np.ndarray:
    """The polygon counter-clockwise without repeated corners; raises unless it is convex and has an interior."""
    if polygon.ndim != 2 or polygon.shape[1] != 2:
        raise InvalidInputError(f"`polygon`: got shape {polygon.shape}; expected [k, 2] corners in slice coordinates")
    extents = np.ptp(polygon, axis=0) if len(polygon) else np.zeros(2)
    with np.errstate(over="ignore", under="ignore"):
        area = extents.prod()
    if not np.isfinite(16 * area) or (area < np.finfo(np.float64).tiny and (extents > 0).all()):
        raise InvalidInputError(
            f"`polygon`: it is {extents[0]:.3g} by {extents[1]:.3g}, an area that float64 does not hold; expected one "
            "that it does"
        )
    if len(polygon) < 3 or area == 0.0 or abs(_signed_area(polygon)) <= COLLINEAR * area:
        raise InvalidInputError(
            f"`polygon`: {len(polygon)} corners that enclose no area; expected a convex polygon of at least three "
            f"corners"
        )
    if _signed_area(polygon) < 0:
        polygon = polygon[::-1]
    polygon = polygon[(np.abs(polygon - np.roll(polygon, 1, axis=0)) > 1e-14 * extents).any(axis=1)]
    sides = np.roll(polygon, -1, axis=0) - polygon
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    angles = np.arctan2(turns, np.sum(sides * following, axis=1))
    roundings = 8 * UNIT_ROUNDOFF * float(np.abs(polygon).max(axis=0) @ extents[::-1])
    if turns.min() < -max(1e-12 * area, roundings) or abs(angles.sum() - 2 * np.pi) > 1e-6:
        raise InvalidInputError(
            "`polygon`: its corners are not those of a convex polygon in order; expected a convex one"
        )
    return np.ascontiguousarray(polygon)


def _convex_hull(points: np.ndarray, dimension: int) -> ConvexHull:
    """The convex hull of corners in three or more dimensions; raises unless it has an interior."""
    if points.ndim != 2 or points.shape[1] != dimension:
        raise InvalidInputError(
            f"`polygon`: got shape {points.shape} for {dimension} directions; expected [m, {dimension}] corners"
        )
    try:
        return ConvexHull(points)
    except (QhullError, ValueError) as error:
        raise InvalidInputError(
            f"`polygon`: {len(points)} corners that enclose no volume; expected the corners of a convex polytope with "
            f"an interior in {dimension} dimensions"
        ) from error


def _completed(
    points: list[np.ndarray], count: int, radius: float | None, generator: np.random.Generator
) -> list[np.ndarray]:
    """So many points: the given ones and random ones at a distance from their centre."""
    if radius is not None and not 0 < radius < np.inf:
        raise InvalidInputError(f"`radius`: got {radius}; expected a positive number")
    length = float(np.linalg.norm(points[1] - points[0])) if len(points) > 1 else 1.0
    centre = np.mean(points, axis=0)
    while len(points) < count:
        direction = generator.standard_normal(centre.shape)
        points = [*points, centre + (radius or length) * direction / np.linalg.norm(direction)]
    return points


_SPAN = {2: "on one line; expected three points that span a plane", 3: "in one plane; expected four that span a space"}


def _orthonormal(points: list[np.ndarray], names: str) -> tuple[np.ndarray, np.ndarray]:
    """[d, n] orthonormal directions from the first point to the others, and the [d + 1, d] coordinates of all."""
    steps = [(point - points[0]).ravel() for point in points[1:]]
    dimension = len(steps)
    scale = max(float(np.linalg.norm(step)) for step in steps)
    basis, anchors = np.zeros((dimension, steps[0].size)), np.zeros((dimension + 1, dimension))
    for i, step in enumerate(steps):
        rest = step
        for _ in range(2):
            for direction in basis[:i]:
                rest = rest - direction * (direction @ rest)
        height = float(np.linalg.norm(rest))
        if scale == 0 or height <= COLLINEAR * scale:
            problem = _SPAN.get(dimension, f"in fewer than {dimension} dimensions; expected independent ones")
            raise InvalidInputError(f"{names}: the points lie {problem}")
        basis[i] = rest / height
        anchors[i + 1, :i] = basis[:i] @ step
        anchors[i + 1, i] = height
    return basis, anchors


@dataclass(frozen=True, eq=False)
class Slice(Domain):
    r"""A convex polygon or polytope in the affine space $x = \text{origin} + \sum_i t_i\,\text{basis}_i$.

    Measures of a complex (areas, lengths, volumes) are those of the slice coordinates $t$; with an orthonormal basis
    these are Euclidean measures of the input space.

    Attributes:
        origin: Point of the input space, in the network's input shape (without batch).
        basis: [d, *input_shape] two or more independent directions.
        polygon: Corners in slice coordinates. In a plane: [k, 2] corners of a convex polygon, stored counter-clockwise.
            In more dimensions: [m, d] points, of which those on their convex hull are kept; the hull is the domain.
        anchors: [m, d] slice coordinates of the points that the slice was made from, or None.
        names: What the d slice coordinates are called, with their units, for pictures; None if they have no names.

    Raises:
        InvalidInputError: If shapes don't agree, a number is not finite, the directions are dependent, the polygon is
            not convex or has no interior, or there are not as many names as directions.

    Example:
        >>> triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> domain = Slice(np.zeros(2), np.eye(2), triangle, names=("x1 (m)", "x2 (m)"))
        >>> domain.measure, domain.names
        (1.0, ('x1 (m)', 'x2 (m)'))
    """

    origin: np.ndarray
    basis: np.ndarray
    polygon: np.ndarray
    anchors: np.ndarray | None = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        origin, basis = finite("origin", self.origin), finite("basis", self.basis)
        if basis.ndim != origin.ndim + 1 or basis.shape[1:] != origin.shape or len(basis) < 2:
            raise InvalidInputError(
                f"`basis`: got shape {basis.shape} for an origin of shape {origin.shape}; expected "
                f"{(2, *origin.shape)}, or more directions"
            )
        singular = np.linalg.svd(basis.reshape(len(basis), -1), compute_uv=False)
        if len(singular) < len(basis) or singular[-1] <= COLLINEAR * singular[0]:
            raise InvalidInputError(
                "`basis`: its directions are parallel or zero, or depend on each other; expected independent directions"
            )
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "basis", basis)
        polygon = finite("polygon", self.polygon)
        if len(basis) == 2:
            polygon = _convex_counter_clockwise(polygon)
        else:
            polygon = polygon[np.sort(_convex_hull(polygon, len(basis)).vertices)]
        object.__setattr__(self, "polygon", polygon)
        if self.anchors is not None:
            object.__setattr__(self, "anchors", finite("anchors", self.anchors))
        object.__setattr__(self, "names", coordinate_names(self.names, len(basis)))

    def reshaped(self, input_shape: tuple[int, ...]) -> Slice:
        """The same slice with inputs of another shape of as many numbers; see `Domain.reshaped`."""
        shape = self._fits(input_shape)
        return replace(self, origin=self.origin.reshape(shape), basis=self.basis.reshape(-1, *shape))

    @classmethod
    def through(
        cls,
        x0: Any,
        x1: Any = None,
        x2: Any = None,
        margin: float = 0.2,
        *,
        x3: Any = None,
        dimension: int | None = None,
        radius: float | None = None,
        generator: np.random.Generator | None = None,
        names: Sequence[str] | None = None,
    ) -> Slice:
        """The plane through three inputs, or through two or one and random directions, cut to a square around them.

        Four inputs, or `dimension=3`, give a three-dimensional slice, cut to a cube. The basis is orthonormal, with its
        first direction from `x0` to `x1`. The square (cube) is the smallest axis-parallel one around the points,
        widened by `margin` times its side on every side.

        Args:
            x0: First input, in the network's input shape.
            x1: Second input, or None for a random point.
            x2: Third input, or None for a random point.
            margin: Relative margin around the points, at least zero.
            x3: Fourth input, for a slice of three dimensions.
            dimension: Number of directions; by default 3 with `x3` and 2 without. Random points make up for missing
                ones.
            radius: Distance of random points from the centre of the given ones; by default the distance of two given
                points, or 1.
            generator: Where random directions come from; by default one with the seed 0.
            names: What the slice coordinates are called, with their units, for pictures.

        Returns:
            The slice, with the given points as anchors.

        Raises:
            InvalidInputError: If the points have different shapes or do not span so many dimensions, or an option is
                out of range.

        Example:
            >>> plane = Slice.through([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], margin=0.0)
            >>> float(plane.area)
            4.0
        """
        named = (("x0", x0), ("x1", x1), ("x2", x2), ("x3", x3))
        points = [finite(name, x) for name, x in named if x is not None]
        given, wanted = len(points), dimension or (2 if x3 is None else 3)
        arguments = ", ".join(f"`x{i}`" for i in range(max(3, given)))
        if len({point.shape for point in points}) > 1:
            raise InvalidInputError(f"{arguments}: got shapes {[p.shape for p in points]}; expected one shape")
        if not (np.isfinite(margin) and margin >= 0):
            raise InvalidInputError(f"`margin`: got {margin!r}; expected a number of at least 0")
        if wanted < max(2, given - 1) or wanted > points[0].size:
            raise InvalidInputError(
                f"`dimension`: got {wanted} for {given} points of {points[0].size} numbers; expected a number from "
                f"{max(2, given - 1)} to {points[0].size}"
            )
        points = _completed(points, wanted + 1, radius, generator or np.random.default_rng(0))
        basis, anchors = _orthonormal(points, arguments)
        low, high = anchors.min(axis=0), anchors.max(axis=0)
        half = (0.5 + margin) * float(np.max(high - low))
        signs = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
        if wanted > 2:
            signs = [list(corner) for corner in itertools.product((-1.0, 1.0), repeat=wanted)]
        corners = (low + high) / 2 + half * np.array(signs)
        return cls(points[0], basis.reshape(wanted, *points[0].shape), corners, anchors[:given], names)

    @classmethod
    def box(cls, low: Any, high: Any, *, names: Sequence[str] | None = None) -> Slice:
        """An axis-parallel rectangle of the input space, in which two inputs vary.

        Args:
            low: Lower ends of the inputs, in the network's input shape or flat.
            high: Upper ends; larger for exactly two inputs, and equal for the others, which stay as they are.
            names: What the two inputs are called, with their units, as in `("x1 (m)", "x2 (m)")`, for pictures.

        Returns:
            The slice whose coordinates are these inputs themselves.

        Raises:
            InvalidInputError: If the ends have different shapes, not exactly two inputs vary, or there are not two
                names.

        Example:
            >>> float(Slice.box([-1, -1], [1, 1]).area)
            4.0
            >>> Slice.box([-1, 0.5, -1], [1, 0.5, 2]).embed(np.array([[0.0, 1.0]])).tolist()
            [[0.0, 0.5, 1.0]]
        """
        lower, upper = finite("low", low), finite("high", high)
        if lower.shape != upper.shape:
            raise InvalidInputError(
                f"`low`, `high`: got shapes {lower.shape} and {upper.shape}; expected as many lower ends as upper ones"
            )
        free = np.flatnonzero(lower < upper)
        if (lower > upper).any() or len(free) != 2:
            raise InvalidInputError(
                f"`low`, `high`: {lower} is below {upper} in {len(free)} inputs; expected exactly two that vary, and "
                "equal ends of the others (for other planes use `Slice.through` or `Slice(origin, basis, polygon)`)"
            )
        (left, bottom), (right, top) = lower.ravel()[free], upper.ravel()[free]
        basis, origin = np.eye(lower.size)[free].reshape(2, *lower.shape), np.where(lower < upper, 0.0, lower)
        return cls(origin, basis, np.array([[left, bottom], [right, bottom], [right, top], [left, top]]), names=names)

    @property
    def area(self) -> float:
        """Area of the polygon in slice coordinates."""
        return self.measure

    @property
    def corners(self) -> Float[np.ndarray, "corners d"]:
        """Corners of the polygon or polytope."""
        return self.polygon

    @cached_property
    def halfspaces(self) -> Float[np.ndarray, "facets coefficients"]:
        """Rows `(n, b)` with unit outward normals; the domain is where `n @ t + b <= 0` for every row."""
        if self.dimension == 2:
            sides = np.roll(self.polygon, -1, axis=0) - self.polygon
            normals = np.column_stack([sides[:, 1], -sides[:, 0]]) / np.linalg.norm(sides, axis=1)[:, None]
            return np.column_stack([normals, -np.sum(normals * self.polygon, axis=1)])
        equations = _convex_hull(self.polygon, self.dimension).equations
        near = COLLINEAR * np.append(np.ones(self.dimension), np.abs(self.polygon).max(initial=1.0))
        _, first = np.unique(np.round(equations / (10 * near)), axis=0, return_index=True)
        return np.ascontiguousarray(equations[np.sort(first)])

    @cached_property
    def measure(self) -> float:
        """Area or volume in slice coordinates."""
        if self.dimension == 2:
            return _signed_area(self.polygon - self.polygon.mean(axis=0))
        return float(_convex_hull(self.polygon - self.polygon.mean(axis=0), self.dimension).volume)


def as_slice(domain: Domain) -> Slice:
    """A domain of two dimensions as a slice with the same coordinates.

    Args:
        domain: A slice or a box.

    Returns:
        The slice, itself where it is one.

    Cost: none of a slice; that of making one of a box.

    Example:
        >>> as_slice(Box([0.0, 0.0], [1.0, 2.0])).polygon.tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]
    """
    if isinstance(domain, Slice):
        return domain
    corners = domain.corners[[0, 2, 3, 1]] if isinstance(domain, Box) else domain.corners
    return Slice(domain.origin, domain.basis, corners, names=domain.names)
