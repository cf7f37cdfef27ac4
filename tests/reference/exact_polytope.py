"""Convex polytopes of any dimension in exact arithmetic.

A point of dimension d is a tuple of d + 1 integers `(X_1, ..., X_d, W)` with `W > 0` that stands for `X / W`; an affine
form is a tuple of d + 1 integers too, and its sign at a point is the sign of their inner product.

A polytope keeps its vertices, and for each vertex the set of the planes that pass through it, as the bits of an
integer. These planes are all those that bound it, and some that merely touch it. Which vertices an edge joins, and what
the faces are, follows from the bits alone: the smallest face that holds two vertices is the intersection of the planes
through both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import factorial, gcd, prod

from tests.reference.exact_polygon import integers

Point = tuple[int, ...]
Form = tuple[int, ...]
Face = frozenset[int]
"""A face, as the numbers of its vertices."""


def point(values: Iterable[float | Fraction]) -> Point:
    """The homogeneous point, in lowest terms."""
    numerators, denominator = integers(values)
    return _reduced((*numerators, denominator))


def coordinates(vertex: Point) -> tuple[Fraction, ...]:
    """The coordinates as fractions."""
    return tuple(Fraction(x, vertex[-1]) for x in vertex[:-1])


def value(form: Form, vertex: Point) -> int:
    """`W` times the form at the vertex; its sign is the form's sign there."""
    return sum(f * x for f, x in zip(form, vertex, strict=True))


@dataclass(frozen=True)
class Polytope:
    """A convex polytope with interior.

    Attributes:
        vertices: Its vertices.
        planes: For each vertex the planes through it, as bits.
        n_planes: Number of planes that have been numbered so far.
    """

    vertices: tuple[Point, ...]
    planes: tuple[int, ...]
    n_planes: int

    @property
    def dimension(self) -> int:
        """Dimension of the space."""
        return len(self.vertices[0]) - 1

    def split(self, form: Form) -> tuple[Polytope | None, Polytope | None, bool]:
        """The parts where the form is negative and positive, and whether it vanishes on the whole polytope.

        A part is None where the form takes no value of that strict sign, so that both parts have an interior.
        """
        values = [value(form, vertex) for vertex in self.vertices]
        has_negative, has_positive = min(values) < 0, max(values) > 0
        if not (has_negative and has_positive):
            return (
                (self if has_negative else None),
                (self if has_positive else None),
                not (has_negative or has_positive),
            )
        bit = 1 << self.n_planes
        crossings = [self._crossing(i, j, values) for i, j in self._edges_between(values)]
        parts = []
        for side in (-1, 1):
            kept = [i for i, v in enumerate(values) if v * side >= 0]
            vertices = [self.vertices[i] for i in kept]
            planes = [self.planes[i] | (0 if values[i] else bit) for i in kept]
            vertices += [vertex for vertex, _ in crossings]
            planes += [through | bit for _, through in crossings]
            parts.append(Polytope(tuple(vertices), tuple(planes), self.n_planes + 1))
        return parts[0], parts[1], False

    def _edges_between(self, values: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Edges from a vertex of negative value to one of positive value."""
        for i, j in product(range(len(values)), repeat=2):
            if values[i] < 0 < values[j]:
                common = self.planes[i] & self.planes[j]
                if common.bit_count() >= self.dimension - 1 and sum(p & common == common for p in self.planes) == 2:
                    yield i, j

    def _crossing(self, i: int, j: int, values: Sequence[int]) -> tuple[Point, int]:
        weights = abs(values[j]), abs(values[i])
        pairs = zip(self.vertices[i], self.vertices[j], strict=True)
        return _reduced(tuple(weights[0] * p + weights[1] * q for p, q in pairs)), self.planes[i] & self.planes[j]

    def facets(self, face: Face) -> list[Face]:
        """The facets of a face: the largest of its proper intersections with planes."""
        cut = {frozenset(i for i in face if self.planes[i] >> plane & 1) for plane in range(self.n_planes)} - {face}
        return [one for one in cut if one and not any(one < other for other in cut)]

    @cached_property
    def faces(self) -> tuple[frozenset[Face], ...]:
        """Faces of dimension 0, 1, ..., d."""
        levels: list[set[Face]] = [{frozenset(range(len(self.vertices)))}]
        for _ in range(self.dimension):
            levels.append({facet for face in levels[-1] for facet in self.facets(face)})
        assert len(levels[-1]) == len(self.vertices)
        return tuple(frozenset(level) for level in reversed(levels))

    @cached_property
    def volume(self) -> Fraction:
        """The exact volume."""
        return sum((simplex_volume([self.vertices[i] for i in s]) for s in self.simplices()), Fraction(0))

    def simplices(self, face: Face | None = None) -> Iterator[tuple[int, ...]]:
        """A triangulation: cones from the first vertex of a face over its facets that do not hold it."""
        whole = frozenset(range(len(self.vertices))) if face is None else face
        apex = min(whole)
        if len(whole) == 1:
            yield (apex,)
            return
        for facet in self.facets(whole):
            if apex not in facet:
                for simplex in self.simplices(facet):
                    yield (apex, *simplex)

    @cached_property
    def centre(self) -> tuple[Fraction, ...]:
        """The mean of the vertices, a point in the interior."""
        points = [coordinates(vertex) for vertex in self.vertices]
        return tuple(sum(axis, Fraction(0)) / len(points) for axis in zip(*points, strict=True))


def box(low: Sequence[float | Fraction], high: Sequence[float | Fraction]) -> Polytope:
    """The axis-parallel box; planes `2 i` and `2 i + 1` are its lower and upper end in coordinate i."""
    sides = list(product((0, 1), repeat=len(low)))
    vertices = tuple(point((low, high)[side][i] for i, side in enumerate(corner)) for corner in sides)
    planes = tuple(sum(1 << (2 * i + side) for i, side in enumerate(corner)) for corner in sides)
    return Polytope(vertices, planes, 2 * len(low))


def simplex_volume(vertices: Sequence[Point]) -> Fraction:
    """The exact volume of a simplex of d + 1 points."""
    return Fraction(abs(determinant(vertices)), prod(v[-1] for v in vertices) * factorial(len(vertices) - 1))


def determinant(rows: Sequence[Sequence[int]]) -> int:
    """The determinant of a small integer matrix, by its first row."""
    if len(rows) == 1:
        return rows[0][0]
    minors = ([row[:k] + row[k + 1 :] for row in map(tuple, rows[1:])] for k in range(len(rows)))
    return sum((-1) ** k * rows[0][k] * determinant(minor) for k, minor in enumerate(minors) if rows[0][k])


def _reduced(homogeneous: Point) -> Point:
    divisor = gcd(*homogeneous)
    return tuple(x // divisor for x in homogeneous)
