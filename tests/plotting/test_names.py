"""Names of classes and of coordinates appear in pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from torch import nn

import splinescope
from splinescope import Box, Network, Segment, Slice, plotting
from splinescope.network import load
from splinescope.preimage import ClassTarget, preimage_of
from splinescope.tessellation.boundary import class_regions
from splinescope.tessellation.surface import decision_surface

CLASSES, PLANE = ("cat", "dog", "fox"), ("x1 (m)", "x2 (kg)")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def network_of(inputs: int) -> Network:
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, 3))
    return load(module).with_classes(CLASSES)


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def texts_of(ax: Axes) -> set[str]:
    """All texts of axes and of those inside them."""
    parts = [ax, *ax.child_axes]
    found = [text.get_text() for part in parts for text in part.texts]
    return {*found, *(part.get_xlabel() for part in parts), *(part.get_ylabel() for part in parts)}


@pytest.mark.parametrize(
    "draw", [plotting.plot_decision_boundary, lambda cells: plotting.plot_tessellation(cells, "class")]
)
def test_planes(draw: object) -> None:
    domain = Slice.box([-3.0, -3.0], [3.0, 3.0], names=PLANE)
    cells = splinescope.tessellate(network_of(2), domain)
    ax = draw(cells)  # type: ignore[operator]
    assert (ax.get_xlabel(), ax.get_ylabel()) == PLANE
    present = sorted({int(label) for label in class_regions(cells).classes})
    assert legend_of(ax) == [CLASSES[label] for label in present]


@pytest.mark.parametrize(("names", "aspect"), [(None, 1.0), (("angle (rad)", "speed (rad/s)"), "auto")])
def test_coordinates_with_units_of_their_own_fill_the_picture(names: tuple[str, str] | None, aspect: object) -> None:
    cells = splinescope.tessellate(network_of(2), Slice.box([-0.6, -2.0], [0.6, 2.0], names=names))
    found = preimage_of(network_of(2), ClassTarget(0), Box([-0.6, -2.0], [0.6, 2.0], names=names))
    for ax in (plotting.plot_tessellation(cells, "class"), plotting.plot_preimage(found)):
        assert ax.get_aspect() == aspect
        ax.figure.canvas.draw()
        ends = [text.get_window_extent() for text in ax.get_xticklabels() if text.get_text()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(ends))


def test_numbers_where_there_are_no_names() -> None:
    cells = splinescope.tessellate(network_of(2).with_classes(None), Slice.box([-3.0, -3.0], [3.0, 3.0]))
    ax = plotting.plot_decision_boundary(cells)
    assert all(name.isdecimal() for name in legend_of(ax))
    assert ax.get_xlabel() == "input $x_1$"


def test_graphs_of_outputs() -> None:
    cells = splinescope.tessellate(network_of(2), Slice.box([-1.0, -1.0], [1.0, 1.0], names=PLANE))
    ax = plotting.plot_surface(cells, output=1)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()) == (*PLANE, "dog")


def test_segments() -> None:
    cells = splinescope.tessellate(network_of(2), Segment([-3.0, -3.0], [3.0, 3.0], names="dose (share)"))
    found = texts_of(plotting.plot_segment(cells, target=2))
    assert {"dose (share)", "margin of fox"} <= found
    assert found & set(CLASSES)
    assert not found & {"0", "1", "2"}


def test_surfaces() -> None:
    domain = Box([-2.0] * 3, [2.0] * 3, names=("a (m)", "b (m)", "c (m)"))
    mesh = decision_surface(network_of(3), domain)
    ax = plotting.plot_mesh(mesh, color="class", height=60)
    assert {"a (m)", "b (m)", "c (m)"} <= texts_of(ax)
    assert set(legend_of(ax)) <= set(CLASSES)


def test_animations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    draw = plotting.animation.draw_class_legend
    monkeypatch.setattr(plotting.animation, "draw_class_legend", lambda *given: (seen.append(given[2]), draw(*given)))
    cells = splinescope.tessellate(network_of(2), Slice.box([-1.0, -1.0], [1.0, 1.0]))
    plotting.animate({0: cells}, tmp_path / "one.gif", "class", dpi=20, pause=0)
    assert seen == [CLASSES]
    assert np.size(cells.measures) == len(cells)
