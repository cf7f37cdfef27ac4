"""Decision surfaces against exact arithmetic and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.geometry.surface.meshes import area_vectors
from splinescope.tessellation.surface import SurfaceMesh, decision_surface, level_set
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Maximum, Recipe, mlp
from tests.queries.scenes import gaussian
from tests.reference.exact_polytope import coordinates
from tests.reference.rational_space import SpaceTessellation, tessellate_space
from tests.spatial.cases import CUBE

BOX = splinescope.Box(*CUBE)


def quantised(seed: int, outputs: int) -> Recipe:
    """Three inputs, seven hidden units, weights in quarters."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-4, 5, size=size) / 4 for size in ((7, 3), (outputs, 7))]
    return mlp(weights, [rng.integers(-2, 3, size=len(w)) / 4 for w in weights])


def with_winner(recipe: Recipe, classes: tuple[int, ...]) -> SpaceTessellation:
    """Exact cells of a recipe and of the maximum of some of its outputs."""
    step = Maximum(len(recipe.steps), (classes,))
    return tessellate_space(Recipe(3, (*recipe.steps, step)), *CUBE)


def assert_is_the_boundary(mesh: SurfaceMesh, answer: SpaceTessellation, classes: tuple[int, ...]) -> None:
    """Polygons, corners and classes are those of the exact facets between different winners."""
    winner = [classes[min(cell.pattern[-1])] for cell in answer.cells]
    expected = []
    for corners, beside in answer.faces[-2].items():
        if len(beside) == 2 and winner[beside[0]] != winner[beside[1]]:
            points = np.array([[float(x) for x in coordinates(v)] for v in corners])
            expected.append((*sorted(winner[i] for i in beside), len(corners), *points.mean(axis=0)))
    assert mesh.classes is not None
    found = np.column_stack([mesh.classes, np.diff(mesh.offsets), mesh.centres])
    order, other = (np.lexsort(np.round(rows, 9).T) for rows in (found, np.array(expected).reshape(-1, 6)))
    np.testing.assert_allclose(found[order], np.array(expected).reshape(-1, 6)[other], atol=1e-9)


def assert_consistent(mesh: SurfaceMesh) -> None:
    inner = np.flatnonzero(mesh.twins >= 0)
    ends = mesh.corners[mesh.following]
    np.testing.assert_array_equal(mesh.corners[mesh.twins[inner]], ends[inner])
    vectors = area_vectors(mesh.vertices, mesh.offsets, mesh.corners)
    np.testing.assert_allclose(vectors, mesh.areas[:, None] * mesh.normals, atol=1e-9)
    assert mesh.certificate.holes == 0
    assert mesh.certificate.level == "values" or not len(mesh)


@pytest.mark.parametrize("outputs", [3, 5])
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("prune", [True, False])
def test_exact_arithmetic(seed: int, outputs: int, prune: bool) -> None:
    recipe = quantised(seed, outputs)
    mesh = decision_surface(to_network(recipe), BOX, prune=prune)
    assert_consistent(mesh)
    assert_is_the_boundary(mesh, with_winner(recipe, tuple(range(outputs))), tuple(range(outputs)))


@pytest.mark.parametrize("seed", range(6))
def test_some_classes(seed: int) -> None:
    recipe = quantised(seed, 5)
    mesh = decision_surface(to_network(recipe), BOX, classes=[4, 1, 3])
    assert_consistent(mesh)
    assert_is_the_boundary(mesh, with_winner(recipe, (1, 3, 4)), (1, 3, 4))


def test_three_sectors() -> None:
    angles = 2 * np.pi * np.arange(3) / 3 + 0.1
    network = to_network(mlp([np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])], [np.zeros(3)]))
    mesh = decision_surface(network, BOX)
    assert (len(mesh), mesh.num_parts) == (3, 3)
    assert sorted(map(tuple, mesh.classes.tolist())) == [(0, 1), (0, 2), (1, 2)]
    one = mesh.between(0, 2)
    assert len(one) == 1
    np.testing.assert_allclose(np.abs(one.normals[0] @ [0, 0, 1]), 0.0, atol=1e-15)
    outputs = network(one.centres + 1e-6 * one.normals)
    assert outputs.argmax() == 2
    cells = splinescope.tessellate(network, BOX)
    again = decision_surface(cells)
    assert again.area == pytest.approx(mesh.area, rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_two_classes_are_a_level_set(seed: int) -> None:
    recipe = gaussian(seed, (9, 7), 4, inputs=3)
    network = to_network(recipe)
    mesh = decision_surface(network, BOX, classes=[2, 0])
    assert_consistent(mesh)
    outputs = network(mesh.vertices)
    np.testing.assert_allclose(outputs[:, 0], outputs[:, 2], atol=1e-13)
    assert np.unique(mesh.classes, axis=0).tolist() == [[0, 2]] or not len(mesh)
    front = network(mesh.centres + 1e-7 * mesh.normals)
    assert (front[:, 2] > front[:, 0]).all()


def test_one_output_has_two_classes() -> None:
    network = to_network(gaussian(1, (9, 7), 1, inputs=3))
    mesh, level = decision_surface(network, BOX), level_set(network, BOX)
    assert (len(mesh), mesh.area) == (len(level), level.area)
    assert mesh.classes.tolist() == [[0, 1]] * len(mesh)


def test_ties_belong_to_the_lowest_class() -> None:
    tied = mlp([[[1, 0, 0], [1, 0, 0], [0, 0, 0]]], [np.zeros(3)])
    mesh = decision_surface(to_network(tied), BOX)
    assert np.unique(mesh.classes, axis=0).tolist() == [[0, 2]]
    assert mesh.area == 4.0


def test_no_surface() -> None:
    network = to_network(mlp([np.zeros((3, 3))], [[2.0, 1.0, 0.0]]))
    mesh = decision_surface(network, BOX)
    assert (len(mesh), mesh.certificate.holes) == (0, 0)


def test_arguments() -> None:
    network = to_network(quantised(0, 3))
    for classes in ([1], [0, 3], [1, 1, 2], [-1, 0]):
        with pytest.raises(InvalidInputError, match=r"`classes`: got .* at least two different classes from 0 to 2"):
            decision_surface(network, BOX, classes=classes)
    with pytest.raises(InvalidInputError, match="`domain`: got none"):
        decision_surface(network)
    with pytest.raises(InvalidInputError, match="`domain`: a tessellation has its own"):
        decision_surface(splinescope.tessellate(network, BOX), BOX)
