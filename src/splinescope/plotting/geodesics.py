"""Pictures of pulled-back metrics: volumes and shortest paths, distances with their balls, and balls as ellipses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from splinescope.plotting.colors import OKABE_ITO, scale_of
from splinescope.plotting.data import FilledPolygons, colors_of
from splinescope.plotting.figures import ACCENT, INK, frame_slice, new_axes, settle_layout
from splinescope.plotting.layers import draw_color_bar, draw_fills
from splinescope.tessellation.factors import cell_factors, log_volumes_of
from splinescope.tessellation.metric import isometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.riemannian import DistanceField, Geodesic, SpaceGeodesic
    from splinescope.tessellation.planar.complex import PlanarComplex

_STRAIGHT = OKABE_ITO[5]
_JUMP = 0.35
"""Change of a unit vector between neighbouring pixels of one cell beyond which two different paths arrive."""


def volume_elements(cells: PlanarComplex) -> Float[np.ndarray, " cells"]:
    """By how much the network stretches areas on each cell; zero where it flattens the cell.

    Args:
        cells: A planar complex.

    Returns:
        Output area per input area.
    """
    unit = float(np.abs(np.linalg.det(isometry(cells))))
    return np.asarray(np.exp(log_volumes_of(cell_factors(cells))) / unit)


def plot_geodesic(path: Geodesic, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw a shortest path beside the straight line, over cells in the colour of what they stretch areas by.

    Args:
        path: The path.
        ax: Axes to draw in; new ones if None.
        title: Title; the lengths if None, none if "".

    Returns:
        The axes. Nothing is shown or saved.

    Cost: the affine maps of all cells.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.riemannian import geodesic
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_geodesic(geodesic(cells, [0, 0], [0.3, 0.4])).get_title()
        'length 0.5, straight line 0.5'
    """
    cells = path.cells_of_plane
    axes = new_axes(5.6) if ax is None else ax
    frame_slice(axes, cells, f"length {path.length:.6g}, straight line {path.straight_length:.6g}")
    if title is not None:
        axes.set_title(title)
    draw_volumes(axes, cells)
    ends = path.points[[0, -1]]
    lines = ((ends, _STRAIGHT, (0, (4, 2)), "straight line"), (path.points, ACCENT, "solid", "shortest path"))
    for points, color, style, label in lines:
        axes.plot(*points.T, color="white", lw=3.0, zorder=4, solid_joinstyle="round")
        axes.plot(*points.T, color=color, lw=1.6, ls=style, zorder=5, label=label, solid_joinstyle="round")
    axes.plot(*ends.T, "o", ms=5, mfc="white", mec=INK, mew=1.0, zorder=6, ls="none")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, ncols=2)
    return axes


def plot_space_geodesic(path: SpaceGeodesic, ax: Any = None, *, title: str | None = None) -> Axes:
    """Draw a short path of three latents beside the straight line, with their shadows on the walls of the domain.

    Args:
        path: The path.
        ax: Axes of space to draw in; new ones if None.
        title: Title; the lengths if None, none if "".

    Returns:
        The axes. Nothing is shown or saved.

    Cost: none worth mentioning.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.riemannian import geodesic
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Box([-1.0] * 3, [1.0] * 3))
        >>> plot_space_geodesic(geodesic(cells, [0, 0, 0], [0, 0.3, 0.4])).get_title()
        'length 0.5, straight line 0.5'
    """
    from matplotlib.figure import Figure

    axes = Figure((5.6, 5.2), layout="constrained").add_subplot(projection="3d") if ax is None else ax
    low, high = path.cells_of_space.vertices.min(axis=0), path.cells_of_space.vertices.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low)
    known = f"length {path.length:.6g}, straight line {path.straight_length:.6g}"
    axes.set_title(known if title is None else title)
    ends = path.points[[0, -1]]
    lines = ((ends, _STRAIGHT, (0, (4, 2)), "straight line"), (path.points, ACCENT, "solid", "short path"))
    walls = ((0, low[0]), (1, high[1]), (2, low[2]))  # behind what is seen from the usual side
    for points, color, style, label in lines:
        for axis, wall in walls:
            shadow = points.copy()
            shadow[:, axis] = wall
            axes.plot(*shadow.T, color=color, lw=0.8, ls=style, alpha=0.35)
        axes.plot(*points.T, color=color, lw=1.8, ls=style, label=label)
    axes.plot(*ends.T, "o", ms=5, mfc="white", mec=INK, mew=1.0, ls="none")
    axes.set(xlabel="$z_1$", ylabel="$z_2$", zlabel="$z_3$")
    axes.legend(loc="upper left", frameon=False)
    drawn: Axes = axes
    return drawn


def draw_volumes(ax: Axes, cells: PlanarComplex) -> None:
    """Fill cells by what the network stretches areas by, with a colour bar; flattened cells are grey.

    Args:
        ax: Axes.
        cells: The cells.
    """
    values = volume_elements(cells)
    values = np.where(values > 0, values, np.nan)
    scale = scale_of(values, "volume element (output area per input area)", weights=cells.measures)
    corners = cells.vertices[cells.cell_vertices]
    draw_color_bar(ax, scale)
    settle_layout(ax)
    draw_fills(ax, FilledPolygons(corners, np.asarray(cells.cell_offsets), colors_of(values, scale), scale))


def plot_distances(
    field: DistanceField, ax: Axes | None = None, *, pixels: int = 400, rings: int = 10, title: str | None = None
) -> Axes:
    """Draw distances from a point with geodesic circles, and the cut locus, where two shortest paths arrive.

    Distances are exact at every pixel; the cut locus is where the direction of arrival jumps between neighbouring
    pixels of one cell. Flattened cells are grey.

    Args:
        field: The distances.
        ax: Axes to draw in; new ones if None.
        pixels: Points along the wider side of the domain.
        rings: How many circles, at equal distances.
        title: Title; none if None.

    Returns:
        The axes. Nothing is shown or saved.

    Cost: a reading of the field at each pixel.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.riemannian import distances
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_distances(distances(cells, [0, 0]), pixels=20).get_title()
        ''
    """
    axes = new_axes(5.6) if ax is None else ax
    frame_slice(axes, field.cells, "" if title is None else title)
    x, y, points = _pixels(field.cells, pixels)
    values = field.at(points)
    shown = values.reshape(len(y), len(x))
    scale = scale_of(values, "distance in the space of outputs", logarithmic=False)
    draw_color_bar(axes, scale)
    settle_layout(axes)
    axes.set_facecolor("0.85")
    axes.pcolormesh(x, y, np.ma.masked_invalid(shown), cmap=scale.colormap, vmin=0.0, vmax=scale.high, rasterized=True)
    largest = float(np.nanmax(values, initial=0.0))
    if largest > 0:
        levels = np.linspace(0, largest, rings + 2)[1:-1]
        axes.contour(x, y, np.ma.masked_invalid(shown), levels=levels, colors="white", linewidths=0.8, zorder=3)
    locus = cut_locus(field, points, (len(y), len(x)))
    axes.plot(*points.reshape(len(y), len(x), 2)[locus].T, "s", ms=1.1, mew=0, color=ACCENT, zorder=4)
    axes.plot(*field.source, "o", ms=5, mfc="white", mec=INK, mew=1.0, zorder=6)
    return axes


def cut_locus(
    field: DistanceField, points: Float[np.ndarray, "n 2"], shape: tuple[int, int]
) -> Bool[np.ndarray, "rows columns"]:
    """Pixels beside which shortest paths arrive from elsewhere.

    Args:
        field: Distances.
        points: The pixels, row by row.
        shape: Rows and columns.

    Returns:
        One value for each pixel.
    """
    growth = field.growth(points).reshape(*shape, 2)
    owners = field.cells.locate(points).reshape(shape)
    found = np.zeros(shape, bool)
    for axis in (0, 1):
        here = tuple(slice(None, -1) if k == axis else slice(None) for k in range(2))
        there = tuple(slice(1, None) if k == axis else slice(None) for k in range(2))
        with np.errstate(invalid="ignore"):
            jump = np.linalg.norm(growth[there] - growth[here], axis=2) > _JUMP
        near = np.linalg.norm(points.reshape(*shape, 2)[here] - field.source, axis=2)
        step = np.abs(points.reshape(*shape, 2)[there] - points.reshape(*shape, 2)[here]).max()
        found[here] |= jump & (owners[there] == owners[here]) & (near > 8 * step)
    return found


def _pixels(cells: PlanarComplex, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of pixels over the domain."""
    low, high = cells.vertices.min(axis=0), cells.vertices.max(axis=0)
    step = float((high - low).max()) / pixels
    x, y = (low[k] + step * (0.5 + np.arange(max(1, round((high[k] - low[k]) / step)))) for k in range(2))
    columns, rows = np.meshgrid(x, y)
    return x, y, np.stack([columns.ravel(), rows.ravel()], axis=1)


def draw_ellipses(ax: Axes, centres: Any, axes_of_balls: Any, **style: Any) -> None:
    """Draw balls of a metric in a plane as ellipses.

    Args:
        ax: Axes to draw in.
        centres: [n, 2] their centres.
        axes_of_balls: [n, 2, 2] their semi-axes, as `Metrics.axes` gives them.
        **style: Of the lines, as matplotlib takes it.
    """
    turn = np.linspace(0, 2 * np.pi, 61)
    rings = np.einsum("tk,nkd->ntd", np.stack([np.cos(turn), np.sin(turn)], axis=1), np.asarray(axes_of_balls))
    for ring in np.asarray(centres)[:, None] + rings:
        ax.plot(*ring.T, **{"color": INK, "lw": 0.7, "zorder": 3, **style})
