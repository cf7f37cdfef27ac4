"""The figures of `manifold`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.plotting import plot_manifold
from splinescope.plotting.data import fill_cells, fold_lines
from splinescope.plotting.figures import frame_slice
from splinescope.plotting.layers import draw_color_bar, draw_fills, draw_folds
from splinescope.plotting.page import PAGE, new_figure, on_page, put_title
from splinescope.tessellation.planar.complex import PlanarComplex

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """The toy surface, and the slice of a trained generator."""
    return {name: partial(draw_surface, numbers, kept, part) for name, part in (("surface", "toy"), ("slice", "slice"))}


@on_page
def draw_surface(numbers: Numbers, kept: Kept, name: str) -> Figure:
    """The plane of latents and the surface side by side, in the same colours."""
    cells = kept.cells(name, PlanarComplex)
    figure = new_figure(PAGE, 3.2)
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.0), squeeze=False)[0]
    ax = left.subplots()
    frame_slice(ax, cells, "")
    fills = fill_cells(cells, "log-volume")
    if fills.scale is not None:
        draw_color_bar(ax, fills.scale, shrink=0.8)
    draw_fills(ax, fills)
    draw_folds(ax, fold_lines(cells), float(cells.measures.sum()), 0.6)
    put_title(ax, "a", f"latents: {len(cells):,} cells")
    surface = right.add_axes((0.0, 0.08, 0.9, 0.86), projection="3d")
    plot_manifold(cells, surface, bar=False, title="")
    area = numbers[name]["volume"]
    text = f"$\\bf{{b}}$  the surface: area {area:.4g}"
    mark = right.text(0.02, 0.9, text, fontsize=8.5, va="baseline", in_layout=False)
    figure.draw_without_rendering()  # so that it is known how high the other title is
    figure.set_layout_engine("none")
    mark.set_y(figure.transFigure.inverted().transform(ax.title.get_window_extent())[0, 1])
    return figure
