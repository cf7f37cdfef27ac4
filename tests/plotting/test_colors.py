"""Colours: stable, distinct between neighbours, safe for colour-blind readers."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.plotting.colors import (
    OKABE_ITO,
    PATTERN_COLORS,
    PATTERN_STEP,
    class_colors,
    colors_of_classes,
    pattern_color_numbers,
    pattern_palette,
    scale_of,
    tinted,
)
from splinescope.plotting.data import colors_of
from tests.fixtures.recipes import Builder, mlp
from tests.queries.scenes import SCENES, complex_of, scene


def lightness(colors: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours."""
    linear = np.where(colors[:, :3] <= 0.04045, colors[:, :3] / 12.92, ((colors[:, :3] + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


@pytest.mark.parametrize("name", SCENES)
def test_neighbours_differ_by_three_steps_of_the_palette(name: str) -> None:
    _, cells = scene(name)
    numbers = pattern_color_numbers(cells)
    assert set(numbers) <= set(range(PATTERN_COLORS))
    inner = cells.edge_cells[cells.edge_cells.min(axis=1) >= 0]
    steps = np.abs(numbers[inner[:, 0]] - numbers[inner[:, 1]])
    assert steps.min() >= PATTERN_STEP
    assert len(set(numbers)) == PATTERN_COLORS


def test_a_color_depends_on_the_pattern_alone() -> None:
    """The same patterns on another polygon, and with weights that move every fold, have the same colours."""
    rng = np.random.default_rng(0)
    weights, biases = [rng.normal(size=(8, 2)), rng.normal(size=(1, 8))], [rng.normal(size=8) / 3, np.zeros(1)]
    before = complex_of(mlp(weights, biases))
    after = complex_of(
        mlp([weights[0] + 1e-2 * rng.normal(size=(8, 2)), weights[1]], biases), [(-2, -2), (2, -2), (0, 2)]
    )
    colors = {p.tobytes(): c for p, c in zip(before.patterns, pattern_color_numbers(before), strict=True)}
    same = [
        (colors[p.tobytes()], c)
        for p, c in zip(after.patterns, pattern_color_numbers(after), strict=True)
        if p.tobytes() in colors
    ]
    assert len(same) > 10
    assert all(one == two for one, two in same)


def test_colors_are_the_recorded_ones() -> None:
    """Pictures of papers keep their colours: the hash must never change."""
    _, cells = scene("plane")
    first = pattern_color_numbers(cells)[np.argsort(-cells.measures)][:8]
    assert first.tolist() == RECORDED


RECORDED = [6, 1, 1, 5, 8, 2, 1, 7]


def test_a_network_without_folds_has_one_color() -> None:
    builder = Builder(2)
    builder.dense([[1.0, 2.0]])
    assert pattern_color_numbers(complex_of(builder.build())).tolist() == [0]


def test_palette_rises_in_lightness() -> None:
    rises = np.diff(lightness(pattern_palette()))
    assert len(rises) == PATTERN_COLORS - 1
    assert (rises > 1).all(), "consecutive colours differ without hue too"
    assert lightness(pattern_palette()).min() > 50, "black lines stay visible"


@pytest.mark.parametrize("count", [2, 8, 10, 24, 100])
def test_class_colors_differ(count: int) -> None:
    colors = class_colors(count)
    assert colors.shape == (count, 4)
    if count <= 24:
        distance = np.abs(colors[:, None, :3] - colors[None, :, :3]).sum(axis=2)
        assert distance[~np.eye(count, dtype=bool)].min() > 0.1
    np.testing.assert_array_equal(class_colors(200)[:count], colors)


def test_many_class_colors_are_told_apart() -> None:
    """A thousand colours differ; none is near white or black."""
    colors = np.rint(255 * class_colors(1000)[:, :3])
    assert len(np.unique(colors, axis=0)) == 1000
    assert len(np.unique(np.rint(255 * tinted(class_colors(1000), 0.75)), axis=0)) == 1000
    assert lightness(class_colors(1000)).max() < 92
    assert lightness(class_colors(1000)).min() > 30


def test_classes_beyond_ten_have_colors_by_rank() -> None:
    np.testing.assert_array_equal(colors_of_classes(np.array([2, 7])), class_colors(10)[[2, 7]])
    np.testing.assert_array_equal(colors_of_classes(np.array([2, 7, 990])), class_colors(3))
    assert len(colors_of_classes(np.array([], int))) == 0


def test_first_class_colors_are_those_of_okabe_and_ito() -> None:
    from matplotlib.colors import to_hex

    assert [to_hex(color).upper() for color in class_colors(8)] == list(OKABE_ITO)


def test_tints() -> None:
    color = np.array([[0.2, 0.4, 0.6, 1.0]])
    np.testing.assert_allclose(tinted(color, 1.0), color)
    np.testing.assert_allclose(tinted(color, 0.0), 1.0)
    np.testing.assert_allclose(tinted(color, 0.5), [[0.6, 0.7, 0.8, 1.0]])


def test_scales() -> None:
    even = scale_of(np.linspace(2.0, 5.0, 101), "length (m)")
    assert (even.low, even.high, even.logarithmic, even.extends, even.label) == (
        2.0,
        5.0,
        False,
        "neither",
        "length (m)",
    )
    wide = scale_of(np.logspace(-3, 3, 1001), "area")
    assert wide.logarithmic
    assert wide.extends == "both"
    outlier = scale_of(np.append(np.linspace(-1, 1, 1000), [1e6, np.nan, np.inf]), "value")
    assert not outlier.logarithmic
    assert outlier.high == pytest.approx(1.0, abs=0.1)
    assert outlier.extends in ("max", "both")
    assert scale_of(np.array([np.nan]), "nothing").low == 0.0
    assert scale_of(np.zeros(3), "zeros", logarithmic=True).logarithmic
    sizes = np.repeat([1e-9, 1.0], [900, 100])
    seen = scale_of(np.repeat([1.0, 50.0], [900, 100]) + np.linspace(0, 1, 1000), "value", weights=sizes)
    assert seen.low > 50, "numbers that colour nothing do not stretch the scale"
    constant = scale_of(np.full(5, 3.0), "constant")
    assert constant.high >= constant.low == 3.0


def test_numbers_become_colors() -> None:
    scale = scale_of(np.array([1.0, 2.0, 3.0]), "value")
    colors = colors_of(np.array([1.0, 3.0, np.nan, 99.0]), scale)
    np.testing.assert_allclose(colors[2], [0.85, 0.85, 0.85, 1.0])
    np.testing.assert_array_equal(colors[3], colors[1])
    assert lightness(colors)[0] < lightness(colors)[1]
