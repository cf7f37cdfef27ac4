"""The graph of a piecewise affine function above its tessellation (as in figure 3 of Balestriero et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from splinescope.errors import InvalidInputError
from splinescope.plotting.data import FilledPolygons, fill_cells
from splinescope.plotting.figures import INK, RASTER_LIMIT, add_polygons, axis_labels, cell_title, label_name
from splinescope.plotting.layers import draw_color_bar

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D

    from splinescope.tessellation.planar.complex import PlanarComplex


@dataclass(frozen=True)
class Surface:
    """The facets of a graph, and the floor below on which the tessellation is drawn.

    Attributes:
        fills: Polygons of the tessellation and their colours.
        heights: Value of the function at each corner of `fills.points`.
        floor: Height of the floor.
    """

    fills: FilledPolygons
    heights: Float[np.ndarray, " points"]
    floor: float

    def facets(self, size: int) -> tuple[Int[np.ndarray, " facets"], Float[np.ndarray, "facets size 3"]]:
        """Facets of the graph with a given number of corners.

        Args:
            size: Number of corners.

        Returns:
            Their indices, and their corners in space.
        """
        rows = np.flatnonzero(np.diff(self.fills.offsets) == size)
        corners = self.fills.offsets[rows][:, None] + np.arange(size)
        return rows, np.concatenate([self.fills.points[corners], self.heights[corners][..., None]], axis=2)


def surface_of(cells: PlanarComplex, output: int = 0, color: str | Shaped[np.ndarray, " cells"] = "pattern") -> Surface:
    """Facets of the graph of an output.

    Args:
        cells: A planar complex.
        output: The output, before the network's head.
        color: As in `plot_tessellation`, without "class".

    Returns:
        The facets; the floor is below the lowest value by 0.9 times the range of values.

    Raises:
        InvalidInputError: If there is no such output, or for the colouring "class", which cuts cells.
    """
    outputs = cells.vertex_outputs.shape[1]
    if not 0 <= output < outputs:
        raise InvalidInputError(f"`output`: got {output}; expected an output from 0 to {outputs - 1}")
    if isinstance(color, str) and color == "class":
        raise InvalidInputError(
            '`color`: "class" cuts cells; expected "pattern", "norm", "area", "log-volume" or an array'
        )
    heights = cells.vertex_outputs[cells.cell_vertices, output]
    low, high = float(heights.min()), float(heights.max())
    return Surface(fill_cells(cells, color), heights, low - 0.9 * (high - low if high > low else 1.0))


def plot_surface(
    cells: PlanarComplex,
    output: int = 0,
    ax: Axes3D | None = None,
    *,
    color: str | Shaped[np.ndarray, " cells"] = "pattern",
    label: str | None = None,
    title: str | None = None,
) -> Axes3D:
    """Draw the graph of an output over the slice, and the tessellation on a floor below it.

    Args:
        cells: A planar complex.
        output: The output, before the network's head.
        ax: Axes of a three-dimensional projection; new ones if None.
        color: "pattern", "norm", "area", "log-volume" or one number per cell.
        label: Name of the vertical axis; if None, that of its class, or "output k".
        title: Title; the number of cells if None, none if "".

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If there is no such output, the colouring is unknown, or the axes are flat.

    Cost: linear in the number of cells, which matplotlib sorts by depth.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_surface(cells, color="norm").get_title()
        '4 cells'
    """
    surface = surface_of(cells, output, color)
    if ax is not None and not hasattr(ax, "add_collection3d"):
        raise InvalidInputError('`ax`: got flat axes; expected axes with `projection="3d"`')
    axes = _new_axes(surface.fills.scale is not None) if ax is None else ax
    _draw_facets(axes, surface)
    _draw_floor(axes, surface)
    _frame(axes, cells, surface)
    axes.set_zlabel(_output_label(cells, output) if label is None else label, labelpad=8)
    axes.set_title(cell_title(cells) if title is None else title, y=0.965)
    if surface.fills.scale is not None:
        draw_color_bar(axes, surface.fills.scale, shrink=0.6, pad=0.1)
    return axes


def _new_axes(bar: bool) -> Axes3D:
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(6.2 if bar else 5.0, 4.5))
    return figure.add_axes((0.0, 0.03, 0.82 if bar else 0.95, 0.95), projection="3d", computed_zorder=False)


def _draw_facets(ax: Axes3D, surface: Surface) -> None:
    """The graph, its facets shaded by a light from the upper left."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    facets, colors = [], []
    for size in np.unique(np.diff(surface.fills.offsets)):
        rows, corners = surface.facets(int(size))
        facets += list(corners)
        colors.append(_shaded(surface.fills.colors[rows], corners, surface))
    collection = Poly3DCollection(
        facets, facecolors=np.concatenate(colors), edgecolors=INK, linewidths=_width(len(facets)), zorder=3
    )
    collection.set_rasterized(len(facets) > RASTER_LIMIT)
    add_polygons(ax, collection, facets)


def _draw_floor(ax: Axes3D, surface: Surface) -> None:
    """The tessellation on the floor."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    polygons, colors = [], []
    for size in np.unique(np.diff(surface.fills.offsets)):
        rows, corners = surface.facets(int(size))
        corners[..., 2] = surface.floor
        polygons += list(corners)
        colors.append(surface.fills.colors[rows])
    collection = Poly3DCollection(
        polygons, facecolors=np.concatenate(colors), edgecolors=INK, linewidths=_width(len(polygons)), zorder=1
    )
    collection.set_rasterized(len(polygons) > RASTER_LIMIT)
    add_polygons(ax, collection, polygons)


def _shaded(colors: np.ndarray, corners: np.ndarray, surface: Surface) -> np.ndarray:
    """Colours made darker where a facet looks away from the light, in a box of equal sides."""
    span = np.ptp(surface.fills.points, axis=0)
    scale = np.array([1 / span[0], 1 / span[1], 0.6 / max(np.ptp(surface.heights), 1e-300)])
    centred = (corners - corners.mean(axis=1, keepdims=True)) * scale
    rolled = np.roll(centred, -1, axis=1)
    normals = np.cross(centred, rolled).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    light = np.array([-0.45, -0.35, 0.82])
    shaded = colors.copy()
    shaded[:, :3] *= (0.55 + 0.45 * np.clip(normals @ light, 0.0, 1.0))[:, None]
    return shaded


def _output_label(cells: PlanarComplex, output: int) -> str:
    names = cells.network.classes
    unnamed = names is None or len(names) != cells.vertex_outputs.shape[1]
    return f"output {output}" if unnamed else label_name(names, output)


def _width(count: int) -> float:
    """Line width in points that leaves `count` facets visible."""
    return float(np.clip(8 / np.sqrt(max(1, count)), 0.05, 0.5))


def _frame(ax: Axes3D, cells: PlanarComplex, surface: Surface) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = surface.fills.points.min(axis=0), surface.fills.points.max(axis=0)
    top = float(surface.heights.max())
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_zlim(surface.floor, top)
    ax.set_box_aspect((*((high - low) / (high - low).max()), 0.95), zoom=0.92)
    first, second = axis_labels(cells)
    ax.set_xlabel(first)
    ax.set_ylabel(second)
    # The two axes meet at (high, low); a tick there on both would be one number on top of another.
    room = 0.05 * (high - low)
    first_ticks, second_ticks = (MaxNLocator(4).tick_values(low[i], high[i]) for i in (0, 1))
    ax.set_xticks([tick for tick in first_ticks if low[0] <= tick <= high[0] - room[0]])
    ax.set_yticks([tick for tick in second_ticks if low[1] + room[1] <= tick <= high[1]])
    ticks = MaxNLocator(4).tick_values(float(surface.heights.min()), top)
    ax.set_zticks([tick for tick in ticks if surface.heights.min() <= tick <= top])
    ax.view_init(elev=24, azim=-58)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
        axis._axinfo["grid"].update(linewidth=0.0)
