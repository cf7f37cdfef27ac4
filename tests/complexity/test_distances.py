"""Distances to folds and decision boundaries in a plane: exact, and by the local formula."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

import splinescope
from splinescope.complexity.distances.local_formula import local_distances, unit_distances
from splinescope.complexity.distances.planar import boundary_distances, fold_distances
from splinescope.errors import InvalidInputError
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, Builder, clip, evaluate, leaky, mlp
from tests.fixtures.reference_nets import path_of
from tests.queries.scenes import SCENES, SKEW, complex_of, gaussian, sample, scene

GRID = 400


def crossings(cells: splinescope.PolyhedralComplex, values: np.ndarray, low: np.ndarray, step: np.ndarray) -> cKDTree:
    """Places on a grid between neighbours of which `values` [n, n, k] have different signs for some k."""
    places = []
    for axis in (0, 1):
        one, two = (np.take(values, range(start, GRID - 1 + start), axis=axis) for start in (0, 1))
        where = np.argwhere((np.sign(one) != np.sign(two)).any(axis=2)).astype(float)
        where[:, axis] += 0.5
        places.append(low + step * where)
    return cKDTree(np.concatenate(places))


def grid_of(cells: splinescope.PolyhedralComplex) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points [n, n, 2], lower corner and step of a dense grid around the domain."""
    corners = np.asarray(cells.domain.polygon)
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = (high - low) / (GRID - 1)
    return low + step * np.stack(np.meshgrid(*2 * [np.arange(GRID)], indexing="ij"), axis=-1), low, step


@pytest.mark.parametrize("name", ["plane", "one output", "ten classes"])
def test_against_a_dense_grid(name: str) -> None:
    """Every distance is that to the nearest change of sign on the grid, up to the grid's step."""
    recipe, cells = scene(name)
    points = sample(cells, 200)
    places, low, step = grid_of(cells)
    values = evaluate(recipe, places.reshape(-1, 2))
    for layer, (node, _, _) in enumerate(cells.pattern_nodes):
        tree = crossings(cells, values[1 + 2 * layer].reshape(GRID, GRID, -1), low, step)
        found = fold_distances(cells, points, op=node)
        np.testing.assert_allclose(found.exact, tree.query(points)[0], atol=2 * step.max())
    outputs = values[-1].reshape(GRID, GRID, -1)
    labels = outputs.argmax(axis=2) if outputs.shape[2] > 1 else outputs[:, :, 0] > 0
    tree = crossings(cells, np.where(labels[:, :, None] == np.arange(outputs.shape[2]), 1.0, -1.0), low, step)
    np.testing.assert_allclose(boundary_distances(cells, points).exact, tree.query(points)[0], atol=2 * step.max())


@pytest.mark.parametrize("name", SCENES)
def test_over_all_units_the_local_formula_is_exact(name: str) -> None:
    _, cells = scene(name)
    points = sample(cells, 2000)
    found = fold_distances(cells, points)
    assert found.known.sum() > 500
    assert not found.wrong.any()
    np.testing.assert_allclose(found.local[found.known], found.exact[found.known], rtol=1e-8)
    assert (found.local <= (1 + 1e-8) * found.exact).all()


@pytest.mark.parametrize("name", SCENES)
def test_for_one_layer_it_is_exact_where_it_says_so(name: str) -> None:
    _, cells = scene(name)
    points = sample(cells, 2000)
    local = local_distances(cells.network, points, cells.domain)
    assert local.certain[:, 0].all()
    assert not local.certain[:, 1].all()
    for layer, (node, _, _) in enumerate(cells.pattern_nodes):
        found = fold_distances(cells, points, op=node)
        np.testing.assert_array_equal(found.local, local.layers[:, layer])
        assert not (found.wrong & local.certain[:, layer]).any()
        assert (local.lower[:, layer] <= (1 + 1e-8) * np.maximum(found.exact, found.border)).all()
        assert found.wrong.any() == (layer > 0), "the first layer's folds are straight, the second's bend"
    boundary = boundary_distances(cells, points)
    assert not (boundary.wrong & local.boundary_certain).any()
    assert boundary.wrong.any()


@pytest.mark.parametrize("name", SCENES)
def test_nearest_points_lie_on_folds(name: str) -> None:
    recipe, cells = scene(name)
    points = sample(cells, 100)
    found = fold_distances(cells, points)
    inputs = cells.domain.origin.ravel() + found.nearest @ cells.domain.basis.reshape(2, -1)
    values = evaluate(recipe, inputs)
    for row, edge in enumerate(found.elements):
        op, unit = cells.edge_op[edge], cells.edge_unit[edge]
        assert abs(values[cells.network.nodes[op].inputs[0]][row, unit]) < 1e-10
    steps = (found.nearest - points) @ cells.domain.basis.reshape(2, -1)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), found.exact, rtol=1e-10)


def test_one_unit() -> None:
    _, cells = scene("plane")
    points = sample(cells, 500)
    node, start, stop = cells.pattern_nodes[1]
    each = [fold_distances(cells, points, op=node, unit=unit) for unit in range(stop - start)]
    together = fold_distances(cells, points, op=node)
    np.testing.assert_allclose(np.min([one.exact for one in each], axis=0), together.exact)
    np.testing.assert_allclose(np.min([one.local for one in each], axis=0), together.local)


def test_metrics_of_a_skew_slice() -> None:
    _, cells = scene("skew")
    points = sample(cells, 300)
    inside, outside = (fold_distances(cells, points, space=space) for space in ("domain", "input"))
    assert not inside.wrong.any()
    singular = np.linalg.svd(SKEW, compute_uv=False)
    ratio = outside.exact / inside.exact
    assert (ratio > singular[1] * 0.999).all()
    assert (ratio < singular[0] * 1.001).all()
    assert ratio.max() / ratio.min() > 1.1
    np.testing.assert_allclose(np.hypot(*(inside.nearest - points).T), inside.exact)


def test_closed_form_where_the_formula_fails() -> None:
    """relu(x) - 1 folds at x = 1. For x < 0 its gradient is zero; with slope 1/2 there the formula says too much."""
    points = [[-0.5, 0.0], [0.5, 0.3]]
    for kind, local in ((None, np.inf), (leaky(0.5), 2.5)):
        recipe = mlp([[[1, 0]], [[1]], [[1]]], [[0], [-1], [0]], *([] if kind is None else [kind]))
        cells = complex_of(recipe, 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
        node = cells.pattern_nodes[1][0]
        found = fold_distances(cells, points, op=node)
        np.testing.assert_allclose(found.exact, [1.5, 0.5])
        np.testing.assert_allclose(found.local, [local, 0.5])
        np.testing.assert_array_equal(found.too_large, [True, False])
        np.testing.assert_allclose(unit_distances(cells.network, points, node, 0, cells.domain), found.local)


@pytest.mark.parametrize("kind", [ABS, clip(-0.5, 0.5), leaky(0.25)])
def test_other_activations(kind: object) -> None:
    cells = complex_of(gaussian(4, (8, 6), 2, kind=kind))  # type: ignore[arg-type]
    found = fold_distances(cells, sample(cells, 1000))
    assert found.known.sum() > 300
    assert not found.wrong.any()


def test_maxima() -> None:
    rng = np.random.default_rng(1)
    builder = Builder(2)
    builder.layer(rng.normal(size=(5, 2)), rng.normal(size=5))
    builder.dense(rng.normal(size=(9, 5)), rng.normal(size=9))
    builder.maximum([[0, 1, 2], [3, 4, 5], [6, 7, -1]])
    cells = complex_of(builder.build())
    points = sample(cells, 1000)
    found = fold_distances(cells, points)
    assert found.known.sum() > 300
    assert not found.wrong.any()
    assert not (
        boundary_distances(cells, points).wrong & local_distances(cells.network, points, cells.domain).boundary_certain
    ).any()


def test_classes_that_compete() -> None:
    _, cells = scene("ten classes")
    points = sample(cells, 200)
    pair = boundary_distances(cells, points, classes=[2, 7])
    values = cells.network(cells.domain.embed(pair.nearest))
    np.testing.assert_allclose(values[:, 2], values[:, 7], atol=1e-9)
    np.testing.assert_array_equal(
        local_distances(cells.network, points, cells.domain, classes=(2, 7)).boundary, pair.local
    )


def test_reference_network() -> None:
    """How often the formula is wrong on N1: never in the first layer, a quarter and more behind it."""
    cells = splinescope.tessellate(splinescope.load(path_of("N1.npz")), splinescope.Slice.box([-1, -1], [1, 1]))
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    fractions = [fold_distances(cells, points, op=node).summary()["wrong"] for node, _, _ in cells.pattern_nodes]
    assert fractions[0] == 0.0
    assert 0.2 < fractions[1] < fractions[2] < 0.5  # type: ignore[operator]
    assert fold_distances(cells, points).summary()["wrong"] == 0.0


def test_summary_is_plain_json() -> None:
    _, cells = scene("plane")
    summary = boundary_distances(cells, sample(cells, 50)).summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["points"] == 50
    flat = complex_of(mlp([[[1, 1]]], [[5]]))
    nothing = fold_distances(flat, [[0.0, 0.0]])
    assert np.isinf(nothing.exact).all()
    assert nothing.elements.tolist() == [-1]
    assert nothing.summary()["wrong"] is None


def test_refusals() -> None:
    _, cells = scene("plane")
    network = to_network(gaussian(13, (12, 12), 3))
    with pytest.raises(InvalidInputError, match=r"`points`: 1 of 2 are outside"):
        fold_distances(cells, [[0.0, 0.0], [9.0, 0.0]])
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(2,\); expected \[n, 2\] coordinates"):
        boundary_distances(cells, [0.0, 0.0])
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(1, 3\); expected \[n, 2\] inputs"):
        local_distances(network, [[0.0, 0.0, 0.0]])
    with pytest.raises(InvalidInputError, match="some numbers are NaN or infinite"):
        local_distances(network, [[0.0, np.nan]])
    with pytest.raises(InvalidInputError, match="`unit`: got 3 without `op`"):
        fold_distances(cells, [[0.0, 0.0]], unit=3)
    with pytest.raises(InvalidInputError, match="`op`, `unit`: got node 2, unit 99; expected a unit of"):
        fold_distances(cells, [[0.0, 0.0]], op=2, unit=99)
    with pytest.raises(InvalidInputError, match="`space`: got 'moon'"):
        fold_distances(cells, [[0.0, 0.0]], space="moon")
