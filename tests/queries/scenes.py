"""Complexes that the tests of queries and pictures ask."""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
import shapely

import splinescope
from tests.fixtures.cases import HEXAGON, SQUARE
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import RELU, Kind, Recipe, evaluate, mlp

SKEW = np.array([[1.0, 0.5, 0.0, -0.25, 0.0], [0.5, 2.0, 0.0, 0.0, -1.0]])
ORIGIN = np.array([0.1, -0.2, 0.3, 0.0, 0.5])


def gaussian(seed: int, widths: tuple[int, ...], outputs: int = 1, inputs: int = 2, kind: Kind = RELU) -> Recipe:
    """Weights N(0, 2 / fan-in) and biases N(0, 1/4)."""
    rng = np.random.default_rng(seed)
    sizes = [inputs, *widths, outputs]
    weights = [rng.normal(size=(m, n)) * np.sqrt(2 / n) for n, m in pairwise(sizes)]
    return mlp(weights, [0.5 * rng.normal(size=len(weight)) for weight in weights], kind)


def complex_of(recipe: Recipe, polygon: object = SQUARE) -> splinescope.PolyhedralComplex:
    """Tessellation of a polygon in the recipe's own plane, or in a skew slice of its five inputs."""
    corners = np.asarray(polygon, dtype=np.float64)
    plane = (np.zeros(2), np.eye(2)) if recipe.n_inputs == 2 else (ORIGIN, SKEW)
    return splinescope.tessellate(to_network(recipe), splinescope.Slice(*plane, corners))


@functools.cache
def scene(name: str) -> tuple[Recipe, splinescope.PolyhedralComplex]:
    """One of a few complexes, made once: the recipe and the tessellation."""
    recipe, polygon = {
        "plane": (gaussian(13, (12, 12), 3), SQUARE),
        "one output": (gaussian(2, (10, 8), 1), SQUARE),
        "skew": (gaussian(38, (14, 10), 4, inputs=5), HEXAGON),
        "ten classes": (gaussian(10, (24, 16), 10), SQUARE),
    }[name]
    return recipe, complex_of(recipe, polygon)


SCENES = ("plane", "one output", "skew", "ten classes")


def outputs_at(recipe: Recipe, cells: splinescope.PolyhedralComplex, points: np.ndarray) -> np.ndarray:
    """Outputs at slice coordinates, by the recipe alone."""
    inputs = cells.domain.origin.ravel() + points @ cells.domain.basis.reshape(2, -1)
    return evaluate(recipe, inputs)[-1]


def polygons_of(cells: splinescope.PolyhedralComplex) -> np.ndarray:
    """The cells as shapely polygons."""
    return np.array([shapely.Polygon(cells.cell(i)) for i in range(len(cells))])


def sample(cells: splinescope.PolyhedralComplex, count: int, seed: int = 0) -> np.ndarray:
    """Random points of the domain."""
    rng = np.random.default_rng(seed)
    corners = np.asarray(cells.domain.polygon)
    points = rng.uniform(corners.min(axis=0), corners.max(axis=0), (4 * count, 2))
    inside = shapely.contains_xy(shapely.Polygon(corners), *points.T)
    return points[inside][:count]
