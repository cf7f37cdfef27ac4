"""The picture of two networks compared: borders are those of each network alone, and what is hatched differs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection, PolyCollection

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting import plot_comparison
from splinescope.plotting.comparison import compared_slice
from splinescope.trajectory import compare
from tests.trajectory.nets import formula_module

SQUARE = splinescope.Slice.box([-1, -1], [1, 1])
A, B = formula_module([2, 8, 8, 3], 4), formula_module([2, 8, 8, 3], 2)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what a test drew."""
    yield
    pyplot.close("all")


def lengths(segments: np.ndarray) -> float:
    return float(np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum())


def test_borders_are_the_boundaries_of_each_network() -> None:
    shown = compared_slice(compare(A, B, SQUARE))
    for module, border in zip((A, B), shown.borders, strict=True):
        alone = splinescope.decision_boundary(splinescope.tessellate(module, SQUARE))
        assert lengths(border) == pytest.approx(float(alone.lengths.sum()), rel=1e-9)
        assert lengths(border) > 0


def test_a_plane() -> None:
    found = compare(A, B, SQUARE)
    ax = plot_comparison(found, names=("one", "other"))
    hatched = [part for part in ax.collections if isinstance(part, PolyCollection) and part.get_hatch()]
    assert len(hatched[0].get_paths()) == int(found.changed.sum()) > 0
    drawn = [part for part in ax.collections if isinstance(part, LineCollection)]
    total = sum(
        lengths(np.stack([line[:-1], line[1:]], axis=1)) for part in drawn[1::2] for line in part.get_segments()
    )
    assert total == pytest.approx(sum(map(lengths, compared_slice(found).borders)), rel=1e-9)
    assert "classes differ on" in ax.get_title()
    assert [text.get_text() for text in ax.get_legend().get_texts()][:2] == ["boundary of one", "boundary of other"]


def test_colors_are_of_the_asked_output() -> None:
    found = compare(A, B, SQUARE)
    every, one = compared_slice(found), compared_slice(found, 1)
    assert not np.array_equal(every.fills.colors, one.fills.colors)
    assert one.scale.high <= found.deviations[1] + 1e-12
    with pytest.raises(InvalidInputError, match="`output`: got 3"):
        plot_comparison(found, 3)


def test_a_segment() -> None:
    found = compare(A, B, splinescope.Segment([-1, -1], [1, 1]))
    ax = plot_comparison(found)
    for k, line in enumerate(ax.lines[:3]):
        np.testing.assert_array_equal(line.get_ydata(), found.cells.vertex_outputs[:, k])
    (bars,) = ax.child_axes
    widths = [patch.get_width() for patch in bars.patches]
    assert sum(widths) == pytest.approx(2.0, rel=1e-12)  # both rows are full


def test_space_is_refused() -> None:
    cube = splinescope.Box([-1] * 3, [1] * 3)
    found = compare(formula_module([3, 2, 2], 0), formula_module([3, 2, 2], 1), cube)
    with pytest.raises(InvalidInputError, match="a comparison in 3 dimensions"):
        plot_comparison(found)
