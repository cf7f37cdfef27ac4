"""The box around a surface in space, with the names and ends of its coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.plotting.figures import INK, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.plotting.mesh_picture import MeshPicture
    from splinescope.tessellation.surface import SurfaceMesh


def box_corners(ends: np.ndarray) -> np.ndarray:
    """Corners of a box.

    Args:
        ends: [2, 3] lower and upper ends.

    Returns:
        [8, 3] points; the bits of a corner's number say which ends it takes.
    """
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    return np.where(bits, ends[1], ends[0])


def axis_names(mesh: SurfaceMesh) -> tuple[str, str, str]:
    """Names of a surface's three coordinates.

    Args:
        mesh: The surface.

    Returns:
        Those of the domain if it has some. Else x for those of a three-dimensional input itself, t for those of a
        slice.
    """
    if mesh.domain.names is not None:
        first, second, third = map(drawable, mesh.domain.names)
        return first, second, third
    basis, origin = np.asarray(mesh.domain.basis), np.asarray(mesh.domain.origin)
    own = basis.size == 9 and np.array_equal(basis.reshape(3, 3), np.eye(3)) and not origin.any()
    return ("$x_1$", "$x_2$", "$x_3$") if own else ("$t_1$", "$t_2$", "$t_3$")


def draw_box(ax: Axes, picture: MeshPicture, names: tuple[str, str, str]) -> None:
    """Draw the box around what is shown, without its three edges nearest to the viewer, and its extent.

    Args:
        ax: Axes.
        picture: The surface inside, which hides edges behind it.
        names: Names of the coordinates.
    """
    from matplotlib.collections import LineCollection

    corners = box_corners(picture.frame)
    steps = np.linspace(0, 1, 301)[:, None]
    nearest = int(np.argmax(corners @ picture.camera.towards))
    for a in range(8):
        for axis in range(3):
            b = a | 1 << axis
            if a == b or nearest in (a, b):
                continue
            behind = 7 - nearest in (a, b)
            points = corners[a] + steps * (corners[b] - corners[a])
            flat = picture.camera.project(points)[:, :2]
            seen = picture.in_front(points)
            pieces = np.stack([flat[:-1], flat[1:]], axis=1)[seen[1:] & seen[:-1]]
            width, strength = (0.5, 0.35) if behind else (0.7, 0.75)
            lines = LineCollection(
                list(pieces), colors=INK, linewidths=width, alpha=strength, zorder=1 if behind else 3
            )
            ax.add_collection(lines, autolim=False)
    _label_box(ax, picture, corners, names)


def _label_box(ax: Axes, picture: MeshPicture, corners: np.ndarray, names: tuple[str, str, str]) -> None:
    """Name each coordinate and its ends along an edge of the outline: the lowest, or the leftmost if it is upright."""
    flat = picture.camera.project(corners)[:, :2]
    middle, size = flat.mean(axis=0), float(np.ptp(flat, axis=0).max())
    upright = int(np.argmax(np.abs(picture.camera.up)))
    for axis in range(3):
        starts = np.array([a for a in range(8) if not a >> axis & 1])
        edges = np.stack([flat[starts], flat[starts | 1 << axis]], axis=1)
        offset = edges.mean(axis=1) - middle
        outward = -offset[:, 0] if axis == upright else -offset[:, 1]
        ends = edges[int(np.argmax(outward))]
        along = ends[1] - ends[0]
        normal = np.array([along[1], -along[0]]) / max(float(np.linalg.norm(along)), 1e-300)
        normal = normal if normal @ (ends.mean(axis=0) - middle) > 0 else -normal
        low, high = picture.frame[:, axis]
        for share, text in ((0.07, f"{low:.3g}"), (0.5, names[axis]), (0.93, f"{high:.3g}")):
            x, y = ends[0] + share * along + 0.035 * size * normal
            ax.text(x, y, text, ha="center", va="center", fontsize=8, color=INK, zorder=4)
