"""Networks whose level sets are known shapes, and what the rational twin says of a level set."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from splinescope.network import Network
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, Builder, Recipe, mlp
from tests.reference.exact_polytope import Point, coordinates, value
from tests.reference.rational_space import SpaceTessellation


def octahedron() -> Recipe:
    """`|x| + |y| + |z| - 1`, by six ReLUs."""
    return mlp([np.vstack([np.eye(3), -np.eye(3)]), np.ones((1, 6))], [np.zeros(6), [-1.0]])


def cube() -> Recipe:
    """`max(|x|, |y|, |z|) - 1/2`, by a maximum."""
    builder = Builder(3)
    builder.dense(np.vstack([np.eye(3), -np.eye(3)]))
    builder.maximum([range(6)])
    builder.dense([[1.0]], [-0.5])
    return builder.build()


def square_torus() -> Recipe:
    """`|max(|x|, |y|) - 0.6| + |z| - 0.2`: a square ring with square sections."""
    builder = Builder(3)
    builder.fold(ABS)
    magnitudes = builder.last
    builder.maximum([(0, 1)])
    builder.dense([[1.0]], [-0.6])
    ring = builder.fold(ABS)
    height = builder.dense([[0.0, 0.0, 1.0]], source=magnitudes)
    builder.total([ring, height])
    builder.dense([[1.0]], [-0.2])
    return builder.build()


def wedges() -> Recipe:
    """`|x| - |y|`: positive on two wedges that touch along the third axis."""
    builder = Builder(3)
    builder.fold(ABS)
    builder.dense([[1.0, -1.0, 0.0]])
    return builder.build()


def cones() -> Recipe:
    """`|x| + |y| - |z|`: the positive part is around a double cone, whose tips touch in the origin."""
    builder = Builder(3)
    builder.fold(ABS)
    builder.dense([[1.0, 1.0, -1.0]])
    return builder.build()


def network(recipe: Recipe) -> Network:
    """The recipe for the engine."""
    return to_network(recipe)


@dataclass(frozen=True)
class ExactSurface:
    """The boundary of `{f > level}` by exact arithmetic.

    Attributes:
        polygons: Vertices of each polygon.
        cells: Cell above the level that each is a side of.
        covered: Number of polygons that were left out, since both sides are above.
    """

    polygons: tuple[frozenset[Point], ...]
    cells: tuple[int, ...]
    covered: int

    @property
    def vertices(self) -> np.ndarray:
        """[N, 3] the distinct vertices."""
        distinct = sorted(set().union(*self.polygons)) if self.polygons else []
        return np.array([[float(x) for x in coordinates(v)] for v in distinct]).reshape(-1, 3)


def exact_surface(answer: SpaceTessellation, level: float, output: int = 0) -> ExactSurface:
    """For each cell the polygon where its part above the level ends."""
    sides: dict[frozenset[Point], list[int]] = {}
    for index, cell in enumerate(answer.cells):
        exact = Fraction(level)
        form = tuple(x * exact.denominator for x in cell.output.forms[output])
        form = (*form[:-1], form[-1] - exact.numerator * cell.output.scale)
        _, above, _ = cell.polytope.split(form)
        corners = frozenset(v for v in above.vertices if value(form, v) == 0) if above is not None else frozenset()
        if len(corners) >= 3:
            sides.setdefault(corners, []).append(index)
    alone = {corners: cells[0] for corners, cells in sides.items() if len(cells) == 1}
    return ExactSurface(tuple(alone), tuple(alone.values()), len(sides) - len(alone))


def levels_of(answer: SpaceTessellation, output: int = 0, count: int = 3) -> list[float]:
    """Zero, and values at vertices: levels that pass through vertices, edges, faces and whole cells."""
    values = {
        Fraction(value(cell.output.forms[output], v), cell.output.scale * v[-1])
        for cell in answer.cells[:40]
        for v in cell.polytope.vertices
    }
    exact = sorted(v for v in values if Fraction(float(v)) == v)
    return [0.0, *(float(v) for v in exact[:: max(1, len(exact) // count)])]
