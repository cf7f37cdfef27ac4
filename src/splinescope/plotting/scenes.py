"""Scenes in space: polytopes, planes and rays around the axes, shaded so that folded sheets look folded."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from splinescope.plotting.figures import INK, add_polygons
from splinescope.preimage.polytopes import Polytope, polytope

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

_LIGHT = np.array([0.35, -0.55, 0.75])
"""Direction to the light."""


def new_scene(
    figure: Figure, place: tuple[float, float, float, float], letter: str, title: str, *, flat: bool = False
) -> Any:
    """A panel of a figure without a layout of its own, with letter and title above it.

    Args:
        figure: The figure; its layout engine is switched off, as panels in space know none.
        place: Left, bottom, width and height in shares of the figure.
        letter: The letter.
        title: The title.
        flat: Whether the panel is flat.

    Returns:
        Axes, of space unless `flat`. What is drawn later or with a larger `zorder` is in front.
    """
    figure.set_layout_engine("none")
    left, bottom, width, height = place
    figure.text(left + 0.01, bottom + height, f"$\\bf{{{letter}}}$  {title}", fontsize=8.5, va="bottom")
    if flat:
        return figure.add_axes((left + 0.06, bottom + 0.09, width - 0.09, height - 0.13))
    return figure.add_axes(place, projection="3d", computed_zorder=False)


def cube_rows(low: float, high: float) -> Float[np.ndarray, "6 4"]:
    """Half-spaces of a cube in space.

    Args:
        low: Its least coordinates.
        high: Its greatest ones.

    Returns:
        Rows `(n, b)` for `n @ x + b <= 0`.
    """
    return np.vstack([np.column_stack([-np.eye(3), np.full(3, low)]), np.column_stack([np.eye(3), np.full(3, -high)])])


def cone_in_cube(
    point: Float[np.ndarray, " 3"], rays: Float[np.ndarray, "k 3"], low: float, high: float
) -> Polytope | None:
    """What a cube has of a point and independent rays from it.

    Args:
        point: The point.
        rays: The rays.
        low: The cube's least coordinates.
        high: Its greatest ones.

    Returns:
        The polytope; None if there is nothing.
    """
    below, beside = np.empty((0, 4)), np.empty((0, 4))
    if len(rays):
        dual = np.linalg.pinv(rays.T)  # coefficients of the rays are dual @ (x - point)
        below = np.column_stack([-dual, dual @ point])
    normals = np.linalg.svd(rays)[2][len(rays) :] if len(rays) else np.eye(3)
    beside = np.column_stack([normals, -normals @ point])
    return polytope(np.vstack([cube_rows(low, high), below]), beside)


def draw_faces(
    ax: Axes3D,
    faces: Sequence[np.ndarray],
    colors: Any,
    *,
    alpha: float = 0.9,
    line: float = 0.4,
    edge: str = INK,
    zorder: int = 3,
) -> None:
    """Draw polygons as one sheet, each shaded by how it lies to the light; lines and points are drawn as such.

    Args:
        ax: Axes of space.
        faces: [corners, 3] of each, in order.
        colors: One colour, or one for each face.
        alpha: Opacity.
        line: Width of the edges in points.
        edge: Their colour.
        zorder: How far in front, as matplotlib has it.
    """
    from matplotlib.colors import to_rgb
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    one = isinstance(colors, str) or (np.ndim(colors) == 1 and not isinstance(colors[0], str))
    each = [to_rgb(colors)] * len(faces) if one else [to_rgb(color) for color in colors]
    solid = [at for at, face in enumerate(faces) if len(face) > 2]
    if solid:
        shades = [(*_shaded(each[at], faces[at]), alpha) for at in solid]
        sheet = Poly3DCollection([faces[at] for at in solid], facecolors=shades, edgecolors=edge, linewidths=line)
        sheet.set_zorder(zorder)
        add_polygons(ax, sheet, [faces[at] for at in solid])
    for at, face in enumerate(faces):
        if len(face) == 2:
            ax.plot(*face.T, color=each[at], lw=1.6, zorder=zorder + 1)
        elif len(face) == 1:
            ax.plot(*face.T, "o", color=each[at], ms=3.2, zorder=zorder + 2)


def _shaded(color: tuple[float, float, float], face: np.ndarray) -> np.ndarray:
    normal = np.cross(face[1] - face[0], face[2] - face[0])
    length = np.linalg.norm(normal)
    facing = abs(normal @ _LIGHT) / (length * np.linalg.norm(_LIGHT)) if length else 1.0
    base = np.asarray(color)
    return np.clip(base * (0.76 + 0.24 * facing) + 0.08 * facing**4, 0, 1)


def draw_arrow(
    ax: Axes3D, start: np.ndarray, end: np.ndarray, color: str, *, width: float = 1.3, zorder: int = 8
) -> None:
    """Draw an arrow.

    Args:
        ax: Axes of space.
        start: Where it starts.
        end: Where it ends.
        color: Its colour.
        width: Its width in points.
        zorder: How far in front, as matplotlib has it.
    """
    ax.quiver(*start, *(end - start), color=color, lw=width, arrow_length_ratio=0.1, zorder=zorder)


def set_scene(
    ax: Axes3D,
    low: float,
    high: float,
    *,
    name: str = "x",
    view: tuple[float, float] = (22.0, 35.0),
    zoom: float = 1.25,
) -> None:
    """Frame a cube: no panes, the axes as arrows through the origin, all directions alike.

    Args:
        ax: Axes of space.
        low: Least coordinates.
        high: Greatest ones.
        name: What coordinates are called.
        view: Elevation and azimuth in degrees.
        zoom: How large the cube is in its panel.
    """
    ax.set_axis_off()
    for axis, (start, end) in enumerate(itertools.repeat((min(low, 0.0), high), 3)):
        line = np.zeros((2, 3))
        line[:, axis] = start, 1.06 * end
        draw_arrow(ax, line[0], line[1], "#8a8a90", width=0.6, zorder=2)
        label = np.zeros(3)
        label[axis] = 1.16 * end
        ax.text(*label, f"${name}_{axis + 1}$", ha="center", va="center", fontsize=7)
    ax.set(xlim=(low, high), ylim=(low, high), zlim=(low, high))
    ax.set_box_aspect((1, 1, 1), zoom=zoom)
    ax.set_proj_type("persp", focal_length=1.6)
    ax.view_init(*view)
