"""The layers of a picture: fills, folds, boundaries, scales. Axes in, axes changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.colors import CLASS_STRENGTH, ColorScale, class_colors, tinted
from splinescope.plotting.data import FilledPolygons, FoldLines, norm_of
from splinescope.plotting.figures import ACCENT, INK, RASTER_LIMIT, figure_of, points_per_unit
from splinescope.tessellation.boundary import DecisionBoundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_fills(ax: Axes, fills: FilledPolygons) -> None:
    """Fill polygons.

    Args:
        ax: Axes to draw in.
        fills: Polygons and colours.
    """
    from matplotlib.collections import PolyCollection

    sizes = np.diff(fills.offsets)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        corners = fills.points[fills.offsets[rows][:, None] + np.arange(size)]
        colors = fills.colors[rows]
        # Edges in the fill's own colour hide the hairlines that antialiasing leaves between neighbours.
        collection = PolyCollection(corners, facecolors=colors, edgecolors=colors, linewidths=0.25, zorder=1)
        collection.set_rasterized(len(fills) > RASTER_LIMIT)
        ax.add_collection(collection, autolim=False)


def draw_folds(ax: Axes, folds: FoldLines, area: float, factor: float = 1.0) -> None:
    """Draw folds, the widths by layer.

    Args:
        ax: Axes whose limits are set.
        folds: The folds.
        area: Area of the domain.
        factor: Factor of all widths.
    """
    from matplotlib.collections import LineCollection

    widths = factor * folds.widths(points_per_unit(ax), area)
    for layer in range(len(folds.names) - 1, -1, -1):
        rows = folds.layers == layer
        lines = LineCollection(folds.segments[rows], colors=INK, linewidths=widths[layer], capstyle="round", zorder=2)
        lines.set_rasterized(len(folds.segments) > RASTER_LIMIT)
        ax.add_collection(lines, autolim=False)


def draw_color_bar(
    ax: Axes, scale: ColorScale, label: str | None = None, *, shrink: float = 1.0, pad: float = 0.03
) -> None:
    """Draw the colour bar of a scale beside the axes.

    Args:
        ax: Axes.
        scale: The scale.
        label: Label instead of the scale's own.
        shrink: Length of the bar relative to the axes.
        pad: Distance from the axes, relative to their width.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import LogLocator

    mappable = ScalarMappable(norm_of(scale), scale.colormap)
    bar = figure_of(ax).colorbar(mappable, ax=ax, fraction=0.046, pad=pad, shrink=shrink, extend=scale.extends)
    if scale.logarithmic and scale.high < 1e4 and scale.low > 1e-3:
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        bar.ax.yaxis.set_minor_formatter("{x:g}")
    bar.set_label(scale.label if label is None else label)


def draw_class_legend(ax: Axes, classes: tuple[int, ...], names: Sequence[str] | None = None) -> None:
    """Name the colours of classes in a legend beside the axes.

    Args:
        ax: Axes.
        classes: The classes that occur.
        names: What all classes are called, those of `Network.classes`; their numbers if None.
    """
    from matplotlib.patches import Patch

    colors = tinted(class_colors(max(2, max(classes) + 1)), CLASS_STRENGTH)
    handles = [Patch(fc=colors[k], ec="black", lw=0.5, label=str(k) if names is None else names[k]) for k in classes]
    columns = 1 + (len(handles) - 1) // 20
    ax.legend(
        handles=handles,
        title="class",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        ncols=columns,
        borderaxespad=0.0,
        handlelength=1.2,
    )


def draw_boundary(ax: Axes, boundary: DecisionBoundary, color: str = ACCENT) -> None:
    """Draw a decision boundary as joined lines with a white casing.

    Args:
        ax: Axes to draw in.
        boundary: The boundary.
        color: Colour of the lines.
    """
    from matplotlib.collections import LineCollection

    lines = [polyline.points for polyline in boundary.polylines()]
    for width, tint, order in ((2.6, "white", 3.0), (1.5, color, 3.1)):
        collection = LineCollection(
            lines, colors=tint, linewidths=width, capstyle="round", joinstyle="round", zorder=order
        )
        ax.add_collection(collection, autolim=False)
