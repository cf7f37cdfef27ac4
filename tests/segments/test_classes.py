"""Classes along segments against rationals, where outputs are far larger elsewhere on the segment."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.boundary import cell_classes, decision_boundary
from splinescope.tessellation.segments import ClassIntervals, class_intervals, misclassified, tessellate_segments
from splinescope.tessellation.segments.queries import leading
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Recipe, mlp
from tests.reference.contests import exact_classes

RAMPS = [1.0, 1e15, 1e16, 1e20, 1e100]


def hat(ramp: float, classes: int) -> Recipe:
    """|x| - 1/2 + ramp relu(x - 0.9), as one output, or as the second of several beside zero."""
    rows = np.zeros((classes, 3))
    rows[min(1, classes - 1)] = [1.0, 1.0, ramp]
    offsets = np.zeros(classes)
    offsets[min(1, classes - 1)] = -0.5
    return mlp([[[1], [-1], [1]], rows.tolist()], [[0, 0, -0.9], offsets.tolist()])


def scaled(rng: np.random.Generator, scales: bool) -> tuple[Recipe, int]:
    """A random network; rows and columns of some are 1e-15 to 1e15 times as large, and some have outputs twice."""
    inputs, depth, outputs = (int(n) for n in (rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 5)))
    sizes = [inputs, *rng.integers(2, 6, size=depth).tolist(), outputs]
    whole = rng.random() < 0.3
    weights, biases = [], []
    for columns, rows in pairwise(sizes):
        weight = rng.integers(-3, 4, (rows, columns)).astype(float) if whole else rng.normal(size=(rows, columns))
        bias = rng.integers(-2, 3, rows) / 2 if whole else 0.5 * rng.normal(size=rows)
        if scales:
            above, below = (10.0 ** (rng.uniform(-15, 15, n) * (rng.random(n) < 0.4)) for n in (rows, columns))
            weight, bias = weight * above[:, None], bias * above
            weight = weight * below if rows == sizes[-1] else weight
        weights.append(weight)
        biases.append(bias)
    if outputs > 1 and rng.random() < 0.3:
        weights[-1][-1], biases[-1][-1] = weights[-1][0], biases[-1][0]
    return mlp([w.tolist() for w in weights], [b.tolist() for b in biases]), inputs


def check(found: ClassIntervals, recipe: Recipe, ends: np.ndarray, classes: list[int] | None = None) -> int:
    """The intervals are the exact ones; how many there are."""
    known = exact_classes(recipe, *ends, classes)
    assert found.classes.tolist() == [label for _, label in known]
    np.testing.assert_allclose(found.start, [float(t) for t, _ in known], rtol=0, atol=1e-14)
    return len(known)


@pytest.mark.parametrize("classes", [1, 2, 4])
@pytest.mark.parametrize("ramp", RAMPS)
def test_beside_a_steep_ramp(ramp: float, classes: int) -> None:
    """The boundary had one interval at a slope of 1e15."""
    recipe = hat(ramp, classes)
    cells = splinescope.tessellate(to_network(recipe), splinescope.Segment([-1.0], [1.0]))
    found = decision_boundary(cells)
    assert check(found, recipe, np.array([[-1.0], [1.0]])) == 3
    np.testing.assert_allclose(found.start, [0.0, 0.25, 0.75], rtol=1e-15)
    assert cell_classes(cells).tolist() == [0, 0, 1]
    assert misclassified(cells, 1).start.tolist() == pytest.approx([0.25], rel=1e-15)


@pytest.mark.parametrize("seed", range(150))
def test_against_rationals(seed: int) -> None:
    """Of 400 of these, five had other classes, among them some without any ramp."""
    rng = np.random.default_rng(seed)
    recipe, inputs = scaled(rng, scales=seed % 3 > 0)
    ends = rng.normal(size=(2, inputs))
    cells = splinescope.tessellate(to_network(recipe), splinescope.Segment(*ends), verify="topology")
    check(class_intervals(cells), recipe, ends)
    outputs = cells.vertex_outputs.shape[1]
    if outputs > 2:  # some of the classes
        some = sorted(rng.choice(outputs, 2, replace=False).tolist())
        check(class_intervals(cells, some), recipe, ends, some)


@pytest.mark.parametrize("seed", range(4))
def test_many_segments_of_all_sizes(seed: int) -> None:
    """A segment of a batch has the classes that it has alone, whatever values the others take."""
    rng = np.random.default_rng(seed)
    recipe, inputs = scaled(rng, scales=True)
    ends = rng.normal(size=(2, 12, inputs)) * 10.0 ** rng.uniform(-6, 6, (1, 12, 1))
    batch = tessellate_segments(to_network(recipe), *ends, verify="topology")
    found = class_intervals(batch)
    for number in range(len(batch)):
        check(found.chosen(found.segments == number), recipe, ends[:, number])


@pytest.mark.parametrize("ramp", [1.0, 1e15])
def test_ties_on_intervals(ramp: float) -> None:
    """relu(x) / 3 computed in two ways, beside a ramp: equal left of zero and right of it, and the first one counts."""
    rows = [[1 / 3, 0, 0], [0, 1 / 3, 0], [0, 0, ramp]]
    recipe = mlp([[[1], [1], [1]], rows], [[0, 0, -0.9], [0, 0, 0]])
    cells = splinescope.tessellate(to_network(recipe), splinescope.Segment([-1.0], [2.0]))
    assert check(decision_boundary(cells), recipe, np.array([[-1.0], [2.0]])) == 2
    assert decision_boundary(cells).classes.tolist() == [0, 2]


def test_a_lead_that_float64_does_not_see() -> None:
    """1 and 1 + x - x + 2^-80: the second one leads everywhere by what no float64 value shows."""
    recipe = mlp([[[1], [1]], [[0, 0], [1, -1]]], [[2, 2], [1, 1]])
    network = to_network(recipe)
    small = to_network(mlp([[[1], [1], [0]], [[0, 0, 0], [1, -1, 2.0**-80]]], [[2, 2, 1], [1, 1]]))
    segment = splinescope.Segment([-1.0], [1.0])
    assert decision_boundary(splinescope.tessellate(network, segment)).classes.tolist() == [0]
    assert decision_boundary(splinescope.tessellate(small, segment)).classes.tolist() == [1]


@pytest.mark.parametrize("ramp", [1.0, 1e15])
def test_what_takes_too_long_is_counted(monkeypatch: pytest.MonkeyPatch, ramp: float) -> None:
    recipe = hat(ramp, 2)
    cells = splinescope.tessellate(to_network(recipe), splinescope.Segment([-1.0], [1.0]))
    assert class_intervals(cells).undecided == 0
    monkeypatch.setattr(leading, "_LARGEST_CELL", 0)
    found = class_intervals(cells)
    assert found.undecided == 2 * (ramp > 1)
    assert misclassified(cells, 1).undecided == found.undecided
    assert found.classes.tolist() == [1, 0, 1]


def test_cells_have_the_class_of_their_middle() -> None:
    """One output from 1e15 to -1e15 less a little: the mean of both ends said zero."""
    recipe = mlp([[[1.0]], [[1e15]]], [[2.0], [-2e15 + 0.25]])
    cells = splinescope.tessellate(to_network(recipe), splinescope.Segment([-1.0], [1.0 - 2.0**-52]))
    assert cell_classes(cells).tolist() == [1]
    tied = splinescope.tessellate(
        to_network(mlp([[[1.0]], [[1.0]]], [[2.0], [-2.0]])), splinescope.Segment([-1.0], [1.0])
    )
    assert cell_classes(tied).tolist() == [0]
