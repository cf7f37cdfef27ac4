"""The rational twin for space itself: against the planar twin, closed forms, and float64 evaluation on grids."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from math import comb, prod

import numpy as np
import pytest

from tests.fixtures.cases import SQUARE, Case
from tests.fixtures.degenerate import CASES as PLANAR
from tests.fixtures.freeze import GOLD as PLANAR_GOLD
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Fold, Maximum, evaluate, mlp
from tests.reference.exact_polytope import box, point, simplex_volume
from tests.reference.rational import merge_pieces, tessellate
from tests.reference.rational_space import tessellate_space
from tests.seeds import every, seeds
from tests.spatial.cases import BY_NAME, CASES, CUBE, SpaceCase, folding, hats, random_space_case
from tests.spatial.freeze import GOLD, summary

IN_SQUARES = [case for case in PLANAR if case.polygon == SQUARE]
EVERY = pytest.mark.parametrize(
    "case", every(4, [*CASES, *map(random_space_case, range(20))]), ids=lambda case: case.name
)


@pytest.mark.parametrize("case", IN_SQUARES, ids=lambda case: case.name)
def test_planar_gold_values(case: Case) -> None:
    answer = tessellate_space(case.recipe, *((-1, -1), (1, 1)), case.origin, case.basis)
    gold = json.loads(PLANAR_GOLD.read_text())[case.name]
    assert answer.f_vector == (gold["vertices"], gold["edges"], gold["cells"])
    assert answer.linear_regions == gold["linear_regions"]


@pytest.mark.parametrize("seed", seeds(range(0, 400, 50), range(0, 400, 10)))
def test_planar_twin(seed: int) -> None:
    recipe = random_case(seed).recipe
    answer, planar = tessellate_space(recipe, (-1, -1), (1, 1)), tessellate(recipe, SQUARE)
    assert sorted((c.volume, sorted(map(sorted, c.pattern))) for c in answer.cells) == sorted(
        (c.area, sorted(map(sorted, c.pattern))) for c in planar.cells
    )
    assert answer.class_volumes() == planar.class_areas()


@pytest.mark.parametrize(("dimension", "n"), [(1, 3), (2, 5), (3, 1), (3, 3), (3, 6), (4, 5)])
def test_zaslavsky_in_general_position(dimension: int, n: int) -> None:
    rng = np.random.default_rng(n)
    recipe = mlp([rng.normal(size=(n, dimension)), np.ones((1, n))], [rng.normal(size=n), [0.0]])
    wide = tessellate_space(recipe, [-1e6] * dimension, [1e6] * dimension)
    assert len(wide) == sum(comb(n, k) for k in range(dimension + 1))
    inside = sum(all(abs(x) < 10**6 * v[-1] for x in v[:-1]) for v in wide.vertices)
    assert inside == comb(n, dimension)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_central_planes(n: int) -> None:
    recipe = mlp([np.random.default_rng(n).normal(size=(n, 3)), np.ones((1, n))], [np.zeros(n), [0.0]])
    assert len(tessellate_space(recipe, *CUBE)) == 2 * sum(comb(n - 1, k) for k in range(3))


def test_self_similar_nets() -> None:
    for dimension, depth in ((1, 4), (3, 1), (4, 1)):
        answer = tessellate_space(hats(depth, dimension), [0] * dimension, [1] * dimension)
        assert {cell.volume for cell in answer.cells} == {Fraction(1, 2 ** (depth * dimension))}
        grid = 2**depth
        per_dimension = [comb(dimension, k) * grid**k * (grid + 1) ** (dimension - k) for k in range(dimension + 1)]
        assert answer.f_vector == tuple(per_dimension)
    assert len(tessellate_space(folding(1), *CUBE)) == 64


def test_octants_and_pyramids_by_hand() -> None:
    octants = tessellate_space(mlp([np.eye(3), np.ones((1, 3))], [np.zeros(3), [0.0]]), *CUBE)
    assert octants.f_vector == (27, 54, 36, 8)
    assert {cell.volume for cell in octants.cells} == {1}
    pyramids = BY_NAME["maximum_pyramids"].exact
    assert {cell.volume for cell in pyramids.cells} == {Fraction(4, 3)}
    assert {len(cell.polytope.vertices) for cell in pyramids.cells} == {5}
    assert pyramids.volume_above() == 7


def test_polytope_by_hand() -> None:
    cube = box([0, 0, 0], [1, 1, 1])
    assert cube.volume == 1
    assert [len(level) for level in cube.faces] == [8, 12, 6, 1]
    corner, rest, vanishes = cube.split((1, 1, 1, -1))
    assert not vanishes
    assert corner is not None
    assert rest is not None
    assert (corner.volume, rest.volume) == (Fraction(1, 6), Fraction(5, 6))
    assert [len(level) for level in corner.faces] == [4, 6, 4, 1]
    assert [len(level) for level in rest.faces] == [7, 12, 7, 1]
    assert cube.split((1, 0, 0, 0)) == (None, cube, False)
    assert cube.split((0, 0, 0, 0)) == (None, None, True)
    assert simplex_volume([point(p) for p in ((0, 0), (2, 0), (0, 2))]) == 2
    assert box([0] * 4, [2] * 4).volume == 16


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_gold_values_are_the_twins(name: str) -> None:
    assert summary(BY_NAME[name]) == json.loads(GOLD.read_text())[name]


@EVERY
def test_cells_tile_the_box(case: SpaceCase) -> None:
    answer = case.exact
    whole = prod(Fraction(high) - Fraction(low) for low, high in zip(*case.box, strict=True))
    assert sum(cell.volume for cell in answer.cells) == whole == sum(answer.class_volumes())
    assert sum((-1) ** k * number for k, number in enumerate(answer.f_vector)) == 1
    for facet, beside in answer.faces[-2].items():
        assert 1 <= len(beside) <= 2
        signals = [answer.cells[index].output for index in beside]
        for vertex in facet:
            values = {
                tuple(Fraction(sum(a * b for a, b in zip(form, vertex, strict=True)), s.scale) for form in s.forms)
                for s in signals
            }
            assert len(values) == 1
        if len(beside) == 2:
            patterns = [answer.cells[index].pattern for index in beside]
            assert any(not left & right for left, right in zip(*patterns, strict=True))


@EVERY
def test_grid_patterns_are_cells(case: SpaceCase) -> None:
    answer = case.exact
    low, high = (np.array(end) for end in case.box)
    steps = (np.arange(7) + 0.5123456789) / 7
    points = low + (high - low) * np.array(list(product(steps, repeat=3)))
    owner = answer.owners(points)
    values = evaluate(case.recipe, case.embed(points))
    column = 0
    for step in case.recipe.steps:
        if isinstance(step, Fold) and (kind := merge_pieces(step.kind)).breakpoints:
            for x in values[step.source].T:
                gap = np.abs(x[:, None] - kind.breakpoints).min(axis=1) / (1e-300 + np.abs(x).max())
                pieces = np.searchsorted(kind.breakpoints, x)
                _assert_admissible(answer, owner, column, pieces, gap)
                column += 1
        elif isinstance(step, Maximum):
            padded = np.concatenate([values[step.source], np.full((len(points), 1), -np.inf)], axis=1)
            for group in step.groups:
                ranked = np.sort(padded[:, group], axis=1)
                gap = ranked[:, -1] - ranked[:, -2] if len(group) > 1 else np.ones(len(points))
                _assert_admissible(answer, owner, column, padded[:, group].argmax(axis=1), gap)
                column += 1
    assert column == len(answer.cells[0].pattern)


def _assert_admissible(answer, owner, column, pieces, gap) -> None:  # type: ignore[no-untyped-def]
    for index, piece, margin in zip(owner, pieces, gap, strict=True):
        assert int(piece) in answer.cells[index].pattern[column] or margin < 1e-6
