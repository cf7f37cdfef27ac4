"""Pictures of preimages: polygons in a plane, polytopes in space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull

from splinescope.errors import InvalidInputError
from splinescope.plotting.colors import color_numbers, pattern_palette
from splinescope.plotting.figures import INK, add_polygons, coordinate_names, new_axes, proportion_plane
from splinescope.preimage.faces import faces_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

    from splinescope.preimage.polytopes import Polytope
    from splinescope.preimage.preimage import Preimage


def plot_preimage(preimage: Preimage, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw a preimage in a plane or in space, each piece in the colour of its activation pattern.

    Pieces of full dimension are filled, flat ones are polygons, lines and points. Boxes that were left are hatched.

    Args:
        preimage: A preimage in a domain of two or three dimensions; of others draw a `slice`.
        ax: Axes to draw in, three-dimensional ones for three dimensions; new ones if None.
        title: Title; number of pieces and volume if None, none if "".

    Returns:
        The axes. Nothing is shown or saved. Cost: the vertices of all pieces.

    Raises:
        InvalidInputError: If the domain has another dimension.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.preimage import ClassTarget, preimage_of
        >>> found = preimage_of(torch.nn.ReLU(), ClassTarget(1), splinescope.Box([-1.0, -1.0], [1.0, 1.0]))
        >>> plot_preimage(found).get_title()
        '2 pieces, volume 1.5'
    """
    d = preimage.dimension
    if d not in (2, 3):
        raise InvalidInputError(f"`preimage`: its domain has {d} dimensions; expected two or three")
    axes = _axes(d) if ax is None else ax
    colors = pattern_palette()[color_numbers(preimage.patterns)]
    for piece, color in zip(preimage, colors, strict=True):
        (_draw_flat if d == 2 else _draw_solid)(axes, piece.polytope, color)
    if d == 2:
        for low, high in zip(preimage.left.low, preimage.left.high, strict=True):
            axes.fill(*_rectangle(low, high).T, fill=False, hatch="////", ec="0.6", lw=0.5)
    _frame(axes, preimage)
    low, high = preimage.volume_bounds
    size = f"{low:.6g}" if preimage.complete else f"{low:.4g} to {high:.4g}"
    axes.set_title(f"{len(preimage):,} pieces, volume {size}" if title is None else title)
    return axes


def _axes(dimension: int) -> Axes:
    if dimension == 2:
        return new_axes()
    from matplotlib import pyplot

    return pyplot.figure(figsize=(5.4, 5.0)).add_subplot(projection="3d")


def _draw_flat(axes: Axes, shape: Polytope, color: np.ndarray) -> None:
    """A polygon, a line or a point in a plane."""
    points = shape.vertices
    if shape.dimension == 2:
        axes.fill(*points[ConvexHull(points).vertices].T, fc=color, ec=INK, lw=0.4)
    elif shape.dimension == 1:
        axes.plot(*points.T, color=color, lw=1.8)
    else:
        axes.plot(*points.T, "o", color=color, ms=4)


def _draw_solid(axes: Axes3D, shape: Polytope, color: np.ndarray) -> None:
    """A polytope, a polygon, a line or a point in space."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    faces = faces_of(shape)
    if shape.dimension > 1:
        alpha, width = (0.6, 0.3) if shape.dimension == 3 else (0.85, 0.4)
        add_polygons(axes, Poly3DCollection(faces, fc=color, ec=INK, lw=width, alpha=alpha), faces)
    elif shape.dimension == 1:
        axes.plot(*faces[0].T, color=color, lw=1.8)
    else:
        axes.scatter(*faces[0].T, color=[color], s=14)


def _rectangle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.array([low, [high[0], low[1]], high, [low[0], high[1]]])


def _frame(axes: Axes, preimage: Preimage) -> None:
    """Limits and labels of the domain."""
    from matplotlib.ticker import MaxNLocator

    corners = preimage.domain.corners
    sides = np.ptp(corners, axis=0)
    names = coordinate_names(preimage.domain.names, preimage.dimension)
    for axis, name, low, high in zip("xyz", names, corners.min(axis=0), corners.max(axis=0), strict=False):
        getattr(axes, f"set_{axis}lim")(low, high)
        getattr(axes, f"set_{axis}label")(name)
        getattr(axes, f"{axis}axis").set_major_locator(MaxNLocator(5))
    if len(sides) == 2:
        proportion_plane(axes, sides, preimage.domain.names is not None)
    else:
        axes.set_aspect("equal")
