"""Decision boundaries of planes where outputs tie, are far larger elsewhere, or are tiny: lost and misplaced ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import ArrayLike

import splinescope
from splinescope.tessellation.boundary import class_areas
from splinescope.tessellation.planar.complex import PlanarComplex
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])


def plane(weights: list[ArrayLike], biases: list[ArrayLike]) -> PlanarComplex:
    """The cells of a network with one hidden layer in the square."""
    cells = splinescope.tessellate(to_network(mlp(weights, biases)), SQUARE, verify="proof")
    assert isinstance(cells, PlanarComplex)
    return cells


def lengths(cells: PlanarComplex) -> dict[tuple[int, int], float]:
    """Length of the boundary between each two classes."""
    boundary = splinescope.decision_boundary(cells)
    found: dict[tuple[int, int], float] = {}
    for length, pair in zip(boundary.lengths.tolist(), np.sort(boundary.classes, axis=1).tolist(), strict=True):
        found[pair[0], pair[1]] = found.get((pair[0], pair[1]), 0.0) + length
    return found


@pytest.mark.parametrize(
    ("rows", "offsets", "pair", "areas"),
    [
        ([[0, 0], [1, 0], [-1, 0]], [0, -2, 2], (1, 2), [0, 2, 2]),
        ([[1, 0], [0, 0], [-1, 0]], [-2, 0, 2], (0, 2), [2, 0, 2]),
        ([[0, 0], [1, 0], [-1, 0]], [0.5, -2, 3], (1, 2), [0, 1, 3]),
        ([[1, 0], [-1, 0], [0, 0], [0, 0]], [-2, 2, 0, 0], (0, 1), [2, 2, 0, 0]),
    ],
)
def test_three_outputs_that_tie_along_a_line(
    rows: ArrayLike, offsets: ArrayLike, pair: tuple[int, int], areas: list[float]
) -> None:
    """The boundary was named after the one that leads nowhere, or left out as its business."""
    cells = plane([np.eye(2), rows], [[2, 2], offsets])
    assert lengths(cells) == pytest.approx({pair: 2.0})
    assert class_areas(cells).tolist() == pytest.approx(areas)


@pytest.mark.parametrize("size", [1e12, 1e14, 1e16, 1e30])
def test_an_output_that_is_far_below_the_others(size: float) -> None:
    """Errors of (x + 2, y + 2, -size (x + y + 4)) were those of the third: the first two were equal."""
    cells = plane([[[1, 0], [0, 1], [1, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, -size]]], [[2, 2, 4], [0, 0, 0]])
    assert lengths(cells) == pytest.approx({(0, 1): np.sqrt(8)})
    assert class_areas(cells).tolist() == pytest.approx([2, 2, 0])


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("scale", [1e-140, 1e-180, 1e-250, 1e-300])
@pytest.mark.parametrize("seed", range(3))
def test_tiny_outputs(seed: int, scale: float, outputs: int) -> None:
    """A product of two of them is zero."""
    rng = np.random.default_rng(seed)
    first, last, bias = rng.normal(size=(4, 2)), rng.normal(size=(outputs, 4)), rng.normal(size=4) * 0.3
    whole, tiny = (plane([first, last * factor], [bias, np.zeros(outputs)]) for factor in (1.0, scale))
    assert lengths(tiny) == pytest.approx(lengths(whole), rel=1e-9)
    assert class_areas(tiny).tolist() == pytest.approx(class_areas(whole).tolist(), rel=1e-9)


@pytest.mark.parametrize("exponent", [10, 12, 14, 16, 30])
def test_a_boundary_beside_a_steep_cell(exponent: int) -> None:
    """One weight of 1e14: where an edge is cut near its far end, the share of the way from there has no digits left."""
    rng = np.random.default_rng(7)
    first, bias, last = rng.normal(size=(5, 2)), rng.normal(size=5) * 0.5, rng.normal(size=(3, 5))
    place = rng.integers(3), rng.integers(5)
    last[place] *= 10.0**exponent
    found = lengths(plane([first, last], [bias, rng.normal(size=3) * 0.1]))
    exact = {10: 0.790488969049, 12: 0.790488968732, 14: 0.790488968729}  # in rational arithmetic
    assert found[0, 1] == pytest.approx(exact.get(exponent, 0.790488968729), rel=3e-12)


def test_a_sliver_of_a_class_along_an_edge() -> None:
    """Beyond an edge the second output rises by 1e15: a strip of the third one is left, narrower than coordinates."""
    rows = [[0.0, 0.0, 0.0], [1.0, 0.0, 1e16], [0.0, 0.0, 0.0]]
    cells = plane([[[1, 0], [-1, 0], [0, 1]], rows], [[2, 2, 0], [-5, -2, 0]])
    assert lengths(cells)[1, 2] == pytest.approx(2.0)


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("small", [1e-290, 1e-100, 1.0])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_small_outputs_change_the_lead_beside_a_large_one(
    order: tuple[int, int, int], small: float, folded: bool
) -> None:
    """Of (y, -y, -1e100 x) the third is tied with both others, as far as is known, along all of x = 0."""
    hidden, biases = ([[1, 0], [0, 1]], [2, 2])
    rows, offsets = np.array([[0, small], [0, -small], [-1e100, 0]]), np.array([-2 * small, 2 * small, 2e100])
    if folded:
        hidden, biases, offsets[2] = [[1, 0], [-1, 0], [0, 1]], [0, 0, 2], 0.0
        rows = np.array([[0, 0, small], [0, 0, -small], [-1e100, 1e100, 0]])
    cells = plane([hidden, rows[list(order)]], [biases, offsets[list(order)]])
    first, second, third = np.argsort(order).tolist()
    expected = {(min(pair), max(pair)): 1.0 for pair in [(first, second), (first, third), (second, third)]}
    assert lengths(cells) == pytest.approx(expected)
    assert class_areas(cells)[[first, second, third]].tolist() == pytest.approx([1, 1, 2])
