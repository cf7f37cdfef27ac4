"""Pictures as they come out: artists, files, pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.image import imread
from matplotlib.offsetbox import AnnotationBbox
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting import plot_decision_boundary, plot_surface, plot_tessellation, save_figure
from splinescope.plotting.data import fill_cells
from tests.queries.scenes import SCENES, scene


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def digits() -> splinescope.PolyhedralComplex:
    """A network on 8 x 8 images, and the plane through three of them."""
    network = splinescope.from_torch(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 4)), (1, 8, 8)
    )
    images = np.random.default_rng(0).uniform(size=(3, 1, 8, 8))
    return splinescope.tessellate(network, splinescope.Slice.through(*images))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("color", ["pattern", "norm", "class", "area", "log-volume"])
def test_every_coloring_of_every_scene_is_drawn(name: str, color: str) -> None:
    _, cells = scene(name)
    if color == "log-volume" and cells.vertex_outputs.shape[1] < 2:
        return  # refused: tested with the fills
    ax = plot_tessellation(cells, color)
    ax.figure.canvas.draw()
    drawn = sum(len(c.get_paths()) for c in ax.collections if isinstance(c, PolyCollection))
    assert drawn == len(fill_cells(cells, color))
    assert ax.get_aspect() == 1.0
    assert ax.get_title() == f"{len(cells)} cells"
    assert len(ax.figure.axes) == (2 if color in ("norm", "area", "log-volume") else 1)
    assert (ax.get_legend() is not None) == (color == "class")


def test_draws_into_the_axes_that_it_is_given() -> None:
    figure, (left, right) = pyplot.subplots(1, 2)
    _, cells = scene("plane")
    assert plot_tessellation(cells, ax=left, title="left") is left
    assert plot_decision_boundary(cells, ax=right, title="") is right
    assert (left.get_title(), right.get_title()) == ("left", "")
    assert figure.axes == [left, right]
    assert pyplot.get_fignums() == [figure.number]


def test_layers_of_a_picture_can_be_left_out() -> None:
    _, cells = scene("plane")
    everything, bare = plot_tessellation(cells), plot_tessellation(cells, line_width=0.0, boundary=False, anchors=False)
    assert any(isinstance(c, LineCollection) for c in everything.collections)
    assert not any(isinstance(c, LineCollection) for c in bare.collections)


def test_axes_say_their_units() -> None:
    plane, skew = plot_tessellation(scene("plane")[1]), plot_tessellation(scene("skew")[1])
    assert plane.get_xlabel() == "input $x_1$"
    assert skew.get_xlabel() == "slice coordinate $t_1$"
    assert plot_tessellation(digits()).get_ylabel() == "slice coordinate $t_2$ (input units)"


def test_anchors_of_images_have_thumbnails() -> None:
    ax = plot_tessellation(digits())
    thumbnails = [artist for artist in ax.artists if isinstance(artist, AnnotationBbox)]
    assert len(thumbnails) == 3
    ax.figure.canvas.draw()
    frame = ax.get_window_extent()
    for thumbnail in thumbnails:
        box = thumbnail.patch.get_window_extent()
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
    assert not [a for a in plot_tessellation(digits(), anchors=False).artists if isinstance(a, AnnotationBbox)]


def test_anchors_outside_the_polygon_are_left_out() -> None:
    cells = digits()
    corner = cells.domain.anchors[0] + 0.2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    domain = splinescope.Slice(cells.domain.origin, cells.domain.basis, corner, cells.domain.anchors)
    ax = plot_tessellation(splinescope.tessellate(cells.network, domain))
    assert len([a for a in ax.artists if isinstance(a, AnnotationBbox)]) == 1
    ax.figure.canvas.draw()
    assert ax.get_position().width > 0.5


def test_pixels_have_the_colors_of_their_cells(tmp_path: Path) -> None:
    _, cells = scene("plane")
    figure = pyplot.figure(figsize=(4, 4))
    ax = figure.add_axes((0, 0, 1, 1))
    plot_tessellation(cells, ax=ax, line_width=0.0, boundary=False, title="")
    ax.set_axis_off()
    pixels = imread(save_figure(figure, tmp_path / "cells.png", dpi=100.0))
    fills = fill_cells(cells)
    big = np.argsort(-cells.measures)[:20]
    columns, rows = ((cells.interior_points[big] + 1) / 2 * 400).astype(int).T
    np.testing.assert_allclose(pixels[399 - rows, columns, :3], fills.colors[big, :3], atol=0.02)


def test_the_boundary_is_where_it_is_drawn() -> None:
    _, cells = scene("plane")
    ax = plot_tessellation(cells)
    lines = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_zorder() >= 3]
    assert len(lines) == 2
    points = np.concatenate([path.vertices for path in lines[1].get_paths()])
    values = np.sort(cells.network(points), axis=1)
    assert (values[:, -1] - values[:, -2]).max() < 1e-12


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_whole_and_the_same_every_time(suffix: str, tmp_path: Path) -> None:
    _, cells = scene("plane")
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    with pyplot.rc_context({"svg.hashsalt": "fixed"}):
        one = save_figure(plot_tessellation(cells).figure, tmp_path / f"one.{suffix}").read_bytes()
        two = save_figure(plot_tessellation(cells).figure, tmp_path / f"two.{suffix}").read_bytes()
    assert one.startswith(magic)
    assert one == two
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"one.{suffix}", f"two.{suffix}"]


def test_refuses_unknown_endings_and_missing_folders(tmp_path: Path) -> None:
    figure = pyplot.figure()
    with pytest.raises(
        InvalidInputError, match=r"`path`: got 'cells.bmp'; expected a file that ends in .png, .svg, .pdf"
    ):
        save_figure(figure, "cells.bmp")
    with pytest.raises(InvalidInputError, match="`path`: there is no folder"):
        save_figure(figure, tmp_path / "nowhere" / "cells.png")


@pytest.mark.parametrize("color", ["pattern", "norm"])
def test_surfaces(color: str, tmp_path: Path) -> None:
    _, cells = scene("one output")
    ax = plot_surface(cells, color=color, label="height (m)")
    assert ax.get_zlabel() == "height (m)"
    assert save_figure(ax.figure, tmp_path / "surface.png", dpi=50.0).stat().st_size > 5000
    flat = pyplot.subplots()[1]
    with pytest.raises(InvalidInputError, match='`ax`: got flat axes; expected axes with `projection="3d"`'):
        plot_surface(cells, ax=flat)  # type: ignore[arg-type]


def test_surface_into_given_axes() -> None:
    ax = pyplot.figure().add_subplot(projection="3d")
    assert plot_surface(scene("plane")[1], 1, ax, title="") is ax
    ax.figure.canvas.draw()


def test_many_cells_are_stored_as_pixels_in_vector_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from splinescope.plotting import layers

    _, cells = scene("ten classes")
    vector = save_figure(plot_tessellation(cells).figure, tmp_path / "vector.svg").read_text()
    monkeypatch.setattr(layers, "RASTER_LIMIT", 10)
    raster = save_figure(plot_tessellation(cells).figure, tmp_path / "raster.svg", dpi=50.0).read_text()
    assert vector.count("<path") > len(cells) > raster.count("<path")
    assert "<image" in raster
    assert "<image" not in vector
