"""Tessellations in small panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.data import fill_cells, fold_lines
from splinescope.plotting.experiments.style import SERIES
from splinescope.plotting.figures import INK, RASTER_LIMIT, frame_slice
from splinescope.plotting.layers import draw_fills

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.planar.complex import PlanarComplex


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
