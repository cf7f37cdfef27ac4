"""Networks on which float64 alone takes wrong decisions in space, against exact rationals.

Chains through which rounding errors grow, folds that nearly meet, steep layers, contrasts of many orders of magnitude,
extreme scales and windows far from the origin. Counts of planar networks hold in a box whose third coordinate no unit
reads.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import splinescope
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Builder, Recipe, mlp
from tests.reference.rational_space import tessellate_space
from tests.spatial.agreement import assert_agrees
from tests.spatial.cases import CUBE, integers

Box = tuple[tuple[float, ...], tuple[float, ...]]


def lifted(weights: list[object], biases: list[object]) -> Recipe:
    """A planar network on three inputs, of which it does not read the last."""
    matrices = [np.asarray(weight, np.float64) for weight in weights]
    matrices[0] = np.column_stack([matrices[0], np.zeros(len(matrices[0]))])
    return mlp(matrices, biases)


def check(recipe: Recipe, box: Box = CUBE, maps: bool = True) -> splinescope.SpatialComplex:
    """Cell by cell what the rational twin has; where coordinates do not separate cells, as many faces and patterns."""
    cells = splinescope.tessellate(to_network(recipe), splinescope.Box(*box), verify="topology")
    exact = tessellate_space(recipe, *box)
    if cells.resolved.all():
        assert_agrees(cells, exact, maps)
    numbers = (len(cells.vertices), len(cells.edges), *(len(faces.offsets) - 1 for faces in cells.faces.values()))
    assert numbers == exact.f_vector
    patterns = [tuple(min(choices) for choices in cell.pattern) for cell in exact.cells]
    assert sorted(map(tuple, cells.patterns.tolist())) == sorted(patterns)
    return cells


def chain(depth: int) -> Recipe:
    """`max(0, x - 0.3)` behind a chain of layers in which differences cancel."""
    weights = [[[1, 0], [0, 0], [0, 0]], *[[[1, -1, 0], [0, 1, -1], [0, -1, 1]]] * depth, [[1, 0, 0]], [[1]]]
    return lifted(weights, [[2, 0.5, 0.5], *[[0.5] * 3] * depth, [-2.3], [0]])


@pytest.mark.parametrize("depth", [10, 95, 120])
def test_deep_chain(depth: int) -> None:
    cells = check(chain(depth), maps=False)
    assert len(cells) == 2


def test_steep_layers() -> None:
    k = 1000.0
    weights = [[[k, 0], [1, 0]], [[k, 1], [0, 1], [k, 0]], [[0, 1, k]], [[1], [0]]]
    assert len(check(lifted(weights, [[0, 2], [-1.5, 0, 0], [-1.3], [0, 0.05]]))) == 4


@pytest.mark.parametrize("distance", [10.0**-k for k in range(3, 17)])
def test_three_folds_that_nearly_meet(distance: float) -> None:
    e = 1e-5
    offset = -0.5 - (1 - e / 2) + distance
    cells = check(lifted([[[e, 1], [1, 0], [1, 1]], [[1, 1, 1]]], [[-1, -0.5, offset], [0]]), maps=False)
    assert len(cells) in (6, 7), "the third fold passes beside the crossing, or rounds to pass through it"


def test_thin_cells_are_counted() -> None:
    cells = check(lifted([[[1, 0], [3, 0]], [[1, 1]]], [[1 / 3, 1], [0]]), maps=False)
    assert len(cells) == 3
    assert (~cells.resolved).sum() == 1
    assert (cells.measures >= 0).all()


def test_generic_networks_have_no_thin_cells_and_need_no_exact_arithmetic() -> None:
    rng = np.random.default_rng(3)
    cells = check(mlp([rng.normal(size=s) for s in ((6, 3), (5, 6), (1, 5))], [rng.normal(size=n) for n in (6, 5, 1)]))
    assert cells.decisions is not None
    assert cells.decisions.signs > 0
    assert cells.decisions.exact == 0
    assert cells.resolved.all()


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1.0, 1e20, 1e150, 1e155])
def test_scales(scale: float) -> None:
    cells = check(lifted([scale * np.eye(2), [[1, 1]], [[1]]], [[0, 0], [-scale / 2], [0]]), maps=False)
    assert len(cells) == 7


@pytest.mark.parametrize("seed", range(12))
def test_contrasts_of_many_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def spread(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * 10.0 ** rng.uniform(-4, 4, shape)

    check(mlp([spread(5, 3), spread(4, 5), spread(1, 4)], [spread(5), spread(4), [0.0]]), maps=False)


def test_contrast_in_one_sum() -> None:
    first = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    weights = [first, [[1e7, 1e-8, 0], [1e7, -1e-8, 1e-8], [0, 1e-8, -1e-8]], np.ones((1, 3))]
    cells = check(mlp(weights, [[0, 0.25, 0.5], [-4e-9, 2e-9, 1e-9], [0]]), maps=False)
    assert cells.decisions is not None
    assert cells.decisions.exact > 0


def test_contrast_in_one_maximum() -> None:
    builder = Builder(3)
    builder.layer([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0.25, 0])
    builder.dense([[1e7, 0, 0], [0, 1e-8, 0], [0, 0, 1e-8]], [0, 0, 5e-9])
    builder.maximum([(0, 1, 2)])
    builder.dense([[1.0]])
    check(builder.build(), maps=False)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8])
def test_windows_far_from_the_origin(offset: float) -> None:
    rng = np.random.default_rng(2)
    first = integers(rng, 5, 3, denominator=4)
    biases = [-first.sum(axis=1) * offset + integers(rng, 5, denominator=8, largest=1), [0.25, -0.5, 0.125, 0], [0]]
    recipe = mlp([first, integers(rng, 4, 5, denominator=2), np.ones((1, 4))], biases)
    box = tuple((offset + end,) * 3 for end in (-1.0, 1.0))
    cells = splinescope.tessellate(to_network(recipe), splinescope.Box(*box), verify="topology")
    assert len(cells) == len(tessellate_space(recipe, *box))


def test_pools_far_from_the_origin() -> None:
    rng = np.random.default_rng(4)
    offset, builder = 1e6, Builder(3)
    first = integers(rng, 6, 3, denominator=4)
    builder.dense(first, -first.sum(axis=1) * offset + integers(rng, 6, denominator=8, largest=1))
    builder.maximum([(0, 1, 2), (3, 4, 5), (1, 3, -1)])
    builder.dense([[1.0, -1.0, 0.5]])
    box = tuple((offset + end,) * 3 for end in (-1.0, 1.0))
    recipe = builder.build()
    cells = splinescope.tessellate(to_network(recipe), splinescope.Box(*box), verify="topology")
    assert len(cells) == len(tessellate_space(recipe, *box))


@pytest.mark.parametrize("aspect", [1e-9, 1e9])
def test_boxes_of_extreme_aspect(aspect: float) -> None:
    rng = np.random.default_rng(5)
    first = rng.normal(size=(5, 3)) / np.array([1.0, 1.0, aspect])
    box = ((-1.0, -1.0, -aspect), (1.0, 1.0, aspect))
    check(mlp([first, rng.normal(size=(4, 5)), np.ones((1, 4))], [rng.normal(size=5), rng.normal(size=4), [0]]), box)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(20, 3), (60, 2)])
def test_deep_networks(seed: int, shape: tuple[int, int]) -> None:
    depth, width = shape
    rng = np.random.default_rng(seed)
    sizes = [3, *[width] * depth, 1]
    weights = [rng.normal(size=(m, n)) * np.sqrt(2 / n) for n, m in pairwise(sizes)]
    check(mlp(weights, [0.1 * rng.normal(size=m) for m in sizes[1:]]), maps=False)


@pytest.mark.parametrize("noise", [1e-7, 1e-12, 1e-16])
def test_units_repeated_up_to_noise(noise: float) -> None:
    rng = np.random.default_rng(6)
    first, offset = rng.normal(size=(3, 3)), rng.normal(size=3)
    doubled = np.vstack([first, first * (1 + noise * rng.normal(size=(3, 3)))])
    offsets = np.r_[offset, offset * (1 + noise * rng.normal(size=3))]
    check(mlp([doubled, rng.normal(size=(3, 6)), np.ones((1, 3))], [offsets, rng.normal(size=3), [0]]), maps=False)
