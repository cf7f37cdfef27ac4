"""The figure of `tessellation-toy`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_surface
from splinescope.plotting.data import fill_cells, fold_lines
from splinescope.plotting.figures import INK, RASTER_LIMIT, frame_slice
from splinescope.plotting.layers import draw_fills
from splinescope.plotting.page import PAGE, SERIES, bare, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The tessellation after each layer, and the graph of the output."""
    return {"tessellation": partial(draw_toy, numbers, kept)}


@on_page
def draw_toy(numbers: Numbers, kept: Kept) -> Figure:
    """The tessellation after each layer, its newest folds in colour, and the graph of the output above the last."""
    after = [kept.cells(f"after-{layer}", PlanarComplex) for layer in range(1, len(numbers["cells"]) + 1)]
    whole = kept.cells("whole", PlanarComplex)
    figure = new_figure(PAGE, 3.55)
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.05), squeeze=False)[0]
    rows = -(-len(after) // 2)
    panels = left.subplots(rows, 2).ravel()
    for number, (ax, cells) in enumerate(zip(panels, after, strict=False)):
        draw_newest_folds(ax, cells)
        bare(ax)
        layers = f"layers 1–{number + 1}" if number else "layer 1"
        put_title(ax, "abcdefgh"[number], f"{layers}: {len(cells):,} cells")
    for ax in panels[len(after) :]:
        ax.set_axis_off()
    surface = right.add_axes((0.0, 0.06, 0.9, 0.9), projection="3d", computed_zorder=False)
    plot_surface(whole, ax=surface, label="output", title="")
    letter = "abcdefgh"[len(after)]
    right.text(0.02, 0.965, f"$\\bf{{{letter}}}$  the output above its {len(whole):,} cells", fontsize=8.5, va="center")
    return figure


def draw_newest_folds(ax: Axes, cells: PlanarComplex) -> None:
    """Cells in the colours of their patterns, with the folds of the last layer in colour over those of the others.

    Args:
        ax: Axes.
        cells: The complex.
    """
    from matplotlib.collections import LineCollection

    frame_slice(ax, cells, "")
    draw_fills(ax, fill_cells(cells, "pattern"))
    lines = fold_lines(cells)
    last = len(lines.names) - 1
    thin = float(np.clip(14 / np.sqrt(max(1, len(lines.segments))), 0.25, 0.7))
    for rows, color, width in (
        (lines.layers < last, INK, thin),
        (lines.layers == last, SERIES[1], 1.5 * thin),
    ):
        drawn = LineCollection(list(lines.segments[rows]), colors=color, linewidths=width, capstyle="round", zorder=2)
        drawn.set_rasterized(len(lines.segments) > RASTER_LIMIT)
        ax.add_collection(drawn, autolim=False)
