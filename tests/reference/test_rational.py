"""The rational twin itself: against reference counts, closed forms, and float64 evaluation on grids."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.cases import HEXAGON, SQUARE, Case
from tests.fixtures.degenerate import BY_NAME, CASES
from tests.fixtures.degenerate_compositions import folding, hats
from tests.fixtures.freeze import GOLD, exact, summary
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import RELU, Builder, Fold, Maximum, clip, evaluate, mlp
from tests.fixtures.reference_nets import load_mlp
from tests.reference.exact_polygon import area, point, value
from tests.reference.grids import grid, owners
from tests.reference.rational import merge_pieces, tessellate
from tests.seeds import every

NAMES = sorted(BY_NAME)


def near_pieces(case: Case, points: np.ndarray) -> list[list[tuple[int, float]]]:
    """For each point, the piece of each unit and how far (relatively) the point is from a change."""
    values = evaluate(case.recipe, case.embed(points))
    columns: list[list[tuple[int, float]]] = []
    for step in case.recipe.steps:
        if isinstance(step, Fold) and (kind := merge_pieces(step.kind)).breakpoints:
            for x in values[step.source].T:
                distance = np.abs(x[:, None] - np.asarray(kind.breakpoints)).min(axis=1) / (1e-300 + np.abs(x).max())
                columns.append(list(zip(np.searchsorted(kind.breakpoints, x).tolist(), distance.tolist(), strict=True)))
        elif isinstance(step, Maximum):
            padded = np.concatenate([values[step.source], np.full((len(points), 1), -np.inf)], axis=1)
            for group in step.groups:
                ranked = np.sort(padded[:, group], axis=1)
                gap = ranked[:, -1] - ranked[:, -2] if len(group) > 1 else np.ones(len(points))
                columns.append(list(zip(padded[:, group].argmax(axis=1).tolist(), gap.tolist(), strict=True)))
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in points]


@pytest.mark.parametrize(
    ("name", "cells", "vertices"), [("N0", 86, 105), ("Z0", 66, None), ("DUP", 63, None), ("AX", 39, None)]
)
def test_reference_counts(name: str, cells: int, vertices: int | None) -> None:
    answer = tessellate(load_mlp(name), SQUARE)
    assert len(answer) == cells
    assert vertices is None or len(answer.vertices) == vertices


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_zaslavsky_in_general_position(n: int) -> None:
    rng = np.random.default_rng(n)
    recipe = mlp([rng.normal(size=(n, 2)), np.ones((1, n))], [rng.normal(size=n), [0.0]])
    wide = [(1e6 * x, 1e6 * y) for x, y in SQUARE]
    assert len(tessellate(recipe, wide)) == 1 + n + comb(n, 2)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_central_lines(n: int) -> None:
    recipe = mlp([np.random.default_rng(n).normal(size=(n, 2)), np.ones((1, n))], [np.zeros(n), [0.0]])
    assert len(tessellate(recipe, HEXAGON)) == 2 * n


def test_self_similar_nets() -> None:
    unit = ((0, 0), (1, 0), (1, 1), (0, 1))
    assert [len(tessellate(hats(depth), unit)) for depth in (1, 2, 3)] == [4, 16, 64]
    assert [len(tessellate(folding(depth), SQUARE)) for depth in (1, 2)] == [16, 64]


def test_clip_and_maximum_by_hand() -> None:
    builder = Builder()
    builder.layer([[1, 0]], [0.0], clip(-0.5, 0.5))
    strip = tessellate(builder.build(), SQUARE)
    assert [float(cell.area) for cell in strip.cells] == [1.0, 2.0, 1.0]
    assert strip.extremes() == [(-0.5, 0.5)]
    builder = Builder()
    builder.dense([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 0]])
    builder.maximum([range(5)])
    pyramid = tessellate(builder.build(), SQUARE)
    assert [float(cell.area) for cell in pyramid.cells] == [1.0] * 4
    assert pyramid.cells[0].pattern == (frozenset({0, 4}),)


def test_class_areas_by_hand() -> None:
    halves = tessellate(mlp([[[1, 0], [0, 1]]], [[0.0, 0.0]]), SQUARE)
    assert [float(part) for part in halves.class_areas()] == [2.0, 2.0]
    sign = tessellate(mlp([[[1, 0]]], [[0.5]]), SQUARE)
    assert [float(part) for part in sign.class_areas()] == [1.0, 3.0]


def test_linear_regions_merge_duplicate_maps() -> None:
    identity = mlp([[[1, 0], [-1, 0]], [[1, -1]]], [[0.0, 0.0], [0.0]])
    answer = tessellate(identity, SQUARE)
    assert (len(answer), answer.linear_regions) == (2, 1)


@pytest.mark.parametrize("name", NAMES)
def test_gold_values_are_the_twins(name: str) -> None:
    assert summary(BY_NAME[name]) == json.loads(Path(GOLD).read_text())[name]


@pytest.mark.parametrize("case", every(4, [*CASES, *map(random_case, range(20))]), ids=lambda case: case.name)
def test_cells_tile_the_polygon(case: Case) -> None:
    answer = exact(case)
    assert sum(cell.area for cell in answer.cells) == area(tuple(point(*corner) for corner in case.polygon))
    assert len(answer.vertices) - len(answer.segments) + len(answer) == 1
    assert all(cell.area > 0 for cell in answer.cells)
    assert sum(answer.class_areas()) == sum(cell.area for cell in answer.cells)
    for ends, beside in answer.segments.items():
        assert 1 <= len(beside) <= 2
        signals = [answer.cells[index].output for index in beside]
        for end in ends:
            assert len({tuple(value(f, end) * signals[0].scale for f in s.forms) for s in signals}) == 1
        if len(beside) == 2:
            patterns = [answer.cells[index].pattern for index in beside]
            assert any(not left & right for left, right in zip(*patterns, strict=True))


@pytest.mark.parametrize("case", every(4, [*CASES, *map(random_case, range(20))]), ids=lambda case: case.name)
def test_grid_patterns_are_cells(case: Case) -> None:
    answer = exact(case)
    points = grid(case.polygon)
    owner = owners(answer, points)
    nodes = evaluate(case.recipe, case.embed(points))
    outputs = nodes[-1]
    for index, row in zip(owner, near_pieces(case, points), strict=True):
        pattern = answer.cells[index].pattern
        assert len(pattern) == len(row)
        assert all(piece in choices or margin < 1e-6 for (piece, margin), choices in zip(row, pattern, strict=True))
    maps = np.array([[[float(entry) for entry in row] for row in cell.affine_map] for cell in answer.cells])[owner]
    predicted = np.einsum("nij,nj->ni", maps[..., :2], points) + maps[..., 2]
    scale = np.abs(outputs).max() + np.abs(maps).max() * np.abs(points).max()
    np.testing.assert_allclose(
        predicted, outputs, rtol=0, atol=1e-9 * scale + 1e-14 * max(np.abs(x).max() for x in nodes[1:])
    )


def test_activations_of_one_cell_may_be_said_either_way() -> None:
    both = tessellate(mlp([[[1, 0], [0, 0]], [[1, 1]]], [[0.0, 0.0], [0.0]], RELU), SQUARE)
    assert [cell.pattern[1] for cell in both.cells] == [frozenset({0, 1})] * 2
