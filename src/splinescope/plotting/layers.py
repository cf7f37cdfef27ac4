"""The layers of a picture: fills, folds, boundaries, scales. Axes in, axes changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.plotting.colors import CLASS_STRENGTH, ColorScale, colors_of_classes, tinted
from splinescope.plotting.data import FilledPolygons, FoldLines, norm_of
from splinescope.plotting.figures import ACCENT, INK, RASTER_LIMIT, figure_of, label_name, points_per_unit
from splinescope.tessellation.boundary import DecisionBoundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SQUARE = 10.0
"""Side in points of the squares in which it is looked at how dense lines are."""
_CASING, _COVERED = 2.6, 0.6
"""Width of a boundary with its casing in points, and how much of a square it may cover."""


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

    mappable = ScalarMappable(norm_of(scale), scale.colormap)
    bar = figure_of(ax).colorbar(mappable, ax=ax, fraction=0.046, pad=pad, shrink=shrink, extend=scale.extends)
    ticks = log_ticks(scale.low, scale.high) if scale.logarithmic else None
    if ticks is not None:
        bar.set_ticks(ticks.tolist(), labels=[f"{tick:.4g}" for tick in ticks])
        bar.minorticks_off()
    bar.set_label(scale.label if label is None else label)


def log_ticks(low: float, high: float) -> np.ndarray | None:
    """Numbers to write on a logarithmic scale that is too short for powers of ten alone.

    Args:
        low: Its lower end, positive.
        high: Its upper end.

    Returns:
        [n] ticks: one, two and five times powers of ten, or steps as on a linear scale where these are too few; None
        where the scale has three powers of ten or more.
    """
    from matplotlib.ticker import MaxNLocator

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    round_numbers = np.array([unit * 10.0**power for power in range(first, last + 1) for unit in (1, 2, 5)])
    inside = round_numbers[(round_numbers >= low * (1 - 1e-9)) & (round_numbers <= high * (1 + 1e-9))]
    if len(inside) > 8:
        return None
    if len(inside) < 3:
        steps = np.asarray(MaxNLocator(4).tick_values(low, high))
        inside = steps[(steps >= low) & (steps <= high)]
    return inside


def draw_class_legend(ax: Axes, classes: tuple[int, ...], names: Sequence[str] | None = None) -> None:
    """Name the colours of classes in a legend beside the axes.

    Args:
        ax: Axes.
        classes: The classes that occur, ascending.
        names: What all classes are called, those of `Network.classes`; their numbers if None.
    """
    from matplotlib.patches import Patch

    colors = tinted(colors_of_classes(np.array(classes)), CLASS_STRENGTH)
    labels = [label_name(names, k) for k in classes]
    handles = [Patch(fc=fill, ec="black", lw=0.5, label=label) for fill, label in zip(colors, labels, strict=True)]
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

    segments = np.asarray(boundary.segments)
    limits, box = np.array([ax.get_xlim(), ax.get_ylim()]), ax.get_position()
    paper = 72 * np.array([box.width, box.height]) * figure_of(ax).get_size_inches()
    thinner = boundary_widths((segments - limits[:, 0]) / (limits[:, 1] - limits[:, 0]) * paper, paper)
    whole = bool((thinner == 1).all())
    lines: Any = [polyline.points for polyline in boundary.polylines()] if whole else segments
    for width, tint, order in ((2.6, "white", 3.0), (1.5, color, 3.1)):
        widths = width if whole else width * thinner
        collection = LineCollection(
            lines, colors=tint, linewidths=widths, capstyle="round", joinstyle="round", zorder=order
        )
        collection.set_rasterized(len(segments) > RASTER_LIMIT)
        ax.add_collection(collection, autolim=False)


def boundary_widths(segments: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """By how much lines are thinner where they are dense, so that they cover no more than a third of the paper there.

    Args:
        segments: [S, 2, 2] ends of the lines, in points from the lower left corner of the axes.
        paper: Width and height of the axes in points.

    Returns:
        [S] factors from 0.2 to 1 of the usual width.
    """
    counts = np.maximum(1, paper // _SQUARE).astype(np.int64)
    steps = segments[:, 1] - segments[:, 0]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    marks = np.clip(np.ceil(lengths / _SQUARE), 1, 256).astype(np.int64)
    owner = np.repeat(np.arange(len(segments)), marks)
    share = (np.arange(len(owner)) - np.repeat(np.cumsum(marks) - marks, marks) + 0.5) / marks[owner]
    points = segments[owner, 0] + share[:, None] * steps[owner]
    seen = ((points >= 0) & (points < paper)).all(axis=1)  # an enlargement shows a part of them
    owner, tiles = owner[seen], np.minimum(points[seen] / paper * counts, counts - 1).astype(np.int64)
    places = tiles @ np.array([counts[1], 1])
    ink = np.bincount(places, (lengths / marks)[owner], minlength=int(counts.prod()))[places]
    around = np.bincount(owner, ink, len(segments)) / np.maximum(1, np.bincount(owner, minlength=len(segments)))
    cover = _CASING * around / float(np.prod(paper / counts))
    return np.asarray(np.clip(_COVERED / np.maximum(cover, 1e-300), 0.2, 1.0))
