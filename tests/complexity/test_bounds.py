"""Bounds: gold values, naive twins, order among themselves, and real arrangements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import splinescope
from splinescope.complexity.theory.arrangements import (
    LinesInWindow,
    buck_bounded,
    layer_upper,
    lines_in_window,
    mean_degree_upper,
    shallow_mean_degree,
    zaslavsky,
    zaslavsky_central,
)
from splinescope.complexity.theory.bounds import (
    hanin_rolnick_average,
    montufar_2014_lower,
    montufar_2017_upper,
    serra_2018_lower,
    serra_2018_upper,
    telgarsky_upper,
    trivial_upper,
)
from splinescope.errors import InvalidInputError
from tests.fixtures.cases import HEXAGON, SQUARE
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp

widths = st.lists(st.integers(1, 7), min_size=1, max_size=4)
dimensions = st.integers(1, 5)


@pytest.mark.parametrize(
    ("dimension", "layers", "lower", "upper"),
    [
        (2, [4, 4], 44, 121),
        (2, [8, 8], 592, 1369),
        (2, [20] * 4, 211_000_000, 1_982_119_441),
        (1, [2, 2, 2], 12, 27),
    ],
)
def test_gold(dimension: int, layers: list[int], lower: int, upper: int) -> None:
    assert montufar_2014_lower(dimension, layers) == lower
    assert serra_2018_upper(dimension, layers) == upper
    assert montufar_2017_upper(dimension, layers) == upper


def test_gaines_bi_table() -> None:
    for dimension, regions, degrees in (
        (4, [16, 163, 2517], [4.00, 6.28, 7.32]),
        (5, [16, 219, 6885], [4.00, 7.23, 9.02]),
    ):
        assert [zaslavsky(n, dimension) for n in (4, 8, 16)] == regions
        assert [round(float(shallow_mean_degree(n, dimension)), 2) for n in (4, 8, 16)] == degrees
        assert all(shallow_mean_degree(n, dimension) <= mean_degree_upper(dimension) for n in range(60))
    assert float(shallow_mean_degree(10**6, 4)) == pytest.approx(8, rel=1e-5), "it tends to 2d"


def naive_serra(dimension: int, layers: list[int]) -> int:
    """The sum over all index tuples, term by term."""
    total = 0
    for js in itertools.product(*(range(n + 1) for n in layers)):
        left, term = dimension, 1
        for j, n in zip(js, layers, strict=True):
            if j > min(left, n):
                term = 0
                break
            term *= math.comb(n, j)
            left = min(left, n - j)
        total += term
    return total


@given(dimensions, widths)
def test_serra_is_the_sum_over_all_indices(dimension: int, layers: list[int]) -> None:
    assert serra_2018_upper(dimension, layers) == naive_serra(dimension, layers)


@given(dimensions, st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_order(dimension: int, layers: list[int]) -> None:
    upper = serra_2018_upper(dimension, layers)
    assert upper <= montufar_2017_upper(dimension, layers) <= trivial_upper([2] * sum(layers))
    if min(layers) >= dimension:
        assert montufar_2014_lower(dimension, layers) <= upper
    if min(layers) >= 3 * dimension:
        assert montufar_2014_lower(dimension, layers) <= serra_2018_lower(dimension, layers) <= upper
    assert montufar_2017_upper(1, layers) == math.prod(n + 1 for n in layers) <= telgarsky_upper(layers)
    if len(layers) == 1:
        assert upper == zaslavsky(layers[0], dimension)


@given(st.lists(st.integers(3, 30), min_size=1, max_size=5))
def test_serra_is_exact_on_a_line(layers: list[int]) -> None:
    assert serra_2018_lower(1, layers) == serra_2018_upper(1, layers) == math.prod(n + 1 for n in layers)


@given(st.integers(1, 12), dimensions)
def test_arrangements(hyperplanes: int, dimension: int) -> None:
    """Z obeys deletion and restriction, and its bounded and central parts are consistent with it."""
    n, d = hyperplanes, dimension
    assert zaslavsky(n, d) == zaslavsky(n - 1, d) + zaslavsky(n - 1, d - 1)
    assert buck_bounded(n, d) == sum((-1) ** (d - i) * math.comb(n, i) for i in range(d + 1)) * 1
    assert zaslavsky(n, d) == 2**n if n <= d else zaslavsky(n, d) < 2**n
    assert zaslavsky_central(n, d) == zaslavsky(n - 1, d - 1) * 2
    assert zaslavsky(n, d) - buck_bounded(n, d) == zaslavsky_central(n, d), "unbounded regions, seen from far away"


@given(st.lists(st.integers(1, 4), min_size=0, max_size=6), st.integers(0, 4))
def test_layers_of_many_pieces(pieces: list[int], dimension: int) -> None:
    """Elementary symmetric polynomials, by all subsets."""
    subsets = itertools.chain.from_iterable(itertools.combinations(pieces, j) for j in range(dimension + 1))
    assert layer_upper(pieces, dimension) == sum(math.prod(p - 1 for p in subset) for subset in subsets)
    assert layer_upper(pieces, dimension) <= trivial_upper(pieces)


def test_parallel_classes_reach_the_layer_bound() -> None:
    """Units of two breakpoints in general position: a grid of classes of two parallel lines, all in the window."""
    rng = np.random.default_rng(5)
    angles = rng.uniform(0, np.pi, 6)
    normals = np.repeat(np.column_stack([np.cos(angles), np.sin(angles)]), 2, axis=0)
    lines = np.column_stack([normals, rng.normal(size=12)])
    window = 1e6 * np.asarray(SQUARE, dtype=np.float64)
    assert lines_in_window(lines, window).regions == layer_upper([3] * 6, 2) == 1 + 12 + 15 * 4


def test_hanin_rolnick() -> None:
    assert hanin_rolnick_average(60, 2) == 1800
    assert hanin_rolnick_average(10, 3, constant=2, volume=Fraction(1, 2)) == Fraction(8000, 12)
    assert float(hanin_rolnick_average(10**4, 3) / zaslavsky(10**4, 3)) == pytest.approx(1, rel=1e-3)


def test_large_networks_finish() -> None:
    assert math.log10(serra_2018_upper(784, [256] * 6)) == pytest.approx(6 * 256 * math.log10(2), rel=0.1)
    assert math.log10(montufar_2017_upper(2, [16384] * 20)) == pytest.approx(20 * math.log10(16384**2 / 2), rel=1e-4)


@pytest.mark.parametrize("polygon", [SQUARE, HEXAGON])
@pytest.mark.parametrize("units", [1, 5, 30])
def test_lines_in_a_window_are_the_cells_of_one_layer(polygon: object, units: int) -> None:
    rng = np.random.default_rng(units)
    lines = np.column_stack([rng.normal(size=(units, 2)), 0.8 * rng.normal(size=units)])
    network = to_network(mlp([lines[:, :2], np.ones((1, units))], [lines[:, 2], np.zeros(1)]))
    corners = np.asarray(polygon, dtype=np.float64)
    cells = splinescope.tessellate(network, splinescope.Slice(np.zeros(2), np.eye(2), corners))
    found = lines_in_window(lines, corners)
    assert found.regions == len(cells) <= zaslavsky(units, 2)
    assert found.lines == len(np.unique(cells.edge_unit[cells.edge_op >= 0]))


def test_window_in_closed_form() -> None:
    square = np.asarray(SQUARE, dtype=np.float64)
    grid = np.array([[1, 0, -0.5], [1, 0, 0.5], [0, 1, 0.0], [1, 1, -3.0]])
    assert lines_in_window(grid, square) == LinesInWindow(lines=3, crossings=2)
    assert lines_in_window(np.zeros((0, 3)), square).regions == 1
    touching = np.array([[1, 0, -1], [1, 0, 1], [1, 1, 2], [1, 1, -2.0]])
    assert lines_in_window(touching, square).regions == 1, "sides and corners of the window"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zaslavsky(-1, 2), "`hyperplanes`: got -1; expected an integer of at least 0"),
        (lambda: buck_bounded(3, 0), "`dimension`: got 0; expected an integer of at least 1"),
        (lambda: montufar_2014_lower(3, [4, 2]), "`widths`: got 2; expected an integer of at least 3"),
        (lambda: serra_2018_lower(2, [8, 5]), "`widths`: got 5; expected an integer of at least 6"),
        (lambda: montufar_2014_lower(2, []), "`widths`: got none"),
        (lambda: trivial_upper([2, 0]), "`pieces`: got 0; expected an integer of at least 1"),
        (lambda: hanin_rolnick_average(3, 2, constant=-1.0), "`constant`: got -1.0; expected a finite number"),
        (lambda: hanin_rolnick_average(3, 2, volume=math.inf), "`volume`: got inf; expected a finite number"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call()
