"""Level sets against exact arithmetic and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.geometry.surface.meshes import area_vectors
from splinescope.tessellation.surface import SurfaceMesh, level_set
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import RELU, Recipe, mlp
from tests.queries.scenes import gaussian
from tests.seeds import every
from tests.spatial.cases import CASES, CUBE, SpaceCase, hats, random_space_case
from tests.surface import shapes

BOX = splinescope.Box(*CUBE)


def assert_consistent(mesh: SurfaceMesh) -> None:
    """Neighbours pass their common edge in opposite directions; normals and orientations agree; no holes."""
    inner = np.flatnonzero(mesh.twins >= 0)
    ends = mesh.corners[mesh.following]
    np.testing.assert_array_equal(mesh.twins[mesh.twins[inner]], inner)
    np.testing.assert_array_equal(mesh.corners[mesh.twins[inner]], ends[inner])
    vectors = area_vectors(mesh.vertices, mesh.offsets, mesh.corners)
    np.testing.assert_allclose(vectors, mesh.areas[:, None] * mesh.normals, atol=1e-9 * (1 + mesh.area))
    assert mesh.certificate.holes == 0


@pytest.mark.parametrize("case", every(3, [*CASES, *map(random_space_case, range(30))]), ids=lambda case: case.name)
def test_exact_arithmetic(case: SpaceCase) -> None:
    cells = splinescope.tessellate(to_network(case.recipe), case.domain)
    for level in shapes.levels_of(case.exact):
        mesh, answer = level_set(cells, level=level), shapes.exact_surface(case.exact, level)
        assert_consistent(mesh)
        assert len(mesh) == len(answer.polygons)
        assert sorted(np.diff(mesh.offsets)) == sorted(map(len, answer.polygons))
        assert mesh.certificate.covered_faces == answer.covered
        distance = np.abs(mesh.vertices[:, None] - answer.vertices[None]).max(axis=2)
        size = 1e-9 * (1 + np.abs(answer.vertices).max(initial=0.0))
        assert (distance.min(axis=1, initial=np.inf) < size).all()
        assert (distance.min(axis=0, initial=np.inf) < size).all()


def test_octahedron() -> None:
    mesh = level_set(shapes.network(shapes.octahedron()), splinescope.Box([-2.0] * 3, [2.0] * 3), prune=False)
    assert (len(mesh), len(mesh.vertices), mesh.num_edges, mesh.num_parts) == (8, 6, 12, 1)
    assert mesh.is_watertight
    assert mesh.euler_characteristic == 2
    assert mesh.area == pytest.approx(4 * np.sqrt(3), rel=1e-14)
    assert mesh.volume == pytest.approx(4 / 3, rel=1e-14)
    np.testing.assert_allclose(mesh.normals, np.sign(mesh.centres) / np.sqrt(3), atol=1e-15)
    np.testing.assert_allclose(mesh.vertex_normals, mesh.vertices, atol=1e-15)
    np.testing.assert_allclose(np.abs(mesh.vertices).sum(axis=1), 1.0, atol=1e-15)


def test_cube() -> None:
    mesh = level_set(shapes.network(shapes.cube()), BOX)
    assert (len(mesh), len(mesh.vertices), mesh.num_edges) == (6, 8, 12)
    assert mesh.is_watertight
    assert mesh.area == pytest.approx(6.0, rel=1e-14)
    assert mesh.volume == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("turned", [False, True])
def test_square_torus(turned: bool) -> None:
    origin = np.array([0.01, -0.02, 0.03])
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0] if turned else np.eye(3)
    domain = splinescope.Slice(origin, basis, 2 * splinescope.Box(*CUBE).corners)
    mesh = level_set(shapes.network(shapes.square_torus()), domain)
    assert mesh.is_watertight
    assert (mesh.euler_characteristic, mesh.num_parts) == (0, 1)
    assert mesh.volume == pytest.approx(0.384, rel=1e-12)
    section, around = 4 * 0.2 * np.sqrt(2), 8 * 0.6
    assert mesh.area == pytest.approx(section * around, rel=1e-12)


def test_basis_that_is_not_orthonormal() -> None:
    domain = splinescope.Slice(np.zeros(3), 2 * np.eye(3), BOX.corners)
    mesh = level_set(shapes.network(shapes.octahedron()), domain)
    assert mesh.volume == pytest.approx(4 / 3 / 8, rel=1e-14)


def test_wedges_that_touch_stay_apart() -> None:
    mesh = level_set(shapes.network(shapes.wedges()), BOX)
    assert (len(mesh), mesh.num_parts) == (8, 2)
    assert_consistent(mesh)
    axis = (np.abs(mesh.vertices[:, :2]) < 1e-12).all(axis=1)
    assert axis.sum() == 6
    assert not mesh.is_closed
    assert mesh.is_watertight is False
    assert np.isnan(mesh.volume)


def test_cones_that_touch_in_a_point_stay_apart() -> None:
    mesh = level_set(shapes.network(shapes.cones()), BOX)
    assert (len(mesh), mesh.num_parts) == (8, 2)
    assert (np.abs(mesh.vertices).max(axis=1) < 1e-12).sum() == 2
    assert_consistent(mesh)


def test_valley_is_left_out_and_ridge_too() -> None:
    valley = mlp([[[1, 0, 0], [-1, 0, 0]], [[1, 1]]], [[0, 0], [0.0]])
    mesh = level_set(to_network(valley), BOX, prune=False)
    assert len(mesh) == 0
    assert mesh.certificate.covered_faces == 1
    ridge = mlp([[[1, 0, 0], [-1, 0, 0]], [[-1, -1]]], [[0, 0], [0.0]])
    assert len(level_set(to_network(ridge), BOX)) == 0


def test_flat_cells_count_as_smaller() -> None:
    step = mlp([[[1, 0, 0], [0, 1, 0]], [[1, 0]]], [[0, 0], [0.0]])
    mesh = level_set(to_network(step), BOX)
    assert mesh.certificate.flat_cells == 2
    np.testing.assert_array_equal(mesh.vertices[:, 0], 0.0)
    np.testing.assert_allclose(mesh.normals, [[1, 0, 0]] * 2)
    assert mesh.area == 4.0


def test_surface_on_the_boundary_of_the_domain() -> None:
    plane = mlp([[[1, 0, 0]]], [[1.0]])
    mesh = level_set(to_network(plane), BOX)
    assert (len(mesh), mesh.area, mesh.certificate.holes) == (1, 4.0, 0)
    assert len(level_set(to_network(mlp([[[-1, 0, 0]]], [[-1.0]])), BOX)) == 0


def test_level_that_is_not_taken() -> None:
    mesh = level_set(shapes.network(shapes.octahedron()), BOX, level=7.0)
    assert (len(mesh), len(mesh.vertices), mesh.num_parts, mesh.euler_characteristic) == (0, 0, 0, 0)
    assert not mesh.is_closed
    assert mesh.area == 0.0
    assert "0 polygons" in repr(mesh)


@pytest.mark.parametrize("seed", range(6))
def test_values_by_the_network_itself(seed: int) -> None:
    recipe = gaussian(seed, (10, 8, 6), 2, inputs=3)
    network = to_network(recipe)
    level = float(np.median(network(np.random.default_rng(seed).uniform(-1, 1, size=(500, 3)))[:, 1]))
    mesh = level_set(network, BOX, level=level, output=1)
    assert len(mesh) > 5
    assert np.abs(network(mesh.vertices)[:, 1] - level).max() < 1e-13
    assert np.abs(network(mesh.centres)[:, 1] - level).max() < 1e-13
    ahead = network(mesh.centres + 1e-7 * mesh.normals)[:, 1]
    assert (ahead > level).all()
    assert mesh.certificate.level == "values"
    assert mesh.certificate.value_error <= mesh.certificate.value_tolerance


@pytest.mark.parametrize("seed", range(8))
def test_turning_number_says_what_is_inside(seed: int) -> None:
    """Closed surfaces: the solid angle around a point is one full turn where the function is below, else none."""
    recipe = gaussian(seed, (12, 8), 1, inputs=3)
    weights, biases = [s.weight for s in recipe.steps[::2]], [s.bias for s in recipe.steps[::2]]
    wall = 40 * np.vstack([np.eye(3), -np.eye(3)])
    weights = [
        np.vstack([weights[0], wall]),
        np.block([[weights[1], np.zeros((8, 6))], [np.zeros((6, 12)), np.eye(6)]]),
    ]
    weights += [np.hstack([recipe.steps[-1].weight, np.ones((1, 6))])]
    biases = [np.r_[biases[0], np.full(6, -36.0)], np.r_[biases[1], np.zeros(6)], biases[2]]
    network = to_network(mlp(weights, biases, RELU))
    points = np.random.default_rng(seed).uniform(-1, 1, size=(300, 3))
    values = network(points)[:, 0]
    level = float(np.quantile(values, 0.4))
    mesh = level_set(network, BOX, level=level)
    if not mesh.is_closed:
        pytest.skip("this surface leaves the box")
    turns = solid_angles(mesh, points) / (4 * np.pi)
    np.testing.assert_allclose(turns, (values < level).astype(float), atol=1e-9)


def solid_angles(mesh: SurfaceMesh, points: np.ndarray) -> np.ndarray:
    """Sum of the solid angles of all triangles (Van Oosterom and Strackee)."""
    a, b, c = (mesh.vertices[corner] - points[:, None] for corner in mesh.triangles().T)
    la, lb, lc = (np.linalg.norm(x, axis=2) for x in (a, b, c))
    volume = np.einsum("pti,pti->pt", a, np.cross(b, c))
    dots = [np.einsum("pti,pti->pt", x, y) for x, y in ((a, b), (b, c), (c, a))]
    return 2 * np.arctan2(volume, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb).sum(axis=1)


@pytest.mark.parametrize("recipe", [shapes.cube(), shapes.square_torus(), gaussian(1, (9, 7), 1, inputs=3)])
def test_triangulated(recipe: Recipe) -> None:
    mesh = level_set(to_network(recipe), BOX)
    triangles = mesh.triangulated()
    assert (np.diff(triangles.offsets) == 3).all()
    np.testing.assert_array_equal(triangles.corners.reshape(-1, 3), mesh.triangles())
    assert_consistent(triangles)
    assert (triangles.num_parts, triangles.euler_characteristic) == (mesh.num_parts, mesh.euler_characteristic)
    assert triangles.is_watertight == mesh.is_watertight
    assert triangles.area == pytest.approx(mesh.area, rel=1e-12)
    assert {frozenset(edge) for edge in triangles.border.tolist()} == {frozenset(edge) for edge in mesh.border.tolist()}


def test_part_and_selection() -> None:
    box = splinescope.Box([0.0] * 3, [1.0] * 3)
    assert level_set(to_network(hats(1)), box, level=2.5).num_parts == 1
    mesh = level_set(to_network(hats(2)), box, level=2.5)
    assert (mesh.num_parts, mesh.euler_characteristic) == (8, 16)
    assert mesh.is_watertight
    single = mesh.part(3)
    assert (len(single), single.num_parts, single.euler_characteristic) == (8, 1, 2)
    assert single.is_watertight
    assert single.volume == pytest.approx(mesh.volume / 8)
    half = mesh.selected(mesh.centres[:, 2] > 0.25)
    assert not half.is_closed
    assert len(half.border) == 16
    assert_consistent(half)


def test_arguments() -> None:
    network = shapes.network(shapes.octahedron())
    with pytest.raises(InvalidInputError, match="`output`: got 3; the network has the outputs 0 to 0"):
        level_set(network, BOX, output=3)
    with pytest.raises(InvalidInputError, match="`level`: got nan"):
        level_set(network, BOX, level=float("nan"))
    with pytest.raises(InvalidInputError, match="`domain`: got none"):
        level_set(network)
    with pytest.raises(InvalidInputError, match="`domain`: got 2 dimensions"):
        level_set(network, splinescope.Box([-1, -1, 0], [1, 1, 0]))
    with pytest.raises(InvalidInputError, match="`domain`: a tessellation has its own"):
        level_set(splinescope.tessellate(network, BOX), BOX)
