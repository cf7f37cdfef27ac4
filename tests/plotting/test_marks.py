"""Marks that say what they mean: ticks, widths, crossings, insets, letters."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting import plot_tessellation
from splinescope.plotting.colors import class_colors, scale_of, tinted
from splinescope.plotting.layers import boundary_widths, log_ticks
from splinescope.plotting.segments import with_crossings
from tests.fixtures.engine_networks import to_network
from tests.tessellation.test_grids import gaussian


@pytest.fixture
def cells() -> splinescope.PolyhedralComplex:
    network = to_network(gaussian(5, (2, 8, 8, 3)))
    return splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), verify="topology")


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.4), (3.1, 3.9), (0.02, 0.7), (1e-7, 3e-6), (1.0, 120.0)])
def test_every_logarithmic_scale_has_numbers(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert ticks is not None
    assert 2 <= len(ticks) <= 8
    assert low <= ticks.min() * (1 + 1e-9)
    assert ticks.max() <= high * (1 + 1e-9)
    assert log_ticks(1e-5, 1e3) is None


def test_zeros_do_not_spoil_a_logarithmic_scale() -> None:
    values = np.concatenate([np.zeros(20), np.geomspace(1e-3, 10.0, 80)])
    scale = scale_of(values, "norm")
    assert scale.logarithmic
    assert scale.low > 0
    assert scale.extends in ("min", "both")
    assert not scale_of(np.concatenate([values, [-1.0]]), "norm").logarithmic
    assert not scale_of(np.concatenate([values, np.zeros(200)]), "norm").logarithmic


def test_lines_are_thinner_where_they_are_dense() -> None:
    paper = np.array([240.0, 240.0])
    many = np.array([[[5.0, y], [9.0, y]] for y in np.linspace(4, 9, 60)])
    alone = np.array([[[200.0, 200.0], [204.0, 200.0]]])
    widths = boundary_widths(np.concatenate([many, alone]), paper)
    assert widths[-1] == 1.0
    assert widths[:-1].max() < 0.5
    assert widths.min() >= 0.2
    assert len(boundary_widths(np.empty((0, 2, 2)), paper)) == 0


def test_fills_end_where_a_line_crosses_zero() -> None:
    at, values = with_crossings(np.array([0.0, 1.0, 2.0, 3.0]), np.array([3.0, -1.0, 0.0, 2.0]))
    assert at.tolist() == [0.0, 0.75, 1.0, 2.0, 3.0]
    assert values.tolist() == [3.0, 0.0, -1.0, 0.0, 2.0]
    area = np.trapezoid(np.minimum(values, 0.0), at)
    assert area == pytest.approx(-0.625)


def test_an_inset_shows_the_part_in_the_far_corner(cells: splinescope.PolyhedralComplex) -> None:
    ax = plot_tessellation(cells, "norm", inset=((-0.9, -0.9), (-0.5, -0.7)), colormap="magma", logarithmic=False)
    (box,) = ax.child_axes
    assert (box.get_xlim(), box.get_ylim()) == ((-0.9, -0.5), (-0.9, -0.7))
    x, y = (box.get_position().x0, box.get_position().y0)
    assert x > ax.get_position().x0 + 0.4 * ax.get_position().width
    assert y > ax.get_position().y0 + 0.4 * ax.get_position().height
    for wrong in (((1, 1), (0, 0)), ((3, 3), (4, 4)), ((0, 0),)):
        with pytest.raises(InvalidInputError, match="`inset`"):
            plot_tessellation(cells, inset=wrong)
    pyplot.close("all")


def test_ten_classes_are_told_apart() -> None:
    rgb = tinted(class_colors(10), 0.75)[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert apart[~np.eye(10, dtype=bool)].min() > 18  # the tints of two hues were 16 apart


def test_anchors_have_letters(cells: splinescope.PolyhedralComplex) -> None:
    domain = splinescope.Slice.through([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    ax = plot_tessellation(splinescope.tessellate(cells.network, domain, verify="topology"))
    assert [text.get_text() for text in ax.texts][:3] == ["A", "B", "C"]
    pyplot.close("all")
