"""Pictures of segments: their data, and the artists that come of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from torch import nn

import splinescope
from splinescope.plotting import save_figure
from splinescope.plotting.segments import plot_segment, segment_profile
from splinescope.tessellation.segments import SegmentComplex, class_intervals, margins


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def along(inputs: tuple[int, ...], outputs: int, **options: object) -> SegmentComplex:
    """A segment through a small random network."""
    generator = torch.Generator().manual_seed(1)
    size = int(np.prod(inputs))
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(size, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, outputs)
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    points = np.random.default_rng(2).normal(size=(2, *inputs))
    network = splinescope.from_torch(module.double(), input_shape=inputs)
    return splinescope.tessellate(network, splinescope.Segment(*points), **options)


def test_profile_is_exact() -> None:
    cells = along((1, 8, 8), 5)
    profile = segment_profile(cells, target=3)
    np.testing.assert_array_equal(profile.t, cells.t)
    np.testing.assert_array_equal(profile.lines, cells.vertex_outputs)
    assert profile.margin[profile.worst] == margins(cells, 3).minimum[0]
    assert set(class_intervals(cells).classes) | {3} == set(profile.colored.tolist())
    assert len(profile.rug_t) == len(cells.flip_op)
    assert profile.layers == tuple(cells.network.nodes[node].name for node, _, _ in cells.pattern_nodes)
    assert [image.shape for image in profile.film] == [(8, 8, 3)] * 5


def test_target_is_the_class_at_the_start() -> None:
    cells = along((6,), 4)
    assert segment_profile(cells).target == cells.vertex_outputs[0].argmax()
    assert segment_profile(cells).film == []


def panels(ax: object) -> list[str]:
    return [child.get_ylabel() or "other" for child in ax.child_axes]  # type: ignore[attr-defined]


def test_every_part_is_drawn() -> None:
    cells = along((1, 8, 8), 5)
    ax = plot_segment(cells, target=2)
    ax.figure.canvas.draw()
    assert ax.get_title() == f"{len(cells)} cells"
    film, classes, outputs, margin, layers = ax.child_axes
    assert len(film.child_axes) == 5
    assert len(classes.patches) == len(class_intervals(cells))
    assert margin.get_ylabel() == "margin of 2"
    curve = max(margin.lines, key=lambda line: len(line.get_xdata()))
    drawn = curve.get_xdata(), curve.get_ydata()
    np.testing.assert_array_equal(np.interp(cells.t, *drawn), margins(cells, 2).at_vertices)
    between = np.linspace(0, 1, 501)
    values = cells.network(cells.domain.embed(between[:, None]))
    expected = values[:, 2] - np.delete(values, 2, axis=1).max(axis=1)
    np.testing.assert_allclose(np.interp(between, *drawn), expected, atol=1e-9)
    (marks,) = [c for c in layers.collections if isinstance(c, LineCollection)]
    assert len(marks.get_segments()) == len(cells.flip_op)
    assert all(panel.get_xlim() == (0.0, 1.0) for panel in (classes, outputs, margin, layers))


def test_one_output_needs_no_margin() -> None:
    ax = plot_segment(along((2,), 1), title="")
    assert panels(ax) == ["other", "output", "layer"]
    assert ax.get_title() == ""


def test_a_network_without_folds_has_no_rug() -> None:
    network = splinescope.from_torch(nn.Linear(3, 3).double(), input_shape=(3,))
    cells = splinescope.tessellate(network, splinescope.Segment(np.zeros(3), np.ones(3)))
    assert "layer" not in panels(plot_segment(cells))


def test_many_outputs_that_are_no_classes() -> None:
    module = nn.Sequential(nn.Linear(3, 30), nn.ReLU(), nn.Linear(30, 64), nn.Unflatten(1, (1, 8, 8))).double()
    network = splinescope.from_torch(module, input_shape=(3,))
    cells = splinescope.tessellate(network, splinescope.Segment(np.zeros(3), np.ones(3)))
    profile = segment_profile(cells)
    assert profile.intervals is None
    assert profile.lines.shape[1] == 8
    assert panels(plot_segment(cells)) == ["output", "layer"]


def test_truncated_segments_say_so(tmp_path: object) -> None:
    cells = along((6,), 3, max_cells=4)
    ax = plot_segment(cells)
    assert ax.get_title() == "at least 4 cells"
    assert save_figure(ax.figure, f"{tmp_path}/segment.svg").is_file()


def test_draws_into_the_axes_that_it_is_given() -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    assert plot_segment(along((6,), 3), ax=left) is left
    assert plot_segment(along((1, 8, 8), 3), ax=right) is right
    assert figure.axes[:2] == [left, right]
    figure.canvas.draw()
