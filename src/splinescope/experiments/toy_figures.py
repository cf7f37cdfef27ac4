"""Figure of `tessellation-toy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from splinescope.plotting import plot_surface
from splinescope.plotting.experiments.panels import draw_newest_folds
from splinescope.plotting.experiments.style import PAGE, bare, new_figure, on_page, put_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.tessellation.planar.complex import PlanarComplex


@on_page
def draw_toy(after: Sequence[PlanarComplex], whole: PlanarComplex) -> Figure:
    """The tessellation after each layer, its newest folds in colour, and the graph of the output above the last."""
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
