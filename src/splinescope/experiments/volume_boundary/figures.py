"""The figures of `volume-boundary`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.experiments.volume_boundary.claims import of, problems
from splinescope.plotting.colors import scale_of
from splinescope.plotting.data import FilledPolygons, colors_of
from splinescope.plotting.figures import ACCENT
from splinescope.plotting.geodesics import volume_elements
from splinescope.plotting.layers import draw_color_bar, draw_fills
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """Planes before and after training, and volumes by distance from the boundary."""
    return {"planes": partial(draw_planes, numbers, kept), "distances": partial(draw_distances, numbers)}


@on_page
def draw_planes(numbers: Numbers, kept: Kept) -> Figure:
    """Volume elements of the first network of each problem before and after training, under the trained boundary."""
    names = problems(numbers)
    figure = new_figure(PAGE, 4.1)
    rows = figure.subplots(2, len(names), squeeze=False)
    for column, (letter, name) in enumerate(zip("abc", names, strict=True)):
        segments = kept.arrays(f"boundary-{name}")["segments"]
        for row, when in enumerate(("before", "after")):
            ax = rows[row][column]
            _draw_plane(ax, kept.cells(f"{when}-{name}", PlanarComplex), column == len(names) - 1)
            for segment in segments:
                ax.plot(*segment.T, color="white", lw=2.0, zorder=3, solid_capstyle="round")
            for segment in segments:
                ax.plot(*segment.T, color=ACCENT, lw=1.0, zorder=4, solid_capstyle="round")
        put_title(rows[0][column], letter, name)
    for row, when in enumerate(("before training", "after training")):
        rows[row][0].set_ylabel(when)
    return figure


def _draw_plane(ax: Axes, cells: PlanarComplex, labelled: bool) -> None:
    """Cells by their volume elements relative to the mean."""
    values, areas = volume_elements(cells), np.asarray(cells.measures)
    values = values / (values * areas).sum() * areas.sum()
    values = np.where(values > 0, values, np.nan)
    scale = scale_of(values, "volume element by its mean" if labelled else "", weights=areas)
    ax.set_aspect("equal")
    ax.set(xlim=_limits(cells, 0), ylim=_limits(cells, 1), facecolor="0.85")
    draw_color_bar(ax, scale)
    corners = cells.vertices[cells.cell_vertices]
    draw_fills(ax, FilledPolygons(corners, np.asarray(cells.cell_offsets), colors_of(values, scale), scale))
    bare(ax)


def _limits(cells: PlanarComplex, axis: int) -> tuple[float, float]:
    return float(cells.vertices[:, axis].min()), float(cells.vertices[:, axis].max())


@on_page
def draw_distances(numbers: Numbers) -> Figure:
    """Means of the volume element by distance from the boundary: medians of networks with quartiles."""
    names = problems(numbers)
    figure = new_figure(PAGE, 2.3)
    for letter, ax, name in zip("abc", figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for number, when in enumerate(("before", "after")):
            rows = np.array([one[when]["profile"] for one in of(numbers, name)], float)
            places = (np.arange(rows.shape[1]) + 0.5) * 0.25 / rows.shape[1]
            style: dict[str, Any] = {"marker": MARKERS[number], "color": SERIES[number], "ms": 3}
            ax.plot(places, np.nanmedian(rows, axis=0), label=f"{when} training", **style)
            low, high = np.nanquantile(rows, (0.25, 0.75), axis=0)
            ax.fill_between(places, low, high, color=SERIES[number], alpha=0.15, lw=0)
        ax.axhline(1, color=MUTED, lw=0.6, ls=":")
        ax.set(xlabel="distance from the boundary (widths)", ylim=(0, None), xlim=(0, 0.25))
        put_title(ax, letter, name)
        ax.legend(loc="best")
    figure.axes[0].set_ylabel("volume element by its mean")
    return figure
