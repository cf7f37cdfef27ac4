"""Names, lengths and angles of folds."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.tessellation.folds import dihedral_angles, fold_normals, folds, graph_angles
from tests.fixtures.recipes import ABS, Builder, evaluate, mlp
from tests.queries.scenes import SCENES, complex_of, gaussian, scene


@pytest.mark.parametrize("name", SCENES)
def test_every_interior_edge_has_its_unit(name: str) -> None:
    recipe, cells = scene(name)
    made = folds(cells)
    np.testing.assert_array_equal(np.sort(made.edges), np.flatnonzero(cells.edge_cells.min(axis=1) >= 0))
    ends = cells.vertices[cells.edges[made.edges]]
    np.testing.assert_allclose(made.lengths, np.hypot(*(ends[:, 1] - ends[:, 0]).T))
    inputs = cells.domain.origin.ravel() + ends.mean(axis=1) @ cells.domain.basis.reshape(2, -1)
    values = evaluate(recipe, inputs)
    for row, (op, unit) in enumerate(zip(made.ops, made.units, strict=True)):
        assert abs(values[cells.network.nodes[op].inputs[0]][row, unit]) < 1e-11
    first = made.labels()[0]
    assert first == f"{cells.network.nodes[made.ops[0]].name}[{made.units[0]}]"
    assert made.names[made.layers[0]] == cells.network.nodes[made.ops[0]].name


def test_two_layer_closed_form() -> None:
    """When unit k of the first layer turns on, the normal of a second-layer unit changes from n to n + w2_k W1_k."""
    recipe = gaussian(11, (9, 5), 1)
    cells = complex_of(recipe)
    weight, second = recipe.steps[0].weight, recipe.steps[2].weight  # type: ignore[union-attr]
    patterns = cells.patterns[:, :9]
    for space in ("domain", "input"):
        found = dihedral_angles(cells, space)
        deep = np.flatnonzero(found.ops == cells.pattern_nodes[1][0])
        assert len(deep) > 20
        for row in deep:
            tiles = patterns[cells.edge_cells[found.edges[row], 0]]
            one, two = (second[found.units[row]] * tile @ weight for tile in tiles)
            changed = np.flatnonzero(tiles[0] != tiles[1])
            if len(changed) == 1:
                k = changed[0]
                sign = 1.0 if tiles[1][k] else -1.0
                np.testing.assert_allclose(two, one + sign * second[found.units[row], k] * weight[k], atol=1e-13)
            cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
            assert found.angles[row] == pytest.approx(np.arccos(np.clip(cosine, -1, 1)), abs=1e-7)


def test_first_layer_folds_are_straight() -> None:
    _, cells = scene("skew")
    for space in ("domain", "input"):
        found = dihedral_angles(cells, space)
        straight = found.ops == cells.pattern_nodes[0][0]
        assert straight.sum() > 10
        assert found.angles[straight].max() < 1e-6
        assert found.angles[~straight].max() > 0.01
        assert found.space == space


@pytest.mark.parametrize("name", ["plane", "one output"])
def test_in_its_own_plane_both_spaces_agree(name: str) -> None:
    _, cells = scene(name)
    inside, outside = dihedral_angles(cells), dihedral_angles(cells, "input")
    long = (
        np.hypot(*(cells.vertices[cells.edges[:, 0]] - cells.vertices[cells.edges[:, 1]]).T)[inside.edges].min(axis=1)
        > 1e-4
    )
    np.testing.assert_allclose(inside.angles[long], outside.angles[long], atol=1e-7)
    np.testing.assert_array_equal(inside.edges, outside.edges)


def test_absolute_values_reflect() -> None:
    """|x| + y = 0 folds at x = 0 by a right angle; |x| + y / 2 by more, so that the sign of the cosine matters."""
    for slope, angle in ((1.0, np.pi / 2), (0.5, 2 * np.arctan(2.0))):
        builder = Builder(2)
        builder.dense([[1, 0], [0, slope]])
        x = builder.last
        builder.fold(ABS)
        both = builder.total([builder.dense([[1, 0]]), builder.dense([[0, 1]], source=x)])
        builder.fold(source=both)
        cells = complex_of(builder.build())
        for space in ("domain", "input"):
            found = dihedral_angles(cells, space)
            at_origin = np.flatnonzero(
                (np.abs(cells.vertices[found.vertices]).max(axis=1) < 1e-12) & (found.ops == found.ops.max())
            )
            assert len(at_origin) == 1
            assert found.angles[at_origin[0]] == pytest.approx(angle, abs=1e-12)


def test_normals_of_max_units_are_differences() -> None:
    builder = Builder(2)
    builder.dense([[1, 0], [0, 1], [-1, -1]])
    builder.maximum([[0, 1, 2]])
    cells = complex_of(builder.build())
    edges = np.flatnonzero(cells.edge_op >= 0)
    assert len(edges) == 3
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    for edge, normal in zip(edges, fold_normals(cells, edges), strict=True):
        low, high = sorted(int(cells.patterns[cell, 0]) for cell in cells.edge_cells[edge])
        np.testing.assert_allclose(normal, rows[high] - rows[low], atol=1e-14)
    assert len(dihedral_angles(cells).angles) == 0, "three different pairs tie at the vertex"


def test_graph_angles_of_an_absolute_value() -> None:
    """The graph of a |x| bends by 2 atan(a)."""
    recipe = mlp([[[1, 0], [-1, 0]], [[3, 3], [1, -1]]], [np.zeros(2), np.zeros(2)])
    cells = complex_of(recipe)
    inner = cells.edge_cells.min(axis=1) >= 0
    np.testing.assert_allclose(graph_angles(cells, 0)[inner], 2 * np.arctan(3.0))
    np.testing.assert_allclose(graph_angles(cells, 1)[inner], 0.0, atol=1e-12)
    assert np.isnan(graph_angles(cells)[~inner]).all()
    with pytest.raises(InvalidInputError, match="`output`: got 2; expected an output from 0 to 1"):
        graph_angles(cells, 2)
