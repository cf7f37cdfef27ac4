"""The surface that a generator makes of a plane of latents (as in figure 10 of Balestriero et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from splinescope.errors import InvalidInputError
from splinescope.plotting.data import fill_cells
from splinescope.plotting.figures import INK, RASTER_LIMIT, add_polygons, cell_title
from splinescope.plotting.layers import draw_color_bar

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D

    from splinescope.tessellation.planar.complex import PlanarComplex


def principal_components(
    cells: PlanarComplex, count: int = 3
) -> tuple[Float[np.ndarray, "vertices count"], Float[np.ndarray, " count"]]:
    """Outputs at the vertices in the leading principal components of the exact law of outputs for uniform latents.

    Args:
        cells: A planar complex of a generator.
        count: Number of components.

    Returns:
        Coordinates, and the share of the variance that each component has.
    """
    from splinescope.generative import moments

    values: np.ndarray = cells.vertex_outputs
    law = moments(cells)
    variances, directions = np.linalg.eigh(law.covariance)
    order = np.argsort(-variances)[:count]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(len(variances))])
    return (values - law.mean) @ (directions * signs)[:, order], variances[order] / variances.sum()


def plot_manifold(
    cells: PlanarComplex,
    ax: Axes3D | None = None,
    *,
    color: str | Shaped[np.ndarray, " cells"] = "log-volume",
    bar: bool = True,
    title: str | None = None,
    view: tuple[float, float] = (24.0, -58.0),
) -> Axes3D:
    """Draw the piecewise affine surface that a generator makes of a plane, with the facets of its cells.

    Of three outputs these are the axes; of more, their first three principal components (PC) for uniform
    latents, with their shares of the variance.

    Args:
        cells: A planar complex of a generator of at least three outputs.
        ax: Axes of a three-dimensional projection; new ones if None.
        color: As in `plot_tessellation`, without "class".
        bar: Whether to draw the bar of the colours.
        title: Title; the number of cells if None, none if "".
        view: Elevation and azimuth of the camera, in degrees.

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If there are fewer outputs, the colouring is unknown, or the axes are flat.

    Cost: linear in the number of cells, which matplotlib sorts by depth; of principal components that of `moments`.

    Example:
        >>> import splinescope, torch
        >>> generator = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
        >>> cells = splinescope.tessellate(generator, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> plot_manifold(cells, title="surface").get_title()
        'surface'
    """
    outputs = cells.vertex_outputs.shape[1]
    if outputs < 3:
        raise InvalidInputError(f"`cells`: got a generator of {outputs} outputs; expected at least three")
    if isinstance(color, str) and color == "class":
        raise InvalidInputError('`color`: "class" cuts cells; expected another colouring')
    if ax is not None and not hasattr(ax, "add_collection3d"):
        raise InvalidInputError('`ax`: got flat axes; expected axes with `projection="3d"`')
    axes: Any = _new_axes() if ax is None else ax
    places, names = _places(cells)
    fills = fill_cells(cells, color)
    facets = np.split(places[cells.cell_vertices], cells.cell_offsets[1:-1])
    _draw(axes, facets, fills.colors)
    low, high = places.min(axis=0), places.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(np.maximum(high - low, 0.4 * (high - low).max()), zoom=0.88)
    axes.set_xlabel(names[0], labelpad=8)
    axes.set_ylabel(names[1], labelpad=8)
    axes.set_zlabel(names[2])
    axes.set_title(cell_title(cells) if title is None else title)
    axes.view_init(elev=view[0], azim=view[1])
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_visible(False)
        axis.set_major_locator(_locator())
        axis._axinfo["grid"].update(linewidth=0.0)
    if bar and fills.scale is not None:
        draw_color_bar(axes, fills.scale, shrink=0.6, pad=0.12)
    return axes


def _new_axes() -> Axes3D:
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(6.2, 4.5))
    return figure.add_axes((0.0, 0.05, 0.8, 0.88), projection="3d")


def _locator() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3)


def _places(cells: PlanarComplex) -> tuple[np.ndarray, list[str]]:
    """Vertices in space, and what the axes are."""
    values: np.ndarray = cells.vertex_outputs
    if values.shape[1] == 3:
        return values, [f"output $y_{k}$" for k in (1, 2, 3)]
    places, shares = principal_components(cells)
    return places, [f"PC {k + 1} ({share:.0%})" for k, share in enumerate(shares)]


def _draw(ax: Any, facets: list[np.ndarray], colors: np.ndarray) -> None:
    """The facets, darker where they look away from a light at the upper left, from either side."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    normals = np.array([_normal(facet) for facet in facets])
    light = np.array([-0.45, -0.35, 0.82])
    shaded = colors.copy()
    shaded[:, :3] *= (0.6 + 0.4 * np.abs(normals @ light))[:, None]
    width = float(np.clip(8 / np.sqrt(max(1, len(facets))), 0.05, 0.5))
    drawn = Poly3DCollection(facets, facecolors=shaded, edgecolors=INK, linewidths=width)
    drawn.set_rasterized(len(facets) > RASTER_LIMIT)
    add_polygons(ax, drawn, facets)


def _normal(facet: np.ndarray) -> np.ndarray:
    """Unit normal of a plane polygon in space; zero where it is flattened."""
    centred = facet - facet.mean(axis=0)
    normal = np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0)
    return normal / max(float(np.linalg.norm(normal)), 1e-300)
