"""What pictures show, before anything is drawn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.plotting.data import fill_cells, fold_lines
from splinescope.plotting.surface import surface_of
from splinescope.plotting.thumbnails import anchor_images, image_shape
from splinescope.tessellation.affine import norms
from splinescope.tessellation.boundary import class_areas
from tests.queries.scenes import SCENES, scene


def areas_of(points: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Shoelace areas."""
    rings = np.split(points, offsets[1:-1])
    return np.array([0.5 * np.sum(r[:, 0] * np.roll(r[:, 1], -1) - r[:, 1] * np.roll(r[:, 0], -1)) for r in rings])


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("color", ["pattern", "norm", "class", "area", "log-volume", "array"])
def test_fills_tile_the_domain(name: str, color: str) -> None:
    _, cells = scene(name)
    if color == "log-volume" and cells.vertex_outputs.shape[1] < 2:
        with pytest.raises(InvalidInputError, match="1 output has no volume on 2 dimensions"):
            fill_cells(cells, color)
        return
    fills = fill_cells(cells, np.arange(len(cells)) if color == "array" else color)
    assert len(fills) == len(fills.colors) == len(fills.offsets) - 1
    assert areas_of(fills.points, fills.offsets).sum() == pytest.approx(cells.domain.area, rel=1e-9)
    assert ((fills.colors >= 0) & (fills.colors <= 1)).all()
    assert (fills.scale is None) == (color in ("pattern", "class"))


def test_class_fills_have_the_exact_areas() -> None:
    _, cells = scene("ten classes")
    fills = fill_cells(cells, "class")
    areas = areas_of(fills.points, fills.offsets)
    expected = class_areas(cells)
    assert fills.classes == tuple(np.flatnonzero(expected > 0))
    by_color = {
        color: areas[(fills.colors == color).all(axis=1)].sum() for color in map(tuple, np.unique(fills.colors, axis=0))
    }
    np.testing.assert_allclose(sorted(by_color.values()), sorted(expected[expected > 0]), rtol=1e-9)
    assert fill_cells(cells, "class", [2, 7]).classes == (2, 7)


def test_scales_say_what_they_are() -> None:
    _, cells = scene("skew")
    norm = fill_cells(cells, "norm").scale
    assert norm is not None
    assert norm.label == "spectral norm of $A$ (output per input unit)"
    assert norms(cells).min() <= norm.low < norm.high <= norms(cells).max()
    area = fill_cells(cells, "area").scale
    assert area is not None
    assert area.logarithmic


def test_folds_are_ordered_and_wide_by_layer() -> None:
    _, cells = scene("plane")
    lines = fold_lines(cells)
    assert (np.diff(lines.layers) <= 0).all(), "first layers are drawn last"
    widths = lines.widths(100.0, 4.0)
    assert widths[0] > widths[1] > 0
    assert lines.widths(10.0, 4.0)[0] < widths[0], "a smaller picture has thinner lines"
    assert lines.widths(1e9, 4.0)[0] == 1.0
    inner = cells.edge_cells.min(axis=1) >= 0
    assert len(lines.segments) == inner.sum()


def test_refuses_colors_that_mean_nothing() -> None:
    _, cells = scene("plane")
    with pytest.raises(InvalidInputError, match="`color`: got 'rainbow'; expected one of 'pattern', 'norm'"):
        fill_cells(cells, "rainbow")
    with pytest.raises((InvalidInputError, TypeError), match="color"):
        fill_cells(cells, np.zeros((len(cells), 3)))
    with pytest.raises(InvalidInputError, match=r"`color`: got an array of shape \(7,\); expected"):
        fill_cells(cells, np.zeros(7))


def test_surface_is_the_graph() -> None:
    _, cells = scene("plane")
    surface = surface_of(cells, 2)
    total = 0
    for size in np.unique(np.diff(surface.fills.offsets)):
        rows, corners = surface.facets(int(size))
        np.testing.assert_allclose(cells.network(corners[:, 0, :2])[:, 2], corners[:, 0, 2], atol=1e-12)
        total += len(rows)
    assert total == len(cells)
    assert surface.floor < surface.heights.min()
    with pytest.raises(InvalidInputError, match="`output`: got 3; expected an output from 0 to 2"):
        surface_of(cells, 3)
    with pytest.raises(InvalidInputError, match='`color`: "class" cuts cells'):
        surface_of(cells, 0, "class")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 28, 28), (1, 28, 28)),
        ((3, 32, 32), (3, 32, 32)),
        ((28, 28), (1, 28, 28)),
        ((784,), (1, 28, 28)),
        ((64,), (1, 8, 8)),
        ((3072,), (3, 32, 32)),
        ((2,), None),
        ((9,), None),
        ((100, 3), None),
        ((16, 8, 8), None),
        ((1000,), None),
        ((1, 2, 3, 4), None),
    ],
)
def test_which_inputs_are_images(shape: tuple[int, ...], expected: tuple[int, int, int] | None) -> None:
    assert image_shape(shape) == expected


def test_without_anchors_or_images_there_are_no_thumbnails() -> None:
    assert anchor_images(scene("plane")[1]) == []
    assert anchor_images(scene("skew")[1]) == []


def test_matplotlib_is_loaded_with_the_first_picture_only() -> None:
    code = "import sys, splinescope.plotting; splinescope.plotting.plot_surface; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
