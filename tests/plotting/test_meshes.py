"""Pictures of surfaces: what is in front, how large it is, and what the options do."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting.colors import class_colors
from splinescope.plotting.meshes import mesh_title, picture_of, plot_mesh
from splinescope.plotting.raster import Camera, rasterize
from splinescope.tessellation.surface import SurfaceMesh, decision_surface, level_set
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp
from tests.queries.scenes import gaussian
from tests.spatial.cases import CUBE
from tests.surface import shapes

BOX = splinescope.Box(*CUBE)


@pytest.fixture(scope="module")
def cube() -> SurfaceMesh:
    """A cube with sides of length one."""
    return level_set(shapes.network(shapes.cube()), BOX)


@pytest.fixture(scope="module")
def wavy() -> SurfaceMesh:
    """A surface with a border."""
    network = to_network(gaussian(3, (10, 8), 1, inputs=3))
    level = float(np.median(network(np.random.default_rng(0).uniform(-1, 1, size=(500, 3)))))
    return level_set(network, BOX, level=level)


@pytest.mark.parametrize("up", [1, 2, 3, -1, -2, -3])
def test_camera(up: int) -> None:
    camera = Camera.at(30.0, 40.0, up)
    np.testing.assert_allclose(camera.frame @ camera.frame.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(camera.frame) == pytest.approx(1.0)
    assert camera.up[abs(up) - 1] * np.sign(up) == pytest.approx(np.cos(np.pi / 6))
    assert camera.right[abs(up) - 1] == pytest.approx(0.0, abs=1e-15)


def test_camera_is_that_of_matplotlib() -> None:
    camera = Camera.at(0.0, 0.0)
    np.testing.assert_allclose(camera.frame, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-15)


def test_nearer_triangles_are_in_front() -> None:
    far = [[0.0, 0.0, 0.0], [40.0, 0.0, 0.0], [0.0, 40.0, 0.0]]
    near = [[0.0, 0.0, 1.0], [10.0, 0.0, 1.0], [0.0, 10.0, 1.0]]
    tilted = [[20.0, 0.0, -1.0], [40.0, 0.0, 1.0], [20.0, 20.0, -1.0]]
    for order in ([0, 1, 2], [2, 1, 0]):
        pixels = rasterize(np.array([far, near, tilted])[order], 40, 40)
        seen = np.append(order, -1)[pixels.triangle]
        assert (seen[2, 2], seen[2, 15], seen[2, 25], seen[2, 35], seen[35, 35]) == (1, 0, 0, 2, -1)
        assert pixels.depth[2, 2] == pytest.approx(1.0)
        assert pixels.depth[35, 35] == -np.inf
    assert (pixels.triangle >= 0).sum() == pytest.approx(800, abs=25)


@pytest.mark.parametrize(("elevation", "azimuth"), [(0.0, 0.0), (22.0, -60.0), (35.26438968, 45.0)])
def test_silhouette_of_a_cube(cube: SurfaceMesh, elevation: float, azimuth: float) -> None:
    picture = picture_of(cube, elevation=elevation, azimuth=azimuth, height=200, edges=False)
    left, right, bottom, top = picture.extent
    rows, columns = picture.image.shape[:2]
    covered = picture.image[..., 3].sum() * (right - left) * (top - bottom) / (rows * columns)
    assert covered == pytest.approx(np.abs(picture.camera.towards).sum(), rel=0.02)


def test_what_is_hidden(cube: SurfaceMesh) -> None:
    picture = picture_of(cube, elevation=0.0, azimuth=0.0, height=100)
    points = np.array([[0.9, 0.0, 0.0], [-0.9, 0.0, 0.0], [-0.9, 0.49, 0.49], [0.5 + 1e-6, 0.1, 0.1]])
    assert picture.in_front(points).tolist() == [True, False, False, True]


def test_colors(cube: SurfaceMesh, wavy: SurfaceMesh) -> None:
    plain = picture_of(cube, height=120, edges=False)
    assert plain.scale is None
    scaled = picture_of(wavy, "area", height=120)
    assert scaled.scale is not None
    assert "area" in scaled.scale.label
    own = picture_of(wavy, np.arange(len(wavy)) - 5.0, height=120)
    assert own.scale is not None
    assert (own.scale.low, own.scale.high) == (-5.0, len(wavy) - 6.0)
    patterns = picture_of(wavy, "pattern", height=120, edges=False)
    assert len(np.unique(np.round(patterns.image[..., :3], 2).reshape(-1, 3), axis=0)) > 20
    with pytest.raises(InvalidInputError, match="`color`: got 'class'; expected one of uniform, pattern, area"):
        picture_of(cube, "class")
    with pytest.raises(InvalidInputError, match=r"`color`: got the shape \(3,\); expected one number for 6 polygons"):
        picture_of(cube, np.zeros(3))
    with pytest.raises(InvalidInputError, match="`frame`: got 'all'"):
        picture_of(cube, frame="all")
    with pytest.raises(InvalidInputError, match="`up`: got 4"):
        picture_of(cube, up=4)


def test_borders_are_darker(cube: SurfaceMesh) -> None:
    without, drawn = (picture_of(cube, height=150, edges=edges) for edges in (False, True))
    inside = without.image[..., 3] == 1
    darker = (drawn.image[..., :3].sum(axis=2) < without.image[..., :3].sum(axis=2) - 0.3) & inside
    assert 100 < darker.sum() < 0.1 * inside.sum()


def test_frame_of_the_domain(cube: SurfaceMesh) -> None:
    close, wide = picture_of(cube, height=100), picture_of(cube, height=100, frame="domain")
    np.testing.assert_allclose(close.frame, [[-0.5] * 3, [0.5] * 3], atol=1e-12)
    np.testing.assert_array_equal(wide.frame, CUBE)
    assert wide.image[..., 3].mean() < 0.4 * close.image[..., 3].mean()


def test_axes_in_axes_out(wavy: SurfaceMesh) -> None:
    _, ax = pyplot.subplots()
    assert plot_mesh(wavy, ax, height=100, title="") is ax
    assert len(ax.images) == 1
    assert ax.get_title() == ""
    words = {text.get_text() for text in ax.texts}
    assert {"$x_1$", "$x_2$", "$x_3$", "-1", "1"} <= words
    colors = {tuple(np.round(line.get_edgecolor()[0][:3], 3)) for line in ax.collections if len(line.get_edgecolor())}
    assert colors == {tuple(np.round(to_rgb("#1b1b1f"), 3))}
    pyplot.close("all")


def test_titles_and_legends(cube: SurfaceMesh) -> None:
    ax = plot_mesh(cube, height=60, box=False)
    assert ax.get_title() == "6 polygons, Euler characteristic 2"
    assert not ax.texts
    three = to_network(mlp([np.eye(3)], [np.zeros(3)]))
    surface = decision_surface(three, BOX)
    ax = plot_mesh(surface, color="class", height=60)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "2"]
    assert mesh_title(surface) == f"{len(surface)} polygons, 3 parts, Euler characteristic 3"
    ax = plot_mesh(cube, color="area", height=60)
    assert len(ax.figure.axes) == 2
    pyplot.close("all")


def test_the_class_behind_is_seen() -> None:
    halves = decision_surface(to_network(mlp([[[0, 0, 0], [0, 0, 0], [1, 0, 0]]], [np.zeros(3)])), BOX)
    for azimuth, hidden in ((0.0, 0), (180.0, 2)):
        picture = picture_of(halves, "class", elevation=0.0, azimuth=azimuth, height=60, edges=False)
        assert picture.classes == (0, 2)
        color = picture.image[30, picture.image.shape[1] // 2, :3]
        palette = class_colors(3)[[0, 2], :3]
        turned = color / np.linalg.norm(color) - palette / np.linalg.norm(palette, axis=1, keepdims=True)
        assert (0, 2)[int(np.linalg.norm(turned, axis=1).argmin())] == hidden


def test_coordinates_of_a_slice_are_called_t() -> None:
    domain = splinescope.Slice(np.full(3, 0.1), np.eye(3), BOX.corners)
    ax = plot_mesh(level_set(shapes.network(shapes.cube()), domain), height=60)
    assert "$t_1$" in {text.get_text() for text in ax.texts}
    pyplot.close("all")


def test_empty_surface(cube: SurfaceMesh) -> None:
    empty = cube.selected(np.zeros(6, bool))
    ax = plot_mesh(empty, height=60)
    assert ax.get_title() == "empty surface"
    for color in ("pattern", "area"):
        plot_mesh(empty, color=color, height=60)
    pyplot.close("all")
