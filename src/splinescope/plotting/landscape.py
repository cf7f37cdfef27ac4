"""Pictures of loss landscapes: contours, surfaces, profiles, and the exact tessellation of a plane of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.landscape import LossGrid, LossLine, LossPlane
from splinescope.plotting.colors import OKABE_ITO, SEQUENTIAL
from splinescope.plotting.data import fold_lines
from splinescope.plotting.figures import ACCENT, INK, cell_title, figure_of, frame_slice, new_axes, settle_layout
from splinescope.plotting.landscape_data import LEVELS, Contours, contours, profile, window
from splinescope.plotting.layers import draw_folds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

_LINES = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[0], OKABE_ITO[1])
_RUG_BINS = 300
_MOST_MARKED = 40
"""Minima of a line that are marked one by one."""


def plot_landscape(
    grid: LossGrid,
    ax: Axes | None = None,
    *,
    levels: int = LEVELS,
    logarithmic: bool | None = None,
    label: str = "loss",
    title: str | None = None,
) -> Axes:
    """Draw filled contours of the loss on a grid, with the networks that its plane was made of.

    The parameters of a trajectory are joined, the last one being a star; what is not finite is left white.

    Args:
        grid: A grid in two dimensions.
        ax: Axes to draw in; new ones if None.
        levels: Number of contours.
        logarithmic: Whether levels have equal ratios; None decides by the range.
        label: What the values are.
        title: Title; none if None.

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If the grid is a line, or no value is finite.

    Cost: linear in the points of the grid.

    Example:
        >>> import torch
        >>> from splinescope.landscape import loss_grid, random_plane
        >>> model = torch.nn.Linear(2, 1)
        >>> data = (torch.ones(3, 2), torch.zeros(3, 1))
        >>> grid = loss_grid(model, random_plane(model), "squared", data, axes=[-1.0, 0.0, 1.0])
        >>> plot_landscape(grid).get_xlabel() != ""
        True
    """
    data = contours(grid, levels, logarithmic)
    axes = new_axes(5.2, 4.2) if ax is None else ax
    _draw_contours(axes, data, label)
    _draw_marks(axes, grid)
    axes.set_xlim(data.x.min(), data.x.max())
    axes.set_ylim(data.y.min(), data.y.max())
    axes.set_xlabel(grid.plane.labels[0])
    axes.set_ylabel(grid.plane.labels[1])
    if title:
        axes.set_title(title)
    return axes


def _draw_contours(ax: Axes, data: Contours, label: str, strength: float = 1.0) -> None:
    """Fills, lines and a colour bar."""
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import LogLocator, MaxNLocator

    scale = (LogNorm if data.logarithmic else Normalize)(data.levels[0], data.levels[-1])
    values = np.ma.masked_invalid(data.values.T)
    options: dict[str, Any] = {"levels": data.levels, "norm": scale, "extend": data.extends}
    fills = ax.contourf(data.x, data.y, values, cmap=SEQUENTIAL, alpha=strength, zorder=1, **options)
    fills.set_edgecolor("face")
    ax.contour(data.x, data.y, values, colors="white", linewidths=0.45, alpha=0.75, zorder=2.5, **options)
    bar = figure_of(ax).colorbar(fills, ax=ax, fraction=0.046, pad=0.03)
    if data.logarithmic:
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if data.levels[-1] < 300 * data.levels[0] else (1,)))
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.yaxis.set_minor_locator(LogLocator(subs=()))
    else:
        bar.ax.yaxis.set_major_locator(MaxNLocator(6))
    bar.set_label(label)


def _draw_marks(ax: Axes, grid: LossGrid) -> None:
    """The parameters that the plane was made of."""
    marks = grid.plane.marks
    if not len(marks):
        return
    if len(marks) > 3:
        ax.plot(*marks.T, "-", color="white", lw=2.4, zorder=3, solid_capstyle="round")
        ax.plot(*marks.T, "o-", color=ACCENT, lw=1.2, ms=3.2, mec="white", mew=0.5, zorder=3.1)
        ax.plot(*marks[-1], "*", color=ACCENT, ms=11, mec="white", mew=0.8, zorder=3.2)
        return
    for name, place in zip("abc", marks, strict=False):
        ax.plot(*place, "o", color=ACCENT, ms=6, mec="white", mew=0.9, zorder=3.1, clip_on=False)
        if len(marks) > 1:
            ax.annotate(f"${name}$", place, (6, 6), textcoords="offset points", color="white", weight="bold")


def plot_landscape_surface(
    grid: LossGrid,
    ax: Axes3D | None = None,
    *,
    logarithmic: bool | None = None,
    label: str = "loss",
    title: str | None = None,
) -> Axes3D:
    """Draw the loss on a grid as a surface over its plane.

    Args:
        grid: A grid in two dimensions.
        ax: Axes with `projection="3d"`; new ones if None.
        logarithmic: Whether heights are decimal logarithms; None decides by the range.
        label: What the values are.
        title: Title; none if None.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If the grid is a line, or the axes are flat.

    Cost: linear in the points of the grid.

    Example:
        >>> import torch
        >>> from splinescope.landscape import loss_grid, random_plane
        >>> model = torch.nn.Linear(2, 1)
        >>> data = (torch.ones(3, 2), torch.zeros(3, 1))
        >>> grid = loss_grid(model, random_plane(model), "squared", data, axes=[-1.0, 0.0, 1.0])
        >>> plot_landscape_surface(grid).name
        '3d'
    """
    from matplotlib import colormaps, pyplot
    from matplotlib.colors import LightSource
    from matplotlib.ticker import MaxNLocator

    data = contours(grid, logarithmic=logarithmic)
    if ax is None:
        figure = pyplot.figure(figsize=(5.6, 4.6))
        ax = figure.add_axes((0.0, 0.02, 0.9, 0.95), projection="3d")
    if not hasattr(ax, "plot_surface"):
        raise InvalidInputError('`ax`: got flat axes; expected axes with `projection="3d"`')
    heights = np.minimum(data.values, data.levels[-1])
    low, high = data.levels[0], data.levels[-1]
    if data.logarithmic:
        heights, low, high = np.log10(heights), np.log10(low), np.log10(high)
    share = np.clip((heights - low) / (high - low), 0, 1)
    colors = np.asarray(colormaps[SEQUENTIAL](np.nan_to_num(share)))
    shaded = LightSource(315, 45).shade_rgb(colors[..., :3], np.nan_to_num(share), vert_exag=12, fraction=0.8)
    x, y = np.meshgrid(data.x, data.y, indexing="ij")
    ax.plot_surface(x, y, heights, facecolors=shaded, rcount=200, ccount=200, lw=0, antialiased=False, shade=False)
    ax.set_xlabel(grid.plane.labels[0], labelpad=2)
    ax.set_ylabel(grid.plane.labels[1], labelpad=2)
    ax.set_zlabel(f"$\\log_{{10}}$ {label}" if data.logarithmic else label, labelpad=4)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.5)
    ax.view_init(elev=38, azim=-58)
    ax.tick_params(labelsize="small", pad=1)
    if title:
        ax.set_title(title)
    return ax


def plot_loss_profiles(
    lines: Sequence[LossLine | LossGrid],
    labels: Sequence[str],
    ax: Axes | None = None,
    *,
    logarithmic: bool = False,
    title: str | None = None,
) -> Axes:
    """Draw losses along lines, exact ones and sampled ones, in one picture; minima of exact ones are marked.

    A dot is a stationary point, a triangle a kink.

    Args:
        lines: Exact lines, or grids in one dimension.
        labels: What they are called.
        ax: Axes; new ones if None.
        logarithmic: Whether the axis of the loss is logarithmic.
        title: Title; none if None.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If there are not as many labels as lines.

    Cost: linear in the points.

    Example:
        >>> import torch
        >>> from splinescope.landscape import loss_line
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> line = loss_line(model, {"0.weight": torch.ones(3, 2)}, torch.ones(4, 2), torch.zeros(4, 1))
        >>> len(plot_loss_profiles([line], ["trained"]).lines) > 0
        True
    """
    if len(lines) != len(labels) or not lines:
        raise InvalidInputError(f"`labels`: got {len(labels)} for {len(lines)} lines; expected as many")
    axes = new_axes(4.9, 3.2) if ax is None else ax
    low, high = np.inf, -np.inf
    for number, (line, label) in enumerate(zip(lines, labels, strict=True)):
        data, color = profile(line), _LINES[number % len(_LINES)]
        axes.plot(data.t, data.values, color=color, lw=1.3, label=label, zorder=3)
        for (t, value), kink in zip(data.minima[:_MOST_MARKED], data.kinks, strict=False):
            axes.plot(t, value, "v" if kink else "o", color=color, ms=5.5, mec="white", mew=0.7, zorder=4)
        low, high = min(low, data.t.min()), max(high, data.t.max())
    axes.set_xlim(low, high)
    axes.set_xlabel("step $t$ along the line of parameters")
    axes.set_ylabel("loss")
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic:
        axes.set_yscale("log")
    axes.legend(frameon=False)
    if title:
        axes.set_title(title)
    return axes


def plot_loss_line(line: LossLine, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the exact loss along a line, its minima and maxima, and how densely it bends.

    Args:
        line: The line.
        ax: Axes; new ones if None.
        title: Title; the number of pieces if None, none if "".

    Returns:
        The axes; the density of breakpoints is in axes of its own below, a child of these.

    Cost: linear in the pieces.

    Example:
        >>> import torch
        >>> from splinescope.landscape import loss_line
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> line = loss_line(model, {"0.weight": torch.ones(3, 2)}, torch.ones(4, 2), torch.zeros(4, 1))
        >>> plot_loss_line(line).get_ylabel() != ""
        True
    """
    axes = new_axes(5.2, 3.6) if ax is None else ax
    data = profile(line)
    axes.plot(data.t, data.values, color=_LINES[0], lw=1.4, zorder=3)
    stationary, kinks = data.minima[data.kinks == 0], data.minima[data.kinks == 1]
    for found, marker, name in ((stationary, "o", "minimum, stationary"), (kinks, "v", "minimum at a kink")):
        if len(found):
            axes.plot(*found.T, marker, color=ACCENT, ms=6, mec="white", mew=0.8, zorder=4, label=name)
    if line.maxima:
        axes.plot(*np.array(line.maxima).T, "s", color=INK, ms=4.5, mec="white", mew=0.7, zorder=4, label="maximum")
    if line.minima or line.maxima:
        axes.legend(frameon=False, fontsize="small")
    axes.set_xlim(*line.interval)
    axes.set_ylabel("loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelbottom=False)
    below = axes.inset_axes((0.0, -0.24, 1.0, 0.18), sharex=axes)
    counts, edges = np.histogram(line.breakpoints, _RUG_BINS, line.interval)
    below.stairs(counts / np.diff(edges), edges, fill=True, color="#9a9aa0")
    below.set_ylim(bottom=0)
    below.set_xlabel("step $t$ along the line of parameters")
    below.set_ylabel("folds\nper unit", fontsize="small")
    below.tick_params(labelsize="small", labelbottom=True)
    below.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{len(line):,} pieces" if title is None else title)
    return axes


def plot_loss_plane(
    plane: LossPlane,
    ax: Axes | None = None,
    *,
    folds: bool = True,
    logarithmic: bool | None = None,
    line_width: float = 0.6,
    title: str | None = None,
) -> Axes:
    """Draw the exact loss on a plane of parameters: cells, contours, and all minima.

    On each cell the loss is one quadratic, so that contours are arcs of conics that bend on the folds. Local minima are
    dots, the least of the window a star.

    Args:
        plane: The plane.
        ax: Axes; new ones if None.
        folds: Whether to draw the folds, between the cells.
        logarithmic: Whether levels have equal ratios; None decides by the range.
        line_width: Factor of the widths of folds.
        title: Title; the numbers of cells and samples if None, none if "".

    Returns:
        The axes.

    Cost: linear in the cells and the points of the picture.

    Example:
        >>> import torch
        >>> from splinescope.landscape import loss_plane
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> ways = (torch.eye(3, 2), torch.ones(3, 2))
        >>> plane = loss_plane(model, "0", ways, torch.ones(2, 2), torch.zeros(2, 1))
        >>> plot_loss_plane(plane).get_xlabel() != ""
        True
    """
    axes = new_axes(5.6, 4.7) if ax is None else ax
    samples = f"{plane.samples} sample{'' if plane.samples == 1 else 's'}"
    frame_slice(axes, plane.cells, f"{cell_title(plane.cells)}, {samples}" if title is None else title)
    if plane.cells.truncated:
        low, high = window(plane)
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
    _draw_contours(axes, contours(plane, logarithmic=logarithmic), "loss")
    if folds:
        settle_layout(axes)
        draw_folds(axes, fold_lines(plane.cells), plane.cells.domain.measure, line_width)
    for minimum in plane.minima[:_MOST_MARKED]:
        axes.plot(*minimum.point, "o", color=ACCENT, ms=5, mec="white", mew=0.8, zorder=5)
    axes.plot(*plane.global_minimum.point, "*", color=ACCENT, ms=13, mec="white", mew=0.9, zorder=5.1, clip_on=False)
    return axes
